//! The types of values, and what the language calls them.

use lurcher_schema::FieldType;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Type {
    /// Only null.
    Null,
    /// `true`, `false`.
    Boolean,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed.
    Long,
    /// 64 bits, unsigned.
    UnsignedLong,
    /// A floating-point number.
    Double,
    /// Text, compared whole.
    Keyword,
    /// Analysed text.
    Text,
    /// An IP address.
    Ip,
    /// A version.
    Version,
    /// A point in time; whole milliseconds since 1970.
    Date,
    /// A point in time; whole nanoseconds since 1970.
    DateNanos,
    /// A length of time by the calendar.
    DatePeriod,
    /// A length of time.
    TimeDuration,
    /// A point on earth.
    GeoPoint,
    /// A document.
    Source,
    /// Not known before the event is seen: a field that no mapping describes.
    Any,
}

impl Type {
    /// What the language calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::UnsignedLong => "unsigned_long",
            Self::Double => "double",
            Self::Keyword => "keyword",
            Self::Text => "text",
            Self::Ip => "ip",
            Self::Version => "version",
            Self::Date => "datetime",
            Self::DateNanos => "date_nanos",
            Self::DatePeriod => "date_period",
            Self::TimeDuration => "time_duration",
            Self::GeoPoint => "geo_point",
            Self::Source => "_source",
            Self::Any => "unmapped",
        }
    }

    /// The type of that name, of a cast or of a table's header. Names of what is not handled are none.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "null" => Self::Null,
            "boolean" | "bool" => Self::Boolean,
            "integer" | "int" | "short" | "byte" => Self::Integer,
            "long" => Self::Long,
            "unsigned_long" | "ul" => Self::UnsignedLong,
            "double" | "float" | "half_float" | "scaled_float" => Self::Double,
            "keyword" | "string" | "wildcard" | "constant_keyword" => Self::Keyword,
            "text" | "match_only_text" => Self::Text,
            "ip" => Self::Ip,
            "version" => Self::Version,
            "datetime" | "date" | "dt" => Self::Date,
            "date_nanos" => Self::DateNanos,
            "date_period" => Self::DatePeriod,
            "time_duration" => Self::TimeDuration,
            "geo_point" => Self::GeoPoint,
            _ => return None,
        })
    }

    /// The type of a field that a mapping describes.
    pub(super) fn of_field(kind: FieldType) -> Self {
        match kind {
            FieldType::Keyword => Self::Keyword,
            FieldType::Text => Self::Text,
            FieldType::Integer => Self::Long,
            FieldType::Float => Self::Double,
            FieldType::Boolean => Self::Boolean,
            FieldType::Ip => Self::Ip,
            FieldType::Date => Self::Date,
            FieldType::Version => Self::Version,
            FieldType::Object => Self::Any,
        }
    }

    /// Whole numbers and fractions.
    pub(super) fn is_number(self) -> bool {
        self.is_whole() || self == Self::Double
    }

    /// Whole numbers.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Integer | Self::Long | Self::UnsignedLong)
    }

    /// Keyword and text.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Keyword | Self::Text)
    }

    /// Points in time.
    pub(super) fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateNanos)
    }

    /// Lengths of time.
    pub(super) fn is_span(self) -> bool {
        matches!(self, Self::DatePeriod | Self::TimeDuration)
    }

    /// Null, or not known.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Null | Self::Any)
    }

    /// The type of either, where one of two values is chosen; none if they do not go together.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Null, b) => Some(b),
            (a, Self::Null) => Some(a),
            (Self::Any, _) | (_, Self::Any) => Some(Self::Any),
            (a, b) if a.is_text() && b.is_text() => Some(Self::Keyword),
            (a, b) if a.is_number() && b.is_number() => Some(a.wider(b)),
            (a, b) if a.is_date() && b.is_date() => Some(Self::DateNanos),
            _ => None,
        }
    }

    /// The wider of two types of numbers.
    pub(super) fn wider(self, other: Self) -> Self {
        let rank = |kind: Self| match kind {
            Self::Integer => 0,
            Self::Long => 1,
            Self::UnsignedLong => 2,
            _ => 3,
        };
        if rank(self) >= rank(other) { self } else { other }
    }
}
