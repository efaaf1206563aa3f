//! `field: { condition }`: one and the same element of a list of objects satisfies the condition.
//!
//! The condition has been lowered to a predicate over the fields of the whole event. Here it becomes an expression over
//! one element, which is asked of each element in turn. An event whose field is a single object, not a list, is
//! simply asked for the fields below it.

use std::sync::Arc;

use lurcher_ir::{Case, Expr, FieldRef, Function, Predicate, Quantifier, Test};
use lurcher_schema::Value;

/// The name under which an element is known in the expression.
const ELEMENT: &str = "element";

/// What an event must be like so that one element of `list` satisfies `inner`, whose fields lie below `list`. `None` if
/// it asks what no expression can say of an element: the words of analysed text, nearly equal texts.
pub(crate) fn any_element(list: &FieldRef, inner: &Predicate) -> Option<Predicate> {
    let prefix = format!("{}.", list.path);
    let body = of_element(inner, &prefix)?;
    let every =
        Expr::ForEach { list: Box::new(Expr::Field(list.clone())), variable: Arc::from(ELEMENT), body: Box::new(body) };
    let any = Expr::call(Function::In(Case::Sensitive), [Expr::Literal(Value::Bool(true)), every]);
    let is_list = Predicate::test(list.clone(), Test::Exists);
    let in_list = Predicate::all([is_list.clone(), Predicate::Holds { expr: any, fields: Quantifier::Whole }]);
    Some(Predicate::any([in_list, Predicate::all([is_list.negate(), inner.clone()])]))
}

/// The predicate as an expression over the element; never null.
fn of_element(predicate: &Predicate, prefix: &str) -> Option<Expr> {
    let all = |parts: &[Predicate]| parts.iter().map(|part| of_element(part, prefix)).collect::<Option<Vec<_>>>();
    Some(match predicate {
        Predicate::Constant(truth) => Expr::Literal(Value::Bool(*truth)),
        Predicate::All(parts) => Expr::Call(Function::And, all(parts)?),
        Predicate::Any(parts) => Expr::Call(Function::Or, all(parts)?),
        Predicate::Not(inner) => Expr::call(Function::Not, [of_element(inner, prefix)?]),
        Predicate::Holds { .. } => return None,
        Predicate::Test { field, test } => {
            let path = field.path.as_str().strip_prefix(prefix)?;
            let member = Expr::call(Function::Member(path.into()), [Expr::Column(ELEMENT.into())]);
            truth(tested(test, member)?)
        }
    })
}

/// False where it is null.
fn truth(expr: Expr) -> Expr {
    Expr::call(Function::Coalesce, [expr, Expr::Literal(Value::Bool(false))])
}

/// A test of a member, which may have several values.
fn tested(test: &Test, member: Expr) -> Option<Expr> {
    let equal = |value: &Value, case: Case, member: Expr| {
        Expr::call(Function::In(case), [Expr::Literal(value.clone()), member])
    };
    let each = |body: &dyn Fn(Expr) -> Expr, member: Expr| {
        let values = Expr::ForEach {
            list: Box::new(member),
            variable: "value".into(),
            body: Box::new(body(Expr::Column("value".into()))),
        };
        Expr::call(Function::In(Case::Sensitive), [Expr::Literal(Value::Bool(true)), values])
    };
    let text = |text: &Arc<str>| Expr::Literal(Value::Text(Arc::clone(text)));
    Some(match test {
        Test::Exists => Expr::call(Function::Not, [Expr::call(Function::IsNull, [member])]),
        Test::Equals(value, case) => equal(value, *case, member),
        Test::OneOf(values, case) => {
            let one = values.iter().map(|value| truth(equal(value, *case, member.clone())));
            Expr::Call(Function::Or, one.collect())
        }
        Test::Prefix(part, case) => each(&|v| Expr::call(Function::StartsWith(*case), [v, text(part)]), member),
        Test::Suffix(part, case) => each(&|v| Expr::call(Function::EndsWith(*case), [v, text(part)]), member),
        Test::Contains(part, case) => each(&|v| Expr::call(Function::ContainsNonEmpty(*case), [v, text(part)]), member),
        Test::Wildcard(pattern, case) => each(&|v| Expr::call(Function::Like(pattern.clone(), *case), [v]), member),
        Test::Regex(regex) => each(&|v| Expr::call(Function::Matches(regex.clone()), [v]), member),
        Test::InNetwork(blocks) => each(&|v| Expr::call(Function::InNetwork(Arc::clone(blocks)), [v]), member),
        Test::Range { low, high } if low.iter().chain(high).all(|bound| bound.time.is_none()) => {
            let body = |value: Expr| {
                let mut sides = Vec::new();
                if let Some(low) = low {
                    let function = if low.inclusive { Function::LessOrEqual } else { Function::Less };
                    sides.push(Expr::call(function, [Expr::Literal(low.value.clone()), value.clone()]));
                }
                if let Some(high) = high {
                    let function = if high.inclusive { Function::LessOrEqual } else { Function::Less };
                    sides.push(Expr::call(function, [value, Expr::Literal(high.value.clone())]));
                }
                Expr::Call(Function::And, sides)
            };
            each(&body, member)
        }
        Test::Single | Test::Range { .. } | Test::Length { .. } | Test::Phrase(_) | Test::Near(_) => return None,
    })
}
