//! A table of cases for every transform.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Value, ValueRef,
    mapping::{
        expression::Expression,
        transform::{TRANSFORMS, Table, Transform},
    },
};

/// Transforms, input and output as JSON; `null` is missing.
const CASES: &[(&str, &str, &str)] = &[
    ("after_first('=')", r#""a=b=c""#, r#""b=c""#),
    ("after_first('=')", r#""abc""#, "null"),
    (r"after_last('\')", r#""C:\\a\\b.exe""#, r#""b.exe""#),
    (r"after_last('\')", r#""b.exe""#, "null"),
    ("append('!')", r#""a""#, r#""a!""#),
    ("args_simple", r#""a  \"b c\" d""#, r#"["a","","\"b c\"","d"]"#),
    ("args_simple", r#""a ""#, r#"["a",""]"#),
    ("args_windows", r#""a  \"b c\" d ""#, r#"["a","b c","d"]"#),
    ("args_windows", r#""\"C:\\a b\\c.exe\" \\\\srv\\x \"\" y""#, r#"["C:\\a b\\c.exe","\\\\srv\\x","","y"]"#),
    ("args_windows", r#""a\\\"b \"c\\\\\" \"d\"\"e f\"""#, r#"["a\"b","c\\","d\"e","f"]"#),
    ("basename", r#""C:\\a\\b.exe""#, r#""b.exe""#),
    ("basename", r#""/usr/bin/id""#, r#""id""#),
    ("basename", r#""id""#, r#""id""#),
    (r"before_first('\')", r#""HKLM\\A\\B""#, r#""HKLM""#),
    ("before_last('.')", r#""a.b.c""#, r#""a.b""#),
    ("boolean", r#""True""#, "true"),
    ("boolean", r#""maybe""#, "null"),
    ("clean", r#""-""#, "null"),
    ("clean", r#""a-b""#, r#""a-b""#),
    ("clean('n/a')", r#"["n/a","x","-"]"#, r#"["x"]"#),
    ("count", r#"["a","b"]"#, "2"),
    ("count", "null", "0"),
    ("date", r#""2026-03-01 09:30:00.123""#, r#""2026-03-01T09:30:00.123Z""#),
    ("date", r#""2026-03-01T09:30:00.1234567+01:00""#, r#""2026-03-01T08:30:00.123456Z""#),
    ("default('x')", "null", r#""x""#),
    ("default('x')", "7", "7"),
    ("dirname", r#""C:\\a\\b.exe""#, r#""C:\\a""#),
    ("dirname", r#""b.exe""#, "null"),
    ("dns_addresses", r#""type:  5 a.example;::ffff:192.0.2.1;2001:db8::1;""#, r#"["192.0.2.1","2001:db8::1"]"#),
    (
        "dns_answers",
        r#""type:  5 a.example;192.0.2.1""#,
        r#"[{"data":"a.example","type":"CNAME"},{"data":"192.0.2.1","type":"A"}]"#,
    ),
    (
        "entries('Name', 'Value')",
        r#"[{"Name":"ForwardTo","Value":"a@b"},{"Name":"A b.c","Value":"1"},{"Name":"x"},7]"#,
        r#"{"ForwardTo":"a@b","A_b_c":"1"}"#,
    ),
    ("entries('n')", r#"[{"n":"k","old":1,"new":2}]"#, r#"{"k":{"old":1,"new":2}}"#),
    ("entropy", r#""abab""#, "1.0"),
    ("extension", r#""C:\\a.b\\c.tar.gz""#, r#""gz""#),
    ("extension", r#""C:\\a.b\\c""#, "null"),
    ("flags('bits')", r#""0x5""#, r#"["one","four"]"#),
    ("flags('bits')", "0", "null"),
    ("flags('bits')", r#""0x8000000000000001""#, r#"["one"]"#),
    ("flags('bits')", r#""-9223372036854775807""#, r#"["one"]"#),
    ("float", r#""1.5""#, "1.5"),
    ("from_json", r#""{\"a\":[1]}""#, r#"{"a":[1]}"#),
    ("from_json", r#""a b""#, "null"),
    ("having('type', 'user')", r#"[{"type":"User","id":1},{"type":"App","id":2}]"#, r#"[{"type":"User","id":1}]"#),
    ("java_text", r#"{"a":1,"b":["x",{"c":true}],"d":"","e":null}"#, r#""{a=1, b=[x, {c=true}]}""#),
    ("hash_part('SHA256')", r#""MD5=AB,SHA256=CD""#, r#""cd""#),
    ("hash_part('imphash')", r#""MD5=AB,IMPHASH=0000""#, "null"),
    ("integer", r#""0x1a2c""#, "6700"),
    ("integer", r#""42""#, "42"),
    ("integer", r#""4x""#, "null"),
    ("ip", r#""::FFFF:192.0.2.1""#, r#""192.0.2.1""#),
    ("ip", r#""LOCAL""#, "null"),
    ("item(0)", r#"["a","b"]"#, r#""a""#),
    ("item(-1)", r#"["a","b"]"#, r#""b""#),
    ("item(2)", r#"["a","b"]"#, "null"),
    ("join(',')", r#"["a","b"]"#, r#""a,b""#),
    ("json", r#"{"a":[1,"x"]}"#, r#""{\"a\":[1,\"x\"]}""#),
    ("length", r#""naïve""#, "5"),
    ("lines", r#""a\r\n\nb""#, r#"["a","b"]"#),
    ("lookup('numbers')", r#""ONE""#, r#""1""#),
    ("lookup('numbers')", r#""six""#, "null"),
    ("lookup('numbers', '?')", r#""six""#, r#""?""#),
    ("lower", r#"["A",1]"#, r#"["a","1"]"#),
    ("member('a.b')", r#"{"a":{"b":2}}"#, "2"),
    ("millis", r#""1970-01-01T00:00:01.5Z""#, "1500"),
    ("powershell_context('HostApplication')", r#""Host Name = x\r\n  Host Application = a = b\r\n""#, r#""a = b""#),
    ("powershell_context('b')", r#""\ta=1\n\tb=2\nc=3\n\td=4""#, r#""2\nc=3""#),
    ("powershell_parameters", r#""odd line""#, r#"[{"value":"odd line"}]"#),
    (
        "powershell_parameters",
        r#""ParameterBinding(Get-X): name=\"P\"; value=\"1; 2\"""#,
        r#"[{"type":"ParameterBinding","related_command":"Get-X","name":"\"P\"","value":"\"1; 2\""}]"#,
    ),
    ("prepend('x')", r#""a""#, r#""xa""#),
    ("regex('b(.)d')", r#""abcd""#, r#""c""#),
    ("regex('b(.)d')", r#""xyz""#, "null"),
    ("registered_domain", r#""www.example.co.uk""#, r#""example.co.uk""#),
    ("registered_domain", r#""localhost""#, "null"),
    ("registry_data_strings", r#""DWORD (0x0000001f)""#, r#"["31"]"#),
    ("registry_data_strings", r#""QWORD (0x00000001-0x00000002)""#, r#"["258"]"#),
    ("registry_data_strings", r#""text""#, r#"["text"]"#),
    ("registry_data_type", r#""DWORD (0x0000001f)""#, r#""SZ_DWORD""#),
    ("registry_data_type", r#""QWORD (0x00000001-0x00000002)""#, r#""SZ_QWORD""#),
    ("registry_data_type", r#""Binary Data""#, r#""REG_BINARY""#),
    ("registry_data_type", r#""text""#, r#""REG_SZ""#),
    ("registry_hive", r#""HKEY_LOCAL_MACHINE\\A""#, r#""HKLM""#),
    ("registry_hive", r#""\\REGISTRY\\A\\{x}""#, "null"),
    ("registry_key", r#""HKU\\S-1-5-18\\A\\B""#, r#""S-1-5-18\\A\\B""#),
    ("registry_value", r#""HKU\\S-1-5-18\\A\\B""#, r#""B""#),
    ("replace('a','b')", r#""banana""#, r#""bbnbnb""#),
    ("split(',')", r#""a,,b""#, r#"["a","","b"]"#),
    ("split(' ')", r#"" a \t b""#, r#"["a","b"]"#),
    ("strip_prefix('a')", r#""abc""#, r#""bc""#),
    ("strip_suffix('c')", r#""abc""#, r#""ab""#),
    ("subdomain", r#""a.b.example.com""#, r#""a.b""#),
    ("surprisal_deviation", r#""abab""#, "0.0"),
    ("symbols", r#""abab""#, "2"),
    ("text", "[1,true,\"x\"]", r#"["1","true","x"]"#),
    ("top_level_domain", r#""www.example.co.uk""#, r#""co.uk""#),
    ("trim", r#""  a ""#, r#""a""#),
    ("unique", r#"["a","b","a"]"#, r#"["a","b"]"#),
    ("upper", r#""ß1a""#, r#""SS1A""#),
];

fn tables() -> HashMap<Arc<str>, Arc<Table>> {
    let table = |name: &str, pairs: &[(&str, &str)]| {
        let values = pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::text(*value))).collect();
        (Arc::from(name), Arc::new(Table { id: name.to_owned(), values }))
    };
    [table("numbers", &[("one", "1")]), table("bits", &[("0x1", "one"), ("0x2", "two"), ("0x4", "four")])].into()
}

fn transform(text: &str) -> Transform {
    match Expression::parse(&format!("x | {text}"), &tables()) {
        Ok(Expression::Apply(_, transform)) => transform,
        other => panic!("{text}: {other:?}"),
    }
}

fn value(json: &str) -> Value {
    Value::from_json(&serde_json::from_str(json).unwrap())
}

#[test]
fn every_case_holds() {
    for (text, input, output) in CASES {
        let found = transform(text).apply(ValueRef::Any(&value(input)));
        assert_eq!(found.to_json().to_string(), value(output).to_json().to_string(), "{input} | {text}");
    }
}

#[test]
fn every_transform_has_a_case() {
    for (name, ..) in TRANSFORMS {
        assert!(CASES.iter().any(|(text, ..)| text.split('(').next() == Some(name)), "no case for `{name}`");
    }
}

#[test]
fn missing_stays_missing() {
    for (text, ..) in CASES.iter().filter(|(text, ..)| !text.starts_with("default") && *text != "count") {
        assert!(transform(text).apply(ValueRef::Any(&Value::Null)).is_missing(), "{text}");
    }
}
