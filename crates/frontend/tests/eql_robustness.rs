//! Nothing that anyone can write makes the front end panic or overflow its stack.

use std::sync::LazyLock;

use lurcher_diagnostics::{SourceFile, render};
use lurcher_frontend::eql::{Options, lower};
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
const PIECES: [&str; 62] = [
    "sequence",
    "sample",
    "process",
    "any",
    "where",
    "by",
    "with",
    "maxspan",
    "=",
    "5",
    "m",
    "runs",
    "until",
    "[",
    "]",
    "![",
    "(",
    ")",
    ",",
    "|",
    "head",
    "tail",
    "and",
    "or",
    "not",
    "in",
    "in~",
    "like",
    "like~",
    "regex",
    "regex~",
    ":",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "null",
    "true",
    "\"a*\"",
    "\"\"\"b\"\"\"",
    "1.5",
    "?",
    "a.b",
    "process.pid",
    "source.ip",
    "@timestamp",
    "length(",
    "between(",
    "cidrMatch(",
    "startsWith~(",
    "\"10.0.0.0/8\"",
    "\"now-1d\"",
    "`q`",
    "'s'",
    "/*",
    "//",
    "\n",
];

proptest! {
    #[test]
    fn any_text(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn any_sequence_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..40)) {
        survives(&format!("process where {}", pieces.join(" ")));
        survives(&pieces.join(" "));
    }
}

#[test]
fn deep_nesting_is_refused_not_fatal() {
    for (open, close) in [("(", ")"), ("not ", ""), ("-", ""), ("length(", ")"), ("[", "]"), ("a : ", "")] {
        survives(&format!("process where {}true{}", open.repeat(100_000), close.repeat(100_000)));
    }
    for joint in [" + ", " == ", " : ", " and ", " or ", ".", " in ("] {
        survives(&format!("process where a{}", format!("{joint}a").repeat(100_000)));
    }
}
