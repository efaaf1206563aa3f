//! Rules for the live engine: loaded as every command loads them, and watched.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use lurcher_content::load;
use lurcher_diagnostics::{Diagnostic, Level, SourceFile, render};
use lurcher_engine::Settings;
use lurcher_frontend::{Language, Lowered, Options, spl};
use lurcher_ir::{Rule, RuleMeta, Support, Verdict};
use lurcher_live::rules::{Loaded, RuleSource, RuleText};
use lurcher_outputs::lookups;
use lurcher_schema::Schemas;
use lurcher_server::{
    content::{Content, ContentKind},
    detection::Finding,
};

use crate::{arguments::Serve, config::Config, hunt, inference, risk, rules};

/// Folders are looked into so deep for changes.
const DEPTH: usize = 32;

/// The rules that the command line and the settings name, and those that came over the API.
#[derive(Debug)]
pub(super) struct Source {
    arguments: Serve,
    own: Content,
}

impl Source {
    pub(super) fn new(arguments: Serve, own: Content) -> Self {
        Self { arguments, own }
    }

    /// The settings as they are now, with what came over the API.
    fn config(&self) -> Result<Config, String> {
        let mut config = Config::load(&self.arguments.site)?;
        config.exceptions.push(self.own.folder(ContentKind::Exceptions));
        for (kind, list) in [(ContentKind::ValueLists, true), (ContentKind::Lookups, false)] {
            for file in self.own.list(kind).unwrap_or_default() {
                let path = self.own.folder(kind).join(&file.name);
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if list {
                    config.value_lists.push(format!("{name}={}", path.display()));
                } else {
                    config.lookups.insert(name, path);
                }
            }
        }
        for file in self.own.list(ContentKind::Macros).unwrap_or_default() {
            let path = self.own.folder(ContentKind::Macros).join(&file.name);
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            config.macros.insert(name, text.trim().to_owned());
        }
        Ok(config)
    }

    /// Where rules are.
    fn paths(&self, config: &Config) -> Vec<PathBuf> {
        let named = if self.arguments.rules.files.is_empty() { &config.rules } else { &self.arguments.rules.files };
        named.iter().cloned().chain([self.own.folder(ContentKind::Rules)]).filter(|path| path.exists()).collect()
    }

    fn load_with(&self, config: &Config) -> Result<Loaded, String> {
        let (schemas, diagnostics) = Schemas::with_packs(&config.packs);
        let pack = load(&self.paths(config), &rules::options(config), &schemas);
        let selection = rules::selection(&self.arguments.rules.selection)?;
        let chosen = pack.rules.iter().filter(|rule| selection.selects_rule(rule) && !lookups::is_baseline(rule));
        let mut faults: Vec<String> = pack.problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
        let errors = diagnostics.iter().chain(&pack.diagnostics).filter(|d| d.level == Level::Error);
        faults.extend(errors.map(|diagnostic| render::text(diagnostic, false).trim_end().to_owned()));
        let chosen: Vec<Arc<Rule>> = chosen.cloned().collect();
        let unrun = chosen.iter().filter(|rule| rule.body.is_none() && rule.support.verdict() == Verdict::Unsupported);
        faults.extend(unrun.map(|rule| {
            let why = rule.support.reasons.first().map_or("cannot be run", |reason| reason.message.as_str());
            format!("{}: unsupported: {why}", rule.meta.path)
        }));
        Ok(Loaded {
            settings: Settings {
                now: hunt::now(),
                relational: Some(lurcher_query::relational()),
                tables: rules::tables(&pack.knowledge)?,
                endpoints: inference::endpoints(config),
                ..Settings::default()
            },
            route: hunt::engine_route(self.arguments.route),
            site: Arc::new(risk::site(&self.arguments.risk, config)?),
            incidents: self.arguments.risk.incidents || config.risk.incidents,
            rules: rules::once(chosen, true),
            schemas,
            faults,
        })
    }
}

impl RuleSource for Source {
    fn load(&self) -> Result<Loaded, String> {
        self.load_with(&self.config()?)
    }

