//! Functions of several values.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{AddressFunction, Case, Expr, Function, ListFunction as L, NumberFunction};
use lurcher_schema::Value;

use super::{Call, Class, list};
use crate::esql::{
    ast::ExprKind,
    lower::{
        Lowerer, Result,
        operators::{bounded, wildcard},
        value::Typed,
    },
    types::Type,
};

impl Lowerer<'_> {
    pub(super) fn list_function(&mut self, call: &Call<'_>) -> Option<Result<Typed>> {
        let own = call.at(0);
        let same = |function: L| Ok(Typed::single(own.kind, list(function, [own.all()])));
        Some(match call.name {
            "mv_count" => Ok(Typed::single(Type::Integer, list(L::Count, [own.all()]))),
            "mv_first" => same(L::First),
            "mv_last" => same(L::Last),
            "mv_min" => Ok(keyed(&own, L::Min)),
            "mv_max" => Ok(keyed(&own, L::Max)),
            "mv_dedupe" => Ok(Typed::several(own.kind, list(L::Distinct, [own.all()]))),
            "mv_sum" => self.numbers(call, L::Sum, None),
            "mv_avg" => self.numbers(call, L::Average, Some(Type::Double)),
            "mv_median" => self.numbers(call, L::Median, None),
            "mv_median_absolute_deviation" => self.numbers(call, L::MedianAbsoluteDeviation, None),
            "mv_percentile" => self.with_number(call, L::Percentile, None),
            "mv_pseries_weighted_sum" => self.with_number(call, L::WeightedByPosition, Some(Type::Double)),
            "mv_concat" => self.joined(call),
            "mv_append" => self.pair(call, L::Appended, None),
            "mv_contains" => self.pair(call, L::ContainsAll, Some(Type::Boolean)),
            "mv_intersects" => self.pair(call, L::ContainsAny, Some(Type::Boolean)),
            "mv_intersection" => self.pair(call, L::Intersection, None),
            "mv_union" => self.pair(call, L::Union, None),
            "mv_difference" => self.pair(call, L::Difference, None),
            "mv_slice" => self.slice(call),
            "mv_sort" => self.sorted(call),
            "mv_zip" => self.zipped(call),
            "mv_like" | "mv_rlike" => self.any_like(call),
            "mv_greater" | "mv_less" => self.any_beyond(call),
            "mv_in_range" => self.any_between(call),
            _ => return None,
        })
    }

    /// The values as numbers.
    fn values_at(&mut self, call: &Call<'_>, place: usize) -> Result<(Expr, Type)> {
        let typed = self.want(call, place, Class::Number)?;
        let values = typed.all();
        Ok(match typed.kind {
            Type::Any => {
                let number = Function::Loose(lurcher_ir::LooseFunction::Number);
                (list(L::Each(Box::new(number)), [values]), Type::Any)
            }
            kind => (values, kind),
        })
    }

    fn numbers(&mut self, call: &Call<'_>, function: L, kind: Option<Type>) -> Result<Typed> {
        let (values, own) = self.values_at(call, 0)?;
        let kind = kind.unwrap_or(own);
        Ok(Typed::single(kind, bounded(kind, list(function, [values]))))
    }

    fn with_number(&mut self, call: &Call<'_>, function: L, kind: Option<Type>) -> Result<Typed> {
        let (values, own) = self.values_at(call, 0)?;
        let number = self.number_at(call, 1)?;
        let kind = kind.unwrap_or(own);
        Ok(Typed::single(kind, list(function, [values, number])))
    }

    fn joined(&mut self, call: &Call<'_>) -> Result<Typed> {
        let values = self.want(call, 0, Class::Text)?.all();
        let separator = self.text_at(call, 1)?;
        Ok(Typed::single(Type::Keyword, list(L::Joined, [values, separator])))
    }

    fn pair(&mut self, call: &Call<'_>, function: L, kind: Option<Type>) -> Result<Typed> {
        let (a, b) = (call.at(0), call.at(1));
        let Some(common) = a.kind.common(b.kind).or_else(|| (a.loose || b.loose).then_some(Type::Any)) else {
            let message = format!(
                "the values of `{}` must be of one type, found {} and {}",
                call.name.to_uppercase(),
                a.kind.name(),
                b.kind.name()
            );
            return Err(self.report(Diagnostic::error("esql-type", message).at(call.span, "in this call")));
        };
        let read = |typed: &Typed| match common {
            Type::Double if typed.kind.is_whole() => {
                list(L::Each(Box::new(Function::Number(NumberFunction::ToFraction))), [typed.all()])
            }
            _ => typed.all(),
        };
        let expr = list(function, [read(&a), read(&b)]);
        Ok(match kind {
            Some(kind) => Typed::single(kind, expr),
            None => Typed::several(common, expr),
        })
    }

    fn slice(&mut self, call: &Call<'_>) -> Result<Typed> {
        let own = call.at(0);
        let mut arguments = vec![own.all()];
        for place in 1..call.count() {
            arguments.push(self.want(call, place, Class::Whole)?.number());
        }
        Ok(Typed::several(own.kind, list(L::Slice, arguments)))
    }

    fn sorted(&mut self, call: &Call<'_>) -> Result<Typed> {
        let own = call.at(0);
        let descending = match call.count() {
            1 => false,
            _ => match self.constant_text(call, 1)?.to_ascii_lowercase().as_str() {
                "asc" => false,
                "desc" => true,
                _ => {
                    return Err(self.report(
                        Diagnostic::error("esql-constant", "the order of `MV_SORT` is \"ASC\" or \"DESC\"")
                            .at(call.span(1), "unknown order"),
                    ));
                }
            },
        };
        let Some((key, of_key)) = keys(own.kind) else {
            return Ok(Typed::several(own.kind, list(L::Sorted { descending }, [own.all()])));
        };
        let each = |function, of| list(L::Each(Box::new(Function::Address(function))), [of]);
        let sorted = list(L::Sorted { descending }, [each(key, own.all())]);
        Ok(Typed::several(own.kind, each(of_key, sorted)))
    }

    /// Whether any of several texts is like a pattern; never null.
    fn any_like(&mut self, call: &Call<'_>) -> Result<Typed> {
        let texts = self.want(call, 0, Class::Text)?.all();
        let pattern = self.constant_text(call, 1)?;
        let function = match call.name {
            "mv_like" => Function::Like(wildcard(&pattern), Case::Sensitive),
            _ => self.lucene(&pattern, call.span(1))?,
        };
        Ok(any(list(L::Each(Box::new(function)), [texts]), true))
    }

    /// Whether any of several values is beyond a bound; never null.
    fn any_beyond(&mut self, call: &Call<'_>) -> Result<Typed> {
        let (values, bounds) = self.with_bounds(call)?;
        let within = match call.option("include_bound").map(|value| &value.kind) {
            Some(ExprKind::Boolean(within)) => *within,
            _ => false,
        };
        let greater = call.name == "mv_greater";
        // What is not less or equal is greater, and the other way round.
        let function = if within == greater { Function::Less } else { Function::LessOrEqual };
        let compared = list(L::Each(Box::new(function)), std::iter::once(values).chain(bounds));
        Ok(any(compared, !greater))
    }

    /// Whether any of several values lies between two bounds, or is one of them; never null.
    fn any_between(&mut self, call: &Call<'_>) -> Result<Typed> {
        let (values, bounds) = self.with_bounds(call)?;
        let variable: std::sync::Arc<str> = "value of mv_in_range".into();
        let value = || Expr::Column(std::sync::Arc::clone(&variable));
        let [low, high] = bounds.as_slice() else { return Ok(Typed::literal(Type::Boolean, Value::Bool(false))) };
        let between = [
            Expr::call(Function::LessOrEqual, [low.clone(), value()]),
            Expr::call(Function::LessOrEqual, [value(), high.clone()]),
        ];
        let body = Box::new(Expr::call(Function::And, between));
        Ok(any(Expr::ForEach { list: Box::new(values), variable, body }, true))
    }

    /// Several values and the bounds that they are compared with, of one type, in a form that is ordered as the type is.
    fn with_bounds(&mut self, call: &Call<'_>) -> Result<(Expr, Vec<Expr>)> {
        let own = call.at(0);
        let key = keys(own.kind).map(|(key, _)| Function::Address(key));
        let mut bounds = Vec::new();
        for place in 1..call.count() {
            let mut bound = call.at(place);
            if bound.text().is_some() && !own.kind.is_text() && !own.kind.is_open() {
                bound = self.constant_as(&bound, &own, call.span(place))?;
            }
            let same = own.kind.common(bound.kind).is_some_and(|common| common != Type::Boolean);
            if !same && !own.loose && !bound.loose {
                let message = format!(
                    "`{}` compares values of one type, found {} and {}",
                    call.name.to_uppercase(),
                    own.kind.name(),
                    bound.kind.name()
                );
                let error = Diagnostic::error("esql-type", message);
                return Err(self.report(error.at(call.span(place), format!("this is {}", bound.kind.name()))));
            }
            bounds.push(match &key {
                Some(key) => Expr::call(key.clone(), [bound.one()]),
                None => bound.one(),
            });
        }
        let values = match key {
            Some(key) => list(L::Each(Box::new(key)), [own.all()]),
            None => own.all(),
        };
        Ok((values, bounds))
    }

    fn zipped(&mut self, call: &Call<'_>) -> Result<Typed> {
        let mut arguments = vec![self.want(call, 0, Class::Text)?.all(), self.want(call, 1, Class::Text)?.all()];
        arguments.push(if call.count() == 3 { self.text_at(call, 2)? } else { Expr::Literal(Value::text(",")) });
        Ok(Typed::several(Type::Keyword, list(L::Zipped, arguments)))
    }
}

/// Whether any of several truths is this one; never null.
fn any(truths: Expr, wanted: bool) -> Typed {
    Typed::single(Type::Boolean, list(L::ContainsAny, [truths, Expr::Literal(Value::Bool(wanted))]))
}

/// A text by whose bytes values of a type are ordered, and the value of that text, where they are not by their own.
fn keys(kind: Type) -> Option<(AddressFunction, AddressFunction)> {
    match kind {
        Type::Ip => Some((AddressFunction::AddressKey, AddressFunction::AddressOfKey)),
        Type::Version => Some((AddressFunction::VersionKey, AddressFunction::VersionOfKey)),
        _ => None,
    }
}

/// The least or greatest, addresses and versions by their order.
fn keyed(own: &Typed, function: L) -> Typed {
    let Some((key, of_key)) = keys(own.kind) else {
        return Typed::single(own.kind, list(function, [own.all()]));
    };
    let keys = list(L::Each(Box::new(Function::Address(key))), [own.all()]);
    Typed::single(own.kind, Expr::call(Function::Address(of_key), [list(function, [keys])]))
}
