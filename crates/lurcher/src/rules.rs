//! Mapping packs and rules, loaded as the command line and the site's settings say.

use std::{
    collections::{BTreeMap, HashSet},
    io::IsTerminal as _,
    path::PathBuf,
    sync::Arc,
};

use lurcher_content::{Knowledge, LoadOptions, ModelFile, Pack, ReadModel, load};
use lurcher_diagnostics::{Diagnostic, Level, render};
use lurcher_engine::{Table, Tables};
use lurcher_ir::{Rule, Severity, Verdict};
use lurcher_schema::Schemas;

use crate::{
    arguments::Selection,
    config::Config,
    hunt, inference,
    outcome::{count, few},
};

/// The mapping packs: those that come with Lurcher and the site's own. Faults are told and do not stop it.
pub(crate) fn schemas(config: &Config) -> (Arc<Schemas>, bool) {
    let (schemas, diagnostics) = Schemas::with_packs(&config.packs);
    tell(&diagnostics);
    (schemas, diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error))
}

/// Loads rules from these paths (or those of the settings, if there are none). Macros that were typed and that no rule
/// uses are told: most likely their name is misspelt.
pub(crate) fn pack(paths: &[PathBuf], config: &Config, schemas: &Schemas) -> Pack {
    let paths = if paths.is_empty() { &config.rules } else { paths };
    told(load(paths, &options(config), schemas), config)
}

/// The same with the rules' tests, from these paths only.
pub(crate) fn pack_with_tests(paths: &[PathBuf], config: &Config, schemas: &Schemas) -> Pack {
    told(load(paths, &LoadOptions { tests: true, ..options(config) }, schemas), config)
}

/// Names the macros that were typed and that none of the rules uses.
fn told(pack: Pack, config: &Config) -> Pack {
    for name in config.typed_macros.iter().filter(|name| !pack.uses_macro(name)) {
        eprintln!("warning: --macro {name}: none of the rules uses a macro of this name");
    }
    pack
}

/// What the site adds to rules.
pub(crate) fn options(config: &Config) -> LoadOptions {
    LoadOptions {
        macros: config.macros.iter().map(|(name, text)| format!("{name}={text}")).collect(),
        lookups: config.lookups.iter().map(|(name, file)| format!("{name}={}", file.display())).collect(),
        models: model_files(config),
        model_reader: Some(MODEL_READER),
        places: config.geoip.clone(),
        exceptions: config.exceptions.clone(),
        value_lists: config.value_lists.clone(),
        placeholders: config.placeholders.clone(),
        sigma_pipelines: config.sigma_pipelines.clone(),
        now: Some(hunt::now()),
        endpoints: inference::names(config),
        ..LoadOptions::default()
    }
}

/// What reads models.
pub(crate) const MODEL_READER: ReadModel = lurcher_onnx::load;

/// The site's models.
pub(crate) fn model_files(config: &Config) -> Vec<ModelFile> {
    let file = |(name, model): (&String, &crate::config::Model)| {
        let (path, features, outputs) = model.parts();
        ModelFile { name: name.clone(), path: path.clone(), features: features.to_vec(), outputs: outputs.to_vec() }
    };
    config.models.iter().map(file).collect()
}

/// The tables that the rules look things up in, the models that they judge by, and the database of places, as a run takes
/// them. An empty cell is no value.
pub(crate) fn tables(knowledge: &Knowledge) -> Result<Tables, String> {
    let mut tables = Tables::default();
    for table in knowledge.lookups.used() {
        tables.insert(Arc::clone(&table.name), Table::of_texts(&table.columns, &table.rows));
    }
    for (name, model) in knowledge.models.used() {
        tables.insert_model(name, model);
    }
    add_known(&mut tables, knowledge)?;
    Ok(tables)
}

/// Adds what is known of programs, and of addresses if the site has a database of their places.
pub(crate) fn add_known(tables: &mut Tables, knowledge: &Knowledge) -> Result<(), String> {
    tables.set_agents(lurcher_enrich::agents());
    if let Some(path) = &knowledge.places {
        tables.set_places(lurcher_enrich::open(path)?);
    }
    Ok(())
}

