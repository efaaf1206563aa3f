//! Windows event XML: one event to its raw fields, and a stream of text to single events.
//!
//! A stream is searched for `<Event …>` and `</Event>`, whatever stands between events: nothing (one event a line,
//! as Splunk forwards it), the rest of a document, or a syslog header before each. So a damaged event costs itself
//! and no other. This is no validating reader.

use quick_xml::{
    Reader as XmlReader,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event as Xml},
};

use crate::{
    names::{self, Name},
    rows::Raw,
    windows::{Desk, WindowsEvent},
};

/// Elements within elements, at most.
const DEPTH: usize = 64;

/// Which part of the event an element is in.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Outside,
    System,
    EventData,
    UserData,
    Rendering,
    Other,
}

/// An open element.
struct Open<'a> {
    tag: &'a str,
    /// Where its text goes: the name, or that it is unnamed data.
    target: Target,
    text: Raw<'a>,
    has_children: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Target {
    None,
    System,
    Unnamed,
    Named(Name),
}

/// Reads one `<Event>…</Event>`.
pub(crate) fn event<'a>(text: &'a str, desk: &mut Desk) -> Result<WindowsEvent<'a>, String> {
    let mut walk = Walk { event: WindowsEvent::new(), desk, open: Vec::with_capacity(8), part: Part::Outside };
    let mut reader = XmlReader::from_str(text);
    reader.config_mut().check_end_names = false;
    let mut complete = false;
    loop {
        let token = reader.read_event().map_err(|e| format!("{e} at byte {}", reader.error_position()))?;
        match token {
            Xml::Start(tag) => walk.start(&tag, text)?,
            Xml::Empty(tag) => {
                walk.start(&tag, text)?;
                walk.end();
            }
            Xml::End(_) => {
                walk.end();
                complete = walk.open.is_empty();
            }
            Xml::Text(t) => walk.text(within(text, &t)),
            Xml::CData(t) => walk.text(within(text, &t)),
            Xml::GeneralRef(entity) => walk.entity(&entity),
            Xml::Eof => break,
            Xml::Comment(_) | Xml::Decl(_) | Xml::PI(_) | Xml::DocType(_) => {}
        }
    }
    if !complete {
        return Err("the event ends in the middle".to_owned());
    }
    if walk.event.is_bare() {
        return Err("the event has no EventID, Channel or Provider".to_owned());
    }
    Ok(walk.event)
}

/// The part of `text` that `part`, a slice of it, covers; keeps the lifetime of the text.
fn within<'a>(text: &'a str, part: &str) -> &'a str {
    let from = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    text.get(from..from.wrapping_add(part.len())).unwrap_or("")
}

struct Walk<'a, 'd> {
    event: WindowsEvent<'a>,
    desk: &'d mut Desk,
    open: Vec<Open<'a>>,
    part: Part,
}

impl<'a> Walk<'a, '_> {
    fn start(&mut self, tag: &BytesStart<'_>, text: &'a str) -> Result<(), String> {
        if self.open.len() >= DEPTH {
            return Err(format!("elements are nested deeper than {DEPTH}"));
        }
        let local = within(text, tag.local_name().into_inner());
        let parent = self.open.last_mut().map(|parent| {
            parent.has_children = true;
            parent.target
        });
        let depth = self.open.len();
        if depth == 1 {
            self.part = match local {
                "System" => Part::System,
                "EventData" => Part::EventData,
                "UserData" => Part::UserData,
                "RenderingInfo" => Part::Rendering,
                _ => Part::Other,
            };
        }
        let target = match (self.part, depth) {
            (Part::System, 2) => {
                self.system_attributes(tag, text, local);
                Target::System
            }
            (Part::EventData, 2) if local == "Data" => match data_name(tag, text, self.desk) {
                Some(name) => Target::Named(name),
                None => Target::Unnamed,
            },
            (Part::EventData, 2) => Target::Named(self.desk.names.child(names::EVENT_DATA, local)),
            // The one element below UserData only names the template.
            (Part::UserData, 2) => Target::Named(names::USER_DATA),
            (Part::Rendering, 2) if local == "Message" => Target::Named(names::MESSAGE),
            (Part::Rendering, 2) => {
                let info = self.desk.names.child(names::SHIPPER, "RenderingInfo");
                Target::Named(self.desk.names.child(info, local))
            }
            (Part::Other, 1) => Target::Named(self.desk.names.child(names::SHIPPER, local)),
            (_, 0 | 1) => Target::None,
            _ => match parent {
                Some(Target::Named(parent)) => Target::Named(self.desk.names.child(parent, local)),
                _ => Target::None,
            },
        };
        self.open.push(Open { tag: local, target, text: Raw::Text(""), has_children: false });
        Ok(())
    }

    fn system_attributes(&mut self, tag: &BytesStart<'_>, text: &'a str, element: &str) {
        for attribute in tag.attributes().with_checks(false).flatten() {
            let key = within(text, attribute.key.local_name().into_inner());
            let value = unescape(within(text, &attribute.value), self.desk);
            self.event.system_element(self.desk, element, Some(key), value);
        }
    }

    fn text(&mut self, text: &'a str) {
        let Some(top) = self.open.last_mut() else { return };
        if top.target == Target::None || text.is_empty() {
            return;
        }
        top.text = match top.text {
            Raw::Text("") => Raw::Text(text),
            before => append(self.desk, before, text),
        };
    }

    fn entity(&mut self, entity: &BytesRef<'_>) {
        let Some(top) = self.open.last_mut() else { return };
        let mut buffer = [0; 4];
        let text: &str = match entity.resolve_char_ref() {
            Ok(Some(c)) => c.encode_utf8(&mut buffer),
            _ => match resolve_predefined_entity(entity) {
                Some(text) => text,
                // An unknown entity is kept as it stands.
                None => return top.text = append(self.desk, top.text, &format!("&{};", &**entity)),
            },
        };
        top.text = append(self.desk, top.text, text);
    }

    fn end(&mut self) {
        let Some(top) = self.open.pop() else { return };
        // White space between elements is no value.
        let value = if top.has_children { Raw::Text("") } else { top.text };
        match top.target {
            Target::None => {}
            Target::System => self.event.system_element(self.desk, top.tag, None, value),
            Target::Unnamed => self.event.unnamed(self.desk, value),
            Target::Named(name) => self.event.put(self.desk, name, value),
        }
    }
}

