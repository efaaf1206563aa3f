//! Splunk's `.conf` files, as apps are exported: saved searches, macros, lookups.
//!
//! Stanzas become the trees that the YAML of the same things is (`savedsearches.conf` a detection, `macros.conf` a macro,
//! `transforms.conf` a lookup), so that what they mean is said in one place. The settings are those that Splunk documents
//! in its specification files (`savedsearches.conf.spec`, `macros.conf.spec`, `transforms.conf.spec`) and that Enterprise
//! Security's correlation searches carry (`action.correlationsearch.*`, `action.risk.*`, `action.notable.*`).
//!
//! What a stanza is, is told by its settings and not by the file's name. Scheduling, dispatching and display settings
//! that nothing here reads are kept with the rule under their own names.

use std::sync::Arc;

use lurcher_diagnostics::{SourceFile, Span};

use crate::{
    macros::Macro,
    node::{Data, Node},
};

/// One stanza of a `.conf` file.
#[derive(Clone, Debug)]
pub(crate) struct Stanza {
    /// What stands between the brackets.
    pub(crate) name: String,
    /// The stanza's head.
    span: Span,
    /// Its settings in order; of a repeated one the last counts.
    settings: Vec<(String, Node)>,
}

/// What a stanza is.
#[derive(Clone, Debug)]
pub(crate) enum Knowledge {
    /// A saved search, as the tree of a detection.
    Search(Node),
    /// A search macro.
    Macro(Macro),
    /// A lookup's definition, as the tree of its YAML.
    Lookup(Node),
    /// An event type: its name and its search.
    Eventtype(String, String),
    /// What bears which tags: a field and its value, and tags that are on (or off).
    Tags {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// Tags, and whether they are enabled.
        tags: Vec<(String, bool)>,
    },
}

/// Whether a text is a `.conf` file that holds searches, macros or lookups: stanzas, and a setting that only they have.
pub(crate) fn is_conf(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = lines.next() else { return false };
    let stanza = |line: &str| line.starts_with('[') && line.ends_with(']') && !line.starts_with("[[");
    let telling = |line: &str| {
        let key = line.split_once('=').map_or("", |(key, _)| key.trim());
        matches!(key, "search" | "definition" | "filename" | "collection" | "iseval")
    };
    let tagging = |line: &str| {
        let value = line.split_once('=').map_or("", |(_, value)| value.trim());
        value.eq_ignore_ascii_case("enabled") || value.eq_ignore_ascii_case("disabled")
    };
    let tagged = first.contains('=');
    stanza(first) && lines.any(|line| telling(line) || (tagged && tagging(line)))
}

/// The stanzas of a file; `[default]` and what stands before the first head are left out.
pub(crate) fn stanzas(file: &Arc<SourceFile>) -> Vec<Stanza> {
    let text = file.text();
    let mut stanzas: Vec<Stanza> = Vec::new();
    let mut at = 0;
    while let Some(line) = text.get(at..).and_then(|rest| rest.split_inclusive('\n').next()) {
        let begin = at;
        at += line.len();
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            stanzas.push(Stanza {
                name: name.to_owned(),
                span: Span::new(begin, begin + line.trim_end().len()),
                settings: Vec::new(),
            });
            continue;
        }
        // A line that ends in a backslash goes on in the next.
        let mut whole = line.len();
        while text[begin..begin + whole].trim_end_matches(['\r', '\n']).ends_with('\\')
            && let Some(next) = text.get(begin + whole..).and_then(|rest| rest.split_inclusive('\n').next())
        {
            whole += next.len();
        }
        at = begin + whole;
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        if let (Some(stanza), Some((key, value))) = (stanzas.last_mut(), text[begin..at].split_once('=')) {
            let start = begin + key.len() + 1 + (value.len() - value.trim_start().len());
            let raw = value.trim();
            let continued = raw.replace("\\\r\n", "\n").replace("\\\n", "\n");
            let node = Node { span: Span::new(start, start + raw.len()), data: Data::Text(continued) };
            stanza.settings.push((key.trim().to_owned(), node));
        }
    }
    stanzas.retain(|stanza| stanza.name != "default");
    stanzas
}

impl Stanza {
    fn get(&self, key: &str) -> Option<&Node> {
        self.settings.iter().rev().find(|(known, _)| known == key).map(|(_, node)| node)
    }

    fn text(&self, key: &str) -> String {
        self.get(key).and_then(Node::scalar).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        matches!(self.text(key).to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "t" | "y")
    }

