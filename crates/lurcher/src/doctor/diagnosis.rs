//! For each rule that did not fire: whether it could on this data at all, and if not, what it lacks.
//!
//! A rule's filter is folded over what is known of a shape without looking at events: fields that the shape does not
//! have, fields that are always the same, and fields that no event in the data carries. If that makes it false for
//! every kind of event that the rule sees, it can never fire here. What would let it fire is asked of the kinds of
//! events that the mapping packs know.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use lurcher_engine::{Compiler, Route, naive};
use lurcher_ir::{FieldRef, Predicate, Rule, RuleBody, Sources, Tail};
use lurcher_schema::Schemas;

use super::survey::{ShapeSeen, Survey};
use crate::why::Kind;

/// A rule that would fire on events of more sources than these asks for none of them.
const MOST_SOURCES: usize = 12;

/// What was found out about all rules. Rules are meant by their place in the list.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Name and path of every rule.
    pub(super) rules: Vec<(String, String)>,
    /// Rules that cannot be run at all.
    pub(super) unrun: Vec<usize>,
    /// Rules that fire.
    pub(super) firing: Vec<usize>,
    /// Rules that could fire and found nothing.
    pub(super) silent: Vec<usize>,
    /// Why rules can never fire here, those that most rules share first.
    pub(super) lacks: Vec<Lack>,
    /// For each shape of the survey, how many rules look at it.
    pub(super) looked_at: Vec<usize>,
    /// For each shape of the survey, those of its raw fields that no rule reads, in order.
    pub(super) unread: Vec<Vec<Arc<str>>>,
}

/// Something that rules need and the data lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) what: What,
    /// The rules that need it.
    pub(super) rules: Vec<usize>,
    /// Of a source: how many of the rules need which of its kinds.
    pub(super) kinds: Vec<(Kind, usize)>,
    /// Of a source: other sources that would do as well, with for how many of the rules.
    pub(super) instead: Vec<(String, usize)>,
}

/// What is lacking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum What {
    /// A source, of which there is no event.
    Source(String),
    /// A kind of event of a source that is there otherwise.
    Kind(Kind),
    /// A source that no mapping pack knows, as the rules name it.
    UnknownSource(String),
    /// A field that the events should have, and that none carries: its name, the raw fields that it would be, and in
    /// which kinds of events.
    Field(String, Vec<String>, String),
    /// A field that no event of the kinds that are there can have.
    NoSuchField(String),
    /// A field that is always this in the events that are there.
    Contradiction(String, String),
}

/// Why a filter is false for a shape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Blame {
    NotLogged(String, Vec<String>),
    NotMapped(String),
    Constant(String, String),
}

impl Findings {
    /// Looks at every rule.
    pub(super) fn new(rules: &[Arc<Rule>], survey: &Survey, schemas: &Arc<Schemas>, route: Route) -> Self {
        let mut findings = Self {
            rules: rules.iter().map(|rule| (rule.meta.name.clone(), rule.meta.path.clone())).collect(),
            ..Self::default()
        };
        // Which filters see which shapes, and which of them could hold there.
        let mut seen_in: HashMap<(u32, u32), Vec<usize>> = HashMap::new();
        let mut live_in: HashSet<(u32, u32, usize)> = HashSet::new();
        for (number, shape) in survey.shapes.iter().enumerate() {
            let live = survey.rules.live(&shape.shape);
            findings.looked_at.push(live.iter().map(|(rule, _)| rule).collect::<HashSet<_>>().len());
            let read = survey.rules.raw_fields(&shape.shape);
            let mut unread: Vec<Arc<str>> = shape.raw.iter().filter(|name| !read.contains(*name)).cloned().collect();
            unread.sort_unstable();
            findings.unread.push(unread);
            live_in.extend(live.into_iter().map(|(rule, filter)| (rule, filter, number)));
            for pair in survey.rules.routed(&shape.shape) {
                seen_in.entry(pair).or_default().push(number);
            }
        }
        let mut barren: Vec<(usize, BTreeSet<Blame>)> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let Some(body) = &rule.body else {
                findings.unrun.push(number);
                continue;
            };
            if survey.alerts.get(number).is_some_and(|alerts| *alerts > 0) {
                findings.firing.push(number);
                continue;
            }
            let judge = |filter: usize| {
                let pair = (number as u32, filter as u32);
                let shapes = seen_in.get(&pair).map(Vec::as_slice).unwrap_or_default();
                let of = |shape: &usize| (&survey.shapes[*shape], live_in.contains(&(pair.0, pair.1, *shape)));
                could_hold(&body.filters[filter], shapes.iter().map(of), schemas)
            };
            match could_fire(body, judge) {
                None => findings.silent.push(number),
                Some(blames) => barren.push((number, blames)),
            }
        }
        findings.lacks = lacks(rules, &barren, survey, schemas, route);
        findings
    }

    /// How many rules can never fire here.
    pub(super) fn barren(&self) -> usize {
        self.lacks.iter().flat_map(|lack| &lack.rules).collect::<HashSet<_>>().len()
    }
}

