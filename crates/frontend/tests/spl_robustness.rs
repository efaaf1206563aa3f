//! No text makes the front end of SPL panic, loop or exhaust the stack.

use std::sync::{Arc, LazyLock};

use lurcher_diagnostics::SourceFile;
use lurcher_frontend::spl::{Options, lower};
use lurcher_schema::Schemas;
use proptest::prelude::*;

static SCHEMAS: LazyLock<Arc<Schemas>> =
    LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));

fn survives(text: &str) {
    let lowered = lower(&SourceFile::new("query", text), &Options::default(), &SCHEMAS);
    for diagnostic in &lowered.diagnostics {
        for label in &diagnostic.labels {
            assert!(label.span.start <= label.span.end, "{diagnostic:?}");
        }
    }
}

/// Pieces of the language, to get past the first token.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
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
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(piece(), 0..40)) {
        survives(&pieces.join(" "));
        survives(&format!("a=1 | {}", pieces.join(" | ")));
        survives(&format!("a=1 | where {}", pieces.join(" ")));
    }
}

#[test]
fn deep_and_long_searches_end() {
    let many = 3_000;
    survives(&"(".repeat(many));
    survives(&"[".repeat(many));
    survives(&"[ search a=1 | append ".repeat(many));
    survives(&format!("{}a=1", "NOT ".repeat(many)));
    survives(&format!("x | where {}x{}", "(".repeat(many), ")".repeat(many)));
    survives(&format!("x | where {} x", "NOT ".repeat(many)));
    survives(&format!("x | eval a = x{}", " + x".repeat(many)));
    survives(&format!("x | eval a = x{}", " . x".repeat(many)));
    survives(&format!("x | eval a = {}x", "- ".repeat(many)));
    survives(&format!("x | where x{}", " = x".repeat(many)));
    survives(&vec!["a=1"; many].join(" OR "));
    survives(&format!("x {} | where a = 1", "| eval a = a + a ".repeat(60)));
    survives(&format!("x {} | where a = 1", "| eval a = lower(a) ".repeat(1_500)));
    survives(&"x | foreach a [ ".repeat(many));
    survives(&format!("x | where {}a{}", "if(".repeat(30), ", b, c)".repeat(30)));
}
