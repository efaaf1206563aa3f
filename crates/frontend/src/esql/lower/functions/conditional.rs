//! Choices: `CASE`, `COALESCE`, `GREATEST`, `LEAST`, `CLAMP`. What is chosen may be several values.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{AddressFunction, Expr, Function, ListFunction, NumberFunction};
use lurcher_schema::Value;

use super::{Call, list};
use crate::esql::{
    lower::{Lowerer, Result, value::Typed},
    types::Type,
};

impl Lowerer<'_> {
    pub(super) fn conditional_function(&mut self, call: &Call<'_>) -> Option<Result<Typed>> {
        Some(match call.name {
            "case" => self.case(call),
            "coalesce" => self.coalesce(call),
            "greatest" | "clamp_min" => self.extreme(call, ListFunction::Max),
            "least" | "clamp_max" => self.extreme(call, ListFunction::Min),
            "clamp" => self.clamp(call),
            "is_null" | "is_not_null" => {
                let null = Expr::call(Function::IsNull, [call.at(0).presence()]);
                let expr = if call.name == "is_null" { null } else { Expr::call(Function::Not, [null]) };
                Ok(Typed::single(Type::Boolean, expr))
            }
            _ => return None,
        })
    }

    /// The type that all values have in common.
    fn common(&mut self, call: &Call<'_>, places: impl IntoIterator<Item = usize>) -> Result<Type> {
        let mut kind = Type::Null;
        let mut loose = false;
        for place in places {
            let typed = call.at(place);
            loose |= typed.loose;
            kind = match kind.common(typed.kind) {
                Some(kind) => kind,
                None if loose => Type::Any,
                None => {
                    let message = format!(
                        "the values of `{}` must be of one type, found {} and {}",
                        call.name.to_uppercase(),
                        kind.name(),
                        typed.kind.name()
                    );
                    return Err(self.report(
                        Diagnostic::error("esql-type", message)
                            .at(call.span(place), format!("this is {}", typed.kind.name()))
                            .with_help("convert one of them, such as `value::keyword`"),
                    ));
                }
            };
        }
        Ok(kind)
    }

    /// A value as one of several that may be chosen.
    fn chosen(typed: &Typed, kind: Type) -> Expr {
        if kind == Type::Double && typed.kind.is_whole() {
            return list(ListFunction::Each(Box::new(Function::Number(NumberFunction::ToFraction))), [typed.all()]);
        }
        typed.all()
    }

    /// A length of time is no value of a row: the conditions that choose it are constants.
    fn chosen_span(&mut self, call: &Call<'_>, last: usize) -> Result<Typed> {
        for place in (0..last).step_by(2) {
            match call.at(place).constant() {
                Some(Value::Bool(true)) => return Ok(call.at(place + 1)),
                Some(Value::Bool(false) | Value::Null) => {}
                _ => {
                    let message = "a length of time chosen by what is not constant";
                    return Err(self.unsupported("function", message, call.span(place)));
                }
            }
        }
        Ok(if last.is_multiple_of(2) { call.at(last) } else { Typed::null() })
    }

    fn case(&mut self, call: &Call<'_>) -> Result<Typed> {
        let last = call.count() - 1;
        let is_value = |place: &usize| place % 2 == 1 || (*place == last && last.is_multiple_of(2));
        let kind = self.common(call, (0..=last).filter(is_value))?;
        if kind.is_span() {
            return self.chosen_span(call, last);
        }
        let mut arguments = Vec::new();
        for place in 0..=last {
            let typed = call.at(place);
            arguments.push(if is_value(&place) {
                Self::chosen(&typed, kind)
            } else {
                self.truth(&typed, call.span(place), "a condition of `CASE`")?
            });
        }
        Ok(Typed::several(kind, Expr::Call(Function::Case, arguments)))
    }

    fn coalesce(&mut self, call: &Call<'_>) -> Result<Typed> {
        let kind = self.common(call, 0..call.count())?;
        let values = call.arguments.iter().map(|typed| Self::chosen(typed, kind)).collect();
        Ok(Typed::several(kind, Expr::Call(Function::Coalesce, values)))
    }

    /// The greatest or least of all values, null if an argument is null; of several values of one argument each counts.
    fn extreme(&mut self, call: &Call<'_>, function: ListFunction) -> Result<Typed> {
        let kind = self.common(call, 0..call.count())?;
        let keyed = match kind {
            Type::Ip => Some((AddressFunction::AddressKey, AddressFunction::AddressOfKey)),
            Type::Version => Some((AddressFunction::VersionKey, AddressFunction::VersionOfKey)),
            _ => None,
        };
        let mut joined: Option<Expr> = None;
        for typed in &call.arguments {
            let mut value = Self::chosen(typed, kind);
            if let Some((key, _)) = keyed {
                value = list(ListFunction::Each(Box::new(Function::Address(key))), [value]);
            }
            joined = Some(match joined {
                Some(before) => list(ListFunction::Appended, [before, value]),
                None => value,
            });
        }
        let mut expr = list(function, joined);
        if let Some((_, of_key)) = keyed {
            expr = Expr::call(Function::Address(of_key), [expr]);
        }
        Ok(Typed::single(kind, expr))
    }

    fn clamp(&mut self, call: &Call<'_>) -> Result<Typed> {
        let kind = self.common(call, 0..3)?;
        let [value, low, high] = [0, 1, 2].map(|place| Self::chosen(&call.at(place), kind));
        let least = list(ListFunction::Max, [list(ListFunction::Appended, [value, low])]);
        let expr = list(ListFunction::Min, [list(ListFunction::Appended, [least, high])]);
        Ok(Typed::single(kind, expr))
    }
}