/// `None` if the rule could fire; else what speaks against it. A sequence needs all its steps, anything else one filter.
fn could_fire(body: &RuleBody, judge: impl Fn(usize) -> Option<BTreeSet<Blame>>) -> Option<BTreeSet<Blame>> {
    let needed: Vec<usize> = match &body.tail {
        Tail::Sequence(sequence) => {
            sequence.steps.iter().filter(|step| !step.missing).map(|step| step.filter).collect()
        }
        Tail::Sample { steps, .. } => steps.iter().map(|step| step.filter).collect(),
        _ => {
            let mut all = BTreeSet::new();
            for filter in 0..body.filters.len() {
                all.extend(judge(filter)?);
            }
            return Some(all);
        }
    };
    needed.into_iter().filter(|filter| *filter < body.filters.len()).find_map(judge)
}

/// `None` if the filter could hold in one of the shapes (each with whether the engine keeps it there); else what speaks
/// against it. Without shapes nothing does but that there are none.
fn could_hold<'s>(
    filter: &Predicate,
    shapes: impl Iterator<Item = (&'s ShapeSeen, bool)>,
    schemas: &Schemas,
) -> Option<BTreeSet<Blame>> {
    let mut all = BTreeSet::new();
    for (shape, live) in shapes {
        let mut blames = Vec::new();
        match fold(filter, shape, schemas, &mut blames) {
            Some(false) => all.extend(blames),
            _ if live => return None,
            _ => {}
        }
    }
    Some(all)
}

