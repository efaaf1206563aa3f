//! Splunk's knowledge objects, as searches name them: macros, lookups, models, event types and tags.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use lurcher_frontend::spl;
use lurcher_ir::Model;

use crate::{lookups::Lookups, macros::Macros, models::Models};

/// Macros, lookups, models, event types and tags.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// Search macros.
    pub macros: Macros,
    /// Lookups.
    pub lookups: Lookups,
    /// Models of the machine-learning toolkit.
    pub models: Models,
    /// The file of the site's database of the places of addresses.
    pub places: Option<PathBuf>,
    /// The searches of event types, by name.
    eventtypes: BTreeMap<String, String>,
    /// Whether what has this tag, field and value is tagged: a later file may turn a tag off.
    tags: BTreeMap<(String, String, String), bool>,
}

impl Knowledge {
    /// Adds an event type; one of the same name gives way.
    pub(crate) fn insert_eventtype(&mut self, name: String, search: String) {
        self.eventtypes.insert(name, search);
    }

    /// Tags the values of a field, or takes a tag from them.
    pub(crate) fn insert_tag(&mut self, field: &str, value: &str, tag: &str, enabled: bool) {
        self.tags.insert((tag.to_ascii_lowercase(), field.to_owned(), value.to_owned()), enabled);
    }
}

impl spl::Knowledge for Knowledge {
    fn find_macro(&self, name: &str, arguments: usize) -> Option<spl::Macro> {
        self.macros.find(name, arguments).map(|found| spl::Macro {
            arguments: found.arguments.clone(),
            definition: found.definition.clone(),
            is_eval: found.is_eval,
            validation: found.validation.clone(),
            message: found.message.clone(),
        })
    }

    fn macro_names(&self) -> Vec<String> {
        self.macros.iter().map(|known| known.name.clone()).collect()
    }

    fn find_eventtypes(&self, pattern: &str) -> Vec<String> {
        let pattern = pattern.to_lowercase();
        let fits = |name: &str| lurcher_ir::ColumnPattern::parse(&pattern).fits(&name.to_lowercase()).is_some();
        self.eventtypes.iter().filter(|(name, _)| fits(name)).map(|(_, search)| search.clone()).collect()
    }

    fn tagged(&self, tag: &str) -> Vec<(String, String)> {
        let tag = tag.to_ascii_lowercase();
        let of_tag = self.tags.iter().filter(|((known, ..), enabled)| **enabled && *known == tag);
        of_tag.map(|((_, field, value), _)| (field.clone(), value.clone())).collect()
    }

    fn find_model(&self, name: &str) -> Result<Arc<dyn Model>, String> {
        self.models.find(name)
    }

    fn find_lookup(&self, name: &str) -> Option<spl::Lookup> {
        self.lookups.find(name)
    }

    fn knows_places(&self) -> bool {
        self.places.is_some()
    }
}
