//! Expressions: values computed from an event's fields and from the columns of a pipeline's row.

use std::sync::Arc;

use lurcher_schema::{Taxonomy, Value, Zone};

use crate::{
    AddressFunction, Case, FieldRef, ListFunction, LooseFunction, Network, NumberFunction, PlaceFunction, Regex,
    TextFunction, TimeFunction, Wildcard, ZoneFunction,
};

/// A computation that yields a value. Null is "unknown".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// This value.
    Literal(Value),
    /// An event's field. If the field is an object in its taxonomy: the object of all fields below it. In a row
    /// without an event of its own (after an aggregation): null.
    Field(FieldRef),
    /// The whole event as an object in a taxonomy.
    Event(Taxonomy),
    /// A column of the pipeline's row, by its exact name; null if there is none. Only in pipelines.
    Column(Arc<str>),
    /// A function of arguments.
    Call(Function, Vec<Expr>),
    /// A list of these values, nulls included.
    List(Vec<Expr>),
    /// An object of these members, nulls included.
    Object(Vec<(Arc<str>, Expr)>),
    /// For each element of the list, the body with the column `variable` set to it; a list. Null of a null list.
    ForEach {
        /// What is iterated over.
        list: Box<Expr>,
        /// The name of the column that holds the element.
        variable: Arc<str>,
        /// What is computed for each.
        body: Box<Expr>,
    },
}

/// A function. Unless said otherwise: null if any argument is null, or of a type that the function does not take.
///
/// "Text" arguments take numbers and booleans in their text form. Positions and lengths count characters unless said
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Kleene's and, over any number of booleans. Null only if unknown.
    And,
    /// Kleene's or, over any number of booleans. Null only if unknown.
    Or,
    /// Kleene's not.
    Not,
    /// Whether the argument is null (or an empty list). Never null.
    IsNull,
    /// Equality: numbers as numbers (also against text that reads as one), text by case, booleans also against
    /// `true`/`false`, lists and objects member by member.
    Equal(Case),
    /// The first is less than the second: numbers as numbers, texts byte by byte.
    Less,
    /// The first is less than or equal to the second.
    LessOrEqual,
    /// The first argument equals one of the others (or one of their elements if they are lists). Null if it does
    /// not and one of them is null.
    In(Case),
    /// Sum of numbers.
    Add,
    /// Sum of numbers; if one is text, the two joined as text.
    AddOrConcat,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient; of two integers cut toward zero. Null by zero.
    DivideTruncating,
    /// Quotient as a fraction. Null by zero.
    Divide,
    /// Remainder with the sign of the dividend. Null by zero.
    Modulo,
    /// The number with its sign turned.
    Negate,
    /// Logarithm of the first to the base of the second (10 if absent). Null where undefined.
    Log,
    /// All arguments as text, joined.
    Concat,
    /// All arguments as text, joined; nulls are skipped.
    ConcatLenient,
    /// Length of a text in UTF-16 code units.
    LengthUtf16,
    /// Length of a text in characters, or of a list in elements.
    Length,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
    /// Without white space at both ends.
    Trim,
    /// `substring(text, start[, end])` with 0-based positions in UTF-16 code units; negative ones count from the
    /// end; out of range is clipped; an empty range is "".
    Slice,
    /// `substr(text, start[, length])` with a 1-based position; negative ones count from the end.
    Substring,
    /// 0-based position (UTF-16 code units) of the second in the first, at or after the third (0 if absent). Null
    /// if there is none. An empty text is found at the start; a null start is null; one past the end is null.
    IndexOf(Case),
    /// `between(text, left, right)`: what stands between the first `left` and the next `right` (the last one if
    /// greedy). Null if there is none.
    Between {
        /// Case rule for both.
        case: Case,
        /// To the last `right` rather than the next.
        greedy: bool,
    },
    /// The first begins with the second.
    StartsWith(Case),
    /// The first ends with the second.
    EndsWith(Case),
    /// The first has the second in it; false if either is empty.
    ContainsNonEmpty(Case),
    /// The text is matched as a whole by the pattern.
    Like(Wildcard, Case),
    /// The expression is found in the text.
    Matches(Regex),
    /// `replace(text, replacement)`: every match of the expression replaced; `$1` or `\1` in the replacement means
    /// a group.
    Replace(Regex),
    /// The named group of the expression's first match in the text; null if there is none.
    Capture(Regex, Arc<str>),
    /// `split(text, delimiter)`: a list.
    Split,
    /// The elements of the arguments joined as texts: `join(list, delimiter)`.
    Join,
    /// The argument is an IP address in one of the blocks.
    InNetwork(Arc<[Network]>),
    /// `(address, block…)`: the address lies in one of the blocks that the further arguments name.
    CidrMatch,
    /// `number(text[, base])`: reads a number, trimmed; `0x` means base 16; null if it is none. Base null or absent:
    /// 10, or 16 after `0x`.
    ToNumber,
    /// Reads a whole decimal number; null if it is none.
    ParseInteger,
    /// Reads a decimal number; null if it is none.
    ParseFloat,
    /// The text form of a scalar.
    ToText,
    /// The first argument if it is of the type, else the second. Scalars count as text.
    Cast(ValueType),
    /// The first argument converted to the type; null if that cannot be.
    Convert(ValueType),
    /// A list of the arguments, lists among them flattened, nulls skipped; null if nothing remains.
    Append,
    /// `index(list, first[, last])`: the element at a 0-based position, negative from the end, or the list of those
    /// from first to last inclusive. Null outside.
    Index,
    /// `range(start, end[, step])`: the list of whole numbers from start, before end.
    Range,
    /// The member of an object at a dotted path. Null if it is no object or has no such member.
    Member(Arc<str>),
    /// `object(name, value, name, value …)`, or the same as one list.
    ObjectFromPairs,
    /// `(condition, then, else)`: `then` if the condition is true, else `else`. Not null merely by an argument's.
    If,
    /// `(condition, value, condition, value …[, default])`: the value behind the first true condition.
    Case,
    /// The first argument that is not null.
    Coalesce,
    /// The time as milliseconds since 1970, from the injected clock. A sweep over files runs on a virtual clock that
    /// stands at the time of the row it looks at, as a live stream's does, so that a run can be repeated; only a row
    /// without a time sees the time of the run.
    Now,
    /// Of values that are what they read as.
    Loose(LooseFunction),
    /// Of several values.
    List(ListFunction),
    /// Of numbers.
    Number(NumberFunction),
    /// Of points in time.
    Time(TimeFunction),
    /// Of points in time, by the clock of a time zone.
    Zoned(Zone, ZoneFunction),
    /// Of addresses and versions.
    Address(AddressFunction),
    /// Of texts.
    Text(TextFunction),
    /// Of places.
    Place(PlaceFunction),
}

