//! Regular expressions, from the syntax of the rules (Java's, which PCRE mostly shares) to the `regex` crate's.
//!
//! `\d`, `\w`, `\s` and `\b` mean ASCII there and Unicode in the crate, so they are written out; `$` also matches
//! before a last line end; possessive quantifiers and atomic groups become plain ones, which finds at least as much;
//! look-around and back references have no counterpart. `.` and `(?i)` keep the crate's meaning: they differ from
//! Java's only on rare line ends and on letters beyond ASCII.

use std::{fmt::Write, sync::Arc};

use lurcher_ir::{Regex, RegexDialect};

/// An expression that the engine can run.
#[derive(Debug, PartialEq)]
pub(crate) struct Translated {
    /// In the crate's syntax.
    pub(crate) regex: Regex,
    /// What is not quite as it was, if anything.
    pub(crate) approximate: Option<&'static str>,
}

/// Why an expression cannot be run.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// Nothing is wrong with it, but the engine has no counterpart.
    Unsupported(&'static str),
    /// It is faulty.
    Faulty(String),
}

/// Translates an expression.
pub(crate) fn translate(pattern: &str) -> Result<Translated, Refusal> {
    let mut translator = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: String::new(),
        multi_line: false,
        approximate: None,
    };
    translator.multi_line = pattern
        .split("(?")
        .skip(1)
        .any(|flags| flags.chars().take_while(char::is_ascii_alphabetic).any(|flag| flag == 'm'));
    translator.run()?;
    let Translator { out, approximate, .. } = translator;
    match regex_syntax::Parser::new().parse(&out) {
        Ok(_) => Ok(Translated { regex: Regex { pattern: Arc::from(out) }, approximate }),
        Err(regex_syntax::Error::Parse(error)) => Err(Refusal::Faulty(error.kind().to_string())),
        Err(regex_syntax::Error::Translate(error)) => Err(Refusal::Faulty(error.kind().to_string())),
        Err(error) => Err(Refusal::Faulty(error.to_string())),
    }
}

/// How expressions are read that are known only when a row is looked at.
pub(crate) const DIALECT: RegexDialect =
    RegexDialect { name: "pcre", translate: |pattern| translate(pattern).ok().map(|translated| translated.regex) };

/// The longest `{n,m}` that is a repetition rather than text, and the longest name of a class, in characters: they are looked
/// for at each brace and must not go through the whole rest each time.
const MAX_BRACES: usize = 32;

/// The names of the groups of a translated expression, in order.
pub(crate) fn group_names(regex: &Regex) -> Vec<Arc<str>> {
    regex
        .pattern
        .split("(?<")
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(name, _)| Arc::from(name))
        .collect()
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    multi_line: bool,
    approximate: Option<&'static str>,
}

const POSSESSIVE: &str = "possessive quantifiers and atomic groups are run as plain ones";
const LOOK_AROUND: &str = "look-around in a regular expression";
const BACK_REFERENCE: &str = "a back reference in a regular expression";

