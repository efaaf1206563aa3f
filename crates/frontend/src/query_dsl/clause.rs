//! One clause of the query DSL to a predicate.
//!
//! In TOML a dotted field name may be spelled as nested tables (`query.wildcard.file.path`), so a name is read down to
//! the first parameter.

use lurcher_diagnostics::SourceFile;
use lurcher_ir::{Case, Predicate, Test, Verdict, Wildcard, WildcardPiece};

use super::Context;
use crate::{
    elasticsearch::{
        field::Typed,
        search::{End, Misfit, described},
    },
    kql, lucene,
    syntax::lucene_regex::{self, RegexpError},
    tree::{Data, Node},
};

/// How deep clauses may be nested.
pub(super) const MAX_DEPTH: usize = 24;

/// What stands beside a field's value and is no field name.
const PARAMETERS: [&str; 28] = [
    "_name",
    "analyze_wildcard",
    "analyzer",
    "boost",
    "case_insensitive",
    "flags",
    "format",
    "from",
    "fuzziness",
    "gt",
    "gte",
    "include_lower",
    "include_upper",
    "lt",
    "lte",
    "max_expansions",
    "minimum_should_match",
    "operator",
    "prefix_length",
    "query",
    "relation",
    "rewrite",
    "slop",
    "time_zone",
    "to",
    "type",
    "value",
    "wildcard",
];

/// A clause; a sentence about the first thing in it that is not understood.
pub fn predicate(node: &Node, context: &Context<'_>) -> Result<Predicate, String> {
    Lowering { context }.clause(node, 0)
}

struct Lowering<'a> {
    context: &'a Context<'a>,
}

fn not_applied(name: &str) -> String {
    format!("its filter `{name}` is not applied")
}