/// A type that values are cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Text; takes scalars in their text form.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// A boolean.
    Boolean,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Expr {
    /// A call.
    pub fn call(function: Function, arguments: impl IntoIterator<Item = Expr>) -> Self {
        Self::Call(function, arguments.into_iter().collect())
    }

    /// Every event field that is read, in order of appearance, with repetitions.
    pub fn fields<'a>(&'a self, visit: &mut dyn FnMut(&'a FieldRef)) {
        match self {
            Self::Field(field) => visit(field),
            other => other.parts(&mut |part| part.fields(visit)),
        }
    }

    /// The expressions that this one is directly made of, in order.
    pub fn parts<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Literal(_) | Self::Field(_) | Self::Event(_) | Self::Column(_) => {}
            Self::Call(_, arguments) | Self::List(arguments) => arguments.iter().for_each(visit),
            Self::Object(members) => members.iter().for_each(|(_, value)| visit(value)),
            Self::ForEach { list, body, .. } => {
                visit(list);
                visit(body);
            }
        }
    }

    /// Whether it, or any expression within it, fits.
    pub fn any(&self, fits: &dyn Fn(&Expr) -> bool) -> bool {
        let mut found = fits(self);
        self.parts(&mut |part| found = found || part.any(fits));
        found
    }

    /// Whether it reads a column that fits. The variable of an iteration counts as one.
    pub fn reads_column(&self, fits: &dyn Fn(&str) -> bool) -> bool {
        self.any(&|expr| matches!(expr, Expr::Column(name) if fits(name)))
    }

    /// How many nodes it has and how deep it is.
    pub fn extent(&self) -> (usize, usize) {
        let (mut nodes, mut depth) = (1, 0);
        self.parts(&mut |part| {
            let (size, height) = part.extent();
            nodes += size;
            depth = depth.max(height);
        });
        (nodes, depth + 1)
    }
}
