//! Generated predicates and events, from small alphabets so that they meet.

use std::sync::Arc;

use lurcher_ir::{
    Bound, Case, Expr, FieldRef, Function, Near, Network, Phrase, Predicate, Quantifier, Regex, Rule, RuleBody,
    RuleMeta, Support, Tail, Test, Wildcard, Word, fold_text,
};
use lurcher_schema::{BatchBuilder, EventBatch, Origin, RawField, Shape, Taxonomy, Timestamp, Value};
use proptest::prelude::*;

const FIELDS: [&str; 4] = ["a", "b", "c.d", "e"];

/// One event: JSON texts of its fields.
pub(crate) type Document = Vec<(&'static str, String)>;

/// A rule that alerts on every event for which the predicate holds.
pub(crate) fn rule(id: &str, predicate: Predicate) -> Arc<Rule> {
    let meta = RuleMeta { id: id.into(), name: format!("Rule {id}"), ..RuleMeta::default() };
    let body = RuleBody { filters: vec![predicate], tail: Tail::Events { limits: Vec::new() } };
    Arc::new(Rule { meta, body: Some(body), support: Support::default() })
}

/// The documents in batches of at most so many rows; the record of each is its content's place in the list of all
/// documents sorted, so that it does not depend on the order.
pub(crate) fn batches(documents: &[Document], size: usize) -> Vec<EventBatch> {
    let mut sorted = documents.to_vec();
    sorted.sort();
    let shape = Shape::new([("dialect", "unknown")]);
    let origin = Origin::new("generated");
    documents
        .chunks(size)
        .enumerate()
        .map(|(chunk, rows)| {
            let mut builder = BatchBuilder::new(Arc::clone(&shape), Arc::clone(&origin));
            for (row, document) in rows.iter().enumerate() {
                let record = sorted.iter().position(|d| d == document).unwrap() as u64;
                let texts: Vec<(&str, Option<String>)> =
                    document.iter().map(|(name, json)| (*name, serde_json::from_str::<String>(json).ok())).collect();
                let fields = document.iter().zip(&texts).map(|((name, json), (_, text))| match text {
                    Some(text) => (*name, RawField::Text(text)),
                    None => (*name, RawField::Json(json)),
                });
                builder.push((chunk * size + row) as u64, record, None, fields);
            }
            builder.finish().unwrap()
        })
        .collect()
}

/// Up to twelve events.
pub(crate) fn documents() -> BoxedStrategy<Vec<Document>> {
    let fields = prop::collection::vec((prop::sample::select(&FIELDS[..]), value_json()), 0..5);
    let document = fields.prop_map(|mut fields| {
        fields.sort();
        fields.dedup_by_key(|(name, _)| *name);
        fields
    });
    prop::collection::vec(document, 1..12).boxed()
}

fn value_json() -> BoxedStrategy<String> {
    let single = prop_oneof![
        6 => text().prop_map(|text| serde_json::Value::from(text).to_string()),
        2 => number().prop_map(|number| number.to_json().to_string()),
        1 => any::<bool>().prop_map(|truth| truth.to_string()),
    ];
    prop_oneof![
        8 => single.clone(),
        2 => prop::collection::vec(single, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        1 => Just(r#"{"x":"ab"}"#.to_owned()),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[abAB\\\\.]{0,6}",
        "[abkKsS\u{212a}\u{17f}\u{130}éÉßΣσς]{0,5}",
        "(ab|AB|abc|cab|xyz){0,5}",
        "(ab|Ab|a|x_y|a\\.b|é|k\u{212a}|1|[ :.'-]){0,9}",
        prop::sample::select(vec![
            "1",
            "01",
            "1.0",
            "1e0",
            "-1",
            "+1",
            "9007199254740993",
            "true",
            "FALSE",
            "10.0.0.1",
            "::ffff:10.1.2.3",
            "fe80::1",
            "2026-01-02T03:04:05Z",
            "2026-01-02 03:04:05",
            "nan",
            "inf",
            "",
        ])
        .prop_map(str::to_owned),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<Value> {
    prop_oneof![
        (-2..3_i64).prop_map(Value::Int),
        Just(Value::Int(9_007_199_254_740_993)),
        Just(Value::Int(1_767_323_045_000)),
        prop::sample::select(vec![1.0, -0.0, 0.5, 9_007_199_254_740_992.0]).prop_map(Value::Float),
    ]
    .boxed()
}

fn case() -> BoxedStrategy<Case> {
    prop_oneof![Just(Case::Sensitive), Just(Case::Insensitive)].boxed()
}

fn literal() -> BoxedStrategy<Value> {
    prop_oneof![4 => text().prop_map(Value::text), 2 => number(), 1 => any::<bool>().prop_map(Value::Bool)].boxed()
}

fn bound() -> BoxedStrategy<Option<Bound>> {
    let ends = prop_oneof![
        number().prop_map(|value| (value, None)),
        text().prop_map(|text| (Value::text(text), None)),
        Just((Value::text("now"), Timestamp::parse("2026-01-02T03:04:05Z"))),
    ];
    prop::option::of((ends, any::<bool>()).prop_map(|((value, time), inclusive)| Bound { value, time, inclusive }))
        .boxed()
}

fn test() -> BoxedStrategy<Test> {
    let regexes = [
        "^ab",
        "(?i)abc|xyz$",
        "(?i)k+s",
        "a.b",
        "\\\\a",
        "(?i)é",
        "^$",
        "(ab){2}",
        "[ab]c?xyz",
        "(?i)(?:ab|cd)x",
        "(",
    ];
    prop_oneof![
        Just(Test::Exists),
        (literal(), case()).prop_map(|(value, case)| Test::Equals(value, case)),
        (prop::collection::vec(literal(), 0..4), case()).prop_map(|(values, case)| Test::OneOf(values.into(), case)),
        (text(), case()).prop_map(|(text, case)| Test::Prefix(text.into(), case)),
        (text(), case()).prop_map(|(text, case)| Test::Suffix(text.into(), case)),
        (text(), case()).prop_map(|(text, case)| Test::Contains(text.into(), case)),
        ("[abAB?*é\u{212a}]{0,6}", case()).prop_map(|(p, case)| Test::Wildcard(Wildcard::parse(&p), case)),
        ("[abAB?*]{0,6}", case()).prop_map(|(p, case)| Test::from_wildcard(Wildcard::parse(&p), case)),
        prop::sample::select(regexes.to_vec()).prop_map(|p| Test::Regex(Regex { pattern: p.into() })),
        prop::sample::select(vec!["10.0.0.0/8", "fe80::/10", "0.0.0.0/0"])
            .prop_map(|block| Test::InNetwork(Network::parse(block).into_iter().collect())),
        (bound(), bound()).prop_map(|(low, high)| Test::Range { low, high }),
        (0..5_u64, prop::option::of(0..8_u64)).prop_map(|(min, max)| Test::Length { min, max }),
        (prop::collection::vec(word(), 1..4), prop_oneof![3 => Just(0), 1 => 1..4_u32])
            .prop_map(|(words, slop)| Test::Phrase(Phrase { words: words.into(), slop })),
        Just(Test::Single),
        (text(), 0..3_u8, 0..2_u32).prop_map(|(text, edits, prefix)| Test::Near(near(&text, edits, prefix))),
    ]
    .boxed()
}

fn near(text: &str, edits: u8, prefix: u32) -> Near {
    Near { text: fold_text(text).into(), edits, prefix }
}

fn word() -> BoxedStrategy<Word> {
    let end = || prop::option::of(("[ab]{0,2}", any::<bool>()).prop_map(|(text, within)| (text.into(), within)));
    prop_oneof![
        6 => "(ab|a|x_y|a\\.b|é|kk|1)".prop_map(|text| Word::Is(text.into())),
        2 => "[ab?*éx]{1,4}".prop_map(|pattern| Word::Like(Wildcard::parse(&pattern))),
        1 => prop::sample::select(vec!["^ab?$", "b", "^(?:x.*|é)$", "x_"])
            .prop_map(|pattern| Word::Matches(Regex { pattern: pattern.into() })),
        1 => ("[ab]{1,3}", 0..3_u8, 0..2_u32).prop_map(|(text, edits, prefix)| Word::Near(near(&text, edits, prefix))),
        1 => (end(), end()).prop_map(|(low, high)| Word::Between { low, high }),
    ]
    .boxed()
}

fn field() -> BoxedStrategy<FieldRef> {
    prop_oneof![
        9 => prop::sample::select(&FIELDS[..]).prop_map(|name| FieldRef::new(Taxonomy::Raw, name)),
        1 => Just(FieldRef::new(Taxonomy::Ecs, "event.category")),
    ]
    .boxed()
}

fn holds() -> BoxedStrategy<Predicate> {
    let sides = (field(), field(), any::<bool>(), any::<bool>());
    sides
        .prop_map(|(a, b, whole, negated)| {
            let equal = Expr::call(Function::Equal(Case::Insensitive), [Expr::Field(a), Expr::Field(b)]);
            let expr = if negated { Expr::call(Function::Not, [equal]) } else { equal };
            Predicate::Holds { expr, fields: if whole { Quantifier::Whole } else { Quantifier::AnyValue } }
        })
        .boxed()
}

/// Predicates of up to four levels.
pub(crate) fn predicate() -> BoxedStrategy<Predicate> {
    let leaf = prop_oneof![
        12 => (field(), test()).prop_map(|(field, test)| Predicate::test(field, test)),
        2 => holds(),
        1 => any::<bool>().prop_map(Predicate::Constant),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Predicate::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Predicate::Any),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
    .boxed()
}