/// What a predicate comes to in a shape, whatever the event: `None` if that depends on the event.
fn fold(predicate: &Predicate, shape: &ShapeSeen, schemas: &Schemas, blames: &mut Vec<Blame>) -> Option<bool> {
    match predicate {
        Predicate::Constant(truth) => Some(*truth),
        Predicate::Holds { .. } => None,
        Predicate::Not(inner) => fold(inner, shape, schemas, &mut Vec::new()).map(|truth| !truth),
        Predicate::All(parts) => {
            let mut all = Some(true);
            for part in parts {
                let mut own = Vec::new();
                match fold(part, shape, schemas, &mut own) {
                    Some(true) => {}
                    Some(false) => {
                        blames.append(&mut own);
                        return Some(false);
                    }
                    None => all = None,
                }
            }
            all
        }
        Predicate::Any(parts) => {
            let mut any = Some(false);
            let mut own = Vec::new();
            for part in parts {
                match fold(part, shape, schemas, &mut own) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            if any == Some(false) {
                blames.append(&mut own);
            }
            any
        }
        Predicate::Test { field, test } => {
            let path = field.path.as_str();
            if path.contains('*') {
                return None;
            }
            let binding = schemas.bind(field.taxonomy, path, &shape.shape);
            if let Some(value) = binding.as_constant() {
                let passes = naive::passes(test, value);
                if !passes {
                    blames.push(Blame::Constant(path.to_owned(), value.to_string()));
                }
                return Some(passes);
            }
            if binding.is_missing() {
                return missing(field, shape, schemas, blames);
            }
            let raw = binding.raw_fields();
            if raw.is_empty() || raw.iter().any(|name| shape.has(name)) {
                return None;
            }
            blames.push(Blame::NotLogged(path.to_owned(), raw.into_iter().map(str::to_owned).collect()));
            Some(false)
        }
    }
}

/// A field without a mapping; an object's path stands for what is below it.
fn missing(field: &FieldRef, shape: &ShapeSeen, schemas: &Schemas, blames: &mut Vec<Blame>) -> Option<bool> {
    if !schemas.members(field.taxonomy, field.path.as_str(), &shape.shape).is_empty() {
        return None;
    }
    blames.push(Blame::NotMapped(field.path.to_string()));
    Some(false)
}

/// Groups the rules that can never fire by what they lack.
fn lacks(
    rules: &[Arc<Rule>],
    barren: &[(usize, BTreeSet<Blame>)],
    survey: &Survey,
    schemas: &Arc<Schemas>,
    route: Route,
) -> Vec<Lack> {
    let (mut wanted, dialects) = wanted_kinds(rules, barren, schemas, route);
    let at_home = at_home(rules, barren, survey, schemas);
    for (number, _) in barren {
        let kinds = wanted.entry(*number).or_default();
        if kinds.is_empty() && !at_home.contains(number) {
            kinds.extend(families(&rules[*number].meta.sources));
        }
    }
    let remedies = Remedies::new(survey, dialects);
    let here: HashSet<&Kind> = survey.shapes.iter().map(|shape| &shape.kind).collect();
    let mut groups: BTreeMap<What, Vec<usize>> = BTreeMap::new();
    let (mut open, mut helped) = (Vec::new(), Vec::new());
    for (number, blames) in barren {
        let own = &wanted[number];
        let logged = not_logged(blames, survey);
        if !logged.is_empty() && (own.is_empty() || own.iter().any(|kind| here.contains(kind))) {
            for what in logged {
                groups.entry(what).or_default().push(*number);
            }
            helped.push((*number, remedies.of(own)));
            continue;
        }
        match remedies.of(own) {
            whats if whats.is_empty() => {
                groups.entry(last_resort(&rules[*number], blames)).or_default().push(*number);
            }
            whats => open.push((*number, whats)),
        }
    }
    for (what, covered) in cover(open) {
        // What the other rules need is as good as a field that is not logged, for the rules that lack one.
        let also = helped.iter().filter(|(_, whats)| whats.contains(&what)).map(|(number, _)| *number);
        let mut all: Vec<usize> = covered.into_iter().chain(also).collect();
        all.sort_unstable();
        groups.entry(what).or_default().extend(all);
    }
    let mut lacks: Vec<Lack> = groups.into_iter().map(|(what, rules)| remedies.lack(what, rules, &wanted)).collect();
    lacks.sort_by(|a, b| b.rules.len().cmp(&a.rules.len()).then_with(|| a.what.cmp(&b.what)));
    lacks
}

/// What would let rules fire, as far as it is not here.
struct Remedies<'s> {
    /// The sources that are here.
    sources: HashSet<&'s str>,
    /// The kinds of events that are here.
    kinds: HashSet<&'s Kind>,
    /// The sources that are near: of a dialect that is here, so that what writes these logs could write those too.
    near: HashSet<String>,
}

impl<'s> Remedies<'s> {
    /// `dialects`: those in which each source may come.
    fn new(survey: &'s Survey, dialects: HashMap<String, BTreeSet<String>>) -> Self {
        let here: HashSet<&str> = survey.shapes.iter().map(|shape| shape.shape.dialect()).collect();
        let is_near = |own: &BTreeSet<String>| own.iter().any(|dialect| here.contains(dialect.as_str()));
        Self {
            sources: survey.shapes.iter().map(|shape| shape.kind.source.as_str()).collect(),
            kinds: survey.shapes.iter().map(|shape| &shape.kind).collect(),
            near: dialects.into_iter().filter(|(_, own)| is_near(own)).map(|(source, _)| source).collect(),
        }
    }

