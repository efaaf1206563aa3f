//! Templates of `foreach` over fields that are not known beforehand.
//!
//! Where the fields are known, a template is text and its placeholders are replaced by names. Here no name is at hand,
//! so marks that are words stand in their place while the template is read: a name with marks in it becomes one that is
//! made for each field ([`MadeName`]), and so does a text in double quotes of an expression, which is read from a column
//! then. Other commands than `eval` and `where` have names in double quotes.

use std::sync::Arc;

use lurcher_ir::{ColumnPattern, Expr, MadeName, NamePiece};

/// Stands in names for `<<FIELD>>`.
const WHOLE: &str = "foreach_field_";
/// Stands in names for `<<MATCHSTR>>` and, with a number and `_` behind it, for `<<MATCHSEGn>>`.
const PART: &str = "foreach_part_";
/// The columns that hold a text, with a number and `_` behind it.
const TEXT: &str = "foreach_text_";

/// A template with marks for its placeholders.
pub(super) struct Marked {
    /// How it reads.
    pub(super) text: String,
    /// The texts that it reads from columns.
    pub(super) texts: Vec<(Arc<str>, MadeName)>,
    /// How many `*` the pattern with most has.
    stars: usize,
    /// Whether a field's whole name may be a number.
    numbers: bool,
    /// How many brackets are open.
    depth: usize,
    /// Whether the command at hand holds expressions.
    computes: bool,
}

impl Marked {
    pub(super) fn new(template: &str, patterns: &[ColumnPattern]) -> Self {
        let texts = || {
            patterns.iter().map(|pattern| match pattern {
                ColumnPattern::Named(text) | ColumnPattern::Like(text) => text.as_ref(),
            })
        };
        let mut marked = Self {
            text: String::new(),
            texts: Vec::new(),
            stars: texts().map(|text| text.matches('*').count()).max().unwrap_or_default(),
            numbers: texts().any(|text| text.chars().all(|c| matches!(c, '*' | '.') || c.is_ascii_digit())),
            depth: 0,
            computes: computes(template),
        };
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            rest = match c {
                '"' | '\'' => marked.quoted(rest, c),
                _ => match marked.placeholder(rest) {
                    Some((mark, behind)) => marked.bare(&mark, behind),
                    None => marked.character(rest, c),
                },
            };
        }
        marked
    }

    fn character<'t>(&mut self, rest: &'t str, c: char) -> &'t str {
        match c {
            '(' => self.depth += 1,
            ')' => self.depth = self.depth.saturating_sub(1),
            '|' => self.computes = computes(rest),
            _ => {}
        }
        self.text.push(c);
        &rest[c.len_utf8()..]
    }

    /// A placeholder that stands at the beginning, as a mark, and what follows. One beyond the pattern's `*` is none.
    fn placeholder<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        if let Some(behind) = text.strip_prefix("<<FIELD>>") {
            return Some((WHOLE.to_owned(), behind));
        }
        if let Some(behind) = text.strip_prefix("<<MATCHSTR>>") {
            return Some((format!("{PART}0_"), behind));
        }
        let (number, behind) = text.strip_prefix("<<MATCHSEG")?.split_once(">>")?;
        let number: usize = number.parse().ok()?;
        (1..=self.stars).contains(&number).then(|| (format!("{PART}{number}_"), behind))
    }

    /// Text with marks for all its placeholders; none if there are none.
    fn marks(&self, text: &str) -> Option<String> {
        let mut marked = String::new();
        let mut rest = text;
        let mut any = false;
        while let Some(c) = rest.chars().next() {
            if let Some((mark, behind)) = self.placeholder(rest) {
                any = true;
                marked.push_str(&mark);
                rest = behind;
            } else {
                marked.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        any.then_some(marked)
    }

    /// What stands in quotes: a name in single ones, in double ones a text or the name of what is assigned to.
    fn quoted<'t>(&mut self, rest: &'t str, quote: char) -> &'t str {
        let Some(length) = closed(rest, quote) else {
            self.text.push_str(rest);
            return "";
        };
        let (whole, behind) = rest.split_at(length);
        let inner = &whole[1..length - 1];
        match self.marks(inner) {
            None => self.text.push_str(whole),
            Some(name) if !self.computes => self.text.push_str(&format!("{quote}{name}{quote}")),
            Some(name) if quote == '\'' || self.is_target(behind) => self.text.push_str(&format!("'{name}'")),
            Some(text) => {
                let column = self.text_column(&text.replace("\\\\", "\\").replace("\\\"", "\""));
                self.text.push_str(&format!("tostring({column})"));
            }
        }
        behind
    }

    /// A placeholder outside of quotes: a part of a name, or, as the template would read with it filled in, a number.
    fn bare<'t>(&mut self, mark: &str, behind: &'t str) -> &'t str {
        let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '{' | '}' | ':' | '#');
        let inside = self.text.ends_with(of_name) || behind.starts_with(of_name) || behind.starts_with("<<");
        // These go by the first field in them.
        let named = ["mvmap(", "mvfilter("].iter().any(|call| self.text.trim_end().ends_with(call));
        let may_be = self.computes && (self.numbers || mark != WHOLE);
        let number = may_be && !inside && !named && !self.is_target(behind);
        if number {
            let column = self.text_column(mark);
            self.text.push_str(&format!("coalesce(tonumber(tostring({column})), {mark})"));
        } else {
            self.text.push_str(mark);
        }
        behind
    }

    /// Whether something is assigned to the name that the text so far and this go on with.
    fn is_target(&self, behind: &str) -> bool {
        let of_target = |c: char| !(c.is_whitespace() || matches!(c, ',' | '=' | '"' | '\'' | '(' | ')' | '|'));
        let behind = behind.trim_start_matches(of_target).trim_start();
        let before = self.text.trim_end_matches(of_target).trim_end();
        let begins = before.ends_with(',') || before.rsplit(|c: char| !c.is_alphanumeric()).next() == Some("eval");
        self.depth == 0 && begins && behind.starts_with('=') && !behind.starts_with("==")
    }

    /// The column that holds a text with marks in it.
    fn text_column(&mut self, text: &str) -> Arc<str> {
        let made = made(text);
        if let Some((column, _)) = self.texts.iter().find(|(_, known)| *known == made) {
            return Arc::clone(column);
        }
        let column: Arc<str> = format!("{TEXT}{}_", self.texts.len()).into();
        self.texts.push((Arc::clone(&column), made));
        column
    }
}

