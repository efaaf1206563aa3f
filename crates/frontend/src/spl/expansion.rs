//! Comments out, macros in: the text of a search before it is read.
//!
//! Splunk expands macros as text, before anything is parsed: a macro may stand for part of an expression, for several
//! commands, or for a quoted time. So a search is brought to one text, and every piece of that text remembers which
//! piece of the written search it comes from; what is said about the text is said about the search. What comes from a
//! macro points at the call.
//!
//! * A comment stands between two runs of three backquotes and is left out.
//! * A macro stands between backquotes, looked up by name and number of arguments; `$name$` in its definition is the
//!   argument, without one pair of double quotes around it. Blanks around names and arguments do not count.
//! * Within double quotes a backquote is a backquote. (The search of a `map` is expanded when it is read itself.)
//! * A macro whose definition is an expression (`iseval`) stands for that expression's text, if it can be known
//!   without an event.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

use super::{Knowledge, Macro, constant};
use crate::syntax::closest;

/// How deep macros may call macros.
const MAX_DEPTH: usize = 24;
/// How long a search may become.
const MAX_LENGTH: usize = 4 << 20;

/// A search without comments and macros.
#[derive(Debug)]
pub(super) struct Expansion {
    /// What is read.
    pub(super) text: Arc<SourceFile>,
    segments: Vec<Segment>,
}

/// A run of the expanded text.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Where it begins in the expanded text.
    start: u32,
    origin: Origin,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    /// Copied from here on.
    Copied(u32),
    /// From a macro that is called here.
    Macro(Span),
}

impl Expansion {
    /// Expands a search. Faults point into the search as written.
    pub(super) fn new(file: &Arc<SourceFile>, knowledge: &dyn Knowledge) -> (Self, Vec<Diagnostic>) {
        let mut expander =
            Expander { knowledge, out: String::new(), segments: Vec::new(), diagnostics: Vec::new(), full: false };
        expander.expand(file.text(), Place::Written(0), 0);
        let Expander { out, segments, diagnostics, .. } = expander;
        let expansion = Self { text: SourceFile::new(file.name(), out), segments };
        (expansion, diagnostics.into_iter().map(|d| d.in_file(file)).collect())
    }

    /// Where in the search as written a piece of the expanded text comes from.
    pub(super) fn written(&self, span: Span) -> Span {
        let (start, end) = (self.origin(span.start), self.origin(span.end.saturating_sub(1).max(span.start)));
        let begin = match start {
            (Origin::Copied(from), offset) => from + offset,
            (Origin::Macro(call), _) => call.start,
        };
        let finish = match end {
            (Origin::Copied(from), offset) => from + offset + u32::from(span.end > span.start),
            (Origin::Macro(call), _) => call.end,
        };
        Span { start: begin, end: finish.max(begin) }
    }

    /// Whether a piece of the expanded text comes from a macro.
    pub(super) fn in_macro(&self, span: Span) -> bool {
        matches!(self.origin(span.start).0, Origin::Macro(_))
    }

    fn origin(&self, offset: u32) -> (Origin, u32) {
        let at = self.segments.partition_point(|segment| segment.start <= offset);
        match at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) => (segment.origin, offset - segment.start),
            None => (Origin::Copied(0), offset),
        }
    }
}

/// Where a text stands that is being expanded.
#[derive(Clone, Copy)]
enum Place {
    /// In the search, from this offset on.
    Written(u32),
    /// In a macro that the search calls here.
    Macro(Span),
}

/// A macro that is called with the wrong number of arguments is looked for with fewer than this.
const MAX_ARGUMENTS: usize = 16;

struct Expander<'a> {
    knowledge: &'a dyn Knowledge,
    out: String,
    segments: Vec<Segment>,
    diagnostics: Vec<Diagnostic>,
    full: bool,
}