    /// The sources, of those that are not here, of which these kinds are.
    fn absent<'k>(&self, kinds: &'k BTreeSet<Kind>) -> BTreeSet<&'k str> {
        kinds.iter().map(|kind| kind.source.as_str()).filter(|source| !self.sources.contains(source)).collect()
    }

    /// What would do for a rule that could fire on these kinds: what is near, if anything is. A rule that would fire on
    /// events of almost any source does not ask for one of them, so nothing is said to help.
    fn of(&self, kinds: &BTreeSet<Kind>) -> BTreeSet<What> {
        let is_here = |kind: &&Kind| self.sources.contains(kind.source.as_str());
        let missing = kinds
            .iter()
            .filter(|kind| is_here(kind) && !kind.event.is_empty() && !self.kinds.contains(kind))
            .map(|kind| What::Kind(kind.clone()));
        // Events without a number that is known may come from any of several channels. If one of these is here, the others
        // are not what is lacking.
        let one_is_here = kinds.iter().any(|kind| kind.event.is_empty() && is_here(&kind));
        let asked: BTreeSet<Kind> =
            kinds.iter().filter(|kind| !one_is_here || !kind.event.is_empty()).cloned().collect();
        let absent = self.absent(&asked);
        let source = |source: &&str| What::Source((*source).to_owned());
        let near: BTreeSet<What> =
            absent.iter().filter(|own| self.near.contains(**own)).map(source).chain(missing).collect();
        match near.is_empty() {
            false => near,
            true if absent.len() > MOST_SOURCES => BTreeSet::new(),
            true => absent.iter().map(source).collect(),
        }
    }

    fn lack(&self, what: What, rules: Vec<usize>, wanted: &HashMap<usize, BTreeSet<Kind>>) -> Lack {
        let (mut kinds, mut others): (BTreeMap<Kind, usize>, BTreeMap<String, usize>) = Default::default();
        if let What::Source(source) = &what {
            for own in rules.iter().filter_map(|rule| wanted.get(rule)) {
                for kind in own.iter().filter(|kind| kind.source == *source) {
                    *kinds.entry(kind.clone()).or_default() += 1;
                }
                let absent = self.absent(own);
                for other in absent.iter().filter(|other| **other != source && absent.len() <= MOST_SOURCES) {
                    *others.entry((*other).to_owned()).or_default() += 1;
                }
            }
        }
        let mut kinds: Vec<(Kind, usize)> = kinds.into_iter().collect();
        let mut instead: Vec<(String, usize)> = others.into_iter().collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        instead.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Lack { what, rules, kinds, instead }
    }
}

/// Shares rules out among what would let them fire: each time to what most of the rules that are left would do with.
fn cover(mut open: Vec<(usize, BTreeSet<What>)>) -> Vec<(What, Vec<usize>)> {
    let mut shares = Vec::new();
    loop {
        let mut counts: BTreeMap<&What, usize> = BTreeMap::new();
        for what in open.iter().flat_map(|(_, whats)| whats) {
            *counts.entry(what).or_default() += 1;
        }
        // Of equals the first in order.
        let best = counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(what, _)| what.clone());
        let Some(best) = best else { return shares };
        let (covered, left): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, whats)| whats.contains(&best));
        shares.push((best, covered.into_iter().map(|(number, _)| number).collect()));
        open = left;
    }
}

/// The rules of whose own sources there are events, whatever else they are shown.
fn at_home(
    rules: &[Arc<Rule>],
    barren: &[(usize, BTreeSet<Blame>)],
    survey: &Survey,
    schemas: &Arc<Schemas>,
) -> HashSet<usize> {
    let asked = barren.iter().map(|(number, _)| Arc::clone(&rules[*number]));
    let set = Compiler::new(Arc::clone(schemas)).route(Route::Strict).add_all(asked).build();
    let routed = survey.shapes.iter().flat_map(|shape| set.routed(&shape.shape));
    let places: HashSet<u32> = routed.map(|(place, _)| place).collect();
    places.into_iter().filter_map(|place| barren.get(place as usize)).map(|(number, _)| *number).collect()
}

/// For each rule the kinds of events, of all that the packs know, that it could fire on; and in which dialects the sources
/// of events come. A rule that names its sources asks for events of these, whatever else it is shown.
fn wanted_kinds(
    rules: &[Arc<Rule>],
    barren: &[(usize, BTreeSet<Blame>)],
    schemas: &Arc<Schemas>,
    route: Route,
) -> (HashMap<usize, BTreeSet<Kind>>, HashMap<String, BTreeSet<String>>) {
    let shapes = schemas.known_shapes();
    let mut dialects: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut numbered: HashSet<String> = HashSet::new();
    for shape in &shapes {
        let kind = Kind::of(shape);
        dialects.entry(kind.source.clone()).or_default().insert(shape.dialect().to_owned());
        if !kind.event.is_empty() {
            numbered.insert(kind.source);
        }
    }
    let live = |route: Route, wanted: &mut HashMap<usize, BTreeSet<Kind>>| {
        let asked = barren.iter().map(|(number, _)| with_exact_sources(&rules[*number]));
        let set = Compiler::new(Arc::clone(schemas)).route(route).add_all(asked).build();
        for shape in &shapes {
            let kind = Kind::of(shape);
            for (place, _) in set.live(shape) {
                if let Some(kinds) = barren.get(place as usize).and_then(|(number, _)| wanted.get_mut(number)) {
                    kinds.insert(kind.clone());
                }
            }
        }
    };
    let nothing = || barren.iter().map(|(number, _)| (*number, BTreeSet::new())).collect();
    let mut wanted: HashMap<usize, BTreeSet<Kind>> = nothing();
    live(Route::Strict, &mut wanted);
    if route == Route::Any {
        let mut shown: HashMap<usize, BTreeSet<Kind>> = nothing();
        live(Route::Any, &mut shown);
        for (number, kinds) in &mut wanted {
            if kinds.is_empty() && rules[*number].meta.sources == Sources::Any {
                // What is common to a channel says nothing for it: nearly every rule could fire on events of no known number.
                let own = shown.remove(number).unwrap_or_default().into_iter();
                kinds.extend(own.filter(|kind| !kind.event.is_empty() || !numbered.contains(&kind.source)));
            }
        }
    }
    // A kind without an event's number stands for what is common to a whole source.
    for kinds in wanted.values_mut() {
        let numbered: HashSet<String> =
            kinds.iter().filter(|kind| !kind.event.is_empty()).map(|kind| kind.source.clone()).collect();
        kinds.retain(|kind| !kind.event.is_empty() || !numbered.contains(&kind.source));
    }
    (wanted, dialects)
}

