//! Files and folders to a [`Pack`] of rules.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use lurcher_diagnostics::{Diagnostic, SourceFile};
use lurcher_frontend::esql;
use lurcher_ir::Rule;
use lurcher_schema::{Schemas, Timestamp};

use crate::{
    check::CheckRecord,
    conf::{self, Knowledge as Conf},
    exceptions::Exceptions,
    knowledge::Knowledge,
    languages::{self, Around, Loaded},
    macros::Macro,
    models::{ModelFile, ReadModel},
    recognise::{Kind, recognise},
    syntax,
    test_files::{self, TestCase},
    vendor::{Draft, elastic, sigma, splunk},
    yaml,
};

/// How deep folders may be nested.
const MAX_DEPTH: usize = 64;
/// Larger files are no rule files.
const MAX_BYTES: u64 = 256 << 20;

/// What the loader is told.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Search macros of the user, as `NAME=DEFINITION`; they win over those in files.
    pub macros: Vec<String>,
    /// What placeholders of Sigma rules stand for.
    pub placeholders: BTreeMap<String, Vec<String>>,
    /// Files of processing pipelines of Sigma rules, as pySigma has them.
    pub sigma_pipelines: Vec<PathBuf>,
    /// Lookups of the user, as `NAME=FILE` (CSV); they win over those in folders.
    pub lookups: Vec<String>,
    /// Models of the user; they win over those in folders.
    pub models: Vec<ModelFile>,
    /// What reads models; `None`: nothing does, and searches that judge by one do not run.
    pub model_reader: Option<ReadModel>,
    /// The file of the site's database of the places of addresses.
    pub places: Option<PathBuf>,
    /// How many threads; `None`: as many as the machine has.
    pub threads: Option<usize>,
    /// Files and folders of exception lists, as Kibana exports them. Those that stand among the rules count too.
    pub exceptions: Vec<PathBuf>,
    /// Value lists, as `NAME=FILE` with a value a line.
    pub value_lists: Vec<String>,
    /// The time of the run, for exceptions that expire; without it none does.
    pub now: Option<Timestamp>,
    /// The inference endpoints that rules may ask: see [`esql::Endpoints`].
    pub endpoints: esql::Endpoints,
    /// Read the rules' tests too, those in files of their own and those in the rules' files.
    pub tests: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Pack {
    /// Every rule, also those that cannot be run, in order of the paths given and then of file names.
    pub rules: Vec<Arc<Rule>>,
    /// The verdict on each rule, in the same order.
    pub checks: Vec<CheckRecord>,
    /// What is wrong with rules, in the same order.
    pub diagnostics: Vec<Diagnostic>,
    /// What could not be read at all.
    pub problems: Vec<Problem>,
    /// The rules' tests, if they were asked for, in order of the files.
    pub tests: Vec<TestCase>,
    /// Splunk's macros and lookups.
    pub knowledge: Arc<Knowledge>,
    /// How many files were read.
    pub files: usize,
    /// How many files and values were no rules, by what they are.
    pub skipped: BTreeMap<&'static str, usize>,
}

/// A file or folder that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its path.
    pub path: String,
    /// What happened.
    pub message: String,
}

