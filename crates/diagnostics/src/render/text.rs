//! The form for people: as compilers show it, with the source and what is underlined in it.

use annotate_snippets::{AnnotationKind, Level as Shown, Origin, Renderer, Snippet};

use crate::{Diagnostic, Level, SourceFile, Span};

/// As text for a terminal, without a line end behind the last line. `colour` adds ANSI escapes and changes nothing
/// else.
pub fn text(diagnostic: &Diagnostic, colour: bool) -> String {
    let level = match diagnostic.level {
        Level::Error => Shown::ERROR,
        Level::Warning => Shown::WARNING,
        Level::Note => Shown::NOTE,
    };
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code).elements(snippet(diagnostic));
    if let (Some(file), true) = (&diagnostic.file, diagnostic.labels.is_empty()) {
        group = group.element(Origin::path(file.name()));
    }
    for note in &diagnostic.notes {
        group = group.element(Shown::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Shown::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

fn snippet(diagnostic: &Diagnostic) -> Option<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let file = diagnostic.file.as_ref()?;
    if diagnostic.labels.is_empty() {
        return None;
    }
    let annotations = diagnostic.labels.iter().enumerate().map(|(i, label)| {
        let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(within(file, label.span));
        if label.message.is_empty() { annotation } else { annotation.label(label.message.as_str()) }
    });
    Some(Snippet::source(file.text()).path(file.name()).annotations(annotations))
}

/// The span cut to the text and to whole characters.
fn within(file: &SourceFile, span: Span) -> std::ops::Range<usize> {
    let text = file.text();
    let floor = |offset: u32| {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let (start, end) = (floor(span.start), floor(span.end));
    start..end.max(start)
}