impl Lowering<'_> {
    fn clause(&self, node: &Node, depth: usize) -> Result<Predicate, String> {
        if depth > MAX_DEPTH {
            return Err("one of its filters is nested too deeply".to_owned());
        }
        let mut clauses = node.members().iter().filter(|(name, _)| !matches!(name.as_str(), "meta" | "$state"));
        let (Some((name, body)), None) = (clauses.next(), clauses.next()) else {
            let names: Vec<_> = node.members().iter().map(|(name, _)| name.as_str()).collect();
            return Err(not_applied(&names.join(", ")));
        };
        let inner = |key: &str| body.get(key).map(|inner| self.clause(inner, depth + 1));
        match name.as_str() {
            "match_all" => Ok(Predicate::Constant(true)),
            "match_none" => Ok(Predicate::Constant(false)),
            "bool" => self.boolean(body, depth),
            "constant_score" => inner("filter").unwrap_or_else(|| Err(not_applied(name))),
            "boosting" => inner("positive").unwrap_or_else(|| Err(not_applied(name))),
            "dis_max" => {
                let queries: Result<Vec<_>, _> =
                    body.items("queries").iter().map(|query| self.clause(query, depth + 1)).collect();
                Ok(Predicate::any(queries?))
            }
            "nested" => {
                let list = self.context.fields().named(&body.text("path")).field;
                let condition = inner("query").unwrap_or_else(|| Err(not_applied(name)))?;
                kql::any_element(&list, &condition).ok_or_else(|| not_applied(name))
            }
            "exists" => {
                let field = body.text("field");
                if field.is_empty() {
                    return Err(not_applied(name));
                }
                Ok(self.context.fields().exists(&Wildcard::with_stars(&field)))
            }
            "query_string" => self.query_string(body),
            "multi_match" => self.multi_match(body),
            _ => self.of_field(name, body),
        }
    }

    fn boolean(&self, group: &Node, depth: usize) -> Result<Predicate, String> {
        let all = |name: &str| -> Result<Vec<Predicate>, String> {
            match group.get(name) {
                Some(Node { data: Data::List(items), .. }) => {
                    items.iter().map(|item| self.clause(item, depth + 1)).collect()
                }
                Some(single) => Ok(vec![self.clause(single, depth + 1)?]),
                None => Ok(Vec::new()),
            }
        };
        let mut parts = all("must")?;
        parts.extend(all("filter")?);
        let optional = !parts.is_empty();
        parts.extend(all("must_not")?.into_iter().map(Predicate::negate));
        let should = all("should")?;
        // Beside a must the others only count for the score, unless it is said how many must hold.
        let least = match group.get("minimum_should_match").and_then(Node::scalar) {
            Some(text) => minimum(&text, should.len()).ok_or_else(|| not_applied("bool.minimum_should_match"))?,
            None if optional || should.is_empty() => 0,
            None => 1,
        };
        parts.push(at_least(least, should).ok_or_else(|| not_applied("bool.minimum_should_match"))?);
        Ok(Predicate::all(parts))
    }

    /// A clause that asks one field.
    fn of_field(&self, name: &str, body: &Node) -> Result<Predicate, String> {
        let (path, value) = field(body).ok_or_else(|| not_applied(name))?;
        let typed = self.context.fields().named(&path);
        let now = self.context.now;
        let text = |keys: &[&str]| -> Result<String, String> {
            let plain = keys.iter().find_map(|key| value.get(key)).unwrap_or(value);
            plain.scalar().ok_or_else(|| not_applied(name))
        };
        let case = if value.flag("case_insensitive") { Case::Insensitive } else { Case::Sensitive };
        let fuzziness = value.get("fuzziness").and_then(Node::scalar);
        let found = match name {
            // Old Kibanas wrote a phrase as a match of that type.
            "match" if value.text("type") == "phrase" => typed.phrase(&text(&["query"])?, 0, false, now),
            "match" if fuzziness.is_some() => typed.fuzzy(&text(&["query"])?, edits(fuzziness.as_deref()), 0),
            "match" => {
                let all = value.text("operator").eq_ignore_ascii_case("and");
                typed.matching(&text(&["query"])?, all, now)
            }
            "match_phrase" => typed.phrase(&text(&["query"])?, slop(value), false, now),
            "match_phrase_prefix" => typed.phrase(&text(&["query"])?, slop(value), true, now),
            "term" => typed.term(&text(&["value", "query"])?, case, now),
            "terms" => return self.terms(&typed, value),
            "prefix" => {
                let pieces = [WildcardPiece::Literal(text(&["value"])?.into()), WildcardPiece::Any];
                typed.pattern(&Wildcard::new(pieces), case, now)
            }
            "wildcard" => typed.pattern(&escaped(&text(&["value", "wildcard"])?), case, now),
            "regexp" => match lucene_regex::translate(&text(&["value"])?, case) {
                Ok(regex) => typed.regexp(regex),
                Err(RegexpError::Malformed(why)) => return Err(format!("the expression of its filter is none: {why}")),
                Err(RegexpError::Unsupported(_)) => return Err(not_applied(name)),
            },
            "fuzzy" => {
                let prefix = value.number("prefix_length").unwrap_or(0.0) as u32;
                typed.fuzzy(&text(&["value"])?, edits(fuzziness.as_deref()), prefix)
            }
            "range" => {
                let [low, high] = ends(value).ok_or_else(|| not_applied(name))?;
                fn end(end: Option<&(String, bool)>) -> Option<End<'_>> {
                    end.map(|(text, inclusive)| End { text, inclusive: *inclusive })
                }
                typed.range(end(low.as_ref()), end(high.as_ref()), now)
            }
            _ => return Err(not_applied(name)),
        };
        found.map_err(|misfit| refused(&typed, misfit))
    }

    fn terms(&self, typed: &Typed, value: &Node) -> Result<Predicate, String> {
        let Data::List(items) = &value.data else { return Err(not_applied("terms")) };
        let texts: Option<Vec<String>> = items.iter().map(Node::scalar).collect();
        one_of(typed, &texts.ok_or_else(|| not_applied("terms"))?, self.context)
    }

    fn multi_match(&self, body: &Node) -> Result<Predicate, String> {
        let names: Vec<String> = body.texts("fields");
        let text = body.text("query");
        let fields = self.context.fields();
        let found: Vec<Typed> = if names.is_empty() {
            fields.defaults()
        } else {
            let plain = |name: &String| name.split('^').next().unwrap_or(name).to_owned();
            names.iter().map(plain).flat_map(|name| fields.matching(&Wildcard::with_stars(&name))).collect()
        };
        let now = self.context.now;
        let all = body.text("operator").eq_ignore_ascii_case("and");
        let asked = found.iter().filter_map(|typed| match body.text("type").as_str() {
            "phrase" => typed.phrase(&text, slop(body), false, now).ok(),
            "phrase_prefix" => typed.phrase(&text, slop(body), true, now).ok(),
            "" | "best_fields" | "most_fields" => typed.matching(&text, all, now).ok(),
            _ => None,
        });
        let asked: Vec<Predicate> = asked.collect();
        if asked.is_empty() { Err(not_applied("multi_match")) } else { Ok(Predicate::any(asked)) }
    }

    fn query_string(&self, body: &Node) -> Result<Predicate, String> {
        let file = SourceFile::new("query_string", body.text("query"));
        let mut default_fields = body.texts("fields");
        default_fields.extend(Some(body.text("default_field")).filter(|field| !field.is_empty() && field != "*"));
        let options = lucene::Options {
            taxonomy: self.context.taxonomy,
            now: self.context.now,
            all: body.text("default_operator").eq_ignore_ascii_case("and"),
            default_fields,
            columns: None,
        };
        let condition = lucene::condition(&file, &options, self.context.schemas);
        if let Some(fault) = condition.diagnostics.iter().find(|_| condition.failed) {
            return Err(format!("the query string of its filter cannot be read: {}", fault.message));
        }
        match condition.reasons.iter().find(|reason| reason.verdict >= Verdict::Unsupported) {
            Some(reason) => Err(format!("the query string of its filter is not applied: {}", reason.message)),
            None => Ok(condition.predicate),
        }
    }
}

