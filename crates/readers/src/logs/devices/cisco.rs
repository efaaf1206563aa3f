//! Cisco's syslog: `%FACILITY-LEVEL-MNEMONIC: text`, with whatever header the device or a relay has put before it.
//!
//! For ASA, FTD, PIX and FWSM the mnemonic is the number of the message (Cisco Secure Firewall ASA Series Syslog
//! Messages), for IOS, IOS XE and NX-OS a word (Cisco IOS System Message Guide). Fields: `host`, `product`, `facility`,
//! `level`, `message_id` or `mnemonic`, `message`.

use lurcher_schema::Timestamp;

use super::Line;
use crate::{
    logs::{MESSAGE, syslog},
    windows::Desk,
};

/// A message may begin so far behind the start of its line.
const HEADER: usize = 160;

/// Zones that devices name, and their hours from UTC.
const ZONES: [(&str, i8); 14] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("BST", 1),
    ("CET", 1),
    ("CEST", 2),
];

/// A message in its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::logs) struct Message<'a> {
    /// What stands before it.
    header: &'a str,
    facility: &'a str,
    level: &'a str,
    mnemonic: &'a str,
    text: &'a str,
}

/// Takes a line without its priority apart; `None` if it is none of Cisco's.
pub(super) fn message(line: &str) -> Option<Message<'_>> {
    let at = line.find('%').filter(|at| *at <= HEADER)?;
    let header = line.get(..at)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || " :.,*-+_/[]()".contains(c);
    let (code, text) = line.get(at + 1..)?.split_once(':')?;
    // The facility may have parts of its own: `%ASA-session-6-302013`, `%AAA-SW1-5-X`.
    let mut parts = code.rsplitn(3, '-');
    let (mnemonic, level, facility) = (parts.next()?, parts.next()?, parts.next()?);
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let is_level = level.len() == 1 && level.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let fits = header.chars().all(plain)
        && is_level
        && word(facility)
        && word(mnemonic)
        && facility.starts_with(|c: char| c.is_ascii_uppercase());
    fits.then(|| Message { header, facility, level, mnemonic, text: text.trim_start() })
}

impl<'a> Message<'a> {
    /// `asa`, `ftd` …, of a firewall.
    fn firewall(&self) -> Option<&'static str> {
        let product = self.facility.split('-').next().unwrap_or_default();
        let known = [("ASA", "asa"), ("FTD", "ftd"), ("PIX", "pix"), ("FWSM", "fwsm")];
        let numbered = self.mnemonic.bytes().all(|b| b.is_ascii_digit());
        known.iter().find(|(name, _)| *name == product && numbered).map(|(_, name)| *name)
    }

    /// The event.
    pub(super) fn event(&self, desk: &mut Desk, now: Timestamp) -> Line<'a> {
        let header = Header::of(self.header, now);
        let mut line = match self.firewall() {
            Some(product) => {
                let mut line = Line::new("cisco_asa");
                line.attribute("product", product);
                line.attribute("message_id", self.mnemonic);
                line.text(desk, "product", product);
                line.text(desk, "message_id", self.mnemonic);
                line
            }
            None => {
                let mut line = Line::new("cisco_ios");
                line.attribute("facility", self.facility);
                line.attribute("mnemonic", self.mnemonic);
                line.text(desk, "facility_name", self.facility);
                line.text(desk, "mnemonic", self.mnemonic);
                line
            }
        };
        line.time = header.time;
        line.text(desk, "host", header.host);
        line.text(desk, "level", self.level);
        line.text(desk, MESSAGE, self.text);
        line
    }
}

/// What stands before a message.
#[derive(Debug, Default, PartialEq)]
struct Header<'a> {
    host: &'a str,
    time: Option<Timestamp>,
}

