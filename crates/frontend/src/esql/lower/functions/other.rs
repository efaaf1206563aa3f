//! Addresses, conversions, places.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{AddressFunction, Expr, Function, ListFunction, Network, NumberFunction, PlaceFunction};
use lurcher_schema::Value;

use super::{Call, Class, list};
use crate::esql::{
    ast::ExprKind,
    lower::{Lowerer, Result, operators::bounded, value::Typed},
    types::Type,
};

impl Lowerer<'_> {
    pub(super) fn other_function(&mut self, call: &Call<'_>) -> Option<Result<Typed>> {
        let to = match call.name {
            "cidr_match" => return Some(self.cidr_match(call)),
            "ip_prefix" => return Some(self.ip_prefix(call)),
            "network_direction" => return Some(self.direction(call)),
            "st_x" => return Some(self.place(call, PlaceFunction::X)),
            "st_y" => return Some(self.place(call, PlaceFunction::Y)),
            "st_distance" => return Some(self.place(call, PlaceFunction::Distance)),
            "to_boolean" | "to_bool" => Type::Boolean,
            "to_integer" | "to_int" => Type::Integer,
            "to_long" => Type::Long,
            "to_unsigned_long" | "to_ulong" | "to_ul" => Type::UnsignedLong,
            "to_double" | "to_dbl" => Type::Double,
            "to_string" | "to_str" => Type::Keyword,
            "to_text" => Type::Text,
            "to_ip" => Type::Ip,
            "to_version" | "to_ver" => Type::Version,
            "to_datetime" | "to_dt" => Type::Date,
            "to_date_nanos" | "to_datenanos" => Type::DateNanos,
            "to_dateperiod" => Type::DatePeriod,
            "to_timeduration" => Type::TimeDuration,
            "to_geopoint" => Type::GeoPoint,
            _ => return None,
        };
        Some(match (call.count(), to) {
            (2, _) => self.of_base(call, to),
            (_, Type::Ip) => self.as_ip(call),
            _ => self.convert(&call.at(0), to, call.span(0)),
        })
    }

    /// `TO_LONG(text, base)`: null of what is no number of that base, and of several values.
    fn of_base(&mut self, call: &Call<'_>, to: Type) -> Result<Typed> {
        let (text, base) = (self.text_at(call, 0)?, self.want(call, 1, Class::Whole)?.number());
        let number = Expr::call(Function::Number(NumberFunction::WholeOfBase), [text, base]);
        Ok(Typed::single(to, bounded(to, number)))
    }

    /// `TO_IP(text, { "leading_zeros": "octal" })`.
    fn as_ip(&mut self, call: &Call<'_>) -> Result<Typed> {
        let value = call.at(0);
        let Some((name, option)) = call.options.first() else { return self.convert(&value, Type::Ip, call.span(0)) };
        if name.text.as_ref() != "leading_zeros" {
            let error = Diagnostic::error("esql-option", format!("`TO_IP` has no option `{}`", name.text));
            return Err(self.report(error.at(name.span, "unknown option").with_help("it takes `leading_zeros`")));
        }
        let octal = match &option.kind {
            ExprKind::Text(text) if text.eq_ignore_ascii_case("reject") => {
                return self.convert(&value, Type::Ip, call.span(0));
            }
            ExprKind::Text(text) if text.eq_ignore_ascii_case("octal") => true,
            ExprKind::Text(text) if text.eq_ignore_ascii_case("decimal") => false,
            _ => {
                let error = Diagnostic::error("esql-option", "there are three ways to read leading zeros");
                let help = "write \"reject\", \"octal\" or \"decimal\"";
                return Err(self.report(error.at(option.span, "not this").with_help(help)));
            }
        };
        let typed = self.want(call, 0, Class::Text)?;
        if typed.kind == Type::Null {
            return Ok(Typed::literal(Type::Ip, Value::Null));
        }
        let read = Function::Address(AddressFunction::AddressWithZeros { octal });
        if !typed.many {
            return Ok(Typed::single(Type::Ip, Expr::call(read, [typed.as_text()])));
        }
        Ok(Typed::several(Type::Ip, list(ListFunction::Each(Box::new(read)), [typed.all()])))
    }

    /// An address; a text that is a constant or a field counts as one.
    fn address(&mut self, call: &Call<'_>, place: usize) -> Result<Expr> {
        let typed = call.at(place);
        if typed.kind == Type::Any || typed.text().is_some() {
            return Ok(Expr::call(Function::Address(AddressFunction::Address), [typed.one()]));
        }
        let typed = self.want(call, place, Class::Ip)?;
        Ok(if typed.kind == Type::Ip { typed.one() } else { typed.raw() })
    }

    fn cidr_match(&mut self, call: &Call<'_>) -> Result<Typed> {
        let address = self.address(call, 0)?;
        let mut networks = Vec::new();
        let mut computed = Vec::new();
        for place in 1..call.count() {
            let block = call.at(place);
            match Self::constant_texts(&block) {
                Some(texts) => {
                    for text in texts {
                        let Some(network) = Network::parse(&text) else {
                            return Err(self.report(
                                Diagnostic::error("esql-constant", format!("\"{text}\" is no block of addresses"))
                                    .at(call.span(place), "cannot be read")
                                    .with_help("write it as `\"10.0.0.0/8\"`"),
                            ));
                        };
                        networks.push(network);
                    }
                }
                None => computed.push(self.want(call, place, Class::Text)?.all()),
            }
        }
        let expr = if computed.is_empty() {
            Expr::call(Function::InNetwork(networks.into()), [address])
        } else {
            let written = networks.iter().map(|network| Expr::Literal(Value::text(network.to_string())));
            Expr::call(Function::CidrMatch, std::iter::once(address).chain(written).chain(computed))
        };
        Ok(Typed::single(Type::Boolean, expr))
    }

    fn ip_prefix(&mut self, call: &Call<'_>) -> Result<Typed> {
        let address = self.address(call, 0)?;
        let bits = [1, 2].map(|place| self.want(call, place, Class::Whole).map(|typed| typed.number()));
        let [v4, v6] = bits;
        Ok(Typed::single(Type::Ip, Expr::call(Function::Address(AddressFunction::Prefix), [address, v4?, v6?])))
    }

    fn direction(&mut self, call: &Call<'_>) -> Result<Typed> {
        let (source, destination) = (self.address(call, 0)?, self.address(call, 1)?);
        let networks = self.want(call, 2, Class::Text)?.all();
        let function = Function::Address(AddressFunction::Direction);
        Ok(Typed::single(Type::Keyword, Expr::call(function, [source, destination, networks])))
    }

    fn place(&mut self, call: &Call<'_>, function: PlaceFunction) -> Result<Typed> {
        let mut points = Vec::new();
        for place in 0..call.count() {
            let typed = call.at(place);
            points.push(match typed.kind {
                Type::Any => typed.one(),
                _ => self.want(call, place, Class::Point)?.one(),
            });
        }
        Ok(Typed::single(Type::Double, Expr::Call(Function::Place(function), points)))
    }
}
