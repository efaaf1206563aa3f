//! Splunk's knowledge objects, as searches name them: macros and lookups.

use lurcher_frontend::spl;

use crate::{lookups::Lookups, macros::Macros};

/// Macros and lookups.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// Search macros.
    pub macros: Macros,
    /// Lookups.
    pub lookups: Lookups,
}

impl spl::Knowledge for Knowledge {
    fn find_macro(&self, name: &str, arguments: usize) -> Option<spl::Macro> {
        self.macros.find(name, arguments).map(|found| spl::Macro {
            arguments: found.arguments.clone(),
            definition: found.definition.clone(),
            is_eval: found.is_eval,
        })
    }

    fn macro_names(&self) -> Vec<String> {
        self.macros.iter().map(|known| known.name.clone()).collect()
    }

    fn find_lookup(&self, name: &str) -> Option<spl::Lookup> {
        self.lookups.find(name)
    }
}
