//! Function calls: which functions there are, how many arguments they take, and what they come to.
//!
//! Names are those of both vendors' engines (`match_regex` and `match`, `cast` and `tostring`). Splunk's reference
//! knows more; those in [`NOT_RUN`] are told apart from misspelt ones.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Expr, Function, Network, Regex, ValueType};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, Argument, ExprKind, Name},
        parser::similar,
    },
    Lowerer, Said,
    expressions::not,
    flow::{Environment, member},
};

/// As many as one likes.
const MANY: usize = usize::MAX;

/// The functions that are run, with the least and the greatest number of arguments.
const FUNCTIONS: [(&str, usize, usize); 49] = [
    ("map_get", 2, 2),
    ("ucast", 2, 3),
    ("cast", 2, 2),
    ("parse_long", 1, 1),
    ("parse_int", 1, 1),
    ("parse_double", 1, 1),
    ("parse_float", 1, 1),
    ("tonumber", 1, 2),
    ("tostring", 1, 1),
    ("create_map", 0, MANY),
    ("mvappend", 1, MANY),
    ("match_regex", 2, 2),
    ("match", 2, 2),
    ("like", 2, 2),
    ("in", 2, MANY),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("trim", 1, 1),
    ("if", 3, 3),
    ("case", 2, MANY),
    ("coalesce", 1, MANY),
    ("isnull", 1, 1),
    ("isnotnull", 1, 1),
    ("nullif", 2, 2),
    ("null", 0, 0),
    ("true", 0, 0),
    ("false", 0, 0),
    ("time", 0, 0),
    ("now", 0, 0),
    ("concat", 1, MANY),
    ("replace", 3, 3),
    ("split", 2, 2),
    ("mvindex", 2, 3),
    ("mvcount", 1, 1),
    ("mvjoin", 2, 2),
    ("mvrange", 2, 3),
    ("length", 1, 1),
    ("len", 1, 1),
    ("log", 1, 2),
    ("ln", 1, 1),
    ("substr", 2, 3),
    ("cidrmatch", 2, 2),
    ("for_each", 2, 2),
    ("add", 2, 2),
    ("subtract", 2, 2),
    ("multiply", 2, 2),
    ("divide", 2, 2),
    ("mod", 2, 2),
    ("iterator", 2, 2),
];

/// Functions of the references that the engine does not run.
const NOT_RUN: [&str; 58] = [
    "abs",
    "ceil",
    "ceiling",
    "exact",
    "exp",
    "floor",
    "max",
    "min",
    "pi",
    "pow",
    "round",
    "sqrt",
    "sigfig",
    "sum",
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "ltrim",
    "rtrim",
    "urldecode",
    "typeof",
    "isnum",
    "isint",
    "isstr",
    "isbool",
    "random",
    "relative_time",
    "strftime",
    "strptime",
    "searchmatch",
    "mvdedup",
    "mvfilter",
    "mvfind",
    "mvmap",
    "mvsort",
    "mvzip",
    "mv_to_json_array",
    "json",
    "json_object",
    "json_extract",
    "json_array",
    "json_keys",
    "json_set",
    "spath",
    "map_set",
    "map_delete",
    "map_contains_key",
    "to_json",
    "from_json_object",
    "filter_list",
    "parse_millis",
    "parse_bytes",
    "to_bytes",
    "get_regex_group",
    "ipmask",
    "printf",
    "validate",
];

/// The names of types, for casts.
const TYPES: [(&str, Option<ValueType>); 18] = [
    ("string", Some(ValueType::Text)),
    ("long", Some(ValueType::Integer)),
    ("integer", Some(ValueType::Integer)),
    ("int", Some(ValueType::Integer)),
    ("short", Some(ValueType::Integer)),
    ("float", Some(ValueType::Float)),
    ("double", Some(ValueType::Float)),
    ("number", Some(ValueType::Float)),
    ("boolean", Some(ValueType::Boolean)),
    ("bool", Some(ValueType::Boolean)),
    ("list", Some(ValueType::List)),
    ("array", Some(ValueType::List)),
    ("collection", Some(ValueType::List)),
    ("map", Some(ValueType::Object)),
    ("object", Some(ValueType::Object)),
    ("any", None),
    ("timestamp", Some(ValueType::Integer)),
    ("record", Some(ValueType::Object)),
];

