//! Every function by examples: what it yields, what null does, where positions are counted from.

use lurcher_ir::{Case, Network, Regex, ValueType, Wildcard};
use serde_json::json;

use super::*;

/// An event of named fields; columns begin with `$`.
struct Fields(serde_json::Value);

impl Row for Fields {
    fn field(&mut self, field: &FieldRef) -> Value {
        Value::from_json(&self.0[field.path.as_str()])
    }
    fn event(&mut self, _taxonomy: Taxonomy) -> Value {
        Value::from_json(&self.0)
    }
    fn column(&mut self, name: &str) -> Value {
        Value::from_json(&self.0[format!("${name}")])
    }
}

const NOW: Timestamp = Timestamp(1_700_000_000_123_456);

fn field(name: &str) -> Expr {
    Expr::Field(FieldRef::new(Taxonomy::Ecs, name))
}

fn literal(json: &serde_json::Value) -> Expr {
    Expr::Literal(Value::from_json(json))
}

fn evaluate(expr: &Expr) -> Value {
    CompiledExpr::new(expr).evaluate(&mut Fields(json!({})), NOW)
}

/// Checks a function against rows of `[arguments, result]`.
#[track_caller]
fn table(function: &Function, rows: serde_json::Value) {
    let serde_json::Value::Array(rows) = rows else { panic!("a table is an array") };
    for row in rows {
        let arguments = row[0].as_array().expect("arguments are an array").iter().map(literal);
        let found = evaluate(&Expr::call(function.clone(), arguments));
        assert_eq!(found.to_json(), row[1], "{function:?} of {}", row[0]);
    }
}

#[test]
fn truth_is_three_valued() {
    table(
        &Function::And,
        json!([[[true, true], true], [[true, null], null], [[false, null], false], [[null, false], false], [[], true]]),
    );
    table(&Function::Or, json!([[[false, false], false], [[null, false], null], [[null, true], true], [[], false]]));
    table(&Function::Not, json!([[[true], false], [[null], null], [["x"], null], [["FALSE"], true]]));
    table(&Function::IsNull, json!([[[null], true], [[[]], true], [[""], false], [[false], false]]));
}

#[test]
fn equality_is_of_numbers_texts_booleans_and_members() {
    table(
        &Function::Equal(Case::Sensitive),
        json!([
            [[1, 1.0], true],
            [["1", 1], true],
            [["1.0", 1], true],
            [["0x1", 1], false],
            [["nan", 1], false],
            [["1", "1.0"], false],
            [["a", "A"], false],
            [["TRUE", true], true],
            [[1, true], false],
            [[null, null], null],
            [["a", null], null],
            [[[1, null], ["1", null]], true],
            [[[1], [1, 2]], false],
            [[{"a": 1, "b": 2}, {"b": 2, "a": "1"}], true],
            [[9_007_199_254_740_993_i64, 9_007_199_254_740_992_i64], false],
        ]),
    );
    table(&Function::Equal(Case::Insensitive), json!([[["Straße", "STRAßE"], true], [["É", "é"], true]]));
    table(
        &Function::In(Case::Sensitive),
        json!([
            [["a", "b", "a"], true],
            [["a", ["b", "a"]], true],
            [["a", "b", null], null],
            [["b", "b", null], true],
            [["a", "b"], false],
            [[null, "a"], null],
            [[80, "80"], true],
        ]),
    );
}

#[test]
fn order_is_of_numbers_or_of_bytes() {
    table(
        &Function::Less,
        json!([
            [[1, 2], true],
            [["10", "9"], true],
            [["10", 9], false],
            [["x", 9], null],
            [[null, 1], null],
            [[true, 2], null]
        ]),
    );
    table(&Function::LessOrEqual, json!([[[2, 2.0], true], [["Z", "a"], true]]));
}

#[test]
fn arithmetic_stays_whole_where_it_can() {
    table(
        &Function::Add,
        json!([
            [[1, 2], 3],
            [[1, 2.5], 3.5],
            [[i64::MAX, 1], 9.223_372_036_854_776e18],
            [["1", 2], null],
            [[1, null], null]
        ]),
    );
    table(&Function::AddOrConcat, json!([[[1, 2], 3], [["a", 2], "a2"], [[1.5, "b"], "1.5b"], [["a", null], null]]));
    table(&Function::Subtract, json!([[[1, 2], -1], [[null, 2], null]]));
    table(&Function::Multiply, json!([[[3, 2], 6], [[3, 0.5], 1.5]]));
    table(
        &Function::DivideTruncating,
        json!([[[7, 2], 3], [[-7, 2], -3], [[7.0, 2], 3.5], [[7, 0], null], [[7.0, 0], null]]),
    );
    table(&Function::Divide, json!([[[7, 2], 3.5], [[4, 2], 2.0], [[7, 0], null]]));
    table(&Function::Modulo, json!([[[7, 3], 1], [[-7, 3], -1], [[7, -3], 1], [[7, 0], null], [[i64::MIN, -1], 0]]));
    table(&Function::Negate, json!([[[3], -3], [[-0.5], 0.5], [[i64::MIN], 9.223_372_036_854_776e18]]));
    table(&Function::Log, json!([[[1000], 3.0], [[8, 2], 3.0], [[0], null], [[-1], null], [[8, 1], null]]));
}

