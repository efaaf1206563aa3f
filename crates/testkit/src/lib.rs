//! Runs the Markdown specs; builds events for tests.
