//! One field's tests, all at once: a value goes in, the tests that it passes come out.
//!
//! Equality is a hash lookup, literal pieces are one [`LiteralScan`], regular expressions and wildcards are run only
//! where a literal that they need has been seen, numbers are read once. A regular expression is compiled when it is
//! first run: most of a large rule set's never are.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use lurcher_ir::{Bound, Case, Near, Network, Test, fold_text};
use lurcher_schema::{Timestamp, Value, ValueRef};
use rustc_hash::FxHashMap;

use crate::{
    literal_scan::LiteralScan,
    number::Number,
    phrase::PhraseMatcher,
    regex_literals::{LONG_S, required_literals},
    text::{Text, WildcardMatcher},
};

/// The tests of one field, numbered from 0 in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    len: usize,
    /// True of every value, objects too.
    exists: Vec<u32>,
    /// True of a field with exactly one distinct value.
    single: Vec<u32>,
    /// True of every value that has a text form.
    scalar: Vec<u32>,
    /// Folded text to the tests that want it.
    equal: FxHashMap<Box<str>, Vec<Wanted>>,
    longest_equal: usize,
    booleans: Vec<(u32, bool)>,
    /// By bits of the floating-point form; compared exactly after that.
    numbers: FxHashMap<u64, Vec<(u32, Number)>>,
    /// Whether texts have to be read as numbers.
    reads_numbers: bool,
    ranges: Vec<(u32, Range)>,
    networks: Vec<(u32, Arc<[Network]>)>,
    lengths: Vec<(u32, u64, u64)>,
    literals: LiteralScan,
    /// By number of the literal: what to do where it is found.
    targets: Vec<Vec<Target>>,
    patterns: Vec<(u32, Pattern)>,
    /// Patterns that need no literal.
    untriggered: Vec<u32>,
    /// Regular expressions that are triggered by literals.
    triggered_regexes: Vec<u32>,
    /// Whether a number or boolean has to be looked at as text.
    text: bool,
}

/// A test that wants a folded text, with the exact text where case counts.
type Wanted = (u32, Option<Arc<str>>);

/// What a literal at a place means.
#[derive(Clone, Debug)]
enum Target {
    /// A test holds, if the place and the case are right.
    Literal { test: u32, place: Place, exact: Option<Arc<str>> },
    /// A pattern has to be tried.
    Pattern(u32),
    /// A phrase whose anchor this is has to be tried at this place.
    Phrase(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    End,
    Anywhere,
}

#[derive(Debug)]
enum Pattern {
    Wildcard(WildcardMatcher),
    Regex(LazyRegex),
    Phrase(PhraseMatcher),
    Near(Near),
}

/// A regular expression that is compiled when it is first run; one that cannot be compiled matches nothing.
#[derive(Debug)]
struct LazyRegex {
    pattern: Arc<str>,
    compiled: OnceLock<Option<regex::Regex>>,
}

#[derive(Debug)]
enum Range {
    Number {
        low: Option<(Number, bool)>,
        high: Option<(Number, bool)>,
    },
    Text {
        low: Option<(Arc<str>, bool)>,
        high: Option<(Arc<str>, bool)>,
    },
    Time {
        low: Option<(Timestamp, bool)>,
        high: Option<(Timestamp, bool)>,
    },
    /// Ends of different kinds: each must hold.
    Both(Box<(Range, Range)>),
    /// No end at all.
    Always,
    Never,
}

/// The tests that have been found true, and what is needed to find them; used again and again.
#[derive(Debug, Default)]
pub(crate) struct Found {
    tests: Vec<u32>,
    seen: Vec<bool>,
    tried: Vec<bool>,
    form: String,
}

impl Found {
    /// The tests that hold, in ascending order. Call [`Self::clear`] afterwards.
    pub(crate) fn tests(&mut self) -> &[u32] {
        self.tests.sort_unstable();
        &self.tests
    }

