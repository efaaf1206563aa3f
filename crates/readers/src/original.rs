//! Events as they stand in their input, for whoever passes them on: the text that each was read from.
//!
//! Handed over as a record (see [`crate::read_records`]), an event's text is read as the same kind of event with the same
//! raw fields. Where an input has no text of its own for an event, one is made: EVTX is rendered as event XML, a row of
//! a table and a line of Zeek's columns become a JSON document, a line of W3C columns carries its header with it.

use lurcher_schema::Timestamp;

use crate::{
    RecordForm,
    logs::quote,
    rows::{Place, Raw},
    wrapping::Wrapping,
};

/// An event as it stands in its input.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// How its text is written.
    pub form: RecordForm,
    /// Its text.
    pub text: &'a str,
    /// Its place in its file; see [`EventRef::ordinal`](lurcher_schema::EventRef::ordinal).
    pub ordinal: u64,
    /// When it happened; `None` if it carries no time that can be read.
    pub time: Option<Timestamp>,
    /// The attributes of its shape, first its dialect.
    pub attributes: &'a [(&'static str, &'a str)],
}

impl Original<'_> {
    /// An attribute of its shape by name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.0 == name).map(|attribute| attribute.1)
    }
}

/// Passes on the text of each event that is read.
pub(crate) struct Tap<'s> {
    each: &'s mut dyn FnMut(&Original<'_>),
    form: RecordForm,
    text: String,
}

impl<'s> Tap<'s> {
    pub(crate) fn new(each: &'s mut dyn FnMut(&Original<'_>)) -> Self {
        Self { each, form: RecordForm::Json, text: String::new() }
    }

    /// What follows is read from this text.
    pub(crate) fn begin(&mut self, form: RecordForm, text: &str) {
        self.form = form;
        self.text.clear();
        self.text.push_str(text);
    }

    /// What follows is read from a JSON object with these members.
    pub(crate) fn begin_object<'m>(&mut self, members: impl Iterator<Item = (&'m str, Raw<'m>)>, scratch: &str) {
        self.form = RecordForm::Json;
        self.text.clear();
        self.text.push('{');
        for (name, value) in members {
            if self.text.len() > 1 {
                self.text.push(',');
            }
            self.text.push_str(&quote(name));
            self.text.push(':');
            match value {
                Raw::Text(text) => self.text.push_str(&quote(text)),
                Raw::Json(json) => self.text.push_str(json),
                Raw::Scratch(..) => self.text.push_str(&quote(value.text(scratch))),
                Raw::ScratchJson(..) => self.text.push_str(value.text(scratch)),
            }
        }
        self.text.push('}');
    }

    /// What follows is read from one element of a list that was wrapped like this.
    pub(crate) fn begin_element(&mut self, element: &str, wrapping: &Wrapping) {
        self.form = RecordForm::Json;
        self.text = wrapping.around(element);
    }

    /// An event has been read.
    pub(crate) fn event(&mut self, attributes: &[(&'static str, &str)], place: Place, time: Option<Timestamp>) {
        // What is put together of several records is put together again from them.
        if attributes.contains(&("record_type", "event")) && attributes.contains(&("dialect", "auditd")) {
            return;
        }
        let (form, text) = (self.form, self.text.as_str());
        (self.each)(&Original { form, text, ordinal: place.ordinal, time, attributes });
    }
}
