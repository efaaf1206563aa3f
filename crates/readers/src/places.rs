//! Where a document in ECS would lie at Elastic's: rules choose events by patterns over the names of indices.
//!
//! A document says so more or less plainly: it comes with its index, names its data stream in full or in part, its data
//! set, or the program that sent it. Documents that name none of these lie nowhere, and only rules without patterns see
//! them.

use crate::names::{self, Name};

/// The Beats, whose documents lie in indices of their own unless a data stream is named.
const BEATS: &[&str] =
    &["auditbeat", "filebeat", "functionbeat", "heartbeat", "journalbeat", "metricbeat", "packetbeat", "winlogbeat"];

/// The names of the indices that a document may lie in, the likeliest first. `get` gives the value of a field as text,
/// or an empty text.
pub(crate) fn of_document(get: impl Fn(Name) -> String) -> Vec<String> {
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    let stream = |dataset: &str| {
        let kind = or(get(names::STREAM_TYPE), "logs");
        let namespace = or(get(names::STREAM_NAMESPACE), "default");
        format!("{kind}-{dataset}-{namespace}")
    };
    let dataset = get(names::STREAM_DATASET);
    if !dataset.is_empty() {
        return vec![stream(&dataset)];
    }
    if [names::ALERT_RULE, names::ALERT_RULE_ID, names::SIGNAL_RULE].into_iter().any(|name| !get(name).is_empty()) {
        return vec![alerts(&get(names::SPACES))];
    }
    let sender = [names::METADATA_BEAT, names::AGENT_TYPE].into_iter().map(&get).find(|sender| !sender.is_empty());
    let mut indices = Vec::new();
    match sender.as_deref() {
        Some("endpoint" | "cloudbeat" | "osquerybeat") => {}
        Some(sender) => indices.push(format!("{sender}-default")),
        None if get(names::EVENT_MODULE) == "endgame" || !get(names::ENDGAME).is_empty() => {
            indices.push("endgame-default".to_owned());
        }
        None if !get(names::WINLOG_CHANNEL).is_empty() => indices.push("winlogbeat-default".to_owned()),
        None => {}
    }
    // The data sets of integrations are called `package.stream`; what a Beat alone sends has a plain name.
    let dataset = get(names::EVENT_DATASET);
    let integrated = sender.is_none_or(|sender| BEATS.contains(&sender.as_str()) || indices.is_empty());
    if dataset.contains('.') && integrated {
        indices.push(stream(&dataset));
    }
    indices
}

/// The index of the alerts of a space: the first that the document names, else the default one.
fn alerts(spaces: &str) -> String {
    let bare = spaces.trim_matches(|c| matches!(c, '[' | ']' | '"' | ' '));
    let space = bare.split(['"', ',']).next().filter(|space| !space.is_empty()).unwrap_or("default");
    format!(".alerts-security.alerts-{space}")
}

/// The data stream that a backing index belongs to (`.ds-NAME-2026.01.31-000001`); any other index itself.
pub(crate) fn data_stream(index: &str) -> &str {
    let Some(name) = index.strip_prefix(".ds-") else { return index };
    let Some((name, generation)) = name.rsplit_once('-') else { return index };
    let Some((name, date)) = name.rsplit_once('-') else { return index };
    if generation.bytes().all(|b| b.is_ascii_digit()) && date.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        name
    } else {
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(fields: &[(Name, &str)]) -> Vec<String> {
        of_document(|name| fields.iter().find(|field| field.0 == name).map_or("", |field| field.1).to_owned())
    }

    #[test]
    fn backing_indices_are_their_data_stream() {
        assert_eq!(
            data_stream(".ds-logs-endpoint.events.process-default-2026.01.31-000001"),
            "logs-endpoint.events.process-default"
        );
        assert_eq!(data_stream("winlogbeat-7.17.0-2021.05.01-000001"), "winlogbeat-7.17.0-2021.05.01-000001");
    }

    #[test]
    fn a_data_stream_counts_before_the_sender() {
        let sender = (names::AGENT_TYPE, "filebeat");
        assert_eq!(places(&[(names::STREAM_DATASET, "okta.system"), sender]), ["logs-okta.system-default"]);
        let parts = [(names::STREAM_TYPE, "traces"), (names::STREAM_DATASET, "apm"), (names::STREAM_NAMESPACE, "x")];
        assert_eq!(places(&parts), ["traces-apm-x"]);
    }

    #[test]
    fn senders_and_data_sets_tell_too() {
        assert_eq!(
            places(&[(names::AGENT_TYPE, "packetbeat"), (names::EVENT_DATASET, "flow")]),
            ["packetbeat-default"]
        );
        let both = places(&[(names::AGENT_TYPE, "filebeat"), (names::EVENT_DATASET, "okta.system")]);
        assert_eq!(both, ["filebeat-default", "logs-okta.system-default"]);
        let defend = places(&[(names::AGENT_TYPE, "endpoint"), (names::EVENT_DATASET, "endpoint.events.file")]);
        assert_eq!(defend, ["logs-endpoint.events.file-default"]);
        assert_eq!(places(&[(names::EVENT_DATASET, "aws.cloudtrail")]), ["logs-aws.cloudtrail-default"]);
        assert_eq!(places(&[(names::EVENT_MODULE, "endgame")]), ["endgame-default"]);
        assert_eq!(places(&[(names::WINLOG_CHANNEL, "Security")]), ["winlogbeat-default"]);
        assert_eq!(places(&[]), [""; 0]);
    }

    #[test]
    fn alerts_lie_in_the_index_of_their_space() {
        let rule = (names::ALERT_RULE_ID, "r");
        assert_eq!(places(&[rule]), [".alerts-security.alerts-default"]);
        assert_eq!(places(&[rule, (names::SPACES, r#"["blue"]"#)]), [".alerts-security.alerts-blue"]);
    }
}
