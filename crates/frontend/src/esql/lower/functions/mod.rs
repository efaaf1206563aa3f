//! Functions of one row: how many arguments they take, of which types, and what they are in the IR.
//!
//! Each topic has a file. A topic's function returns `None` for a name that is none of its own.

mod conditional;
mod dates;
mod lists;
mod numbers;
mod other;
mod texts;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Expr, Function, ListFunction};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, ExprKind, Name},
        types::Type,
    },
    Lowerer, Result, Said,
    search::SEARCHES,
    stats::AGGREGATES,
    value::Typed,
};
use crate::syntax::closest;

/// Every function and how many arguments it takes, at least and at most.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("case", 2, MANY),
    ("coalesce", 1, MANY),
    ("greatest", 1, MANY),
    ("least", 1, MANY),
    ("clamp", 3, 3),
    ("clamp_min", 2, 2),
    ("clamp_max", 2, 2),
    ("concat", 1, MANY),
    ("length", 1, 1),
    ("byte_length", 1, 1),
    ("bit_length", 1, 1),
    ("to_lower", 1, 1),
    ("to_upper", 1, 1),
    ("trim", 1, 1),
    ("ltrim", 1, 1),
    ("rtrim", 1, 1),
    ("substring", 2, 3),
    ("left", 2, 2),
    ("right", 2, 2),
    ("replace", 3, 3),
    ("split", 2, 2),
    ("starts_with", 2, 2),
    ("ends_with", 2, 2),
    ("contains", 2, 2),
    ("locate", 2, 3),
    ("repeat", 2, 2),
    ("reverse", 1, 1),
    ("space", 1, 1),
    ("url_encode", 1, 1),
    ("url_encode_component", 1, 1),
    ("url_decode", 1, 1),
    ("to_base64", 1, 1),
    ("from_base64", 1, 1),
    ("md5", 1, 1),
    ("sha1", 1, 1),
    ("sha256", 1, 1),
    ("hash", 2, 2),
    ("json_extract", 2, 2),
    ("json_string", 2, MANY),
    ("abs", 1, 1),
    ("ceil", 1, 1),
    ("floor", 1, 1),
    ("round", 1, 2),
    ("round_to", 2, MANY),
    ("sqrt", 1, 1),
    ("cbrt", 1, 1),
    ("exp", 1, 1),
    ("pow", 2, 2),
    ("log", 1, 2),
    ("log10", 1, 1),
    ("sin", 1, 1),
    ("cos", 1, 1),
    ("tan", 1, 1),
    ("asin", 1, 1),
    ("acos", 1, 1),
    ("atan", 1, 1),
    ("atan2", 2, 2),
    ("sinh", 1, 1),
    ("cosh", 1, 1),
    ("tanh", 1, 1),
    ("asinh", 1, 1),
    ("acosh", 1, 1),
    ("atanh", 1, 1),
    ("hypot", 2, 2),
    ("signum", 1, 1),
    ("to_degrees", 1, 1),
    ("to_radians", 1, 1),
    ("scalb", 2, 2),
    ("copy_sign", 2, 2),
    ("pi", 0, 0),
    ("e", 0, 0),
    ("tau", 0, 0),
    ("now", 0, 0),
    ("date_trunc", 2, 2),
    ("date_diff", 3, 3),
    ("date_extract", 2, 2),
    ("date_format", 1, 2),
    ("date_parse", 1, 3),
    ("year", 1, 1),
    ("month", 1, 1),
    ("day", 1, 1),
    ("hour", 1, 1),
    ("day_name", 1, 1),
    ("month_name", 1, 1),
    ("bucket", 2, 4),
    ("bin", 2, 4),
    ("tbucket", 1, 3),
    ("trange", 1, 2),
    ("mv_append", 2, 2),
    ("mv_avg", 1, 1),
    ("mv_concat", 2, 2),
    ("mv_contains", 2, 2),
    ("mv_intersects", 2, 2),
    ("mv_intersection", 2, 2),
    ("mv_union", 2, 2),
    ("mv_difference", 2, 2),
    ("mv_count", 1, 1),
    ("mv_dedupe", 1, 1),
    ("mv_first", 1, 1),
    ("mv_last", 1, 1),
    ("mv_max", 1, 1),
    ("mv_min", 1, 1),
    ("mv_median", 1, 1),
    ("mv_median_absolute_deviation", 1, 1),
    ("mv_percentile", 2, 2),
    ("mv_pseries_weighted_sum", 2, 2),
    ("mv_slice", 2, 3),
    ("mv_sort", 1, 2),
    ("mv_sum", 1, 1),
    ("mv_zip", 2, 3),
    ("mv_like", 2, 2),
    ("mv_rlike", 2, 2),
    ("mv_greater", 2, 2),
    ("mv_less", 2, 2),
    ("mv_in_range", 3, 3),
    ("cidr_match", 2, MANY),
    ("ip_prefix", 3, 3),
    ("network_direction", 3, 3),
    ("to_boolean", 1, 1),
    ("to_bool", 1, 1),
    ("to_integer", 1, 2),
    ("to_int", 1, 2),
    ("to_long", 1, 2),
    ("to_unsigned_long", 1, 1),
    ("to_ulong", 1, 1),
    ("to_ul", 1, 1),
    ("to_double", 1, 1),
    ("to_dbl", 1, 1),
    ("to_string", 1, 1),
    ("to_str", 1, 1),
    ("to_text", 1, 1),
    ("to_ip", 1, 1),
    ("to_version", 1, 1),
    ("to_ver", 1, 1),
    ("to_datetime", 1, 1),
    ("to_dt", 1, 1),
    ("to_date_nanos", 1, 1),
    ("to_datenanos", 1, 1),
    ("to_dateperiod", 1, 1),
    ("to_timeduration", 1, 1),
    ("to_geopoint", 1, 1),
    ("st_x", 1, 1),
    ("st_y", 1, 1),
    ("st_distance", 2, 2),
    ("is_null", 1, 1),
    ("is_not_null", 1, 1),
];

