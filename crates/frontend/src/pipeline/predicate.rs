//! Expressions to predicates: three truth values to two.
//!
//! The engine's predicates are never unknown, SPL2's conditions may be: a comparison with null is null, and `where`
//! keeps a row only when its condition is true. So a condition *p* becomes two formulas, [`Predicates::holds`] ("p is
//! true") and [`Predicates::fails`] ("p is false"); `NOT` swaps them, and where neither holds, *p* is null. Thus
//! `NOT match(path, /x/) = true` is "the path exists and does not match": a missing path never fires.
//!
//! What one [`Test`] can say of one field becomes that test, so that it reaches the index. Everything else stays an
//! expression ([`Predicate::Holds`], fields as they are). Tests are true if *any* value of a field satisfies them;
//! the language compares a list with text to false. The fields that rules compare hold single values, and the one
//! list that they read, `_datamodels`, is only asked for membership, so the two agree.
//!
//! Case: `=`, `LIKE` and `match` are case-sensitive. `lower(f) = "x"` is a test of `f` that ignores case, if `"x"` is
//! all lower case; otherwise nothing can equal it.

use std::sync::Arc;

use lurcher_ir::{
    AddressFunction, Bound, Case, Expr, FieldRef, Function, ListFunction, LooseFunction, Predicate, Quantifier, Regex,
    Test, TextFunction, Wildcard, WildcardPiece, fold_text,
};
use lurcher_schema::{FieldType, Schemas, Value};

use super::single;

/// Makes predicates of expressions over event fields.
pub(crate) struct Predicates<'a> {
    schemas: &'a Schemas,
    /// How many more nodes may be made; beyond, expressions stay as they are. Some rules below use a part twice.
    budget: usize,
}

