//! Lucene regular expressions to those of the `regex` crate.
//!
//! Lucene's match the whole value; `^` and `$` are ordinary characters; `.` also matches line ends; there are no
//! groups to capture, no lazy quantifiers (`.*?` is an optional `.*`) and no look-around. Its own operators are
//! `@` (any text), `#` (nothing), `"…"` (literal text), `<1-9>` (a number), `~` (complement) and `&` (intersection);
//! the last three have no counterpart and are reported. The result is anchored and carries its flags.
//!
//! Source: the class documentation of Lucene's `RegExp`, and Elasticsearch's page on regular expression syntax (all
//! optional operators are on in EQL).

use std::{fmt::Write, sync::Arc};

use lurcher_ir::{Case, Regex};

use crate::syntax::{Characters, Depth};

/// Why a pattern cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegexpError {
    /// It is no pattern.
    Malformed(String),
    /// It uses an operator that has no counterpart.
    Unsupported(char),
}

/// Translates a pattern.
pub(crate) fn translate(pattern: &str, case: Case) -> Result<Regex, RegexpError> {
    let mut translator = Translator { input: Characters::new(pattern), output: String::new(), depth: Depth::default() };
    translator.union()?;
    if translator.input.peek().is_some() {
        return Err(malformed("a `)` closes nothing"));
    }
    let flags = match case {
        Case::Sensitive => "(?s)",
        Case::Insensitive => "(?si)",
    };
    let pattern = format!("{flags}^(?:{})$", translator.output);
    match regex_syntax::parse(&pattern) {
        Ok(_) => Ok(Regex { pattern: Arc::from(pattern) }),
        Err(regex_syntax::Error::Parse(e)) => Err(malformed(&e.kind().to_string())),
        Err(regex_syntax::Error::Translate(e)) => Err(malformed(&e.kind().to_string())),
        Err(_) => Err(malformed("it is too complex")),
    }
}

fn malformed(why: &str) -> RegexpError {
    RegexpError::Malformed(why.to_owned())
}

struct Translator<'a> {
    input: Characters<'a>,
    output: String,
    depth: Depth,
}