/// Any of these values, each as a `term`.
pub(super) fn one_of(typed: &Typed, texts: &[String], context: &Context<'_>) -> Result<Predicate, String> {
    let mut found = Vec::new();
    let mut values = Vec::new();
    let mut networks = Vec::new();
    for text in texts {
        match typed.term(text, Case::Sensitive, context.now).map_err(|misfit| refused(typed, misfit))? {
            // One test of many values is one look at the field.
            Predicate::Test { test: Test::Equals(value, Case::Sensitive), .. } => values.push(value),
            Predicate::Test { test: Test::InNetwork(blocks), .. } => networks.extend(blocks.iter().copied()),
            other => found.push(other),
        }
    }
    if !values.is_empty() {
        found.push(typed.test(Test::OneOf(values.into(), Case::Sensitive)));
    }
    if !networks.is_empty() {
        found.push(typed.test(Test::InNetwork(networks.into())));
    }
    Ok(Predicate::any(found))
}

/// Why a field cannot be asked for a value.
pub(super) fn refused(typed: &Typed, misfit: Misfit) -> String {
    let path = typed.field.path.as_str();
    match misfit {
        Misfit::Type(kind) => format!("a filter asks `{path}` for a value that is not {}", described(kind)),
        Misfit::Pattern(kind) => format!("a filter asks `{path}`, which is {}, for a pattern", described(kind)),
        Misfit::NoClock => format!("a filter compares `{path}` with the time of the run, which is not known"),
    }
}

/// A pattern of `*` and `?` in which a backslash takes the next character as it is.
pub(super) fn escaped(pattern: &str) -> Wildcard {
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
    Wildcard::new(pieces)
}

/// The field's name and what is asked of it: down through nested tables until something is no field name any more.
fn field(body: &Node) -> Option<(String, &Node)> {
    let (mut path, mut node) = (String::new(), body);
    loop {
        let mut names = node.members().iter().filter(|(name, _)| !PARAMETERS.contains(&name.as_str()));
        match (names.next(), names.next()) {
            (Some((name, inner)), None) => {
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

fn slop(value: &Node) -> u32 {
    value.number("slop").map_or(0, |slop| slop.clamp(0.0, 1000.0) as u32)
}

/// The edits that `fuzziness` allows; `None` for `AUTO`.
fn edits(fuzziness: Option<&str>) -> Option<u8> {
    fuzziness?.parse::<f64>().ok().map(|edits| edits.clamp(0.0, 2.0) as u8)
}

/// Both ends of a range, with whether they belong to it; `None` if one is no scalar.
fn ends(value: &Node) -> Option<[Option<(String, bool)>; 2]> {
    let end = |keys: [(&str, bool); 3]| -> Option<Option<(String, bool)>> {
        match keys.into_iter().find_map(|(key, inclusive)| Some((value.get(key)?, inclusive))) {
            Some((node, inclusive)) => Some(Some((node.scalar()?, inclusive))),
            None => Some(None),
        }
    };
    let within = |flag: &str| value.get(flag).is_none() || value.flag(flag);
    Some([
        end([("gte", true), ("gt", false), ("from", within("include_lower"))])?,
        end([("lte", true), ("lt", false), ("to", within("include_upper"))])?,
    ])
}

/// `2`, `-1`, `75%`, `-25%` of so many; `None` for what is more involved.
fn minimum(text: &str, of: usize) -> Option<usize> {
    let of = of as f64;
    let number = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.parse::<f64>().ok()? * of / 100.0).trunc(),
        None => text.trim().parse::<f64>().ok()?,
    };
    Some(if number < 0.0 { (of + number).max(0.0) } else { number } as usize)
}

/// At least so many of these; `None` if that would be too much to write out.
fn at_least(least: usize, parts: Vec<Predicate>) -> Option<Predicate> {
    match least {
        0 => Some(Predicate::Constant(true)),
        1 => Some(Predicate::any(parts)),
        _ if least == parts.len() => Some(Predicate::all(parts)),
        _ if least > parts.len() => Some(Predicate::Constant(false)),
        _ if parts.len() > 8 => None,
        _ => {
            let chosen = (0_u32..1 << parts.len()).filter(|set| set.count_ones() as usize == least);
            Some(Predicate::any(chosen.map(|set| {
                let own = parts.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
                Predicate::all(own.map(|(_, part)| part.clone()).collect::<Vec<_>>())
            })))
        }
    }
}
