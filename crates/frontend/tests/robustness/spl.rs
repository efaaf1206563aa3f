//! Pieces of SPL, and texts of it that are deep or long.

use lurcher_frontend::Language;

use crate::survives;

pub(crate) const PIECES: &[&str] = &[
    "search",
    "|",
    "a=1",
    "b!=\"x*\"",
    "c IN (1, 2)",
    "NOT",
    "OR",
    "AND",
    "(",
    ")",
    "[",
    "]",
    "eval",
    "x",
    "=",
    ",",
    "where",
    "match(x, \"(a\")",
    "like(x, \"%\")",
    "if(x=1, 2, 3)",
    "stats count by x",
    "stats values(*) as *",
    "tstats count from datamodel=Web by Web.url span=1h",
    "fields - x*",
    "table *",
    "rename a* as b*",
    "join x [",
    "append [",
    "foreach a* [ eval <<FIELD>>=1 ]",
    "foreach x [",
    "rex field=x \"(?<n>.)\"",
    "rex mode=sed field=x \"s/a/b/g\"",
    "`m`",
    "```",
    "\"",
    "'q'",
    "\\",
    "spath input=x",
    "mvexpand x",
    "transaction x maxspan=5m",
    "map search=\"search a=$x$\"",
    "map search=\"$x$ | head $y$ | where z=$$z$$\"",
    "earliest=-1d@d",
    "latest=$x$",
    "multikv fields a filter \"b",
    "format \"(\" \"[\"",
    "iplocation prefix=p x",
    "timechart count by x",
    "top 5 x by y",
    "sort -x",
    "head 3",
    "dedup x",
    "convert ctime(x)",
    "bin span=5m _time",
    "lookup l a OUTPUT b",
    "inputlookup t",
    "return 5 $x",
    "mvmap(x, x+1)",
    "mvfilter(match(x, \"a\"))",
    "-",
    "+",
    ".",
    "1",
];

#[test]
fn deep_and_long_searches_end() {
    let many = 3_000;
    survives(Language::Spl, &"(".repeat(many));
    survives(Language::Spl, &"[".repeat(many));
    survives(Language::Spl, &"[ search a=1 | append ".repeat(many));
    survives(Language::Spl, &format!("{}a=1", "NOT ".repeat(many)));
    survives(Language::Spl, &format!("x | where {}x{}", "(".repeat(many), ")".repeat(many)));
    survives(Language::Spl, &format!("x | where {} x", "NOT ".repeat(many)));
    survives(Language::Spl, &format!("x | eval a = x{}", " + x".repeat(many)));
    survives(Language::Spl, &format!("x | eval a = x{}", " . x".repeat(many)));
    survives(Language::Spl, &format!("x | eval a = {}x", "- ".repeat(many)));
    survives(Language::Spl, &format!("x | where x{}", " = x".repeat(many)));
    survives(Language::Spl, &vec!["a=1"; many].join(" OR "));
    survives(Language::Spl, &format!("x {} | where a = 1", "| eval a = a + a ".repeat(60)));
    survives(Language::Spl, &format!("x {} | where a = 1", "| eval a = lower(a) ".repeat(1_500)));
    survives(Language::Spl, &"x | foreach a [ ".repeat(many));
    survives(Language::Spl, &format!("x | where {}a{}", "if(".repeat(30), ", b, c)".repeat(30)));
}
