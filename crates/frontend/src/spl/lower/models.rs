//! Data sets of the Common Information Model: which events belong to one, and what its children add.
//!
//! Whether an event belongs to a data model's root data set is what its mapping says (`_datamodels`). A child is its
//! parent with a condition more, written as a search.

/// A data set: its model, its name, its parent's name, and the condition that it adds.
type DataSet = (&'static str, &'static str, &'static str, &'static str);

/// Root data sets have no parent.
#[rustfmt::skip]
const DATA_SETS: [DataSet; 58] = [
    ("Alerts", "Alerts", "", ""),
    ("Authentication", "Authentication", "", ""),
    ("Authentication", "Failed_Authentication", "Authentication", "action=failure"),
    ("Authentication", "Successful_Authentication", "Authentication", "action=success"),
    ("Authentication", "Default_Authentication", "Authentication", "tag=default"),
    ("Authentication", "Insecure_Authentication", "Authentication", "tag=insecure OR tag=cleartext"),
    ("Authentication", "Privileged_Authentication", "Authentication", "tag=privileged"),
    ("Certificates", "All_Certificates", "", ""),
    ("Certificates", "SSL", "All_Certificates", "tag=ssl OR tag=tls"),
    ("Change", "All_Changes", "", ""),
    ("Change", "Account_Management", "All_Changes", "tag=account"),
    ("Change", "Accounts_Created", "Account_Management", "action=created"),
    ("Change", "Accounts_Deleted", "Account_Management", "action=deleted"),
    ("Change", "Accounts_Updated", "Account_Management", "action=modified OR action=updated"),
    ("Change", "Account_Lockouts", "Account_Management", "action=lockout"),
    ("Change", "Auditing_Changes", "All_Changes", "tag=audit"),
    ("Change", "Endpoint_Changes", "All_Changes", "tag=endpoint"),
    ("Change", "Network_Changes", "All_Changes", "tag=network"),
    ("Change", "Instance_Changes", "All_Changes", "tag=instance"),
    ("Change_Analysis", "All_Changes", "", ""),
    ("Databases", "All_Databases", "", ""),
    ("DLP", "DLP_Incidents", "", ""),
    ("Data_Access", "Data_Access", "", ""),
    ("Email", "All_Email", "", ""),
    ("Email", "Delivery", "All_Email", "tag=delivery"),
    ("Email", "Content", "All_Email", "tag=content"),
    ("Email", "Filtering", "All_Email", "tag=filter"),
    ("Endpoint", "Ports", "", ""),
    ("Endpoint", "Processes", "", ""),
    ("Endpoint", "Services", "", ""),
    ("Endpoint", "Filesystem", "", ""),
    ("Endpoint", "Registry", "", ""),
    ("Event_Signatures", "Signatures", "", ""),
    ("Identity_Management", "All_Identities", "", ""),
    ("Identity_Management", "Expired_Identity_Activity", "", ""),
    ("Intrusion_Detection", "IDS_Attacks", "", ""),
    ("Intrusion_Detection", "Network_IDS_Attacks", "IDS_Attacks", "ids_type=network"),
    ("Intrusion_Detection", "Host_IDS_Attacks", "IDS_Attacks", "ids_type=host"),
    ("Intrusion_Detection", "Application_IDS_Attacks", "IDS_Attacks", "ids_type=application"),
    ("Malware", "Malware_Attacks", "", ""),
    ("Malware", "Malware_Operations", "", ""),
    ("Network_Resolution", "DNS", "", ""),
    ("Network_Sessions", "All_Sessions", "", ""),
    ("Network_Sessions", "Session_Start", "All_Sessions", "tag=start"),
    ("Network_Sessions", "Session_End", "All_Sessions", "tag=end"),
    ("Network_Sessions", "DHCP", "All_Sessions", "tag=dhcp"),
    ("Network_Sessions", "VPN", "All_Sessions", "tag=vpn"),
    ("Network_Traffic", "All_Traffic", "", ""),
    ("Network_Traffic", "Allowed_Traffic", "All_Traffic", "action=allowed"),
    ("Network_Traffic", "Blocked_Traffic", "All_Traffic", "action=blocked"),
    ("Performance", "All_Performance", "", ""),
    ("Risk", "All_Risk", "", ""),
    ("Ticket_Management", "All_Ticket_Management", "", ""),
    ("UEBA", "All_UEBA_Events", "", ""),
    ("Updates", "Updates", "", ""),
    ("Vulnerabilities", "Vulnerabilities", "", ""),
    ("Web", "Web", "", ""),
    ("Web", "Proxy", "Web", "tag=proxy"),
];

/// What a data model's name, with or without a data set's, stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What `_datamodels` must have.
    pub(super) member: String,
    /// Conditions beside, as searches.
    pub(super) conditions: Vec<&'static str>,
    /// The names that may stand before a field's, with a dot.
    pub(super) objects: Vec<&'static str>,
}

/// The names of all models.
pub(super) fn models() -> impl Iterator<Item = &'static str> {
    DATA_SETS.iter().map(|(model, ..)| *model)
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
    let (mut conditions, mut root) = (Vec::new(), set);
    while let Some((_, _, parent, condition)) = sets.iter().find(|(_, name, ..)| *name == root) {
        if !condition.is_empty() {
            conditions.push(*condition);
        }
        if parent.is_empty() {
            break;
        }
        root = parent;
    }
    // Endpoint has several root data sets, all others that matter have one.
    let member = if *model == "Endpoint" { format!("Endpoint_{root}") } else { (*model).to_owned() };
    let mut objects: Vec<&str> = sets.iter().map(|(_, name, ..)| *name).collect();
    objects.push(model);
    Some(Found { member, conditions, objects })
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
        assert_eq!((found.member.as_str(), found.conditions), ("Change", vec!["action=created", "tag=account"]));
        assert_eq!(find("Endpoint.Registry").unwrap().member, "Endpoint_Registry");
        assert!(find("Web").unwrap().conditions.is_empty());
        assert_eq!(find("Nonsense"), None);
        assert_eq!(node("All_Sessions.DHCP"), Some(vec!["tag=dhcp"]));
    }
}
