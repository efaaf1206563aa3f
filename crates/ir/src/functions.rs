//! Functions by topic: several values, numbers, times, addresses and versions, texts and their codings, places.
//!
//! They belong to [`crate::Function`], and what is said there holds here: null if an argument is null or of a type that
//! the function does not take. What these take differently is said with them. No vendor's default hides here: a
//! language that wants another reading of lists, nulls or overflow says so by the functions that it wraps around.

use crate::{Function, Regex, RegexDialect, Test};

/// Functions of several values.
///
/// The *values* of an argument are its elements, nulls left out, lists flattened; a single value is one, null is none.
/// What is given back in the same way stands in its smallest form: no values as null, one as itself, several as a list.
/// Values are the same if type and content are; they are ordered: booleans, numbers by size, texts byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListFunction {
    /// The value, if there is exactly one; null of none and of several.
    Single,
    /// The values in their smallest form.
    Values,
    /// The values in order.
    Sorted {
        /// Greatest first.
        descending: bool,
    },
    /// The values from the last to the first.
    Reversed,
    /// Each value once, at its first place.
    Distinct,
    /// Each text once, at its first place; values that are no text all stay. So an index holds a field whose type it takes
    /// from the values themselves.
    DistinctTexts,
    /// How many values; null of none.
    Count,
    /// The first value.
    First,
    /// The last value.
    Last,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// Sum of numbers; whole if all are. Null of none and where whole numbers overflow 64 bits.
    Sum,
    /// Mean of numbers, as a fraction.
    Average,
    /// The number in the middle, or the mean of the two there, cut down to a whole number if all are whole.
    Median,
    /// The median of the distances from the median, both as in [`Self::Median`].
    MedianAbsoluteDeviation,
    /// `(values, percent)`: the number at that share (0 to 100), between two numbers linearly; whole if all are, cut toward
    /// zero.
    Percentile,
    /// `(values, separator)`: the text forms, joined.
    Joined,
    /// `(values, first[, last])`: those from a 0-based position to another, both included, negative from the end; without a
    /// last, the one at the first. Cut to what there is. A last before the first yields none.
    Slice,
    /// `(a, b)`: the values of both.
    Appended,
    /// `(a, b[, separator])`: the text forms, joined pair by pair with the separator (`,` if absent); what has no partner
    /// stands alone. Null only if both are.
    Zipped,
    /// `(a, b)`: whether all values of the second are among those of the first. Never null; none are among any.
    ContainsAll,
    /// `(a, b)`: whether any value of the second is among those of the first. Never null.
    ContainsAny,
    /// `(a, b)`: the distinct values of the first that are among those of the second.
    Intersection,
    /// `(a, b)`: the distinct values of both. Null is none, not null.
    Union,
    /// `(a, b)`: the distinct values of the first that are not among those of the second. Null is none, not null.
    Difference,
    /// `(values, p)`: the sum of the n-th number divided by n to the power of p, n from 1.
    WeightedByPosition,
    /// The function, which takes one argument, of each value; further arguments are given to each call. Nulls that come
    /// out are left out.
    Each(Box<Function>),
    /// Whether a field with these values would pass the test. Never null; none pass no test.
    Passes(Box<Test>),
}

