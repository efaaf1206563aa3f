//! Acknowledgements by channel.
//!
//! An id is given only for what is on disk, so every id that was given is acknowledged. Which were given is known by a
//! count per channel; of a channel that is not known any more (the server started anew, or had to forget it) every id
//! is taken as given, since nobody asks for what was not.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;

/// Channels that are remembered; then all are forgotten, which does no harm.
const MOST: usize = 10_000;

/// The next id of each channel.
#[derive(Debug, Default)]
pub(super) struct Channels(Mutex<HashMap<String, u64>>);

#[derive(Deserialize)]
struct Question {
    acks: Vec<u64>,
}

impl Channels {
    /// The id of a request that was taken just now.
    pub(super) fn next(&self, channel: &str) -> u64 {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.len() >= MOST && !channels.contains_key(channel) {
            channels.clear();
        }
        let next = channels.entry(channel.to_ascii_lowercase()).or_default();
        *next += 1;
        *next - 1
    }

    /// The answer to `{"acks":[…]}`; none if that is not what was asked.
    pub(super) fn answer(&self, channel: &str, body: &[u8]) -> Option<Answer> {
        let question: Question = serde_json::from_slice(body).ok()?;
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = channels.get(&channel.to_ascii_lowercase()).copied().unwrap_or(u64::MAX);
        let acks: BTreeMap<String, bool> = question.acks.iter().map(|id| (id.to_string(), *id < next)).collect();
        Some(Answer::plain(json!({"acks": acks})))
    }
}

/// A channel is a GUID.
pub(super) fn is_channel(channel: &str) -> bool {
    let parts: Vec<&str> = channel.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_acknowledged() {
        let channels = Channels::default();
        assert_eq!((channels.next("A"), channels.next("a"), channels.next("b")), (0, 1, 0));
        let asked = |channel| channels.answer(channel, b"{\"acks\":[0,1,7]}").unwrap().body;
        assert_eq!(asked("a"), json!({"acks": {"0": true, "1": true, "7": false}}));
        assert_eq!(asked("of the last run"), json!({"acks": {"0": true, "1": true, "7": true}}));
        assert!(channels.answer("a", b"{}").is_none());
    }

    #[test]
    fn channels_are_guids() {
        assert!(is_channel("FE0ECFAD-13D5-401B-847D-77833BD77131"));
        for wrong in ["", "x", "FE0ECFAD-13D5-401B-847D-77833BD7713", "FE0ECFAD-13D5-401B-847D-77833BD7713g"] {
            assert!(!is_channel(wrong), "{wrong}");
        }
    }
}
