//! What a hunt's alerts add up to: the site's lists, the risk index of the run, and what is found in it.
//!
//! Two kinds of rules look at it once all other alerts are there: the incident rules that Splunk Enterprise Security is
//! shipped with (if asked for), and every chosen rule of Splunk's that reads the `Risk` data model.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use lurcher_engine::{
    Alert, FilterPlan, RuleSet, ScanStats, Scanner, Settings,
    risk::{
        Directory, FactorOperation, ObjectType, Priority, Record, RiskFactor, RiskIndex, Site, asks_for_risk, own_shape,
    },
};
use lurcher_ir::Rule;
use lurcher_outputs::splunk;
use lurcher_schema::Schemas;

use crate::{
    arguments::{Risk, Route},
    config::{Config, Factor},
    hunt,
    outcome::few,
};

/// The columns of Splunk's asset list that name an asset, and of its identity list that name an identity.
const ASSET_NAMES: [&str; 4] = ["nt_host", "dns", "ip", "mac"];
const IDENTITY_NAMES: [&str; 2] = ["identity", "email"];

/// What the command line and the settings say about the site's users and systems.
pub(crate) fn site(flags: &Risk, config: &Config) -> Result<Site, String> {
    let mut directory = Directory::default();
    for path in flags.assets.iter().chain(&config.risk.assets) {
        list(path, ObjectType::System, &ASSET_NAMES, &mut directory)?;
    }
    for path in flags.identities.iter().chain(&config.risk.identities) {
        list(path, ObjectType::User, &IDENTITY_NAMES, &mut directory)?;
    }
    let factors = config.risk.factor.iter().map(factor).collect::<Result<_, _>>()?;
    Ok(Site { directory, factors })
}

fn factor(stated: &Factor) -> Result<RiskFactor, String> {
    let (operation, factor) = match (stated.multiply, stated.add) {
        (Some(factor), None) => (FactorOperation::Multiply, factor),
        (None, Some(factor)) => (FactorOperation::Add, factor),
        _ => return Err(format!("risk factor {:?}: say either `multiply = N` or `add = N`", stated.name)),
    };
    let when = stated.when.iter().map(|(field, patterns)| (field.clone(), patterns.clone())).collect();
    Ok(RiskFactor { name: stated.name.clone(), operation, factor, when })
}

/// Reads a list of assets or identities. Cells hold several values with `|` between them.
fn list(path: &Path, kind: ObjectType, names: &[&str], directory: &mut Directory) -> Result<(), String> {
    let at = |error: csv::Error| format!("{}: {error}", path.display());
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(at)?;
    let columns: Vec<String> = reader.headers().map_err(at)?.iter().map(|name| name.trim().to_lowercase()).collect();
    if !columns.iter().any(|column| names.contains(&column.as_str())) {
        let wanted = names.join(", ");
        return Err(format!(
            "{}: line 1: none of the columns {wanted} is there, by one of which it is known",
            path.display()
        ));
    }
    let mut taken = Vec::new();
    for row in reader.records() {
        let row = row.map_err(at)?;
        let cells = || columns.iter().map(String::as_str).zip(row.iter());
        let values = |cell: &str| -> Vec<String> {
            cell.split('|').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
        };
        let known_by: Vec<String> = names
            .iter()
            .flat_map(|name| cells().filter(move |(column, _)| column == name))
            .flat_map(|(_, cell)| values(cell))
            .collect();
        let Some(first) = known_by.first() else { continue };
        let priority =
            cells().find(|(column, _)| *column == "priority").and_then(|(_, cell)| Priority::from_name(cell));
        let attributes = cells()
            .filter(|(column, _)| *column != "priority" && !names.contains(column))
            .map(|(column, cell)| (column.to_owned(), values(cell)));
        let record = Record {
            name: first.to_lowercase(),
            priority: priority.unwrap_or_default(),
            attributes: attributes.collect(),
        };
        taken.extend(directory.insert(kind, known_by.iter().map(String::as_str), record));
    }
    if !taken.is_empty() {
        let named = few(taken.iter().map(String::as_str));
        eprintln!("warning: {}: some names stand for two entries, the first counts:{named}", path.display());
    }
    Ok(())
}