/// Functions of numbers. Infinite and undefined results are null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberFunction {
    /// The number if it is whole and fits in so many bits (32 or 64), signed; else null.
    Fits(u8),
    /// A whole number of so many bits: numbers and texts that read as one rounded half up, booleans as 0 and 1; null if it
    /// does not fit.
    ToWhole(u8),
    /// A fraction: numbers, texts that read as one, booleans as 0 and 1.
    ToFraction,
    /// Without its sign.
    Absolute,
    /// The least whole number that is not less; of a fraction a fraction.
    Ceiling,
    /// The greatest whole number that is not greater; of a fraction a fraction.
    Floor,
    /// `(number[, places])`: rounded half away from zero to decimal places (negative: tens, hundreds); of whole numbers whole.
    Round,
    /// `(number, points)`: the greatest of the points that is not greater; the least if all are.
    RoundTo,
    /// Square root.
    SquareRoot,
    /// Cube root.
    CubeRoot,
    /// e to its power.
    Exponential,
    /// `(base, exponent)`.
    Power,
    /// Natural logarithm.
    NaturalLogarithm,
    /// Sine of radians.
    Sine,
    /// Cosine of radians.
    Cosine,
    /// Tangent of radians.
    Tangent,
    /// Inverse sine.
    ArcSine,
    /// Inverse cosine.
    ArcCosine,
    /// Inverse tangent.
    ArcTangent,
    /// `(y, x)`: the angle of a point.
    ArcTangent2,
    /// Hyperbolic sine.
    HyperbolicSine,
    /// Hyperbolic cosine.
    HyperbolicCosine,
    /// Hyperbolic tangent.
    HyperbolicTangent,
    /// Inverse hyperbolic sine.
    ArcHyperbolicSine,
    /// Inverse hyperbolic cosine.
    ArcHyperbolicCosine,
    /// Inverse hyperbolic tangent.
    ArcHyperbolicTangent,
    /// `(a, b)`: the root of the sum of their squares.
    Hypotenuse,
    /// -1.0, 0.0 or 1.0.
    Sign,
    /// Radians to degrees.
    ToDegrees,
    /// Degrees to radians.
    ToRadians,
    /// `(number, n)`: times 2 to the power of n.
    Scale,
    /// `(magnitude, sign)`: the first with the sign of the second.
    CopySign,
    /// `(number, from, to, count)`: the bucket, numbered from 1, of `count` equal ones between the ends; 0 below, count + 1
    /// from the upper end on.
    WidthBucket,
    /// The text form as Java writes a fraction: `1.0`, `1.0E10`.
    FractionText,
    /// `(text, base)`: the whole number that a text is in a base from 2 to 36, with a sign if it has one; in base 16 `0x` may
    /// stand before it.
    WholeOfBase,
}

/// Functions of points in time: whole milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeFunction {
    /// Reads a time: texts in ISO 8601 from the year on (`2026`, `2026-01-02`, `2026-01-02T03:04:05.678Z`, any offset; UTC
    /// without one), finer digits cut off; whole numbers as milliseconds.
    Read,
    /// As text, `2026-01-02T03:04:05.678Z`.
    Written,
    /// As [`Self::Read`], in nanoseconds; whole numbers as nanoseconds.
    ReadNanos,
    /// Nanoseconds as text with all nine digits of the fraction.
    WrittenNanos,
    /// `(time)`: the start of the interval that it lies in. Days, weeks (from Monday), months and years follow the calendar;
    /// several months or years are counted from January and from the year 1; everything else is counted from 1970.
    Truncated(Interval),
    /// `(time)`: so much later.
    Later(Interval),
    /// `(time)`: so much earlier.
    Earlier(Interval),
    /// `(start, end)`: how many whole units from one to the other, cut toward zero; months and more by the calendar.
    Difference(TimeUnit),
    /// `(time)`: a part of it.
    Part(TimePart),
    /// `(time, format)`: as text by a pattern of letters as in `java.time`.
    Formatted,
    /// `(text, format)`: read by such a pattern; what the pattern does not say is the earliest there is.
    Parsed,
    /// The English name of its day.
    DayName,
    /// The English name of its month.
    MonthName,
}

/// Functions of points in time by the clock of a time zone.
///
/// A *local* time is what the clock shows, in milliseconds since 1970 as if it were UTC's. What the clock shows twice is its
/// first time, what it leaves out is so much later, where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ZoneFunction {
    /// `(time)`: the local time.
    Local,
    /// `(local)`: the time at which the clock shows this.
    Instant,
    /// `(time)`: as [`TimeFunction::Truncated`] by the clock. What begins at midnight begins at the day's first moment; other
    /// lengths are counted from the local 1970, and none reaches over a change of the clock.
    Truncated(Interval),
    /// `(time)`: so much later. Months and days leave the time of the day as it is, milliseconds pass.
    Later(Interval),
    /// `(time)`: so much earlier, in the same way.
    Earlier(Interval),
    /// `(time)`: by how many seconds the clock is ahead of UTC.
    Offset,
    /// `(time, format)`: as [`TimeFunction::Formatted`].
    Formatted,
    /// `(text, format)`: as [`TimeFunction::Parsed`]; a zone or an offset in the text goes before the function's.
    Parsed,
    /// As [`Self::Parsed`], but of an offset in the text nothing is made; the name of a zone still goes before.
    ParsedPastOffsets,
}

