//! The form that GitHub Actions turns into annotations on a pull request.

use crate::{
    Diagnostic, Level,
    render::{plain, region},
};

/// As a workflow command, one line. Source: GitHub's page on workflow commands.
pub fn github(diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(file) = &diagnostic.file {
        properties.push(format!("file={}", property(file.name())));
        if let Some(label) = diagnostic.labels.first() {
            let [line, column, end_line, end_column] = region(file, label);
            properties.push(format!("line={line},endLine={end_line}"));
            // GitHub takes columns only where they are of one line, and the end as the last character.
            if line == end_line {
                properties.push(format!("col={column},endColumn={}", end_column.saturating_sub(1).max(column)));
            }
        }
    }
    properties.push(format!("title={}", property(diagnostic.code)));
    format!("::{command} {}::{}", properties.join(","), data(&plain(diagnostic)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
