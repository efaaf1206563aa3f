//! JSON documents: to members, to fields, and on to the dialect that they speak.
//!
//! The text is checked once as a whole; then each level is walked lazily, so that strings without escapes and the
//! text of numbers stay borrowed from the input. A wrapped event (`_source`, `result`, `_raw`, XML in a text field) is
//! unwrapped and read as what it is.

use std::borrow::Cow;

use lurcher_schema::Timestamp;
use sonic_rs::LazyValue;

use crate::{
    RecordForm,
    dialect::{Dialect, Marks},
    flat, logs,
    names::{self, Name, Names},
    nested, places,
    reader::Reader,
    rows::{Field, Place, Raw},
    vendor::Vendor,
    windows::Desk,
    wrapping::Wrapping,
};

/// Values within values, at most; deeper documents are refused before a recursive parser sees them.
pub(crate) const DEPTH: usize = 128;

/// Events wrapped in events, at most.
const WRAPPINGS: usize = 4;

/// A member of a document.
#[derive(Debug)]
pub(crate) enum Member<'a> {
    Null,
    /// Text, a number or a boolean.
    Plain(Raw<'a>),
    /// An array or object.
    Nested(LazyValue<'a>),
}

impl<'a> Member<'a> {
    pub(crate) fn of(desk: &mut Desk, value: LazyValue<'a>) -> Self {
        let raw = raw(&value);
        match raw.as_bytes().first() {
            Some(b'"') => Self::Plain(string(desk, raw)),
            Some(b'{' | b'[') => Self::Nested(value),
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Plain(Raw::Json(raw)),
        }
    }
}

/// The JSON text of a value.
pub(crate) fn raw<'a>(value: &LazyValue<'a>) -> &'a str {
    match value.as_raw_cow() {
        // The text of a number may come with the white space behind it.
        Cow::Borrowed(text) => text.trim_ascii(),
        // Values made from borrowed text are borrowed.
        Cow::Owned(_) => "",
    }
}

/// The text of a JSON string literal.
fn string<'a>(desk: &mut Desk, literal: &'a str) -> Raw<'a> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or("");
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else { return Raw::Text(inner) };
    let from = desk.scratch.len() as u32;
    unescape(&mut desk.scratch, inner, first);
    Raw::Scratch(from, desk.scratch.len() as u32)
}

/// Adds the text of `inner`, whose first backslash is at `at`. Halves of surrogate pairs become U+FFFD.
fn unescape(out: &mut String, inner: &str, mut at: usize) {
    let mut done = 0;
    loop {
        out.push_str(&inner[done..at]);
        let escape = inner.as_bytes().get(at + 1).copied();
        done = at + 2;
        match escape {
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'u') => {
                let unit = |at: usize| inner.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
                let first = unit(done).unwrap_or(0xfffd);
                done += 4;
                let second = (inner.as_bytes().get(done..done + 2) == Some(b"\\u")).then(|| unit(done + 2)).flatten();
                let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
                match pair {
                    Some(c) if c as u32 > 0xffff => {
                        out.push(c);
                        done += 6;
                    }
                    _ => out.push(char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            Some(_) => done = at + 1,
            None => done = at,
        }
        // What follows a plain escape begins with the escaped character itself.
        let search = if done == at + 1 { done + 1 } else { done };
        if done >= inner.len() {
            return;
        }
        match inner.as_bytes().get(search..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            Some(next) => at = search + next,
            None => return out.push_str(inner.get(done..).unwrap_or("")),
        }
    }
}

/// Whether values are nested deeper than [`DEPTH`].
pub(crate) fn too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    if memchr::memchr2_iter(b'{', b'[', bytes).nth(DEPTH).is_none() {
        return false;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(next) = memchr::memchr2(b'"', b'\\', bytes.get(at + 1..).unwrap_or(&[])) {
                    at += next + 1;
                    if bytes[at] == b'"' {
                        break;
                    }
                    at += 1;
                }
            }
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
        at += 1;
    }
    false
}

/// Checks a document and gives its value.
pub(crate) fn parse(text: &str) -> Result<LazyValue<'_>, String> {
    if too_deep(text) {
        return Err(format!("values are nested deeper than {DEPTH}"));
    }
    sonic_rs::from_str::<LazyValue<'_>>(text).map_err(|error| {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or("no JSON");
        let what = first.split(" at line ").next().unwrap_or(first);
        format!("{} at byte {}", lower_first(what), error.offset())
    })
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The members of an object, by top-level name, and what their keys say.
#[derive(Default)]
pub(crate) struct Document<'a> {
    pub(crate) members: Vec<(Name, Member<'a>)>,
    pub(crate) marks: Marks,
}

