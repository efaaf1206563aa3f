//! What becomes of an attempt to deliver, and what that says about the next one.

use std::time::Duration;

/// What became of a letter that was handed to a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The other side has it.
    Delivered,
    /// Some of the recipients have it, so many others will never get it, and why.
    DeliveredExcept(u64, String),
    /// It does not, or nobody knows.
    Failed(Fault),
}

/// Why something was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether trying again cannot help.
    pub permanent: bool,
    /// Whether the target as a whole is at fault, so that other letters had better wait too.
    pub of_target: bool,
    /// Whether the batch was refused for something that only one of its letters may have, so that each is to be tried
    /// alone.
    pub of_batch: bool,
    /// What happened, without secrets.
    pub message: String,
    /// How long the other side asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// The target cannot take anything now.
    pub(crate) fn target(message: impl Into<String>) -> Self {
        Self { permanent: false, of_target: true, of_batch: false, message: message.into(), retry_after: None }
    }

    /// The target did not take this letter now.
    pub(crate) fn letter(message: impl Into<String>) -> Self {
        Self { of_target: false, ..Self::target(message) }
    }

    /// The target will never take this letter.
    pub(crate) fn permanent(message: impl Into<String>) -> Self {
        Self { permanent: true, ..Self::letter(message) }
    }

    /// The same for every letter of a batch.
    pub(crate) fn for_all(self, letters: usize) -> Vec<Outcome> {
        vec![Outcome::Failed(self); letters]
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error and what caused it, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    excerpt(&text)
}

/// The beginning of what the other side said, as one printable line: it ends up in logs and in the console.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST + 1).collect::<String>();
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST).collect();
        line.push('…');
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_becomes_one_short_line() {
        assert_eq!(excerpt("no\r\n\u{1b}[31mway"), "no   [31mway");
        assert_eq!(excerpt(&"x".repeat(5000)).chars().count(), 301);
    }
}
