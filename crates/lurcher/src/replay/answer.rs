//! What a server's answer means for the events of a request: taken, to be sent again, or refused for good.

use std::time::Duration;

use serde_json::Value;

use super::envelope::Protocol;

/// The longest that a server may ask to wait.
const LONGEST: Duration = Duration::from_mins(1);

/// What became of a request's events.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// All of them were taken but these, by their places in the request.
    Taken {
        /// Not now; the first reason why.
        again: Vec<usize>,
        /// Never, and why.
        refused: Vec<(usize, String)>,
    },
    /// None was taken: come again, after a while if it is said.
    Later(Option<Duration>, String),
    /// None was taken: there are too many bytes.
    TooLarge,
    /// None was taken, nor will any be of this request.
    Refused(String),
    /// No request will be taken.
    Denied(String),
}

/// Reads an answer to a request with so many events. `retry_after` is the header's text.
pub(super) fn verdict(
    protocol: Protocol,
    count: usize,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
) -> Verdict {
    let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let why = || format!("{status}: {}", reason(&answer, body));
    match status {
        200 | 201 => match protocol {
            Protocol::Bulk => items(&answer, count),
            // Anything but code 0 comes with another status.
            Protocol::Hec => Verdict::Taken { again: Vec::new(), refused: Vec::new() },
        },
        413 => Verdict::TooLarge,
        401 | 403 | 404 | 405 => Verdict::Denied(why()),
        408 | 429 | 500.. => Verdict::Later(retry_after.and_then(wait), why()),
        400 if protocol == Protocol::Hec && count > 1 => {
            // Events are taken in order up to the faulty one, which is counted from 0, but from 1 where its index is at
            // fault.
            let number = answer["invalid-event-number"].as_u64().and_then(|n| usize::try_from(n).ok());
            let bad = if answer["code"] == 7 { number.and_then(|n| n.checked_sub(1)) } else { number };
            match bad.filter(|bad| *bad < count) {
                Some(bad) => Verdict::Taken { again: (bad + 1..count).collect(), refused: vec![(bad, why())] },
                None => Verdict::Refused(why()),
            }
        }
        _ => Verdict::Refused(why()),
    }
}

/// Seconds, or a date, which is taken as soon.
fn wait(retry_after: &str) -> Option<Duration> {
    Some(Duration::from_secs(retry_after.trim().parse().ok()?).min(LONGEST))
}

/// One result an event, in order.
fn items(answer: &Value, count: usize) -> Verdict {
    let results = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    let (mut again, mut refused) = (Vec::new(), Vec::new());
    for at in 0..count {
        // `{"create":{"status":201}}`; what has no result is not known to be taken.
        let result = results.get(at).and_then(Value::as_object).and_then(|result| result.values().next());
        let status = result.and_then(|result| result["status"].as_u64()).unwrap_or(0);
        match status {
            200..=299 => {}
            0 | 429 | 500.. => again.push(at),
            _ => {
                let error = result.map_or(&Value::Null, |result| &result["error"]);
                refused.push((at, format!("{status}: {}", words(error))));
            }
        }
    }
    Verdict::Taken { again, refused }
}

/// Why, in the server's words.
fn reason(answer: &Value, body: &[u8]) -> String {
    let told = [&answer["text"], &answer["error"], &answer["message"], &answer["detail"], &answer["title"]];
    if let Some(told) = told.into_iter().find(|told| !told.is_null()) {
        return words(told);
    }
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(200).collect()
}

fn words(error: &Value) -> String {
    match error {
        Value::String(text) => text.clone(),
        Value::Object(parts) => {
            let part = |name| parts.get(name).and_then(Value::as_str);
            [part("type"), part("reason")].into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        Value::Null => "no reason given".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_of_a_bulk_answer_counts() {
        let body = br#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"no"}}}]}"#;
        let expected =
            Verdict::Taken { again: vec![1, 3], refused: vec![(2, "400: mapper_parsing_exception: no".to_owned())] };
        assert_eq!(verdict(Protocol::Bulk, 4, 200, None, body), expected);
    }

    #[test]
    fn a_server_that_is_busy_is_asked_again() {
        let body = br#"{"text":"Server is busy","code":9}"#;
        let busy = |wait| Verdict::Later(wait, "503: Server is busy".to_owned());
        assert_eq!(verdict(Protocol::Hec, 2, 503, Some("3"), body), busy(Some(Duration::from_secs(3))));
        assert_eq!(verdict(Protocol::Hec, 2, 503, Some("99999"), body), busy(Some(LONGEST)));
        assert_eq!(verdict(Protocol::Hec, 2, 503, Some("soon"), body), busy(None));
        assert_eq!(verdict(Protocol::Bulk, 2, 413, None, b""), Verdict::TooLarge);
        assert_eq!(verdict(Protocol::Bulk, 2, 401, None, b"go"), Verdict::Denied("401: go".to_owned()));
    }

    #[test]
    fn one_bad_event_does_not_cost_the_others() {
        let body = br#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#;
        let expected = Verdict::Taken { again: vec![2], refused: vec![(1, "400: Invalid data format".to_owned())] };
        assert_eq!(verdict(Protocol::Hec, 3, 400, None, body), expected);
        assert_eq!(verdict(Protocol::Hec, 1, 400, None, body), Verdict::Refused("400: Invalid data format".to_owned()));
    }
}
