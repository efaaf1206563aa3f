//! Periods of time and sizes as a configuration writes them: `"30s"`, `"5m"`, `"100MiB"`. Numbers alone are refused: a
//! reader could not tell their unit.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A period of time: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes: a whole number and `B`, `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Period {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    fn parse(text: &str) -> Option<Self> {
        let millis = scaled(
            text,
            &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)],
        )?;
        Some(Self(Duration::from_millis(millis)))
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        scaled(text, &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]).map(Self)
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

struct Visitor<T> {
    parse: fn(&str) -> Option<T>,
    form: &'static str,
}

impl<T> de::Visitor<'_> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor { parse: Self::parse, form: r#"a period such as "30s", "5m" or "1d""# })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor { parse: Self::parse, form: r#"a size such as "64KiB" or "100MiB""# })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_unit() {
        assert_eq!(Period::parse("1500ms"), Some(Period(Duration::from_millis(1500))));
        assert_eq!(Period::parse("2 d"), Some(Period::seconds(172_800)));
        assert_eq!(Size::parse("100MiB"), Some(Size(104_857_600)));
        for faulty in ["", "5", "s", "-1s", "1.5h", "5 parsecs", "99999999999999999d", "1MB"] {
            assert!(Period::parse(faulty).is_none() && Size::parse(faulty).is_none(), "{faulty}");
        }
        let error = serde_json::from_str::<Period>(r#""5""#).unwrap_err().to_string();
        assert!(error.starts_with(r#"invalid value: string "5", expected a period such as "30s""#), "{error}");
    }
}