    /// A setting that holds JSON; null if it is none.
    fn json(&self, key: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(key)).unwrap_or_default()
    }

    fn node(&self, data: Data) -> Node {
        Node { span: self.span, data }
    }

    fn words(&self, text: impl Into<String>) -> Node {
        self.node(Data::Text(text.into()))
    }

    /// What it is; none if it is nothing that rules need.
    pub(crate) fn knowledge(&self, file: &SourceFile) -> Option<Knowledge> {
        if self.get("definition").is_some() {
            return Some(Knowledge::Macro(self.search_macro(file)));
        }
        if self.get("filename").is_some() || self.get("collection").is_some() {
            return Some(Knowledge::Lookup(self.lookup()));
        }
        if let Some(tags) = self.tagging() {
            return Some(tags);
        }
        self.get("search")?;
        // An event type has nothing that a saved search has not; the file's name tells it.
        if file.name().rsplit(['/', '\\']).next().is_some_and(|name| name.eq_ignore_ascii_case("eventtypes.conf")) {
            let search = self.text("search");
            return (!self.flag("disabled")).then(|| Knowledge::Eventtype(self.name.clone(), search));
        }
        Some(Knowledge::Search(self.detection()))
    }

    /// `[field=value]` with tags that are `enabled` or `disabled`.
    fn tagging(&self) -> Option<Knowledge> {
        let (field, value) = self.name.split_once('=')?;
        let state = |node: &Node| match node.scalar()?.trim().to_ascii_lowercase().as_str() {
            "enabled" => Some(true),
            "disabled" => Some(false),
            _ => None,
        };
        let tags: Option<Vec<(String, bool)>> =
            self.settings.iter().map(|(tag, node)| Some((tag.clone(), state(node)?))).collect();
        let tags = tags.filter(|tags| !tags.is_empty())?;
        Some(Knowledge::Tags { field: field.trim().to_owned(), value: unescaped(value.trim()), tags })
    }

    /// `[name(2)]`: the number of arguments belongs to the head, their names to `args`.
    fn search_macro(&self, file: &SourceFile) -> Macro {
        let name = self.name.split_once('(').map_or(self.name.as_str(), |(name, _)| name);
        let arguments = self.text("args");
        Macro {
            name: name.trim().to_owned(),
            arguments: arguments.split(',').map(|a| a.trim().to_owned()).filter(|a| !a.is_empty()).collect(),
            definition: self.text("definition"),
            is_eval: self.flag("iseval"),
            validation: self.text("validation"),
            message: self.text("errormsg"),
            path: file.name().to_owned(),
        }
    }

    fn lookup(&self) -> Node {
        let mut members = vec![("name".to_owned(), self.words(self.name.as_str()))];
        let keys =
            ["filename", "collection", "match_type", "min_matches", "max_matches", "default_match", "fields_list"];
        for key in keys.into_iter().chain(["time_field", "filter"]) {
            members.extend(self.get(key).map(|node| (key.to_owned(), node.clone())));
        }
        let sensitive = self.get("case_sensitive_match").is_none() || self.flag("case_sensitive_match");
        members.push(("case_sensitive_match".to_owned(), self.words(sensitive.to_string())));
        self.node(Data::Map(members))
    }

    /// The tree of a detection: what Enterprise Security says of a correlation search in `action.…` settings, under the
    /// names of the detection's YAML.
    fn detection(&self) -> Node {
        let metadata = self.json("action.correlationsearch.metadata");
        let text = |value: &serde_json::Value| {
            value.as_str().map(str::to_owned).or_else(|| Some(value.as_number()?.to_string()))
        };
        let label = self.text("action.correlationsearch.label");
        let name = if label.is_empty() { self.name.clone() } else { label };
        let id = text(&metadata["detection_id"]).unwrap_or_else(|| self.name.clone());
        let mut members = vec![
            ("name".to_owned(), self.words(short_name(&name))),
            ("id".to_owned(), self.words(id)),
            ("type".to_owned(), self.words(self.kind())),
            ("rba".to_owned(), self.rba()),
            ("tags".to_owned(), self.tags()),
        ];
        let version = text(&metadata["detection_version"]);
        members.extend(version.map(|version| ("version".to_owned(), self.words(version))));
        let copied = [
            ("search", "search"),
            ("description", "description"),
            ("action.escu.modification_date", "date"),
            ("action.escu.how_to_implement", "how_to_implement"),
            ("action.escu.known_false_positives", "known_false_positives"),
        ];
        members.extend(copied.iter().filter_map(|(key, to)| Some(((*to).to_owned(), self.get(key)?.clone()))));
        members.push(("status".to_owned(), self.words(if self.flag("disabled") { "disabled" } else { "production" })));
        members.push(("deployment".to_owned(), self.deployment()));
        let read = |key: &str| copied.iter().any(|(known, _)| *known == key) || key.starts_with("action.risk");
        members.extend(self.settings.iter().filter(|(key, _)| !read(key)).cloned());
        self.node(Data::Map(members))
    }

    /// The type that the search's actions come to: findings, risk only, or neither.
    fn kind(&self) -> &'static str {
        let reads_risk = self.text("search").to_ascii_lowercase().contains("datamodel=risk");
        match (self.flag("action.notable"), self.flag("action.risk")) {
            (true, false) if reads_risk => "Correlation",
            (true, _) => "TTP",
            (false, true) => "Anomaly",
            (false, false) => "Hunting",
        }
    }

    fn rba(&self) -> Node {
        let (mut risk, mut threat) = (Vec::new(), Vec::new());
        for object in self.json("action.risk.param._risk").as_array().into_iter().flatten() {
            let word = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
            let mut members = Vec::new();
            let (list, prefix) = if object["risk_object_field"].is_string() {
                let score = &object["risk_score"];
                let score = score.as_str().map(str::to_owned).or_else(|| Some(score.as_number()?.to_string()));
                members.extend(score.map(|score| ("score".to_owned(), self.node(Data::Number(score)))));
                (&mut risk, "risk_object")
            } else {
                (&mut threat, "threat_object")
            };
            members.push(("field".to_owned(), self.words(word(&format!("{prefix}_field")))));
            members.push(("type".to_owned(), self.words(word(&format!("{prefix}_type")))));
            list.push(self.node(Data::Map(members)));
        }
        let message = self.text("action.risk.param._risk_message");
        let message = if message.is_empty() { self.text("action.notable.param.rule_description") } else { message };
        self.node(Data::Map(vec![
            ("message".to_owned(), self.words(message)),
            ("risk_objects".to_owned(), self.node(Data::List(risk))),
            ("threat_objects".to_owned(), self.node(Data::List(threat))),
        ]))
    }

    fn tags(&self) -> Node {
        let annotations = self.json("action.correlationsearch.annotations");
        let list = |key: &str, to: &str| {
            let texts = annotations[key].as_array()?.iter().filter_map(|item| item.as_str());
            Some((to.to_owned(), self.node(Data::List(texts.map(|text| self.words(text)).collect()))))
        };
        let mut members: Vec<(String, Node)> = [
            list("analytic_story", "analytic_story"),
            list("mitre_attack", "mitre_attack_id"),
            list("kill_chain_phases", "kill_chain_phases"),
            list("nist", "nist"),
            list("cis20", "cis20"),
            list("cve", "cve"),
        ]
        .into_iter()
        .flatten()
        .collect();
        for key in ["confidence", "impact"] {
            let number = annotations[key].as_number().map(ToString::to_string);
            members.extend(number.map(|number| (key.to_owned(), self.node(Data::Number(number)))));
        }
        for (key, to) in [
            ("action.notable.param.severity", "risk_severity"),
            ("action.notable.param.security_domain", "security_domain"),
            ("action.escu.asset_type", "asset_type"),
        ] {
            members.extend(self.get(key).map(|node| (to.to_owned(), node.clone())));
        }
        if self.flag("alert.suppress") {
            let fields = self.text("alert.suppress.fields");
            let fields =
                fields.split(',').map(str::trim).filter(|field| !field.is_empty()).map(|field| self.words(field));
            members.push((
                "throttling".to_owned(),
                self.node(Data::Map(vec![
                    ("fields".to_owned(), self.node(Data::List(fields.collect()))),
                    ("period".to_owned(), self.words(self.text("alert.suppress.period"))),
                ])),
            ));
        }
        self.node(Data::Map(members))
    }

    fn deployment(&self) -> Node {
        let times = [
            ("cron_schedule", "cron_schedule"),
            ("dispatch.earliest_time", "earliest_time"),
            ("dispatch.latest_time", "latest_time"),
        ];
        let members = times.iter().filter_map(|(key, to)| Some(((*to).to_owned(), self.get(key)?.clone()))).collect();
        self.node(Data::Map(vec![("scheduling".to_owned(), self.node(Data::Map(members)))]))
    }
}

