//! The automaton by examples, and against the definition written out with lists.

use std::time::Duration;

use lurcher_schema::Origin;
use proptest::prelude::*;

use super::*;

/// One event: its time, its key, and the steps that it fits (`u` ends sequences).
type Spec<'a> = (i64, &'a str, &'a str);

fn step(missing: bool) -> Step {
    Step { filter: 0, keys: Vec::new(), missing }
}

/// A sequence in letters: `ab` two steps, `!` before a step that must be missing.
fn sequence(steps: &str, max_span: Option<u64>) -> Sequence {
    let mut missing = false;
    let mut found = Vec::new();
    for c in steps.chars() {
        if c == '!' {
            missing = true;
        } else {
            found.push(step(std::mem::take(&mut missing)));
        }
    }
    Sequence {
        steps: found,
        until: Some(step(false)),
        max_span: max_span.map(Duration::from_micros),
        limits: Vec::new(),
    }
}

fn hits(sequence: &Sequence, events: &[Spec<'_>]) -> Vec<StepHit<usize>> {
    let origin = Origin::new("events");
    let mut hits = Vec::new();
    for (number, (time, key, fits)) in events.iter().enumerate() {
        let reference = EventRef { origin: Arc::clone(&origin), ordinal: number as u64, record: 0 };
        let place = Place { time: Timestamp(*time), tiebreaker: Value::Null, reference };
        for c in fits.chars() {
            let step = if c == 'u' { sequence.steps.len() } else { c as usize - 'a' as usize };
            hits.push(StepHit { place: place.clone(), step, key: [Value::text(*key)].into(), event: number });
        }
    }
    hits.sort_by(|a, b| compare_hits(sequence.steps.len(), a, b));
    hits
}

/// Runs the automaton; each match as the numbers of its events, `-` for a missing one.
fn run(steps: &str, max_span: Option<u64>, events: &[Spec<'_>]) -> Vec<String> {
    let sequence = sequence(steps, max_span);
    let mut automaton = Automaton::new(&sequence);
    let mut found: Vec<_> = hits(&sequence, events).into_iter().flat_map(|hit| automaton.push(hit)).collect();
    found.extend(automaton.finish());
    found.sort_by(Completed::compare);
    found.iter().map(|m| show(&m.events)).collect()
}

fn show(events: &[Option<usize>]) -> String {
    let texts: Vec<String> = events.iter().map(|e| e.map_or_else(|| "-".to_owned(), |e| e.to_string())).collect();
    texts.join(" ")
}

#[test]
fn the_newest_partial_wins_and_a_consumed_one_is_gone() {
    assert_eq!(run("ab", None, &[(1, "k", "a"), (2, "k", "a"), (3, "k", "b")]), ["1 2"]);
    assert_eq!(run("ab", None, &[(1, "k", "a"), (2, "k", "b"), (3, "k", "b")]), ["0 1"]);
    assert_eq!(run("ab", None, &[(1, "k", "b"), (2, "k", "a")]), Vec::<String>::new());
}

#[test]
fn keys_are_apart_and_typed() {
    assert_eq!(run("ab", None, &[(1, "k", "a"), (2, "K", "b"), (3, "k", "b")]), ["0 2"]);
    let sequence = sequence("ab", None);
    let mut automaton = Automaton::new(&sequence);
    let mut hits = hits(&sequence, &[(1, "", "a"), (2, "", "b")]);
    hits[0].key = [Value::Int(1)].into();
    hits[1].key = [Value::text("1")].into();
    assert!(hits.into_iter().flat_map(|hit| automaton.push(hit)).next().is_none());
}

#[test]
fn one_event_never_fills_two_steps() {
    assert_eq!(run("ab", None, &[(1, "k", "ab")]), Vec::<String>::new());
    assert_eq!(run("ab", None, &[(1, "k", "ab"), (2, "k", "ab"), (3, "k", "ab")]), ["0 1", "1 2"]);
    assert_eq!(run("abc", None, &[(1, "k", "abc"), (2, "k", "abc"), (3, "k", "abc")]), ["0 1 2"]);
}

#[test]
fn equal_times_are_ordered_by_place_in_the_file() {
    assert_eq!(run("ab", None, &[(1, "k", "a"), (1, "k", "b")]), ["0 1"]);
    assert_eq!(run("ab", None, &[(1, "k", "b"), (1, "k", "a")]), Vec::<String>::new());
}

#[test]
fn the_span_is_inclusive_and_a_partial_that_fails_it_is_discarded() {
    assert_eq!(run("ab", Some(10), &[(0, "k", "a"), (10, "k", "b")]), ["0 1"]);
    assert_eq!(run("ab", Some(10), &[(0, "k", "a"), (11, "k", "b")]), Vec::<String>::new());
    let events = [(0, "k", "a"), (1, "k", "b"), (8, "k", "a"), (20, "k", "c"), (21, "k", "c")];
    assert_eq!(run("abc", Some(10), &events), Vec::<String>::new());
}

#[test]
fn until_ends_what_is_open_after_its_event_has_advanced_it() {
    assert_eq!(run("ab", None, &[(1, "k", "a"), (2, "k", "u"), (3, "k", "b")]), Vec::<String>::new());
    assert_eq!(run("ab", None, &[(1, "k", "a"), (2, "other", "u"), (3, "k", "b")]), ["0 2"]);
    assert_eq!(run("ab", None, &[(1, "k", "a"), (2, "k", "bu")]), ["0 1"]);
    assert_eq!(run("abc", None, &[(1, "k", "a"), (2, "k", "bu"), (3, "k", "c")]), Vec::<String>::new());
    assert_eq!(run("ab", None, &[(1, "k", "au"), (2, "k", "b")]), Vec::<String>::new());
}

#[test]
fn a_missing_step_between_two_others_discards_strictly_between() {
    assert_eq!(run("a!bc", Some(10), &[(1, "k", "a"), (2, "k", "b"), (3, "k", "c")]), Vec::<String>::new());
    assert_eq!(run("a!bc", Some(10), &[(1, "k", "a"), (2, "x", "b"), (3, "k", "c")]), ["0 - 2"]);
    assert_eq!(run("a!bc", Some(10), &[(1, "k", "a"), (1, "k", "b"), (3, "k", "b"), (3, "k", "c")]), ["0 - 3"]);
}

#[test]
fn a_missing_step_behind_is_decided_by_the_span_from_the_first_event() {
    assert_eq!(run("a!b", Some(10), &[(1, "k", "a")]), ["0 -"]);
    assert_eq!(run("a!b", Some(10), &[(1, "k", "a"), (11, "k", "b")]), Vec::<String>::new());
    assert_eq!(run("a!b", Some(10), &[(1, "k", "a"), (12, "k", "b")]), ["0 -"]);
    assert_eq!(run("a!b", Some(10), &[(1, "k", "a"), (1, "k", "b")]), ["0 -"]);
}

#[test]
fn a_missing_step_before_is_decided_by_the_span_to_the_last_event() {
    assert_eq!(run("!ab", Some(10), &[(1, "k", "a"), (11, "k", "b")]), Vec::<String>::new());
    assert_eq!(run("!ab", Some(10), &[(1, "k", "a"), (12, "k", "b")]), ["- 1"]);
    assert_eq!(run("!ab!c", Some(10), &[(1, "k", "a"), (5, "k", "b"), (11, "k", "c")]), Vec::<String>::new());
    assert_eq!(run("!ab!c", Some(10), &[(1, "k", "a"), (5, "k", "b"), (12, "k", "c")]), ["- 1 -"]);
    assert_eq!(run("!ab!c", Some(10), &[(5, "k", "b"), (6, "k", "c")]), ["- 0 -"]);
}

#[test]
fn time_that_passes_decides_what_waits_and_forgets_what_is_too_old() {
    let sequence = sequence("a!b", Some(10));
    let mut automaton = Automaton::new(&sequence);
    for hit in hits(&sequence, &[(1, "k", "a"), (5, "l", "a")]) {
        assert!(automaton.push(hit).is_empty());
    }
    assert!(automaton.advance(Timestamp(11)).is_empty());
    assert_eq!(automaton.advance(Timestamp(12)).len(), 1);
    assert_eq!(automaton.open_keys(), 1);
    assert_eq!(automaton.finish().len(), 1);
}

/// The definition: lists of partial matches per key and step, as the reference writes it.
#[derive(Default)]
struct Lists {
    partials: FxHashMap<KeyTuple, Vec<Vec<Vec<StepHit<usize>>>>>,
    untils: FxHashMap<KeyTuple, Vec<Place>>,
}

fn by_the_book(sequence: &Sequence, hits: &[StepHit<usize>]) -> Vec<String> {
    let positive: Vec<usize> = (0..sequence.steps.len()).filter(|n| !sequence.steps[*n].missing).collect();
    let span = sequence.max_span.map_or(i64::MAX, |span| span.as_micros() as i64);
    let mut lists = Lists::default();
    let mut done: Vec<Vec<StepHit<usize>>> = Vec::new();
    for hit in hits {
        if hit.step == sequence.steps.len() {
            lists.untils.entry(Arc::clone(&hit.key)).or_default().push(hit.place.clone());
            continue;
        }
        let Some(stage) = positive.iter().position(|step| *step == hit.step) else { continue };
        let partial = lists.partials.entry(Arc::clone(&hit.key)).or_insert_with(|| vec![Vec::new(); positive.len()]);
        let mut extended = Vec::new();
        if stage > 0 {
            let before = &mut partial[stage - 1];
            let Some(at) = before.iter().rposition(|p| p[p.len() - 1].place < hit.place) else { continue };
            extended = before.drain(..=at).next_back().unwrap();
            if hit.place.time.0 - extended[0].place.time.0 > span {
                continue;
            }
            let last = &extended[extended.len() - 1].place;
            let untils = lists.untils.get(&hit.key).map_or(&[][..], Vec::as_slice);
            if untils.iter().rfind(|until| **until < hit.place).is_some_and(|until| last <= until) {
                continue;
            }
        }
        extended.push(hit.clone());
        if stage + 1 == positive.len() { done.push(extended) } else { partial[stage].push(extended) }
    }
    done.retain(|events| nothing_is_missing_in_vain(sequence, &positive, hits, span, events));
    let mut done: Vec<_> = done.into_iter().map(|events| (events[events.len() - 1].place.clone(), events)).collect();
    done.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| compare_keys(&a.1[0].key, &b.1[0].key)));
    let text = |events: &[StepHit<usize>]| {
        let found = |step| events.iter().find(|hit| hit.step == step).map(|hit| hit.event);
        show(&(0..sequence.steps.len()).map(found).collect::<Vec<_>>())
    };
    done.iter().map(|(_, events)| text(events)).collect()
}