/// Reads rules from files and folders (with what is in them, at any depth; names that begin with a dot are passed
/// over). Never fails as a whole.
pub fn load(paths: &[PathBuf], options: &LoadOptions, schemas: &Schemas) -> Pack {
    let mut pack = Pack::default();
    let mut files = Vec::new();
    for path in paths {
        find(path, true, 0, &mut files, &mut pack.problems);
    }
    // A file that is reached twice (a folder, and a file in it) is one file.
    let mut seen = HashSet::new();
    files.retain(|file: &Found| seen.insert(fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone())));
    let threads = options.threads.or_else(|| thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let mut drafts = Vec::new();
    let mut exceptions = Exceptions::at(options.now);
    let mut knowledge = Knowledge::default();
    for read in parallel(files, threads, |file| read(&file, options.tests)) {
        pack.take(read, &mut drafts, &mut exceptions, &mut knowledge);
    }
    pack.take_exceptions(options, &mut exceptions);
    for definition in &options.macros {
        if let Err(text) = knowledge.macros.insert_definition(definition) {
            let message = "a macro is defined as NAME=DEFINITION or NAME(ARGUMENT,…)=DEFINITION".to_owned();
            pack.problems.push(Problem { path: text, message });
        }
    }
    for definition in &options.lookups {
        if let Err(text) = knowledge.lookups.insert(definition) {
            let message = "a lookup is given as NAME=FILE, and the file must be there".to_owned();
            pack.problems.push(Problem { path: text, message });
        }
    }
    knowledge.models.read_by(options.model_reader);
    options.models.iter().for_each(|file| knowledge.models.insert(file.clone()));
    knowledge.places.clone_from(&options.places);
    pack.knowledge = Arc::new(knowledge);
    let site = sigma::Options { placeholders: options.placeholders.clone(), pipelines: pipelines(options, &mut pack) };
    let (sigma, said, filters) = sigma::resolve(&mut drafts, site);
    pack.diagnostics.extend(said);
    if filters > 0 {
        *pack.skipped.entry("filter").or_default() += filters;
    }
    let around = Around {
        schemas,
        knowledge: Arc::clone(&pack.knowledge),
        exceptions: &exceptions,
        sigma: &sigma,
        endpoints: &options.endpoints,
    };
    for Loaded { rule, check, diagnostics } in parallel(drafts, threads, |draft| languages::finish(draft, &around)) {
        if options.tests {
            pack.tests.extend(test_files::of_rule(&rule));
        }
        pack.rules.push(Arc::new(rule));
        pack.checks.push(check);
        pack.diagnostics.extend(diagnostics);
    }
    pack
}

/// Reads the processing pipelines. A faulty one is told and left out.
fn pipelines(options: &LoadOptions, pack: &mut Pack) -> Vec<Arc<sigma::Pipeline>> {
    let mut found = Vec::new();
    for path in &options.sigma_pipelines {
        match fs::read_to_string(path) {
            Ok(text) => {
                let (pipeline, said) = sigma::parse_pipeline(&SourceFile::new(path.display().to_string(), text));
                pack.diagnostics.extend(said);
                found.extend(pipeline.map(Arc::new));
            }
            Err(error) => pack.problems.push(Problem { path: path.display().to_string(), message: error.to_string() }),
        }
    }
    found
}

impl Pack {
    /// Adds what was read of one file.
    fn take(&mut self, read: Read, drafts: &mut Vec<Draft>, exceptions: &mut Exceptions, knowledge: &mut Knowledge) {
        exceptions.extend(read.exceptions);
        self.files += usize::from(read.problem.is_none());
        drafts.extend(read.drafts);
        self.diagnostics.extend(read.diagnostics);
        self.problems.extend(read.problem);
        self.tests.extend(read.tests);
        read.macros.into_iter().for_each(|found| knowledge.macros.insert(found));
        read.lookups.iter().for_each(|tree| knowledge.lookups.define(tree));
        read.tables.into_iter().for_each(|path| knowledge.lookups.add_file(path));
        read.models.into_iter().for_each(|path| knowledge.models.add_file(path));
        read.eventtypes.into_iter().for_each(|(name, search)| knowledge.insert_eventtype(name, search));
        for (field, value, tag, on) in &read.tags {
            knowledge.insert_tag(field, value, tag, *on);
        }
        for kind in read.skipped {
            *self.skipped.entry(kind).or_default() += 1;
        }
    }

