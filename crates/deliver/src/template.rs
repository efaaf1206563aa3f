//! Texts that a site writes itself: Jinja templates over the alert's native document.
//!
//! A template is compiled and rendered once over a sample when the configuration is loaded, so that a mistake is found
//! by the one who made it and not by the first alert. Work is bounded: a template that does not end is stopped.

use std::path::Path;

use lurcher_schema::Timestamp;
use minijinja::{
    AutoEscape, Environment, UndefinedBehavior,
    value::{Serde, Value},
};
use serde_json::Value as Json;

use crate::{letter::Letter, sample, summary::cut};

/// Instructions that one rendering may take.
const FUEL: u64 = 5_000_000;

/// The members of a native document that a template may name, as far as not found in the sample.
const KNOWN: &[&str] = &["alert", "key", "target", "link", "now", "comments", "disposition", "created", "updated"];

/// What a template's values are escaped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Every value is written as JSON: `{"text": {{ message }}}` is right, with the quotes.
    Json,
    /// Every value is escaped for HTML.
    Html,
    /// Nothing is escaped.
    Plain,
}

/// A template that compiles.
#[derive(Debug)]
pub(crate) struct Template {
    environment: Environment<'static>,
}

/// What a template can name beside the alert.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    /// The target's name.
    pub(crate) target: &'a str,
    /// Where the alert can be looked at; empty if the configuration does not say.
    pub(crate) link: &'a str,
    /// The time of sending.
    pub(crate) now: Timestamp,
}

impl Template {
    /// Reads the template of a file.
    pub(crate) fn read(path: &Path, escape: Escape) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}; the server must be allowed to", path.display()))?;
        Self::new(text, escape).map_err(|error| format!("{}, {error}", path.display()))
    }

    /// Compiles a template and tries it. The error says the line, the cause and the way out.
    pub(crate) fn new(text: String, escape: Escape) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(move |_| match escape {
            Escape::Json => AutoEscape::Json,
            Escape::Html => AutoEscape::Html,
            Escape::Plain => AutoEscape::None,
        });
        // Not every alert has every member: what is missing is empty.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        environment.add_filter("cut", |text: String, characters: usize| cut(&text, characters));
        environment.add_template_owned("template", text).map_err(|error| explain(&error))?;
        let template = Self { environment };
        template.check_names()?;
        template.try_out(escape)?;
        Ok(template)
    }

    /// The text for a letter. The error is about this alert: the template itself has been tried.
    pub(crate) fn render(&self, letter: &Letter, setting: Setting<'_>) -> Result<String, String> {
        let alert = Value::from(Serde(&letter.alert));
        let scope = minijinja::context! {
            alert => alert.clone(),
            key => letter.key.as_str(),
            target => setting.target,
            link => setting.link,
            now => setting.now.to_string(),
            ..alert
        };
        let template = self.environment.get_template("template").map_err(|error| explain(&error))?;
        template.render(scope).map_err(|error| explain(&error))
    }

    /// Refuses names that no alert has: they are misspelt, and would be empty in every message.
    fn check_names(&self) -> Result<(), String> {
        let template = self.environment.get_template("template").map_err(|error| explain(&error))?;
        let sample = sample::alert(Timestamp::default());
        let mut unknown: Vec<String> = template
            .undeclared_variables(true)
            .into_iter()
            .filter(|name| {
                let mut parts = name.split('.');
                let first = parts.next().unwrap_or_default();
                match (first, parts.next()) {
                    ("rule", Some(member)) => sample["rule"].get(member).is_none(),
                    _ => {
                        sample.get(first).is_none()
                            && !KNOWN.contains(&first)
                            && !self.environment.globals().any(|(global, _)| global == first)
                    }
                }
            })
            .collect();
        unknown.sort();
        let Some(name) = unknown.first() else { return Ok(()) };
        let line = template
            .source()
            .lines()
            .position(|line| line.contains(name.as_str()))
            .map(|line| format!("line {}: ", line + 1))
            .unwrap_or_default();
        Err(format!(
            "{line}no alert has `{name}`. See docs/deliver.md for what there is; write `alert.{name}` for a member that \
             only some alerts have"
        ))
    }

    fn try_out(&self, escape: Escape) -> Result<(), String> {
        let setting = Setting { target: "test", link: "https://lurcher.example/alerts/1", now: Timestamp::default() };
        let text = self.render(&sample::letter(Timestamp::default()), setting)?;
        if escape == Escape::Json
            && let Err(error) = serde_json::from_str::<Json>(&text)
        {
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            return Err(format!(
                "what it makes of an alert is no JSON: {error}: `{}`. Values are written as JSON already, with their \
                 quotes: write {{\"text\": {{{{ message }}}}}}, and \"{{{{ message }}}}\" nowhere",
                cut(line, 120)
            ));
        }
        Ok(())
    }
}

