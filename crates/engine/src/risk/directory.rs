//! Who is who: a site's lists of assets and identities.
//!
//! As in Splunk Enterprise Security ("Format an asset or identity list as a lookup"): an asset is known by its address,
//! hardware address, `NetBIOS` name and DNS name, an identity by its account names; each may have several, and each names
//! the same object. How the lists are read is not known here.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use super::ObjectType;

/// Names to records.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    systems: HashMap<String, Arc<Record>>,
    users: HashMap<String, Arc<Record>>,
}

/// One asset or identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The one name that stands for all of them.
    pub name: String,
    /// How important it is.
    pub priority: Priority,
    /// Everything else that the list says, by column; several values each.
    pub attributes: Vec<(String, Vec<String>)>,
}

/// How important an asset or identity is. From the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Nothing is said.
    #[default]
    Unknown,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Priority {
    /// All, from the least.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The priority of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(name.trim()))
    }
}

impl Record {
    /// The values of an attribute.
    pub(super) fn values<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a str> {
        let priority = (attribute == "priority").then(|| self.priority.name());
        let listed = self.attributes.iter().find(|(name, _)| name == attribute);
        priority.into_iter().chain(listed.into_iter().flat_map(|(_, values)| values.iter().map(String::as_str)))
    }
}

impl Directory {
    /// Adds an asset or identity under all its names. A name that is known already keeps its first meaning; returns
    /// such names.
    pub fn insert<'n>(
        &mut self,
        kind: ObjectType,
        names: impl IntoIterator<Item = &'n str>,
        record: Record,
    ) -> Vec<String> {
        let record = Arc::new(record);
        let map = if kind == ObjectType::User { &mut self.users } else { &mut self.systems };
        let mut taken = Vec::new();
        for name in names {
            let name = name.trim().to_lowercase();
            if name.is_empty() {
                continue;
            }
            match map.entry(name) {
                Entry::Occupied(known) if Arc::ptr_eq(known.get(), &record) => {}
                Entry::Occupied(known) => taken.push(known.key().clone()),
                Entry::Vacant(free) => {
                    free.insert(Arc::clone(&record));
                }
            }
        }
        taken
    }

    /// The record of a name. A user is also known without its domain (`CORP\ann`, `ann@corp.example`), a system without
    /// its DNS domain; the full name goes first.
    pub fn find(&self, kind: ObjectType, name: &str) -> Option<Arc<Record>> {
        let name = name.trim().to_lowercase();
        let (map, short) = match kind {
            ObjectType::User => {
                let account = name.rsplit_once('\\').map_or(name.as_str(), |(_, account)| account);
                (&self.users, account.split_once('@').map_or(account, |(account, _)| account))
            }
            ObjectType::System => {
                let address = name.parse::<std::net::IpAddr>().is_ok();
                (&self.systems, name.split_once('.').filter(|_| !address).map_or(name.as_str(), |(host, _)| host))
            }
            ObjectType::Other => return None,
        };
        map.get(&name).or_else(|| map.get(short)).map(Arc::clone)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.systems.is_empty() && self.users.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let mut directory = Directory::default();
        let server = Record { name: "srv1".into(), priority: Priority::High, attributes: Vec::new() };
        directory.insert(ObjectType::System, ["10.0.0.5", "SRV1", "srv1.corp.example"], server);
        let ann = Record { name: "ann".into(), ..Record::default() };
        directory.insert(ObjectType::User, ["ann", "ann.lee@corp.example"], ann);
        directory
    }

    #[test]
    fn every_name_of_an_object_finds_it() {
        let directory = directory();
        let find = |kind, name| directory.find(kind, name).map(|record| record.name.clone());
        for name in ["10.0.0.5", "srv1", "SRV1.corp.example", "Srv1.other.example"] {
            assert_eq!(find(ObjectType::System, name).as_deref(), Some("srv1"), "{name}");
        }
        for name in ["ANN", "CORP\\ann", "ann@corp.example", "ann.lee@corp.example"] {
            assert_eq!(find(ObjectType::User, name).as_deref(), Some("ann"), "{name}");
        }
        assert_eq!(find(ObjectType::System, "10.0.0.6"), None);
        assert_eq!(find(ObjectType::System, "ann"), None);
    }

    #[test]
    fn a_name_keeps_its_first_meaning() {
        let mut directory = directory();
        let taken =
            directory.insert(ObjectType::User, ["bob", "Ann"], Record { name: "bob".into(), ..Record::default() });
        assert_eq!(taken, ["ann"]);
        assert_eq!(directory.find(ObjectType::User, "ann").map(|record| record.name.clone()).as_deref(), Some("ann"));
    }
}