impl Expander<'_> {
    fn expand(&mut self, text: &str, place: Place, depth: usize) {
        let mut quoted = false;
        let mut copied = 0;
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = &text[at..];
            match c {
                // An escaped character neither opens nor closes anything.
                '\\' => at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
                '"' => {
                    quoted = !quoted;
                    at += 1;
                }
                '`' if !quoted && rest.starts_with("```") => {
                    self.copy(&text[copied..at], place, copied);
                    self.copy(" ", place, at);
                    let Some(length) = rest[3..].find("```") else {
                        self.unclosed(rest.len(), place, at, "this comment is not closed");
                        return;
                    };
                    at += length + 6;
                    copied = at;
                }
                '`' if !quoted => {
                    self.copy(&text[copied..at], place, copied);
                    let Some(length) = end_of_call(&rest[1..]) else {
                        self.unclosed(rest.len(), place, at, "this macro's backquote is not closed");
                        return;
                    };
                    let call = self.span(place, at, at + length + 2);
                    self.call(&rest[1..=length], call, depth);
                    at += length + 2;
                    copied = at;
                }
                c => at += c.len_utf8(),
            }
        }
        self.copy(text.get(copied..).unwrap_or_default(), place, copied);
    }

    fn span(&self, place: Place, start: usize, end: usize) -> Span {
        match place {
            Place::Written(from) => Span { start: from + start as u32, end: from + end as u32 },
            Place::Macro(call) => call,
        }
    }

    fn copy(&mut self, text: &str, place: Place, offset: usize) {
        if text.is_empty() || self.full {
            return;
        }
        if self.out.len() + text.len() > MAX_LENGTH {
            self.full = true;
            let span = self.span(place, offset, offset + text.len());
            self.diagnostics.push(
                Diagnostic::error("spl-macro-size", "macros make this search too long")
                    .at(span, format!("more than {} MiB", MAX_LENGTH >> 20)),
            );
            return;
        }
        let origin = match place {
            Place::Written(from) => Origin::Copied(from + offset as u32),
            Place::Macro(call) => Origin::Macro(call),
        };
        self.segments.push(Segment { start: self.out.len() as u32, origin });
        self.out.push_str(text);
    }

    fn unclosed(&mut self, length: usize, place: Place, at: usize, message: &str) {
        let span = self.span(place, at, at + length.min(1));
        self.diagnostics.push(
            Diagnostic::error("spl-backquote", message)
                .at(span, "opened here")
                .with_help("a macro stands between two backquotes, a comment between two runs of three"),
        );
    }

    fn call(&mut self, call: &str, span: Span, depth: usize) {
        let Some((name, arguments)) = split_call(call) else {
            self.diagnostics.push(
                Diagnostic::error("spl-macro-call", "this is no call of a macro")
                    .at(span, "a name and, in brackets, arguments expected"),
            );
            return;
        };
        if depth >= MAX_DEPTH {
            self.diagnostics.push(
                Diagnostic::error("spl-macro-depth", format!("the macro `{name}` calls itself"))
                    .at(span, format!("macros are nested more than {MAX_DEPTH} deep")),
            );
            return;
        }
        let Some(found) = self.knowledge.find_macro(name, arguments.len()).or_else(|| builtin(name, &arguments)) else {
            self.unknown(name, arguments.len(), span);
            return;
        };
        let holds = fill(&found.validation, &found, &arguments);
        if !holds.trim().is_empty() && constant::holds(&holds) == Some(false) {
            let message =
                if found.message.is_empty() { "its arguments are not what it takes" } else { found.message.as_str() };
            self.diagnostics.push(
                Diagnostic::error(
                    "spl-macro-arguments",
                    format!("the macro `{name}` refuses its arguments: {message}"),
                )
                .at(span, "refused by its `validation`")
                .with_note(format!("with these arguments that is `{}`", holds.trim())),
            );
            return;
        }
        let definition = fill(&found.definition, &found, &arguments);
        if found.is_eval {
            match constant::text_of(&definition) {
                Some(text) => self.expand(&text, Place::Macro(span), depth + 1),
                None => self.diagnostics.push(
                    Diagnostic::error("spl-macro-eval", format!("the macro `{name}` cannot be computed"))
                        .at(span, "its definition is an expression that yields no text")
                        .with_note(format!("with its arguments it is `{}`", definition.trim())),
                ),
            }
            return;
        }
        self.expand(&definition, Place::Macro(span), depth + 1);
    }

    fn unknown(&mut self, name: &str, arguments: usize, span: Span) {
        let mut diagnostic = match arguments {
            0 => Diagnostic::error("spl-unknown-macro", format!("there is no macro `{name}`")),
            1 => Diagnostic::error("spl-unknown-macro", format!("there is no macro `{name}` of one argument")),
            n => Diagnostic::error("spl-unknown-macro", format!("there is no macro `{name}` of {n} arguments")),
        }
        .at(span, "not defined");
        let taken: Vec<String> = (0..MAX_ARGUMENTS)
            .filter(|count| {
                let unnamed = vec![String::new(); *count];
                self.knowledge.find_macro(name, *count).or_else(|| builtin(name, &unnamed)).is_some()
            })
            .map(|count| count.to_string())
            .collect();
        if !taken.is_empty() {
            let help = format!("`{name}` takes {} argument(s), {arguments} given", taken.join(" or "));
            self.diagnostics.push(diagnostic.with_help(help));
            return;
        }
        let known = self.knowledge.macro_names();
        diagnostic = match closest(name, known.iter().map(String::as_str).filter(|known| *known != name)) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help(
                "load the folder of macros that belongs to the rule, or define it with `--macro NAME=DEFINITION`",
            ),
        };
        self.diagnostics.push(diagnostic);
    }
}