/// A length of time: months by the calendar, then milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    /// Whole months.
    pub months: i64,
    /// Whole days.
    pub days: i64,
    /// Milliseconds.
    pub millis: i64,
}

/// Units that lengths of time are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Years.
    Year,
    /// Quarters.
    Quarter,
    /// Months.
    Month,
    /// Weeks.
    Week,
    /// Days.
    Day,
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

/// Parts of a point in time, as `java.time.temporal.ChronoField` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimePart {
    /// The year.
    Year,
    /// The year of its era.
    YearOfEra,
    /// 1, or 0 before Christ.
    Era,
    /// 1 to 12.
    MonthOfYear,
    /// Months since the year 0.
    ProlepticMonth,
    /// 1 to 31.
    DayOfMonth,
    /// 1 (Monday) to 7.
    DayOfWeek,
    /// 1 to 366.
    DayOfYear,
    /// Days since 1970.
    EpochDay,
    /// 1 to 5: which seventh day of the month, counted from its first.
    AlignedWeekOfMonth,
    /// 1 to 53: which seventh day of the year, counted from its first.
    AlignedWeekOfYear,
    /// 1 to 7: which day of such a week of the month.
    AlignedDayOfWeekInMonth,
    /// 1 to 7: which day of such a week of the year.
    AlignedDayOfWeekInYear,
    /// 0 before noon, 1 from noon on.
    HalfOfDay,
    /// 0 to 23.
    HourOfDay,
    /// 1 to 24.
    ClockHourOfDay,
    /// 0 to 11.
    HourOfHalf,
    /// 1 to 12.
    ClockHourOfHalf,
    /// 0 to 59.
    MinuteOfHour,
    /// 1 to 53: the week of ISO 8601, which begins on Monday and belongs to the year of its Thursday.
    IsoWeek,
    /// Minutes since midnight.
    MinuteOfDay,
    /// 0 to 59.
    SecondOfMinute,
    /// Seconds since midnight.
    SecondOfDay,
    /// 0 to 999.
    MilliOfSecond,
    /// Milliseconds since midnight.
    MilliOfDay,
    /// Microseconds of the second.
    MicroOfSecond,
    /// Microseconds since midnight.
    MicroOfDay,
    /// Nanoseconds of the second.
    NanoOfSecond,
    /// Nanoseconds since midnight.
    NanoOfDay,
    /// Seconds since 1970.
    EpochSecond,
    /// The offset from UTC: 0.
    OffsetSeconds,
}

/// Functions of IP addresses and of version numbers, both texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFunction {
    /// The address in its shortest spelling.
    Address,
    /// The same of a text whose numbers may begin with zeros.
    AddressWithZeros {
        /// Such numbers are octal, rather than decimal.
        octal: bool,
    },
    /// A text by whose bytes addresses are ordered.
    AddressKey,
    /// The address that such a text was made from.
    AddressOfKey,
    /// `(address, bits of v4, bits of v6)`: the network's first address.
    Prefix,
    /// `(source, destination, internal networks…)`: `internal`, `inbound`, `outbound` or `external`.
    Direction,
    /// A text by whose bytes versions are ordered: as Semantic Versioning orders them, numbers by size, what is no version
    /// behind all others.
    VersionKey,
    /// The version that such a text was made from.
    VersionOfKey,
}