impl Translator {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn run(&mut self) -> Result<(), Refusal> {
        while let Some(c) = self.peek(0) {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class(0)?,
                '(' => self.group()?,
                '{' if !self.repetition() => {
                    self.out.push_str("\\{");
                    self.at += 1;
                }
                '*' | '+' | '?' | '{' => self.quantifier(),
                '$' if !self.multi_line => {
                    self.out.push_str("(?:\\r?\\n)?\\z");
                    self.at += 1;
                }
                c => {
                    self.out.push(c);
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), Refusal> {
        for look in ["(?=", "(?!", "(?<=", "(?<!"] {
            if self.starts_with(look) {
                return Err(Refusal::Unsupported(LOOK_AROUND));
            }
        }
        if self.starts_with("(?>") {
            self.approximate = Some(POSSESSIVE);
            self.out.push_str("(?:");
            self.at += 3;
        } else if self.starts_with("(?P<") {
            self.out.push_str("(?<");
            self.at += 4;
        } else if self.starts_with("(?<") {
            self.out.push_str("(?<");
            self.at += 3;
        } else if self.starts_with("(?") {
            self.out.push_str("(?");
            self.at += 2;
            self.flags();
        } else {
            self.out.push('(');
            self.at += 1;
        }
        Ok(())
    }

    /// Flags up to `)` or `:`; those that the crate has no need of are left out.
    fn flags(&mut self) {
        let begin = self.out.len();
        while let Some(flag) = self.peek(0).filter(|c| c.is_ascii_alphabetic() || *c == '-') {
            if matches!(flag, 'i' | 'm' | 's' | 'x' | '-') {
                self.out.push(flag);
            }
            self.at += 1;
        }
        if matches!(&self.out[begin..], "" | "-") && self.peek(0) == Some(')') {
            // Nothing remains: an empty group.
            self.out.truncate(begin);
            self.out.push(':');
        }
    }

    /// Whether `{` begins `{n}`, `{n,}` or `{n,m}`.
    fn repetition(&self) -> bool {
        let rest = &self.chars[self.at + 1..];
        let Some(end) = rest.iter().take(MAX_BRACES).position(|c| *c == '}') else { return false };
        let inside: String = rest[..end].iter().collect();
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match inside.split_once(',') {
            Some((low, high)) => number(low) && (high.is_empty() || number(high)),
            None => number(&inside),
        }
    }

    fn quantifier(&mut self) {
        if self.peek(0) == Some('{') {
            while let Some(c) = self.peek(0) {
                self.out.push(c);
                self.at += 1;
                if c == '}' {
                    break;
                }
            }
        } else if let Some(c) = self.peek(0) {
            self.out.push(c);
            self.at += 1;
        }
        match self.peek(0) {
            Some('+') => {
                self.approximate = Some(POSSESSIVE);
                self.at += 1;
            }
            Some('?') => {
                self.out.push('?');
                self.at += 1;
            }
            _ => {}
        }
    }

    fn class(&mut self, depth: usize) -> Result<(), Refusal> {
        if depth > 32 {
            return Err(Refusal::Faulty("character classes nest too deeply".into()));
        }
        self.out.push('[');
        self.at += 1;
        if self.peek(0) == Some('^') {
            self.out.push('^');
            self.at += 1;
        }
        let mut first = true;
        while let Some(c) = self.peek(0) {
            match c {
                ']' if !first => {
                    self.out.push(']');
                    self.at += 1;
                    return Ok(());
                }
                ']' => self.literal("\\]"),
                '\\' => self.escape(true)?,
                '[' if self.starts_with("[:") => {
                    // A POSIX class, as PCRE has it.
                    while let Some(c) = self.peek(0) {
                        self.literal(&c.to_string());
                        if c == ']' {
                            break;
                        }
                    }
                }
                '[' => self.class(depth + 1)?,
                '-' if self.peek(1) == Some('-') => self.literal("\\-"),
                '~' => self.literal("\\~"),
                c => self.literal(&c.to_string()),
            }
            first = false;
        }
        Err(Refusal::Faulty("a character class is not closed".into()))
    }

    fn literal(&mut self, text: &str) {
        self.out.push_str(text);
        self.at += 1;
    }

    fn escape(&mut self, in_class: bool) -> Result<(), Refusal> {
        let Some(c) = self.peek(1) else { return Err(Refusal::Faulty("a `\\` stands at the end".into())) };
        self.at += 2;
        let written = match (c, in_class) {
            ('d', false) => "[0-9]",
            ('d', true) => "0-9",
            ('D', _) => "[^0-9]",
            ('w', false) => "[A-Za-z0-9_]",
            ('w', true) => "A-Za-z0-9_",
            ('W', _) => "[^A-Za-z0-9_]",
            ('s', false) => "[ \\t\\n\\x0B\\f\\r]",
            ('s', true) => " \\t\\n\\x0B\\f\\r",
            ('S', _) => "[^ \\t\\n\\x0B\\f\\r]",
            ('h', false) => "[ \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}]",
            ('h', true) => " \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}",
            ('R', false) => "(?:\\r\\n|[\\n\\x0B\\f\\r\\u{85}\\u{2028}\\u{2029}])",
            ('b', false) => "(?-u:\\b)",
            ('B', false) => "(?-u:\\B)",
            ('A', false) => "\\A",
            ('z', false) => "\\z",
            ('Z', false) => "(?:\\r?\\n)?\\z",
            ('e', _) => "\\x1B",
            ('n' | 't' | 'r' | 'f' | 'a' | 'v', _) => {
                self.out.push('\\');
                self.out.push(c);
                return Ok(());
            }
            ('x' | 'u' | 'p' | 'P', _) => return self.coded(c),
            ('0', _) => return self.octal(),
            ('Q', _) => {
                self.quoted();
                return Ok(());
            }
            ('E', _) => "",
            ('1'..='9' | 'k', false) => return Err(Refusal::Unsupported(BACK_REFERENCE)),
            ('G' | 'X' | 'K', false) => {
                return Err(Refusal::Unsupported("`\\G`, `\\X` or `\\K` in a regular expression"));
            }
            (c, _) => {
                self.out.push_str(&regex_syntax::escape(&c.to_string()));
                return Ok(());
            }
        };
        self.out.push_str(written);
        Ok(())
    }

    /// `\x41`, `\x{41}`, `\u0041`, `\p{L}`: the crate reads them alike, but for Java's names of ASCII classes.
    fn coded(&mut self, c: char) -> Result<(), Refusal> {
        let rest: String = self.chars[self.at..].iter().take(MAX_BRACES).collect();
        for (name, class) in [
            ("{Lower}", "[a-z]"),
            ("{Upper}", "[A-Z]"),
            ("{Alpha}", "[A-Za-z]"),
            ("{Digit}", "[0-9]"),
            ("{Alnum}", "[A-Za-z0-9]"),
            ("{Punct}", "[!-/:-@\\[-`{-~]"),
            ("{Space}", "[ \\t\\n\\x0B\\f\\r]"),
            ("{XDigit}", "[0-9A-Fa-f]"),
            ("{ASCII}", "[\\x00-\\x7F]"),
        ] {
            if c == 'p' && rest.starts_with(name) {
                self.at += name.len();
                self.out.push_str(class);
                return Ok(());
            }
        }
        if rest.starts_with("{java") {
            return Err(Refusal::Unsupported("a Java character class in a regular expression"));
        }
        self.out.push('\\');
        self.out.push(c);
        Ok(())
    }

    fn octal(&mut self) -> Result<(), Refusal> {
        let mut code = 0_u32;
        let mut digits = 0;
        while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(8)).filter(|_| digits < 3) {
            code = code * 8 + digit;
            digits += 1;
            self.at += 1;
        }
        if digits == 0 {
            return Err(Refusal::Faulty("`\\0` needs octal digits".into()));
        }
        // Writing to a string cannot fail.
        let _ = write!(self.out, "\\x{{{code:X}}}");
        Ok(())
    }

