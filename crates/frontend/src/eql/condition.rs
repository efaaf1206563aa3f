//! Conditions to predicates. The null, case, wildcard and multi-value rules of the language stand here, in the open.
//!
//! * A leaf is two-valued: what is compared is there and fits, or it is not so. Every negated leaf, `!=` and orderings
//!   included, is the plain complement, so it is true where the field is missing. (Elasticsearch since 7.15.)
//! * A field with several values passes a leaf if any of them does; two leaves may be passed by two values.
//! * What no single test can say (arithmetic, functions of two fields) is computed for each combination of values; a
//!   missing field enters as null; null is not true. A `not` around it stands outside that loop.
//! * Only constants know three truth values; see [`super::fold`].
//! * `:` is `like~`. `*` and `?` are wildcards in `:` and `like` only, and nothing escapes them.
//! * `?field` is an ordinary field: whether it is mapped is not known here.

use std::sync::Arc;

use lurcher_ir::{
    AddressFunction, Case, Expr, FieldRef, Function, Network, Predicate, Quantifier, SupportReason, Test, Verdict,
    Wildcard,
};
use lurcher_schema::{FieldType, Schemas, Value};

use super::{
    Options,
    ast::{Arithmetic, Comparison, Literal, Node, NodeKind, PatternOperator},
    fold,
    functions::{self, Id, Kind},
    leaf::{self, lengths},
};
use crate::{
    elasticsearch::{dates::DateError, field::Typed},
    syntax::lucene_regex::{self, RegexpError},
};

/// A condition: when it is true and when it is false.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// When it is true.
    pub(super) yes: Predicate,
    /// When it is false; `None`: whenever it is not true. Only constants make a third value possible.
    no: Option<Predicate>,
}

impl Truth {
    fn known(yes: Predicate) -> Self {
        Self { yes, no: None }
    }

    fn constant(value: Option<bool>) -> Self {
        match value {
            Some(truth) => Self::known(Predicate::Constant(truth)),
            None => Self { yes: Predicate::Constant(false), no: Some(Predicate::Constant(false)) },
        }
    }

    fn no(&self) -> Predicate {
        self.no.clone().unwrap_or_else(|| self.yes.clone().negate())
    }

    fn negate(self) -> Self {
        match self.no {
            None => Self::known(self.yes.negate()),
            Some(no) => Self { yes: no, no: Some(self.yes) },
        }
    }

    fn all(parts: &[Self]) -> Self {
        let no = parts.iter().any(|p| p.no.is_some()).then(|| Predicate::any(parts.iter().map(Self::no)));
        Self { yes: Predicate::all(parts.iter().map(|p| p.yes.clone())), no }
    }

    fn any(parts: &[Self]) -> Self {
        let no = parts.iter().any(|p| p.no.is_some()).then(|| Predicate::all(parts.iter().map(Self::no)));
        Self { yes: Predicate::any(parts.iter().map(|p| p.yes.clone())), no }
    }
}

/// Lowers conditions that [`super::check`] found no error in. For anything else the result is some predicate.
pub(super) struct Conditions<'a> {
    /// What the query leaves to whoever runs it.
    pub(super) options: &'a Options,
    /// The types of fields.
    pub(super) schemas: &'a Schemas,
    /// Why it cannot be run exactly.
    pub(super) reasons: Vec<SupportReason>,
}