/// A side of a comparison that a test can look at.
enum Subject<'e> {
    /// The field.
    Field(&'e FieldRef),
    /// The field in lower case.
    Lowered(&'e FieldRef),
    /// The length of the field.
    Length(&'e FieldRef),
}

impl<'a> Predicates<'a> {
    /// With the types of the fields.
    pub(crate) fn new(schemas: &'a Schemas) -> Self {
        Self { schemas, budget: 20_000 }
    }

    /// When the expression is true.
    pub(crate) fn holds(&mut self, expr: &Expr) -> Predicate {
        self.truth(expr, true)
    }

    /// When the expression is false (not null).
    pub(crate) fn fails(&mut self, expr: &Expr) -> Predicate {
        self.truth(expr, false)
    }

    fn truth(&mut self, expr: &Expr, wanted: bool) -> Predicate {
        if self.budget == 0 {
            return residual(expr, wanted);
        }
        self.budget -= 1;
        let found = match expr {
            Expr::Literal(Value::Bool(truth)) => Some(Predicate::Constant(*truth == wanted)),
            Expr::Literal(_) | Expr::List(_) | Expr::Object(_) | Expr::Event(_) => Some(Predicate::Constant(false)),
            Expr::Field(field) if !self.is_object(field) => {
                Some(Predicate::test(field.clone(), Test::Equals(Value::Bool(wanted), Case::Sensitive)))
            }
            Expr::Call(function, arguments) => {
                self.single(expr, function, arguments, wanted).or_else(|| self.call(function, arguments, wanted))
            }
            _ => None,
        };
        found.unwrap_or_else(|| residual(expr, wanted))
    }

    /// A leaf that takes one value of a field, as tests; `None` if it is none, or no tests can say it.
    fn single(&mut self, expr: &Expr, function: &Function, arguments: &[Expr], wanted: bool) -> Option<Predicate> {
        if let Some(found) = single::read_leaf(function, arguments, wanted) {
            return Some(found);
        }
        let mut fields = Vec::new();
        let bare = single::bare(expr, &mut fields);
        if fields.is_empty() {
            return None;
        }
        let found = match &bare {
            Expr::Call(function, arguments) if single::is_leaf(function) => self.call(function, arguments, wanted),
            Expr::Field(_) => Some(self.truth(&bare, wanted)),
            _ => None,
        };
        found.filter(single::is_plain).map(|found| single::guarded(fields, found))
    }

    fn call(&mut self, function: &Function, arguments: &[Expr], wanted: bool) -> Option<Predicate> {
        match (function, arguments) {
            // A test is true if any value of its field satisfies it.
            (Function::Loose(LooseFunction::AnyValue(inner)), arguments) => match inner.as_ref() {
                Function::Loose(LooseFunction::Contrary(inner)) => self.contrary(inner, arguments, wanted),
                inner => self.call(inner, arguments, wanted),
            },
            (Function::And, parts) => Some(self.junction(parts, wanted, wanted)),
            (Function::Or, parts) => Some(self.junction(parts, !wanted, wanted)),
            (Function::Not, [inner]) => Some(self.truth(inner, !wanted)),
            (Function::IsNull, [inner]) => {
                let absent = self.absent(inner);
                Some(if wanted { absent } else { absent.negate() })
            }
            (Function::Equal(case), [left, right]) => self.equal(left, right, *case, wanted),
            (Function::Less, [left, right]) => range(left, right, false, wanted),
            (Function::LessOrEqual, [left, right]) => range(left, right, true, wanted),
            (Function::In(case), [needle, items @ ..]) => self.within(needle, items, *case, wanted),
            (Function::Like(pattern, case), [text]) => like(text, pattern, *case, wanted),
            (Function::Matches(regex), [text]) => matches(text, regex, wanted),
            (Function::InNetwork(networks), [address]) => {
                let field = match address {
                    Expr::Field(field) => field,
                    Expr::Call(Function::Address(AddressFunction::Address), inner) => match inner.as_slice() {
                        [Expr::Field(field)] => field,
                        _ => return None,
                    },
                    _ => return None,
                };
                Some(decided(field, Test::InNetwork(Arc::clone(networks)), wanted))
            }
            (Function::StartsWith(case), [text, Expr::Literal(Value::Text(part))]) => {
                piece(text, part, *case, wanted, Test::Prefix)
            }
            (Function::EndsWith(case), [text, Expr::Literal(Value::Text(part))]) => {
                piece(text, part, *case, wanted, Test::Suffix)
            }
            (Function::ContainsNonEmpty(case), [text, Expr::Literal(Value::Text(part))]) if !part.is_empty() => {
                piece(text, part, *case, wanted, Test::Contains)
            }
            (Function::Text(TextFunction::Contains), [text, Expr::Literal(Value::Text(part))]) => {
                piece(text, part, Case::Sensitive, wanted, Test::Contains)
            }
            (Function::If, [condition, then, otherwise]) => {
                let chosen = [self.holds(condition), self.truth(then, wanted)];
                let other = [self.holds(condition).negate(), self.truth(otherwise, wanted)];
                Some(Predicate::any([Predicate::all(chosen), Predicate::all(other)]))
            }
            _ => None,
        }
    }

    /// Whether a field has a value that a function is false of. Of one value that is its negation; of several each is
    /// looked at, since what holds of none of them is another matter.
    fn contrary(&mut self, function: &Function, arguments: &[Expr], wanted: bool) -> Option<Predicate> {
        let plain = self.call(function, arguments, !wanted).filter(single::is_plain)?;
        let mut fields = Vec::new();
        plain.fields(&mut |field| fields.push(field.clone()));
        fields.dedup();
        let [field] = fields.as_slice() else { return fields.is_empty().then_some(plain) };
        let contrary = Function::Loose(LooseFunction::Contrary(Box::new(function.clone())));
        let each = Function::Loose(LooseFunction::AnyValue(Box::new(contrary)));
        let each = residual(&Expr::Call(each, arguments.to_vec()), wanted);
        let one = Predicate::test(field.clone(), Test::Single);
        Some(if wanted {
            let exists = Predicate::test(field.clone(), Test::Exists);
            Predicate::any([plain, Predicate::all([exists, one.negate(), each])])
        } else {
            Predicate::all([plain, Predicate::any([one, each])])
        })
    }

    fn junction(&mut self, parts: &[Expr], all: bool, wanted: bool) -> Predicate {
        let parts: Vec<_> = parts.iter().map(|part| self.truth(part, wanted)).collect();
        if all { Predicate::all(parts) } else { Predicate::any(parts) }
    }

    /// When the expression is null.
    fn absent(&mut self, expr: &Expr) -> Predicate {
        if self.budget == 0 {
            return whole(is_null(expr));
        }
        self.budget -= 1;
        match expr {
            Expr::Literal(value) => Predicate::Constant(value.is_missing()),
            Expr::Object(_) | Expr::Event(_) | Expr::Call(Function::IsNull, _) => Predicate::Constant(false),
            Expr::Field(field) if !self.is_object(field) => Predicate::test(field.clone(), Test::Exists).negate(),
            // Null exactly where their argument is.
            Expr::Call(Function::Lower | Function::Upper | Function::Trim | Function::ToText, arguments) => {
                match arguments.as_slice() {
                    [argument] => self.absent(argument),
                    _ => whole(is_null(expr)),
                }
            }
            Expr::Call(Function::Coalesce, arguments) => {
                let parts: Vec<_> = arguments.iter().map(|argument| self.absent(argument)).collect();
                Predicate::all(parts)
            }
            expr if is_condition(expr) => {
                let parts = [self.holds(expr).negate(), self.fails(expr).negate()];
                Predicate::all(parts)
            }
            _ => whole(is_null(expr)),
        }
    }

    fn equal(&mut self, left: &Expr, right: &Expr, case: Case, wanted: bool) -> Option<Predicate> {
        let (subject, literal) = match (left, right) {
            (Expr::Literal(a), Expr::Literal(b)) => return constant_equality(a, b, wanted),
            (subject, Expr::Literal(literal)) | (Expr::Literal(literal), subject) => (subject, literal),
            _ => return None,
        };
        if literal.is_null() {
            return Some(Predicate::Constant(false));
        }
        if let (Value::Bool(truth), true) = (literal, is_condition(subject)) {
            return Some(self.truth(subject, *truth == wanted));
        }
        if let Expr::Call(Function::If, branches) = subject
            && let [condition, then, otherwise] = branches.as_slice()
        {
            let [then, otherwise] = [then, otherwise]
                .map(|branch| Expr::call(Function::Equal(case), [branch.clone(), Expr::Literal(literal.clone())]));
            return Some(self.truth(&Expr::call(Function::If, [condition.clone(), then, otherwise]), wanted));
        }
        self.within(subject, &[Expr::Literal(literal.clone())], case, wanted)
    }

    /// Whether a value is one of several.
    fn within(&mut self, needle: &Expr, items: &[Expr], case: Case, wanted: bool) -> Option<Predicate> {
        if let (Expr::Literal(value), [Expr::Field(list)]) = (needle, items) {
            // Membership in a list, such as `"Endpoint_Processes" IN(_datamodels)`.
            let scalar = !matches!(value, Value::Null | Value::List(_) | Value::Object(_));
            return scalar.then(|| decided(list, Test::Equals(value.clone(), case), wanted));
        }
        let mut values = Vec::new();
        for item in items {
            match item {
                Expr::Literal(Value::List(_) | Value::Object(_)) => return None,
                Expr::Literal(value) => values.push(value.clone()),
                _ => return None,
            }
        }
        let has_null = values.iter().any(Value::is_null);
        values.retain(|value| !value.is_null());
        // "Not one of (a, null)" is never true: the null may be it.
        if has_null && !wanted {
            return Some(Predicate::Constant(false));
        }
        match subject(needle) {
            Some(Subject::Field(field)) if !self.is_object(field) => Some(decided(field, one_of(values, case), wanted)),
            Some(Subject::Lowered(field)) => {
                values.retain(|value| value.as_text().is_none_or(|text| fold_text(text) == text));
                Some(decided(field, one_of(values, Case::Insensitive), wanted))
            }
            Some(_) => None,
            None => drawn_from(needle).filter(|_| wanted).and_then(|(field, case)| {
                // What is a piece of the field can only equal what the field contains: that much reaches the index.
                let pieces: Option<Vec<_>> = values.iter().map(|value| contains(field, value, case)).collect();
                let expr = Expr::call(
                    Function::In(Case::Sensitive),
                    std::iter::once(needle.clone()).chain(values.iter().cloned().map(Expr::Literal)),
                );
                pieces.map(|pieces| Predicate::all([Predicate::any(pieces), whole(expr)]))
            }),
        }
    }

    /// Whether a field is an object in its taxonomy. A test looks at values; an object is asked for as a whole.
    fn is_object(&self, field: &FieldRef) -> bool {
        self.schemas.field_type(field.taxonomy, field.path.as_str()) == FieldType::Object
    }
}

/// A test of a field, or that it is there and the test false.
fn decided(field: &FieldRef, test: Test, wanted: bool) -> Predicate {
    let holds = match &test {
        Test::OneOf(values, _) if values.is_empty() => Predicate::Constant(false),
        _ => Predicate::test(field.clone(), test),
    };
    if wanted {
        return holds;
    }
    Predicate::all([Predicate::test(field.clone(), Test::Exists), holds.negate()])
}

fn one_of(mut values: Vec<Value>, case: Case) -> Test {
    match (values.len(), values.pop()) {
        (1, Some(only)) => Test::Equals(only, case),
        (_, last) => Test::OneOf(values.into_iter().chain(last).collect(), case),
    }
}

fn contains(field: &FieldRef, value: &Value, case: Case) -> Option<Predicate> {
    let text = value.as_text().filter(|text| !text.is_empty())?;
    let text = if case == Case::Insensitive { fold_text(text).into() } else { Arc::from(text) };
    Some(Predicate::test(field.clone(), Test::Contains(text, case)))
}

fn like(text: &Expr, pattern: &Wildcard, case: Case, wanted: bool) -> Option<Predicate> {
    match subject(text)? {
        Subject::Field(field) => Some(decided(field, Test::from_wildcard(pattern.clone(), case), wanted)),
        Subject::Lowered(field) if is_lower(pattern) => {
            Some(decided(field, Test::from_wildcard(pattern.clone(), Case::Insensitive), wanted))
        }
        Subject::Lowered(field) => Some(decided(field, Test::OneOf(Arc::from([]), case), wanted)),
        Subject::Length(_) => None,
    }
}

/// A text that begins with, ends with or holds another.
fn piece(
    text: &Expr,
    part: &Arc<str>,
    case: Case,
    wanted: bool,
    make: fn(Arc<str>, Case) -> Test,
) -> Option<Predicate> {
    let folded = || Arc::from(fold_text(part));
    match subject(text)? {
        Subject::Field(field) if case == Case::Sensitive => Some(decided(field, make(Arc::clone(part), case), wanted)),
        Subject::Field(field) => Some(decided(field, make(folded(), case), wanted)),
        Subject::Lowered(field) if fold_text(part) == part.as_ref() => {
            Some(decided(field, make(folded(), Case::Insensitive), wanted))
        }
        _ => None,
    }
}

fn is_lower(pattern: &Wildcard) -> bool {
    pattern.pieces.iter().all(|piece| match piece {
        WildcardPiece::Literal(text) => fold_text(text) == text.as_ref(),
        WildcardPiece::One | WildcardPiece::Any => true,
    })
}

fn matches(text: &Expr, regex: &Regex, wanted: bool) -> Option<Predicate> {
    match subject(text)? {
        Subject::Field(field) => Some(decided(field, Test::Regex(regex.clone()), wanted)),
        // An expression that ignores case throughout finds the same in a text and in its lower case.
        Subject::Lowered(field) if regex.pattern.starts_with("(?i)") && !regex.pattern.contains("(?-i") => {
            Some(decided(field, Test::Regex(regex.clone()), wanted))
        }
        _ => None,
    }
}

/// `left < right` or `left <= right` as a range. A comparison that is false is the opposite comparison that is true,
/// so a text that is no number is neither less than 5 nor not.
fn range(left: &Expr, right: &Expr, or_equal: bool, wanted: bool) -> Option<Predicate> {
    let (subject_expr, literal, upper) = match (left, right) {
        (Expr::Literal(_), Expr::Literal(_)) => return None,
        (subject, Expr::Literal(literal)) => (subject, literal, true),
        (Expr::Literal(literal), subject) => (subject, literal, false),
        _ => return None,
    };
    let upper = upper == wanted;
    let inclusive = or_equal == wanted;
    match (subject(subject_expr)?, literal) {
        (Subject::Field(field), Value::Int(_) | Value::Float(_) | Value::Text(_)) => {
            let bound = Some(Bound { value: literal.clone(), time: None, inclusive });
            let test =
                if upper { Test::Range { low: None, high: bound } } else { Test::Range { low: bound, high: None } };
            Some(Predicate::test(field.clone(), test))
        }
        (Subject::Length(field), Value::Int(length)) => {
            let test = match (
                upper,
                if inclusive {
                    *length
                } else if upper {
                    *length - 1
                } else {
                    length.checked_add(1)?
                },
            ) {
                (true, max) if max < 0 => return Some(Predicate::Constant(false)),
                (true, max) => Test::Length { min: 0, max: u64::try_from(max).ok() },
                (false, min) => Test::Length { min: u64::try_from(min).unwrap_or(0), max: None },
            };
            Some(Predicate::test(field.clone(), test))
        }
        (_, Value::Null) => Some(Predicate::Constant(false)),
        _ => None,
    }
}

fn constant_equality(a: &Value, b: &Value, wanted: bool) -> Option<Predicate> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Some(Predicate::Constant(false)),
        (Value::Text(_), Value::Text(_)) | (Value::Int(_), Value::Int(_)) | (Value::Bool(_), Value::Bool(_)) => {
            Some(Predicate::Constant((a == b) == wanted))
        }
        _ => None,
    }
}