/// The risk index of a run.
pub(crate) struct RunRisk<'s> {
    schemas: &'s Arc<Schemas>,
    site: Arc<Site>,
    incidents: bool,
    /// The rules that read the risk index.
    readers: Vec<Arc<Rule>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    index: RiskIndex,
    /// Events as Splunk would have them in its risk index, each once.
    events: Vec<serde_json::Value>,
}

impl<'s> RunRisk<'s> {
    /// An empty one, for a run of these rules.
    pub(crate) fn new(rules: &RuleSet, site: Arc<Site>, incidents: bool, schemas: &'s Arc<Schemas>) -> Self {
        let shape = own_shape();
        let reads = |number: usize, rule: &Rule| {
            let live = |plan: &FilterPlan| !matches!(plan, FilterPlan::Never | FilterPlan::NotRouted);
            asks_for_risk(rule) && rules.plan(number as u32, &shape).values().any(live)
        };
        let readers = rules.rules().iter().enumerate().filter(|(number, rule)| reads(*number, rule));
        Self {
            schemas,
            incidents,
            readers: readers.map(|(_, rule)| Arc::clone(rule)).collect(),
            known: Mutex::new(Known { index: RiskIndex::new(Arc::clone(&site)), events: Vec::new() }),
            site,
        }
    }

    /// Takes what alerts say about their risk objects.
    pub(crate) fn take(&self, alerts: &[Alert]) {
        if !self.incidents && self.readers.is_empty() {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for alert in alerts {
            if self.incidents {
                known.index.take(alert);
            }
            if !self.readers.is_empty() {
                known.events.extend(splunk::risk_events(alert, self.schemas, &self.site));
            }
        }
    }

    /// When all alerts are there: what is found in them, and whether something went wrong, which has been told.
    pub(crate) fn finish(&self, settings: &Arc<Settings>, route: Route) -> (Vec<Alert>, bool) {
        let mut known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let mut faults = false;
        let mut alerts = Vec::new();
        if !self.readers.is_empty() && !known.events.is_empty() {
            // In an order that depends on nothing but themselves.
            known.events.sort_by_cached_key(|event| (event["_time"].as_f64().map(f64::to_bits), event.to_string()));
            match splunk::risk_batch(&known.events, 0) {
                Ok(batch) => {
                    let rules = hunt::compile(self.readers.clone(), self.schemas, route);
                    let mut scanner = Scanner::new(Arc::clone(&rules), Arc::clone(settings));
                    scanner.scan(&batch, &mut alerts);
                    let stats: ScanStats = Scanner::finish(vec![scanner], &mut alerts);
                    faults = hunt::tell_tails(&rules, &stats);
                }
                Err(error) => {
                    eprintln!("error: the risk index of this run cannot be read: {error}");
                    faults = true;
                }
            }
        }
        if self.incidents {
            if known.index.undated() > 0 {
                eprintln!("warning: {} alerts carry no time and count for no risk incident", known.index.undated());
            }
            alerts.extend(known.index.incidents(self.schemas));
        }
        // A rule that also found something of its own in the input is the same rule, not a second alert.
        let mut seen = HashSet::new();
        alerts.retain(|alert| seen.insert(alert.id.clone()));
        (alerts, faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_assets_and_identities_in_all_their_ways() {
        let folder = tempfile::tempdir().unwrap();
        let assets = folder.path().join("assets.csv");
        std::fs::write(
            &assets,
            "ip,nt_host,dns,priority,category\n10.0.0.5|10.0.0.6,SRV1,srv1.corp.example,High,dc|server\n",
        )
        .unwrap();
        let mut directory = Directory::default();
        list(&assets, ObjectType::System, &ASSET_NAMES, &mut directory).unwrap();
        let record = directory.find(ObjectType::System, "10.0.0.6").unwrap();
        assert_eq!((record.name.as_str(), record.priority), ("srv1", Priority::High));
        assert_eq!(record.attributes, [("category".to_owned(), vec!["dc".to_owned(), "server".to_owned()])]);
        std::fs::write(&assets, "a,b\n1,2\n").unwrap();
        let error = list(&assets, ObjectType::System, &ASSET_NAMES, &mut directory).unwrap_err();
        assert!(
            error.ends_with("none of the columns nt_host, dns, ip, mac is there, by one of which it is known"),
            "{error}"
        );
    }
}