    /// `\Q…\E`: everything between is literal.
    fn quoted(&mut self) {
        while let Some(c) = self.peek(0) {
            if self.starts_with("\\E") {
                self.at += 2;
                return;
            }
            self.out.push_str(&regex_syntax::escape(&c.to_string()));
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(from: &str) -> String {
        translate(from).map_or_else(|e| panic!("{from}: {e:?}"), |t| t.regex.pattern.to_string())
    }

    #[test]
    fn common_expressions_stay_as_they_are() {
        for same in ["(?i)hklm\\\\sam", "a|b", "^x.*y", "(?<name>[^\\\\]+)", "(?i)", "a{2,3}?"] {
            assert_eq!(pattern(same), same);
        }
    }

    #[test]
    fn ascii_classes_are_written_out() {
        assert_eq!(pattern(r"\d+"), "[0-9]+");
        assert_eq!(pattern(r"[\w-]"), "[A-Za-z0-9_-]");
        assert_eq!(pattern(r"[\-|\/]w"), r"[\-|/]w");
        assert_eq!(pattern(r"[\\-|\\/|\u2013]"), r"[\\-|\\/|\u2013]");
        assert_eq!(pattern(r"\bx$"), r"(?-u:\b)x(?:\r?\n)?\z");
    }

    #[test]
    fn java_oddities_are_translated() {
        assert_eq!(pattern(r"\Qa.b\E.c"), r"a\.b.c");
        assert_eq!(pattern("a{x}"), r"a\{x}");
        assert_eq!(pattern(r"\p{Alpha}\041\<"), "[A-Za-z]\\x{21}<");
        assert!(translate("a++").unwrap().approximate.is_some());
        assert_eq!(pattern("(?>a)b"), "(?:a)b");
    }

    #[test]
    fn what_has_no_counterpart_is_refused() {
        assert_eq!(translate("a(?!b)"), Err(Refusal::Unsupported(LOOK_AROUND)));
        assert_eq!(translate(r"(a)\1"), Err(Refusal::Unsupported(BACK_REFERENCE)));
        assert!(matches!(translate("(a"), Err(Refusal::Faulty(_))));
        assert!(matches!(translate("[a"), Err(Refusal::Faulty(_))));
    }

    #[test]
    fn groups_are_named() {
        let translated = translate(r"(?<a>x)(?P<b>y)(z)").unwrap();
        assert_eq!(group_names(&translated.regex), ["a".into(), Arc::from("b")]);
    }
}
