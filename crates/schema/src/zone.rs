//! Time zones: what the clock of a place shows, and when it is moved.
//!
//! The rules are those of the IANA database that `jiff` carries, never the machine's own: a run yields the same everywhere.
//! Times are whole milliseconds since 1970. A *local* time is what the clock shows, counted as if it were UTC's.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, LazyLock},
};

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone. Two of the same name are the same.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    rules: TimeZone,
}

impl Zone {
    /// The zone of exactly this name in the IANA database, such as `Europe/Berlin`.
    pub fn named(name: &str) -> Option<Self> {
        let rules = DATABASE.get(name).ok()?;
        // The database does not mind the case of a name; the languages that name zones do.
        (rules.iana_name() == Some(name)).then(|| Self { name: name.into(), rules })
    }

    /// A clock that is always so many seconds ahead of UTC; none beyond a day.
    pub fn fixed(seconds: i32) -> Option<Self> {
        let rules = TimeZone::fixed(Offset::from_seconds(seconds).ok()?);
        Some(Self { name: offset_text(i64::from(seconds)).into(), rules })
    }

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = String> {
        DATABASE.available().map(|name| name.to_string())
    }

    /// Its name, or its offset (`+05:30`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By how many milliseconds its clock is always ahead of UTC; none if that changes or could.
    pub fn fixed_offset(&self) -> Option<i64> {
        self.rules.to_fixed_offset().ok().map(|offset| i64::from(offset.seconds()) * 1000)
    }

    /// By how many milliseconds its clock is ahead of UTC.
    pub fn offset(&self, time: i64) -> Option<i64> {
        Some(i64::from(self.rules.to_offset(moment(time)?).seconds()) * 1000)
    }

    /// What people call its time then, such as `CEST`.
    pub fn abbreviation(&self, time: i64) -> Option<String> {
        Some(self.rules.to_offset_info(moment(time)?).abbreviation().to_owned())
    }

    /// What its clock shows.
    pub fn local(&self, time: i64) -> Option<i64> {
        time.checked_add(self.offset(time)?)
    }

    /// When its clock shows this: the first time of two; of a time that is left out, as much later as is left out.
    pub fn instant(&self, local: i64) -> Option<i64> {
        match self.instants(local)?.as_slice() {
            [first, ..] => Some(*first),
            [] => local.checked_sub(self.around(local)?.0),
        }
    }

    /// When its clock shows this for the first time, or else moves over it.
    pub fn first_instant(&self, local: i64) -> Option<i64> {
        match self.instants(local)?.first() {
            Some(first) => Some(*first),
            None => self.gap_start(local),
        }
    }

    /// When its clock moves over this local time, which it does not show.
    pub fn gap_start(&self, local: i64) -> Option<i64> {
        let before = moment(local.checked_sub(self.around(local)?.1)?)?;
        self.rules.following(before).next().map(|change| change.timestamp().as_millisecond())
    }

    /// All times at which its clock shows this, in order; none of a time that is left out.
    pub fn instants(&self, local: i64) -> Option<Vec<i64>> {
        let of = |offset: Offset| local.checked_sub(i64::from(offset.seconds()) * 1000);
        Some(match self.rules.to_ambiguous_timestamp(civil(local)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => vec![of(offset)?],
            AmbiguousOffset::Fold { before, after } => vec![of(before)?, of(after)?],
            AmbiguousOffset::Gap { .. } => Vec::new(),
        })
    }

    /// The latest time, up to this one, at which its clock was moved; none if it never was.
    pub fn last_change(&self, time: i64) -> Option<i64> {
        let changes = self.rules.preceding(moment(time.checked_add(1)?)?);
        let changed = changes.map(|change| change.timestamp()).filter(|change| {
            let before = change.saturating_sub(SignedDuration::from_millis(1));
            // Where only the name of the time changes the clock goes on.
            before.is_ok_and(|before| self.rules.to_offset(before) != self.rules.to_offset(*change))
        });
        changed.map(Timestamp::as_millisecond).next()
    }