    /// Forgets the tests.
    pub(crate) fn clear(&mut self) {
        for test in self.tests.drain(..) {
            self.seen[test as usize] = false;
        }
    }

    /// Adds a test that holds.
    pub(crate) fn add(&mut self, test: u32) {
        let seen = &mut self.seen[test as usize];
        if !*seen {
            *seen = true;
            self.tests.push(test);
        }
    }

    /// Whether a test is known to hold.
    fn has(&self, test: u32) -> bool {
        self.seen[test as usize]
    }

    /// Makes room for so many tests.
    pub(crate) fn prepare(&mut self, tests: usize, patterns: usize) {
        if self.seen.len() < tests {
            self.seen.resize(tests, false);
        }
        self.tried.clear();
        self.tried.resize(patterns, false);
    }
}

impl Matcher {
    /// A matcher of these tests.
    pub(crate) fn new<'t>(tests: impl IntoIterator<Item = &'t Test>) -> Self {
        let mut matcher = Self::default();
        for test in tests {
            let id = matcher.len as u32;
            matcher.len += 1;
            matcher.add(id, test);
        }
        matcher.literals.prepare();
        matcher.text = !matcher.equal.is_empty()
            || matcher.literals.len() > 0
            || !matcher.patterns.is_empty()
            || !matcher.lengths.is_empty()
            || !matcher.networks.is_empty()
            || matcher.ranges.iter().any(|(_, range)| range.needs_text());
        matcher.reads_numbers =
            !matcher.numbers.is_empty() || matcher.ranges.iter().any(|(_, range)| range.needs_number());
        matcher
    }

