//! Pieces of EQL, and texts of it that are deep or long.

use lurcher_frontend::Language;

use crate::survives;

pub(crate) const PIECES: &[&str] = &[
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

#[test]
fn deep_nesting_is_refused_not_fatal() {
    for (open, close) in [("(", ")"), ("not ", ""), ("-", ""), ("length(", ")"), ("[", "]"), ("a : ", "")] {
        survives(Language::Eql, &format!("process where {}true{}", open.repeat(100_000), close.repeat(100_000)));
    }
    for joint in [" + ", " == ", " : ", " and ", " or ", ".", " in ("] {
        survives(Language::Eql, &format!("process where a{}", format!("{joint}a").repeat(100_000)));
    }
}
