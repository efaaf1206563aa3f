//! Data sets of the Common Information Model: which events belong to one, and what its children add.
//!
//! Whether an event belongs to a data model's root data set is what its mapping says (`_datamodels`). A child is its
//! parent with a condition more, written as a search.

/// A data set: its model, its name, its parent's name, the condition that it adds, and, of one without a parent, the tags
/// that an event must bear.
type DataSet = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// The data sets of the model as Splunk publishes it.
#[rustfmt::skip]
const DATA_SETS: [DataSet; 114] = [
    ("Alerts", "Alerts", "", "", "alert"),
    ("Authentication", "Authentication", "", "NOT (action=success user=\"*$\")", "authentication"),
    ("Authentication", "Failed_Authentication", "Authentication", "action=failure", ""),
    ("Authentication", "Successful_Authentication", "Authentication", "action=success", ""),
    ("Authentication", "Default_Authentication", "Authentication", "tag=default", ""),
    ("Authentication", "Failed_Default_Authentication", "Default_Authentication", "action=failure", ""),
    ("Authentication", "Successful_Default_Authentication", "Default_Authentication", "action=success", ""),
    ("Authentication", "Insecure_Authentication", "Authentication", "tag=insecure OR tag=cleartext", ""),
    ("Authentication", "Privileged_Authentication", "Authentication", "tag=privileged", ""),
    ("Authentication", "Failed_Privileged_Authentication", "Privileged_Authentication", "action=failure", ""),
    ("Authentication", "Successful_Privileged_Authentication", "Privileged_Authentication", "action=success", ""),
    ("Certificates", "All_Certificates", "", "", "certificate"),
    ("Certificates", "SSL", "All_Certificates", "tag=ssl OR tag=tls", ""),
    ("Change", "All_Changes", "", "NOT (object_category=file OR object_category=directory OR object_category=registry)", "change"),
    ("Change", "Account_Management", "All_Changes", "tag=account", ""),
    ("Change", "Accounts_Created", "Account_Management", "action=created", ""),
    ("Change", "Accounts_Deleted", "Account_Management", "action=deleted", ""),
    ("Change", "Accounts_Updated", "Account_Management", "action=modified OR action=updated", ""),
    ("Change", "Account_Lockouts", "Account_Management", "result=lockout OR action=lockout", ""),
    ("Change", "Auditing_Changes", "All_Changes", "tag=audit", ""),
    ("Change", "Endpoint_Changes", "All_Changes", "tag=endpoint", ""),
    ("Change", "Endpoint_Restarts", "Endpoint_Changes", "action=modified change_type=restart", ""),
    ("Change", "Other_Endpoint_Changes", "Endpoint_Changes", "NOT change_type=restart", ""),
    ("Change", "Network_Changes", "All_Changes", "tag=network", ""),
    ("Change", "Device_Restarts", "Network_Changes", "action=modified change_type=restart", ""),
    ("Change", "Instance_Changes", "All_Changes", "tag=instance", ""),
    ("Change_Analysis", "All_Changes", "", "", "change"),
    ("Compute_Inventory", "All_Inventory", "", "", "inventory"),
    ("Compute_Inventory", "CPU", "All_Inventory", "tag=cpu", ""),
    ("Compute_Inventory", "Memory", "All_Inventory", "tag=memory", ""),
    ("Compute_Inventory", "Network", "All_Inventory", "tag=network", ""),
    ("Compute_Inventory", "Storage", "All_Inventory", "tag=storage", ""),
    ("Compute_Inventory", "OS", "All_Inventory", "tag=system OR tag=version", ""),
    ("Compute_Inventory", "User", "All_Inventory", "tag=user", ""),
    ("Compute_Inventory", "Cleartext_Passwords", "User", "password=*", ""),
    ("Compute_Inventory", "Default_Accounts", "User", "tag=default", ""),
    ("Compute_Inventory", "Virtual_OS", "All_Inventory", "tag=virtual", ""),
    ("Compute_Inventory", "Snapshot", "Virtual_OS", "tag=snapshot", ""),
    ("Databases", "All_Databases", "", "", "database"),
    ("Databases", "Database_Instance", "All_Databases", "tag=instance", ""),
    ("Databases", "Instance_Stats", "Database_Instance", "tag=stats", ""),
    ("Databases", "Session_Info", "Database_Instance", "tag=session", ""),
    ("Databases", "Lock_Info", "Database_Instance", "tag=lock", ""),
    ("Databases", "Database_Query", "All_Databases", "tag=query", ""),
    ("Databases", "Tablespace", "Database_Query", "tag=tablespace", ""),
    ("Databases", "Query_Stats", "Database_Query", "tag=stats", ""),
    ("DLP", "DLP_Incidents", "", "", "dlp incident"),
    ("Data_Access", "Data_Access", "", "", "data access"),
    ("Email", "All_Email", "", "", "email"),
    ("Email", "Delivery", "All_Email", "tag=delivery", ""),
    ("Email", "Content", "All_Email", "tag=content", ""),
    ("Email", "Filtering", "All_Email", "tag=filter", ""),
    ("Endpoint", "Ports", "", "", "listening port"),
    ("Endpoint", "Processes", "", "", "process report"),
    ("Endpoint", "Services", "", "", "service report"),
    ("Endpoint", "Filesystem", "", "", "endpoint filesystem"),
    ("Endpoint", "Registry", "", "", "endpoint registry"),
    ("Event_Signatures", "Signatures", "", "", "track_event_signatures"),
    ("Event_Signatures", "Event_Signatures", "", "", "track_event_signatures"),
    ("Identity_Management", "All_Identities", "", "", "identity"),
    ("Identity_Management", "Expired_Identity_Activity", "", "", ""),
    ("Interprocess_Messaging", "All_Messaging", "", "", "messaging"),
    ("Intrusion_Detection", "IDS_Attacks", "", "", "ids attack"),
    ("Intrusion_Detection", "Network_IDS_Attacks", "IDS_Attacks", "ids_type=network", ""),
    ("Intrusion_Detection", "Host_IDS_Attacks", "IDS_Attacks", "ids_type=host", ""),
    ("Intrusion_Detection", "Application_IDS_Attacks", "IDS_Attacks", "ids_type=application", ""),
    ("JVM", "JVM", "", "", "jvm"),
    ("JVM", "Threading", "JVM", "tag=threading", ""),
    ("JVM", "Runtime", "JVM", "tag=runtime", ""),
    ("JVM", "OS", "JVM", "tag=os", ""),
    ("JVM", "Compilation", "JVM", "tag=compilation", ""),
    ("JVM", "Classloading", "JVM", "tag=classloading", ""),
    ("JVM", "Memory", "JVM", "tag=memory", ""),
    ("Malware", "Malware_Attacks", "", "", "malware attack"),
    ("Malware", "Allowed_Malware", "Malware_Attacks", "action=allowed", ""),
    ("Malware", "Blocked_Malware", "Malware_Attacks", "action=blocked", ""),
    ("Malware", "Quarantined_Malware", "Malware_Attacks", "action=deferred", ""),
    ("Malware", "Malware_Operations", "", "", "malware operations"),
    ("Network_Resolution", "DNS", "", "", "network resolution dns"),
    ("Network_Sessions", "All_Sessions", "", "", "network session"),
    ("Network_Sessions", "Session_Start", "All_Sessions", "tag=start", ""),
    ("Network_Sessions", "Session_End", "All_Sessions", "tag=end", ""),
    ("Network_Sessions", "DHCP", "All_Sessions", "tag=dhcp", ""),
    ("Network_Sessions", "VPN", "All_Sessions", "tag=vpn", ""),
    ("Network_Traffic", "All_Traffic", "", "", "network communicate"),
    ("Network_Traffic", "Traffic_By_Action", "All_Traffic", "action=*", ""),
    ("Network_Traffic", "Allowed_Traffic", "All_Traffic", "action=allowed", ""),
    ("Network_Traffic", "Blocked_Traffic", "All_Traffic", "action=blocked", ""),
    ("Performance", "All_Performance", "", "", "performance"),
    ("Performance", "CPU", "All_Performance", "tag=cpu", ""),
    ("Performance", "Facilities", "All_Performance", "tag=facilities", ""),
    ("Performance", "Memory", "All_Performance", "tag=memory", ""),
    ("Performance", "Storage", "All_Performance", "tag=storage", ""),
    ("Performance", "Network", "All_Performance", "tag=network", ""),
    ("Performance", "OS", "All_Performance", "tag=os", ""),
    ("Performance", "Timesync", "OS", "tag=synchronize tag=time", ""),
    ("Performance", "Uptime", "OS", "tag=uptime", ""),
    ("Risk", "All_Risk", "", "", ""),
    ("Ticket_Management", "All_Ticket_Management", "", "", "ticketing"),
    ("Ticket_Management", "Change", "All_Ticket_Management", "tag=change", ""),
    ("Ticket_Management", "Incident", "All_Ticket_Management", "tag=incident", ""),
    ("Ticket_Management", "Problem", "All_Ticket_Management", "tag=problem", ""),
    ("UEBA", "All_UEBA_Events", "", "", ""),
    ("Updates", "Updates", "", "", "update status"),
    ("Updates", "Available_Updates", "Updates", "status=available", ""),
    ("Updates", "Installed_Updates", "Updates", "status=installed", ""),
    ("Updates", "Restart_Required_Updates", "Updates", "status=restart_required", ""),
    ("Vulnerabilities", "Vulnerabilities", "", "", "vulnerability report"),
    ("Vulnerabilities", "High_Critical_Vulnerabilities", "Vulnerabilities", "severity=high OR severity=critical", ""),
    ("Vulnerabilities", "Medium_Vulnerabilities", "Vulnerabilities", "severity=medium", ""),
    ("Vulnerabilities", "Low_Informational_Vulnerabilities", "Vulnerabilities", "severity=low OR severity=informational", ""),
    ("Web", "Web", "", "", "web"),
    ("Web", "Proxy", "Web", "tag=proxy", ""),
    ("Web", "Storage", "Web", "tag=storage", ""),
];

