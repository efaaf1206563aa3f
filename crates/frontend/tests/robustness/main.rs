//! Nothing that anyone can write makes a front end panic, loop, or exhaust memory or the stack; and what it complains
//! about has a place in the text. Sigma, whose rules are documents, has such a test of its own (`sigma.rs`).

use std::sync::{Arc, LazyLock};

use lurcher_diagnostics::{SourceFile, render};
use lurcher_frontend::{Language, Options};
use lurcher_schema::Schemas;
use proptest::prelude::*;

mod eql;
mod esql;
mod kql_lucene;
mod spl;
mod spl2;

/// Brings a text to the IR and shows all that came of it.
fn survives(language: Language, text: &str) {
    static SCHEMAS: LazyLock<Arc<Schemas>> =
        LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));
    let file = SourceFile::new("any", text);
    let lowered = language.lower(&file, &Options::default(), &SCHEMAS);
    for diagnostic in &lowered.diagnostics {
        for label in &diagnostic.labels {
            assert!(label.span.start <= label.span.end, "{diagnostic:?}");
        }
        render::text(diagnostic, false);
    }
    if let Some(body) = lowered.body {
        let _ = body.to_string();
    }
}

/// Any number of pieces of a language, to get further than the first token.
fn sequence(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(pieces), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        for language in Language::ALL.into_iter().filter(|language| *language != Language::Sigma) {
            survives(language, &text);
        }
    }

    #[test]
    fn any_pieces_of_eql(pieces in sequence(eql::PIECES)) {
        survives(Language::Eql, &format!("process where {}", pieces.join(" ")));
        survives(Language::Eql, &pieces.join(" "));
    }

    #[test]
    fn any_pieces_of_esql(pieces in sequence(esql::PIECES)) {
        survives(Language::Esql, &format!("FROM logs-* {}", pieces.join(" ")));
        survives(Language::Esql, &pieces.join(" "));
    }

    #[test]
    fn any_pieces_of_kql_and_lucene(pieces in sequence(kql_lucene::PIECES)) {
        survives(Language::Kql, &pieces.concat());
        survives(Language::Lucene, &pieces.concat());
    }

    #[test]
    fn any_pieces_of_spl(pieces in sequence(spl::PIECES)) {
        survives(Language::Spl, &pieces.join(" "));
        survives(Language::Spl, &format!("a=1 | {}", pieces.join(" | ")));
        survives(Language::Spl, &format!("a=1 | where {}", pieces.join(" ")));
    }

    #[test]
    fn any_pieces_of_spl2(pieces in sequence(spl2::PIECES)) {
        survives(Language::Spl2, &pieces.join(" "));
        survives(Language::Spl2, &format!("from source | where {}", pieces.join(" ")));
    }
}