impl<'a> Document<'a> {
    pub(crate) fn of(desk: &mut Desk, value: LazyValue<'a>) -> Option<Self> {
        let mut document = Self { members: Vec::with_capacity(48), marks: Marks::default() };
        for member in value.into_object_iter()? {
            let (key, value) = member.ok()?;
            let member = Member::of(desk, value);
            document.add(desk, &key, member);
        }
        Some(document)
    }

    pub(crate) fn add(&mut self, desk: &mut Desk, key: &str, member: Member<'a>) {
        let name = desk.names.root(key);
        self.marks = self.marks.with(desk.names.marks(name));
        self.members.push((name, member));
    }

    fn take(&mut self, name: Name) -> Option<Member<'a>> {
        let at = self.members.iter().position(|member| member.0 == name)?;
        Some(self.members.swap_remove(at).1)
    }

    fn text<'s>(&self, name: Name, scratch: &'s str) -> Option<&'s str>
    where
        'a: 's,
    {
        self.members.iter().find_map(|(known, member)| match member {
            Member::Plain(raw) if *known == name => Some(raw.text(scratch)),
            _ => None,
        })
    }
}

/// Calls `each` with the key and value of each member of an object.
pub(crate) fn each_member<'a>(
    desk: &mut Desk,
    value: LazyValue<'a>,
    mut each: impl FnMut(&mut Desk, &str, Member<'a>),
) {
    for member in value.into_object_iter().into_iter().flatten() {
        let Ok((key, value)) = member else { return };
        let member = Member::of(desk, value);
        each(desk, &key, member);
    }
}

/// Calls `each` with each element of an array.
pub(crate) fn each_element<'a>(desk: &mut Desk, value: LazyValue<'a>, mut each: impl FnMut(&mut Desk, Member<'a>)) {
    for element in value.into_array_iter().into_iter().flatten() {
        let Ok(value) = element else { return };
        let member = Member::of(desk, value);
        each(desk, member);
    }
}

/// Whether a nested value is an object.
pub(crate) fn is_object(value: &LazyValue<'_>) -> bool {
    raw(value).starts_with('{')
}

/// Fields of a member with their JSON types: objects by dotted path, arrays as one value each, nulls not at all.
pub(crate) fn flatten<'a>(desk: &mut Desk, fields: &mut Vec<Field<'a>>, name: Name, member: Member<'a>) {
    match member {
        Member::Null => {}
        Member::Plain(value) => fields.push((name, value)),
        Member::Nested(value) if is_object(&value) => each_member(desk, value, |desk, key, member| {
            let name = desk.names.child(name, key);
            flatten(desk, fields, name, member);
        }),
        Member::Nested(value) => fields.push((name, Raw::Json(raw(&value)))),
    }
}

