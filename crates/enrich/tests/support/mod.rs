//! Makes a small database in MaxMind's format: a tree of address bits, data, and what describes both.
//!
//! Source: MaxMind's *MaxMind DB File Format Specification*, version 2.0.

use std::net::IpAddr;

/// A value of the data section.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Text(&'static str),
    Double(f64),
    Short(u16),
    Word(u32),
    Long(u64),
    Truth(bool),
    Map(Vec<(&'static str, Data)>),
    List(Vec<Data>),
}

impl Data {
    /// `{"names": {"en": …, "de": …}}`.
    pub(crate) fn named(english: &'static str, german: Option<&'static str>) -> Self {
        let mut names = vec![("en", Self::Text(english))];
        names.extend(german.map(|name| ("de", Self::Text(name))));
        Self::Map(vec![("names", Self::Map(names))])
    }

    /// The same with more members.
    pub(crate) fn with(self, more: &[(&'static str, Data)]) -> Self {
        match self {
            Self::Map(mut members) => {
                members.extend(more.iter().cloned());
                Self::Map(members)
            }
            other => other,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(out, 2, text.len());
                out.extend(text.as_bytes());
            }
            Self::Double(number) => {
                control(out, 3, 8);
                out.extend(number.to_be_bytes());
            }
            Self::Short(number) => {
                control(out, 5, 2);
                out.extend(number.to_be_bytes());
            }
            Self::Word(number) => {
                control(out, 6, 4);
                out.extend(number.to_be_bytes());
            }
            Self::Long(number) => {
                control(out, 9, 8);
                out.extend(number.to_be_bytes());
            }
            // The value is the size.
            Self::Truth(truth) => control(out, 14, usize::from(*truth)),
            Self::Map(members) => {
                control(out, 7, members.len());
                for (name, value) in members {
                    Self::Text(name).write(out);
                    value.write(out);
                }
            }
            Self::List(items) => {
                control(out, 11, items.len());
                items.iter().for_each(|item| item.write(out));
            }
        }
    }
}

fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (short, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    if kind < 8 {
        out.push((kind << 5) | short);
    } else {
        out.extend([short, kind - 7]);
    }
    out.extend(more);
}

#[derive(Clone, Copy)]
enum Target {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database of this kind, with what it says of networks (`address/bits`).
pub(crate) fn database(kind: &'static str, networks: &[(&str, Data)]) -> Vec<u8> {
    let mut nodes = vec![[Target::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (address, bits) = network.split_once('/').expect("a network");
        let (address, bits): (u128, u32) = match address.parse().expect("an address") {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 96 + bits.parse::<u32>().expect("bits")),
            IpAddr::V6(v6) => (v6.into(), bits.parse().expect("bits")),
        };
        let mut node = 0;
        for depth in 0..bits {
            let side = ((address >> (127 - depth)) & 1) as usize;
            if depth + 1 == bits {
                nodes[node][side] = Target::Data(data.len());
            } else if let Target::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Target::Nothing; 2]);
                nodes[node][side] = Target::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
        value.write(&mut data);
    }
    let mut out = Vec::new();
    for target in nodes.iter().flatten() {
        let record = match target {
            Target::Nothing => nodes.len(),
            Target::Node(node) => *node,
            Target::Data(offset) => nodes.len() + 16 + offset,
        };
        out.extend(&(record as u32).to_be_bytes()[1..]);
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    Data::Map(vec![
        ("node_count", Data::Word(nodes.len() as u32)),
        ("record_size", Data::Short(24)),
        ("ip_version", Data::Short(6)),
        ("database_type", Data::Text(kind)),
        ("languages", Data::List(vec![Data::Text("en"), Data::Text("de")])),
        ("binary_format_major_version", Data::Short(2)),
        ("binary_format_minor_version", Data::Short(0)),
        ("build_epoch", Data::Long(1_700_000_000)),
        ("description", Data::Map(vec![("en", Data::Text("made for a test"))])),
    ])
    .write(&mut out);
    out
}

/// Cities as tests want them.
pub(crate) fn cities() -> Vec<u8> {
    let location = |latitude, longitude, zone| {
        Data::Map(vec![
            ("latitude", Data::Double(latitude)),
            ("longitude", Data::Double(longitude)),
            ("time_zone", Data::Text(zone)),
        ])
    };
    let munich = Data::Map(vec![
        ("city", Data::named("Munich", Some("München"))),
        (
            "country",
            Data::named("Germany", Some("Deutschland"))
                .with(&[("iso_code", Data::Text("DE")), ("is_in_european_union", Data::Truth(true))]),
        ),
        ("continent", Data::named("Europe", Some("Europa")).with(&[("code", Data::Text("EU"))])),
        (
            "subdivisions",
            Data::List(vec![
                Data::named("Bavaria", None).with(&[("iso_code", Data::Text("BY"))]),
                Data::named("Upper Bavaria", None).with(&[("iso_code", Data::Text("OB"))]),
            ]),
        ),
        ("postal", Data::Map(vec![("code", Data::Text("80331"))])),
        ("registered_country", Data::named("United States", None).with(&[("iso_code", Data::Text("US"))])),
        ("location", location(48.137, 11.575, "Europe/Berlin")),
    ]);
    let boston = Data::Map(vec![
        ("city", Data::named("Boston", None)),
        ("country", Data::named("United States", Some("USA"))),
        ("continent", Data::named("North America", None)),
        ("subdivisions", Data::List(vec![Data::named("Massachusetts", None)])),
        (
            "location",
            Data::Map(vec![
                ("latitude", Data::Double(42.36)),
                ("longitude", Data::Double(-71.06)),
                ("metro_code", Data::Short(506)),
                ("time_zone", Data::Text("America/New_York")),
            ]),
        ),
    ]);
    let norway =
        Data::Map(vec![("country", Data::named("Norway", None)), ("location", location(60.0, 8.0, "Europe/Oslo"))]);
    database("GeoLite2-City", &[("203.0.113.0/24", munich), ("198.51.100.0/25", boston), ("2001:db8:47::/48", norway)])
}