#[test]
fn texts_are_joined_measured_and_cut() {
    table(&Function::Concat, json!([[["a", 1, 42.5, true], "a142.5true"], [["a", null], null], [[], ""]]));
    table(&Function::ConcatLenient, json!([[["a", null, 1], "a1"], [[null], ""]]));
    table(&Function::LengthUtf16, json!([[["añ😀"], 4], [[""], 0], [[1234], 4], [[null], null]]));
    table(&Function::Length, json!([[["añ😀"], 3], [[[1, 2, null]], 3], [[null], null]]));
    table(&Function::Lower, json!([[["ÀB"], "àb"], [[null], null], [[["A"]], null]]));
    table(&Function::Upper, json!([[["àb"], "ÀB"]]));
    table(&Function::Trim, json!([[[" a b\t"], "a b"]]));
    table(
        &Function::Slice,
        json!([
            [["hello", 1], "ello"],
            [["hello", 1, 3], "el"],
            [["hello", -3], "llo"],
            [["hello", -3, -1], "ll"],
            [["hello", 3, 1], ""],
            [["hello", -50, 50], "hello"],
            [["hello", 50], ""],
            [["a😀b", 3], "b"],
            [[null, 1], null],
            [["a", null], null],
        ]),
    );
    table(
        &Function::Substring,
        json!([
            [["hello", 1, 2], "he"],
            [["hello", 0, 2], "he"],
            [["hello", -2], "lo"],
            [["hello", -2, 1], "l"],
            [["hello", 9], ""],
            [["a😀b", 3], "b"],
            [["hello", 1, -1], null],
        ]),
    );
}

#[test]
fn parts_of_texts_are_found() {
    table(
        &Function::IndexOf(Case::Sensitive),
        json!([
            [["subdomain.com", "."], 9],
            [["a.b.c", ".", 2], 3],
            [["a.b.c", ".", -7], 1],
            [["a😀b", "b"], 3],
            [["abc", "x"], null],
            [["abc", "", 2], 2],
            [["abc", ""], 0],
            [["abc", "", 3], 3],
            [["abc", "", 4], null],
            [["abc", "a", null], null],
            [["abc", "B"], null],
        ]),
    );
    table(&Function::IndexOf(Case::Insensitive), json!([[["abc", "B"], 1]]));
    let between = |case, greedy| Function::Between { case, greedy };
    table(
        &between(Case::Sensitive, false),
        json!([
            [["welcome to event query language", " ", " "], "to"],
            [["abc", "a", "z"], null],
            [["abc", "z", "c"], null],
            [["aa", "a", "a"], ""],
            [["AxB", "a", "b"], null],
            [[null, "a", "b"], null],
            [["a-b-c", "a", "-", true], "-b"],
        ]),
    );
    table(&between(Case::Sensitive, true), json!([[["welcome to event query", " ", " "], "to event"]]));
    table(&between(Case::Insensitive, false), json!([[["ÄxxÖ", "ä", "ö"], "xx"]]));
    table(
        &Function::StartsWith(Case::Sensitive),
        json!([[["abc", "ab"], true], [["abc", ""], true], [["abc", "AB"], false], [["abc", null], null]]),
    );
    table(&Function::StartsWith(Case::Insensitive), json!([[["abc", "AB"], true], [["ÀX", "à"], true]]));
    table(&Function::EndsWith(Case::Sensitive), json!([[["abc", "bc"], true], [["", "bc"], false], [[123, 3], true]]));
    table(
        &Function::ContainsNonEmpty(Case::Sensitive),
        json!([[["abc", "b"], true], [["abc", ""], false], [["", ""], false], [[null, ""], null]]),
    );
}

