//! Rules' tests: the three forms in which they are written, brought to one.
//!
//! | form | where it stands | module |
//! |---|---|---|
//! | Splunk's | `tests:` in a detection, or a file of its own that names the detection | `splunk` |
//! | SigmaHQ's | `regression_data/**/info.yml` | `sigma` |
//! | Lurcher's | `NAME.test.yml` beside the rule, or any YAML file with `cases:` | `own` |
//!
//! Nothing here looks for data or runs anything: a [`TestCase`] says which rule, which events and what must come of
//! them. `docs/testing-rules.md` describes the forms for users.

mod own;
mod sigma;
mod splunk;

use std::{path::PathBuf, sync::Arc};

use lurcher_diagnostics::{Diagnostic, SourceFile};
use lurcher_ir::Rule;
use lurcher_schema::Value;

use crate::{recognise::TestForm, yaml};

/// One test of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// The rule that it is a test of.
    pub rule: RuleName,
    /// Its name; unique within its file only if its author made it so.
    pub name: String,
    /// The file that it stands in, as given.
    pub path: String,
    /// The 1-based line in that file.
    pub line: u32,
    /// `splunk`, `sigma` or `lurcher`.
    pub form: &'static str,
    /// The events, all together.
    pub data: Vec<TestData>,
    /// What must come of them.
    pub expected: Expected,
    /// Whether it is to be run.
    pub mark: Mark,
    /// The rule sees every event, not only those of the sources that it names.
    pub any_source: bool,
}

/// How a test names its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleName {
    /// By its publisher's id, its name, or the end of its path.
    Is(String),
    /// By file: the rules in this file.
    File(PathBuf),
    /// The rule whose file has this path but for its extension.
    Beside(PathBuf),
}

/// Where a test's events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestData {
    /// They stand in the test: JSON lines, event XML, CSV, anything that readers know.
    Inline(String),
    /// A file, or of one only some records (the numbers that alerts name events by).
    File {
        /// The path, resolved against the test's file.
        path: PathBuf,
        /// The records that are meant; empty: all.
        records: Vec<u64>,
    },
    /// A file that is published elsewhere and looked for in a local folder by the end of its address.
    Published {
        /// Its address.
        url: String,
        /// Where its publisher says that it comes from; may be empty.
        source: String,
        /// The publisher's word for its format; may be empty.
        sourcetype: String,
    },
}

/// What must come of a test's events. An empty one wants nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// At least so many alerts.
    pub min: u64,
    /// At most so many; `None`: any number.
    pub max: Option<u64>,
    /// The alerts, in any order: for each description another alert.
    pub alerts: Vec<Vec<(String, Value)>>,
    /// What every alert must have: a field and its value; null stands for any value.
    pub fields: Vec<(String, Value)>,
    /// The rule's risk and threat objects must be filled, as Splunk's own tests want it.
    pub objects_filled: bool,
}

/// Whether a test is to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Yes.
    #[default]
    Run,
    /// Yes, but it is known to fail, for this reason.
    Pending(String),
    /// No, for this reason.
    Skip(String),
}

impl Expected {
    /// At least so many alerts.
    pub fn at_least(min: u64) -> Self {
        Self { min, ..Self::default() }
    }
}

/// The tests in a file that the loader kept as one. A file that cannot be read yields its diagnostics.
pub(crate) fn of_file(file: &Arc<SourceFile>, form: TestForm) -> (Vec<TestCase>, Vec<Diagnostic>) {
    let documents = match yaml::documents(file) {
        Ok(documents) => documents,
        Err(fault) => return (Vec::new(), vec![*fault]),
    };
    let mut diagnostics = Vec::new();
    let mut cases = Vec::new();
    for document in &documents {
        cases.extend(match form {
            TestForm::Splunk => splunk::of_file(file, document),
            TestForm::Sigma => sigma::of_file(file, document),
            TestForm::Lurcher => own::of_file(file, document, &mut diagnostics),
        });
    }
    (cases, diagnostics)
}

/// The tests that stand in a rule's own file.
pub(crate) fn of_rule(rule: &Rule) -> Vec<TestCase> {
    splunk::of_rule(rule)
}
