//! The form for people: as compilers show it, with the source and what is underlined in it.

use std::ops::Range;

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
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = match (snippet(diagnostic), origin(diagnostic)) {
        (Some(snippet), _) => title.element(snippet),
        (None, origin) => title.elements(origin),
    };
    for note in &diagnostic.notes {
        group = group.element(Shown::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Shown::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// More source than this (a whole query on one line of a minified file) is not shown: nobody could read it.
const MOST_SHOWN: usize = 16 * 1024;

/// The lines from the first to the last label, with what is said about them.
fn snippet(diagnostic: &Diagnostic) -> Option<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let file = diagnostic.file.as_ref()?;
    let spans: Vec<Range<usize>> = diagnostic.labels.iter().map(|label| within(file, label.span)).collect();
    let (first, last) = (spans.iter().map(|s| s.start).min()?, spans.iter().map(|s| s.end).max()?);
    let start = file.text()[..first].rfind('\n').map_or(0, |at| at + 1);
    let end = file.text()[last..].find('\n').map_or(file.text().len(), |length| last + length);
    if end - start > MOST_SHOWN {
        return None;
    }
    let annotations = diagnostic.labels.iter().zip(spans).enumerate().map(|(i, (label, span))| {
        let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(span.start - start..span.end - start);
        if label.message.is_empty() { annotation } else { annotation.label(label.message.as_str()) }
    });
    let line = file.position(start as u32).line as usize;
    Some(Snippet::source(&file.text()[start..end]).line_start(line).path(file.name()).annotations(annotations))
}

/// The place alone.
fn origin(diagnostic: &Diagnostic) -> Option<Origin<'_>> {
    let origin = Origin::path(diagnostic.file.as_ref()?.name());
    Some(match diagnostic.position() {
        Some(at) => origin.line(at.line as usize).char_column(at.column as usize),
        None => origin,
    })
}

/// The span cut to the text and to whole characters.
fn within(file: &SourceFile, span: Span) -> Range<usize> {
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
