//! Pieces of ES|QL, and texts of it that are deep or long.

use lurcher_frontend::Language;

use crate::survives;

pub(crate) const PIECES: &[&str] = &[
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
    "| LOOKUP JOIN t ON a >= x AND",
    "| LOOKUP JOIN t ON a == x",
    "| COMPLETION",
    "| COMPLETION x = a WITH { \"inference_id\": \"m\" }",
    "| DEDUP",
    "SET unmapped_fields = \"nullify\";",
    "SET time_zone = \"+18:00\";",
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

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("-", ""), ("ABS(", ")"), ("[", "]"), ("CASE(true, ", ")")] {
        for depth in [10, 100, 10_000] {
            survives(Language::Esql, &format!("FROM x | WHERE {}a{}", open.repeat(depth), close.repeat(depth)));
        }
    }
    for depth in [10, 100, 10_000] {
        let (open, close) = ("{\"a\": ".repeat(depth), "}".repeat(depth));
        survives(Language::Esql, &format!("SET a = {open}1{close}; FROM x | WHERE KQL(\"a\", {open}1{close})"));
    }
}

#[test]
fn long_chains_are_read_or_refused() {
    for join in [" OR ", " AND ", " + ", "::string", " == ", ", ", " | EVAL b = ", " IN ("] {
        survives(Language::Esql, &format!("FROM x | WHERE {}", vec!["a"; 3000].join(join)));
    }
    // Each column means the one before twice.
    let doubling = "| EVAL a = CONCAT(a, a) ".repeat(200);
    survives(Language::Esql, &format!("FROM x | EVAL a = host.name {doubling}| WHERE a == \"x\""));
}
