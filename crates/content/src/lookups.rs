//! Splunk's lookups: definitions in YAML, tables in CSV files beside them.
//!
//! A table is parsed when a search that is being loaded names it, and never otherwise: folders of content hold many. A
//! definition without a file (a collection that baselines fill) is an empty table of its columns. Searches may also name
//! a file itself; then values are compared as they are.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use lurcher_frontend::spl;

use crate::node::Node;

/// How many rows fit at most where a definition does not say (`max_matches` of `transforms.conf`).
const MOST_MATCHES: usize = 100;
/// Settings of `transforms.conf` that narrow down what a lookup finds, and that are not looked at: a table bounded by time,
/// and a search over its rows.
const IGNORED: [&str; 2] = ["time_field", "filter"];
/// Larger files are no tables for lookups.
const MAX_BYTES: u64 = 64 << 20;

/// A table that searches look things up in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupTable {
    /// The name that rules know it by.
    pub name: Arc<str>,
    /// The names of its columns.
    pub columns: Vec<Arc<str>>,
    /// Its rows, each with a text for each column; an empty text stands for nothing.
    pub rows: Vec<Vec<Arc<str>>>,
}

/// How a lookup is defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Definition {
    name: String,
    file: String,
    columns: Vec<Arc<str>>,
    wildcard: Vec<Arc<str>>,
    cidr: Vec<Arc<str>>,
    case_sensitive: bool,
    min_matches: usize,
    max_matches: Option<usize>,
    default: Arc<str>,
    ignored: Vec<&'static str>,
}

/// A file that holds a table, and the table once somebody has asked for it.
#[derive(Debug, Default)]
struct TableFile {
    path: PathBuf,
    table: OnceLock<Option<LookupTable>>,
}

/// Lookups by name.
#[derive(Debug, Default)]
pub struct Lookups {
    definitions: BTreeMap<String, Definition>,
    files: BTreeMap<String, TableFile>,
    /// Definitions without a file that were asked for.
    empty: BTreeMap<String, OnceLock<LookupTable>>,
}

impl Lookups {
    /// Adds a definition, from its YAML.
    pub(crate) fn define(&mut self, tree: &Node) {
        let text = |name: &str| tree.text(name).trim().to_owned();
        let matches = text("match_type");
        // A kind may be said once for several columns, and again for each.
        let columns_of = |kind: &str| -> Vec<Arc<str>> {
            let said = matches.split(')').filter_map(|part| part.split_once('('));
            let own = said.filter(|(name, _)| name.trim_start_matches([',', ' ']).trim().eq_ignore_ascii_case(kind));
            let columns = own.flat_map(|(_, columns)| columns.split(','));
            columns.map(|column| column.trim().into()).filter(|c: &Arc<str>| !c.is_empty()).collect()
        };
        // Newer content lists fields and wildcards itself.
        let listed = |name: &str| -> Vec<Arc<str>> {
            let items = tree.texts(name);
            let all: Vec<String> =
                if items.len() == 1 { items[0].split(',').map(str::to_owned).collect() } else { items };
            all.iter().map(|item| Arc::from(item.trim())).filter(|item: &Arc<str>| !item.is_empty()).collect()
        };
        let mut wildcard = columns_of("WILDCARD");
        wildcard.extend(listed("wildcard_fields"));
        let definition = Definition {
            file: text("filename"),
            columns: listed("fields_list").into_iter().chain(listed("fields")).collect(),
            wildcard,
            cidr: columns_of("CIDR"),
            case_sensitive: !text("case_sensitive_match").eq_ignore_ascii_case("false"),
            min_matches: text("min_matches").parse().unwrap_or(0),
            max_matches: text("max_matches").parse().ok(),
            default: text("default_match").into(),
            ignored: IGNORED.into_iter().filter(|name| !text(name).is_empty()).collect(),
            name: text("name"),
        };
        if definition.file.is_empty() {
            self.empty.insert(definition.name.clone(), OnceLock::new());
        }
        self.definitions.insert(definition.name.clone(), definition);
    }