/// How long the text before the closing backquote is. One that stands in quotes closes nothing.
fn end_of_call(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '`' if !quoted => return Some(at),
            _ => {}
        }
    }
    // A quote that is never closed: then it is no quote.
    text.find('`')
}

/// A call's name and arguments; `None` if it is no call.
fn split_call(call: &str) -> Option<(&str, Vec<String>)> {
    let call = call.trim();
    let (name, rest) = match call.split_once('(') {
        Some((name, rest)) => (name.trim(), Some(rest.trim_end().strip_suffix(')')?)),
        None => (call, None),
    };
    let valid = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if name.is_empty() || !name.chars().all(valid) {
        return None;
    }
    Some((name, rest.map(split_arguments).unwrap_or_default()))
}

/// Arguments between commas that stand in neither quotes nor brackets; each without one pair of double quotes.
fn split_arguments(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let (mut arguments, mut current) = (Vec::new(), String::new());
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_i32);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth <= 0 => {
                arguments.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    arguments.push(current);
    let bare = |argument: String| {
        let trimmed = argument.trim();
        let inner = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.filter(|inner| !inner.contains('"')).unwrap_or(trimmed).to_owned()
    };
    arguments.into_iter().map(bare).collect()
}

/// A text of a macro's with the arguments put in.
fn fill(text: &str, found: &Macro, arguments: &[String]) -> String {
    let pairs = found.arguments.iter().zip(arguments);
    pairs
        .fold(text.to_owned(), |text, (parameter, argument)| text.replace(&format!("${}$", parameter.trim()), argument))
}

