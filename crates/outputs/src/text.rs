//! Text for terminals and reports: safe to print, cut to a width.
//!
//! Events are the attacker's own words. Control characters (a terminal would obey them) and characters that turn the
//! direction of writing (a reader would be misled) are shown as escapes.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text on one line, with nothing in it that acts on a terminal or misleads a reader.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut blank = false;
    for character in text.trim().chars() {
        let white = matches!(character, '\n' | '\r' | '\t' | ' ');
        if white && blank {
            continue;
        }
        blank = white;
        match character {
            _ if white => shown.push(' '),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(shown, "\\u{{{:x}}}", character as u32);
            }
            _ if character.is_control() => {
                let _ = write!(shown, "\\x{:02x}", character as u32);
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// How many columns the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to so many columns, with `…` where something is missing.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// The text cut to so many columns at its beginning: what tells two paths apart stands at their ends.
pub(crate) fn cut_start(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.char_indices().rev().take_while(|(_, character)| {
        used += character.width().unwrap_or(0);
        used <= columns
    });
    let start = kept.last().map_or(text.len(), |(at, _)| at);
    format!("…{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_cannot_act_on_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\r\n\tc\u{7}"), "a\\x1b[31mb c\\x07");
        assert_eq!(plain("exe.\u{202e}fdp"), "exe.\\u{202e}fdp");
    }

    #[test]
    fn text_is_cut_to_columns_not_characters() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!(cut("abc", 0), "…");
        assert_eq!(cut_start("abcdef", 6), "abcdef");
        assert_eq!(cut_start("abcdefg", 6), "…cdefg");
        assert_eq!(cut_start("漢字漢字", 6), "…漢字");
        assert_eq!(cut_start("abc", 0), "…");
    }
}
