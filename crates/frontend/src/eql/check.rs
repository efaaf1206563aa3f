//! What can be told to be wrong from the tree and the types of fields, before anything is lowered.
//!
//! What is wrong by the query's own text (an unknown function, a number where a string belongs, a condition that is
//! no truth value) is an error, as in Elasticsearch. What depends on how a field is mapped is a warning: the packs'
//! types need not be those of the user's index, and a published rule should run.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use lurcher_ir::{Case, Network};
use lurcher_schema::Schemas;

use super::{
    Options,
    ast::{Arithmetic, Literal, Node, NodeKind, PatternOperator, Query, QueryKind},
    functions::{self, Id, Kind, Spec},
};
use crate::{
    elasticsearch::{
        dates::{self, DateError},
        field::number_of,
    },
    syntax::lucene_regex::{self, RegexpError},
};

/// Checks every condition of a query.
pub(super) fn check(query: &Query, file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Vec<Diagnostic> {
    let mut checker = Checker { file, options, schemas, diagnostics: Vec::new() };
    let (terms, until) = match &query.kind {
        QueryKind::Event(event) => {
            checker.condition(&event.condition);
            return checker.diagnostics;
        }
        QueryKind::Sequence(sequence) => (&sequence.terms, sequence.until.as_ref()),
        QueryKind::Sample(sample) => (&sample.terms, None),
    };
    for term in terms.iter().chain(until) {
        checker.condition(&term.query.condition);
    }
    checker.diagnostics
}

struct Checker<'a> {
    file: &'a Arc<SourceFile>,
    options: &'a Options,
    schemas: &'a Schemas,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn report(&mut self, diagnostic: Diagnostic, help: impl Into<String>) {
        self.diagnostics.push(diagnostic.in_file(self.file).with_help(help));
    }

    fn text(&self, span: Span) -> &str {
        self.file.slice(span)
    }

    /// Checks something that must be true or false.
    fn condition(&mut self, node: &Node) {
        let kind = self.kind(node);
        let message = match &node.kind {
            NodeKind::Literal(Literal::Null) | NodeKind::Error => return,
            NodeKind::Field { path, .. } if !kind.fits(Kind::Boolean) => {
                let message = format!("`{path}` is mapped as {}, not as a boolean", kind.described());
                let warning = Diagnostic::warning("eql-condition-type", message).at(node.span, "used as a condition");
                return self
                    .report(warning, format!("compare it, or write `{path} != null` to ask whether it is there"));
            }
            _ if !kind.fits(Kind::Boolean) => {
                format!("a condition must be true or false, this is {}", kind.described())
            }
            NodeKind::Call { .. } if kind == Kind::Any => "a condition must be true or false".to_owned(),
            _ => return,
        };
        let error = Diagnostic::error("eql-condition-type", message).at(node.span, "not a condition");
        self.report(error, "compare it with something");
    }

    fn kind(&mut self, node: &Node) -> Kind {
        match &node.kind {
            NodeKind::Error | NodeKind::Literal(Literal::Null) => Kind::Any,
            NodeKind::Literal(Literal::Bool(_)) => Kind::Boolean,
            NodeKind::Literal(Literal::Int(_) | Literal::Float(_)) => Kind::Number,
            NodeKind::Literal(Literal::Text(_)) => Kind::Text,
            NodeKind::Field { path, .. } => Kind::of_field(self.schemas.field_type(self.options.taxonomy, path)),
            NodeKind::Call { name, name_span, insensitive, arguments } => {
                self.call(name, *name_span, *insensitive, arguments, node.span)
            }
            NodeKind::Not(inner) => {
                self.condition(inner);
                Kind::Boolean
            }
            NodeKind::And(parts) | NodeKind::Or(parts) => {
                for part in parts {
                    self.condition(part);
                }
                Kind::Boolean
            }
            NodeKind::Negate(inner) => {
                self.argument(inner, Kind::Number, "the sign");
                Kind::Number
            }
            NodeKind::Arithmetic { operator, left, right } => {
                self.arithmetic(*operator, left, right);
                Kind::Number
            }
            NodeKind::Compare { operator_span, left, right, .. } => {
                self.kind(left);
                self.kind(right);
                if is_field(left) && is_field(right) {
                    self.field_comparison(*operator_span);
                }
                self.constant(left, right);
                self.constant(right, left);
                Kind::Boolean
            }
            NodeKind::In { subject, items, .. } => {
                self.kind(subject);
                for item in items {
                    self.kind(item);
                    self.constant(subject, item);
                    if is_field(subject) && is_field(item) {
                        self.field_comparison(item.span);
                    }
                }
                Kind::Boolean
            }
            NodeKind::Pattern { subject, operator, operator_span, patterns } => {
                self.pattern(subject, *operator, *operator_span, patterns);
                Kind::Boolean
            }
        }
    }

    /// A constant that a field of its type cannot hold.
    fn constant(&mut self, field: &Node, constant: &Node) {
        let (NodeKind::Field { path, .. }, NodeKind::Literal(literal)) = (&field.kind, &constant.kind) else {
            return;
        };
        let kind = Kind::of_field(self.schemas.field_type(self.options.taxonomy, path));
        let fits = match (kind, literal) {
            (_, Literal::Null) | (Kind::Any | Kind::Text, _) => true,
            (Kind::Number, Literal::Text(text)) => number_of(text).is_some(),
            (Kind::Number, literal) => matches!(literal, Literal::Int(_) | Literal::Float(_)),
            (Kind::Boolean, Literal::Text(text)) => text.parse::<bool>().is_ok(),
            (Kind::Boolean, literal) => matches!(literal, Literal::Bool(_)),
            (Kind::Ip, Literal::Text(text)) => Network::parse(text).is_some(),
            (Kind::Date, Literal::Text(text)) => dates::parse(text, self.options.now) != Err(DateError::Malformed),
            (Kind::Date, literal) => matches!(literal, Literal::Int(_)),
            (Kind::Ip, _) => false,
        };
        if let (Kind::Date, false, Literal::Text(text)) = (kind, fits, literal)
            && (text.trim_start().starts_with("now") || text.contains("||"))
        {
            let message = format!("\"{text}\" is no date math");
            let error = Diagnostic::error("eql-date", message).at(constant.span, "cannot be read");
            self.report(error, "write `now`, or a date and `||`, then steps such as `-1d`, `+2h`, `/M`");
        } else if !fits {
            let found = kind.described();
            let message = format!("`{path}` is mapped as {found}, and this is none");
            let warning = Diagnostic::warning("eql-type", message).at(constant.span, format!("not {found}"));
            self.report(warning, "no value of the field equals it; Elasticsearch refuses such a query");
        }
    }

    fn field_comparison(&mut self, span: Span) {
        let message = "Elasticsearch does not compare a field with a field";
        let warning = Diagnostic::warning("eql-field-comparison", message).at(span, "compares two fields").with_note(
            "Lurcher compares their values: it is true if any value of the one equals, or is in order with, any of the other",
        );
        self.report(
            warning,
            "for a rule that runs in both, use a function: `startsWith(a, b)`, `stringContains(a, b)`",
        );
    }

    fn arithmetic(&mut self, operator: Arithmetic, left: &Node, right: &Node) {
        self.argument(left, Kind::Number, "arithmetic");
        self.argument(right, Kind::Number, "arithmetic");
        let zero = match &right.kind {
            NodeKind::Literal(Literal::Int(n)) => *n == 0,
            NodeKind::Literal(Literal::Float(n)) => *n == 0.0,
            _ => false,
        };
        if zero && matches!(operator, Arithmetic::Divide | Arithmetic::Modulo) {
            let error = Diagnostic::error("eql-division-by-zero", "division by zero").at(right.span, "this is zero");
            self.report(error, "divide by something else");
        }
    }

    fn call(&mut self, name: &str, name_span: Span, insensitive: bool, arguments: &[Node], span: Span) -> Kind {
        let Some(spec) = functions::find(name) else {
            for argument in arguments {
                self.kind(argument);
            }
            self.unknown_function(name, name_span);
            return Kind::Boolean;
        };
        if insensitive && !spec.tilde {
            let message = format!("`{}` has no variant that ignores case", spec.name);
            let error = Diagnostic::error("eql-no-tilde", message).at(name_span, "no `~` here");
            self.report(error, format!("write `{}(…)`", spec.name));
        }
        if !spec.takes(arguments.len()) {
            let message = format!("`{}` takes {}, not {}", spec.name, spec.arity(), arguments.len());
            let error = Diagnostic::error("eql-argument-count", message).at(span, "wrong number of arguments");
            self.report(error, signature(spec));
            for argument in arguments {
                self.kind(argument);
            }
            return spec.returns;
        }
        for (place, argument) in arguments.iter().enumerate() {
            self.argument(argument, spec.parameter(place), &format!("`{}`", spec.name));
        }
        match spec.id {
            Id::CidrMatch => arguments.iter().skip(1).for_each(|block| self.network(block)),
            Id::Between => {
                if let Some(greedy) = arguments.get(3)
                    && !matches!(greedy.kind, NodeKind::Literal(_))
                {
                    let message = "whether `between` is greedy must be a literal";
                    let error = Diagnostic::error("eql-constant-argument", message).at(greedy.span, "not a literal");
                    self.report(error, "write `true` or `false`");
                }
            }
            Id::Divide | Id::Modulo => {
                if let [left, right] = arguments {
                    let operator = if spec.id == Id::Divide { Arithmetic::Divide } else { Arithmetic::Modulo };
                    let before = self.diagnostics.len();
                    self.arithmetic(operator, left, right);
                    // The types were reported above.
                    let zero = self.diagnostics.iter().skip(before).find(|d| d.code == "eql-division-by-zero").cloned();
                    self.diagnostics.truncate(before);
                    self.diagnostics.extend(zero);
                }
            }
            _ => {}
        }
        spec.returns
    }

    fn unknown_function(&mut self, name: &str, span: Span) {
        if let Some(help) = functions::python_only(name) {
            let message = format!("the function `{name}` is known to python-eql only");
            let error = Diagnostic::error("eql-python-only", message).at(span, "not in Elasticsearch");
            return self.report(error, help);
        }
        let error = Diagnostic::error("eql-unknown-function", format!("there is no function `{name}`"));
        let error = error.at(span, "unknown function");
        let help = if let Some(near) = functions::suggestion(name) {
            format!("did you mean `{near}`?")
        } else {
            let all: Vec<&str> = functions::FUNCTIONS.iter().map(|spec| spec.name).collect();
            format!("the functions are: {}", all.join(", "))
        };
        self.report(error, help);
    }

    /// Checks one operand against what it must be.
    fn argument(&mut self, node: &Node, wanted: Kind, whose: &str) {
        let kind = self.kind(node);
        if kind.fits(wanted) || matches!(node.kind, NodeKind::Error) {
            return;
        }
        let (wanted, found) = (wanted.described(), kind.described());
        if is_field(node) {
            let message = format!("{whose} takes {wanted}, and `{}` is mapped as {found}", self.text(node.span));
            let warning = Diagnostic::warning("eql-type", message).at(node.span, found);
            self.report(
                warning.with_note("Lurcher takes its text form"),
                "Elasticsearch refuses this for such a field",
            );
        } else {
            let message = format!("{whose} takes {wanted}, not {found}");
            let error = Diagnostic::error("eql-type", message).at(node.span, found);
            self.report(error, format!("give it {wanted}"));
        }
    }

    fn network(&mut self, node: &Node) {
        if let NodeKind::Literal(Literal::Text(text)) = &node.kind
            && Network::parse(text).is_none()
        {
            let message = format!("`{text}` is no block of IP addresses");
            let error = Diagnostic::error("eql-cidr", message).at(node.span, "not in CIDR notation");
            self.report(error, "write an address and a prefix length: `\"10.0.0.0/8\"`, `\"fe80::/10\"`");
        }
    }

    fn pattern(&mut self, subject: &Node, operator: PatternOperator, operator_span: Span, patterns: &[Node]) {
        let kind = self.kind(subject);
        let name = operator.spelling();
        for pattern in patterns {
            let text = match &pattern.kind {
                NodeKind::Literal(Literal::Text(text)) => text,
                NodeKind::Literal(Literal::Null) | NodeKind::Error => continue,
                NodeKind::Literal(_) if operator != PatternOperator::Colon => {
                    let error = Diagnostic::error("eql-type", format!("`{name}` takes strings"));
                    self.report(error.at(pattern.span, "not a string"), "compare other values with `==` or `in`");
                    continue;
                }
                _ => continue,
            };
            if let PatternOperator::Regex { .. } = operator {
                self.regex(text, pattern.span);
            } else if !kind.fits(Kind::Text) && text.contains(['*', '?']) {
                self.wildcard_on(subject, kind, pattern.span);
            } else if !kind.fits(Kind::Text) && !is_field(subject) {
                let found = kind.described();
                let error = Diagnostic::error("eql-type", format!("`{name}` compares text, and this is {found}"));
                let help = "compare numbers with `==`, `in`, `<`; text with a function that yields some";
                self.report(error.at(pattern.span, "a string").at(subject.span, found), help);
            }
        }
        if matches!(operator, PatternOperator::Regex { .. }) && !kind.fits(Kind::Text) {
            self.wildcard_on(subject, kind, operator_span);
        }
    }

    fn wildcard_on(&mut self, subject: &Node, kind: Kind, span: Span) {
        let help = "patterns are for text: compare numbers with `==`, `in`, `<`, addresses with `cidrMatch`";
        let found = kind.described();
        let diagnostic = if is_field(subject) {
            let message = format!("a pattern over `{}`, which is mapped as {found}", self.text(subject.span));
            Diagnostic::warning("eql-pattern-type", message).with_note("Lurcher matches its text form")
        } else {
            Diagnostic::error("eql-pattern-type", format!("a pattern cannot match {found}"))
        };
        self.report(diagnostic.at(span, "pattern").at(subject.span, found), help);
    }

    fn regex(&mut self, pattern: &str, span: Span) {
        if let Err(RegexpError::Malformed(why)) = lucene_regex::translate(pattern, Case::Sensitive) {
            let error = Diagnostic::error("eql-regex", format!("this is no regular expression: {why}"));
            let help = "the syntax is Lucene's: the whole value must match, no `^ $`, no look-around, no `(?…)`";
            self.report(error.at(span, "cannot be read"), help);
        }
    }
}

fn is_field(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Field { .. })
}

fn signature(spec: &Spec) -> String {
    let mut shown: Vec<String> = spec.parameters.iter().map(|kind| kind.described().to_owned()).collect();
    let least = spec.parameters.len() - spec.optional;
    for optional in shown.iter_mut().skip(least) {
        *optional = format!("[{optional}]");
    }
    if spec.repeated {
        shown.push("…".to_owned());
    }
    format!("its form is `{}({})`", spec.name, shown.join(", "))
}
