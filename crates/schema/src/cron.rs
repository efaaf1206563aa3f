//! Cron schedules: `MINUTE HOUR DAY MONTH WEEKDAY`, in UTC.
//!
//! Each field is `*`, a number, a range, a list, any of them with a step. Where both day and weekday are restricted, a
//! time that fits either is meant, as in cron itself. What this does not do: seconds, years, `@hourly`, `L`, `#`.

use jiff::{civil::DateTime, tz::TimeZone};

use crate::{Timestamp, relative_time::TimeUnit};

/// When something recurs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cron {
    /// Bit n: minute n, and so on.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Bit 0 is Sunday.
    weekdays: u64,
    /// Both day and weekday are restricted.
    either_day: bool,
}

/// No schedule recurs more rarely than this; a date that never is (30 February) ends the search.
const LONGEST: i64 = 9 * 366;

impl Cron {
    /// Reads the five fields; `None` if they are not a schedule.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        let weekdays = field(weekday, 0, 7, &WEEKDAYS)?;
        Some(Self {
            minutes: field(minute, 0, 59, &[])?,
            hours: field(hour, 0, 23, &[])?,
            days: field(day, 1, 31, &[])?,
            months: field(month, 1, 12, &MONTHS)?,
            // Sunday is both 0 and 7.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }

    /// The first time it recurs at or after a time.
    pub fn next(&self, from: Timestamp) -> Option<Timestamp> {
        let mut time = TimeUnit::Minute.floor(from);
        if time < from {
            time = TimeUnit::Minute.shift(time, 1);
        }
        for _ in 0..=LONGEST {
            let civil = civil(time)?;
            let midnight = TimeUnit::Day.floor(time);
            if self.fits_day(civil) {
                let minute = i64::from(civil.hour()) * 60 + i64::from(civil.minute());
                if let Some(found) = self.minute_of_day(minute) {
                    return Some(TimeUnit::Minute.shift(midnight, found));
                }
            }
            time = TimeUnit::Day.shift(midnight, 1);
        }
        None
    }

    fn fits_day(&self, civil: DateTime) -> bool {
        let day = has(self.days, i64::from(civil.day()));
        let weekday = has(self.weekdays, i64::from(civil.weekday().to_sunday_zero_offset()));
        let fits = if self.either_day { day || weekday } else { day && weekday };
        fits && has(self.months, i64::from(civil.month()))
    }

    /// The first minute of the day, at or after one, that fits.
    fn minute_of_day(&self, from: i64) -> Option<i64> {
        (from..24 * 60).find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60))
    }
}

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 13] = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn has(set: u64, number: i64) -> bool {
    set >> number & 1 == 1
}

fn civil(time: Timestamp) -> Option<DateTime> {
    Some(jiff::Timestamp::from_microsecond(time.0).ok()?.to_zoned(TimeZone::UTC).datetime())
}

/// The numbers of one field as bits.
fn field(text: &str, low: u64, high: u64, names: &[&str]) -> Option<u64> {
    let number = |text: &str| {
        let word = names.iter().position(|name| !name.is_empty() && text.eq_ignore_ascii_case(name));
        let number = word.map_or_else(|| text.parse().ok(), |at| Some(at as u64))?;
        (low..=high).contains(&number).then_some(number)
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u64>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (number(first)?, number(last)?),
            None if step.is_some() => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if first > last {
            return None;
        }
        (first..=last).step_by(step.unwrap_or(1) as usize).for_each(|n| set |= 1 << n);
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(cron: &str, from: &str) -> String {
        Cron::parse(cron).unwrap().next(Timestamp::parse(from).unwrap()).unwrap().to_string()
    }

    #[test]
    fn schedules_recur() {
        let now = "2026-03-04T08:17:42Z";
        assert_eq!(next("0 * * * *", now), "2026-03-04T09:00:00Z");
        assert_eq!(next("*/5 * * * *", now), "2026-03-04T08:20:00Z");
        assert_eq!(next("*/5 * * * *", "2026-03-04T08:20:00Z"), "2026-03-04T08:20:00Z");
        assert_eq!(next("30 6 * * *", now), "2026-03-05T06:30:00Z");
        assert_eq!(next("0 0 * * sun", now), "2026-03-08T00:00:00Z");
        assert_eq!(next("0 0 1 * 5", now), "2026-03-06T00:00:00Z");
        assert_eq!(next("15,45 8-9 29 feb *", now), "2028-02-29T08:15:00Z");
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "@daily", "x * * * *"] {
            assert_eq!(Cron::parse(text), None, "{text}");
        }
        assert_eq!(Cron::parse("0 0 30 2 *").unwrap().next(Timestamp(0)), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in r"[-*/,0-9a-z]{1,6}( [-*/,0-9]{1,5}){4}") {
            if let Some(cron) = Cron::parse(&text) {
                cron.next(Timestamp(1_700_000_000_000_000));
            }
        }
    }
}