/// A rule without the pattern that means all that Filebeat sends, if it names its streams as well: what any other of
/// Filebeat's events could be is no news of what the rule needs.
fn with_exact_sources(rule: &Arc<Rule>) -> Arc<Rule> {
    let Sources::Indices(patterns) = &rule.meta.sources else { return Arc::clone(rule) };
    let exact: Vec<String> = patterns.iter().filter(|pattern| !pattern.starts_with("filebeat-")).cloned().collect();
    let names_streams = exact.iter().any(|pattern| pattern.starts_with("logs-") && pattern != "logs-*");
    if exact.len() == patterns.len() || !names_streams {
        return Arc::clone(rule);
    }
    let mut narrowed = Rule::clone(rule);
    narrowed.meta.sources = Sources::Indices(exact);
    Arc::new(narrowed)
}

/// Sources that no pack knows, by what rules call them: `logs-aws.cloudtrail-*` and `logs-aws.ec2_logs-*` are both
/// `logs-aws.*`. Patterns of a whole shipper (`filebeat-*`) count only where nothing more exact is said.
fn families(sources: &Sources) -> Vec<Kind> {
    let source = |source: String| Kind { source, event: String::new() };
    match sources {
        Sources::Any => Vec::new(),
        Sources::LogSource(wanted) => vec![source(wanted.to_string())],
        Sources::Indices(patterns) => {
            let all =
                || patterns.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|p| !p.starts_with('-'));
            let exact: BTreeSet<String> = all()
                .filter_map(|pattern| pattern.strip_prefix("logs-")?.split(['.', '-', '*']).next())
                .filter(|name| !name.is_empty())
                .map(|name| format!("logs-{name}.*"))
                .collect();
            let named = if exact.is_empty() { all().map(str::to_owned).collect() } else { exact };
            named.into_iter().map(source).collect()
        }
    }
}

/// The fields that would be there if they were logged.
fn not_logged(blames: &BTreeSet<Blame>, survey: &Survey) -> Vec<What> {
    let mut found = Vec::new();
    for blame in blames {
        let Blame::NotLogged(field, raw) = blame else { continue };
        let lacking = survey.shapes.iter().filter(|shape| raw.iter().all(|name| !shape.has(name)));
        let kinds: BTreeSet<String> = lacking.map(|shape| shape.kind.source.clone()).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        found.push(What::Field(field.clone(), raw.clone(), kinds.join(", ")));
    }
    found
}

/// What is said of a rule that no known kind of event would help.
fn last_resort(rule: &Rule, blames: &BTreeSet<Blame>) -> What {
    let fault = blames.first().map(|blame| match blame {
        Blame::NotMapped(field) => What::NoSuchField(field.clone()),
        Blame::Constant(field, value) => What::Contradiction(field.clone(), value.clone()),
        Blame::NotLogged(field, raw) => What::Field(field.clone(), raw.clone(), String::new()),
    });
    fault.unwrap_or_else(|| {
        What::UnknownSource(match &rule.meta.sources {
            Sources::Any => "any source".to_owned(),
            Sources::Indices(patterns) => format!("index {}", patterns.join(", ")),
            Sources::LogSource(source) => source.to_string(),
        })
    })
}
