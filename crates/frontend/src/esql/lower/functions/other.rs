//! Addresses, conversions, places.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{AddressFunction, Expr, Function, Network, PlaceFunction};
use lurcher_schema::Value;

use super::{Call, Class};
use crate::esql::{
    lower::{Lowerer, Result, value::Typed},
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
        Some(if call.count() > 1 {
            Err(self.unsupported("function", "a conversion with a base", call.span))
        } else {
            self.convert(&call.at(0), to, call.span(0))
        })
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
