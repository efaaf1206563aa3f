//! Kibana's filters: clauses beside a rule's query that every event must also satisfy.
//!
//! Each is `{meta: {negate, disabled}, query: {<one clause>}}`, or has the clause directly (`exists`, as older
//! Kibanas wrote it). The clauses are Elasticsearch's; on keyword fields they compare whole values, and case counts
//! unless `case_insensitive` is set. In TOML the field's name may be spelled as nested tables.

use lurcher_ir::{Bound, Case, FieldRef, Predicate, Test, Wildcard, WildcardPiece};
use lurcher_schema::{Taxonomy, Value};

use crate::node::{Data, Node};

/// The clauses that are understood.
const CLAUSES: [&str; 7] = ["wildcard", "match_phrase", "match", "term", "terms", "exists", "range"];

/// All filters as one predicate over ECS events; a sentence if one of them is not understood.
pub(crate) fn predicate(filters: &[Node]) -> Result<Predicate, String> {
    let mut parts = Vec::new();
    for filter in filters {
        let meta = filter.get("meta");
        if meta.is_some_and(|meta| meta.flag("disabled")) {
            continue;
        }
        let part = clause(filter.get("query").unwrap_or(filter), 0)?;
        parts.push(if meta.is_some_and(|meta| meta.flag("negate")) { part.negate() } else { part });
    }
    Ok(Predicate::all(parts))
}

fn clause(node: &Node, depth: usize) -> Result<Predicate, String> {
    if depth > 16 {
        return Err("one of its filters is nested too deeply".to_owned());
    }
    if let Some(group) = node.get("bool") {
        return boolean(group, depth);
    }
    let found = CLAUSES.into_iter().find_map(|name| Some((name, node.get(name)?)));
    let Some((name, body)) = found else {
        let names: Vec<_> = node.members().iter().map(|(name, _)| name.as_str()).filter(|n| *n != "meta").collect();
        return Err(format!("its filter `{}` is not applied", names.join(", ")));
    };
    let not_applied = || format!("its filter `{name}` is not applied");
    if name == "exists" {
        let field = body.text("field");
        return if field.is_empty() { Err(not_applied()) } else { Ok(Predicate::test(ecs(&field), Test::Exists)) };
    }
    let (field, value) = field(body).ok_or_else(not_applied)?;
    let test = match name {
        "wildcard" => wildcard(value).ok_or_else(not_applied)?,
        "range" => range(value).ok_or_else(not_applied)?,
        "terms" => terms(value).ok_or_else(not_applied)?,
        _ => {
            let plain = ["query", "value"].iter().find_map(|key| value.get(key)).unwrap_or(value);
            match (scalar(plain).ok_or_else(not_applied)?, case(value)) {
                (Value::Text(text), case) => Test::equals_text(&text, case),
                (other, case) => Test::Equals(other, case),
            }
        }
    };
    Ok(Predicate::test(ecs(&field), test))
}

fn boolean(group: &Node, depth: usize) -> Result<Predicate, String> {
    let all = |name: &str| -> Result<Vec<Predicate>, String> {
        match group.get(name) {
            Some(Node { data: Data::List(items), .. }) => items.iter().map(|item| clause(item, depth + 1)).collect(),
            Some(single) => Ok(vec![clause(single, depth + 1)?]),
            None => Ok(Vec::new()),
        }
    };
    let mut parts = all("must")?;
    parts.extend(all("filter")?);
    parts.extend(all("must_not")?.into_iter().map(Predicate::negate));
    let should = all("should")?;
    if !should.is_empty() {
        parts.push(Predicate::any(should));
    }
    Ok(Predicate::all(parts))
}

fn ecs(field: &str) -> FieldRef {
    FieldRef::new(Taxonomy::Ecs, field)
}

