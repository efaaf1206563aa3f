//! Pieces of SPL2, and texts of it that are deep or long.

use lurcher_frontend::Language;

use crate::survives;

pub(crate) const PIECES: &[&str] = &[
    "from source",
    "from read_ssa_enriched_events()",
    "|",
    ";",
    "$a = ",
    "$a",
    "union $a",
    "eval",
    "x",
    "=",
    ",",
    "where",
    "AND",
    "OR",
    "NOT",
    "XOR",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"k\":",
    "/a/",
    "match(x, /(a/)",
    "like(x, \"%\")",
    "IS NULL",
    "IN",
    "null",
    "1",
    "-",
    "+",
    "10m",
    "stats count() as n by x, span(time, 10m)",
    "fields x",
    "select x",
    "rename x as y",
    "rex field=x \"(?<n>.)\"",
    "first_time_event input_columns=[\"x\"]",
    "into sink",
    "thru sink",
    "--finding_report--",
    "--body--",
    "branch [",
    "expand x",
    "flatten x",
    "dedup x",
    "head 1",
    "sort -x",
    "\"${x}\"",
    "if(x, 1, 2)",
    ".y",
    "map_get(input_event, \"a\")",
    "ucast(x, \"string\", null)",
    "BETWEEN 1 AND 2",
    "//",
    "/*",
    "'q'",
    "\"",
    "`",
    "for_each(iterator(x, \"i\"), i)",
];

#[test]
fn deep_and_long_queries_end() {
    let many = 3_000;
    survives(Language::Spl2, &"(".repeat(many));
    survives(Language::Spl2, &format!("from source | where {}x{}", "(".repeat(many), ")".repeat(many)));
    survives(Language::Spl2, &format!("from source | where {} x", "not ".repeat(many)));
    survives(Language::Spl2, &format!("from source | eval a = x{} | into sink", " + x".repeat(many)));
    survives(Language::Spl2, &format!("from source | eval a = x{} | into sink", ".y".repeat(many)));
    survives(Language::Spl2, &format!("from source | where x{} | into sink", " xor x".repeat(100)));
    survives(Language::Spl2, &format!("from source | where {} | into sink", vec!["a = 1"; many].join(" or ")));
    // A value that doubles with each step, and one that grows.
    survives(
        Language::Spl2,
        &format!("from source | eval a = x {} | where a = 1 | into sink", "| eval a = a + a ".repeat(60)),
    );
    survives(
        Language::Spl2,
        &format!("from source | eval a = x {} | where a = 1 | into sink", "| eval a = lower(a) ".repeat(2_000)),
    );
    // A union that doubles with each step.
    let doubling: Vec<_> = (1..40).map(|n| format!("$v{n} = from $v{} | union $v{};", n - 1, n - 1)).collect();
    let doubling = doubling.concat();
    survives(Language::Spl2, &format!("$v0 = from source; {doubling} from $v39 | into sink"));
    // Conditions whose truth and falsity are both needed.
    survives(Language::Spl2, &format!("from source | where {}a{}", "(a and (".repeat(30), ") is null)".repeat(30)));
    survives(Language::Spl2, &format!("from source | where {}a{}", "if(".repeat(30), ", b, c)".repeat(30)));
    survives(Language::Spl2, &"branch [from source | ".repeat(many));
}