/// Whether the first command of a text holds expressions.
fn computes(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '|');
    let word = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    ["eval", "where"].iter().any(|command| word.eq_ignore_ascii_case(command))
}

/// How long what stands in quotes is, both included; none if they are not closed.
fn closed(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some(at + 1);
        }
        let escapes = c == '\\' && quote == '"';
        if escapes && characters.peek().is_some_and(|(_, next)| matches!(next, '\\' | '"')) {
            characters.next();
        }
    }
    None
}

/// The name that a text with marks stands for.
pub(super) fn made(text: &str) -> MadeName {
    let mut pieces = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((piece, length)) = mark(rest) else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if plain < at {
            pieces.push(NamePiece::Text(text[plain..at].into()));
        }
        pieces.push(piece);
        at += length;
        plain = at;
    }
    if plain < text.len() {
        pieces.push(NamePiece::Text(text[plain..].into()));
    }
    MadeName(pieces)
}

/// The mark that stands at the beginning, and how long it is.
fn mark(text: &str) -> Option<(NamePiece, usize)> {
    if text.starts_with(WHOLE) {
        return Some((NamePiece::Whole, WHOLE.len()));
    }
    let (number, _) = text.strip_prefix(PART)?.split_once('_')?;
    let segment: usize = number.parse().ok()?;
    let piece = segment.checked_sub(1).map_or(NamePiece::Matched, NamePiece::Segment);
    Some((piece, PART.len() + number.len() + 1))
}

/// Adds the columns that an expression reads under names with marks to those known.
pub(super) fn made_reads(expr: &Expr, reads: &mut Vec<(Arc<str>, MadeName)>) {
    if let Expr::Column(name) = expr
        && !reads.iter().any(|(known, _)| known == name)
    {
        let made = made(name);
        if made.constant().is_none() {
            reads.push((Arc::clone(name), made));
        }
    }
    expr.parts(&mut |part| made_reads(part, reads));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(template: &str, pattern: &str) -> String {
        Marked::new(template, &[ColumnPattern::parse(pattern)]).text
    }

    #[test]
    fn marks_stand_for_placeholders() {
        assert_eq!(
            marked(r#"eval <<FIELD>>_x = "<<FIELD>>" . '<<FIELD>>', "y <<MATCHSEG1>>"=1"#, "a_*"),
            "eval foreach_field__x = tostring(foreach_text_0_) . 'foreach_field_', 'y foreach_part_1_'=1"
        );
        // Quotes within quotes are text, and so is a placeholder beyond the pattern's stars.
        assert_eq!(
            marked(r#"eval x="'a' \"<<MATCHSEG2>>" . "it's", y=z"#, "a_*"),
            r#"eval x="'a' \"<<MATCHSEG2>>" . "it's", y=z"#
        );
    }

    #[test]
    fn what_would_be_a_number_is_one() {
        let number = "eval n=n+coalesce(tonumber(tostring(foreach_text_0_)), foreach_part_0_)";
        assert_eq!(marked("eval n=n+<<MATCHSTR>>", "d*"), number);
        assert_eq!(marked("eval n=n+<<FIELD>>", "d*"), "eval n=n+foreach_field_");
        assert_eq!(marked("eval n=x_<<MATCHSTR>>", "d*"), "eval n=x_foreach_part_0_");
        assert_eq!(marked("eval a.<<MATCHSTR>>.b = 1", "d*"), "eval a.foreach_part_0_.b = 1");
    }

    #[test]
    fn other_commands_have_names_in_quotes() {
        assert_eq!(
            marked(r#"rename <<FIELD>> as "x <<MATCHSTR>>" | eval y="<<FIELD>>""#, "d*"),
            r#"rename foreach_field_ as "x foreach_part_0_" | eval y=tostring(foreach_text_0_)"#
        );
        assert_eq!(marked("fillnull value=0 <<MATCHSTR>>", "d*"), "fillnull value=0 foreach_part_0_");
    }

    #[test]
    fn marks_make_names() {
        let name = made("avg_foreach_part_0_.foreach_field_x");
        assert_eq!(name.fill("a_b", &["b"]).as_ref(), "avg_b.a_bx");
        assert_eq!(made("foreach_part_2_1").fill("a_b", &["c"]).as_ref(), "1");
        assert_eq!(made("foreach_part_x").constant().as_deref(), Some("foreach_part_x"));
        assert_eq!(made("").constant().as_deref(), Some(""));
    }
}