#[test]
fn patterns_match_whole_texts_and_expressions_parts_of_them() {
    let like = |pattern: &str, case| Function::Like(Wildcard::parse(pattern), case);
    table(
        &like("a*b?c*", Case::Sensitive),
        json!([
            [["axxbyc"], true],
            [["abbyc-more"], true],
            [["abc"], false],
            [["Abyc"], false],
            [["a\nbyc"], true],
            [[null], null]
        ]),
    );
    table(&like("*AB*ab", Case::Insensitive), json!([[["xxabab"], true], [["abxAB"], true], [["ab"], false]]));
    table(&like("*aab", Case::Sensitive), json!([[["aaaab"], true], [["aaaba"], false]]));
    table(&like("?", Case::Sensitive), json!([[["😀"], true], [[""], false], [[7], true]]));
    table(&like("", Case::Sensitive), json!([[[""], true], [["a"], false]]));

    let regex = |pattern: &str| Regex { pattern: pattern.into() };
    table(&Function::Matches(regex("b+")), json!([[["abbc"], true], [["ac"], false], [[null], null]]));
    table(&Function::Matches(regex("(")), json!([[["("], null]]));
    table(
        &Function::Replace(regex("(b+)(c)")),
        json!([[["abbcd", "<$1\\2$9>"], "a<bbc>d"], [["x", "y"], "x"], [["bc", "$$1"], "$1"]]),
    );
    table(&Function::Capture(regex("k=(?<v>\\w+)"), "v".into()), json!([[["a k=one k=two"], "one"], [["a"], null]]));

    let private: Arc<[Network]> = ["10.0.0.0/8", "fe80::/10"].iter().filter_map(|text| Network::parse(text)).collect();
    table(
        &Function::InNetwork(private),
        json!([[["10.1.2.3"], true], [["fe80::1"], true], [["8.8.8.8"], false], [["x"], false], [[null], null]]),
    );
    table(
        &Function::CidrMatch,
        json!([
            [["10.1.2.3", "1.0.0.0/8", "10.0.0.0/8"], true],
            [["10.1.2.3", ["10.0.0.0/8"]], true],
            [["10.1.2.3", "10.0.0.0/8", null], null],
            [[null, "10.0.0.0/8"], null],
            [["x", "10.0.0.0/8"], false],
        ]),
    );
}

#[test]
fn values_are_converted() {
    table(
        &Function::ToNumber,
        json!([
            [[" 42 "], 42],
            [["-4.5"], -4.5],
            [["0x1F"], 31],
            [["1F", 16], 31],
            [["0x1F", 16], 31],
            [["0x1F", 10], null],
            [["12", null], 12],
            [["-0x10"], -16],
            [["0x-10"], null],
            [["101", 2], 5],
            [["9", 99], null],
            [["x"], null],
            [[null], null],
            [[7], 7],
        ]),
    );
    table(
        &Function::ParseInteger,
        json!([[["42"], 42], [["-1"], -1], [["4.0"], null], [[" 4"], null], [[4], 4], [[null], null]]),
    );
    table(&Function::ParseFloat, json!([[["42.5"], 42.5], [["1e3"], 1000.0], [["inf"], null], [["x"], null]]));
    table(&Function::ToText, json!([[[42], "42"], [[4.5], "4.5"], [[true], "true"], [[null], null], [[[1]], null]]));
    table(
        &Function::Cast(ValueType::Text),
        json!([[["a", null], "a"], [[4, null], "4"], [[{"a": 1}, "d"], "d"], [[null, "d"], "d"]]),
    );
    table(&Function::Cast(ValueType::Integer), json!([[[4, null], 4], [["4", 0], 0]]));
    table(&Function::Cast(ValueType::Object), json!([[[{"a": 1}, null], {"a": 1}], [["a", null], null]]));
    table(&Function::Convert(ValueType::Integer), json!([[["4.7"], 4], [[-4.7], -4], [["x"], null], [[true], 1]]));
    table(&Function::Convert(ValueType::Float), json!([[["4"], 4.0], [[4], 4.0]]));
    table(&Function::Convert(ValueType::Boolean), json!([[["True"], true], [[0], false], [["x"], null]]));
    table(&Function::Convert(ValueType::List), json!([[["a"], ["a"]], [[["a"]], ["a"]], [[null], null]]));
}

