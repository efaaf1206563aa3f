//! One field against constants: the leaves that become [`Test`]s, by the type of the field. Analysed text is compared
//! whole here, as EQL does; [`super::search`] looks at its words.
//!
//! As Elasticsearch does, the constant is brought to the field's type: a number in a string is a number for a number
//! field, a number is text for a keyword field, a string is an address or a block of them for an IP field and a date
//! for a date field. A constant that the field's type cannot hold matches nothing.

use std::net::IpAddr;

use lurcher_ir::{Bound, Case, FieldRef, Network, Predicate, Test, Wildcard, fold_text};
use lurcher_schema::{FieldType, Timestamp, Value};

use super::dates::{self, DateError, Moments};

/// A field and how it is compared.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// The field.
    pub(crate) field: FieldRef,
    /// Its type.
    pub(crate) kind: FieldType,
}

impl Typed {
    /// The predicate of one test.
    pub(crate) fn test(&self, test: Test) -> Predicate {
        Predicate::test(self.field.clone(), test)
    }

    /// Equality with one of several constants, none of them null.
    pub(crate) fn one_of(
        &self,
        constants: &[Value],
        case: Case,
        now: Option<Timestamp>,
    ) -> Result<Predicate, DateError> {
        let mut values: Vec<Value> = Vec::new();
        let mut networks = Vec::new();
        let mut others = Vec::new();
        let case = match self.kind {
            FieldType::Integer | FieldType::Float | FieldType::Boolean => Case::Sensitive,
            _ => case,
        };
        for constant in constants {
            match self.kind {
                FieldType::Integer | FieldType::Float => values.extend(number(constant)),
                FieldType::Boolean => values.extend(boolean(constant)),
                FieldType::Ip => match Network::parse(&constant.to_string()) {
                    Some(network) => networks.push(network),
                    None => values.push(text(constant, case)),
                },
                FieldType::Date => {
                    if let Some(moments) = moments(constant, now)? {
                        let low = Some(date_bound(constant, moments.start, true));
                        let high = Some(date_bound(constant, moments.end, true));
                        others.push(self.test(Test::Range { low, high }));
                    }
                }
                _ => values.push(text(constant, case)),
            }
        }
        if let [only] = values.as_slice() {
            others.push(self.test(Test::Equals(only.clone(), case)));
        } else if !values.is_empty() {
            others.push(self.test(Test::OneOf(values.into(), case)));
        }
        if !networks.is_empty() {
            others.push(self.test(Test::InNetwork(networks.into())));
        }
        Ok(Predicate::any(others))
    }

    /// Wildcard patterns; those without wildcards are equalities.
    pub(crate) fn like(&self, patterns: &[Value], case: Case, now: Option<Timestamp>) -> Result<Predicate, DateError> {
        let (wild, plain): (Vec<&Value>, Vec<&Value>) =
            patterns.iter().partition(|p| p.as_text().is_some_and(|text| text.contains(['*', '?'])));
        let plain: Vec<Value> = plain.into_iter().cloned().collect();
        let equal = self.one_of(&plain, case, now)?;
        let wild =
            wild.into_iter().map(|p| self.test(Test::from_wildcard(Wildcard::parse(p.as_text().unwrap_or("")), case)));
        Ok(Predicate::any(std::iter::once(equal).chain(wild)))
    }

    /// On one side of a constant that is not null: above or below it, with or without the constant itself.
    pub(crate) fn ordered(
        &self,
        above: bool,
        inclusive: bool,
        constant: &Value,
        now: Option<Timestamp>,
    ) -> Result<Predicate, DateError> {
        let bound = match (self.kind, constant) {
            (FieldType::Integer | FieldType::Float, _) => number(constant).map(|value| bound(value, inclusive)),
            (FieldType::Boolean, _) | (_, Value::Bool(_)) => None,
            (FieldType::Ip, _) => return Ok(self.addresses(above, inclusive, constant)),
            (FieldType::Date, _) => moments(constant, now)?.map(|moments| {
                // `>` and `<=` look at the end of what the literal names, `>=` and `<` at its start.
                let at = if above == inclusive { moments.start } else { moments.end };
                date_bound(constant, at, inclusive)
            }),
            _ => Some(bound(constant.clone(), inclusive)),
        };
        Ok(bound.map_or(Predicate::Constant(false), |bound| {
            let (low, high) = if above { (Some(bound), None) } else { (None, Some(bound)) };
            self.test(Test::Range { low, high })
        }))
    }

