//! Markdown specs: prose, a query, events, and what must come out.
//!
//! A case begins at a `## ` heading and has fenced blocks:
//!
//! | fence | what |
//! |---|---|
//! | `eql`, `kql`, `lucene`, `spl2` … | the query |
//! | `events` | one JSON event a line, numbered from 1 |
//! | `matches` | one match a line: the numbers of its events, `-` for an absent one |
//! | `rows` | one JSON object a line: columns that the row must have, optionally ` <- 1 2` for the events behind it |
//! | `rows in order` | the same, and the rows must come in this order |
//! | `placeholders` | Sigma: `NAME=VALUE`, a line each |
//! | `pipeline` | Sigma: a processing pipeline |
//! | `model` | ES|QL: an inference endpoint by name, and at most so many rows; it answers in capitals, but nothing to `silence` |
//! | `budget` | how many bytes of waiting events may be kept in memory; the rest goes to a file |
//! | `transforms` | SPL: stanzas of `transforms.conf`, the lookups that the query may name |
//! | `table NAME.csv` | SPL: a file that lookups are made of; `table NAME.onnx`: a model, in the form of `weights.rs` |
//! | `written NAME.csv` | SPL: what that file holds afterwards, where the query writes it; beside what must come out |
//! | `unwritten` | SPL: files that are not there afterwards, a name a line |
//! | `reasons` | why the rule runs less than exactly: `VERDICT CODE`, a line each; beside what must come out |
//! | `diagnostics` | the diagnostics as rendered for a terminal without colour |

use lurcher_frontend::Language;

/// One case of a spec file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The heading.
    pub name: String,
    /// The 1-based line of the heading.
    pub line: usize,
    /// The language of the query.
    pub language: String,
    /// The query.
    pub query: String,
    /// The events, one JSON document a line.
    pub events: String,
    /// Values of Sigma's placeholders.
    pub placeholders: Vec<(String, String)>,
    /// A processing pipeline of Sigma; may be empty.
    pub pipeline: String,
    /// The name of an inference endpoint, and how many rows it is asked about at most.
    pub model: Option<(String, u64)>,
    /// How many bytes of waiting events may be kept in memory.
    pub budget: Option<u64>,
    /// Stanzas of `transforms.conf`; may be empty.
    pub transforms: String,
    /// Files of tables, by name.
    pub tables: Vec<(String, String)>,
    /// What files of tables hold afterwards, by name; `None`: there is no such file.
    pub written: Vec<(String, Option<String>)>,
    /// Why the rule runs less than exactly, if that is said.
    pub reasons: Option<Vec<String>>,
    /// What must come out.
    pub expected: Option<Expected>,
}

/// What must come out of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// These matches, a line each.
    Matches(Vec<String>),
    /// These rows, a line each.
    Rows(Vec<String>),
    /// These rows, a line each, in this order.
    RowsInOrder(Vec<String>),
    /// These diagnostics.
    Diagnostics(String),
}

/// The cases of a spec file, or what is wrong with it, with the line.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("## ") {
            cases.push(Case { name: name.trim().to_owned(), line: number + 1, ..Case::default() });
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
        let Some(case) = cases.last_mut() else { continue };
        let filled = |body: &[&str]| -> Vec<String> {
            body.iter().filter(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned()).collect()
        };
        match kind.trim() {
            language if Language::from_name(language).is_some() => {
                kind.trim().clone_into(&mut case.language);
                case.query = body.join("\n");
            }
            "events" => case.events = body.join("\n"),
            "placeholders" => {
                let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
                case.placeholders = filled(&body).into_iter().filter_map(pair).collect();
            }
            "transforms" => case.transforms = body.join("\n"),
            "unwritten" => case.written.extend(filled(&body).into_iter().map(|name| (name, None))),
            "pipeline" => case.pipeline = body.join("\n"),
            "model" => {
                let lines = filled(&body);
                let most = lines.get(1).and_then(|most| most.parse().ok()).unwrap_or(u64::MAX);
                case.model = lines.into_iter().next().map(|name| (name, most));
            }
            "budget" => case.budget = body.join("").trim().parse().ok(),
            "reasons" => case.reasons = Some(filled(&body)),
            "matches" => case.expected = Some(Expected::Matches(filled(&body))),
            "rows" => case.expected = Some(Expected::Rows(filled(&body))),
            "rows in order" => case.expected = Some(Expected::RowsInOrder(filled(&body))),
            "diagnostics" => case.expected = Some(Expected::Diagnostics(body.join("\n"))),
            "" | "text" => {}
            other => match other.split_once(' ') {
                Some(("table", name)) => case.tables.push((name.to_owned(), body.join("\n"))),
                Some(("written", name)) => case.written.push((name.to_owned(), Some(body.join("\n")))),
                _ => return Err(format!("line {}: no fence is called `{other}`", number + 1)),
            },
        }
    }
    match cases.iter().find(|case| case.query.is_empty() || case.expected.is_none()) {
        Some(case) => Err(format!("line {}: `{}` needs a query and what must come out", case.line, case.name)),
        None => Ok(cases),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_a_heading_and_its_fences() {
        let cases =
            parse("# T\n\nprose\n\n## One\n\n```eql\nany where true\n```\n```events\n{}\n```\n```matches\n1\n```\n")
                .unwrap();
        assert_eq!(cases.len(), 1);
        assert_eq!((cases[0].name.as_str(), cases[0].line), ("One", 5));
        assert_eq!(cases[0].expected, Some(Expected::Matches(vec!["1".into()])));
    }

    #[test]
    fn a_case_without_an_expectation_is_refused() {
        assert_eq!(
            parse("## One\n```eql\nx\n```\n").unwrap_err(),
            "line 1: `One` needs a query and what must come out"
        );
    }
}
