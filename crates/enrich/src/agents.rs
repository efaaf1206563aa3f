//! What programs say they are: names of browsers, of systems and devices, by the expressions of `uap-core`.
//!
//! The list comes with this program, as it does with Elasticsearch; it is read when a name is first asked for. How its
//! expressions are applied is the business of the crate `ua-parser`.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use lurcher_engine::{Agent, Agents};
use ua_parser::{Extractor, Regexes};

/// Made of `regexes.yaml`; the file says where it is from.
const LIST: &str = include_str!("../data/user_agents.json");

/// None only if the list were broken, which a test rules out.
static EXTRACTOR: LazyLock<Option<Extractor<'static>>> = LazyLock::new(|| {
    let regexes: Regexes<'static> = serde_json::from_str(LIST).ok()?;
    Extractor::try_from(regexes).ok()
});

/// The list that comes with this program.
struct BuiltIn;

impl fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("uap-core")
    }
}

/// Who knows programs by the names that they give themselves.
pub fn agents() -> Arc<dyn Agents> {
    Arc::new(BuiltIn)
}

impl Agents for BuiltIn {
    fn find(&self, name: &str) -> Agent {
        let Some(extractor) = EXTRACTOR.as_ref() else { return Agent::default() };
        let (program, system, device) = extractor.extract(name);
        let mut agent = Agent::default();
        if let Some(program) = program.filter(|program| !program.family.is_empty()) {
            agent.name = Some(program.family.as_ref().into());
            agent.version = version([program.major, program.minor, program.patch, program.patch_minor]);
        }
        if let Some(system) = system.filter(|system| !system.os.is_empty()) {
            agent.system = Some(system.os.as_ref().into());
            let parts = [&system.major, &system.minor, &system.patch, &system.patch_minor];
            agent.system_version = version(parts.map(Option::as_deref));
        }
        agent.device =
            device.map(|device| device.device).filter(|device| !device.is_empty()).map(|d| d.as_ref().into());
        agent
    }
}

/// The parts up to the first that is missing, joined by dots.
fn version(parts: [Option<&str>; 4]) -> Option<Arc<str>> {
    let known: Vec<&str> = parts.into_iter().map_while(|part| part.filter(|part| !part.is_empty())).collect();
    (!known.is_empty()).then(|| known.join(".").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_2) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/33.0.1750.149 Safari/537.36";

    /// Elasticsearch's `user_agent.csv-spec`.
    #[test]
    fn programs_systems_and_devices_are_known() {
        let agent = agents().find(CHROME);
        let text = |part: &Option<Arc<str>>| part.as_deref().unwrap_or("-").to_owned();
        let all = [&agent.name, &agent.version, &agent.system, &agent.system_version, &agent.device].map(text);
        assert_eq!(all, ["Chrome", "33.0.1750.149", "Mac OS X", "10.9.2", "Mac"]);
        let curl = agents().find("curl/7.68.0");
        assert_eq!(
            (text(&curl.name), text(&curl.version), text(&curl.system)),
            ("curl".into(), "7.68.0".into(), "-".into())
        );
        assert_eq!(agents().find("nobody has heard of this"), Agent::default());
    }
}
