//! `URI_PARTS`, `REGISTERED_DOMAIN`, `USER_AGENT` and `IP_LOCATION`: columns that begin alike, made of one value.
//!
//! What is null, empty or several values, and what cannot be taken apart, makes all columns null (Elasticsearch warns). A
//! column that was there is replaced.
//!
//! Source: <https://www.elastic.co/docs/reference/query-languages/esql/commands/processing-commands>; Elasticsearch's
//! `CompoundOutputEvaluator` and its suites `uri_parts`, `registered_domain`, `user_agent` and `ip_location`.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    AgentFact, DomainPart, Expr, Function, ListFunction, Locate, PlaceFact, Recognize, Stage, TextFunction, UriPart,
};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{Expr as Tree, ExprKind, Name, PartsOf},
        types::Type,
    },
    Lowerer, Result, Said,
    columns::Column,
    patterns::Piece,
    value::Typed,
};
use crate::syntax::closest;

/// The columns of `URI_PARTS`, in their order.
const URI: [(&str, UriPart); 10] = [
    ("domain", UriPart::Domain),
    ("fragment", UriPart::Fragment),
    ("path", UriPart::Path),
    ("extension", UriPart::Extension),
    ("port", UriPart::Port),
    ("query", UriPart::Query),
    ("scheme", UriPart::Scheme),
    ("user_info", UriPart::UserInfo),
    ("username", UriPart::Username),
    ("password", UriPart::Password),
];

/// The columns of `REGISTERED_DOMAIN`.
const DOMAIN: [(&str, DomainPart); 4] = [
    ("domain", DomainPart::Domain),
    ("registered_domain", DomainPart::Registered),
    ("top_level_domain", DomainPart::TopLevel),
    ("subdomain", DomainPart::Subdomain),
];

/// The properties of `USER_AGENT`, and the columns of each.
const AGENT: [(&str, &[(&str, AgentFact)]); 4] = [
    ("name", &[("name", AgentFact::Name)]),
    ("version", &[("version", AgentFact::Version)]),
    (
        "os",
        &[
            ("os.name", AgentFact::SystemName),
            ("os.version", AgentFact::SystemVersion),
            ("os.full", AgentFact::SystemFull),
        ],
    ),
    ("device", &[("device.name", AgentFact::Device)]),
];

/// The properties of `IP_LOCATION` that a database of countries has.
const COUNTRY: [(&str, PlaceFact, Type); 9] = [
    ("ip", PlaceFact::Address, Type::Keyword),
    ("country_iso_code", PlaceFact::CountryCode, Type::Keyword),
    ("country_name", PlaceFact::Country, Type::Keyword),
    ("continent_code", PlaceFact::ContinentCode, Type::Keyword),
    ("continent_name", PlaceFact::Continent, Type::Keyword),
    ("country_in_european_union", PlaceFact::CountryInEuropeanUnion, Type::Boolean),
    ("registered_country_iso_code", PlaceFact::RegisteredCountryCode, Type::Keyword),
    ("registered_country_name", PlaceFact::RegisteredCountry, Type::Keyword),
    ("registered_country_in_european_union", PlaceFact::RegisteredCountryInEuropeanUnion, Type::Boolean),
];

/// Those that only a database of cities has.
const CITY: [(&str, PlaceFact, Type); 7] = [
    ("region_iso_code", PlaceFact::SubdivisionCode, Type::Keyword),
    ("region_name", PlaceFact::Subdivision, Type::Keyword),
    ("city_name", PlaceFact::City, Type::Keyword),
    ("timezone", PlaceFact::TimeZone, Type::Keyword),
    ("location", PlaceFact::Point, Type::GeoPoint),
    ("postal_code", PlaceFact::PostalCode, Type::Keyword),
    ("accuracy_radius", PlaceFact::AccuracyRadius, Type::Integer),
];

/// What `IP_LOCATION` yields when it does not say what; the first three of a database of countries.
const USUAL: [&str; 7] =
    ["country_iso_code", "country_name", "continent_name", "region_iso_code", "region_name", "city_name", "location"];

/// The database that `IP_LOCATION` asks when it does not say which.
const CITIES: &str = "GeoLite2-City.mmdb";