    /// Adds the exception lists and value lists that the user gives.
    fn take_exceptions(&mut self, options: &LoadOptions, exceptions: &mut Exceptions) {
        let mut files = Vec::new();
        for path in &options.exceptions {
            find(path, true, 0, &mut files, &mut self.problems);
        }
        for Found { path, named } in files {
            let read = read(&Found { path: path.clone(), named: false }, false);
            if named && read.problem.is_none() && read.exceptions.len() == 0 {
                let message = "there is no exception list in it".to_owned();
                self.problems.push(Problem { path: path.display().to_string(), message });
            }
            self.problems.extend(read.problem);
            self.diagnostics.extend(read.diagnostics);
            exceptions.extend(read.exceptions);
        }
        for definition in &options.value_lists {
            if let Err(message) = exceptions.add_values(definition) {
                self.problems.push(Problem { path: definition.clone(), message });
            }
        }
    }

    /// Whether any of the rules, or another macro, would use a search macro of this name.
    pub fn uses_macro(&self, name: &str) -> bool {
        let called = |text: &str| {
            text.match_indices(name)
                .any(|(at, _)| text[..at].ends_with('`') && text[at + name.len()..].starts_with(['`', '(']))
        };
        self.knowledge.macros.iter().any(|own| called(&own.definition))
            || self
                .rules
                .iter()
                .any(|rule| languages::filter_macro(&rule.meta.name) == name || called(&rule.meta.query))
    }

    /// How many rules there are of each (vendor, language, verdict).
    pub fn tally(&self) -> BTreeMap<(&'static str, &'static str, &'static str), usize> {
        let mut tally = BTreeMap::new();
        for check in &self.checks {
            *tally.entry((check.vendor, check.language, check.verdict)).or_default() += 1;
        }
        tally
    }
}

/// What is in one file.
#[derive(Default)]
struct Read {
    drafts: Vec<Draft>,
    diagnostics: Vec<Diagnostic>,
    macros: Vec<Macro>,
    exceptions: Exceptions,
    lookups: Vec<crate::node::Node>,
    tables: Vec<PathBuf>,
    models: Vec<PathBuf>,
    eventtypes: Vec<(String, String)>,
    /// Field, value, tag, and whether the tag is on.
    tags: Vec<(String, String, String, bool)>,
    tests: Vec<TestCase>,
    skipped: Vec<&'static str>,
    problem: Option<Problem>,
}

/// A file to read; whether the user named it himself.
struct Found {
    path: PathBuf,
    named: bool,
}

fn find(path: &Path, named: bool, depth: usize, files: &mut Vec<Found>, problems: &mut Vec<Problem>) {
    let mut problem = |error: &io::Error| {
        problems.push(Problem { path: path.display().to_string(), message: error.to_string() });
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() && depth < MAX_DEPTH => match fs::read_dir(path) {
            Ok(entries) => {
                let mut inner: Vec<PathBuf> = entries
                    .filter_map(|entry| entry.map(|entry| entry.path()).map_err(|error| problem(&error)).ok())
                    .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
                    .collect();
                inner.sort();
                for path in &inner {
                    find(path, false, depth + 1, files, problems);
                }
            }
            Err(error) => problem(&error),
        },
        Ok(metadata) if metadata.is_dir() => problem(&io::Error::other("folders are nested too deeply")),
        Ok(_) => files.push(Found { path: path.to_owned(), named }),
        Err(error) => problem(&error),
    }
}