impl Conditions<'_> {
    /// A field by its name.
    pub(super) fn field(&self, path: &Arc<str>) -> FieldRef {
        FieldRef::new(self.options.taxonomy, Arc::clone(path))
    }

    /// A condition.
    pub(super) fn condition(&mut self, node: &Node) -> Truth {
        if let Some(value) = constant(node) {
            return Truth::constant(fold::as_truth(&value));
        }
        match &node.kind {
            NodeKind::Not(inner) => self.condition(inner).negate(),
            NodeKind::And(parts) => Truth::all(&parts.iter().map(|p| self.condition(p)).collect::<Vec<_>>()),
            NodeKind::Or(parts) => Truth::any(&parts.iter().map(|p| self.condition(p)).collect::<Vec<_>>()),
            NodeKind::Field { path, .. } => {
                let test = Test::Equals(Value::Bool(true), Case::Sensitive);
                Truth::known(Predicate::test(self.field(path), test))
            }
            NodeKind::Compare { operator, left, right, .. } => self.compare(*operator, left, right, node),
            NodeKind::In { subject, insensitive, items } => self.is_in(subject, case_of(*insensitive), items, node),
            NodeKind::Pattern { subject, operator, patterns, .. } => self.pattern(subject, *operator, patterns, node),
            NodeKind::Call { name, insensitive, arguments, .. } => self.call(name, *insensitive, arguments, node),
            _ => self.holds(node),
        }
    }

    /// What no test can say.
    fn holds(&mut self, node: &Node) -> Truth {
        let expr = self.expr(node);
        Truth::known(any_value(expr))
    }

    fn compare(&mut self, operator: Comparison, left: &Node, right: &Node, node: &Node) -> Truth {
        let (operator, subject, value) = match (constant(left), constant(right)) {
            (None, Some(value)) => (operator, left, value),
            (Some(value), None) => (operator.mirrored(), right, value),
            _ if matches!(operator, Comparison::Equal | Comparison::NotEqual) => {
                let equal = self.equal(left, right);
                return Truth::known(if operator == Comparison::Equal { equal } else { equal.negate() });
            }
            _ => return self.holds(node),
        };
        if value.is_null() {
            return self.compare_with_null(operator, subject);
        }
        if let (true, Value::Bool(wanted)) = (is_condition(subject), &value) {
            return match operator {
                Comparison::Equal if *wanted => self.condition(subject),
                Comparison::NotEqual if !*wanted => self.condition(subject),
                Comparison::Equal | Comparison::NotEqual => self.condition(subject).negate(),
                _ => Truth::constant(None),
            };
        }
        if let Some(typed) = self.typed(subject) {
            if typed.kind == FieldType::Version && !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
                let key = |version| Expr::call(Function::Address(AddressFunction::VersionKey), [version]);
                let (own, other) = (Expr::Field(typed.field), Expr::Literal(Value::text(value.to_string())));
                return Truth::known(any_value(comparison(operator, key(own), key(other))));
            }
            let test = leaf::compare(&typed, operator, &value, self.options.now);
            return self.dated(test, node);
        }
        if let (Some(field), Some(number)) = (self.length_of(subject), value.as_number()) {
            let test = lengths(operator, number).map_or(Predicate::Constant(false), |t| Predicate::test(field, t));
            return Truth::known(if operator == Comparison::NotEqual { test.negate() } else { test });
        }
        let (subject, value) = (self.expr(subject), Expr::Literal(value));
        let positive =
            comparison(if operator == Comparison::NotEqual { Comparison::Equal } else { operator }, subject, value);
        let positive = any_value(positive);
        Truth::known(if operator == Comparison::NotEqual { positive.negate() } else { positive })
    }

    /// Whether two expressions are equal. `?a == ?b` only runs in Elasticsearch where one of the fields is not mapped;
    /// it then stands for null, and asks whether the other is missing.
    fn equal(&mut self, left: &Node, right: &Node) -> Predicate {
        let equal = any_value(comparison(Comparison::Equal, self.expr(left), self.expr(right)));
        let field = |node: &Node| match &node.kind {
            NodeKind::Field { path, optional, .. } => Some((self.field(path), *optional)),
            _ => None,
        };
        match (field(left), field(right)) {
            (Some((left, one)), Some((right, other))) if one || other => {
                let missing = [left, right].map(|field| Predicate::test(field, Test::Exists).negate());
                Predicate::any([equal, Predicate::all(missing)])
            }
            _ => equal,
        }
    }

    fn compare_with_null(&mut self, operator: Comparison, subject: &Node) -> Truth {
        let negated = match operator {
            Comparison::Equal => false,
            Comparison::NotEqual => true,
            _ => return Truth::constant(None),
        };
        if let NodeKind::Field { path, .. } = &subject.kind {
            let exists = Predicate::test(self.field(path), Test::Exists);
            return Truth::known(if negated { exists } else { exists.negate() });
        }
        // Inside the loop over values: true if it is (not) null for *some* combination.
        let is_null = Expr::call(Function::IsNull, [self.expr(subject)]);
        Truth::known(any_value(if negated { Expr::call(Function::Not, [is_null]) } else { is_null }))
    }

    fn is_in(&mut self, subject: &Node, case: Case, items: &[Node], node: &Node) -> Truth {
        let Some(values) = items.iter().map(constant).collect::<Option<Vec<Value>>>() else {
            return self.holds(node);
        };
        let values: Vec<Value> = values.into_iter().filter(|v| !v.is_null()).collect();
        if values.is_empty() {
            return Truth::constant(None);
        }
        if let Some(typed) = self.typed(subject) {
            let test = typed.one_of(&values, case, self.options.now);
            return self.dated(test, node);
        }
        let subject = self.expr(subject);
        let arguments = std::iter::once(subject).chain(values.into_iter().map(Expr::Literal));
        Truth::known(any_value(Expr::call(Function::In(case), arguments)))
    }

    fn pattern(&mut self, subject: &Node, operator: PatternOperator, patterns: &[Node], node: &Node) -> Truth {
        let values: Vec<Value> = patterns.iter().filter_map(constant).filter(|v| !v.is_null()).collect();
        if values.is_empty() {
            return Truth::constant(None);
        }
        let Some(typed) = self.typed(subject) else {
            return self.holds(node);
        };
        match operator {
            PatternOperator::Regex { insensitive } => {
                let tests: Vec<Predicate> = values
                    .iter()
                    .filter_map(|p| self.regex(p, insensitive, node))
                    .map(|r| typed.test(Test::Regex(r)))
                    .collect();
                Truth::known(Predicate::any(tests))
            }
            PatternOperator::Like { insensitive: false } => {
                let test = typed.like(&values, Case::Sensitive, self.options.now);
                self.dated(test, node)
            }
            _ => {
                let test = typed.like(&values, Case::Insensitive, self.options.now);
                self.dated(test, node)
            }
        }
    }

    fn regex(&mut self, pattern: &Value, insensitive: bool, node: &Node) -> Option<lurcher_ir::Regex> {
        match lucene_regex::translate(&pattern.to_string(), case_of(insensitive)) {
            Ok(regex) => Some(regex),
            Err(RegexpError::Unsupported(operator)) => {
                let message = format!("the regular expression uses Lucene's operator `{operator}`");
                self.reason(Verdict::Unsupported, "eql-regex-operator", &message, node);
                None
            }
            Err(RegexpError::Malformed(_)) => None,
        }
    }

    fn call(&mut self, name: &str, insensitive: bool, arguments: &[Node], node: &Node) -> Truth {
        let Some(spec) = functions::find(name) else {
            return Truth::constant(None);
        };
        let [subject, rest @ ..] = arguments else {
            return Truth::constant(None);
        };
        if rest.iter().any(|a| constant(a).is_some_and(|v| v.is_null())) {
            return Truth::constant(None);
        }
        let field = match self.typed(subject) {
            Some(typed) => typed.field,
            None => return self.holds(node),
        };
        let Some(constants) = rest.iter().map(constant).collect::<Option<Vec<Value>>>() else {
            return self.holds(node);
        };
        let case = case_of(insensitive);
        let part: Arc<str> = match (constants.first(), case) {
            (Some(value), Case::Sensitive) => value.to_string().into(),
            (Some(value), Case::Insensitive) => lurcher_ir::fold_text(&value.to_string()).into(),
            (None, _) => return Truth::constant(None),
        };
        let test = match spec.id {
            Id::StartsWith => Test::Prefix(part, case),
            Id::EndsWith => Test::Suffix(part, case),
            Id::StringContains if part.is_empty() => return Truth::known(Predicate::Constant(false)),
            Id::StringContains => Test::Contains(part, case),
            Id::CidrMatch => Test::InNetwork(networks(&constants)),
            _ => return self.holds(node),
        };
        Truth::known(Predicate::test(field, test))
    }

    /// A field, or the text of one (`string(field)`), as what tests look at.
    fn typed(&self, node: &Node) -> Option<Typed> {
        let field = |node: &Node| match &node.kind {
            NodeKind::Field { path, .. } => {
                Some(Typed { field: self.field(path), kind: self.schemas.field_type(self.options.taxonomy, path) })
            }
            _ => None,
        };
        match &node.kind {
            NodeKind::Call { name, arguments, .. } if functions::find(name)?.id == Id::String => {
                let typed = field(arguments.first()?)?;
                // Where the text form is the same whatever the document wrote.
                let plain = matches!(typed.kind, FieldType::Keyword | FieldType::Integer | FieldType::Boolean);
                plain.then_some(Typed { kind: FieldType::Keyword, ..typed })
            }
            _ => field(node),
        }
    }

    fn length_of(&self, node: &Node) -> Option<FieldRef> {
        match &node.kind {
            NodeKind::Call { name, arguments, .. } if functions::find(name)?.id == Id::Length => {
                self.typed(arguments.first()?).map(|typed| typed.field)
            }
            _ => None,
        }
    }

    fn dated(&mut self, test: Result<Predicate, DateError>, node: &Node) -> Truth {
        if let Ok(predicate) = test {
            return Truth::known(predicate);
        }
        let message = "a date counts from `now`, and the time of the run is not known when the rule is read";
        self.reason(Verdict::Unsupported, "eql-now", message, node);
        Truth::constant(None)
    }

    fn reason(&mut self, verdict: Verdict, code: &'static str, message: &str, node: &Node) {
        self.reasons.push(SupportReason { verdict, code, message: message.to_owned(), span: Some(node.span) });
    }

    // Expressions

    fn expr(&mut self, node: &Node) -> Expr {
        if let Some(value) = constant(node) {
            return Expr::Literal(value);
        }
        match &node.kind {
            NodeKind::Error | NodeKind::Literal(_) => Expr::Literal(Value::Null),
            NodeKind::Field { path, .. } => Expr::Field(self.field(path)),
            NodeKind::Not(inner) => Expr::call(Function::Not, [self.expr(inner)]),
            NodeKind::Negate(inner) => Expr::call(Function::Negate, [self.expr(inner)]),
            NodeKind::And(parts) => Expr::Call(Function::And, parts.iter().map(|p| self.expr(p)).collect()),
            NodeKind::Or(parts) => Expr::Call(Function::Or, parts.iter().map(|p| self.expr(p)).collect()),
            NodeKind::Arithmetic { operator, left, right } => {
                Expr::call(arithmetic(*operator), [self.expr(left), self.expr(right)])
            }
            NodeKind::Compare { operator, left, right, .. } => {
                let null = |node| constant(node).is_some_and(|v| v.is_null());
                match (operator, null(left), null(right)) {
                    (Comparison::Equal, false, true) => Expr::call(Function::IsNull, [self.expr(left)]),
                    (Comparison::Equal, true, false) => Expr::call(Function::IsNull, [self.expr(right)]),
                    (Comparison::NotEqual, false, true) => not_null(self.expr(left)),
                    (Comparison::NotEqual, true, false) => not_null(self.expr(right)),
                    _ => comparison(*operator, self.expr(left), self.expr(right)),
                }
            }
            NodeKind::In { subject, insensitive, items } => {
                let arguments = std::iter::once(subject.as_ref()).chain(items).map(|n| self.expr(n)).collect();
                Expr::Call(Function::In(case_of(*insensitive)), arguments)
            }
            NodeKind::Pattern { subject, operator, patterns, .. } => {
                self.pattern_expr(subject, *operator, patterns, node)
            }
            NodeKind::Call { name, insensitive, arguments, .. } => self.call_expr(name, *insensitive, arguments),
        }
    }

    fn pattern_expr(&mut self, subject: &Node, operator: PatternOperator, patterns: &[Node], node: &Node) -> Expr {
        let subject = self.expr(subject);
        let mut tests = Vec::new();
        for pattern in patterns.iter().filter_map(constant).filter(|v| !v.is_null()) {
            let function = match (operator, &pattern) {
                (PatternOperator::Regex { insensitive }, _) => {
                    let Some(regex) = self.regex(&pattern, insensitive, node) else { continue };
                    Function::Matches(regex)
                }
                (PatternOperator::Like { insensitive: false }, Value::Text(text)) => {
                    Function::Like(Wildcard::parse(text), Case::Sensitive)
                }
                (_, Value::Text(text)) => {
                    Function::Like(Wildcard::parse(&lurcher_ir::fold_text(text)), Case::Insensitive)
                }
                _ => {
                    let arguments = [subject.clone(), Expr::Literal(pattern)];
                    tests.push(Expr::call(Function::Equal(Case::Sensitive), arguments));
                    continue;
                }
            };
            tests.push(Expr::call(function, [subject.clone()]));
        }
        if tests.len() == 1 { tests.remove(0) } else { Expr::Call(Function::Or, tests) }
    }

    fn call_expr(&mut self, name: &str, insensitive: bool, arguments: &[Node]) -> Expr {
        let Some(spec) = functions::find(name) else {
            return Expr::Literal(Value::Null);
        };
        let case = case_of(insensitive);
        let mut taken = arguments.len();
        let function = match spec.id {
            Id::Add => Function::Add,
            Id::Subtract => Function::Subtract,
            Id::Multiply => Function::Multiply,
            Id::Divide => Function::DivideTruncating,
            Id::Modulo => Function::Modulo,
            Id::Between => {
                taken = 3;
                let greedy = arguments.get(3).and_then(constant) == Some(Value::Bool(true));
                Function::Between { case, greedy }
            }
            Id::CidrMatch => match arguments.iter().skip(1).map(constant).collect::<Option<Vec<Value>>>() {
                Some(blocks) if !blocks.iter().any(Value::is_null) => {
                    taken = 1;
                    Function::InNetwork(networks(&blocks))
                }
                _ => Function::CidrMatch,
            },
            Id::Concat => Function::Concat,
            Id::EndsWith => Function::EndsWith(case),
            Id::StartsWith => Function::StartsWith(case),
            Id::StringContains => Function::ContainsNonEmpty(case),
            Id::IndexOf => Function::IndexOf(case),
            Id::Length => Function::LengthUtf16,
            Id::Number => Function::ToNumber,
            Id::String => Function::ToText,
            Id::Substring => Function::Slice,
        };
        // A null that may be left out is left out: the last by its absence, the start of `substring` as the first place.
        let null = |at: usize| arguments.get(at).and_then(constant).is_some_and(|value| value.is_null());
        while taken > spec.id.needed() && null(taken - 1) {
            taken -= 1;
        }
        let mut values: Vec<Expr> = arguments.iter().take(taken).map(|a| self.expr(a)).collect();
        if spec.id == Id::Substring && (taken < 2 || null(1)) {
            values.truncate(1);
            values.push(Expr::Literal(Value::Int(0)));
            values.extend(arguments.get(2..taken).unwrap_or_default().iter().map(|a| self.expr(a)));
        }
        Expr::Call(function, values)
    }
}

