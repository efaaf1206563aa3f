//! Diagnostics as text, JSON, SARIF and GitHub annotations.
//!
//! Every form says the same: what, where, what else is known, what to do. Nothing here prints or decides what is
//! worth saying.

mod github;
mod json;
mod sarif;
mod text;

pub use github::github;
pub use json::json;
pub use sarif::sarif;
pub use text::text;

use crate::{Diagnostic, Label, Level, SourceFile};

/// The lower-case word for a level.
pub(crate) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

/// The message with its notes and help below, for forms that have one text.
pub(crate) fn plain(diagnostic: &Diagnostic) -> String {
    let notes = diagnostic.notes.iter().map(|note| format!("\nnote: {note}"));
    let help = diagnostic.help.iter().map(|help| format!("\nhelp: {help}"));
    std::iter::once(diagnostic.message.clone()).chain(notes).chain(help).collect()
}

/// Where a label begins and ends, as `[line, column, end line, end column]`, all from 1, the end just behind it.
pub(crate) fn region(file: &SourceFile, label: &Label) -> [u32; 4] {
    let (start, end) = (file.position(label.span.start), file.position(label.span.end));
    [start.line, start.column, end.line, end.column]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Span;

    fn file() -> Arc<SourceFile> {
        SourceFile::new("rules/my rule.eql", "process where\n  proces.näme = \"a\"\n")
    }

    fn diagnostic() -> Diagnostic {
        Diagnostic::error("eql-single-equals", "`=` does not compare")
            .in_file(&file())
            .at(Span::new(29, 30), "one `=`")
            .at(Span::new(16, 28), "this field")
            .with_note("`=` stands in `with maxspan=5m` only")
            .with_help("write `==`")
    }

    #[test]
    fn text_shows_the_source() {
        insta::assert_snapshot!(text(&diagnostic(), false), @r#"
        error[eql-single-equals]: `=` does not compare
         --> rules/my rule.eql:2:15
          |
        2 |   proces.näme = "a"
          |   ----------- ^ one `=`
          |   |
          |   this field
          |
          = note: `=` stands in `with maxspan=5m` only
          = help: write `==`
        "#);
    }

    #[test]
    fn text_without_a_place_is_still_a_sentence() {
        let bare = Diagnostic::warning("unknown-dialect", "3 events are of no known kind").with_help("say which");
        insta::assert_snapshot!(text(&bare, false), @"
        warning[unknown-dialect]: 3 events are of no known kind
         |
         = help: say which
        ");
        let nowhere = Diagnostic::note("empty", "nothing in it").in_file(&file());
        insta::assert_snapshot!(text(&nowhere, false), @"
        note[empty]: nothing in it
        --> rules/my rule.eql
        ");
    }

    #[test]
    fn colour_is_only_added() {
        let plain = text(&diagnostic(), false);
        let coloured = text(&diagnostic(), true);
        assert!(coloured.contains("\u{1b}["), "{coloured}");
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }

    #[test]
    fn spans_outside_the_text_or_inside_a_character_never_panic() {
        for (start, end) in [(0, 0), (20, 21), (21, 22), (9999, 99999), (35, 9999)] {
            let odd = Diagnostic::error("x", "odd").in_file(&file()).at(Span::new(start, end), "here");
            assert!(text(&odd, false).contains("odd"));
            json(&odd);
            github(&odd);
            sarif(&[odd]);
        }
        let empty = Diagnostic::error("x", "odd").in_file(&SourceFile::new("e", "")).at(Span::new(0, 0), "here");
        assert!(text(&empty, false).contains("odd"));
    }

    #[test]
    fn json_counts_from_one() {
        insta::assert_snapshot!(json(&diagnostic()).to_string(), @r#"{"code":"eql-single-equals","level":"error","message":"`=` does not compare","path":"rules/my rule.eql","line":2,"column":15,"labels":[{"message":"one `=`","line":2,"column":15,"end_line":2,"end_column":16},{"message":"this field","line":2,"column":3,"end_line":2,"end_column":14}],"notes":["`=` stands in `with maxspan=5m` only"],"help":"write `==`"}"#);
    }

    #[test]
    fn github_is_one_line() {
        insta::assert_snapshot!(github(&diagnostic()), @"::error file=rules/my rule.eql,line=2,endLine=2,col=15,endColumn=15,title=eql-single-equals::`=` does not compare%0Anote: `=` stands in `with maxspan=5m` only%0Ahelp: write `==`");
        let bare = Diagnostic::note("n", "100%, one\ntwo");
        insta::assert_snapshot!(github(&bare), @"::notice title=n::100%25, one%0Atwo");
    }

    #[test]
    fn sarif_names_each_code_once() {
        let log = sarif(&[diagnostic(), diagnostic(), Diagnostic::warning("other", "no place")]);
        insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
    }
}