    /// How many tests there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn add(&mut self, id: u32, test: &Test) {
        match test {
            Test::Exists => self.exists.push(id),
            Test::Single => self.single.push(id),
            Test::Equals(value, case) => self.add_equal(id, value, *case),
            Test::OneOf(values, case) => values.iter().for_each(|value| self.add_equal(id, value, *case)),
            Test::Prefix(text, case) => self.add_literal(id, text, *case, Place::Start),
            Test::Suffix(text, case) => self.add_literal(id, text, *case, Place::End),
            Test::Contains(text, case) => self.add_literal(id, text, *case, Place::Anywhere),
            Test::Wildcard(pattern, case) => {
                let matcher = WildcardMatcher::new(pattern, *case);
                let literals = matcher.longest_literal().map(|literal| vec![literal]);
                self.add_pattern(id, Pattern::Wildcard(matcher), literals);
            }
            Test::Regex(regex) => {
                let literals = required_literals(&regex.pattern);
                let pattern = LazyRegex { pattern: Arc::clone(&regex.pattern), compiled: OnceLock::new() };
                if literals.is_some() {
                    self.triggered_regexes.push(self.patterns.len() as u32);
                }
                self.add_pattern(id, Pattern::Regex(pattern), literals);
            }
            Test::Phrase(phrase) => {
                let phrase = PhraseMatcher::new(phrase);
                let literals = phrase.literals();
                if !phrase.is_anchored() && literals.is_some() {
                    // Its literals may come from an expression.
                    self.triggered_regexes.push(self.patterns.len() as u32);
                }
                self.add_pattern(id, Pattern::Phrase(phrase), literals);
            }
            Test::Near(near) => self.add_pattern(id, Pattern::Near(near.clone()), None),
            Test::InNetwork(blocks) => self.networks.push((id, Arc::clone(blocks))),
            Test::Range { low, high } => self.ranges.push((id, Range::new(low.as_ref(), high.as_ref()))),
            Test::Length { min, max } => self.lengths.push((id, *min, max.unwrap_or(u64::MAX))),
        }
    }

    fn add_equal(&mut self, id: u32, value: &Value, case: Case) {
        match value {
            Value::Text(text) => {
                let exact = (case == Case::Sensitive).then(|| Arc::clone(text));
                // Folding may change the number of bytes by a factor of up to three either way.
                self.longest_equal = self.longest_equal.max(fold_text(text).len() * 3);
                self.equal.entry(fold_text(text).into()).or_default().push((id, exact));
            }
            Value::Bool(truth) => {
                self.booleans.push((id, *truth));
            }
            Value::Int(_) | Value::Float(_) => {
                if let Some(number) = Number::of(value) {
                    self.numbers.entry(key(number)).or_default().push((id, number));
                }
            }
            Value::Null | Value::List(_) | Value::Object(_) => {}
        }
    }

    fn add_literal(&mut self, test: u32, text: &Arc<str>, case: Case, place: Place) {
        if text.is_empty() {
            return self.scalar.push(test);
        }
        let exact = (case == Case::Sensitive).then(|| Arc::clone(text));
        self.add_target(&fold_text(text), Target::Literal { test, place, exact });
    }

    fn add_pattern(&mut self, id: u32, pattern: Pattern, literals: Option<Vec<String>>) {
        let number = self.patterns.len() as u32;
        let anchored = matches!(&pattern, Pattern::Phrase(phrase) if phrase.is_anchored());
        let target = if anchored { Target::Phrase(number) } else { Target::Pattern(number) };
        self.patterns.push((id, pattern));
        match literals {
            Some(literals) => literals.iter().for_each(|l| self.add_target(l, target.clone())),
            None => self.untriggered.push(number),
        }
    }

    fn add_target(&mut self, literal: &str, target: Target) {
        let id = self.literals.add(literal) as usize;
        if self.targets.len() <= id {
            self.targets.resize(id + 1, Vec::new());
        }
        self.targets[id].push(target);
    }

    /// Adds to `found` every test that a field with this value, or these values, passes.
    pub(crate) fn run(&self, value: ValueRef<'_>, found: &mut Found) {
        found.prepare(self.len, self.patterns.len());
        match value {
            ValueRef::Text(text) => {
                self.single.iter().for_each(|test| found.add(*test));
                self.run_text(text, found);
            }
            ValueRef::Any(value) => {
                let mut values = value.elements();
                if !self.single.is_empty() && values.next().is_some_and(|first| values.all(|other| other == first)) {
                    self.single.iter().for_each(|test| found.add(*test));
                }
                value.elements().for_each(|single| {
                    found.tried.fill(false);
                    self.run_single(single, found);
                });
            }
        }
    }

    fn run_single(&self, value: &Value, found: &mut Found) {
        match value {
            Value::Text(text) => self.run_text(text, found),
            Value::Null | Value::List(_) => {}
            Value::Object(_) => self.exists.iter().for_each(|test| found.add(*test)),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                self.exists.iter().chain(&self.scalar).for_each(|test| found.add(*test));
                if let Value::Bool(truth) = value {
                    self.booleans.iter().filter(|(_, own)| own == truth).for_each(|(test, _)| found.add(*test));
                }
                let number = Number::of(value);
                if let Some(number) = number {
                    self.run_number(number, found);
                }
                let mut form = std::mem::take(&mut found.form);
                if self.text {
                    form.clear();
                    // Writing to a string cannot fail.
                    let _ = std::fmt::Write::write_fmt(&mut form, format_args!("{value}"));
                    self.run_form(&Text::new(&form), found);
                }
                let time = number.map(|number| match number {
                    Number::Int(millis) => Timestamp::from_millis(millis),
                    Number::Float(millis) => Timestamp((millis * 1000.0) as i64),
                });
                self.run_ranges(number, self.text.then_some(form.as_str()), || time, found);
                found.form = form;
            }
        }
    }

    fn run_text(&self, raw: &str, found: &mut Found) {
        self.exists.iter().chain(&self.scalar).for_each(|test| found.add(*test));
        for (test, truth) in &self.booleans {
            if raw.eq_ignore_ascii_case(if *truth { "true" } else { "false" }) {
                found.add(*test);
            }
        }
        let number = if self.reads_numbers { Number::read(raw) } else { None };
        if let Some(number) = number {
            self.run_number(number, found);
        }
        self.run_ranges(number, Some(raw), || Timestamp::parse(raw), found);
        if self.text {
            self.run_form(&Text::new(raw), found);
        }
    }

    fn run_number(&self, number: Number, found: &mut Found) {
        for (test, own) in self.numbers.get(&key(number)).into_iter().flatten() {
            if number.compare(*own).is_some_and(std::cmp::Ordering::is_eq) {
                found.add(*test);
            }
        }
    }

    fn run_ranges(
        &self,
        number: Option<Number>,
        text: Option<&str>,
        time: impl Fn() -> Option<Timestamp>,
        found: &mut Found,
    ) {
        if self.ranges.is_empty() {
            return;
        }
        let time = if self.ranges.iter().any(|(_, range)| range.needs_time()) { time() } else { None };
        for (test, range) in &self.ranges {
            if range.holds(number, text, time) {
                found.add(*test);
            }
        }
    }

    /// Everything that looks at the text form.
    fn run_form(&self, text: &Text<'_>, found: &mut Found) {
        if !self.equal.is_empty() && text.raw().len() <= self.longest_equal {
            for (test, exact) in self.equal.get(text.folded()).into_iter().flatten() {
                if exact.as_ref().is_none_or(|exact| exact.as_ref() == text.raw()) {
                    found.add(*test);
                }
            }
        }
        self.run_literals(text, found);
        for pattern in &self.untriggered {
            self.try_pattern(*pattern, text, found);
        }
        if !text.is_ascii() && text.raw().contains(LONG_S) {
            for pattern in &self.triggered_regexes {
                self.try_pattern(*pattern, text, found);
            }
        }
        if !self.networks.is_empty()
            && let Ok(address) = text.raw().parse::<IpAddr>()
        {
            for (test, blocks) in &self.networks {
                if blocks.iter().any(|block| block.contains(address)) {
                    found.add(*test);
                }
            }
        }
        if !self.lengths.is_empty() {
            let raw = text.raw();
            let length = if text.is_ascii() { raw.len() } else { raw.encode_utf16().count() } as u64;
            for (test, min, max) in &self.lengths {
                if (*min..=*max).contains(&length) {
                    found.add(*test);
                }
            }
        }
    }

    fn run_literals(&self, text: &Text<'_>, found: &mut Found) {
        if self.literals.len() == 0 {
            return;
        }
        let searched = text.searched();
        self.literals.scan(searched.as_bytes(), |literal, start, end| {
            for target in &self.targets[literal as usize] {
                match target {
                    Target::Pattern(pattern) => self.try_pattern(*pattern, text, found),
                    Target::Phrase(pattern) => {
                        if let (test, Pattern::Phrase(phrase)) = &self.patterns[*pattern as usize]
                            && !found.has(*test)
                            && phrase.stands_at(text, start, end)
                        {
                            found.add(*test);
                        }
                    }
                    Target::Literal { test, place, exact } => {
                        let placed = match place {
                            Place::Start => start == 0,
                            Place::End => end == searched.len(),
                            Place::Anywhere => true,
                        };
                        let holds = placed
                            && match exact {
                                None => true,
                                Some(exact) if text.is_ascii() => searched.get(start..end) == Some(exact.as_ref()),
                                // Folding moved the places, so the text as it is has to be asked.
                                Some(exact) => match place {
                                    Place::Start => text.raw().starts_with(exact.as_ref()),
                                    Place::End => text.raw().ends_with(exact.as_ref()),
                                    Place::Anywhere => text.raw().contains(exact.as_ref()),
                                },
                            };
                        if holds {
                            found.add(*test);
                        }
                    }
                }
            }
        });
    }

    fn try_pattern(&self, number: u32, text: &Text<'_>, found: &mut Found) {
        if std::mem::replace(&mut found.tried[number as usize], true) {
            return;
        }
        let (test, pattern) = &self.patterns[number as usize];
        let holds = match pattern {
            Pattern::Wildcard(wildcard) => wildcard.matches(text),
            Pattern::Regex(regex) => regex.is_match(text.raw()),
            Pattern::Phrase(phrase) => phrase.matches(text),
            Pattern::Near(near) => near.is_near(text.raw()),
        };
        if holds {
            found.add(*test);
        }
    }
}

