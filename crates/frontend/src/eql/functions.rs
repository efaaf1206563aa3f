//! The functions: their names, arguments and results, as Elasticsearch's function reference lists them.

use lurcher_schema::FieldType;

use crate::syntax::closest;

/// What kind of value an expression yields, as far as it decides what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An IP address; text is taken for one.
    Ip,
    /// A point in time.
    Date,
    /// Unknown, or any.
    Any,
}

impl Kind {
    /// Of a field.
    pub(super) fn of_field(kind: FieldType) -> Self {
        match kind {
            // A keyword may be a field that the packs do not know, so nothing is held against it.
            FieldType::Keyword | FieldType::Text | FieldType::Version | FieldType::Object => Self::Any,
            FieldType::Integer | FieldType::Float => Self::Number,
            FieldType::Boolean => Self::Boolean,
            FieldType::Ip => Self::Ip,
            FieldType::Date => Self::Date,
        }
    }

    /// Whether a value of this kind can stand where `wanted` is.
    pub(super) fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Any || wanted == Self::Any || (self, wanted) == (Self::Text, Self::Ip)
    }

    /// With an article, for messages.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Ip => "an IP address",
            Self::Date => "a date",
            Self::Any => "a value",
        }
    }
}

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// `add`
    Add,
    /// `between`
    Between,
    /// `cidrMatch`
    CidrMatch,
    /// `concat`
    Concat,
    /// `divide`
    Divide,
    /// `endsWith`
    EndsWith,
    /// `indexOf`
    IndexOf,
    /// `length`
    Length,
    /// `modulo`
    Modulo,
    /// `multiply`
    Multiply,
    /// `number`
    Number,
    /// `startsWith`
    StartsWith,
    /// `string`
    String,
    /// `stringContains`
    StringContains,
    /// `substring`
    Substring,
    /// `subtract`
    Subtract,
}

impl Id {
    /// How many arguments, from the first, make the result null if one of them is. Behind these a constant null is the
    /// same as leaving the argument out.
    pub(super) fn needed(self) -> usize {
        match self {
            Self::Between => 3,
            Self::IndexOf => 2,
            Self::Substring | Self::Number => 1,
            _ => usize::MAX,
        }
    }
}

/// What is known about a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// Which.
    pub(super) id: Id,
    /// As the reference writes it.
    pub(super) name: &'static str,
    /// Whether there is a variant `name~` that ignores case.
    pub(super) tilde: bool,
    /// What it takes.
    pub(super) parameters: &'static [Kind],
    /// How many of these, from the last, may be left out.
    pub(super) optional: usize,
    /// Whether the last may be repeated.
    pub(super) repeated: bool,
    /// What it yields.
    pub(super) returns: Kind,
}

impl Spec {
    const fn new(id: Id, name: &'static str, parameters: &'static [Kind], returns: Kind) -> Self {
        Self { id, name, tilde: false, parameters, optional: 0, repeated: false, returns }
    }

    const fn tilde(self) -> Self {
        Self { tilde: true, ..self }
    }

    const fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    const fn repeated(self) -> Self {
        Self { repeated: true, ..self }
    }

    /// What the argument at this place must be.
    pub(super) fn parameter(&self, place: usize) -> Kind {
        self.parameters.get(place).or(self.parameters.last()).copied().unwrap_or(Kind::Any)
    }

    /// Whether it can be called with so many arguments.
    pub(super) fn takes(&self, count: usize) -> bool {
        count >= self.parameters.len() - self.optional && (self.repeated || count <= self.parameters.len())
    }

    /// How many arguments it takes, in words.
    pub(super) fn arity(&self) -> String {
        let most = self.parameters.len();
        let least = most - self.optional;
        let plural = if most == 1 { "" } else { "s" };
        match (self.repeated, least == most) {
            (true, _) => format!("at least {least} argument{plural}"),
            (false, true) => format!("{most} argument{plural}"),
            (false, false) => format!("{least} to {most} arguments"),
        }
    }
}

use Kind::{Any, Boolean, Ip, Number, Text};

/// All of them.
pub(super) const FUNCTIONS: [Spec; 16] = [
    Spec::new(Id::Add, "add", &[Number, Number], Number),
    Spec::new(Id::Between, "between", &[Text, Text, Text, Boolean], Text).optional(1).tilde(),
    Spec::new(Id::CidrMatch, "cidrMatch", &[Ip, Text], Boolean).repeated(),
    Spec::new(Id::Concat, "concat", &[Any], Text).repeated(),
    Spec::new(Id::Divide, "divide", &[Number, Number], Number),
    Spec::new(Id::EndsWith, "endsWith", &[Text, Text], Boolean).tilde(),
    Spec::new(Id::IndexOf, "indexOf", &[Text, Text, Number], Number).optional(1).tilde(),
    Spec::new(Id::Length, "length", &[Text], Number),
    Spec::new(Id::Modulo, "modulo", &[Number, Number], Number),
    Spec::new(Id::Multiply, "multiply", &[Number, Number], Number),
    Spec::new(Id::Number, "number", &[Text, Number], Number).optional(1),
    Spec::new(Id::StartsWith, "startsWith", &[Text, Text], Boolean).tilde(),
    Spec::new(Id::String, "string", &[Any], Text),
    Spec::new(Id::StringContains, "stringContains", &[Text, Text], Boolean).tilde(),
    Spec::new(Id::Substring, "substring", &[Text, Number, Number], Text).optional(1),
    Spec::new(Id::Subtract, "subtract", &[Number, Number], Number),
];

/// What python-eql has and Elasticsearch has not, with what to write instead.
const PYTHON: [(&str, &str); 7] = [
    ("arrayContains", "compare the field itself: a test looks at all values, as in `field in (…)` or `field : (…)`"),
    ("arrayCount", "test the values of the field themselves; there is no counting of values"),
    ("arraySearch", "test the values of the field themselves; there are no functions over lists"),
    ("match", "write `field regex~ \"…\"`"),
    ("matchLite", "write `field regex~ \"…\"`"),
    ("safe", "leave it out: an expression that cannot be computed is null here"),
    ("wildcard", "write `field : (\"a*\", \"b*\")`"),
];

/// The function of that name, in any case.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    FUNCTIONS.iter().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

/// What to do instead of calling a function that only python-eql has.
pub(super) fn python_only(name: &str) -> Option<&'static str> {
    PYTHON.iter().find(|(python, _)| python.eq_ignore_ascii_case(name)).map(|(_, help)| *help)
}

/// The function that was probably meant. What other languages call the same thing counts as a misspelling.
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let other = match name.to_ascii_lowercase().as_str() {
        "contains" | "strcontains" | "includes" => Some("stringContains"),
        "len" | "strlen" | "size" => Some("length"),
        "substr" | "slice" => Some("substring"),
        "tostring" | "to_string" => Some("string"),
        "tonumber" | "to_number" | "toint" => Some("number"),
        "cidr" | "cidr_match" | "incidr" => Some("cidrMatch"),
        "starts_with" | "beginswith" => Some("startsWith"),
        "ends_with" => Some("endsWith"),
        _ => None,
    };
    other.or_else(|| closest(name, FUNCTIONS.iter().map(|spec| spec.name)))
}
