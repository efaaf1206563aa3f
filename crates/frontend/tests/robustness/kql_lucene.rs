//! Pieces of KQL and Lucene, and texts of it that are deep or long.

use lurcher_frontend::Language;

use crate::survives;

pub(crate) const PIECES: &[&str] = &[
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

fn both(text: &str) {
    survives(Language::Kql, text);
    survives(Language::Lucene, text);
}

#[test]
fn deep_nesting_is_refused_not_fatal() {
    for open in ["(", "not ", "NOT ", "a: (", "a: {", "a:(", "-", "!", "a: (not "] {
        both(&format!("{}x", open.repeat(50_000)));
    }
    for joint in [" and ", " or ", " AND ", " "] {
        both(&format!("a:b{}", format!("{joint}a:b").repeat(5_000)));
    }
}