fn networks(constants: &[Value]) -> Arc<[Network]> {
    constants.iter().filter_map(|block| Network::parse(&block.to_string())).collect()
}

fn any_value(expr: Expr) -> Predicate {
    Predicate::Holds { expr, fields: Quantifier::AnyValue }
}

fn not_null(expr: Expr) -> Expr {
    Expr::call(Function::Not, [Expr::call(Function::IsNull, [expr])])
}

fn case_of(insensitive: bool) -> Case {
    if insensitive { Case::Insensitive } else { Case::Sensitive }
}

fn comparison(operator: Comparison, left: Expr, right: Expr) -> Expr {
    let equal = Function::Equal(Case::Sensitive);
    match operator {
        Comparison::Equal => Expr::call(equal, [left, right]),
        Comparison::NotEqual => Expr::call(Function::Not, [Expr::call(equal, [left, right])]),
        Comparison::Less => Expr::call(Function::Less, [left, right]),
        Comparison::LessOrEqual => Expr::call(Function::LessOrEqual, [left, right]),
        Comparison::Greater => Expr::call(Function::Less, [right, left]),
        Comparison::GreaterOrEqual => Expr::call(Function::LessOrEqual, [right, left]),
    }
}

fn arithmetic(operator: Arithmetic) -> Function {
    match operator {
        Arithmetic::Add => Function::Add,
        Arithmetic::Subtract => Function::Subtract,
        Arithmetic::Multiply => Function::Multiply,
        Arithmetic::Divide => Function::DivideTruncating,
        Arithmetic::Modulo => Function::Modulo,
    }
}

