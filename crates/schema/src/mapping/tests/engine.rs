//! How packs are combined, and what bindings make of batches.

use std::{fs, path::Path, sync::Arc};

use proptest::prelude::*;

use super::{builtin, windows_event};
use crate::{BatchBuilder, Binding, EventBatch, FieldType, Origin, RawField, Schemas, Shape, Taxonomy, Value};

/// Packs written into a folder of their own, on top of the builtin ones.
fn schemas(packs: &[&str]) -> Arc<Schemas> {
    let folder = std::env::temp_dir().join(format!("lurcher-packs-{}-{:p}", std::process::id(), packs));
    fs::create_dir_all(&folder).unwrap();
    for (number, text) in packs.iter().enumerate() {
        fs::write(folder.join(format!("{number}.toml")), text).unwrap();
    }
    let (schemas, diagnostics) = Schemas::with_packs(std::slice::from_ref(&folder));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(diagnostics, []);
    schemas
}

fn shape(attributes: &[(&str, &str)]) -> Arc<Shape> {
    Shape::new(attributes.iter().copied())
}

fn constant(text: &str) -> Binding {
    Binding::Constant(Value::text(text))
}

#[test]
fn the_more_specific_entry_wins_then_the_later() {
    let schemas = schemas(&[
        r#"taxonomy = "cim"
           [[map]]
           when = { dialect = "t", kind = ["a*", "!ab"] }
           fields = { one = "'specific'", two = "'first'" }
           [[map]]
           when = { dialect = "t" }
           fields = { one = "'general'", two = "'general'", "open.*" = "x.*", "open.deep.*" = "", "open.deep.y" = "'exact'" }"#,
        r#"taxonomy = "cim"
           [[map]]
           when = { dialect = "t", kind = "ac" }
           fields = { two = "'later'" }"#,
    ]);
    let bind = |kind: &str, path: &str| schemas.bind(Taxonomy::Cim, path, &shape(&[("dialect", "T"), ("kind", kind)]));
    assert_eq!(bind("AC", "one"), constant("specific"));
    assert_eq!(bind("ac", "two"), constant("later"));
    assert_eq!(bind("ad", "two"), constant("first"));
    assert_eq!(bind("ab", "one"), constant("general"));
    assert_eq!(bind("ab", "open.a.b"), Binding::raw("x.a.b"));
    assert_eq!(bind("ab", "open.deep.z"), Binding::Missing);
    assert_eq!(bind("ab", "open.deep.y"), constant("exact"));
    assert_eq!(bind("ab", "other"), Binding::Missing);
}