/// The name in the `Name` attribute of a `Data` element.
fn data_name(tag: &BytesStart<'_>, text: &str, desk: &mut Desk) -> Option<Name> {
    let attribute =
        tag.attributes().with_checks(false).flatten().find(|a| a.key.local_name().into_inner() == "Name")?;
    let value = unescape(within(text, &attribute.value), desk);
    let name = value.text(&desk.scratch);
    if name.is_empty() {
        return None;
    }
    Some(desk.names.child(names::EVENT_DATA, name))
}

/// Adds text to a value, in the scratch.
fn append(desk: &mut Desk, before: Raw<'_>, text: &str) -> Raw<'static> {
    match before {
        Raw::Scratch(from, to) if to as usize == desk.scratch.len() => {
            desk.scratch.push_str(text);
            Raw::Scratch(from, desk.scratch.len() as u32)
        }
        other => {
            let from = desk.scratch.len();
            let whole = [other.text(&desk.scratch), text].concat();
            desk.scratch.push_str(&whole);
            Raw::Scratch(from as u32, desk.scratch.len() as u32)
        }
    }
}

/// The value of an attribute.
fn unescape<'a>(text: &'a str, desk: &mut Desk) -> Raw<'a> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Raw::Text(text);
    }
    match quick_xml::escape::unescape(text) {
        Ok(plain) => desk.keep(&plain),
        Err(_) => Raw::Text(text),
    }
}

/// Where the next event lies in a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// `start..end`.
    Event(usize, usize),
    /// An event that another one begins in: `start..end` is what there is of it.
    Broken(usize, usize),
    /// One begins here, its end is not in the text yet.
    Open(usize),
    /// None begins here. Bytes before this offset cannot belong to one.
    None(usize),
}

/// Finds the next event in a text from `from` on. `searched` bytes of it are known to hold no end of it.
pub(crate) fn find(text: &[u8], from: usize, searched: usize) -> Found {
    let Some(start) = find_start(text, from) else {
        return Found::None(text.len().saturating_sub(b"<Event".len()).max(from));
    };
    let mut at = start.max(searched.saturating_sub(END.len()));
    loop {
        let Some(end) = memchr::memmem::find(&text[at..], END).map(|e| at + e + END.len()) else {
            // Another whole head shows that this one was cut off.
            return match next_head(text, start) {
                Some(next) => Found::Broken(start, next),
                None => Found::Open(start),
            };
        };
        if let Some(next) = next_head(&text[..end], start) {
            return Found::Broken(start, next);
        }
        // An element of the event's own data may be called Event too: it opens as often as it closes.
        let inner = &text[start..end];
        let opened = opened(inner);
        let closed = memchr::memmem::find_iter(inner, END).count();
        if closed >= opened {
            return Found::Event(start, end);
        }
        at = end;
    }
}

const END: &[u8] = b"</Event>";

/// Where `<Event>` or `<Event …>` begins.
pub(crate) fn find_start(text: &[u8], from: usize) -> Option<usize> {
    let from = from.min(text.len());
    memchr::memmem::find_iter(&text[from..], b"<Event")
        .map(|at| from + at)
        .find(|at| matches!(text.get(at + 6), Some(b'>' | b' ' | b'\t' | b'\r' | b'\n')))
}

fn opened(text: &[u8]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while let Some(start) = find_start(text, at) {
        // `<Event/>` opens and closes.
        let close = memchr::memchr(b'>', &text[start..]).map_or(text.len(), |e| start + e);
        if close == 0 || text.get(close - 1) != Some(&b'/') {
            count += 1;
        }
        at = start + 6;
    }
    count
}

/// Where, after `start`, the head of another whole event begins: `<Event …>` and then `<System`.
fn next_head(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 6;
    while let Some(next) = find_start(text, at) {
        let close = next + memchr::memchr(b'>', &text[next..])? + 1;
        if text[close..].trim_ascii_start().starts_with(b"<System") {
            return Some(next);
        }
        at = next + 6;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_whatever_stands_between() {
        let text = b"<13>Jan 1 host: <Event xmlns='x'><System/></Event>\r\n<Events><EventX/><Event><System/>";
        assert_eq!(find(text, 0, 0), Found::Event(16, 50));
        assert_eq!(find(text, 50, 0), Found::Open(69));
        assert_eq!(find(b"<Events>  <Ev", 0, 0), Found::None(7));
    }

    #[test]
    fn an_event_that_is_cut_off_costs_only_itself() {
        let text = b"<Event><System><Channel>\n<Event><System/></Event>";
        assert_eq!(find(text, 0, 0), Found::Broken(0, 25));
        assert_eq!(find(text, 25, 0), Found::Event(25, 49));
    }

    #[test]
    fn data_may_hold_an_element_called_event() {
        let text = b"<Event><System/><UserData><Event><A>1</A></Event></UserData></Event><Event>";
        assert_eq!(find(text, 0, 0), Found::Event(0, 68));
    }
}
