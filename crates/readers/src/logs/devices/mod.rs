//! Syslog of network devices, which has forms of its own: Cisco's `%ASA-6-302013: …`, FortiGate's `key=value`, PAN-OS's
//! columns without names.
//!
//! A line is told by its message, not by its header: devices write headers of many kinds, and some none. What a
//! message says in words is left to mapping packs, which take it apart by the number of the message; what the format
//! itself marks (keys, columns) is taken apart here, under the names that the vendor's documentation gives.

mod cisco;
mod fortigate;
mod panos;

use lurcher_schema::Timestamp;

use super::{Line, syslog};
use crate::{reader::Reader, rows::Place};

/// A line of a device, told by its message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Device<'a> {
    Cisco(cisco::Message<'a>),
    FortiGate(fortigate::Message<'a>),
    Panos(panos::Message<'a>),
}

/// What device a line is of; `None` if it is of none.
pub(super) fn of(line: &str) -> Option<Device<'_>> {
    let (preamble, _) = priority(line);
    cisco::message(preamble)
        .map(Device::Cisco)
        .or_else(|| panos::message(preamble).map(Device::Panos))
        .or_else(|| fortigate::message(preamble).map(Device::FortiGate))
}

/// The line without syslog's priority, and the priority.
fn priority(line: &str) -> (&str, Option<u8>) {
    let parts = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match parts.and_then(|(number, rest)| Some((rest, number.parse::<u8>().ok()?))) {
        Some((rest, number)) => (rest, Some(number)),
        None => (line, None),
    }
}

/// The host and the time of a usual header of syslog.
fn header(line: &str, now: Timestamp) -> (&str, Option<Timestamp>) {
    syslog::header(line).map_or(("", None), |header| (header.host, header.time.at(now)))
}

impl Reader<'_> {
    /// Reads a line of a device.
    pub(super) fn device_line(&mut self, text: &str, device: Device<'_>, place: Place) {
        let now = self.options.now;
        let desk = &mut self.desk;
        let mut line = match device {
            Device::Cisco(message) => message.event(desk, now),
            Device::FortiGate(message) => message.event(desk, header(text, now)),
            Device::Panos(message) => message.event(desk, header(text, now)),
        };
        // Devices have severities of their own.
        syslog::say_priority(&mut line, desk, priority(text).1, ["syslog_facility", "syslog_severity"]);
        line.text(desk, "_raw", text);
        self.line_event(&line, place);
    }
}

/// `2026/01/02 03:04:05` or `2026-01-02 03:04:05`, in UTC unless a zone is given.
fn time_of(date: &str, clock: &str, zone: &str) -> Option<Timestamp> {
    let zone = match zone.split_at_checked(3) {
        Some((hours, minutes)) if zone.starts_with(['+', '-']) && !minutes.contains(':') => {
            format!("{hours}:{minutes}")
        }
        Some(_) if zone.starts_with(['+', '-']) => zone.to_owned(),
        _ => "Z".to_owned(),
    };
    Timestamp::parse(&format!("{}T{clock}{zone}", date.replace('/', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_by_their_messages() {
        let kind = |line| match of(line) {
            Some(Device::Cisco(_)) => "cisco",
            Some(Device::FortiGate(_)) => "fortigate",
            Some(Device::Panos(_)) => "panos",
            None => "",
        };
        for (line, wanted) in [
            ("<166>Jan 02 2026 03:04:05 fw1 : %ASA-6-302013: Built outbound TCP connection 1 for x", "cisco"),
            ("Jan  2 03:04:05 fw1 %FTD-1-430002: EventPriority: Low", "cisco"),
            ("%ASA-4-106023: Deny tcp src a:1.2.3.4/5 dst b:6.7.8.9/1 by access-group \"x\" [0x0, 0x0]", "cisco"),
            ("<189>45: r1: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured from console by vty2", "cisco"),
            ("<189>date=2026-01-02 time=03:04:05 devname=\"f\" logid=\"0000000013\" type=\"traffic\"", "fortigate"),
            ("Jan  2 03:04:05 fw date=2026-01-02 time=03:04:05 devid=F type=utm subtype=ips", "fortigate"),
            ("Jan  2 03:04:05 pa1 1,2026/01/02 03:04:05,0011,TRAFFIC,end,2305,2026/01/02 03:04:05,10.0.0.1", "panos"),
            ("1,2026/01/02 03:04:05,0011,SYSTEM,auth,0,2026/01/02 03:04:05,", "panos"),
            ("Jan  2 03:04:05 web1 app[1]: load is 100% - see the log", ""),
            ("Jan  2 03:04:05 web1 sshd[12]: Accepted password for ann from 10.0.0.1 port 1 ssh2", ""),
            ("1,2026/01/02 03:04:05,a,b", ""),
            ("date=2026-01-02 and time=03:04:05", ""),
            ("", ""),
        ] {
            assert_eq!(kind(line), wanted, "{line}");
        }
    }

    #[test]
    fn times_may_bear_a_zone() {
        let at = |zone| time_of("2026/01/02", "03:04:05", zone).map(|time| time.to_string());
        assert_eq!(at("").as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(at("+0100").as_deref(), Some("2026-01-02T02:04:05Z"));
        assert_eq!(at("-05:30").as_deref(), Some("2026-01-02T08:34:05Z"));
        assert_eq!(at("nonsense").as_deref(), Some("2026-01-02T03:04:05Z"));
    }
}