const MANY: usize = usize::MAX;

/// Functions that may have options in braces.
const TAKE_OPTIONS: [&str; 4] = ["date_parse", "mv_greater", "mv_less", "to_ip"];

/// The names of all functions, those that search and the aggregates included, in lower case.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().chain(AGGREGATES).map(|known| known.0).chain(SEARCHES.iter().copied())
}

/// Functions that exist and are not run, and why.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "categorize",
        "it groups texts by a model that it learns from them; group by what GROK or REPLACE makes of a text",
    ),
    ("chunk", "it cuts texts for language models; use SUBSTRING or SPLIT"),
    ("field_extract", "it reads flattened fields, and events have none; name the field itself"),
    ("fmt_bytes", "it is a technical preview that writes numbers for people to read"),
    ("fmt_bytes_si", "it is a technical preview that writes numbers for people to read"),
    ("fmt_duration", "it is a technical preview that writes numbers for people to read"),
    ("fmt_percent", "it is a technical preview that writes numbers for people to read"),
    ("range_contains", "ranges of dates are not handled"),
    ("range_intersects", "ranges of dates are not handled"),
    ("range_max", "ranges of dates are not handled"),
    ("range_min", "ranges of dates are not handled"),
    ("range_within", "ranges of dates are not handled"),
    ("to_ascii", "it is proposed to Elasticsearch and in none of its releases"),
    ("to_counter", "metrics are not handled"),
    ("to_date_range", "ranges of dates are not handled"),
    ("to_double_range", "ranges are not handled"),
    ("to_exponential_histogram", "histograms are not handled"),
    ("to_gauge", "metrics are not handled"),
    ("to_range", "ranges are not handled"),
    ("to_tdigest", "histograms are not handled"),
    ("without", "time series are not handled"),
    ("decay", "it scores documents, and events have no score; compare the values themselves"),
    ("embed", "it asks a model for vectors, and events have none"),
    ("embedding", "it asks a model for vectors, and events have none"),
    ("extract_historical_snapshots", "it is not documented"),
    ("knn", "it searches vectors, and events have none; search texts with MATCH or KQL"),
    ("score", "events have no score; leave it out"),
    ("term", "it searches single terms of an index; compare the value with `==`"),
    ("text_embedding", "it asks a model for vectors, and events have none"),
    ("text_similarity_reranker", "it asks a model for an order; order by a value of the rows with SORT"),
    ("top_snippets", "it asks a model which parts of a text fit; use GROK or SUBSTRING"),
    ("to_aggregate_metric_double", "metrics are not handled"),
    ("to_cartesianpoint", "shapes are not handled"),
    ("to_cartesianshape", "shapes are not handled"),
    ("to_dense_vector", "vectors are not handled"),
    ("to_geohash", "shapes are not handled"),
    ("to_geohex", "shapes are not handled"),
    ("to_geoshape", "shapes are not handled"),
    ("to_geotile", "shapes are not handled"),
    ("to_lower_ascii", "it is not documented"),
    ("v_cosine", "vectors are not handled"),
    ("v_dot_product", "vectors are not handled"),
    ("v_hamming", "vectors are not handled"),
    ("v_l1_norm", "vectors are not handled"),
    ("v_l2_norm", "vectors are not handled"),
    ("v_magnitude", "vectors are not handled"),
];