    /// The addresses on one side of an address. IPv4 stands among IPv6 as `::ffff:a.b.c.d`, as in Lucene.
    fn addresses(&self, above: bool, inclusive: bool, constant: &Value) -> Predicate {
        let Ok(address) = constant.to_string().trim().parse::<IpAddr>() else {
            return Predicate::Constant(false);
        };
        let at = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let range = match (above, inclusive) {
            (true, true) => Some((at, u128::MAX)),
            (true, false) => at.checked_add(1).map(|low| (low, u128::MAX)),
            (false, true) => Some((0, at)),
            (false, false) => at.checked_sub(1).map(|high| (0, high)),
        };
        let networks = range.map(|(low, high)| networks_between(low, high)).unwrap_or_default();
        if networks.is_empty() { Predicate::Constant(false) } else { self.test(Test::InNetwork(networks.into())) }
    }
}

/// The first and last of the addresses that stand for IPv4.
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// The blocks that make up a range, both ends included.
pub(crate) fn networks_between(low: u128, high: u128) -> Vec<Network> {
    let mut networks = Vec::new();
    let (v4_low, v4_high) = (low.max(MAPPED.0), high.min(MAPPED.1));
    if v4_low <= v4_high {
        for (start, free) in blocks(v4_low, v4_high) {
            networks.push(Network { address: IpAddr::V4((start as u32).into()), prefix: (32 - free) as u8 });
        }
    }
    // A block of IPv6 never holds an IPv4 address, so nothing need be cut out of the middle.
    for (start, free) in blocks(low, high).into_iter().filter(|(start, _)| !(MAPPED.0..=MAPPED.1).contains(start)) {
        networks.push(Network { address: IpAddr::V6(start.into()), prefix: (128 - free) as u8 });
    }
    networks
}

/// A range as aligned powers of two: the start and how many low bits are free.
fn blocks(mut low: u128, high: u128) -> Vec<(u128, u32)> {
    let mut blocks = Vec::new();
    while low <= high {
        let left = (high - low).saturating_add(1);
        let whole = low == 0 && high == u128::MAX;
        let free = if whole { 128 } else { low.trailing_zeros().min(left.ilog2()) };
        blocks.push((low, free));
        match 1_u128.checked_shl(free).and_then(|size| low.checked_add(size)) {
            Some(next) => low = next,
            None => break,
        }
    }
    blocks
}

fn bound(value: Value, inclusive: bool) -> Bound {
    Bound { value, time: None, inclusive }
}

fn date_bound(constant: &Value, time: Timestamp, inclusive: bool) -> Bound {
    Bound { value: constant.clone(), time: Some(time), inclusive }
}

fn moments(constant: &Value, now: Option<Timestamp>) -> Result<Option<Moments>, DateError> {
    if let Value::Int(millis) = constant {
        let time = Timestamp::from_millis(*millis);
        return Ok(Some(Moments { start: time, end: time }));
    }
    match dates::parse(&constant.to_string(), now) {
        Ok(moments) => Ok(Some(moments)),
        Err(DateError::Malformed) => Ok(None),
        Err(DateError::NoClock) => Err(DateError::NoClock),
    }
}

fn number(constant: &Value) -> Option<Value> {
    match constant {
        Value::Int(_) | Value::Float(_) => Some(constant.clone()),
        Value::Text(text) => number_of(text),
        _ => None,
    }
}

fn boolean(constant: &Value) -> Option<Value> {
    match constant {
        Value::Bool(_) => Some(constant.clone()),
        Value::Text(text) => text.parse::<bool>().ok().map(Value::Bool),
        _ => None,
    }
}

/// The text form, folded if case does not count.
fn text(constant: &Value, case: Case) -> Value {
    let text = constant.to_string();
    Value::text(if case == Case::Insensitive { fold_text(&text) } else { text })
}

/// The number that a text reads as.
pub(crate) fn number_of(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Int(whole));
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse::<f64>().ok().filter(|n| plain && n.is_finite()).map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_addresses_are_blocks() {
        let v4 = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped().to_bits();
        let shown = |low, high| -> Vec<String> {
            networks_between(low, high).iter().filter(|n| n.address.is_ipv4()).map(ToString::to_string).collect()
        };
        assert_eq!(shown(v4("10.0.0.1"), v4("10.0.0.6")), ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"]);
        assert_eq!(shown(v4("0.0.0.0"), v4("255.255.255.255")), ["0.0.0.0/0"]);
        assert_eq!(shown(0, u128::MAX), ["0.0.0.0/0"]);
        assert_eq!(networks_between(0, u128::MAX).last().unwrap().to_string(), "::/0");
        assert_eq!(networks_between(u128::MAX, u128::MAX).len(), 1);
    }
}
