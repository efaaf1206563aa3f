//! The one place that knows which front end reads which language.
//!
//! Rule files, queries typed on the command line and specs all come through [`Language::lower`]. A new language gets a
//! variant here and its call in `lower`; nothing else has to learn of it. What a language *means* is not here but in
//! its own folder.

use std::{fmt, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile};
use lurcher_schema::{Schemas, Timestamp};

use crate::{Lowered, eql, esql, kql, lucene, sigma, spl, spl2};

/// A language that rules are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Elastic's Event Query Language.
    Eql,
    /// Kibana Query Language; rule files call it `kuery`.
    Kql,
    /// Lucene's query string syntax.
    Lucene,
    /// Elastic's piped Elasticsearch Query Language.
    Esql,
    /// Splunk's Search Processing Language.
    Spl,
    /// Its second version.
    Spl2,
    /// Sigma's detections and correlations, YAML.
    Sigma,
}

/// What a query leaves to whoever runs it. A front end takes what concerns it; the defaults are those of its language.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The field that EQL's word before `where` is compared with; `None`: `event.category`.
    pub category_field: Option<String>,
    /// At most so many of EQL's samples for one set of join keys; `None`: one.
    pub samples_per_key: Option<usize>,
    /// What `now` means where a query is brought to the IR. Without it, an EQL query that says `now` cannot run.
    pub now: Option<Timestamp>,
    /// The query was typed to be answered, not published as a rule: it needs no sink for its findings.
    pub ad_hoc: bool,
    /// A condition of the user's own, in the query's language: see [`spl2::Options::filter`].
    pub filter: Option<Arc<SourceFile>>,
    /// What a site says about Sigma rules.
    pub sigma: sigma::Options,
    /// Facts of the rule that the query's text leaves out: see [`spl2::Finding`].
    pub finding: spl2::Finding,
    /// The tables of the run: their columns in order, with the types that their headers declare, if any.
    pub tables: esql::Tables,
    /// The inference endpoints of the run: see [`esql::Endpoints`].
    pub endpoints: esql::Endpoints,
    /// Macros and lookups that an SPL search may name; `None`: none but those that are taken for granted.
    pub knowledge: Option<Arc<dyn spl::Knowledge>>,
    /// The fields that an alert will ask for: see [`spl::Options::wanted`].
    pub wanted: Vec<String>,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Eql, Self::Kql, Self::Lucene, Self::Esql, Self::Spl, Self::Spl2, Self::Sigma];

    /// The name that rule files use, as in [`lurcher_ir::RuleMeta::language`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Eql => "eql",
            Self::Kql => "kuery",
            Self::Lucene => "lucene",
            Self::Esql => "esql",
            Self::Spl => "spl",
            Self::Spl2 => "spl2",
            Self::Sigma => "sigma",
        }
    }

    /// The name that people use.
    pub fn title(self) -> &'static str {
        match self {
            Self::Eql => "EQL",
            Self::Kql => "KQL",
            Self::Lucene => "Lucene",
            Self::Esql => "ES|QL",
            Self::Spl => "SPL",
            Self::Spl2 => "SPL2",
            Self::Sigma => "Sigma",
        }
    }

    /// The language of either name, whatever the case (`kuery`, `KQL`, `es|ql`).
    pub fn from_name(name: &str) -> Option<Self> {
        let same = |known: &str| known.eq_ignore_ascii_case(name.trim());
        Self::ALL.into_iter().find(|language| same(language.name()) || same(language.title()))
    }

    /// Reads a query and brings it to the IR. Never fails as a whole: what is wrong stands in the result.
    pub fn lower(self, file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Lowered {
        match self {
            Self::Eql => {
                let mut own = eql::Options { now: options.now, ..eql::Options::default() };
                own.category_field = options.category_field.clone().unwrap_or(own.category_field);
                own.samples_per_key = options.samples_per_key.unwrap_or(own.samples_per_key);
                eql::lower(file, &own, schemas)
            }
            Self::Spl2 => {
                let own = spl2::Options { filter: options.filter.clone(), finding: options.finding.clone() };
                let mut lowered = spl2::lower(file, &own, schemas);
                if options.ad_hoc {
                    let missing = |d: &Diagnostic| d.code == "spl2-missing-into" && d.level == Level::Warning;
                    lowered.diagnostics.retain(|diagnostic| !missing(diagnostic));
                }
                lowered
            }
            Self::Kql => kql::lower(file, &kql::Options { now: options.now, ..kql::Options::default() }, schemas),
            Self::Lucene => {
                lucene::lower(file, &lucene::Options { now: options.now, ..lucene::Options::default() }, schemas)
            }
            Self::Sigma => sigma::lower(file, &options.sigma),
            Self::Esql => {
                let own = esql::Options {
                    ad_hoc: options.ad_hoc,
                    now: options.now,
                    tables: options.tables.clone(),
                    endpoints: options.endpoints.clone(),
                    knows_places: options.knowledge.as_ref().is_some_and(|known| known.knows_places()),
                    ..esql::Options::default()
                };
                esql::lower(file, &own, schemas)
            }
            Self::Spl => {
                let mut own = spl::Options { wanted: &options.wanted, ..spl::Options::default() };
                if let Some(knowledge) = &options.knowledge {
                    own.knowledge = knowledge.as_ref();
                    own.shared = Some(knowledge);
                }
                spl::lower(file, &own, schemas)
            }
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_both_its_names() {
        for language in Language::ALL {
            assert_eq!(Language::from_name(language.name()), Some(language));
            assert_eq!(Language::from_name(&language.title().to_lowercase()), Some(language));
        }
        assert_eq!(Language::from_name("kql"), Some(Language::Kql));
        assert_eq!(Language::from_name("cobol"), None);
    }
}
