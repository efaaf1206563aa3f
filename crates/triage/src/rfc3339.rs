//! How points in time are written in JSON: as RFC 3339, like everywhere else in the product.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes a time.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Reads a time.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a time as RFC 3339 writes it")))
}

/// The same for times that may be absent (`null`).
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Error, Serializer, Timestamp};

    /// Writes a time.
    #[expect(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(crate) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a time.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let read = |text: String| {
            Timestamp::parse(&text)
                .ok_or_else(|| D::Error::custom(format!("`{text}` is not a time as RFC 3339 writes it")))
        };
        Option::<String>::deserialize(deserializer)?.map(read).transpose()
    }
}