fn subject(expr: &Expr) -> Option<Subject<'_>> {
    match expr {
        Expr::Field(field) => Some(Subject::Field(field)),
        // Of each value, where a test is of any.
        Expr::Call(Function::List(ListFunction::Each(inner)), arguments) if **inner == Function::Lower => {
            match subject(arguments.first()?)? {
                Subject::Field(field) | Subject::Lowered(field) => Some(Subject::Lowered(field)),
                Subject::Length(_) => None,
            }
        }
        Expr::Call(Function::ToText, arguments) => match arguments.as_slice() {
            [inner] => subject(inner),
            _ => None,
        },
        Expr::Call(Function::Lower, arguments) => match subject(arguments.first()?)? {
            Subject::Field(field) | Subject::Lowered(field) => Some(Subject::Lowered(field)),
            Subject::Length(_) => None,
        },
        Expr::Call(Function::LengthUtf16, arguments) => match subject(arguments.first()?)? {
            Subject::Field(field) => Some(Subject::Length(field)),
            _ => None,
        },
        _ => None,
    }
}

/// The field that the value of an expression is always a piece of, and whether in the same case.
fn drawn_from(expr: &Expr) -> Option<(&FieldRef, Case)> {
    let Expr::Call(function, arguments) = expr else {
        return if let Expr::Field(field) = expr { Some((field, Case::Sensitive)) } else { None };
    };
    let inner = drawn_from(arguments.first()?);
    match function {
        Function::Lower | Function::Upper => inner.map(|(field, _)| (field, Case::Insensitive)),
        Function::Trim | Function::Substring | Function::ToText | Function::Capture(..) | Function::Split => inner,
        Function::Index if arguments.len() == 2 => match arguments.first()? {
            Expr::Call(Function::Split, _) => inner,
            _ => None,
        },
        _ => None,
    }
}

/// Whether the value of an expression can only be true, false or null.
fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(Value::Bool(_)) => true,
        Expr::Call(Function::If, arguments) => arguments.iter().skip(1).all(is_condition),
        Expr::Call(function, _) => matches!(
            function,
            Function::And
                | Function::Or
                | Function::Not
                | Function::IsNull
                | Function::Equal(_)
                | Function::Less
                | Function::LessOrEqual
                | Function::In(_)
                | Function::Like(..)
                | Function::Matches(_)
                | Function::InNetwork(_)
                | Function::CidrMatch
                | Function::Loose(LooseFunction::AnyValue(_))
        ),
        _ => false,
    }
}

fn residual(expr: &Expr, wanted: bool) -> Predicate {
    whole(if wanted { expr.clone() } else { Expr::call(Function::Not, [expr.clone()]) })
}

fn whole(expr: Expr) -> Predicate {
    Predicate::Holds { expr, fields: Quantifier::Whole }
}

fn is_null(expr: &Expr) -> Expr {
    Expr::call(Function::IsNull, [expr.clone()])
}