/// Says that a time span stands where a function takes values.
pub(super) fn no_span(function: &str, span: Span) -> Diagnostic {
    Diagnostic::error("esql-type", format!("`{}` takes no time span", function.to_uppercase()))
        .at(span, "this is a time span")
        .with_help("add it to a date, or use it in `DATE_TRUNC` or `BUCKET`")
}

/// How many arguments a function takes, in words.
pub(super) fn counted(least: usize, most: usize) -> String {
    let wanted = match (least, most) {
        (least, MANY) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    let plural = if wanted.ends_with('1') && wanted != "11" { "argument" } else { "arguments" };
    format!("{wanted} {plural}")
}

/// What a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Keyword and text.
    Text,
    /// Any number.
    Number,
    /// A whole number.
    Whole,
    /// A point in time.
    Date,
    /// An address.
    Ip,
    /// A point on earth.
    Point,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Whole => "a whole number",
            Self::Date => "a date",
            Self::Ip => "an ip",
            Self::Point => "a geo_point",
        }
    }

    /// A constant text as what is wanted, as the language casts it.
    fn read(self, text: &str) -> Option<Typed> {
        match self {
            Self::Number | Self::Whole => match (text.trim().parse::<i64>(), text.trim().parse::<f64>()) {
                (Ok(number), _) => Some(super::expressions::whole(number)),
                (_, Ok(number)) if self == Self::Number && number.is_finite() => {
                    Some(Typed::literal(Type::Double, Value::Float(number)))
                }
                _ => None,
            },
            Self::Ip => {
                let address = text.trim().parse::<std::net::IpAddr>().ok()?;
                Some(Typed::literal(Type::Ip, Value::text(address.to_canonical().to_string())))
            }
            _ => None,
        }
    }

    fn fits(self, kind: Type) -> bool {
        kind.is_open()
            || match self {
                Self::Text => kind.is_text(),
                Self::Number => kind.is_number(),
                Self::Whole => kind.is_whole(),
                Self::Date => kind.is_date(),
                Self::Ip => kind == Type::Ip,
                Self::Point => kind == Type::GeoPoint,
            }
    }
}

/// A call whose arguments have been lowered.
struct Call<'c> {
    name: &'c str,
    span: Span,
    arguments: Vec<Typed>,
    spans: Vec<Span>,
    /// What stands in braces behind the arguments.
    options: Vec<(Name, ast::Expr)>,
}

impl Call<'_> {
    /// An option, as it is written.
    fn option(&self, name: &str) -> Option<&ast::Expr> {
        self.options.iter().find(|(own, _)| own.text.as_ref() == name).map(|(_, value)| value)
    }

    /// An argument; null if it is absent.
    fn at(&self, place: usize) -> Typed {
        self.arguments.get(place).cloned().unwrap_or_else(Typed::null)
    }

    fn span(&self, place: usize) -> Span {
        self.spans.get(place).copied().unwrap_or(self.span)
    }

    fn count(&self) -> usize {
        self.arguments.len()
    }
}

