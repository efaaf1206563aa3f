//! The tables that a user names on the command line: `--table NAME=FILE`, CSV or JSON lines.
//!
//! A CSV header may carry types (`emp_no:integer,salary:long`); a column without one has the type that all its cells read
//! as. Empty cells are null; `[a,b]` is several values. Dates are held as milliseconds since 1970, as the piped
//! languages compute with them.
//!
//! A column with a type is a field of an index: it keeps of a number what the type can hold, and of several values no
//! order but their own (texts, addresses and versions each once). Only analysed text stays as it was written.

use std::{collections::BTreeMap, sync::Arc};

use lurcher_engine::{Table, Tables};
use lurcher_schema::{Object, Timestamp, Value};

/// What a query is told of the tables: their columns in order, with their types.
pub(crate) type Columns = BTreeMap<Arc<str>, Vec<(Arc<str>, Option<String>)>>;

/// The tables of a command line. The error names the file.
pub(crate) fn load(arguments: &[String]) -> Result<(Tables, Columns), String> {
    let mut tables = Tables::default();
    let mut columns = Columns::new();
    for argument in arguments {
        let (name, file) =
            argument.split_once('=').ok_or_else(|| format!("--table {argument}: write it as NAME=FILE"))?;
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let (table, own) = table(&text).map_err(|error| format!("{file}: {error}"))?;
        for column in beyond_64_bits(&table, &own) {
            eprintln!(
                "approximate: {file}: the column {column} has whole numbers beyond 2^63, of which 16 digits are kept"
            );
        }
        tables.insert(name, table);
        columns.insert(name.into(), own);
    }
    Ok((tables, columns))
}

type Typed = (Table, Vec<(Arc<str>, Option<String>)>);

fn table(text: &str) -> Result<Typed, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return json_lines(text);
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        // A list with commas in it that stands without quotes comes apart; it is put together again.
        rows.push(joined(record.iter()));
    }
    let mut columns = Vec::new();
    let mut kinds = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let (name, declared) = match name.rsplit_once(':') {
            Some((name, kind)) => (name.trim(), Some(kind.trim().to_owned())),
            None => (name, None),
        };
        let cells = || rows.iter().filter_map(|row| row.get(at)).flat_map(|cell| parts(cell));
        if let Some(kind) = declared.as_deref().filter(|kind| !is_type(kind)) {
            return Err(format!("the column {name} is of a type that is not known: {kind}"));
        }
        let indexed = declared.is_some();
        let kind = declared.unwrap_or_else(|| kind_of(cells()).to_owned());
        columns.push((Arc::from(name), Some(kind.clone())));
        kinds.push((kind, indexed));
    }
    let names = columns.iter().map(|(name, _)| Arc::clone(name));
    let values = rows.iter().map(|row| {
        let cell = |(at, (kind, indexed)): (usize, &(String, bool))| {
            row.get(at).map_or(Value::Null, |cell| value(cell, kind, *indexed))
        };
        kinds.iter().enumerate().map(cell).collect()
    });
    let table = Table::new(names, values.collect::<Vec<_>>());
    Ok((table, columns))
}

/// The columns of whole numbers of which some do not fit in 64 bits with a sign; those are held as fractions.
fn beyond_64_bits<'c>(table: &Table, columns: &'c [(Arc<str>, Option<String>)]) -> Vec<&'c str> {
    let is_whole = |kind: &str| matches!(kind, "integer" | "int" | "long" | "short" | "byte" | "unsigned_long" | "ul");
    let has_fraction = |at: usize| {
        let cells = table.rows().iter().filter_map(|row| row.get(at)).flat_map(Value::elements);
        cells.into_iter().any(|value| matches!(value, Value::Float(_)))
    };
    let named = columns.iter().enumerate().filter(|(at, (_, kind))| {
        kind.as_deref().is_some_and(|kind| is_whole(&kind.to_ascii_lowercase())) && has_fraction(*at)
    });
    named.map(|(_, (name, _))| name.as_ref()).collect()
}

fn json_lines(text: &str) -> Result<Typed, String> {
    let mut objects: Vec<Object> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let json: serde_json::Value =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        match Value::from_json(&json) {
            Value::Object(object) => objects.push(flat(&object)),
            _ => return Err(format!("line {}: no JSON object", number + 1)),
        }
    }
    let table = Table::from_objects(objects);
    let kind = |at: usize| {
        let cells = || table.rows().iter().filter_map(|row| row.get(at)).flat_map(Value::elements);
        let all = |is: fn(&Value) -> bool| cells().next().is_some() && cells().all(is);
        if all(|value| matches!(value, Value::Int(_))) {
            "long"
        } else if all(|value| matches!(value, Value::Int(_) | Value::Float(_))) {
            "double"
        } else if all(|value| matches!(value, Value::Bool(_))) {
            "boolean"
        } else {
            "keyword"
        }
    };
    let columns = table.columns().iter().enumerate();
    let columns = columns.map(|(at, name)| (Arc::clone(name), Some(kind(at).to_owned()))).collect();
    Ok((table, columns))
}

