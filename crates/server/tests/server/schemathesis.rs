//! The running server against its own OpenAPI document, by schemathesis (a package of Python), where that is installed.

use std::process::{Command, Stdio};

use crate::alerts::furnished;

/// How many requests are made up for each operation.
const EXAMPLES: &str = "8";
/// Seconds for all of them; what was tried by then has to be right.
const SECONDS: &str = "90";

#[tokio::test(flavor = "multi_thread")]
async fn the_server_does_what_its_document_says() {
    let program = std::env::var("SCHEMATHESIS").unwrap_or_else(|_| "schemathesis".into());
    let there = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!(
            "skipped: the_server_does_what_its_document_says: schemathesis is not there (pip install schemathesis)"
        );
        return;
    }
    let house = furnished().await;
    let document = format!("http://{}/api/v1/openapi.json", house.address);
    let mut run = Command::new(&program);
    run.args(["run", &document, "--header", &format!("Authorization: Bearer {}", house.admin)])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--phases", "examples,coverage,fuzzing", "--checks", "all"])
        .args(["--max-time", SECONDS, "--generation-database", "none"])
        // The stream of events never ends; a key that was revoked is no key that others can use; a target that does not
        // answer is an error of a server, though not of this one.
        .args(["--exclude-path", "/api/v1/events"])
        .args(["--exclude-operation-id", "revokeKey", "--exclude-operation-id", "testTarget"])
        // A schema cannot say all of what makes sense: that a span ends after it begins, what a cursor is, that names
        // are used once.
        .args([
            "--exclude-checks",
            "positive_data_acceptance,use_after_free,ensure_resource_availability",
            "--no-color",
        ])
        .current_dir(house.folder.path());
    let output = tokio::task::spawn_blocking(move || run.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    house.close().await;
}