/// Values in the heads of `tags.conf` are written as in addresses: `%3A` is a colon.
fn unescaped(value: &str) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let ahead = bytes.clone();
        let hex: Vec<u32> = ahead.take(2).filter_map(|b| char::from(b).to_digit(16)).collect();
        match (byte, hex.as_slice()) {
            (b'%', [high, low]) => {
                out.push((high * 16 + low) as u8);
                bytes.nth(1);
            }
            (byte, _) => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `ESCU - Name - Rule` is how the content update calls the stanza of the detection `Name`.
fn short_name(stanza: &str) -> &str {
    let inner = stanza.split_once(" - ").and_then(|(_, rest)| rest.strip_suffix(" - Rule"));
    inner.unwrap_or(stanza)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCHES: &str = r#"# exported
[default]
disabled = 0

[ESCU - Odd Download - Rule]
action.correlationsearch.annotations = {"analytic_story": ["BITS"], "mitre_attack": ["T1197"], "confidence": 70, "impact": 70}
action.correlationsearch.label = ESCU - Odd Download - Rule
action.correlationsearch.metadata = {"detection_id": "6f7d", "detection_version": "3"}
action.notable = 1
action.risk = 1
action.risk.param._risk_message = $dest$ fetched a file
action.risk.param._risk = [{"risk_object_field": "dest", "risk_object_type": "system", "risk_score": 49}, \
  {"threat_object_field": "process_name", "threat_object_type": "process_name"}]
alert.suppress = 1
alert.suppress.fields = dest, user
alert.suppress.period = 86400s
cron_schedule = 0 * * * *
dispatch.earliest_time = -70m@m
search = index=main process_name=bitsadmin.exe \
| stats count by dest
"#;

    fn of(text: &str) -> Vec<Knowledge> {
        assert!(is_conf(text));
        let file = SourceFile::new("x.conf", text);
        stanzas(&file).iter().filter_map(|stanza| stanza.knowledge(&file)).collect()
    }

    #[test]
    fn a_correlation_search_becomes_the_tree_of_a_detection() {
        let found = of(SEARCHES);
        let [Knowledge::Search(tree)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (tree.text("name"), tree.text("id"), tree.text("version")),
            ("Odd Download".into(), "6f7d".into(), "3".into())
        );
        assert_eq!(tree.text("type"), "TTP");
        assert_eq!(tree.text("search"), "index=main process_name=bitsadmin.exe \n| stats count by dest");
        let rba = tree.get("rba").unwrap();
        assert_eq!(rba.items("risk_objects")[0].number("score"), Some(49.0));
        assert_eq!(rba.items("threat_objects")[0].text("field"), "process_name");
        assert_eq!(tree.at(&["tags"]).unwrap().texts("mitre_attack_id"), ["T1197"]);
        assert_eq!(tree.at(&["tags", "throttling"]).unwrap().texts("fields"), ["dest", "user"]);
        assert_eq!(tree.at(&["deployment", "scheduling"]).unwrap().text("earliest_time"), "-70m@m");
    }

    #[test]
    fn macros_and_lookups_are_told_by_their_settings() {
        let found = of("[ctime(1)]\nargs = field\ndefinition = convert ctime($field$)\niseval = 0\n");
        let [Knowledge::Macro(found)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found.name.as_str(), found.arguments.len()), ("ctime", 1));
        let found = of("[tools]\nfilename = tools.csv\nmatch_type = WILDCARD(name)\ncase_sensitive_match = 0\n");
        let [Knowledge::Lookup(tree)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((tree.text("filename"), tree.text("case_sensitive_match")), ("tools.csv".into(), "false".into()));
    }

    #[test]
    fn other_files_with_brackets_are_none() {
        assert!(!is_conf("[package]\nname = \"x\"\n"));
        assert!(!is_conf("[[rule]]\nsearch = 1\n"));
        assert!(!is_conf("search = x\n"));
    }

    #[test]
    fn a_place_in_the_search_is_a_place_in_the_file() {
        let file = SourceFile::new("x.conf", SEARCHES);
        let found = stanzas(&file);
        let search = found[0].get("search").unwrap();
        assert!(file.slice(search.span).starts_with("index=main"));
        assert!(file.slice(search.span).ends_with("by dest"));
    }
}