impl<'a> Header<'a> {
    /// Words in any order: dates, numbers of the sequence, zones, and what is left is the host. A date with a year counts
    /// before one without, and of those the first: that of whoever received the line.
    fn of(text: &'a str, now: Timestamp) -> Self {
        let mut words = text.split([' ', '[', ']']).filter(|word| !word.is_empty()).peekable();
        let (mut host, mut whole, mut short) = ("", None, None);
        while let Some(word) = words.next() {
            let bare = word.trim_matches([':', '*', '.', ',']);
            if let Some(month) = syslog::month(bare) {
                let day = words.next().unwrap_or_default();
                let mut clock = words.next().unwrap_or_default();
                let mut year = None;
                if clock.len() == 4 && clock.bytes().all(|b| b.is_ascii_digit()) {
                    year = Some(clock);
                    clock = words.next().unwrap_or_default();
                }
                let zone = words.peek().map_or("", |zone| zone.trim_matches(':'));
                let hours = ZONES.iter().find(|(name, _)| *name == zone).map_or(0, |(_, hours)| *hours);
                let clock = clock.trim_end_matches(':');
                let Ok(day) = day.parse::<u8>() else { continue };
                let east = |time: Timestamp| Timestamp(time.0 - i64::from(hours) * 3_600_000_000);
                match year {
                    Some(year) => {
                        let time = Timestamp::parse(&format!("{year}-{month:02}-{day:02}T{clock}Z"));
                        whole = whole.or(time.map(east));
                    }
                    None => short = short.or(syslog::Time::Bsd(month, day, clock).at(now).map(east)),
                }
            } else if bare.len() >= 19 && bare.contains('T') && Timestamp::parse(bare).is_some() {
                whole = whole.or(Timestamp::parse(bare));
            } else if host.is_empty()
                && bare.starts_with(|c: char| c.is_ascii_alphanumeric())
                && !(bare.bytes().all(|b| b.is_ascii_digit()) || ZONES.iter().any(|(name, _)| *name == bare))
            {
                host = bare;
            }
        }
        Self { host, time: whole.or(short) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-03-01T00:00:00Z").unwrap_or_default()
    }

    #[test]
    fn messages_are_taken_apart() {
        let parts = |line| message(line).map(|m| [m.facility, m.level, m.mnemonic, m.text]);
        assert_eq!(parts("fw1 : %ASA-6-302013: Built x: y"), Some(["ASA", "6", "302013", "Built x: y"]));
        assert_eq!(parts("%ASA-session-6-302013: Built"), Some(["ASA-session", "6", "302013", "Built"]));
        assert_eq!(parts("1: %SEC_LOGIN-5-LOGIN_SUCCESS: ok"), Some(["SEC_LOGIN", "5", "LOGIN_SUCCESS", "ok"]));
        for line in
            ["%ASA-9-302013: x", "%ASA-302013: x", "%asa-6-302013: x", "100% - 6-x: y", "{\"a\":\"%ASA-6-1: x\"}"]
        {
            assert_eq!(parts(line), None, "{line}");
        }
    }

    #[test]
    fn headers_come_in_many_forms() {
        for (text, host, time) in [
            ("Jan 02 2026 03:04:05 fw1 : ", "fw1", "2026-01-02T03:04:05Z"),
            ("Jan 02 2026 03:04:05: ", "", "2026-01-02T03:04:05Z"),
            ("Jan  2 03:04:05 fw1 ", "fw1", "2026-01-02T03:04:05Z"),
            ("Jan  2 03:04:09 10.0.0.9 Jan 02 2026 03:04:05: ", "10.0.0.9", "2026-01-02T03:04:05Z"),
            ("45: r1: *Jan  2 03:04:05.123 UTC: ", "r1", "2026-01-02T03:04:05Z"),
            ("r1 45: Jan  2 2026 03:04:05.123 EST: ", "r1", "2026-01-02T08:04:05.123Z"),
            ("1 2026-01-02T03:04:05Z fw1 - - - - ", "fw1", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05+01:00 fw1 : ", "fw1", "2026-01-02T02:04:05Z"),
        ] {
            let header = Header::of(text, now());
            assert_eq!((header.host, header.time.map(|t| t.to_string())), (host, Some(time.to_owned())), "{text}");
        }
        assert_eq!(Header::of("", now()), Header::default());
    }
}