/// What the macros mean that Splunk's content takes for granted and does not bring along: those of the Common
/// Information Model's app, of Enterprise Security, and those that its build generates. A rule's filter (`…_filter`)
/// lets everything through.
fn builtin(name: &str, arguments: &[String]) -> Option<Macro> {
    let plain = |definition: &str| {
        Some(Macro { arguments: Vec::new(), definition: definition.to_owned(), is_eval: false, ..Macro::default() })
    };
    match (name, arguments) {
        ("drop_dm_object_name", [object]) => plain(&format!("rename \"{object}.*\" as \"*\"")),
        ("security_content_ctime", [field]) => {
            plain(&format!("convert timeformat=\"%Y-%m-%dT%H:%M:%S\" ctime({field})"))
        }
        ("security_content_summariesonly", []) => {
            plain("summariesonly=false allow_old_summaries=true fillnull_value=null")
        }
        ("summariesonly" | "cim_summariesonly", []) => plain("summariesonly=false"),
        ("summariesonly_config", []) => plain("false"),
        ("oldsummaries_config", []) => plain("true"),
        ("fillnull_config", []) => plain("null"),
        ("comment", [_]) => plain(""),
        // Of Enterprise Security: they add what asset and identity lists know. Nothing is known here.
        ("get_asset" | "get_identity4events", [_]) => plain("search *"),
        // Of the Common Information Model: the organisation's own web domains, from a list that is empty until set.
        ("cim_corporate_web_domain_search" | "cim_corporate_email_domain_search", [field]) => {
            plain(&format!("(\"{field}\"=\"\")"))
        }
        // Sources, for a detection that comes without its folder of macros.
        ("sysmon", []) => plain(
            "(source=XmlWinEventLog:Microsoft-Windows-Sysmon/Operational OR source=Syslog:Linux-Sysmon/Operational)",
        ),
        ("powershell", []) => plain("(source=XmlWinEventLog:Microsoft-Windows-PowerShell/Operational)"),
        ("wineventlog_security", []) => plain("(eventtype=wineventlog_security OR source=XmlWinEventLog:Security)"),
        ("wineventlog_system", []) => plain("(eventtype=wineventlog_system OR source=XmlWinEventLog:System)"),
        ("wineventlog_application", []) => {
            plain("(eventtype=wineventlog_application OR source=XmlWinEventLog:Application)")
        }
        ("cloudtrail", []) => plain("sourcetype=aws:cloudtrail"),
        ("o365_management_activity", []) => plain("sourcetype=o365:management:activity"),
        ("linux_auditd", []) => plain("sourcetype=linux:audit"),
        (name, []) if name.ends_with("_filter") => plain("search *"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spl::NoKnowledge;

    #[derive(Debug)]
    struct Known(Vec<(&'static str, Macro)>);

    impl Knowledge for Known {
        fn find_macro(&self, name: &str, arguments: usize) -> Option<Macro> {
            let fits = |(known, found): &&(&str, Macro)| *known == name && found.arguments.len() == arguments;
            self.0.iter().find(fits).map(|(_, found)| found.clone())
        }
    }

    fn known(name: &'static str, arguments: &[&str], definition: &str) -> (&'static str, Macro) {
        let arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        (name, Macro { arguments, definition: definition.to_owned(), is_eval: false, ..Macro::default() })
    }

    fn expand(text: &str, knowledge: &dyn Knowledge) -> (String, Expansion, Vec<Diagnostic>) {
        let (expansion, diagnostics) = Expansion::new(&SourceFile::new("q", text), knowledge);
        (expansion.text.text().to_owned(), expansion, diagnostics)
    }

    #[test]
    fn comments_go_and_macros_come() {
        let knowledge = Known(vec![
            known("src", &[], "sourcetype=a OR `inner(\"b, c\")`"),
            known("inner", &["x"], "source=\"$x$\""),
        ]);
        let (text, expansion, diagnostics) = expand("`src` ```no `src` | \"```x=\"a`b\"", &knowledge);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!(text, "sourcetype=a OR source=\"b, c\"  x=\"a`b\"");
        let at = text.find("x=").unwrap_or_default();
        assert_eq!(expansion.written(Span::new(at, at + 2)), Span::new(24, 26));
        assert_eq!(expansion.written(Span::new(2, 4)), Span::new(0, 5));
        assert!(expansion.in_macro(Span::new(2, 4)) && !expansion.in_macro(Span::new(at, at + 1)));
    }

    #[test]
    fn what_cannot_be_expanded_is_said() {
        let knowledge = Known(vec![known("me", &[], "`me`")]);
        for (text, code) in [
            ("`nobody`", "spl-unknown-macro"),
            ("`me`", "spl-macro-depth"),
            ("a `me", "spl-backquote"),
            ("``` open", "spl-backquote"),
            ("`(x)`", "spl-macro-call"),
        ] {
            let (_, _, diagnostics) = expand(text, &knowledge);
            assert_eq!(diagnostics.first().map(|d| d.code), Some(code), "{text}");
        }
    }

    #[test]
    fn what_content_takes_for_granted_is_there() {
        let (text, _, diagnostics) = expand("`drop_dm_object_name(\"A\")` | `my_rule_filter`", &NoKnowledge);
        assert!(diagnostics.is_empty());
        assert_eq!(text, "rename \"A.*\" as \"*\" | search *");
    }
}
