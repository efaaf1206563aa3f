//! Functions of numbers. Most yield a double; those of whole numbers that stay whole keep their type.

use lurcher_ir::{Expr, Function, ListFunction, NumberFunction as N};
use lurcher_schema::Value;

use super::{Call, Class, list};
use crate::esql::{
    lower::{Lowerer, Result, operators::bounded, value::Typed},
    types::Type,
};

impl Lowerer<'_> {
    pub(super) fn number_function(&mut self, call: &Call<'_>) -> Option<Result<Typed>> {
        let constant = |number: f64| Some(Ok(Typed::literal(Type::Double, Value::Float(number))));
        let function = match call.name {
            "pi" => return constant(std::f64::consts::PI),
            "e" => return constant(std::f64::consts::E),
            "tau" => return constant(std::f64::consts::TAU),
            "abs" => return Some(self.same(call, N::Absolute)),
            "ceil" => return Some(self.same(call, N::Ceiling)),
            "floor" => return Some(self.same(call, N::Floor)),
            "round" => return Some(self.round(call)),
            "round_to" => return Some(self.round_to(call)),
            "log" => return Some(self.log(call)),
            "log10" => {
                return Some(
                    self.want(call, 0, Class::Number)
                        .map(|number| Typed::single(Type::Double, Expr::call(Function::Log, [number.fraction()]))),
                );
            }
            "sqrt" => N::SquareRoot,
            "cbrt" => N::CubeRoot,
            "exp" => N::Exponential,
            "pow" => N::Power,
            "sin" => N::Sine,
            "cos" => N::Cosine,
            "tan" => N::Tangent,
            "asin" => N::ArcSine,
            "acos" => N::ArcCosine,
            "atan" => N::ArcTangent,
            "atan2" => N::ArcTangent2,
            "sinh" => N::HyperbolicSine,
            "cosh" => N::HyperbolicCosine,
            "tanh" => N::HyperbolicTangent,
            "asinh" => N::ArcHyperbolicSine,
            "acosh" => N::ArcHyperbolicCosine,
            "atanh" => N::ArcHyperbolicTangent,
            "hypot" => N::Hypotenuse,
            "signum" => N::Sign,
            "to_degrees" => return Some(self.each(call, N::ToDegrees)),
            "to_radians" => return Some(self.each(call, N::ToRadians)),
            "scalb" => N::Scale,
            "copy_sign" => N::CopySign,
            _ => return None,
        };
        Some(self.fractions(call, function))
    }

    fn fractions(&mut self, call: &Call<'_>, function: N) -> Result<Typed> {
        let mut arguments = Vec::new();
        for place in 0..call.count() {
            arguments.push(self.want(call, place, Class::Number)?.fraction());
        }
        Ok(Typed::single(Type::Double, Expr::Call(Function::Number(function), arguments)))
    }

    /// A conversion: of several numbers each is converted.
    fn each(&mut self, call: &Call<'_>, function: N) -> Result<Typed> {
        let number = self.want(call, 0, Class::Number)?;
        if !number.kind.is_number() || number.loose {
            return self.fractions(call, function);
        }
        let converted = list(ListFunction::Each(Box::new(Function::Number(function))), [number.all()]);
        Ok(Typed::several(Type::Double, converted))
    }

    fn same(&mut self, call: &Call<'_>, function: N) -> Result<Typed> {
        let number = self.want(call, 0, Class::Number)?;
        let expr = Expr::call(Function::Number(function), [number.number()]);
        Ok(Typed::single(number.kind, bounded(number.kind, expr)))
    }

    fn round(&mut self, call: &Call<'_>) -> Result<Typed> {
        let number = self.want(call, 0, Class::Number)?;
        let mut arguments = vec![number.number()];
        if call.count() == 2 {
            arguments.push(self.want(call, 1, Class::Whole)?.number());
        }
        let rounded = Expr::Call(Function::Number(N::Round), arguments);
        Ok(Typed::single(number.kind, bounded(number.kind, rounded)))
    }

    fn round_to(&mut self, call: &Call<'_>) -> Result<Typed> {
        let value = call.at(0);
        if value.kind.is_date() {
            let points = (1..call.count()).map(|place| self.date_at(call, place)).collect::<Result<_>>()?;
            let time = crate::esql::lower::operators::millis(&value);
            return Ok(Typed::single(Type::Date, Expr::call(Function::Number(N::RoundTo), [time, Expr::List(points)])));
        }
        self.want(call, 0, Class::Number)?;
        let mut kind = value.kind;
        for place in 1..call.count() {
            kind = kind.common(self.want(call, place, Class::Number)?.kind).unwrap_or(Type::Any);
        }
        let read = |typed: &Typed| if kind == Type::Double { typed.fraction() } else { typed.number() };
        let points: Vec<Expr> = call.arguments.iter().skip(1).map(read).collect();
        Ok(Typed::single(kind, Expr::call(Function::Number(N::RoundTo), [read(&value), Expr::List(points)])))
    }

    /// `LOG(number)` is natural, `LOG(base, number)` is not.
    fn log(&mut self, call: &Call<'_>) -> Result<Typed> {
        let first = self.want(call, 0, Class::Number)?.fraction();
        if call.count() == 1 {
            return Ok(Typed::single(Type::Double, Expr::call(Function::Number(N::NaturalLogarithm), [first])));
        }
        let second = self.want(call, 1, Class::Number)?.fraction();
        Ok(Typed::single(Type::Double, Expr::call(Function::Log, [second, first])))
    }
}
