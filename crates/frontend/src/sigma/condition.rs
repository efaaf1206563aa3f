//! Conditions: `selection and not 1 of filter_*`, and the deprecated aggregations behind a `|`.
//!
//! From least to most binding: `or`, `and`, `not`, `1 of` / `all of`, parentheses. Keywords may be written in any case.

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::Comparison;

use super::{
    ast::{Aggregation, AggregationFunction, Condition},
    lexer::{self, Kind},
};
use crate::syntax::{Depth, Tokens};

/// What the deprecated aggregations compute.
const FUNCTIONS: [(&str, AggregationFunction); 5] = [
    ("count", AggregationFunction::Count),
    ("min", AggregationFunction::Min),
    ("max", AggregationFunction::Max),
    ("avg", AggregationFunction::Avg),
    ("sum", AggregationFunction::Sum),
];

/// A condition that was read, and what is wrong with it. Spans are offsets into the text.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) tree: Option<Condition>,
    pub(super) aggregation: Option<Aggregation>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads a condition.
pub(super) fn parse(text: &str) -> Parsed {
    let tokens = Tokens::new(lexer::tokens(text), lexer::end(text));
    let mut parser = Parser { tokens, depth: Depth::default(), diagnostics: Vec::new() };
    let mut parsed = if parser.is_function() { parser.bare_aggregation() } else { parser.condition() };
    if parser.diagnostics.is_empty() && !parser.tokens.at_end() {
        parser.unexpected("`and`, `or` or the end was expected here");
    }
    if !parser.diagnostics.is_empty() {
        parsed.tree = None;
    }
    parsed.diagnostics = parser.diagnostics;
    parsed
}

struct Parser {
    tokens: Tokens<Kind>,
    depth: Depth,
    diagnostics: Vec<Diagnostic>,
}

impl Parser {
    fn fault(&mut self, span: Span, message: impl Into<String>, label: &str) -> Option<Condition> {
        // What follows a first fault is mostly its consequence.
        if self.diagnostics.is_empty() {
            self.diagnostics.push(Diagnostic::error("sigma-condition", message).at(span, label));
        }
        None
    }

    fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.diagnostics.pop() {
            self.diagnostics.push(last.with_help(help));
        }
    }

    fn unexpected(&mut self, wanted: &str) -> Option<Condition> {
        let token = self.tokens.peek();
        let (span, kind) = (token.span, token.kind.clone());
        let message = match kind {
            Kind::End => "the condition ends too early".to_owned(),
            Kind::Word(word) => format!("`{word}` is not expected here"),
            Kind::Open => "`(` is not expected here".to_owned(),
            Kind::Close => "`)` has no `(`".to_owned(),
            Kind::Pipe => "`|` is not expected here".to_owned(),
            Kind::Compare(sign) => format!("`{sign}` is not expected here"),
            Kind::Unknown(c) => format!("`{c}` has no place in a condition"),
        };
        self.fault(span, message, wanted)
    }

    /// Whether the next token is this keyword, in any case.
    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(&self.tokens.peek_nth(ahead).kind, Kind::Word(own) if own.eq_ignore_ascii_case(word))
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        if found {
            self.tokens.bump();
        }
        found
    }

    fn condition(&mut self) -> Parsed {
        let mut parsed = Parsed { tree: self.or(), ..Parsed::default() };
        if parsed.tree.is_some() && self.tokens.peek().kind == Kind::Pipe {
            self.tokens.bump();
            parsed.aggregation = self.aggregation();
        }
        parsed
    }

    /// Whether a function of the deprecated aggregations begins here.
    fn is_function(&self) -> bool {
        FUNCTIONS.iter().any(|(name, _)| self.is_word(0, name)) && self.tokens.peek_nth(1).kind == Kind::Open
    }

    /// `count(field) by other > 5 and not filter`: an aggregation with no selection before it, over all events that
    /// fit what stands behind it.
    fn bare_aggregation(&mut self) -> Parsed {
        let aggregation = self.aggregation();
        let mut parts = Vec::new();
        while aggregation.is_some() && self.eat("and") {
            parts.extend(self.not());
        }
        Parsed { tree: Some(Condition::And(parts)), aggregation, ..Parsed::default() }
    }

    fn or(&mut self) -> Option<Condition> {
        let mut parts = vec![self.and()?];
        while self.eat("or") {
            parts.push(self.and()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Condition::Or(parts) })
    }

    fn and(&mut self) -> Option<Condition> {
        let mut parts = vec![self.not()?];
        while self.eat("and") {
            parts.push(self.not()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Condition::And(parts) })
    }

    fn not(&mut self) -> Option<Condition> {
        let mut negated = false;
        while self.eat("not") {
            negated = !negated;
        }
        let inner = self.primary()?;
        Some(if negated { Condition::Not(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Option<Condition> {
        let token = self.tokens.peek();
        let (span, kind) = (token.span, token.kind.clone());
        match kind {
            Kind::Open => {
                if !self.depth.enter() {
                    return self.fault(span, "the condition is nested too deeply", "");
                }
                self.tokens.bump();
                let inner = self.or()?;
                self.depth.leave();
                if self.tokens.peek().kind != Kind::Close {
                    let fault = self.unexpected("`)` was expected here");
                    if let Some(last) = self.diagnostics.pop() {
                        self.diagnostics.push(last.at(span, "the parenthesis begins here"));
                    }
                    return fault;
                }
                self.tokens.bump();
                Some(inner)
            }
            Kind::Word(word) if self.is_word(1, "of") => self.of(&word, span),
            Kind::Word(word) if ["and", "or", "of"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) => {
                self.unexpected("the name of a selection was expected here")
            }
            Kind::Word(word) if word.eq_ignore_ascii_case("them") => {
                let fault = self.fault(span, "`them` stands alone", "which of them?");
                self.help("write `1 of them` or `all of them`");
                fault
            }
            Kind::Word(word) if word.contains('*') => {
                let fault = self.fault(span, "a pattern stands alone", "which of them?");
                self.help(format!("write `1 of {word}` or `all of {word}`"));
                fault
            }
            Kind::Word(word) => {
                self.tokens.bump();
                Some(Condition::Name(word, span))
            }
            _ => self.unexpected("the name of a selection was expected here"),
        }
    }

    /// `1 of pattern`, `any of pattern`, `all of pattern`.
    fn of(&mut self, quantity: &str, span: Span) -> Option<Condition> {
        let all = match quantity.to_ascii_lowercase().as_str() {
            "1" | "any" | "one" => false,
            "all" => true,
            _ => {
                let fault = self.fault(span, format!("`{quantity} of` is no quantity"), "");
                self.help("write `1 of` or `all of`");
                return fault;
            }
        };
        self.tokens.bump();
        self.tokens.bump();
        let Kind::Word(pattern) = self.tokens.peek().kind.clone() else {
            return self.unexpected("`them` or a pattern was expected here");
        };
        let span = span.to(self.tokens.peek().span);
        self.tokens.bump();
        let pattern = (!pattern.eq_ignore_ascii_case("them")).then_some(pattern);
        Some(Condition::Of { all, pattern, span })
    }

    fn aggregation(&mut self) -> Option<Aggregation> {
        if self.eat("near") {
            return self.or().map(Aggregation::Near);
        }
        let function = FUNCTIONS.iter().find(|(name, _)| self.is_word(0, name)).map(|(_, function)| *function);
        let Some(function) = function else {
            self.unexpected("count, min, max, avg, sum or near was expected here");
            return None;
        };
        self.tokens.bump();
        if self.tokens.peek().kind != Kind::Open {
            self.unexpected("`(` was expected here");
            return None;
        }
        self.tokens.bump();
        let field = self.word();
        if self.tokens.peek().kind != Kind::Close {
            self.unexpected("`)` was expected here");
            return None;
        }
        self.tokens.bump();
        let by = self.groups();
        let comparison = match &self.tokens.peek().kind {
            Kind::Compare(sign) => comparison(sign),
            _ => None,
        };
        let Some(comparison) = comparison else {
            self.unexpected("a comparison such as `> 5` was expected here");
            return None;
        };
        self.tokens.bump();
        let Some(value) = self.word().and_then(|word| word.parse().ok()) else {
            self.unexpected("a number was expected here");
            return None;
        };
        Some(Aggregation::Function { function, field, by, comparison, value })
    }

    /// `by a, b` or `per a per b`.
    fn groups(&mut self) -> Vec<String> {
        let mut groups = Vec::new();
        while self.eat("by") || self.eat("per") || (!groups.is_empty() && self.eat_comma()) {
            groups.extend(self.word());
        }
        groups
    }

    fn eat_comma(&mut self) -> bool {
        let found = self.tokens.peek().kind == Kind::Unknown(',');
        if found {
            self.tokens.bump();
        }
        found
    }

    fn word(&mut self) -> Option<String> {
        let Kind::Word(word) = self.tokens.peek().kind.clone() else { return None };
        self.tokens.bump();
        Some(word)
    }
}

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        "=" | "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(condition: &Condition) -> String {
        let join =
            |parts: &[Condition], word: &str| format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(word));
        match condition {
            Condition::Name(name, _) => name.clone(),
            Condition::Of { all, pattern, .. } => {
                format!("{} of {}", if *all { "all" } else { "1" }, pattern.as_deref().unwrap_or("them"))
            }
            Condition::And(parts) => join(parts, " and "),
            Condition::Or(parts) => join(parts, " or "),
            Condition::Not(inner) => format!("not {}", shown(inner)),
        }
    }

    #[test]
    fn not_binds_tighter_than_and_and_that_tighter_than_or() {
        for (text, tree) in [
            ("a or b and not c", "(a or (b and not c))"),
            ("(a OR b) AND NOT 1 of filter_*", "((a or b) and not 1 of filter_*)"),
            ("all of them", "all of them"),
            ("not not a", "a"),
            ("any of sel-* and x.y", "(1 of sel-* and x.y)"),
        ] {
            let parsed = parse(text);
            assert_eq!(parsed.tree.as_ref().map(shown).as_deref(), Some(tree), "{:?}", parsed.diagnostics);
        }
    }

    #[test]
    fn aggregations_are_still_read() {
        let parsed = parse("a | count(User) by Computer >= 10");
        assert!(matches!(parsed.aggregation, Some(Aggregation::Function { field: Some(_), .. })));
        let parsed = parse("count(a) per b per c > 2 and not d");
        assert_eq!(parsed.tree.as_ref().map(shown).as_deref(), Some("(not d)"));
        let Some(Aggregation::Function { by, .. }) = parsed.aggregation else { panic!("no function") };
        assert_eq!(by, ["b", "c"]);
        assert!(matches!(parse("a | near b and not c").aggregation, Some(Aggregation::Near(_))));
    }

    #[test]
    fn faults_are_said_once() {
        for text in ["", "a b", "a and", "(a", "a)", "2 of them", "them", "sel*", "a & b", "a | count"] {
            let parsed = parse(text);
            assert_eq!((parsed.diagnostics.len(), parsed.tree.is_none()), (1, true), "{text}");
        }
    }
}
