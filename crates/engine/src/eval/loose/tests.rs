//! The functions at their edges.

use lurcher_ir::{
    BitOperation, Calculation, Case, Function, JsonOperation, LooseFunction as F, NumberForm, Regex, RegexDialect,
    RegexUse,
};

use super::*;

fn run(function: &F, values: &[Value]) -> Value {
    apply(function, values, &Regexes::default()).unwrap_or_default()
}

fn t(text: &str) -> Value {
    Value::text(text)
}

#[test]
fn texts_of_digits_are_numbers() {
    assert_eq!(run(&F::Add, &[t("2"), Value::Int(3)]), Value::Int(5));
    assert_eq!(run(&F::Add, &[t("a"), t("b")]), t("ab"));
    assert_eq!(run(&F::Add, &[t("a"), Value::Int(1)]), Value::Null);
    assert_eq!(run(&F::Less, &[t("9"), t("10")]), Value::Bool(true));
    assert_eq!(run(&F::Less, &[t("9"), t("10a")]), Value::Bool(false));
    assert_eq!(run(&F::Greatest, &[t("9"), t("x"), Value::Int(10)]), t("x"));
    assert_eq!(run(&F::Least, &[t("9"), t("x"), Value::Int(10)]), t("9"));
    assert_eq!(run(&F::Round, &[Value::Float(2.675), Value::Int(2)]), Value::Float(2.68));
    assert_eq!(run(&F::Round, &[Value::Float(-0.5)]), Value::Int(-1));
    assert_eq!(run(&F::Calculate(Calculation::Divide), &[t("6"), Value::Int(3)]), Value::Int(2));
    assert_eq!(run(&F::Calculate(Calculation::Divide), &[t("6"), Value::Int(0)]), Value::Null);
    assert_eq!(run(&F::Bits(BitOperation::And), &[Value::Int(6), Value::Int(3)]), Value::Int(2));
    assert_eq!(run(&F::Written(NumberForm::Commas), &[Value::Float(12_345.678)]), t("12,345.68"));
    assert_eq!(run(&F::Written(NumberForm::Hexadecimal), &[Value::Int(15)]), t("0xF"));
}

#[test]
fn any_combination_will_do() {
    let equal = F::AnyValue(Box::new(Function::Equal(Case::Sensitive)));
    let list = Value::list([t("a"), t("b")]);
    assert_eq!(run(&equal, &[list.clone(), t("b")]), Value::Bool(true));
    assert_eq!(run(&equal, &[list, t("c")]), Value::Bool(false));
    assert_eq!(run(&equal, &[Value::Null, t("c")]), Value::Null);
    let other = F::AnyValue(Box::new(Function::Loose(F::Contrary(Box::new(Function::Equal(Case::Sensitive))))));
    assert_eq!(run(&other, &[Value::list([t("a"), t("b")]), t("b")]), Value::Bool(true));
    assert_eq!(run(&other, &[Value::list([t("b"), t("b")]), t("b")]), Value::Bool(false));
    assert_eq!(run(&other, &[Value::Null, t("b")]), Value::Null);
}

#[test]
fn times_are_written_read_and_moved() {
    let time = Value::Float(1_557_770_599.681);
    let format = |format: &str| run(&F::FormatTime, &[time.clone(), t(format)]);
    assert_eq!(format("%Y-%m-%dT%H:%M:%S"), t("2019-05-13T18:03:19"));
    assert_eq!(format("%a %d %b %I:%M %p %3N %s %j %V"), t("Mon 13 May 06:03 PM 681 1557770599 133 20"));
    let parse = |text: &str, format: &str| run(&F::ParseTime, &[t(text), t(format)]);
    assert_eq!(parse("2019-05-13T18:03:19.500", "%Y-%m-%dT%H:%M:%S.%N"), Value::Float(1_557_770_599.5));
    assert_eq!(parse("13/May/2019 8:03 PM +0200", "%d/%b/%Y %I:%M %p %z"), Value::Int(1_557_770_580));
    assert_eq!(parse("no time", "%Y"), Value::Null);
    let moved = |modifier: &str| run(&F::RelativeTime, &[time.clone(), t(modifier)]);
    assert_eq!(moved("-70m@m"), Value::Int(1_557_766_380));
    assert_eq!(moved("@d"), Value::Int(1_557_705_600));
    assert_eq!(moved("@w0"), Value::Int(1_557_619_200));
    assert_eq!(moved("-1mon@mon+1d"), Value::Int(1_554_163_200));
    assert_eq!(moved("nonsense"), Value::Null);
    assert_eq!(run(&F::Duration, &[Value::Int(93_784)]), t("1+02:03:04"));
    assert_eq!(run(&F::ReadDuration, &[t("1+02:03:04")]), Value::Int(93_784));
}