/// The field's name and what is asked of it: down through nested tables until something is no field name any more.
fn field(body: &Node) -> Option<(String, &Node)> {
    const PARAMETERS: [&str; 9] = ["value", "query", "case_insensitive", "gte", "gt", "lte", "lt", "format", "boost"];
    let (mut path, mut node) = (String::new(), body);
    loop {
        match node.members() {
            [(name, inner)] if !PARAMETERS.contains(&name.as_str()) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                node = inner;
            }
            _ => return (!path.is_empty()).then_some((path, node)),
        }
    }
}

fn case(value: &Node) -> Case {
    if value.flag("case_insensitive") { Case::Insensitive } else { Case::Sensitive }
}

fn scalar(node: &Node) -> Option<Value> {
    match node.to_value() {
        value @ (Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_)) => Some(value),
        _ => None,
    }
}

fn terms(value: &Node) -> Option<Test> {
    let Data::List(items) = &value.data else { return None };
    let values: Option<Vec<Value>> = items.iter().map(scalar).collect();
    Some(Test::OneOf(values?.into(), Case::Sensitive))
}

/// `*` and `?` are wildcards, a backslash takes the next character as it is.
fn wildcard(value: &Node) -> Option<Test> {
    let pattern = ["value", "wildcard"].iter().find_map(|key| value.get(key)).unwrap_or(value).scalar()?;
    let mut pieces = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        pieces.push(match character {
            '*' => WildcardPiece::Any,
            '?' => WildcardPiece::One,
            '\\' => WildcardPiece::Literal(characters.next().unwrap_or('\\').to_string().into()),
            other => WildcardPiece::Literal(other.to_string().into()),
        });
    }
    Some(Test::from_wildcard(Wildcard::new(pieces), case(value)))
}

fn range(value: &Node) -> Option<Test> {
    // Only numbers: texts are compared as the field's type in the index says, which is not known here.
    let end = |inclusive: &str, exclusive: &str| -> Option<Option<Bound>> {
        let Some((node, inclusive)) =
            value.get(inclusive).map(|n| (n, true)).or_else(|| value.get(exclusive).map(|n| (n, false)))
        else {
            return Some(None);
        };
        let number = scalar(node).filter(|v| v.as_number().is_some())?;
        Some(Some(Bound { value: number, time: None, inclusive }))
    };
    Some(Test::Range { low: end("gte", "gt")?, high: end("lte", "lt")? })
}

#[cfg(test)]
mod tests {
    use lurcher_diagnostics::SourceFile;

    use super::*;
    use crate::syntax;

    fn read(toml: &str) -> Result<Predicate, String> {
        let file = SourceFile::new("r.toml", toml);
        predicate(syntax::toml(&file).expect("valid TOML").items("filters"))
    }

    #[test]
    fn a_negated_wildcard_clause_is_a_negated_test() {
        let filter = read(
            r#"
            [[filters]]
            [filters.meta]
            negate = true
            [filters.query.wildcard."file.path"]
            case_insensitive = true
            value = '?:\\Windows\\Temp\\*'
            "#,
        );
        let pattern = Wildcard::parse("?:\\Windows\\Temp\\*");
        let test = Predicate::test(ecs("file.path"), Test::from_wildcard(pattern, Case::Insensitive));
        assert_eq!(filter, Ok(test.negate()));
    }

    #[test]
    fn field_names_may_be_nested_tables_and_disabled_filters_do_nothing() {
        let filter = read(
            r#"
            [[filters]]
            [filters.query.match_phrase.event]
            action = "creation"
            [[filters]]
            [filters.meta]
            disabled = true
            [filters.query.exists]
            field = "a.b"
            [[filters]]
            [filters.exists]
            field = "c.d"
            "#,
        );
        let action = Test::Equals(Value::text("creation"), Case::Sensitive);
        let expected = [Predicate::test(ecs("event.action"), action), Predicate::test(ecs("c.d"), Test::Exists)];
        assert_eq!(filter, Ok(Predicate::all(expected)));
    }

    #[test]
    fn an_unknown_clause_is_said() {
        let filter = read("[[filters]]\n[filters.query.script]\nsource = \"true\"\n");
        assert_eq!(filter, Err("its filter `script` is not applied".to_owned()));
    }
}