#[test]
fn lists_and_objects_are_made_and_taken_apart() {
    table(&Function::Split, json!([[["a\\b\\", "\\"], ["a", "b", ""]], [["ab", ""], ["a", "b"]], [[null, ","], null]]));
    table(&Function::Join, json!([[[["a", null, 1], "-"], "a-1"], [[[], "-"], ""], [[null, "-"], null]]));
    table(&Function::Append, json!([[["a", ["b", null], null, 1], ["a", "b", 1]], [[null, []], null]]));
    table(
        &Function::Index,
        json!([
            [[["a", "b", "c"], 0], "a"],
            [[["a", "b", "c"], -1], "c"],
            [[["a"], 1], null],
            [[["a"], -2], null],
            [["a", 0], "a"],
            [[["a", "b", "c"], 1, 2], ["b", "c"]],
            [[["a", "b", "c"], -2, -1], ["b", "c"]],
            [[["a", "b", "c"], 1, 9], ["b", "c"]],
            [[["a", "b", "c"], 2, 1], null],
            [[null, 0], null],
            [[["a"], null], null],
        ]),
    );
    table(
        &Function::Range,
        json!([
            [[0, 3], [0, 1, 2]],
            [[5, 0, -2], [5, 3, 1]],
            [[0, 5, 2], [0, 2, 4]],
            [[3, 0], []],
            [[0, 3, 0], null],
            [[0, i64::MAX], null]
        ]),
    );
    table(
        &Function::Member("a.b".into()),
        json!([[[{"a": {"b": 1}}], 1], [[{"a.b": 2}], 2], [[{"a": 1}], null], [[null], null], [["x"], null]]),
    );
    table(
        &Function::ObjectFromPairs,
        json!([[["a", 1, "b", null], {"a": 1, "b": null}], [[["a", 1]], {"a": 1}], [[null, 1], null]]),
    );
}

#[test]
fn conditions_choose() {
    table(&Function::If, json!([[[true, 1, 2], 1], [[false, 1, 2], 2], [[null, 1, 2], 2], [[true, null, 2], null]]));
    table(&Function::Case, json!([[[false, 1, true, 2, 3], 2], [[null, 1, 3], 3], [[false, 1], null]]));
    table(&Function::Coalesce, json!([[[null, "a", "b"], "a"], [[null], null]]));
    assert_eq!(evaluate(&Expr::call(Function::Now, [])), Value::Int(1_700_000_000_123));
}

#[test]
fn for_each_sets_a_column_over_the_others() {
    let body = Expr::call(Function::Concat, [Expr::Column("i".into()), Expr::Column("suffix".into())]);
    let each = |list: serde_json::Value| Expr::ForEach {
        list: Box::new(literal(&list)),
        variable: "i".into(),
        body: Box::new(body.clone()),
    };
    let run = |list| CompiledExpr::new(&each(list)).evaluate(&mut Fields(json!({"$suffix": "!"})), NOW).to_json();
    assert_eq!(run(json!(["a", 1, null])), json!(["a!", "1!", null]));
    assert_eq!(run(json!(null)), json!(null));
    assert_eq!(run(json!("one")), json!(["one!"]));
}

#[test]
fn every_textual_use_of_a_field_ranges_over_its_values_by_itself() {
    let uses_differ =
        Expr::call(Function::Not, [Expr::call(Function::Equal(Case::Sensitive), [field("ip"), field("ip")])]);
    let holds = |expr: &Expr, quantifier, event| CompiledExpr::new(expr).holds(quantifier, &mut Fields(event), NOW);
    assert!(holds(&uses_differ, Quantifier::AnyValue, json!({"ip": ["a", "b"]})));
    assert!(!holds(&uses_differ, Quantifier::AnyValue, json!({"ip": ["a"]})));
    assert!(!holds(&uses_differ, Quantifier::Whole, json!({"ip": ["a", "b"]})));

    // A missing field enters once, as null: what is null of it can still make the expression true.
    let not_found =
        Expr::call(Function::IsNull, [Expr::call(Function::IndexOf(Case::Sensitive), [field("a"), field("b")])]);
    assert!(holds(&not_found, Quantifier::AnyValue, json!({"a": "x"})));
    assert!(holds(&not_found, Quantifier::AnyValue, json!({"a": ["xy", "z"], "b": "x"})));
    assert!(!holds(&not_found, Quantifier::AnyValue, json!({"a": ["xy", "x"], "b": "x"})));
}

#[test]
fn combinations_are_bounded_and_the_bound_is_told() {
    let values: Vec<i64> = (0..30).collect();
    let never = Expr::call(
        Function::Less,
        [Expr::call(Function::Add, [field("n"), field("n"), field("n")]), literal(&json!(0))],
    );
    let compiled = CompiledExpr::new(&never);
    assert!(!compiled.holds(Quantifier::AnyValue, &mut Fields(json!({"n": values})), NOW));
    assert_eq!(compiled.capped(), 1);
    assert!(!compiled.holds(Quantifier::AnyValue, &mut Fields(json!({"n": [1, 2]})), NOW));
    assert_eq!(compiled.capped(), 1);
}