impl Translator<'_> {
    fn union(&mut self) -> Result<(), RegexpError> {
        if !self.depth.enter() {
            return Err(malformed("it nests too deeply"));
        }
        loop {
            let mut operands = vec![self.output.len()];
            while !matches!(self.input.peek(), None | Some('|' | ')')) {
                if self.input.eat("&") {
                    operands.push(self.output.len());
                } else {
                    self.repeated()?;
                }
            }
            if operands.len() > 1 {
                self.intersection(&operands)?;
            }
            if !self.input.eat("|") {
                break;
            }
            self.output.push('|');
        }
        self.depth.leave();
        Ok(())
    }

    /// What all operands match, which begin at these places of the output. It has no counterpart, but where no text is as
    /// long as two of them want, it is nothing.
    fn intersection(&mut self, operands: &[usize]) -> Result<(), RegexpError> {
        let ends = operands.iter().skip(1).copied().chain([self.output.len()]);
        let mut lengths = Vec::new();
        for (start, end) in operands.iter().zip(ends) {
            let operand = self.output.get(*start..end).unwrap_or_default();
            let Ok(parsed) = regex_syntax::parse(&format!("(?s){operand}")) else {
                return Err(RegexpError::Unsupported('&'));
            };
            let properties = parsed.properties();
            lengths.push((properties.minimum_len(), properties.maximum_len()));
        }
        let apart = |a: &(Option<usize>, Option<usize>), b: &(Option<usize>, Option<usize>)| {
            a.0.is_none() || matches!((a.0, b.1), (Some(least), Some(most)) if least > most)
        };
        let nothing = lengths.iter().any(|a| lengths.iter().any(|b| apart(a, b)));
        if !nothing {
            return Err(RegexpError::Unsupported('&'));
        }
        self.output.truncate(operands.first().copied().unwrap_or(0));
        self.output.push_str("[a&&b]");
        Ok(())
    }

    /// An atom and the quantifiers behind it.
    fn repeated(&mut self) -> Result<(), RegexpError> {
        let start = self.output.len();
        self.atom()?;
        let mut quantified = false;
        while let Some(c @ ('?' | '*' | '+' | '{')) = self.input.peek() {
            self.input.bump();
            // A second quantifier applies to the whole before it; written bare it would mean "lazy".
            if quantified {
                self.output.insert_str(start, "(?:");
                self.output.push(')');
            }
            quantified = true;
            if c == '{' {
                self.counted()?;
            } else {
                self.output.push(c);
            }
        }
        Ok(())
    }

    fn counted(&mut self) -> Result<(), RegexpError> {
        let inside = self.input.take_while(|c| c.is_ascii_digit() || c == ',').to_owned();
        let (low, high) = inside.split_once(',').unwrap_or((&inside, &inside));
        if !self.input.eat("}") || low.is_empty() || high.contains(',') {
            return Err(malformed(
                "a `{` stands before a count, as in `{2}`, `{2,}`, `{2,5}`; write `\\{` for the character",
            ));
        }
        let _ = write!(self.output, "{{{inside}}}");
        Ok(())
    }

    fn atom(&mut self) -> Result<(), RegexpError> {
        match self.input.bump() {
            None => {}
            Some('.') => self.output.push('.'),
            Some('@') => self.output.push_str("(?:.*)"),
            Some('#') => self.output.push_str("[a&&b]"),
            Some('"') => {
                let text = self.input.take_while(|c| c != '"').to_owned();
                if !self.input.eat("\"") {
                    return Err(malformed(
                        "a `\"` begins literal text that never ends; write `\\\"` for the character",
                    ));
                }
                let _ = write!(self.output, "(?:{})", regex_syntax::escape(&text));
            }
            Some(operator @ ('~' | '&' | '<')) => return Err(RegexpError::Unsupported(operator)),
            Some('(') => {
                if self.input.rest().starts_with('?') {
                    return Err(malformed("there are no `(?…)` groups"));
                }
                self.output.push_str("(?:");
                self.union()?;
                if !self.input.eat(")") {
                    return Err(malformed("a `(` is never closed"));
                }
                self.output.push(')');
            }
            Some('[') => self.class()?,
            Some('\\') => {
                let c = self.input.bump().ok_or_else(|| malformed("it ends in a backslash"))?;
                match class_of(c) {
                    Some(class) => {
                        let _ = write!(self.output, "[{class}]");
                    }
                    None => self.literal(c),
                }
            }
            Some(c) => self.literal(c),
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.output.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn class(&mut self) -> Result<(), RegexpError> {
        self.output.push('[');
        if self.input.eat("^") {
            self.output.push('^');
        }
        let mut first = true;
        loop {
            match self.input.peek() {
                None => return Err(malformed("a `[` is never closed")),
                Some(']') if !first => {
                    self.input.bump();
                    self.output.push(']');
                    return Ok(());
                }
                Some(_) => self.class_item()?,
            }
            first = false;
        }
    }

    fn class_item(&mut self) -> Result<(), RegexpError> {
        let Some(low) = self.class_character()? else {
            return Ok(());
        };
        if !self.input.rest().starts_with('-') || self.input.rest().starts_with("-]") {
            self.class_literal(low);
            return Ok(());
        }
        self.input.bump();
        let Some(high) = self.class_character()? else {
            return Err(malformed("a range in brackets ends in a class"));
        };
        self.class_literal(low);
        self.output.push('-');
        self.class_literal(high);
        Ok(())
    }

    /// One character in brackets; `None` if it was a class such as `\d`, which is written out already.
    fn class_character(&mut self) -> Result<Option<char>, RegexpError> {
        let c = self.input.bump().ok_or_else(|| malformed("a `[` is never closed"))?;
        if c != '\\' {
            return Ok(Some(c));
        }
        let c = self.input.bump().ok_or_else(|| malformed("it ends in a backslash"))?;
        let Some(class) = class_of(c) else {
            return Ok(Some(c));
        };
        let _ = write!(self.output, "[{class}]");
        Ok(None)
    }

    /// A character inside brackets; every sign is escaped, since more of them mean something there than in Lucene.
    fn class_literal(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.output.push('\\');
        }
        self.output.push(c);
    }
}

/// The inside of the bracketed class that a backslash and this letter stand for.
fn class_of(c: char) -> Option<&'static str> {
    Some(match c {
        'd' => "0-9",
        'D' => "^0-9",
        's' => "\\t\\n\\r ",
        'S' => "^\\t\\n\\r ",
        'w' => "0-9A-Z_a-z",
        'W' => "^0-9A-Z_a-z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_translated() {
        for (lucene, rust) in [
            (r"a.*\.exe", r"a.*\.exe"),
            (r".*?x+?", r"(?:.*)?(?:x+)?"),
            (r"^a$", r"\^a\$"),
            (r#"\"a\"|"b.c"{2}"#, r#""a"|(?:b\.c){2}"#),
            (r"[^a-z\d&&[]", r"[^a-z[0-9]\&\&\[]"),
            (r"[]a]", r"[\]a]"),
            (r"(a|b)/c\-d\_", r"(?:a|b)/c\-d_"),
            (r"\w+@", r"[0-9A-Z_a-z]+(?:.*)"),
        ] {
            let pattern = translate(lucene, Case::Sensitive).unwrap().pattern;
            assert_eq!(pattern.as_ref(), format!("(?s)^(?:{rust})$"), "{lucene}");
        }
        assert!(translate("a", Case::Insensitive).unwrap().pattern.starts_with("(?si)"));
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for bad in ["(a", "a)", "[a", "a\\", "a{,2}", "(?i)a", "\"a", "a{3,1}"] {
            assert!(matches!(translate(bad, Case::Sensitive), Err(RegexpError::Malformed(_))), "{bad}");
        }
        assert_eq!(translate("~a", Case::Sensitive), Err(RegexpError::Unsupported('~')));
        assert!(translate(&"(".repeat(100_000), Case::Sensitive).is_err());
    }
}
