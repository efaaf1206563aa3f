//! The form for programs.

use serde_json::{Value, json};

use crate::{
    Diagnostic, Label,
    render::{level_name, region},
};

/// As a JSON object: `code`, `level`, `message`, `notes`, `help` (or null), `path` (or null), `line` and `column` of
/// the primary place (or null), and `labels`, each with `message`, `line`, `column`, `end_line`, `end_column`. Lines
/// and columns count from 1, columns in characters; the end is just behind the place.
pub fn json(diagnostic: &Diagnostic) -> Value {
    let position = diagnostic.position();
    let label = |label: &Label| {
        let file = diagnostic.file.as_ref()?;
        let [line, column, end_line, end_column] = region(file, label);
        let message = &label.message;
        Some(json!({
            "message": message, "line": line, "column": column, "end_line": end_line, "end_column": end_column,
        }))
    };
    json!({
        "code": diagnostic.code,
        "level": level_name(diagnostic.level),
        "message": diagnostic.message,
        "path": diagnostic.file.as_ref().map(|file| file.name()),
        "line": position.map(|p| p.line),
        "column": position.map(|p| p.column),
        "labels": diagnostic.labels.iter().filter_map(label).collect::<Vec<Value>>(),
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    })
}