    fn check(&self, kind: ContentKind, name: &str, text: &[u8]) -> Vec<Finding> {
        let Ok(text) = std::str::from_utf8(text) else {
            return vec![Finding { is_error: true, message: "the file is not UTF-8 text".to_owned(), line: None }];
        };
        if kind != ContentKind::Rules {
            return Vec::new();
        }
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => return vec![Finding { is_error: true, message: error.to_string(), line: None }],
        };
        let path = folder.path().join(name);
        if let Err(error) = std::fs::write(&path, text) {
            return vec![Finding { is_error: true, message: error.to_string(), line: None }];
        }
        let config = self.config().unwrap_or_default();
        let (schemas, _) = Schemas::with_packs(&config.packs);
        let pack = load(&[path], &rules::options(&config), &schemas);
        let mut findings: Vec<Finding> = pack.diagnostics.iter().map(finding).collect();
        if pack.rules.is_empty() && findings.is_empty() {
            let message = "there is no rule in it: Elastic's TOML or NDJSON, Splunk's YAML, Sigma's YAML".to_owned();
            findings.push(Finding { is_error: true, message, line: None });
        }
        findings
    }

    fn rules_of(&self, text: RuleText<'_>, schemas: &Arc<Schemas>) -> Result<Vec<Arc<Rule>>, String> {
        let config = self.config()?;
        match text {
            RuleText::Query { language, text } => self.query(language, text, &config, schemas).map(|rule| vec![rule]),
            RuleText::File(text) => {
                let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
                let path = folder.path().join(file_name(text));
                std::fs::write(&path, text).map_err(|error| error.to_string())?;
                let pack = load(&[path], &rules::options(&config), schemas);
                let errors = pack.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error);
                let errors: Vec<String> = errors.map(|d| render::text(d, false).trim_end().to_owned()).collect();
                if pack.rules.iter().all(|rule| rule.body.is_none()) {
                    let none = "there is no rule in it that can be run".to_owned();
                    return Err(if errors.is_empty() { none } else { errors.join("\n\n") });
                }
                Ok(pack.rules)
            }
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Ok(config) = self.config() else { return 0 };
        let settings = self.arguments.site.config.clone().unwrap_or_else(|| "lurcher.toml".into());
        let lists =
            config.value_lists.iter().filter_map(|list| list.split_once('=')).map(|(_, file)| PathBuf::from(file));
        let named = self.paths(&config).into_iter().chain(config.packs).chain(config.exceptions);
        let files = config.lookups.into_values().chain(config.risk.assets).chain(config.risk.identities);
        for path in named.chain(files).chain(lists).chain(config.sigma_pipelines).chain([settings]) {
            stamp(&path, DEPTH, &mut hasher);
        }
        hasher.finish()
    }
}

impl Source {
    fn query(&self, language: &str, text: &str, config: &Config, schemas: &Arc<Schemas>) -> Result<Arc<Rule>, String> {
        let file = SourceFile::new("query", text);
        let language = Language::from_name(language).ok_or_else(|| {
            let known: Vec<&str> = Language::ALL.into_iter().map(Language::name).collect();
            format!("there is no language {language}: write one of {}", known.join(", "))
        })?;
        let pack = load(&self.paths(config), &rules::options(config), schemas);
        let knowledge = Arc::clone(&pack.knowledge) as Arc<dyn spl::Knowledge>;
        let options =
            Options { now: Some(hunt::now()), ad_hoc: true, knowledge: Some(knowledge), ..Options::default() };
        let Lowered { body, reasons, diagnostics, .. } = language.lower(&file, &options, schemas);
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error);
        let errors: Vec<String> =
            errors.map(|d| render::text(&d.clone().in_file(&file), false).trim_end().to_owned()).collect();
        if body.is_none() || !errors.is_empty() {
            let reasons = reasons.iter().map(|reason| format!("{}: {}", reason.verdict.name(), reason.message));
            return Err(errors.into_iter().chain(reasons).collect::<Vec<_>>().join("\n"));
        }
        let meta =
            RuleMeta { id: "query".into(), name: "query".into(), language: language.name(), ..RuleMeta::default() };
        Ok(Arc::new(Rule { meta, body, support: Support { reasons } }))
    }
}

fn finding(diagnostic: &Diagnostic) -> Finding {
    Finding {
        is_error: diagnostic.level == Level::Error,
        message: render::text(diagnostic, false).trim_end().to_owned(),
        line: diagnostic.position().map(|position| position.line),
    }
}

/// A name by which the loader knows what kind of file it is.
fn file_name(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => "rule.ndjson",
        _ if text.lines().any(|line| line.trim() == "[rule]") => "rule.toml",
        _ => "rule.yml",
    }
}

/// What changes when a file, or one in a folder, changes.
fn stamp(path: &Path, depth: usize, hasher: &mut DefaultHasher) {
    let Ok(about) = std::fs::metadata(path) else { return };
    path.hash(hasher);
    if about.is_dir() {
        let Some(depth) = depth.checked_sub(1) else { return };
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        inside.sort();
        inside.iter().for_each(|path| stamp(path, depth, hasher));
    } else {
        about.len().hash(hasher);
        about.modified().ok().hash(hasher);
    }
}