    /// Adds a file that may hold a table; one of the same name gives way.
    pub(crate) fn add_file(&mut self, path: PathBuf) {
        if let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) {
            self.files.insert(name, TableFile { path, table: OnceLock::new() });
        }
    }

    /// Takes a table of the user's, as `NAME=FILE`; it is what that lookup means then. The text is handed back if it is
    /// no such thing.
    pub fn insert(&mut self, text: &str) -> Result<(), String> {
        let (name, file) = text.split_once('=').ok_or_else(|| text.to_owned())?;
        let (name, path) = (name.trim(), PathBuf::from(file.trim()));
        if name.is_empty() || !path.is_file() {
            return Err(text.to_owned());
        }
        let key = format!("={name}");
        self.files.insert(key.clone(), TableFile { path, table: OnceLock::new() });
        let definition = self.definitions.entry(name.to_owned()).or_insert_with(|| Definition {
            name: name.to_owned(),
            case_sensitive: true,
            ..Definition::default()
        });
        definition.file = key;
        self.empty.remove(name);
        Ok(())
    }

    /// The tables that searches have asked for so far.
    pub fn used(&self) -> Vec<LookupTable> {
        let of_files = self.files.values().filter_map(|file| file.table.get().cloned().flatten());
        of_files.chain(self.empty.values().filter_map(|table| table.get().cloned())).collect()
    }

    /// A lookup, by the name of its definition or of its file.
    pub(crate) fn find(&self, name: &str) -> Option<spl::Lookup> {
        let Some(definition) = self.definitions.get(name) else {
            let file = self.files.get(name).or_else(|| self.files.get(&format!("{name}.csv")))?;
            let table = file.table()?;
            return Some(spl::Lookup {
                table: table.name,
                columns: table.columns,
                rows: table.rows.len() as u64,
                case_sensitive: true,
                max_matches: MOST_MATCHES,
                ..spl::Lookup::default()
            });
        };
        let table = match self.files.get(&definition.file) {
            Some(file) => file.table()?,
            // The file of a definition may be missing from what was given.
            None if !definition.file.is_empty() => return None,
            // A collection's rows may be at hand as a file of its name, as a baseline has written them.
            None if self.files.contains_key(&format!("{name}.csv")) => {
                self.files.get(&format!("{name}.csv"))?.table()?
            }
            None => self
                .empty
                .get(name)?
                .get_or_init(|| LookupTable {
                    name: name.into(),
                    columns: definition.columns.clone(),
                    rows: Vec::new(),
                })
                .clone(),
        };
        Some(spl::Lookup {
            table: table.name,
            columns: table.columns,
            rows: table.rows.len() as u64,
            wildcard: definition.wildcard.clone(),
            cidr: definition.cidr.clone(),
            case_sensitive: definition.case_sensitive,
            min_matches: definition.min_matches,
            max_matches: definition.max_matches.unwrap_or(MOST_MATCHES),
            default: Arc::clone(&definition.default),
            ignored: definition.ignored.clone(),
        })
    }
}

impl TableFile {
    fn table(&self) -> Option<LookupTable> {
        self.table.get_or_init(|| read(&self.path)).clone()
    }
}

fn read(path: &PathBuf) -> Option<LookupTable> {
    if fs::metadata(path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut records = records(text.trim_start_matches('\u{feff}')).into_iter();
    let columns: Vec<Arc<str>> = records.next()?.into_iter().map(|name| name.trim().into()).collect();
    let rows = records
        .filter(|record| record.iter().any(|cell| !cell.is_empty()))
        .map(|record| record.into_iter().map(Arc::from).collect());
    Some(LookupTable { name: path.display().to_string().into(), columns, rows: rows.collect() })
}

/// The records of a CSV text (RFC 4180; a quote within an unquoted cell is itself).
pub fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !record.is_empty() {
        record.push(cell);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Data;

    #[test]
    fn tables_are_read_with_their_quotes() {
        let found = records("a,b\r\n\"x, \"\"y\"\"\",2\n\n3\n");
        assert_eq!(found, [vec!["a", "b"], vec!["x, \"y\"", "2"], vec![""], vec!["3"]]);
    }

    #[test]
    fn each_column_may_be_told_how_it_matches_by_itself() {
        let span = lurcher_diagnostics::Span::new(0, 0);
        let text = |text: &str| Node { span, data: Data::Text(text.to_owned()) };
        let members = [("name", "places"), ("match_type", "WILDCARD(name), WILDCARD(path,note),CIDR(net)")];
        let members = members.map(|(name, value)| (name.to_owned(), text(value)));
        let mut lookups = Lookups::default();
        lookups.define(&Node { span, data: Data::Map(members.to_vec()) });
        let definition = &lookups.definitions["places"];
        assert_eq!(definition.wildcard, [Arc::from("name"), "path".into(), "note".into()]);
        assert_eq!(definition.cidr, [Arc::from("net")]);
    }

    #[test]
    fn a_file_of_the_user_is_a_lookup() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("known.csv");
        fs::write(&path, "name,ok\n*svc*,yes\n").expect("a file");
        let mut lookups = Lookups::default();
        lookups.insert(&format!("known={}", path.display())).expect("NAME=FILE");
        assert!(lookups.insert("nonsense").is_err());
        assert!(lookups.used().is_empty());
        let found = lookups.find("known").expect("a lookup");
        assert_eq!(found.columns, [Arc::from("name"), Arc::from("ok")]);
        assert_eq!(lookups.used().len(), 1);
        assert_eq!(lookups.find("unknown"), None);
    }
}