/// The flags as the content crate understands them.
pub(crate) fn selection(flags: &Selection) -> Result<lurcher_content::Selection, String> {
    let severity = |word: &String| {
        Severity::from_name(word)
            .ok_or_else(|| format!("--severity {word}: informational, low, medium, high or critical"))
    };
    Ok(lurcher_content::Selection {
        vendors: flags.vendor.clone(),
        languages: flags.language.clone(),
        min_severity: flags.severity.as_ref().map(severity).transpose()?,
        statuses: flags.status.clone(),
        techniques: flags.technique.clone(),
        tactics: flags.tactic.clone(),
        stories: flags.story.clone(),
        tags: flags.tag.clone(),
        platforms: flags.platform.clone(),
        ids: flags.id.clone(),
        excluded: flags.exclude.clone(),
    })
}

/// Shows diagnostics on standard error.
pub(crate) fn tell(diagnostics: &[Diagnostic]) {
    let colour = std::io::stderr().is_terminal();
    for diagnostic in diagnostics {
        eprintln!("{}\n", render::text(diagnostic, colour).trim_end());
    }
}

/// Shows what makes rules unusable, and leaves out warnings and notes.
pub(crate) fn tell_errors(pack: &Pack) {
    let errors: Vec<Diagnostic> = pack.diagnostics.iter().filter(|d| d.level == Level::Error).cloned().collect();
    tell(&errors);
}

/// Shows what is wrong with files of tests.
pub(crate) fn tell_test_faults(pack: &Pack) {
    tell(&pack.diagnostics.iter().filter(|d| is_test_fault(d)).cloned().collect::<Vec<_>>());
}

/// Whether there is anything wrong with files of tests.
pub(crate) fn has_test_faults(pack: &Pack) -> bool {
    pack.diagnostics.iter().any(is_test_fault)
}

fn is_test_fault(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == "test-file" && diagnostic.level == Level::Error
}

/// Names every rule file that could not be read.
pub(crate) fn tell_problems(pack: &Pack) {
    for problem in &pack.problems {
        eprintln!("error: {}: {}", problem.path, problem.message);
    }
}

/// The rules without those that stand in the input a second time, word for word: they would only alert twice, with equal
/// ids. (A folder of sources beside what was built from them is the usual case.) Says how many there were.
pub(crate) fn once(rules: Vec<Arc<Rule>>, quiet: bool) -> Vec<Arc<Rule>> {
    let all = rules.len();
    let mut seen = HashSet::new();
    let mut kept = rules;
    kept.retain(|rule| {
        let meta = &rule.meta;
        meta.id.is_empty()
            || seen.insert((meta.vendor, Arc::clone(&meta.id), meta.version.clone(), meta.language, meta.query.clone()))
    });
    if kept.len() < all && !quiet {
        eprintln!(
            "rules: {} again, word for word, in another file; each runs once",
            count((all - kept.len()) as u64, "rule")
        );
    }
    kept
}

/// Names every rule that will not run, by reason, and every file that could not be read; returns whether there were
/// any. A terminal shows the first few of each reason, lest hundreds of names push everything else out of sight.
pub(crate) fn tell_unrun(pack: &Pack, chosen: &[Arc<Rule>]) -> bool {
    tell_errors(pack);
    tell_problems(pack);
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    // A rule that only serves others has no body either, but nothing is wrong with it.
    let unrun = |rule: &&Arc<Rule>| rule.body.is_none() && rule.support.verdict() > Verdict::Approximate;
    for rule in chosen.iter().filter(unrun) {
        let verdict = rule.support.verdict();
        let reason = rule.support.reasons.iter().find(|reason| reason.verdict == verdict);
        let message = reason.map_or("cannot be run", |reason| reason.message.as_str());
        let message = if verdict == Verdict::Error { "has errors" } else { message };
        by_reason.entry(format!("{}: {message}", verdict.name())).or_default().push(&rule.meta.path);
    }
    for (reason, paths) in &by_reason {
        let named = if std::io::stderr().is_terminal() {
            few(paths.iter().copied())
        } else {
            paths.iter().flat_map(|path| ["\n  ", *path]).collect()
        };
        eprintln!("not run: {reason} ({}):{named}", count(paths.len() as u64, "rule"));
    }
    let unrun: usize = by_reason.values().map(Vec::len).sum();
    if unrun > 0 {
        eprintln!(
            "rules: {} of {} will not run; `lurcher check` says why for each",
            unrun,
            count(chosen.len() as u64, "rule")
        );
    }
    unrun > 0 || !pack.problems.is_empty()
}
