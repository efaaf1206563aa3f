//! Functions of languages in which a value is what it reads as: a text of digits is a number, a lone value is a list of
//! one, a field may hold several values wherever one is expected.
//!
//! They belong to [`crate::Function`], and what is said there holds here: null if an argument is null or of a type that
//! the function does not take. *Number* arguments are numbers and texts that read as one (decimal, blanks around them
//! do not count). Points in time are seconds since 1970, with a fraction, in UTC.

use std::sync::Arc;

use crate::{Function, Regex, RegexDialect};

/// A function that takes values as what they read as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LooseFunction {
    /// The number itself.
    Number,
    /// `(a, b)`: the sum, if both are numbers; two texts joined otherwise; null of a number and a text that is none.
    Add,
    /// `(a, b)`: whether the first is less. Numbers by size if both are; else by their text forms, byte by byte.
    Less,
    /// `(a, b)`: whether the first is not greater, in the order of [`Self::Less`].
    LessOrEqual,
    /// The greatest argument, lists as their values, nulls left out; any text that is no number is greater than any
    /// number. Null of none.
    Greatest,
    /// The least argument, in the order of [`Self::Greatest`].
    Least,
    /// Sum of numbers, lists as their values; what is none is left out. Null of none.
    Sum,
    /// Mean of numbers, as [`Self::Sum`] takes them.
    Mean,
    /// The function, true if it is so of any combination of single values of its arguments (null stands for itself), false
    /// if it is so of none but false of one, null otherwise. At most 10,000 combinations are tried.
    AnyValue(Box<Function>),
    /// The function turned round: true where it is false, false where it is true, null where it is null.
    Contrary(Box<Function>),
    /// `(number[, places])`: rounded half away from zero.
    Round,
    /// `(a, b)` or `(a)`: an operation of arithmetic on numbers.
    Calculate(Calculation),
    /// `(a, b)` or `(a)`: an operation on the bits of whole numbers from 0 to 2^53.
    Bits(BitOperation),
    /// `(number, significant digits…)`: see the enumeration.
    Written(NumberForm),
    /// `(format, values…)`: as C's `printf`, with `%d %i %u %s %f %e %g %x %X %o %c %%`, flags, width and precision.
    Printf,
    /// `(text, characters)`: without any of these characters at the sides.
    Trimmed(Sides),
    /// The name of the type: `Number`, `String`, `Boolean`, `Invalid` (null). Never null.
    TypeName,
    /// Whether it is a number. False of null.
    IsNumber,
    /// Whether it is a whole number. False of null.
    IsWhole,
    /// Whether it is there and no number. False of null.
    IsText,
    /// `(list)`: the 0-based position of the first value in which the expression is found.
    MatchPosition(Regex),
    /// `(text[, most])`: what the named group matched in every match (in the first `most`; 0: all): a list, one as itself.
    AllCaptures(Regex, Arc<str>),
    /// `(text[, start])`: the positions of the first match as `first-last`, counted from 0.
    MatchPlace(Regex, Arc<str>),
    /// The expression is found in the text, or in any scalar in the list or object at any depth, or in the name of a
    /// member. Never null.
    FoundWithin(Regex),
    /// `(time, format)`: a time as text by letters as in C's `strftime`, and `%N` (`%3N`, `%Q`) for fractions of a second.
    FormatTime,
    /// `(text, format)`: a time read by such letters; what the format does not say is 1970, January, the first, midnight.
    ParseTime,
    /// `(time, modifier)`: a time moved and cut off by a modifier such as `-70m@m`, `@d`, `-1d@w1+2h`, `now`.
    RelativeTime,
    /// `(value, bucket)`: the greatest multiple of the bucket that is not greater.
    Bucket,
    /// `(value, bucket)`: as [`Self::Bucket`], as text `from-to`.
    BucketRange,
    /// `(value, first, base)`: the interval that a number above 0 lies in of those from `first` times a power of the base to
    /// `first` times the next, as text `from-to`.
    PowerRange,
    /// `(text, replacement)`: as [`Function::Replace`], of the match of this number alone, from 1.
    ReplaceNth(Regex, u32),
    /// `(time, months)`: the start of the interval of so many months, counted from January, that a time lies in.
    MonthBucket,
    /// `(document, path)`: what stands at a path in a JSON document (text or object) or in XML: `a.b{}.c` (every element of
    /// an array), `a{0}`, `tag{@attribute}`, `tag.inner`. One as itself, several as a list; objects and arrays as JSON text.
    PathValue,
    /// The content of the first `<name>…</name>` in a text whose name this is.
    TagValue(Arc<str>),
    /// `(text, separators of pairs, separators of keys and values)`: the value of the key of that name.
    PairValue(Arc<str>),
    /// An operation on JSON documents (texts or objects).
    Json(JsonOperation),
    /// `(text, regex)`: a list of everything that the expression's first group matched.
    Tokens(Regex),
    /// `(text, delimiter, keep empty)`: split at a delimiter; empty parts are left out unless they are kept.
    Parts,
    /// Seconds as `1+02:03:04` or `02:03:04`.
    Duration,
    /// Reads `1+02:03:04`, `02:03:04`, `02:03` (minutes first) as seconds.
    ReadDuration,
    /// The number at the start of a text, blanks and thousands separators left out; what follows is ignored.
    LeadingNumber,
    /// A size such as `12M` in kilobytes.
    Kilobytes,
    /// `(mask, address)`: an IPv4 address with a mask laid over.
    MaskAddress,
    /// `(text, pattern)`: the text is matched as a whole by a pattern in which `%` is any run and `_` one character.
    LikeComputed,
    /// `(text, expression, …)`: what is done with a regular expression that is computed. Null of one that cannot be run.
    ByRegex(RegexUse, RegexDialect),
    /// Percent-decoded; broken escapes stay as they are.
    UrlDecoded,
    /// `(text)`: from 0 (alike) on, how many bits a character of the text carries (Shannon's entropy).
    Entropy,
}