#[test]
fn constants_fold_through_expressions() {
    let schemas = schemas(&[r#"taxonomy = "cim"
        [tables.t]
        "1" = "one"
        [[map]]
        when = { dialect = "windows", channel = "Fold" }
        [map.fields]
        a = "EventID | lookup('t')"
        b = "first(missing_constant, @a)"
        c = "concat(@a, '-', Channel)"
        d = "when(Channel, 'other|fold', @c)"
        e = "when(Channel, 'other', EventData.X)"
        f = "list(@e, @a)"
        g = "shape(nothing) | default('none')"
        h = "concat(@e, EventData.X)""#]);
    let shape = shape(&[("dialect", "windows"), ("channel", "Fold"), ("provider", "P"), ("event_id", "1")]);
    let bind = |path: &str| schemas.bind(Taxonomy::Cim, path, &shape);
    assert_eq!(bind("a"), constant("one"));
    assert_eq!(bind("c"), constant("one-Fold"));
    assert_eq!(bind("d"), constant("one-Fold"));
    assert_eq!(bind("e"), Binding::Missing);
    assert_eq!(bind("f"), Binding::Constant(Value::list([Value::text("one")])));
    assert_eq!(bind("g"), constant("none"));
    assert_eq!(bind("h"), Binding::Missing);
    assert_eq!(bind("b").raw_fields(), ["missing_constant"]);
}

#[test]
fn fields_made_from_each_other_over_several_entries_are_missing() {
    let schemas = schemas(&[
        "taxonomy = \"cim\"\n[[map]]\nwhen = { dialect = \"c\" }\nfields = { a = \"@b\" }",
        "taxonomy = \"cim\"\n[[map]]\nwhen = { dialect = \"c\" }\nfields = { b = \"@a\" }",
    ]);
    assert_eq!(schemas.bind(Taxonomy::Cim, "a", &shape(&[("dialect", "c")])), Binding::Missing);
}

#[test]
fn equal_fields_of_different_taxonomies_are_one_physical_field() {
    let schemas = schemas(&["taxonomy = \"cim\"\n[[map]]\nwhen = { dialect = \"windows\" }\n\
         fields = { process_path = \"EventData.Image | clean\" }"]);
    let batch = windows_event("Security", "P", "9999", &[("EventData.Image", "x")]);
    let cim = schemas.bind(Taxonomy::Cim, "process_path", batch.shape());
    let ecs = schemas.bind(Taxonomy::Ecs, "winlog.event_data.Image", batch.shape());
    assert_eq!(cim, ecs);
    assert_eq!(ecs.raw_fields(), ["EventData.Image"]);
}

#[test]
fn objects_are_put_together_from_the_fields_below() {
    let batch = windows_event("Security", "P", "9999", &[("EventData.A", "1"), ("EventData.B", "-")]);
    let object = builtin().value(&batch.event(0), Taxonomy::Ecs, "winlog.event_data");
    assert_eq!(object.to_json().to_string(), r#"{"A":"1"}"#);
    let host = builtin().value(&batch.event(0), Taxonomy::Ecs, "host.os");
    assert_eq!(host.to_json().to_string(), r#"{"family":"windows","platform":"windows","type":"windows"}"#);
    assert_eq!(builtin().value(&batch.event(0), Taxonomy::Ecs, "nothing.here"), Value::Null);
    let members = builtin().members(Taxonomy::Ecs, "host.os", batch.shape());
    assert_eq!(
        members.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
        ["host.os.family", "host.os.platform", "host.os.type"]
    );
    let raw = builtin().normalise(&batch.event(0), Taxonomy::Raw);
    assert_eq!(raw.path("EventData.A"), Some(Value::text("1")));
    assert_eq!(raw.path("Channel"), Some(Value::text("Security")));
}

fn document(attributes: &[(&str, &str)], fields: &[(&str, RawField<'_>)]) -> EventBatch {
    let mut builder = BatchBuilder::new(shape(attributes), Origin::new("test"));
    builder.push(0, 1, None, fields.iter().copied());
    builder.finish().unwrap()
}

#[test]
fn ecs_documents_are_their_own_fields() {
    let batch = document(
        &[("dialect", "ecs"), ("index", ".ds-logs-endpoint.events.process-default-2026.03.01-000002")],
        &[
            ("process.name", RawField::Text("id")),
            ("process.pid", RawField::Json("7")),
            ("threat", RawField::Json(r#"[{"tactic":{"id":"TA0001"}},{"tactic":{"id":"TA0002"}}]"#)),
        ],
    );
    let event = batch.event(0);
    let schemas = builtin();
    let value = |path: &str| schemas.value(&event, Taxonomy::Ecs, path).to_json().to_string();
    assert_eq!(value("process"), r#"{"name":"id","pid":7}"#);
    assert_eq!(value("process.pid"), "7");
    assert_eq!(value("threat.tactic.id"), r#"["TA0001","TA0002"]"#);
    assert_eq!(schemas.indices(batch.shape()), [Arc::from("logs-endpoint.events.process-default")]);
    assert_eq!(schemas.normalise(&event, Taxonomy::Ecs).path("process.name"), Some(Value::text("id")));
}

#[test]
fn raw_windows_names_hold_for_winlogbeat_documents() {
    let batch = document(
        &[
            ("dialect", "ecs"),
            ("channel", "Microsoft-Windows-Sysmon/Operational"),
            ("provider", "Microsoft-Windows-Sysmon"),
            ("event_id", "1"),
        ],
        &[
            ("process.executable", RawField::Text(r"C:\a.exe")),
            ("process.pid", RawField::Json("7")),
            ("process.hash.md5", RawField::Text("ab")),
            ("winlog.event_data.IntegrityLevel", RawField::Text("High")),
            ("user.name", RawField::Text("ada")),
            ("user.domain", RawField::Text("CORP")),
        ],
    );
    let event = batch.event(0);
    let schemas = builtin();
    let raw = |path: &str| schemas.value(&event, Taxonomy::Raw, path);
    assert_eq!(raw("EventData.Image"), Value::text(r"C:\a.exe"));
    assert_eq!(raw("EventData.ProcessId"), Value::text("7"));
    assert_eq!(raw("EventData.IntegrityLevel"), Value::text("High"));
    assert_eq!(raw("EventData.Hashes"), Value::text("MD5=ab"));
    assert_eq!(raw("EventData.User"), Value::text(r"CORP\ada"));
    assert_eq!(schemas.bind(Taxonomy::Raw, "EventID", batch.shape()), constant("1"));
}

#[test]
fn field_types_are_known_where_they_matter() {
    let schemas = builtin();
    for (path, kind) in [
        ("process.name", FieldType::Keyword),
        ("process.pid", FieldType::Integer),
        ("source.ip", FieldType::Ip),
        ("@timestamp", FieldType::Date),
        ("message", FieldType::Text),
        ("process.code_signature.trusted", FieldType::Boolean),
        ("file.Ext.entropy", FieldType::Float),
        ("powershell.file.script_block_text", FieldType::Text),
        ("winlog.event_data.Whatever", FieldType::Keyword),
        ("dns.answers", FieldType::Object),
    ] {
        assert_eq!(schemas.field_type(Taxonomy::Ecs, path), kind, "{path}");
    }
}

/// The types in the pack are those of Elastic's own tables.
#[test]
fn field_types_agree_with_elastics_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/schema/ecs_fields.csv");
    let Ok(table) = fs::read_to_string(&path) else {
        eprintln!("skipped field_types_agree_with_elastics_table: ../shared/data/schema/ecs_fields.csv is absent");
        return;
    };
    let schemas = builtin();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [_, _, _, field, kind, ..] = cells[..] else { continue };
        let wanted = match kind {
            "keyword" | "wildcard" | "constant_keyword" => FieldType::Keyword,
            "long" | "integer" => FieldType::Integer,
            "boolean" => FieldType::Boolean,
            "ip" => FieldType::Ip,
            "date" => FieldType::Date,
            _ => continue,
        };
        let found = schemas.field_type(Taxonomy::Ecs, field);
        assert!(found == wanted || found == FieldType::Keyword, "{field} is {wanted:?}, not {found:?}");
    }
}

const EXPRESSIONS: &[&str] = &[
    "a",
    "a.b",
    "a | lower | clean",
    "a | default('none')",
    "a | count",
    "first(a, b | upper, a.b)",
    "concat(a, '/', b)",
    "list(a, b, a.b) | unique",
    "when(a, 'x|y', b)",
    "when(b, '*', a | split(','))",
    "first(when(a, 'x', b), concat(b, a.b), 'none')",
    "list(a | text, b) | join(';')",
];

fn cell() -> impl Strategy<Value = Option<&'static str>> {
    proptest::sample::select(vec![
        None,
        Some("\"x\""),
        Some("\"Y\""),
        Some("\"-\""),
        Some("\"p,q\""),
        Some("7"),
        Some("true"),
        Some("[]"),
        Some("[\"x\",null,3]"),
        Some("{\"b\":\"inner\"}"),
        Some("[{\"b\":1},{\"b\":\"two\"}]"),
    ])
}

proptest! {
    #[test]
    fn a_column_holds_what_each_event_holds(rows in proptest::collection::vec((cell(), cell(), cell()), 1..12)) {
        let fields: Vec<String> = EXPRESSIONS.iter().enumerate().map(|(n, e)| format!("f{n} = \"{e}\"")).collect();
        let fields = fields.join("\n");
        let pack = format!("taxonomy = \"cim\"\n[[map]]\nwhen = {{ dialect = \"prop\" }}\n[map.fields]\n{fields}");
        let file = lurcher_diagnostics::SourceFile::new("property", pack);
        let schemas = Schemas::of_files(&[file]).0;
        let shape = shape(&[("dialect", "prop")]);
        let mut builder = BatchBuilder::new(Arc::clone(&shape), Origin::new("test"));
        for (number, (a, b, ab)) in rows.iter().enumerate() {
            let cells = [("a", a), ("b", b), ("a.b", ab)];
            let fields: Vec<(&str, RawField<'_>)> = cells
                .iter()
                .filter_map(|(name, json)| {
                    let json = (**json)?;
                    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                    Some((*name, text.map_or(RawField::Json(json), RawField::Text)))
                })
                .collect();
            builder.push(number as u64, 0, None, fields);
        }
        let batch = builder.finish().unwrap();
        for (number, expression) in EXPRESSIONS.iter().enumerate() {
            let binding = schemas.bind(Taxonomy::Cim, &format!("f{number}"), &shape);
            let column = binding.column(&batch);
            for row in 0..batch.rows() {
                let (one, other) = (column.value(row), binding.value(&batch.event(row)));
                prop_assert!(one == other || one.is_missing() && other.is_missing(), "{expression}: {one:?} {other:?}");
            }
        }
    }
}