fn read(found: &Found, tests: bool) -> Read {
    let name = found.path.display().to_string();
    let problem = |message: String| Read { problem: Some(Problem { path: name.clone(), message }), ..Read::default() };
    match fs::metadata(&found.path) {
        Ok(metadata) if metadata.len() > MAX_BYTES => {
            return problem(format!("it is larger than {} MiB and no rule file", MAX_BYTES >> 20));
        }
        _ => {}
    }
    // Tables and models are read once a search names them.
    if !found.named && found.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        return Read { tables: vec![found.path.clone()], skipped: vec!["table"], ..Read::default() };
    }
    if !found.named && crate::models::is_model(&found.path) {
        return Read { models: vec![found.path.clone()], skipped: vec!["model"], ..Read::default() };
    }
    let bytes = match fs::read(&found.path) {
        Ok(bytes) => bytes,
        Err(error) => return problem(error.to_string()),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let lossy = String::from_utf8_lossy(error.as_bytes());
            return match recognise(&lossy) {
                Kind::NoRule(_) if !found.named => Read { skipped: vec!["other"], ..Read::default() },
                _ => {
                    let place = SourceFile::new("", lossy).position(at as u32);
                    problem(format!("it is no UTF-8 text (line {}, column {})", place.line, place.column))
                }
            };
        }
    };
    let kind = recognise(&text);
    // Byte-order marks would shift every position by one character.
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    let file = SourceFile::new(name.clone(), text);
    if let (Kind::Test(form), true) = (kind, tests) {
        let (tests, diagnostics) = test_files::of_file(&file, form);
        return Read { diagnostics, tests, ..Read::default() };
    }
    let read = parse(&file, kind);
    let knows =
        !read.macros.is_empty() || !read.eventtypes.is_empty() || !read.tags.is_empty() || !read.lookups.is_empty();
    let holds_something = !read.drafts.is_empty() || knows || read.exceptions.len() > 0;
    if found.named && !holds_something && read.problem.is_none() {
        let what = read.skipped.first().copied().unwrap_or("other");
        return problem(match what {
            "other" => "it is no rule file of a kind that is known".to_owned(),
            what => format!("it is no rule file but a {what}"),
        });
    }
    read
}

fn parse(file: &Arc<SourceFile>, kind: Kind) -> Read {
    let mut read = Read::default();
    match kind {
        Kind::NoRule(what) => read.skipped.push(what),
        Kind::Test(_) => read.skipped.push("test"),
        Kind::ElasticToml => match syntax::toml(file) {
            Ok(tree) => match elastic::toml_draft(file, &tree) {
                Some(draft) => read.drafts.push(draft),
                None => read.skipped.push("other"),
            },
            Err(fault) => read.drafts.push(faulty(file, "elastic", "eql", *fault)),
        },
        Kind::Json => json(file, &mut read),
        Kind::SplunkDetection => match yaml::documents(file) {
            Ok(trees) => trees.iter().for_each(|tree| match tree.text("type").to_ascii_lowercase().as_str() {
                // Investigations are for people: they raise nothing.
                "investigation" => read.skipped.push("investigation"),
                _ => read.drafts.push(splunk::draft(file, tree)),
            }),
            Err(fault) => read.drafts.push(faulty(file, "splunk", "spl", *fault)),
        },
        Kind::Sigma => match yaml::documents(file) {
            Ok(trees) => read.drafts.extend(sigma::drafts(file, trees)),
            Err(fault) => read.drafts.push(faulty(file, "sigma", "sigma", *fault)),
        },
        Kind::SplunkLookup => match yaml::documents(file) {
            Ok(trees) => {
                read.skipped.push("lookup");
                read.lookups.extend(trees);
            }
            Err(fault) => read.diagnostics.push(*fault),
        },
        Kind::SplunkMacro => match yaml::documents(file) {
            Ok(trees) => read.macros.extend(trees.iter().map(|tree| Macro {
                name: tree.text("name"),
                arguments: tree.texts("arguments"),
                definition: tree.text("definition"),
                is_eval: matches!(tree.text("iseval").as_str(), "true" | "1"),
                validation: tree.text("validation"),
                message: tree.text("errormsg"),
                path: file.name().to_owned(),
            })),
            Err(fault) => read.diagnostics.push(*fault),
        },
        Kind::SplunkConf => {
            for found in conf::stanzas(file).iter().filter_map(|stanza| stanza.knowledge(file)) {
                match found {
                    Conf::Search(tree) => read.drafts.push(splunk::draft(file, &tree)),
                    Conf::Macro(found) => read.macros.push(found),
                    Conf::Lookup(tree) => read.lookups.push(tree),
                    Conf::Eventtype(name, search) => read.eventtypes.push((name, search)),
                    Conf::Tags { field, value, tags } => {
                        read.tags.extend(tags.into_iter().map(|(tag, on)| (field.clone(), value.clone(), tag, on)));
                    }
                }
            }
        }
    }
    read
}