fn nothing_is_missing_in_vain(
    sequence: &Sequence,
    positive: &[usize],
    hits: &[StepHit<usize>],
    span: i64,
    events: &[StepHit<usize>],
) -> bool {
    let (first, last) = (events[0].place.time, events[events.len() - 1].place.time);
    let times = |step: usize| {
        hits.iter().filter(move |hit| hit.step == step && hit.key == events[0].key).map(|hit| hit.place.time)
    };
    let (mut leading, mut trailing) = (false, false);
    let (mut a, mut b): (Option<Timestamp>, Option<Timestamp>) = (None, None);
    for (step, _) in sequence.steps.iter().enumerate().filter(|(_, step)| step.missing) {
        let before = positive.iter().filter(|p| **p < step).count();
        if before == 0 {
            leading = true;
            a = a.max(times(step).filter(|time| *time < first).max());
        } else if before == positive.len() {
            trailing = true;
            b = [b, times(step).filter(|time| *time > last).min()].into_iter().flatten().min();
        } else {
            let (p, q) = (events[before - 1].place.time, events[before].place.time);
            if times(step).any(|time| p < time && time < q) {
                return false;
            }
        }
    }
    if (leading && a.is_none()) || (trailing && b.is_none()) || (!leading && !trailing) {
        return true;
    }
    match (a, b) {
        (Some(a), Some(b)) => b.0 - a.0 > span,
        (Some(a), None) => last.0 - a.0 > span,
        (None, Some(b)) => b.0 - first.0 > span,
        (None, None) => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn slots_and_lists_agree(
        steps in prop::sample::select(vec!["ab", "abc", "aba", "a!bc", "!abc", "ab!c", "!ab!c", "a!b!cd", "!a!bc", "a!b"]),
        span in prop::option::of(0..12_u64),
        events in prop::collection::vec((0..20_i64, prop::sample::select(vec!["k", "l"]), "[abcdu]{0,3}"), 0..24),
    ) {
        let sequence = sequence(steps, span.or(steps.contains('!').then_some(5)));
        let mut events = events;
        for (_, _, fits) in &mut events {
            let mut letters: Vec<char> =
                fits.chars().filter(|c| *c == 'u' || (*c as usize - 'a' as usize) < sequence.steps.len()).collect();
            letters.sort_unstable();
            letters.dedup();
            *fits = letters.into_iter().collect();
        }
        let events: Vec<Spec<'_>> = events.iter().map(|(time, key, fits)| (*time, *key, fits.as_str())).collect();
        let hits = hits(&sequence, &events);
        let expected = by_the_book(&sequence, &hits);
        prop_assert_eq!(run_hits(&sequence, hits), expected);
    }
}

fn run_hits(sequence: &Sequence, hits: Vec<StepHit<usize>>) -> Vec<String> {
    let mut automaton = Automaton::new(sequence);
    let mut found: Vec<_> = hits.into_iter().flat_map(|hit| automaton.push(hit)).collect();
    found.extend(automaton.finish());
    found.sort_by(Completed::compare);
    found.iter().map(|m| show(&m.events)).collect()
}