/// What is done with a regular expression that is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegexUse {
    /// `(text, expression)`: as [`Function::Matches`].
    Found,
    /// `(text, expression, replacement)`: as [`Function::Replace`].
    Replaced,
    /// `(list, expression)`: as [`LooseFunction::MatchPosition`].
    Position,
}

/// Arithmetic on numbers. What is undefined or infinite is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calculation {
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b` as a fraction.
    Divide,
    /// Remainder with the sign of the dividend.
    Modulo,
    /// `-a`.
    Negate,
    /// Without its sign.
    Absolute,
    /// The least whole number that is not less.
    Ceiling,
    /// The greatest whole number that is not greater.
    Floor,
    /// e to its power.
    Exponential,
    /// Natural logarithm.
    NaturalLogarithm,
    /// Logarithm to the base of the second (10 if absent).
    Logarithm,
    /// The first to the power of the second.
    Power,
    /// Square root.
    SquareRoot,
    /// Rounded to the significant digits it was written with: here, to 15 digits.
    SignificantFigures,
    /// Sine of radians.
    Sine,
    /// Cosine.
    Cosine,
    /// Tangent.
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
}

/// Operations on bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BitOperation {
    /// Both.
    And,
    /// Either.
    Or,
    /// One of them.
    Xor,
    /// The others of 53 bits.
    Not,
    /// `(value, places)`.
    ShiftLeft,
    /// `(value, places)`.
    ShiftRight,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberForm {
    /// `0x1F`.
    Hexadecimal,
    /// `101`.
    Binary,
    /// `12,345.67`: at most two places, rounded.
    Commas,
}

/// The sides of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sides {
    /// The start.
    Start,
    /// The end.
    End,
    /// Both.
    Both,
}

/// Operations on JSON. Results are JSON text unless they are scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonOperation {
    /// `(name, value, …)`: an object.
    Object,
    /// `(value, …)`: an array.
    Array,
    /// `(document, path, …)`: what stands at a path; of several paths an array. Whole document without a path.
    Extract,
    /// As [`Self::Extract`], the paths being exact names of members.
    ExtractExact,
    /// `(document)`: the names of its members, an array.
    Keys,
    /// `(document, path, value, …)`: the document with what stands there replaced.
    Set,
    /// `(document, path, …)`: the document without what stands there.
    Delete,
    /// As [`Self::Set`], the paths being exact names of members.
    SetExact,
    /// `(document, path, value, …)`: the document with a value put behind the array that stands there.
    Append,
    /// As [`Self::Append`]; of a value that is an array its elements, each for itself.
    Extend,
    /// `(document)`: its members as an array of objects of `key` and `value`.
    Entries,
    /// `(value)`: the value as JSON text; a text that is an array or an object is one.
    Write,
    /// `(value)`: whether it is a JSON object. False of null.
    IsObject,
    /// `(value)`: whether it is a JSON array. False of null.
    IsArray,
    /// `(document)`: whether it is JSON. False of null.
    Valid,
    /// `(document)`: how many elements or members.
    Length,
    /// `(document)`: the values of an array as a list.
    ToList,
    /// `(list)`: a JSON array of its values, as texts.
    FromList,
    /// `(list)`: a JSON array of its values; a text that is JSON goes in as what it is.
    FromTypedList,
}
