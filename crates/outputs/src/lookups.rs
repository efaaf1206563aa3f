//! Lookups that rules write: `outputlookup` of Splunk's searches, where the user has named a folder for them.
//!
//! Splunk's baselines fill tables that detections read (`previously_seen_…`). Their rows are no alerts; they go to a CSV
//! file for each lookup, where a later hunt finds them among its rules. The options are those of Splunk's Search Reference.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use lurcher_engine::Alert;
use lurcher_ir::Rule;
use lurcher_schema::Value;

/// Whether a rule fills a table rather than raising alerts.
pub fn is_baseline(rule: &Rule) -> bool {
    rule.meta.vendor == "splunk" && rule.meta.kind.eq_ignore_ascii_case("baseline")
}

/// The rows of one lookup, and how they are written.
#[derive(Debug, Default)]
struct Table {
    columns: Vec<String>,
    rows: Vec<BTreeMap<String, String>>,
    append: bool,
    key: Option<String>,
    most: Option<usize>,
    keep_if_empty: bool,
    create_empty: bool,
}

/// The lookups that a run writes.
#[derive(Debug)]
pub struct Written {
    folder: PathBuf,
    tables: Mutex<BTreeMap<String, Table>>,
}

impl Written {
    /// Lookups in a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn new(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), tables: Mutex::default() })
    }

    /// Makes the table of each rule that writes one, so that a rule without rows empties it.
    pub fn expect<'r>(&self, rules: impl IntoIterator<Item = &'r Rule>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules {
            if let Some(name) = table_of(rule) {
                tables.entry(name).or_insert_with(|| empty(rule));
            }
        }
    }

    /// Takes the rows that are meant for lookups, and leaves the alerts.
    pub fn take(&self, alerts: &mut Vec<Alert>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.retain(|alert| {
            let Some(name) = table_of(&alert.rule) else { return !is_baseline(&alert.rule) };
            let table = tables.entry(name).or_insert_with(|| empty(&alert.rule));
            let mut row = BTreeMap::new();
            for (column, value) in &alert.values {
                if !table.columns.iter().any(|known| known.as_str() == column.as_ref()) {
                    table.columns.push(column.to_string());
                }
                row.insert(column.to_string(), cell(value));
            }
            table.rows.push(row);
            !is_baseline(&alert.rule)
        });
    }

    /// Writes the files; how many lookups there were.
    ///
    /// # Errors
    ///
    /// A file cannot be written; it is named.
    pub fn close(self) -> Result<usize, String> {
        let tables = self.tables.into_inner().unwrap_or_else(PoisonError::into_inner);
        let count = tables.len();
        for (name, mut table) in tables {
            let file = if name.contains('.') { name.clone() } else { format!("{name}.csv") };
            // A name is a name: it leads out of the folder by no path.
            let Some(file) = Path::new(&file).file_name() else { continue };
            let path = self.folder.join(file);
            table.write(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(count)
    }
}

fn table_of(rule: &Rule) -> Option<String> {
    rule.meta.extra.get(lurcher_content::WRITES).map(ToString::to_string)
}

fn empty(rule: &Rule) -> Table {
    let extra = |name: &str| rule.meta.extra.get(&format!("{}.{name}", lurcher_content::WRITES));
    let on = |name: &str| extra(name) == Some(&Value::Bool(true));
    Table {
        append: on("append"),
        key: extra("key_field").map(ToString::to_string),
        most: extra("max").and_then(|most| most.to_string().parse().ok()),
        keep_if_empty: extra("override_if_empty") == Some(&Value::Bool(false)),
        create_empty: on("create_empty"),
        ..Table::default()
    }
}

/// A value in a cell; several between line breaks, as Splunk writes them.
fn cell(value: &Value) -> String {
    let texts: Vec<String> = value.elements().filter(|value| !value.is_null()).map(ToString::to_string).collect();
    texts.join("\n")
}

impl Table {
    /// Writes the file, or takes it away where there are no rows for it.
    fn write(&mut self, path: &Path) -> io::Result<()> {
        self.rows.truncate(self.most.unwrap_or(usize::MAX));
        let merges = self.append || self.key.is_some();
        if !self.rows.is_empty() {
            if merges {
                self.merge(path);
            }
            return fs::write(path, self.text());
        }
        match path.exists() {
            true if merges || self.keep_if_empty => Ok(()),
            _ if self.create_empty => fs::write(path, ""),
            true => fs::remove_file(path),
            false => Ok(()),
        }
    }

    /// Puts the rows behind those that the file has, or in the place of those with the same key. What is appended to a file
    /// has the file's columns; rows that are told apart by a key are a collection's, which takes what it is given.
    fn merge(&mut self, path: &Path) {
        let Ok(text) = fs::read_to_string(path) else { return };
        let mut records = lurcher_content::csv_records(&text).into_iter();
        let Some(columns) = records.next() else { return };
        let key = |row: &BTreeMap<String, String>| self.key.as_ref().and_then(|key| row.get(key)).cloned();
        let known: Vec<String> = self.rows.iter().filter_map(key).collect();
        let mut rows: Vec<BTreeMap<String, String>> = records
            .filter(|record| record.iter().any(|cell| !cell.is_empty()))
            .map(|record| columns.iter().cloned().zip(record).collect())
            .filter(|row| key(row).is_none_or(|key| !known.contains(&key)))
            .collect();
        rows.append(&mut self.rows);
        self.rows = rows;
        let new: Vec<String> = match self.key {
            Some(_) => self.columns.iter().filter(|column| !columns.contains(column)).cloned().collect(),
            None => Vec::new(),
        };
        self.columns = columns.into_iter().chain(new).collect();
    }

    fn text(&self) -> String {
        let quoted = |text: &str| {
            let plain = !text.contains(['"', ',', '\n', '\r']);
            if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
        };
        let line = |cells: Vec<String>| cells.join(",") + "\n";
        let mut out = line(self.columns.iter().map(|column| quoted(column)).collect());
        // Rows come from several threads: they are put in an order of their own.
        let mut rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| self.columns.iter().map(|column| quoted(row.get(column).map_or("", String::as_str))).collect())
            .collect();
        if !self.append {
            rows.sort();
        }
        rows.into_iter().for_each(|row| out.push_str(&line(row)));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_replaces_the_one_of_its_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("seen.csv");
        fs::write(&path, "user,last\nann,1\nben,2\n").expect("a file");
        let row = |user: &str, last: &str| [("user".to_owned(), user.to_owned()), ("last".to_owned(), last.to_owned())];
        let mut table = Table {
            columns: vec!["user".into(), "last".into()],
            rows: vec![row("ben", "9").into_iter().collect(), row("c, d", "3").into_iter().collect()],
            key: Some("user".into()),
            ..Table::default()
        };
        table.merge(&path);
        assert_eq!(table.text(), "user,last\n\"c, d\",3\nann,1\nben,9\n");
    }
}
