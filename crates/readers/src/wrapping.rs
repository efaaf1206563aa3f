//! What is known of an event from what it was wrapped in: a hit of Elasticsearch's, an exported or collected event of
//! Splunk's.

use lurcher_schema::Timestamp;

use crate::{
    json::{Document, Member, flatten},
    logs::quote,
    names,
    rows::{Field, Raw},
    windows::Desk,
};

/// A field that Splunk has beside `_raw`.
#[derive(Clone, Debug)]
struct Told {
    name: String,
    /// Else JSON: a number, a boolean or a list.
    is_text: bool,
    value: String,
}

/// What stood around a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapping {
    pub(crate) index: Option<String>,
    pub(crate) sourcetype: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) depth: usize,
    told: Vec<Told>,
}

impl Wrapping {
    /// The text of a document with this wrapping around it again.
    pub(crate) fn around(&self, document: &str) -> String {
        let mut text = document.to_owned();
        if !self.told.is_empty() {
            let beside = self.told.iter().map(|told| {
                let value = if told.is_text { quote(&told.value) } else { told.value.clone() };
                format!(",{}:{value}", quote(&told.name))
            });
            text = format!("{{\"_raw\":{}{}}}", quote(&text), beside.collect::<String>());
        }
        match &self.index {
            Some(index) => format!("{{\"_index\":{},\"_source\":{text}}}", quote(index)),
            None => text,
        }
    }

    /// Keeps what stands beside `_raw`. What an inner wrapping says goes before what an outer one says.
    pub(crate) fn tell(&mut self, desk: &mut Desk, document: &Document<'_>) {
        let outer = std::mem::take(&mut self.told);
        let mut fields = Vec::with_capacity(document.members.len());
        for (name, member) in document.members.iter().filter(|(name, _)| *name != names::RAW) {
            match member {
                Member::Null => {}
                Member::Plain(value) => fields.push((*name, *value)),
                Member::Nested(value) => flatten(desk, &mut fields, *name, Member::Nested(value.clone())),
            }
        }
        self.told = fields
            .into_iter()
            .map(|(name, value)| Told {
                name: desk.names.text(name).to_owned(),
                is_text: matches!(value, Raw::Text(_) | Raw::Scratch(..)),
                value: value.text(&desk.scratch).to_owned(),
            })
            .collect();
        let new = outer.into_iter().filter(|old| self.told.iter().all(|told| told.name != old.name));
        let new: Vec<Told> = new.collect();
        self.told.extend(new);
        let text =
            |name| self.told.iter().find(|told| told.is_text && told.name == name).map(|told| told.value.clone());
        self.sourcetype = text("sourcetype").or(self.sourcetype.take());
        self.source = text("source").or(self.source.take());
    }

    /// When Splunk says that it happened.
    pub(crate) fn time(&self, read: impl Fn(&str) -> Option<Timestamp>) -> Option<Timestamp> {
        read(&self.told.iter().find(|told| told.name == "_time")?.value)
    }

    /// Adds the fields that the document does not have itself: a search of Splunk's finds an event by its host, its index and
    /// its indexed fields, too. A name is passed over if the document has an object there (`host` beside `host.name`), and
    /// Splunk's own names if the document's dialect (`foreign`) means something else by them.
    pub(crate) fn add<'a>(&'a self, desk: &mut Desk, foreign: bool, fields: &mut Vec<Field<'a>>) {
        let own = fields.len();
        for told in &self.told {
            let name = told.name.as_str();
            let internal = name.starts_with('_')
                || name.contains("{}")
                || foreign && matches!(name, "host" | "source" | "sourcetype" | "index");
            let taken = internal
                || fields.iter().take(own).any(|field| {
                    let rest = desk.names.text(field.0).strip_prefix(name);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                });
            if !taken {
                let value = if told.is_text { Raw::Text(&told.value) } else { Raw::Json(&told.value) };
                fields.push((desk.names.root(name), value));
            }
        }
    }
}