impl Lowerer<'_> {
    /// Time spans stand only where a function measures time with them.
    fn refuse_spans(&mut self, call: &Call<'_>) -> Result<()> {
        const TAKE_SPANS: [&str; 8] =
            ["bin", "bucket", "case", "date_trunc", "tbucket", "trange", "to_dateperiod", "to_timeduration"];
        let found = call.arguments.iter().position(|argument| argument.kind.is_span());
        match found.filter(|_| !TAKE_SPANS.contains(&call.name)) {
            Some(place) => Err(self.report(no_span(call.name, call.span(place)))),
            None => Ok(()),
        }
    }

    /// A call.
    pub(super) fn call(&mut self, name: &Name, arguments: &[ast::Expr], span: Span) -> Result<Typed> {
        let own = name.text.as_ref();
        if SEARCHES.contains(&own) {
            return Err(if self.symbolic {
                Said
            } else {
                let message = format!(
                    "{} stands outside the conditions that choose events; move it into a WHERE before other commands",
                    own.to_uppercase()
                );
                self.unsupported("full-text", message, span)
            });
        }
        let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == own) else {
            return Err(self.unknown_function(name));
        };
        let options = arguments.iter().filter_map(|argument| match &argument.kind {
            ExprKind::Map(entries) => Some(entries.clone()),
            _ => None,
        });
        let options: Vec<(Name, ast::Expr)> = options.flatten().collect();
        if let Some((option, _)) = options.first().filter(|_| !TAKE_OPTIONS.contains(&own)) {
            if !matches!(own, "bucket" | "tbucket") {
                let error = Diagnostic::error("esql-option", format!("`{}` takes no options", own.to_uppercase()));
                return Err(self.report(error.at(option.span, "not allowed here").with_help("leave out the braces")));
            }
            self.bucket_options(own, &options)?;
        }
        let arguments: Vec<&ast::Expr> =
            arguments.iter().filter(|argument| !matches!(argument.kind, ExprKind::Map(_))).collect();
        if arguments.len() < *least || arguments.len() > *most {
            let wanted = counted(*least, *most);
            let message = format!("`{}` takes {wanted}, found {}", own.to_uppercase(), arguments.len());
            return Err(self.report(Diagnostic::error("esql-arguments", message).at(span, "in this call")));
        }
        let mut call = Call { name: own, span, arguments: Vec::new(), spans: Vec::new(), options };
        for argument in arguments {
            call.arguments.push(self.expression(argument)?);
            call.spans.push(argument.span);
        }
        self.refuse_spans(&call)?;
        let found = self
            .conditional_function(&call)
            .or_else(|| self.text_function(&call))
            .or_else(|| self.number_function(&call))
            .or_else(|| self.date_function(&call))
            .or_else(|| self.list_function(&call))
            .or_else(|| self.other_function(&call));
        found.unwrap_or_else(|| {
            Err(self.unsupported("function", format!("the function {} is not run", own.to_uppercase()), span))
        })
    }

    /// The options of `BUCKET`: whether there are rows of buckets that no row lies in. Source: Elasticsearch's pull request
    /// 154864.
    fn bucket_options(&mut self, own: &str, options: &[(Name, ast::Expr)]) -> Result<()> {
        for (option, value) in options {
            match (option.text.as_ref(), &value.kind) {
                ("include_empty_buckets", ExprKind::Boolean(false)) => {}
                ("include_empty_buckets", ExprKind::Boolean(true)) => {
                    let message = format!("{} with rows of buckets that no row lies in is not run", own.to_uppercase());
                    return Err(self.unsupported("function", message, option.span));
                }
                ("include_empty_buckets", _) => {
                    let error = Diagnostic::error("esql-option", "`include_empty_buckets` is true or false");
                    return Err(self.report(error.at(value.span, "neither")));
                }
                (other, _) => {
                    let error = Diagnostic::error("esql-option", format!("there is no option `{other}`"));
                    return Err(self.report(
                        error
                            .at(option.span, "unknown option")
                            .with_help(format!("`{}` takes `include_empty_buckets`", own.to_uppercase())),
                    ));
                }
            }
        }
        Ok(())
    }

    fn unknown_function(&mut self, name: &Name) -> Said {
        let own = name.text.as_ref();
        let shown = own.to_uppercase();
        if let Some((_, why)) = NOT_RUN.iter().find(|(known, _)| *known == own) {
            return self.unsupported("function", format!("the function {shown} is not run: {why}"), name.span);
        }
        if own.starts_with("st_") {
            return self.unsupported(
                "function",
                format!(
                    "the function {shown} is not run: shapes are not handled, only points (ST_X, ST_Y, ST_DISTANCE)"
                ),
                name.span,
            );
        }
        if AGGREGATES.iter().any(|known| known.0 == own) {
            return self.report(
                Diagnostic::error("esql-aggregate", format!("`{shown}` is an aggregate"))
                    .at(name.span, "stands outside `STATS`")
                    .with_help("aggregates stand in `STATS` and `INLINE STATS`; of several values of one row, `MV_…` functions"),
            );
        }
        let known = FUNCTIONS.iter().map(|(name, ..)| *name).chain(AGGREGATES.iter().map(|known| known.0));
        let diagnostic = Diagnostic::error("esql-unknown-function", format!("there is no function `{own}`"))
            .at(name.span, "unknown");
        let diagnostic = match closest(own, known) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{}`?", meant.to_uppercase())),
            None => diagnostic.with_help("the functions are those of Elasticsearch's reference of ES|QL"),
        };
        self.report(diagnostic)
    }

    /// Checks that an argument is of a class.
    fn want(&mut self, call: &Call<'_>, place: usize, class: Class) -> Result<Typed> {
        let typed = call.at(place);
        if class.fits(typed.kind) || typed.loose {
            return Ok(typed);
        }
        if let Some(read) = typed.text().and_then(|text| class.read(text)) {
            return Ok(read);
        }
        let name = call.name.to_uppercase();
        let message =
            format!("argument {} of `{name}` must be {}, found {}", place + 1, class.name(), typed.kind.name());
        let diagnostic =
            Diagnostic::error("esql-type", message).at(call.span(place), format!("this is {}", typed.kind.name()));
        let diagnostic = match class {
            Class::Text => diagnostic.with_help("convert it: `TO_STRING(value)`"),
            Class::Number | Class::Whole => diagnostic.with_help("convert it, such as `TO_LONG(value)`"),
            Class::Date => diagnostic.with_help("convert it: `TO_DATETIME(value)`"),
            Class::Ip => diagnostic.with_help("convert it: `TO_IP(value)`"),
            Class::Point => diagnostic,
        };
        Err(self.report(diagnostic))
    }

    /// A text argument, as one value.
    fn text_at(&mut self, call: &Call<'_>, place: usize) -> Result<Expr> {
        Ok(self.want(call, place, Class::Text)?.as_text())
    }

    /// A number argument, as one value.
    fn number_at(&mut self, call: &Call<'_>, place: usize) -> Result<Expr> {
        Ok(self.want(call, place, Class::Number)?.number())
    }

    /// A date argument in milliseconds; a constant text is read as one.
    fn date_at(&mut self, call: &Call<'_>, place: usize) -> Result<Expr> {
        let typed = call.at(place);
        if let Some(text) = typed.text() {
            return match super::operators::read_date(text) {
                Some(millis) => Ok(Expr::Literal(lurcher_schema::Value::Int(millis))),
                None => Err(self.report(
                    Diagnostic::error("esql-constant", "this is no date")
                        .at(call.span(place), "cannot be read as a date")
                        .with_help("write it as `\"2026-01-31T12:00:00Z\"`"),
                )),
            };
        }
        let typed = self.want(call, place, Class::Date)?;
        Ok(super::operators::millis(&typed))
    }

    /// A constant text argument.
    fn constant_text(&mut self, call: &Call<'_>, place: usize) -> Result<std::sync::Arc<str>> {
        if let Some(text) = call.at(place).text() {
            return Ok(std::sync::Arc::clone(text));
        }
        let message = format!("argument {} of `{}` must be a constant text", place + 1, call.name.to_uppercase());
        Err(self.report(
            Diagnostic::error("esql-constant", message)
                .at(call.span(place), "no constant text")
                .with_help("write it in double quotes"),
        ))
    }
}

fn list(function: ListFunction, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::call(Function::List(function), arguments)
}
