//! Nothing that anyone can write makes the front ends of KQL and Lucene panic or overflow their stack.

use std::sync::{Arc, LazyLock};

use lurcher_diagnostics::{SourceFile, render};
use lurcher_frontend::{Lowered, kql, lucene};
use lurcher_schema::Schemas;
use proptest::prelude::*;

static SCHEMAS: LazyLock<Arc<Schemas>> =
    LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));

fn shown(lowered: Lowered) {
    for diagnostic in &lowered.diagnostics {
        render::text(diagnostic, false);
    }
    if let Some(body) = lowered.body {
        let _ = body.to_string();
    }
}

fn survives(text: &str) {
    let file = SourceFile::new("any", text);
    shown(kql::lower(&file, &kql::Options::default(), &SCHEMAS));
    shown(lucene::lower(&file, &lucene::Options::default(), &SCHEMAS));
}

/// Pieces of queries, so that random sequences of them get far into the parsers.
const PIECES: [&str; 48] = [
    "process.name",
    "message",
    "source.ip",
    "process.pid",
    "@timestamp",
    "a.*",
    "_exists_",
    "*",
    ":",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    " ",
    "and ",
    " or ",
    "not ",
    "AND ",
    " OR ",
    "NOT ",
    "&&",
    "||",
    "!",
    "+",
    "-",
    "<",
    ">=",
    "\"a b\"",
    "\"",
    "\\",
    "\\u00e9",
    "\\u12",
    "/a.*b/",
    "/",
    "~",
    "~2",
    "^2",
    "^",
    " TO ",
    "now-1d",
    "2026-01||+1x",
    "10.0.0.0/8",
    "null",
    "true",
    "é",
    "x*y?z",
];

proptest! {
    #[test]
    fn any_text(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn any_sequence_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..24)) {
        survives(&pieces.concat());
    }
}

#[test]
fn deep_nesting_is_refused_not_fatal() {
    for open in ["(", "not ", "NOT ", "a: (", "a: {", "a:(", "-", "!", "a: (not "] {
        survives(&format!("{}x", open.repeat(50_000)));
    }
    for joint in [" and ", " or ", " AND ", " "] {
        survives(&format!("a:b{}", format!("{joint}a:b").repeat(5_000)));
    }
}