impl Reader<'_> {
    /// Reads one JSON document, which must be an object, or an array of objects that is one line.
    pub(crate) fn json(&mut self, text: &str, place: Place) -> Result<(), String> {
        self.start_event();
        self.original(RecordForm::Json, text);
        if text.starts_with('[') {
            return self.each_wrapped(parse(text)?, place, &Wrapping::default());
        }
        self.json_wrapped(text, place, Wrapping::default())
    }

    fn json_wrapped(&mut self, text: &str, place: Place, wrapping: Wrapping) -> Result<(), String> {
        let value = parse(text)?;
        let Some(document) = Document::of(&mut self.desk, value) else {
            return Err("an event must be a JSON object".to_owned());
        };
        self.document(document, place, wrapping)
    }

    /// Reads a document of which the members are known: a JSON object, or a row of a table.
    pub(crate) fn document(
        &mut self,
        mut document: Document<'_>,
        place: Place,
        mut wrapping: Wrapping,
    ) -> Result<(), String> {
        wrapping.depth += 1;
        if wrapping.depth > WRAPPINGS {
            return Err(format!("events are wrapped in events deeper than {WRAPPINGS}"));
        }
        match Dialect::of(document.marks) {
            Dialect::Hit | Dialect::SplunkResult if !unwrappable(&document) => self.plain(document, place, &wrapping),
            Dialect::Hit => {
                let index = document.text(names::INDEX, &self.desk.scratch).map(str::to_owned);
                wrapping.index = index.or(wrapping.index);
                return self.unwrap(document.take(names::SOURCE_DOCUMENT), place, wrapping);
            }
            Dialect::SplunkResult => return self.unwrap(document.take(names::RESULT), place, wrapping),
            Dialect::SplunkRaw => self.splunk_raw(document, place, wrapping),
            Dialect::WindowsNested => match nested::root(&mut self.desk, document) {
                Ok(event) => self.windows(event, place),
                Err(document) => self.plain(document, place, &wrapping),
            },
            Dialect::WindowsParts => match nested::parts(&mut self.desk, document) {
                Ok(event) => self.windows(event, place),
                Err(document) => self.plain(document, place, &wrapping),
            },
            Dialect::WindowsFlat => {
                let event = flat::flat(&mut self.desk, document);
                self.windows(event, place);
            }
            Dialect::Winlogbeat6 => {
                let event = flat::winlogbeat6(&mut self.desk, document);
                self.windows(event, place);
            }
            Dialect::Ecs => self.ecs(document, place, &wrapping),
            Dialect::Cim => self.cim(document, place, &wrapping),
            Dialect::Ocsf => self.ocsf(document, place, &wrapping),
            Dialect::Vendor(vendor) => {
                let xml = if vendor.dialect == "syslog" { wrapped_xml(&document, &self.desk.scratch) } else { None };
                if xml.is_none_or(|xml| self.xml_wrapped(&xml, place).is_err()) {
                    self.vendor(vendor, document, place, &wrapping);
                }
            }
            Dialect::Unknown => {
                if let Some(list) = wrapped_list(&self.desk.names, &document) {
                    return self.each_wrapped(list, place, &wrapping);
                }
                let xml = wrapped_xml(&document, &self.desk.scratch);
                if xml.is_none_or(|xml| self.xml_wrapped(&xml, place).is_err()) {
                    self.plain(document, place, &wrapping);
                }
            }
        }
        Ok(())
    }

    fn unwrap(&mut self, inner: Option<Member<'_>>, place: Place, wrapping: Wrapping) -> Result<(), String> {
        let Some(Member::Nested(value)) = inner else { return Err("an event must be a JSON object".to_owned()) };
        let Some(document) = Document::of(&mut self.desk, value) else {
            return Err("an event must be a JSON object".to_owned());
        };
        self.document(document, place, wrapping)
    }

    fn windows(&mut self, event: crate::windows::WindowsEvent<'_>, place: Place) {
        event.finish(&self.desk, &mut self.rows, place);
        self.count("windows");
    }

    /// A Splunk export: read from `_raw` where that is an event in XML or JSON, or a line of a log with no extracted fields
    /// beside it; else from its extracted fields.
    fn splunk_raw(&mut self, document: Document<'_>, place: Place, wrapping: Wrapping) {
        let raw = document.text(names::RAW, &self.desk.scratch).unwrap_or_default().to_owned();
        let begin = raw.trim_start();
        let is_xml = begin.starts_with('<');
        if let Some(start) = crate::xml::find_start(begin.as_bytes(), 0).filter(|_| is_xml)
            && self.xml_wrapped(&begin[start..], place).is_ok()
        {
            return;
        }
        if begin.starts_with('{') {
            let mut around = wrapping.clone();
            around.tell(&mut self.desk, &document);
            if self.json_wrapped(&raw, place, around).is_ok() {
                return;
            }
        }
        if only_metadata(&self.desk.names, &document) && logs::is_line(&raw) && self.line_in_document(&raw, place) {
            return;
        }
        if is_xml {
            let place = format!("record {}", place.record);
            self.warning("xml-syntax", place, "the event in `_raw` cannot be read; read from the fields beside it");
        }
        self.cim(document, place, &wrapping);
    }

    /// The fields of a document, and what was told of it beside it.
    fn fields<'a>(&mut self, document: Document<'a>, wrapping: &'a Wrapping, foreign: bool) -> Vec<Field<'a>> {
        let mut fields = Vec::with_capacity(document.members.len() + 16);
        for (name, member) in document.members {
            flatten(&mut self.desk, &mut fields, name, member);
        }
        wrapping.add(&mut self.desk, foreign, &mut fields);
        fields
    }

    /// The value of a field, by its full name, however the document wrote it.
    fn value<'s>(&'s self, fields: &[Field<'s>], name: Name) -> Option<&'s str> {
        let full = self.desk.names.text(name);
        fields
            .iter()
            .find(|field| field.0 == name || self.desk.names.text(field.0) == full)
            .map(|field| field.1.text(&self.desk.scratch))
    }

    fn emit(
        &mut self,
        attributes: &[(&'static str, &str)],
        fields: &[Field<'_>],
        place: Place,
        time: Option<Timestamp>,
    ) {
        let named: Vec<(&'static str, &str)> = attributes.iter().copied().filter(|a| !a.1.is_empty()).collect();
        self.rows.push(&self.desk.names, &named, place, time, fields, &self.desk.scratch);
    }

    fn ecs(&mut self, document: Document<'_>, place: Place, wrapping: &Wrapping) {
        let fields = self.fields(document, wrapping, true);
        let get = |name| self.value(&fields, name).unwrap_or("").to_owned();
        let time = Timestamp::parse(&get(names::TIMESTAMP)).or_else(|| wrapping.time(loose_time));
        let stream = get(names::STREAM_DATASET);
        let dataset = if stream.is_empty() { get(names::EVENT_DATASET) } else { stream };
        let stated = wrapping.index.clone().unwrap_or_else(|| get(names::INDEX));
        let indices =
            if stated.is_empty() { places::of_document(get) } else { vec![places::data_stream(&stated).to_owned()] };
        let index = indices.join(",");
        // An event log tells the kind by its own number.
        let kinds = if get(names::WINLOG_CHANNEL).is_empty() {
            [names::EVENT_CATEGORY, names::EVENT_TYPE, names::HOST_OS_TYPE].map(|name| bare_list(&get(name)))
        } else {
            Default::default()
        };
        let attributes = [
            ("dialect", "ecs"),
            ("category", &kinds[0]),
            ("type", &kinds[1]),
            ("os", &kinds[2]),
            ("dataset", &dataset),
            ("module", &get(names::EVENT_MODULE)),
            ("index", &index),
            ("channel", &get(names::WINLOG_CHANNEL)),
            ("provider", &get(names::WINLOG_PROVIDER)),
            ("event_id", &get(names::WINLOG_EVENT_ID)),
        ];
        self.emit(&attributes, &fields, place, time);
        self.count("ecs");
    }

    fn cim(&mut self, document: Document<'_>, place: Place, wrapping: &Wrapping) {
        let fields = self.fields(document, wrapping, false);
        let get = |name, wrapped: &Option<String>| {
            self.value(&fields, name).map(str::to_owned).or_else(|| wrapped.clone()).unwrap_or_default()
        };
        let time = loose_time(&get(names::SPLUNK_TIME, &None))
            .or_else(|| wrapping.time(loose_time))
            .or_else(|| loose_time(&get(names::TIMESTAMP, &None)));
        let attributes = [
            ("dialect", "cim"),
            ("sourcetype", &*get(names::SOURCETYPE, &wrapping.sourcetype)),
            ("source", &*get(names::SOURCE, &wrapping.source)),
        ];
        self.emit(&attributes, &fields, place, time);
        self.count("cim");
    }

    fn ocsf(&mut self, document: Document<'_>, place: Place, wrapping: &Wrapping) {
        let fields = self.fields(document, wrapping, true);
        let time = self.value(&fields, names::TIME).and_then(|time| match time.parse::<i64>() {
            Ok(millis) => Some(Timestamp::from_millis(millis)),
            Err(_) => loose_time(time),
        });
        let time = time.or_else(|| wrapping.time(loose_time));
        let get = |name| self.value(&fields, name).unwrap_or("").to_owned();
        let (class, activity, os) = (get(names::CLASS_UID), get(names::OCSF_ACTIVITY), get(names::DEVICE_OS));
        let attributes = [("dialect", "ocsf"), ("class_uid", &*class), ("activity", &*activity), ("os", &*os)];
        self.emit(&attributes, &fields, place, time);
        self.count("ocsf");
    }

    /// A document of a product that the table in [`crate::vendor`] knows.
    fn vendor(&mut self, vendor: &Vendor, document: Document<'_>, place: Place, wrapping: &Wrapping) {
        let mut fields = Vec::with_capacity(document.members.len() + 16);
        for (name, member) in document.members {
            match member {
                Member::Nested(value) if vendor.whole.contains(&self.desk.names.key(name)) => {
                    fields.push((name, Raw::Json(raw(&value))));
                }
                member => flatten(&mut self.desk, &mut fields, name, member),
            }
        }
        wrapping.add(&mut self.desk, false, &mut fields);
        let get = |path: &&str| {
            let found = fields.iter().find(|field| self.desk.names.text(field.0) == *path);
            found.map(|field| field.1.text(&self.desk.scratch)).filter(|text| !text.is_empty())
        };
        let time = vendor.times.iter().find_map(|path| loose_time(get(path)?)).or_else(|| wrapping.time(loose_time));
        let mut attributes = vec![("dialect", vendor.dialect)];
        attributes.extend(vendor.fixed);
        for (name, paths) in vendor.attributes {
            // A very long text is data, not a kind.
            let value = paths.iter().find_map(get).filter(|value| value.len() <= 128);
            attributes.extend(value.map(|value| (*name, value)));
        }
        let index = wrapping.index.as_deref().map(places::data_stream).unwrap_or_default();
        attributes.push(("index", index));
        attributes.push(("sourcetype", wrapping.sourcetype.as_deref().unwrap_or_default()));
        attributes.push(("source", wrapping.source.as_deref().unwrap_or_default()));
        attributes.retain(|attribute| !attribute.1.is_empty());
        self.rows.push(&self.desk.names, &attributes, place, time, &fields, &self.desk.scratch);
        self.count(vendor.dialect);
    }

    /// Reads the elements of an array that a document wraps (`{"Records":[…]}`), each as an event of its own. Its
    /// record is its 0-based index.
    fn each_wrapped(&mut self, list: LazyValue<'_>, place: Place, wrapping: &Wrapping) -> Result<(), String> {
        let mut first_fault = None;
        for (index, element) in list.into_array_iter().into_iter().flatten().enumerate() {
            let index = index as u64;
            let Ok(value) = element else { break };
            let place = Place { ordinal: place.ordinal.saturating_add(index), record: index };
            self.start_event();
            if let Some(tap) = &mut self.rows.tap {
                tap.begin_element(raw(&value), wrapping);
            }
            let read = match Document::of(&mut self.desk, value) {
                Some(document) => self.document(document, place, wrapping.clone()),
                None => Err("an event must be a JSON object".to_owned()),
            };
            if let Err(message) = read {
                first_fault.get_or_insert(format!("element {index}: {message}"));
            }
        }
        first_fault.map_or(Ok(()), Err)
    }

    /// A document of no known dialect, as it is.
    fn plain(&mut self, document: Document<'_>, place: Place, wrapping: &Wrapping) {
        let fields = self.fields(document, wrapping, false);
        let own = [
            names::TIMESTAMP,
            names::TIMESTAMP_PLAIN,
            names::TIMESTAMP_CAPITAL,
            names::TIME,
            names::SPLUNK_TIME,
            names::TIME_GENERATED,
            names::EVENT_TIME_AWS,
        ]
        .into_iter()
        .find_map(|name| loose_time(self.value(&fields, name)?));
        let time = wrapping.time(loose_time).or(own);
        let index = wrapping.index.as_deref().map(places::data_stream).unwrap_or_default().to_owned();
        // A very long text is data, not a kind.
        let told = |name, wrapped: &Option<String>| {
            let own = self.value(&fields, name).filter(|value| value.len() <= 128).map(str::to_owned);
            own.or_else(|| wrapped.clone()).unwrap_or_default()
        };
        let (sourcetype, source) =
            (told(names::SOURCETYPE, &wrapping.sourcetype), told(names::SOURCE, &wrapping.source));
        let attributes =
            [("dialect", "unknown"), ("index", index.as_str()), ("sourcetype", &sourcetype), ("source", &source)];
        self.emit(&attributes, &fields, place, time);
        self.count("unknown");
    }
}

/// Whether there is nothing in a Splunk export beside `_raw` but what Splunk says of every event.
fn only_metadata(names: &Names, document: &Document<'_>) -> bool {
    document.members.iter().all(|(name, _)| {
        let key = names.text(*name);
        key.starts_with('_')
            || matches!(key, "host" | "source" | "sourcetype" | "index" | "splunk_server" | "linecount")
    })
}

/// Whether the wrapping of a document holds another one.
fn unwrappable(document: &Document<'_>) -> bool {
    document.members.iter().any(|(name, member)| {
        matches!(*name, names::SOURCE_DOCUMENT | names::RESULT) && matches!(member, Member::Nested(v) if is_object(v))
    })
}

/// The array of events that a document wraps, as cloud services deliver them: under a name made for that, with
/// nothing but plain values (a link to the next page, a count) beside it.
fn wrapped_list<'a>(names: &Names, document: &Document<'a>) -> Option<LazyValue<'a>> {
    if !document.marks.has(Marks::LIST) {
        return None;
    }
    let mut nested = document.members.iter().filter_map(|(name, member)| match member {
        Member::Nested(value) => Some((*name, value)),
        _ => None,
    });
    let (name, list) = nested.next()?;
    let holds_objects = || raw(list).strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'));
    (nested.next().is_none() && names.marks(name).has(Marks::LIST) && holds_objects()).then(|| list.clone())
}

/// An event in XML that a text member holds.
fn wrapped_xml(document: &Document<'_>, scratch: &str) -> Option<String> {
    document.members.iter().find_map(|(_, member)| {
        let Member::Plain(raw) = member else { return None };
        let text = raw.text(scratch);
        let head = text.get(..text.floor_char_boundary(512)).unwrap_or("");
        // Only a text that is the event, or a line with a short header before it.
        let start = crate::xml::find_start(head.as_bytes(), 0)?;
        text.trim_end().ends_with("</Event>").then(|| text[start..].to_owned())
    })
}

/// The elements of a JSON array of words, or the one word, divided by commas; nothing for a text too long to be a kind.
fn bare_list(json: &str) -> String {
    if json.len() > 128 {
        return String::new();
    }
    json.chars().filter(|c| !matches!(c, '[' | ']' | '"' | ' ')).collect()
}

/// A time as text, or as seconds (with a fraction), milliseconds, microseconds or nanoseconds since 1970.
pub(crate) fn loose_time(text: &str) -> Option<Timestamp> {
    if text.is_empty() {
        return None;
    }
    if let Ok(number) = text.parse::<f64>() {
        // Seconds reach this in the year 5138, milliseconds did in 1973, and so on.
        return match number {
            n if (0.0..1e11).contains(&n) => Some(Timestamp::from_seconds(n)),
            n if (1e11..1e14).contains(&n) => Some(Timestamp::from_millis(n as i64)),
            n if (1e14..1e17).contains(&n) => Some(Timestamp(n as i64)),
            n if (1e17..9e18).contains(&n) => Some(Timestamp(text.parse::<i64>().ok()? / 1000)),
            _ => None,
        };
    }
    Timestamp::parse(text).or_else(|| Timestamp::parse(text.strip_suffix(" UTC")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    #[test]
    fn strings_are_unescaped() {
        let mut desk = Desk { names: Names::new(None), scratch: String::new() };
        for (literal, text) in [
            (r#""a""#, "a"),
            (r#""a\\b\"c\/""#, "a\\b\"c/"),
            (r#""\r\n\t\b\f""#, "\r\n\t\u{8}\u{c}"),
            (r#""\u00e9\ud83d\ude00x""#, "é😀x"),
            (r#""\ud83dx\ude00\\""#, "\u{fffd}x\u{fffd}\\"),
            (r#""\\\\n""#, "\\\\n"),
            (r#""""#, ""),
        ] {
            desk.scratch.clear();
            assert_eq!(string(&mut desk, literal).text(&desk.scratch), text, "{literal}");
        }
    }

    #[test]
    fn depth_is_counted_outside_strings() {
        assert!(!too_deep(&format!("{{\"a\":\"{}\"}}", "[".repeat(200))));
        assert!(!too_deep(&"[]".repeat(200)));
        assert!(too_deep(&"[".repeat(DEPTH + 1)));
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn times_are_taken_as_shippers_write_them() {
        for text in ["1600000000.5", "1600000000500", "2020-09-13T12:26:40.500Z", "2020-09-13 12:26:40.500 UTC"] {
            assert_eq!(loose_time(text).map(|t| t.to_string()).as_deref(), Some("2020-09-13T12:26:40.500Z"), "{text}");
        }
        assert_eq!(loose_time("12"), Some(Timestamp(12_000_000)));
        assert_eq!(loose_time("-5"), None);
    }
}