/// Whether it yields a truth value by itself (a field does not: it is compared).
fn is_condition(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Call { name, .. } => functions::find(name).is_some_and(|spec| spec.returns == Kind::Boolean),
        NodeKind::Compare { .. }
        | NodeKind::In { .. }
        | NodeKind::Pattern { .. }
        | NodeKind::Not(_)
        | NodeKind::And(_)
        | NodeKind::Or(_) => true,
        _ => false,
    }
}

/// The value of an expression without fields; also of a function that is null because an argument is.
fn constant(node: &Node) -> Option<Value> {
    Some(match &node.kind {
        NodeKind::Literal(Literal::Null) => Value::Null,
        NodeKind::Literal(Literal::Bool(b)) => Value::Bool(*b),
        NodeKind::Literal(Literal::Int(n)) => Value::Int(*n),
        NodeKind::Literal(Literal::Float(n)) => Value::Float(*n),
        NodeKind::Literal(Literal::Text(text)) => Value::Text(Arc::clone(text)),
        NodeKind::Error | NodeKind::Field { .. } => return None,
        NodeKind::Not(inner) => fold::truth(fold::as_truth(&constant(inner)?).map(|b| !b)),
        NodeKind::And(parts) => fold::truth(fold::and(truths(parts)?)),
        NodeKind::Or(parts) => fold::truth(fold::or(truths(parts)?)),
        NodeKind::Negate(inner) => fold::arithmetic(Arithmetic::Subtract, &Value::Int(0), &constant(inner)?),
        NodeKind::Arithmetic { operator, left, right } => match (constant(left), constant(right)) {
            (Some(left), Some(right)) => fold::arithmetic(*operator, &left, &right),
            (Some(Value::Null), _) | (_, Some(Value::Null)) => Value::Null,
            _ => return None,
        },
        NodeKind::Compare { operator, left, right, .. } => {
            fold::truth(fold::compare(*operator, &constant(left)?, &constant(right)?))
        }
        NodeKind::In { subject, insensitive, items } => {
            let items = items.iter().map(constant).collect::<Option<Vec<Value>>>()?;
            fold::truth(fold::is_in(&constant(subject)?, &items, case_of(*insensitive)))
        }
        NodeKind::Pattern { subject, .. } => return constant(subject).filter(Value::is_null),
        NodeKind::Call { name, insensitive, arguments, .. } => {
            let spec = functions::find(name)?;
            let values: Vec<Option<Value>> = arguments.iter().map(constant).collect();
            if values.iter().take(spec.id.needed()).any(|v| v.as_ref().is_some_and(Value::is_null)) {
                return Some(Value::Null);
            }
            fold::call(spec.id, *insensitive, &values.into_iter().collect::<Option<Vec<Value>>>()?)
        }
    })
}

fn truths(parts: &[Node]) -> Option<Vec<Option<bool>>> {
    parts.iter().map(|part| constant(part).map(|value| fold::as_truth(&value))).collect()
}
