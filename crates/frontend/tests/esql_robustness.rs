//! Nothing that anyone can write makes the front end panic or overflow its stack.

use std::sync::LazyLock;

use lurcher_diagnostics::{SourceFile, render};
use lurcher_frontend::esql::{Options, lower};
use lurcher_schema::Schemas;
use proptest::prelude::*;

fn survives(text: &str) {
    static SCHEMAS: LazyLock<std::sync::Arc<Schemas>> =
        LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));
    let lowered = lower(&SourceFile::new("any", text), &Options::default(), &SCHEMAS);
    for diagnostic in &lowered.diagnostics {
        render::text(diagnostic, false);
    }
    if let Some(body) = lowered.body {
        let _ = body.to_string();
    }
}

/// Pieces of queries, so that random sequences of them get far into the parser.
const PIECES: [&str; 76] = [
    "FROM logs-*",
    "ROW a = 1",
    "| WHERE",
    "| EVAL",
    "| STATS",
    "| INLINE STATS",
    "| KEEP",
    "| DROP",
    "| RENAME",
    "| SORT",
    "| LIMIT",
    "| DISSECT",
    "| GROK",
    "| MV_EXPAND",
    "| ENRICH",
    "| LOOKUP JOIN",
    "| COMPLETION",
    "|",
    "METADATA _id",
    "_source",
    "_ignored",
    "BY",
    "AS",
    "ON",
    "WITH",
    "a",
    "a.b",
    "`odd`",
    "*",
    "a*",
    "x",
    "@timestamp",
    "source.ip",
    "1",
    "2.5",
    "-",
    "+",
    "/",
    "%",
    "::",
    "integer",
    "string",
    "datetime",
    "\"text\"",
    "\"%{a} %{b}\"",
    "\"%{IP:x} (?<y>z)\"",
    "\"\"\"raw\"\"\"",
    "\"10.0.0.0/8\"",
    "true",
    "null",
    "[1, 2]",
    "(",
    ")",
    ",",
    "=",
    "==",
    "!=",
    "<",
    ">=",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "RLIKE",
    "IS NULL",
    ":",
    "5 minutes",
    "COUNT(*)",
    "SUM(a)",
    "CASE(",
    "COALESCE(",
    "DATE_TRUNC(1 day, @timestamp)",
    "MV_FIRST(",
    "KQL(\"a: b\")",
    "DESC NULLS LAST",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        survives(&text);
    }

    #[test]
    fn any_sequence_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..40)) {
        survives(&format!("FROM logs-* {}", pieces.join(" ")));
        survives(&pieces.join(" "));
    }
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("-", ""), ("ABS(", ")"), ("[", "]"), ("CASE(true, ", ")")] {
        for depth in [10, 100, 10_000] {
            survives(&format!("FROM x | WHERE {}a{}", open.repeat(depth), close.repeat(depth)));
        }
    }
}

#[test]
fn long_chains_are_read_or_refused() {
    for join in [" OR ", " AND ", " + ", "::string", " == ", ", ", " | EVAL b = ", " IN ("] {
        survives(&format!("FROM x | WHERE {}", vec!["a"; 3000].join(join)));
    }
    // Each column means the one before twice.
    let doubling = "| EVAL a = CONCAT(a, a) ".repeat(200);
    survives(&format!("FROM x | EVAL a = host.name {doubling}| WHERE a == \"x\""));
}