    /// A time that is so much later, or earlier if the numbers are negative. Months and days are moved on its calendar, the
    /// time of the day stays; where the clock shows the result twice, the offset stays as it was if it can.
    pub fn moved(&self, time: i64, months: i64, days: i64, millis: i64) -> Option<i64> {
        let mut time = time;
        for (count, span) in [(months, Span::new().try_months(months)), (days, Span::new().try_days(days))] {
            if count != 0 {
                let date = civil(self.local(time)?)?.checked_add(span.ok()?).ok()?;
                time = self.keeping(millis_of(date)?, self.offset(time)?)?;
            }
        }
        time.checked_add(millis)
    }

    fn keeping(&self, local: i64, offset: i64) -> Option<i64> {
        let kept = local.checked_sub(offset)?;
        if self.instants(local)?.contains(&kept) { Some(kept) } else { self.instant(local) }
    }

    /// The offsets before and after the change that lies around a local time, in milliseconds.
    fn around(&self, local: i64) -> Option<(i64, i64)> {
        let millis = |offset: Offset| i64::from(offset.seconds()) * 1000;
        Some(match self.rules.to_ambiguous_timestamp(civil(local)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => (millis(offset), millis(offset)),
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                (millis(before), millis(after))
            }
        })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn moment(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis).ok()
}

fn civil(local: i64) -> Option<DateTime> {
    Some(moment(local)?.to_zoned(TimeZone::UTC).datetime())
}

fn millis_of(date: DateTime) -> Option<i64> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// An offset in seconds as `+05:30`, with seconds where there are any.
fn offset_text(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.abs();
    let text = format!("{sign}{:02}:{:02}", all / 3600, all / 60 % 60);
    if all % 60 == 0 { text } else { format!("{text}:{:02}", all % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn berlin() -> Zone {
        Zone::named("Europe/Berlin").expect("a zone")
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn names_are_exact() {
        assert!(Zone::named("europe/berlin").is_none() && Zone::named("Europe/Nowhere").is_none());
        assert_eq!(berlin().name(), "Europe/Berlin");
        assert!(Zone::names().any(|name| name == "Asia/Kolkata"));
        assert_eq!(Zone::fixed(19_800).map(|zone| zone.to_string()).as_deref(), Some("+05:30"));
        assert_eq!(Zone::fixed(-3600).and_then(|zone| zone.fixed_offset()), Some(-HOUR));
        assert_eq!(berlin().fixed_offset(), None);
    }

    #[test]
    fn summer_begins_and_ends() {
        let zone = berlin();
        assert_eq!(zone.offset(at("2026-03-29T00:59:59Z")), Some(HOUR));
        assert_eq!(zone.offset(at("2026-03-29T01:00:00Z")), Some(2 * HOUR));
        assert_eq!(zone.abbreviation(at("2026-07-01T00:00:00Z")).as_deref(), Some("CEST"));
        // Half past two is left out in spring and comes twice in autumn.
        let spring = at("2026-03-29T02:30:00Z");
        assert_eq!(zone.instants(spring), Some(vec![]));
        assert_eq!(zone.instant(spring), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(zone.first_instant(spring), Some(at("2026-03-29T01:00:00Z")));
        let autumn = at("2026-10-25T02:30:00Z");
        assert_eq!(zone.instants(autumn), Some(vec![at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")]));
        assert_eq!(zone.last_change(at("2026-07-01T00:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(zone.last_change(at("2026-03-29T01:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn a_day_later_is_the_same_time_of_the_day() {
        let zone = berlin();
        assert_eq!(zone.moved(at("2026-03-28T11:00:00Z"), 0, 1, 0), Some(at("2026-03-29T10:00:00Z")));
        assert_eq!(zone.moved(at("2026-03-28T11:00:00Z"), 0, 0, 24 * HOUR), Some(at("2026-03-29T11:00:00Z")));
        assert_eq!(zone.moved(at("2026-03-28T01:30:00Z"), 0, 1, 0), Some(at("2026-03-29T01:30:00Z")));
        // The second half past two stays the second.
        assert_eq!(zone.moved(at("2026-10-26T01:30:00Z"), 0, -1, 0), Some(at("2026-10-25T01:30:00Z")));
        assert_eq!(zone.moved(at("2026-01-31T00:00:00Z"), 1, 0, 0), Some(at("2026-02-28T00:00:00Z")));
    }
}