impl Lowerer<'_> {
    /// A call of a function.
    pub(super) fn call(
        &mut self,
        name: &Name,
        arguments: &[Argument],
        span: Span,
        names: &Environment,
    ) -> Result<Expr, Said> {
        let lower = name.text.to_ascii_lowercase();
        let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == lower) else {
            return Err(self.unknown_function(name, &lower));
        };
        if arguments.len() < *least || arguments.len() > *most {
            return Err(self.wrong_count(name, arguments.len(), (*least, *most), span));
        }
        if lower == "cidrmatch" {
            return self.network_match(arguments, names);
        }
        if let Some(named) = arguments.iter().find_map(|argument| argument.name.as_ref()) {
            let message = format!("named arguments of `{lower}` are not run");
            return Err(self.unsupported("function", message, named.span));
        }
        let values: Vec<&ast::Expr> = arguments.iter().map(|argument| &argument.value).collect();
        match (lower.as_str(), values.as_slice()) {
            ("match" | "match_regex", [text, pattern]) => {
                let regex = self.static_regex(pattern, names)?;
                let text = self.expression(text, names)?;
                Ok(Expr::call(Function::Matches(regex), [text]))
            }
            ("replace", [text, pattern, replacement]) => {
                let regex = self.static_regex(pattern, names)?;
                let parts = [self.expression(text, names)?, self.expression(replacement, names)?];
                Ok(Expr::call(Function::Replace(regex), parts))
            }
            ("like", [text, pattern]) => {
                let text = self.expression(text, names)?;
                self.like(text, pattern, names)
            }
            ("ucast", [value, kind, rest @ ..]) => {
                let value = self.expression(value, names)?;
                let default = match rest.first() {
                    Some(default) => Some(self.expression(default, names)?),
                    None => None,
                };
                let text = self.type_name(kind)?;
                self.unchecked_cast(value, default, &text, kind.span)
            }
            ("cast", [value, kind]) => {
                let value = self.expression(value, names)?;
                let text = self.type_name(kind)?;
                Ok(match self.value_type(&text, kind.span)? {
                    Some(ValueType::Text) => Expr::call(Function::ToText, [value]),
                    Some(ValueType::Object) if matches!(value, Expr::Field(_) | Expr::Event(_)) => value,
                    Some(to) => Expr::call(Function::Convert(to), [value]),
                    None => value,
                })
            }
            ("for_each", [iterator, body]) => self.for_each(iterator, body, names),
            ("iterator", _) => Err(self.report(
                Diagnostic::error("spl2-expected", "`iterator` stands only in `for_each`")
                    .at(span, "no iteration here")
                    .with_help("write `for_each(iterator(list, \"item\"), expression)`"),
            )),
            (known, values) => {
                let mut lowered = Vec::new();
                for value in values {
                    lowered.push(self.expression(value, names)?);
                }
                self.plain(known, lowered, span)
            }
        }
    }

    /// A function that looks only at the values of its arguments. Their number has been checked.
    fn plain(&mut self, name: &str, mut arguments: Vec<Expr>, span: Span) -> Result<Expr, Said> {
        let literal = |value| Ok(Expr::Literal(value));
        let function = match name {
            "null" => return literal(Value::Null),
            "true" => return literal(Value::Bool(true)),
            "false" => return literal(Value::Bool(false)),
            "map_get" => return self.map_get(arguments, span),
            "create_map" => return Ok(create_map(arguments)),
            "isnotnull" => return Ok(not(Expr::Call(Function::IsNull, arguments))),
            "nullif" => {
                let equal = Expr::Call(Function::Equal(lurcher_ir::Case::Sensitive), arguments.clone());
                arguments.truncate(1);
                arguments.insert(0, Expr::Literal(Value::Null));
                arguments.insert(0, equal);
                Function::If
            }
            // Seconds, where `time()` counts milliseconds.
            "now" => {
                arguments = vec![Expr::Call(Function::Now, Vec::new()), Expr::Literal(Value::Int(1000))];
                Function::DivideTruncating
            }
            "ln" => {
                arguments.push(Expr::Literal(Value::Float(std::f64::consts::E)));
                Function::Log
            }
            "in" => Function::In(lurcher_ir::Case::Sensitive),
            "parse_long" | "parse_int" => Function::ParseInteger,
            "parse_double" | "parse_float" => Function::ParseFloat,
            "tonumber" => Function::ToNumber,
            "tostring" => Function::ToText,
            "mvappend" => Function::Append,
            "lower" => Function::Lower,
            "upper" => Function::Upper,
            "trim" => Function::Trim,
            "if" => Function::If,
            "case" => Function::Case,
            "coalesce" => Function::Coalesce,
            "isnull" => Function::IsNull,
            "time" => Function::Now,
            "concat" => Function::ConcatLenient,
            "split" => Function::Split,
            "mvindex" => Function::Index,
            "mvcount" => Function::Length,
            "mvjoin" => Function::Join,
            "mvrange" => Function::Range,
            "length" | "len" => Function::LengthUtf16,
            "log" => Function::Log,
            "substr" => Function::Substring,
            "add" => Function::Add,
            "subtract" => Function::Subtract,
            "multiply" => Function::Multiply,
            "divide" => Function::Divide,
            "mod" => Function::Modulo,
            other => return Err(self.unsupported("function", format!("the function `{other}` is not run"), span)),
        };
        Ok(Expr::Call(function, arguments))
    }

    fn map_get(&mut self, arguments: Vec<Expr>, span: Span) -> Result<Expr, Said> {
        let mut arguments = arguments.into_iter();
        match (arguments.next(), arguments.next()) {
            (Some(map), Some(Expr::Literal(Value::Text(key)))) => Ok(member(map, &key)),
            (_, Some(Expr::Literal(Value::Null))) => Ok(Expr::Literal(Value::Null)),
            _ => Err(self.unsupported("dynamic-member", "`map_get` with a key that is computed", span)),
        }
    }

    /// `ucast(x, "type", default)`: the value if it is of the type, else the default.
    ///
    /// Events are text here, whatever type the vendor's engine gave them: a field *is* its own text, a number is read
    /// where the vendor's engine would have had one, and a field with one value is a list of one.
    pub(super) fn unchecked_cast(
        &mut self,
        value: Expr,
        default: Option<Expr>,
        kind: &str,
        span: Span,
    ) -> Result<Expr, Said> {
        let is_field = matches!(value, Expr::Field(_) | Expr::Event(_));
        let cast = match self.value_type(kind, span)? {
            None => value,
            Some(ValueType::Text | ValueType::Object) if is_field => value,
            Some(ValueType::List) if is_field => Expr::call(Function::Append, [value]),
            Some(to @ (ValueType::Integer | ValueType::Float | ValueType::Boolean)) => {
                Expr::call(Function::Convert(to), [value])
            }
            Some(to) => {
                return Ok(Expr::call(Function::Cast(to), [value, default.unwrap_or(Expr::Literal(Value::Null))]));
            }
        };
        Ok(match default {
            None | Some(Expr::Literal(Value::Null)) => cast,
            Some(default) => Expr::call(Function::Coalesce, [cast, default]),
        })
    }

    fn type_name(&mut self, expr: &ast::Expr) -> Result<Arc<str>, Said> {
        match &expr.kind {
            ExprKind::Text(text) => Ok(Arc::clone(text)),
            _ => Err(self.report(
                Diagnostic::error("spl2-unknown-type", "the type of a cast must be written out")
                    .at(expr.span, "a type in double quotes expected")
                    .with_help("write `\"string\"`, `\"long\"`, `\"map<string, any>\"` …"),
            )),
        }
    }

    /// What a type name means; `None` for `any`. What stands in `<…>` does not matter.
    fn value_type(&mut self, name: &str, span: Span) -> Result<Option<ValueType>, Said> {
        let base = name.split('<').next().unwrap_or(name).trim().to_ascii_lowercase();
        if let Some((_, found)) = TYPES.iter().find(|(known, _)| *known == base) {
            return Ok(*found);
        }
        let mut diagnostic =
            Diagnostic::error("spl2-unknown-type", format!("there is no type `{name}`")).at(span, "unknown type");
        diagnostic = match similar(&base, TYPES.iter().map(|(known, _)| *known)) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help(
                "types are `string`, `integer`, `long`, `double`, `boolean`, `collection<…>`, `map<…>`, `any`",
            ),
        };
        Err(self.report(diagnostic))
    }

    /// A pattern that is written out, between slashes or in double quotes.
    fn static_regex(&mut self, pattern: &ast::Expr, names: &Environment) -> Result<Regex, Said> {
        if let ExprKind::Regex(text) = &pattern.kind {
            return self.regex(text, pattern.span);
        }
        match self.expression(pattern, names)? {
            Expr::Literal(Value::Text(text)) => self.regex(&text, pattern.span),
            _ => Err(self.unsupported("dynamic-pattern", "a regular expression that is computed", pattern.span)),
        }
    }

    /// `cidrmatch(cidr, ip)`, or with names in any order.
    fn network_match(&mut self, arguments: &[Argument], names: &Environment) -> Result<Expr, Said> {
        let by_name = |wanted: &[&str]| {
            let fits =
                |argument: &&Argument| argument.name.as_ref().is_some_and(|name| wanted.contains(&name.text.as_ref()));
            arguments.iter().find(fits).map(|argument| &argument.value)
        };
        let plain =
            |at: usize| arguments.get(at).filter(|argument| argument.name.is_none()).map(|argument| &argument.value);
        let block = by_name(&["cidr_range", "cidr"]).or(plain(0));
        let address = by_name(&["ip"]).or(plain(1));
        let (Some(block), Some(address)) = (block, address) else {
            let span = arguments.first().map_or(Span::default(), |argument| argument.value.span);
            return Err(self.report(
                Diagnostic::error("spl2-arity", "`cidrmatch` needs `cidr_range` and `ip`")
                    .at(span, "an argument is missing or has an unknown name")
                    .with_help("write `cidrmatch(ip: address, cidr_range: \"10.0.0.0/8\")`"),
            ));
        };
        let (range, address) = (self.expression(block, names)?, self.expression(address, names)?);
        let Expr::Literal(Value::Text(text)) = &range else {
            return Ok(Expr::call(Function::CidrMatch, [address, range]));
        };
        match Network::parse(text) {
            Some(network) => Ok(Expr::call(Function::InNetwork(Arc::from([network])), [address])),
            None => Err(self.report(
                Diagnostic::error("spl2-network", format!("`{text}` is no block of addresses"))
                    .at(block.span, "such as `10.0.0.0/8`"),
            )),
        }
    }

    /// `for_each(iterator(list, "name"), body)`.
    fn for_each(&mut self, iterator: &ast::Expr, body: &ast::Expr, names: &Environment) -> Result<Expr, Said> {
        let (list, variable) = match &iterator.kind {
            ExprKind::Call(name, arguments) if name.text.eq_ignore_ascii_case("iterator") => match arguments.as_slice()
            {
                [list, variable] => (&list.value, variable.value.as_text()),
                _ => (iterator, None),
            },
            _ => (iterator, None),
        };
        let Some(variable) = variable else {
            return Err(self.report(
                Diagnostic::error("spl2-expected", "`for_each` needs an iterator")
                    .at(iterator.span, "no iterator")
                    .with_help("write `for_each(iterator(list, \"item\"), expression)`"),
            ));
        };
        let list = self.expression(list, names)?;
        self.scopes.push(Arc::clone(variable));
        let body = self.expression(body, names);
        self.scopes.pop();
        Ok(Expr::ForEach { list: Box::new(list), variable: Arc::clone(variable), body: Box::new(body?) })
    }

    fn unknown_function(&mut self, name: &Name, lower: &str) -> Said {
        if NOT_RUN.contains(&lower) {
            return self.unsupported("function", format!("the function `{lower}` is not run"), name.span);
        }
        let mut diagnostic =
            Diagnostic::error("spl2-unknown-function", format!("there is no function `{}`", name.text))
                .at(name.span, "unknown function");
        let known = FUNCTIONS.iter().map(|(known, ..)| *known).chain(NOT_RUN);
        diagnostic = match similar(lower, known) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help("docs/languages/spl2.md lists the functions that run"),
        };
        self.report(diagnostic)
    }

    fn wrong_count(&mut self, name: &Name, given: usize, (least, most): (usize, usize), span: Span) -> Said {
        let wanted = match (least, most) {
            (least, MANY) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        let plural = if wanted == "1" || wanted == "at least 1" { "" } else { "s" };
        self.report(
            Diagnostic::error("spl2-arity", format!("`{}` takes {wanted} argument{plural}, not {given}", name.text))
                .at(span, format!("{given} given")),
        )
    }
}

/// `create_map(k, v, …)` or `create_map([k, v, …])`, as an object if the keys are written out.
fn create_map(arguments: Vec<Expr>) -> Expr {
    let pairs = match arguments.as_slice() {
        [Expr::List(items)] => items,
        other => other,
    };
    let mut members: Vec<(Arc<str>, Expr)> = Vec::new();
    for pair in pairs.chunks(2) {
        match pair {
            [Expr::Literal(Value::Text(key)), value] => members.push((Arc::clone(key), value.clone())),
            _ => return Expr::Call(Function::ObjectFromPairs, arguments),
        }
    }
    Expr::Object(members)
}
