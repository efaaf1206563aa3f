//! `now` in a query that is read before it is run.
//!
//! A published rule says `@timestamp >= "now-30d"` and means the time of its run. Over files there is no such time; the
//! clock stands at the event that is looked at, as it would have for a rule that ran right when the event came. So a
//! comparison of the event's own time with `now` has one answer for all events.

use lurcher_ir::{Predicate, SupportReason, Test, Verdict};
use lurcher_schema::Timestamp;

use super::{dates, field::Typed, search::Misfit};

/// Whether a field holds the time by which events are ordered.
pub(crate) fn is_event_time(typed: &Typed) -> bool {
    typed.field.path.as_str() == "@timestamp"
}

/// Whether an event whose time is `now` lies in the range that was asked for.
pub(crate) fn at_event_time(range: impl FnOnce(Timestamp) -> Result<Predicate, Misfit>) -> bool {
    // Any moment that lies on no border of a day, hour or minute.
    let Some(now) = Timestamp::parse("2026-06-17T12:34:56.789Z") else { return false };
    let Ok(Predicate::Test { test: Test::Range { low, high }, .. }) = range(now) else { return false };
    let above = low.and_then(|bound| Some((bound.time?, bound.inclusive)));
    let below = high.and_then(|bound| Some((bound.time?, bound.inclusive)));
    above.is_none_or(|(end, within)| now > end || (within && now == end))
        && below.is_none_or(|(end, within)| now < end || (within && now == end))
}

/// The verdict on a date that counts from the time of the event.
pub(crate) fn clock_of_the_event() -> SupportReason {
    let message =
        "`now` is the time of the event, as on a clock that stands there; at its vendor's it is that of the run";
    SupportReason { verdict: Verdict::Approximate, code: "now", message: message.to_owned(), span: None }
}

/// The verdict on versions that are ordered.
pub(crate) fn version_order() -> SupportReason {
    let message = "versions are ordered as text, not part by part";
    SupportReason { verdict: Verdict::Approximate, code: "version-order", message: message.to_owned(), span: None }
}

/// Whether a text is meant as date math, whatever is wrong with it.
pub(crate) fn is_date_math(text: &str) -> bool {
    text.starts_with("now") || text.contains("||")
}

/// Whether date math can be read, whenever it is run.
pub(crate) fn can_be_read(text: &str) -> bool {
    dates::parse(text, Some(Timestamp::default())).is_ok()
}

/// The verdict on another date that counts from `now`.
pub(crate) fn no_clock() -> SupportReason {
    let message = "a date counts from `now`, and the time of the run is not known when the rule is read";
    SupportReason { verdict: Verdict::Unsupported, code: "now", message: message.to_owned(), span: None }
}