/// Functions of texts, their codings and digests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextFunction {
    /// `(text, part[, start])`: the 1-based position of the part, at or after a 1-based start; 0 if there is none.
    Locate,
    /// `(text, n)`: the first n characters.
    Left,
    /// `(text, n)`: the last n characters.
    Right,
    /// `(text, start[, length])`: from a 1-based position, negative from the end, cut to the text; 0 is 1. Null of a negative
    /// length.
    Part,
    /// Without white space at the start.
    TrimmedStart,
    /// Without white space at the end.
    TrimmedEnd,
    /// `(text, n)`: n times; null of a negative n, and if it would exceed 1 MiB.
    Repeated,
    /// Characters from last to first.
    Reversed,
    /// The length in bytes of its UTF-8.
    Bytes,
    /// `(text, part)`: whether the part is in it.
    Contains,
    /// `(text, replacement)`: every match replaced, groups as `$1`.
    Replaced(Regex),
    /// `(text, expression, replacement)`: as [`Self::Replaced`], by a regular expression that is computed. Null of one that
    /// cannot be run.
    ReplacedBy(RegexDialect),
    /// `(key, value, …)`: a JSON object as text, its members in this order. A value that is null is null there, several are an
    /// array; numbers and booleans stand bare, fractions as [`NumberFunction::FractionText`]. Null only if a key is.
    JsonObject,
    /// Everything but letters, digits and `-_.*` percent-encoded, blanks as `+`.
    UrlEncoded,
    /// As [`Self::UrlEncoded`], blanks as `%20`.
    UrlComponentEncoded,
    /// Percent-decoded, `+` as a blank; null if an escape is broken.
    UrlDecoded,
    /// Base64 of its UTF-8.
    Base64,
    /// What such a text codes; null if it is broken. Bytes that are no UTF-8 become U+FFFD.
    FromBase64,
    /// The digest in lower-case hexadecimal.
    Digest(DigestAlgorithm),
    /// `(text, algorithm)`: the digest by an algorithm that is named (`md5`, `SHA-256` …); null if it is none.
    NamedDigest,
    /// `(document, path)`: a member of a JSON document (text or object) at a path (`a.b[0].c`, `['a.b']`): scalars as text, the
    /// rest as JSON text. Of an object a whole dotted name is found as well as members in members. A text is read only as far
    /// as its member goes: of a name that stands twice the first counts, if nothing behind it has to be read, else null.
    JsonMember,
    /// `true` in any case as true, everything else as false; numbers but 0 as true.
    ToBoolean,
    /// A text that reads as an address, version or anything else: see the conversions. Scalars as text, fractions as
    /// [`NumberFunction::FractionText`].
    ToText,
    /// `(object, length)`: the dotted names of all texts in it that are longer than so many characters.
    LongMembers,
    /// A part of a URI; null of what is none, and of a part that it lacks.
    UriPart(UriPart),
    /// A part of the name of a host, by the list of public suffixes; null of what is no such name.
    DomainPart(DomainPart),
}

/// The parts of a URI, as `java.net.URI` has them (or, where it refuses a text, `java.net.URL`): percent-decoded but for the
/// host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UriPart {
    /// The host; an address of IPv6 with its brackets.
    Domain,
    /// Behind `#`.
    Fragment,
    /// The path; of a URI whose scheme no `/` follows none.
    Path,
    /// Behind the last dot of the path's last segment.
    Extension,
    /// The port, a whole number.
    Port,
    /// Behind `?`.
    Query,
    /// The scheme.
    Scheme,
    /// Before `@`.
    UserInfo,
    /// As much of that as stands before its first colon; null without a colon.
    Username,
    /// As much as stands behind it.
    Password,
}

/// The parts of a host's name. A suffix that its own owner, not a registry, has made public (`github.io`) counts as a domain
/// that somebody has registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainPart {
    /// The whole name as it is written.
    Domain,
    /// The public suffix and the label before it, in lower case; null if the name is a suffix.
    Registered,
    /// The registered domain without its first label, or the name that is a suffix.
    TopLevel,
    /// What stands before the registered domain, if that is written in lower case.
    Subdomain,
}

/// Digest algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Functions of points on earth, written `POINT (longitude latitude)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaceFunction {
    /// The point in its plain spelling, of any spelling; null of what is no point.
    Point,
    /// Its first coordinate.
    X,
    /// Its second coordinate.
    Y,
    /// Metres between two, on a sphere of the earth's mean radius.
    Distance,
}