#[test]
fn documents_are_read_by_paths() {
    let json = t(r#"{"a":{"b":[{"c":1},{"c":"x"}]},"d.e":true}"#);
    let at = |path: &str| run(&F::PathValue, &[json.clone(), t(path)]);
    assert_eq!(at("a.b{}.c"), Value::list([Value::Int(1), t("x")]));
    assert_eq!(at("a.b{1}.c"), t("x"));
    assert_eq!(at("a.b{0}"), t(r#"{"c":1}"#));
    assert_eq!(at("d.e"), Value::Bool(true));
    assert_eq!(at("z"), Value::Null);
    let xml = t(r#"<E><S n="1"><I>4688</I></S><D n="a">x &amp; y</D><D n="b">z</D></E>"#);
    let at = |path: &str| run(&F::PathValue, &[xml.clone(), t(path)]);
    assert_eq!(at("E.S.I"), t("4688"));
    assert_eq!(at("E.D"), Value::list([t("x & y"), t("z")]));
    assert_eq!(at("E.D{@n}"), Value::list([t("a"), t("b")]));
    assert_eq!(run(&F::TagValue("Command".into()), &[t("a <Exec><Command>x.exe</Command></Exec>")]), t("x.exe"));
    let set = F::Json(JsonOperation::Set);
    assert_eq!(run(&set, &[t(r#"{"a":1}"#), t("b"), t("2")]), t(r#"{"a":1,"b":"2"}"#));
}

#[test]
fn printf_is_that_of_c() {
    let printf = |format: &str, values: &[Value]| run(&F::Printf, &[&[t(format)], values].concat());
    assert_eq!(
        printf("%05d|%-4s|%.2f|%x|%%", &[Value::Int(42), t("ab"), t("3.14159"), Value::Int(255)]),
        t("00042|ab  |3.14|ff|%")
    );
    assert_eq!(printf("%+d", &[Value::Int(5)]), t("+5"));
    assert_eq!(printf("%d", &[]), Value::Null);
    assert_eq!(run(&F::UrlDecoded, &[t("a%20b%zz+c")]), t("a b%zz+c"));
}

#[test]
fn expressions_that_rows_make_are_translated_and_forgotten() {
    let dialect = RegexDialect {
        name: "hashes are digits",
        translate: |pattern| Some(Regex { pattern: pattern.replace('#', "[0-9]").into() }),
    };
    let regexes = Regexes::default();
    let run = |usage, values: &[Value]| apply(&F::ByRegex(usage, dialect), values, &regexes).unwrap_or_default();
    // More than are kept at once, and one of them again.
    for number in (0..1000).chain([0]) {
        let pattern = t(&format!("^{number}#$"));
        assert_eq!(run(RegexUse::Found, &[t(&format!("{number}7")), pattern.clone()]), Value::Bool(true));
        assert_eq!(run(RegexUse::Found, &[t(&format!("{number}x")), pattern]), Value::Bool(false));
    }
    assert_eq!(run(RegexUse::Replaced, &[t("a1b2"), t("(#)"), t("<$1>")]), t("a<1>b<2>"));
    assert_eq!(run(RegexUse::Position, &[Value::list([t("a"), t("1")]), t("#")]), Value::Int(1));
    assert_eq!(run(RegexUse::Position, &[Value::list([t("a")]), t("#")]), Value::Null);
    for faulty in ["(", "#{1000}{1000}{1000}", &"a".repeat(70_000)] {
        assert_eq!(run(RegexUse::Found, &[t("a"), t(faulty)]), Value::Null);
    }
    assert_eq!(run(RegexUse::Found, &[t("a"), Value::Null]), Value::Null);
}