/// Members of objects under their dotted names.
fn flat(object: &Object) -> Object {
    fn add(prefix: &str, object: &Object, out: &mut Object) {
        for (name, value) in object {
            let name = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
            if let Value::Object(inner) = value {
                add(&name, inner, out);
            } else {
                out.insert(Arc::<str>::from(name), value.clone());
            }
        }
    }
    let mut out = Object::default();
    add("", object, &mut out);
    out
}

fn joined<'c>(cells: impl Iterator<Item = &'c str>) -> Vec<String> {
    let mut row: Vec<String> = Vec::new();
    let mut open = false;
    for cell in cells {
        match row.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(',');
                last.push_str(cell);
            }
            None => row.push(cell.to_owned()),
        }
        open = row.last().is_some_and(|cell| cell.starts_with('[') && !cell.ends_with(']'));
    }
    row
}

/// The values of a cell. A backslash before a comma or bracket takes it as it is.
fn parts(cell: &str) -> Vec<String> {
    let Some(inside) = cell.strip_prefix('[').and_then(|cell| cell.strip_suffix(']')) else {
        return if cell.is_empty() {
            Vec::new()
        } else {
            vec![cell.replace("\\,", ",").replace("\\[", "[").replace("\\]", "]")]
        };
    };
    let mut parts = vec![String::new()];
    let mut chars = inside.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = c == '\\' && matches!(chars.peek(), Some(',' | '[' | ']'));
        match (c, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            (_, Some(last)) => last.push(if escaped { chars.next().unwrap_or(c) } else { c }),
            _ => {}
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The type that all cells read as.
fn kind_of(cells: impl Iterator<Item = String> + Clone) -> &'static str {
    let all = |fits: fn(&str) -> bool| cells.clone().all(|cell| fits(&cell));
    if cells.clone().next().is_none() {
        "keyword"
    } else if all(|cell| cell.parse::<i64>().is_ok()) {
        "long"
    } else if all(|cell| cell.parse::<f64>().is_ok() && cell.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
        "double"
    } else if all(|cell| matches!(cell, "true" | "false")) {
        "boolean"
    } else if all(|cell| cell.len() >= 19 && cell.contains('T') && Timestamp::parse(cell).is_some()) {
        "date"
    } else {
        "keyword"
    }
}

/// Whether a header may say this type.
fn is_type(kind: &str) -> bool {
    const TYPES: &[&str] = &[
        "integer",
        "int",
        "long",
        "short",
        "byte",
        "unsigned_long",
        "ul",
        "double",
        "float",
        "half_float",
        "scaled_float",
        "boolean",
        "bool",
        "keyword",
        "string",
        "wildcard",
        "constant_keyword",
        "text",
        "match_only_text",
        "semantic_text",
        "ip",
        "version",
        "date",
        "datetime",
        "dt",
        "date_nanos",
        "geo_point",
        "geo_shape",
        "cartesian_point",
        "cartesian_shape",
        "null",
    ];
    TYPES.contains(&kind.to_ascii_lowercase().as_str())
}

/// A cell as values of a type; what does not read as one is null.
fn value(cell: &str, kind: &str, indexed: bool) -> Value {
    let mut values: Vec<Value> = parts(cell).iter().map(|part| single(part, kind)).filter(|v| !v.is_null()).collect();
    if indexed {
        ordered(&mut values, kind);
    }
    match values.len() {
        0 => Value::Null,
        1 => values.remove(0),
        _ => Value::list(values),
    }
}

/// Several values as an index gives them back: sorted, and what is held by its bytes each once.
fn ordered(values: &mut Vec<Value>, kind: &str) {
    let kind = kind.to_ascii_lowercase();
    match kind.as_str() {
        "keyword" | "string" | "wildcard" | "constant_keyword" => values.sort_by(|a, b| a.as_text().cmp(&b.as_text())),
        "ip" => values.sort_by_key(|value| {
            let address = value.as_text().and_then(|text| text.parse::<std::net::IpAddr>().ok());
            address.map(|ip| match ip {
                std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                std::net::IpAddr::V6(v6) => v6,
            })
        }),
        "version" => {
            let key = |value: &Value| lurcher_engine::eval::version_key(value.as_text().unwrap_or_default());
            values.sort_by_cached_key(key);
        }
        _ => {
            let order = |value: &Value| match value {
                Value::Bool(truth) => f64::from(u8::from(*truth)),
                number => number.as_number().unwrap_or_default(),
            };
            match kind.as_str() {
                "text" | "match_only_text" | "semantic_text" => return,
                _ if values.iter().all(|value| matches!(value, Value::Int(_))) => {
                    values.sort_by_key(|value| if let Value::Int(number) = value { *number } else { 0 });
                }
                _ if values.iter().any(|value| value.as_text().is_some()) => return,
                _ => values.sort_by(|a, b| order(a).total_cmp(&order(b))),
            }
            return;
        }
    }
    values.dedup();
}

/// The nearest number that 16 bits of floating-point hold: 11 bits of digits, exponents from -14 to 15.
fn half(number: f64) -> Option<f64> {
    if number == 0.0 || !number.is_finite() {
        return number.is_finite().then_some(number);
    }
    let exponent = number.abs().log2().floor().max(-14.0);
    let unit = (exponent - 10.0).exp2();
    let rounded = (number / unit).round_ties_even() * unit;
    (rounded.abs() <= 65504.0).then_some(rounded)
}

fn single(text: &str, kind: &str) -> Value {
    let read = match kind.to_ascii_lowercase().as_str() {
        "integer" | "int" | "long" | "short" | "byte" | "unsigned_long" | "ul" => {
            text.parse().map(Value::Int).ok().or_else(|| text.parse().ok().map(Value::Float))
        }
        "double" | "scaled_float" => text.parse().ok().map(Value::Float),
        "float" => text.parse::<f32>().ok().filter(|number| number.is_finite()).map(|n| Value::Float(f64::from(n))),
        "half_float" => text.parse().ok().and_then(half).map(Value::Float),
        "boolean" | "bool" => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
        "date" | "datetime" | "dt" => match text.parse() {
            Ok(millis) => Some(Value::Int(millis)),
            Err(_) => Timestamp::parse(text)
                .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
                .map(|time| Value::Int(time.millis())),
        },
        "date_nanos" => Timestamp::parse(text).map(|time| {
            // Finer than microseconds is only in the text.
            let digits = text.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('Z'));
            let finer: i64 = digits.get(6..).and_then(|rest| format!("{rest:0<3}").get(..3)?.parse().ok()).unwrap_or(0);
            Value::Int(time.0.saturating_mul(1000).saturating_add(finer))
        }),
        "ip" => text.parse::<std::net::IpAddr>().ok().map(|ip| Value::text(ip.to_canonical().to_string())),
        "null" => None,
        _ => Some(Value::text(text)),
    };
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_carry_types_and_cells_several_values() {
        let (table, columns) = table("no:integer,name,at:date,tags\n1,a,2026-01-02T00:00:00Z,[x,y]\n2,,,z\n").unwrap();
        let kinds: Vec<_> = columns.iter().map(|(name, kind)| (name.as_ref(), kind.as_deref().unwrap_or(""))).collect();
        assert_eq!(kinds, [("no", "integer"), ("name", "keyword"), ("at", "date"), ("tags", "keyword")]);
        let tags = Value::list([Value::text("x"), Value::text("y")]);
        assert_eq!(table.rows()[0], [Value::Int(1), Value::text("a"), Value::Int(1_767_312_000_000), tags]);
        assert_eq!(table.rows()[1], [Value::Int(2), Value::Null, Value::Null, Value::text("z")]);
    }

    #[test]
    fn typed_columns_keep_what_an_index_keeps() {
        let header = "k:keyword,t:text,n:integer,f:float,h:half_float,b:boolean,ip:ip,v:version";
        let row = "[b, a, b],[b, a],[3, 1, 3],1.83,1.83,[true, false],[10.0.0.2, 9.0.0.1],[1.10, 1.9]";
        let (table, _) = table(&format!("{header}\n{row}\n")).unwrap();
        let texts = |texts: [&str; 2]| Value::list(texts.map(Value::text));
        assert_eq!(
            table.rows()[0],
            [
                texts(["a", "b"]),
                texts(["b", "a"]),
                Value::list([1, 3, 3].map(Value::Int)),
                Value::Float(f64::from(1.83_f32)),
                Value::Float(1.830_078_125),
                Value::list([Value::Bool(false), Value::Bool(true)]),
                texts(["9.0.0.1", "10.0.0.2"]),
                texts(["1.9", "1.10"]),
            ]
        );
    }

    #[test]
    fn a_type_that_is_not_known_is_said() {
        let fault = table("a:keyword,b:quaternion\nx,1\n").unwrap_err();
        assert_eq!(fault, "the column b is of a type that is not known: quaternion");
    }

    #[test]
    fn half_floats_are_as_coarse_as_16_bits() {
        for (number, held) in
            [(2.03, 2.029_296_875), (1.0, 1.0), (-0.0, -0.0), (65504.0, 65504.0), (6e-8, 5.960_464_477_539_063e-8)]
        {
            assert_eq!(half(number), Some(held), "{number}");
        }
        assert_eq!(half(70_000.0), None);
        assert_eq!(half(f64::NAN), None);
    }

    #[test]
    fn lines_of_json_are_a_table() {
        let (table, columns) = table("{\"a\": {\"b\": 1}}\n{\"a.b\": 2, \"c\": [true]}\n").unwrap();
        assert_eq!(columns[0], (Arc::from("a.b"), Some("long".to_owned())));
        assert_eq!(table.rows()[1][0], Value::Int(2));
    }
}