impl Lowerer<'_> {
    /// One of the commands.
    pub(super) fn parts_of(
        &mut self,
        of: PartsOf,
        prefix: &Name,
        input: &Tree,
        options: &[(Name, Tree)],
    ) -> Result<()> {
        let name = |part: &str| -> Arc<str> { format!("{}.{part}", prefix.text).into() };
        match of {
            PartsOf::Uri => {
                let piece = |(part, which): (&str, UriPart)| {
                    let kind = if which == UriPart::Port { Type::Integer } else { Type::Keyword };
                    of_text(name(part), kind, TextFunction::UriPart(which))
                };
                self.take(input, of.command(), &URI.map(piece))
            }
            PartsOf::Domain => {
                let piece = |(part, which): (&str, DomainPart)| {
                    of_text(name(part), Type::Keyword, TextFunction::DomainPart(which))
                };
                self.take(input, of.command(), &DOMAIN.map(piece))
            }
            PartsOf::Agent => self.user_agent(input, options, name),
            PartsOf::Address => self.ip_location(input, options, name),
        }
    }

    fn user_agent(&mut self, input: &Tree, options: &[(Name, Tree)], name: impl Fn(&str) -> Arc<str>) -> Result<()> {
        let typed = self.expression(input)?;
        self.must_be(&typed, PartsOf::Agent, Type::is_text, "a text", input.span)?;
        let mut properties: Vec<Arc<str>> = AGENT.map(|(property, _)| property.into()).to_vec();
        for (option, value) in options {
            match option.text.as_ref() {
                "properties" => {
                    properties = self.properties(PartsOf::Agent, value, &AGENT.map(|(property, _)| property))?;
                }
                "extract_device_type" => {
                    if self.switch(PartsOf::Agent, option, value)? {
                        let message = "USER_AGENT with `extract_device_type`: the types of devices are guessed by a list of \
                                       Elasticsearch's own; leave the option out";
                        return Err(self.unsupported("user-agent", message, option.span));
                    }
                }
                "regex_file" => {
                    let file = self.option_text(PartsOf::Agent, option, value)?;
                    if file.as_ref() != "_default_" {
                        let message = format!(
                            "USER_AGENT with the expressions of \"{file}\": only those of uap-core that come with Lurcher are \
                             known; leave `regex_file` out to use them"
                        );
                        return Err(self.unsupported("user-agent", message, value.span));
                    }
                }
                _ => {
                    let known = ["regex_file", "extract_device_type", "properties"];
                    return Err(self.unknown_option(PartsOf::Agent, option, &known));
                }
            }
        }
        let columns = AGENT.iter().filter(|(own, _)| properties.iter().any(|property| property.as_ref() == *own));
        let outputs: Vec<(AgentFact, Arc<str>)> =
            columns.flat_map(|(_, columns)| columns.iter().map(|(part, fact)| (*fact, name(part)))).collect();
        let columns = outputs.iter().map(|(_, name)| Column::computed(Arc::clone(name), Type::Keyword, false));
        let columns: Vec<Column> = columns.collect();
        self.stages.push(Stage::Recognize(Recognize { text: typed.as_text(), outputs }));
        columns.into_iter().for_each(|column| self.columns.push(column));
        Ok(())
    }

    fn ip_location(&mut self, input: &Tree, options: &[(Name, Tree)], name: impl Fn(&str) -> Arc<str>) -> Result<()> {
        let of = PartsOf::Address;
        let typed = self.expression(input)?;
        self.must_be(&typed, of, |kind| kind.is_text() || kind == Type::Ip, "an ip or a text", input.span)?;
        let (mut first_only, mut database, mut wanted) = (true, Arc::<str>::from(CITIES), None);
        for (option, value) in options {
            match option.text.as_ref() {
                "first_only" => first_only = self.switch(of, option, value)?,
                "database_file" => {
                    database = self.option_text(of, option, value)?;
                    self.check_database(&database, value.span)?;
                }
                "properties" => wanted = Some(value),
                _ => return Err(self.unknown_option(of, option, &["database_file", "properties", "first_only"])),
            }
        }
        let of_cities = database.contains("City");
        let known: Vec<(&str, PlaceFact, Type)> =
            COUNTRY.iter().chain(CITY.iter().filter(|_| of_cities)).copied().collect();
        let names: Vec<&str> = known.iter().map(|(property, ..)| *property).collect();
        let properties = match wanted {
            Some(value) => self.properties(of, value, &names)?,
            None => USUAL.iter().filter(|usual| names.contains(usual)).map(|usual| Arc::from(*usual)).collect(),
        };
        if !self.options.knows_places {
            let message = "IP_LOCATION asks a database of the places of addresses, and the run has none: name one with \
                           `--geoip FILE`, or `geoip` in lurcher.toml";
            return Err(self.unsupported("ip-location", message, input.span));
        }
        let mut outputs = Vec::new();
        let mut columns = Vec::new();
        for property in properties {
            for (_, fact, kind) in known.iter().filter(|(own, ..)| *own == property.as_ref()) {
                outputs.push((*fact, name(&property)));
                columns.push(Column::computed(name(&property), *kind, false));
            }
        }
        let which = if first_only { ListFunction::First } else { ListFunction::Single };
        let address = Expr::call(Function::List(which), [typed.all()]);
        self.stages.push(Stage::Locate(Locate { address, language: "en".into(), outputs }));
        columns.into_iter().for_each(|column| self.columns.push(column));
        Ok(())
    }

    /// Whether what a query wants of a database is what the run's may hold.
    fn check_database(&mut self, database: &str, span: Span) -> Result<()> {
        if ["City", "Country"].iter().any(|kind| database.contains(kind)) {
            if database != CITIES {
                let message = format!("IP_LOCATION asks the run's own database of places instead of \"{database}\"");
                self.approximate("ip-location", message, span);
            }
            return Ok(());
        }
        let message = format!(
            "IP_LOCATION asks \"{database}\": only databases of cities and countries are read; leave `database_file` out to ask \
             the one that `--geoip FILE` names"
        );
        Err(self.unsupported("ip-location", message, span))
    }

    fn must_be(
        &mut self,
        typed: &Typed,
        of: PartsOf,
        takes: impl Fn(Type) -> bool,
        wanted: &str,
        span: Span,
    ) -> Result<()> {
        if takes(typed.kind) || typed.kind.is_open() || typed.loose {
            return Ok(());
        }
        let message = format!("`{}` takes {wanted}, found {}", of.command(), typed.kind.name());
        Err(self.report(
            Diagnostic::error("esql-type", message)
                .at(span, format!("this is {}", typed.kind.name()))
                .with_help("convert it: `TO_STRING(value)`"),
        ))
    }

    /// A list of properties, which must be known.
    fn properties(&mut self, of: PartsOf, value: &Tree, known: &[&str]) -> Result<Vec<Arc<str>>> {
        let items: Vec<&Tree> = match &value.kind {
            ExprKind::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut properties = Vec::new();
        for item in items {
            let ExprKind::Text(text) = &item.kind else {
                let error = Diagnostic::error("esql-option", "the properties are a list of texts");
                return Err(self.report(
                    error.at(item.span, "no text").with_help(format!("such as `\"properties\": [\"{}\"]`", known[0])),
                ));
            };
            if !known.contains(&text.as_ref()) {
                let message = format!("`{}` has no property \"{text}\"", of.command());
                let error = Diagnostic::error("esql-option", message).at(item.span, "unknown property");
                let help = match closest(text, known.iter().copied()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("there are {}", known.join(", ")),
                };
                return Err(self.report(error.with_help(help)));
            }
            properties.push(Arc::clone(text));
        }
        Ok(properties)
    }

    fn switch(&mut self, of: PartsOf, option: &Name, value: &Tree) -> Result<bool> {
        match value.kind {
            ExprKind::Boolean(on) => Ok(on),
            _ => Err(self.bad_option(of, option, value, "`true` or `false`")),
        }
    }

    fn option_text(&mut self, of: PartsOf, option: &Name, value: &Tree) -> Result<Arc<str>> {
        match &value.kind {
            ExprKind::Text(text) => Ok(Arc::clone(text)),
            _ => Err(self.bad_option(of, option, value, "a text in double quotes")),
        }
    }

    fn bad_option(&mut self, of: PartsOf, option: &Name, value: &Tree, wanted: &str) -> Said {
        let message = format!("the option `{}` of `{}` is {wanted}", option.text, of.command());
        self.report(Diagnostic::error("esql-option", message).at(value.span, "not this"))
    }

    fn unknown_option(&mut self, of: PartsOf, option: &Name, known: &[&str]) -> Said {
        let message = format!("`{}` has no option `{}`", of.command(), option.text);
        let error = Diagnostic::error("esql-option", message).at(option.span, "unknown option");
        let help = match closest(&option.text, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("it takes {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        self.report(error.with_help(help))
    }
}

/// A column that a function makes of the text.
fn of_text(name: Arc<str>, kind: Type, function: TextFunction) -> Piece {
    let value = move |input: &Typed| {
        let of = if matches!(input.kind, Type::Null) { Expr::Literal(Value::Null) } else { input.as_text() };
        Typed::single(kind, Expr::call(Function::Text(function.clone()), [of]))
    };
    Piece { name, value: Box::new(value) }
}