impl LazyRegex {
    fn is_match(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| regex::Regex::new(&self.pattern).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

impl Range {
    fn new(low: Option<&Bound>, high: Option<&Bound>) -> Self {
        match (low.map(|bound| Self::end(bound, true)), high.map(|bound| Self::end(bound, false))) {
            (None, None) => Self::Always,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(Self::Number { low, .. }), Some(Self::Number { high, .. })) => Self::Number { low, high },
            (Some(Self::Text { low, .. }), Some(Self::Text { high, .. })) => Self::Text { low, high },
            (Some(Self::Time { low, .. }), Some(Self::Time { high, .. })) => Self::Time { low, high },
            (Some(low), Some(high)) => Self::Both(Box::new((low, high))),
        }
    }

    fn end(bound: &Bound, is_low: bool) -> Self {
        let inclusive = bound.inclusive;
        if let Some(time) = bound.time {
            let end = Some((time, inclusive));
            return if is_low { Self::Time { low: end, high: None } } else { Self::Time { low: None, high: end } };
        }
        match &bound.value {
            Value::Int(_) | Value::Float(_) => {
                let end = Number::of(&bound.value).map(|number| (number, inclusive));
                if is_low { Self::Number { low: end, high: None } } else { Self::Number { low: None, high: end } }
            }
            Value::Text(text) => {
                let end = Some((Arc::clone(text), inclusive));
                if is_low { Self::Text { low: end, high: None } } else { Self::Text { low: None, high: end } }
            }
            _ => Self::Never,
        }
    }

    fn needs_text(&self) -> bool {
        match self {
            Self::Text { .. } => true,
            Self::Both(both) => both.0.needs_text() || both.1.needs_text(),
            _ => false,
        }
    }

    fn needs_number(&self) -> bool {
        match self {
            Self::Number { .. } => true,
            Self::Both(both) => both.0.needs_number() || both.1.needs_number(),
            _ => false,
        }
    }

    fn needs_time(&self) -> bool {
        match self {
            Self::Time { .. } => true,
            Self::Both(both) => both.0.needs_time() || both.1.needs_time(),
            _ => false,
        }
    }

    fn holds(&self, number: Option<Number>, text: Option<&str>, time: Option<Timestamp>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Both(both) => both.0.holds(number, text, time) && both.1.holds(number, text, time),
            Self::Number { low, high } => {
                let above = |(end, inclusive): &(Number, bool)| {
                    number.and_then(|n| n.compare(*end)).is_some_and(|o| o.is_gt() || (*inclusive && o.is_eq()))
                };
                let below = |(end, inclusive): &(Number, bool)| {
                    number.and_then(|n| n.compare(*end)).is_some_and(|o| o.is_lt() || (*inclusive && o.is_eq()))
                };
                low.as_ref().is_none_or(above) && high.as_ref().is_none_or(below)
            }
            Self::Text { low, high } => text.is_some_and(|text| {
                within(
                    &text,
                    low.as_ref().map(|(end, i)| (end.as_ref(), *i)),
                    high.as_ref().map(|(end, i)| (end.as_ref(), *i)),
                )
            }),
            Self::Time { low, high } => time.is_some_and(|time| within(&time, *low, *high)),
        }
    }
}

fn within<T: Ord>(value: &T, low: Option<(T, bool)>, high: Option<(T, bool)>) -> bool {
    low.is_none_or(|(end, inclusive)| *value > end || (inclusive && *value == end))
        && high.is_none_or(|(end, inclusive)| *value < end || (inclusive && *value == end))
}

/// The hash key of a number: equal numbers have equal keys.
fn key(number: Number) -> u64 {
    // Adding zero turns -0.0 into 0.0.
    (number.float() + 0.0).to_bits()
}