fn json(file: &Arc<SourceFile>, read: &mut Read) {
    let (values, diagnostics) = syntax::json(file);
    let mut drafts = Vec::new();
    for value in &values {
        match elastic::json_rule(value) {
            Some(rule) => drafts.push(elastic::draft(file, rule)),
            None if value.get("list_id").is_some() => {
                read.skipped.push("exception list");
                read.diagnostics.extend(read.exceptions.add(file, value.clone()));
            }
            None if value.get("exported_count").is_some()
                || value.get("exported_rules_count").is_some()
                || value.get("exported_exception_list_count").is_some() =>
            {
                read.skipped.push("export summary");
            }
            None if value.get("connector_type_id").is_some() || value.text("type") == "action" => {
                read.skipped.push("connector");
            }
            None => read.skipped.push("other"),
        }
    }
    if drafts.is_empty() && read.skipped.iter().all(|what| *what == "other") {
        read.skipped.truncate(1);
    }
    // Lines that are no JSON matter only among rules; any other file that begins with a brace is not ours.
    if drafts.is_empty() && !diagnostics.is_empty() {
        read.skipped = vec!["other"];
    } else {
        read.drafts.extend(drafts);
        read.diagnostics.extend(diagnostics);
    }
}

/// A rule whose file cannot be parsed: its name and id are sought in the text, so that it is known by them.
fn faulty(file: &Arc<SourceFile>, vendor: &'static str, language: &'static str, fault: Diagnostic) -> Draft {
    let mut draft = Draft::new(file, vendor, language);
    let value = |names: &[&str]| {
        file.text().lines().find_map(|line| {
            let (key, value) = line.split_once([':', '='])?;
            names.contains(&key.trim()).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        })
    };
    draft.meta.id = value(&["id", "rule_id"]).unwrap_or_default().into();
    draft.meta.name = value(&["name", "title"]).unwrap_or_default();
    draft.diagnostics.push(fault);
    draft
}

/// Applies a function to every item on several threads; the results are in the order of the items.
fn parallel<T: Send, R: Send>(items: Vec<T>, threads: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let slots: Vec<Mutex<(Option<T>, Option<R>)>> =
        items.into_iter().map(|item| Mutex::new((Some(item), None))).collect();
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
            let item = slot.lock().unwrap_or_else(PoisonError::into_inner).0.take();
            let result = item.map(&work);
            slot.lock().unwrap_or_else(PoisonError::into_inner).1 = result;
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(slots.len()) {
            scope.spawn(run);
        }
        run();
    });
    slots.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner).1).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recognise::TestForm;

    proptest! {
        /// Whatever a file holds, reading it ends, and every place lies within it.
        #[test]
        fn no_text_breaks_the_loader(text in r#"[a-z:\-'"|>\[\]{}&*#!=\\ \n\u{e9}]{0,120}"#, kind in 0_usize..5) {
            let kinds = [Kind::ElasticToml, Kind::Json, Kind::SplunkDetection, Kind::Sigma, Kind::SplunkMacro];
            let text = match kind {
                0 => format!("[rule]\nquery = \"\"\"{text}\"\"\"\n"),
                2 => format!("search: {text}\nname: x\nid: y\n"),
                _ => text,
            };
            let file = SourceFile::new("x", text);
            for form in [TestForm::Splunk, TestForm::Sigma, TestForm::Lurcher] {
                for diagnostic in test_files::of_file(&file, form).1 {
                    prop_assert!(diagnostic.labels.iter().all(|label| label.span.start as usize <= file.text().len()));
                }
            }
            for draft in &parse(&file, kinds[kind]).drafts {
                for label in draft.diagnostics.iter().flat_map(|d| &d.labels) {
                    prop_assert!(label.span.start as usize <= file.text().len());
                }
                if let Some(query) = &draft.query {
                    let map = query.map();
                    for offset in 0..=query.text.len() as u32 {
                        prop_assert!((query.span.start..=query.span.end).contains(&map.file_offset(offset)));
                    }
                }
            }
        }
    }
}
