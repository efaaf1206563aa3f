//! A backup over the API, and a server on what was restored from it.

use lurcher_server::backup;
use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn a_backup_holds_what_cannot_be_made_again() {
    let house = House::open_with(|settings, folder| settings.backups = Some(folder.join("backups"))).await;
    let put = house.request("PUT", "/api/v1/content/rules/mine.yml").bearer_auth(&house.admin).body("title: x");
    assert_eq!(house.send(put).await.status, 201);
    let made = house.ask("POST", "/api/v1/admin/backup", &house.admin, Some(json!({"name": "monday"}))).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.json()["files"]["state/triage.db"]["bytes"].as_u64().unwrap() > 0);
    let again = house.ask("POST", "/api/v1/admin/backup", &house.admin, Some(json!({"name": "monday"}))).await;
    assert_eq!(again.status, 409, "{again:?}");
    for name in ["../x", "/etc", "", "a/b"] {
        let refused = house.ask("POST", "/api/v1/admin/backup", &house.admin, Some(json!({"name": name}))).await;
        assert_eq!(refused.status, 422, "{name}");
    }
    let restored = house.path("restored");
    backup::restore(&house.path("backups/monday"), &restored).unwrap();
    assert_eq!(std::fs::read_to_string(restored.join("content/rules/mine.yml")).unwrap(), "title: x");
    let url = format!("sqlite:{}", restored.join("triage.db").display());
    let triage = lurcher_triage::Triage::open(&url, std::sync::Arc::new(lurcher_schema::SystemClock)).await.unwrap();
    assert!(triage.verify_key(&house.admin).await.unwrap().is_some(), "keys are restored");
    triage.close().await;
    house.close().await;
}

#[tokio::test]
async fn without_a_folder_for_backups_none_is_made() {
    let house = House::open().await;
    let refused = house.ask("POST", "/api/v1/admin/backup", &house.admin, Some(json!({"name": "x"}))).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().unwrap().contains("[server] backups"));
    house.close().await;
}