/// Line and cause, in one line.
fn explain(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let kind = error.kind();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let way_out = match kind {
        minijinja::ErrorKind::OutOfFuel => "; it does far too much for one message",
        minijinja::ErrorKind::SyntaxError => "; templates are Jinja: {{ value }}, {% if … %} … {% endif %}",
        _ => "",
    };
    format!("{line}{kind}{detail}{way_out}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, escape: Escape) -> Result<String, String> {
        let setting = Setting { target: "t", link: "https://x/1", now: Timestamp(0) };
        Template::new(text.into(), escape)?.render(&sample::letter(Timestamp(0)), setting)
    }

    #[test]
    fn values_are_escaped_for_what_the_text_is() {
        let mut letter = sample::letter(Timestamp(0));
        letter.alert["message"] = "\"<b>\n".into();
        let setting = Setting { target: "t", link: "", now: Timestamp(0) };
        let made = |text: &str, escape| Template::new(text.into(), escape).unwrap().render(&letter, setting).unwrap();
        let json: Json = serde_json::from_str(&made(r#"{"m": {{ message }}, "r": {{ rule }}}"#, Escape::Json)).unwrap();
        assert_eq!((json["m"].as_str(), json["r"]["id"].as_str()), (Some("\"<b>\n"), Some("lurcher-test")));
        assert_eq!(made("{{ message }}", Escape::Html), "&quot;&lt;b&gt;\n");
        assert_eq!(made("{{ message }}", Escape::Plain), "\"<b>\n");
    }

    #[test]
    fn a_template_can_name_the_alert_and_its_setting() {
        assert_eq!(
            render(
                "{{ severity|upper }} {{ rule.name|cut(8) }} {{ link }} {{ target }} {{ now }} {{ alert.none.at.all }}",
                Escape::Plain
            )
            .unwrap(),
            "INFORMATIONAL Lurcher… https://x/1 t 1970-01-01T00:00:00Z "
        );
        assert_eq!(
            render("{% for e in entities %}{{ e.type }}={{ e.value }};{% endfor %}", Escape::Plain).unwrap(),
            "user=nobody;system=nowhere;"
        );
        assert_eq!(render("{{ events[0].doc.user.name }}{{ range(3)|length }}", Escape::Plain).unwrap(), "nobody3");
    }

    #[test]
    fn mistakes_are_said_with_line_cause_and_way_out() {
        let refused = |text: &str, escape| Template::new(text.into(), escape).unwrap_err();
        says(&refused("a\n{{ severity", Escape::Plain), "line 2: syntax error: ", "templates are Jinja");
        says(&refused("\n\n{{ sevrity }}", Escape::Plain), "line 3: no alert has `sevrity`.", "alert.sevrity");
        says(&refused("{{ rule.title }}", Escape::Plain), "line 1: no alert has `rule.title`.", "docs/deliver.md");
        says(&refused("{{ message|shout }}", Escape::Plain), "line 1: unknown filter", "");
        says(
            &refused(r#"{"m": "{{ message }}"}"#, Escape::Json),
            "what it makes of an alert is no JSON",
            "with their quotes",
        );
        says(
            &refused(
                "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
                Escape::Plain,
            ),
            "line 1: engine ran out of fuel",
            "far too much",
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.txt");
        std::fs::write(&path, "{{ nope }}").unwrap();
        let error = Template::read(&path, Escape::Plain).unwrap_err();
        assert!(error.contains("mail.txt, line 1: no alert has `nope`"), "{error}");
        assert!(Template::read(Path::new("/no/such"), Escape::Plain).unwrap_err().starts_with("cannot read /no/such"));
    }

    fn says(error: &str, start: &str, part: &str) {
        assert!(error.starts_with(start) && error.contains(part), "{error}");
    }
}