/// The fields of a root data set that are filled in where an event has none, and with what.
const CALCULATED: [(&str, &str, &str); 2] = [("Processes", "user", "unknown"), ("Ports", "dest", "unknown")];

/// What a data model's name, with or without a data set's, stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What `_datamodels` must have.
    pub(super) member: String,
    /// The tags of events that belong to it, where their source does not say so itself.
    pub(super) tags: &'static str,
    /// Conditions beside, as searches.
    pub(super) conditions: Vec<&'static str>,
    /// The names that may stand before a field's, with a dot.
    pub(super) objects: Vec<&'static str>,
    /// Fields, and what they are where an event has none.
    pub(super) calculated: Vec<(&'static str, &'static str)>,
}

/// The names of all models.
pub(super) fn models() -> impl Iterator<Item = &'static str> {
    DATA_SETS.iter().map(|(model, ..)| *model)
}

/// Every data set, as `Model.DataSet`.
pub(super) fn paths() -> Vec<String> {
    DATA_SETS.iter().map(|(model, name, ..)| format!("{model}.{name}")).collect()
}

/// A model (`Web`) or one of its data sets (`Web.Proxy`, `Change.All_Changes.Account_Management`).
pub(super) fn find(text: &str) -> Option<Found> {
    let mut parts = text.split('.');
    let model = parts.next()?;
    let sets: Vec<&DataSet> = DATA_SETS.iter().filter(|(own, ..)| own.eq_ignore_ascii_case(model)).collect();
    let (model, first, ..) = sets.first()?;
    let wanted = parts.next_back();
    let set = match wanted {
        Some(wanted) => sets.iter().find(|(_, name, ..)| name.eq_ignore_ascii_case(wanted))?.1,
        None => first,
    };
    let (mut conditions, mut root, mut tags) = (Vec::new(), set, "");
    while let Some((_, _, parent, condition, own)) = sets.iter().find(|(_, name, ..)| *name == root) {
        if !condition.is_empty() {
            conditions.push(*condition);
        }
        tags = own;
        if parent.is_empty() {
            break;
        }
        root = parent;
    }
    // Endpoint has several root data sets, all others that matter have one.
    let member = if *model == "Endpoint" { format!("Endpoint_{root}") } else { (*model).to_owned() };
    let mut objects: Vec<&str> = sets.iter().map(|(_, name, ..)| *name).collect();
    objects.push(model);
    let calculated = CALCULATED.iter().filter(|(of, ..)| *of == root).map(|(_, field, value)| (*field, *value));
    Some(Found { member, tags, conditions, objects, calculated: calculated.collect() })
}

/// What a data set of a model adds to its root, for `nodename=`.
pub(super) fn node(text: &str) -> Option<Vec<&'static str>> {
    let name = text.rsplit('.').next()?;
    let (model, ..) = DATA_SETS.iter().find(|(_, own, ..)| own.eq_ignore_ascii_case(name))?;
    find(&format!("{model}.{name}")).map(|found| found.conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_add_the_conditions_of_their_parents() {
        let found = find("Change.Accounts_Created").unwrap();
        assert_eq!((found.member.as_str(), found.tags), ("Change", "change"));
        assert_eq!(&found.conditions[..2], ["action=created", "tag=account"]);
        assert_eq!(find("Endpoint.Registry").unwrap().member, "Endpoint_Registry");
        assert!(find("Web").unwrap().conditions.is_empty());
        assert_eq!(find("Nonsense"), None);
        assert_eq!(node("All_Sessions.DHCP"), Some(vec!["tag=dhcp"]));
    }
}
