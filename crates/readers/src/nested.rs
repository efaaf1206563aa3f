//! Windows events as nested JSON: what `evtx_dump` and its like make of the event's XML.
//!
//! Attributes stand under `#attributes`, under `Element_attributes`, behind an `@`, or as plain members, as the tools
//! differ; text beside them under `#text` or `Value`. All of it leads to the same raw fields as the XML itself.

use sonic_rs::LazyValue;

use crate::{
    json::{Document, Member, each_element, each_member, flatten, is_object},
    names::{self, Name},
    rows::Raw,
    windows::{Desk, WindowsEvent},
};

/// Reads `{"Event":{…}}`. Gives the document back if the member `Event` is no Windows event.
pub(crate) fn root<'a>(desk: &mut Desk, document: Document<'a>) -> Result<WindowsEvent<'a>, Document<'a>> {
    let mut event = WindowsEvent::new();
    for (name, member) in &document.members {
        if *name == names::EVENT
            && let Member::Nested(value) = member
            && is_object(value)
        {
            each_member(desk, value.clone(), |desk, key, member| section(desk, &mut event, key, member));
        }
    }
    if event.is_bare() {
        return Err(document);
    }
    for (name, member) in document.members {
        if name != names::EVENT && !is_attribute(desk.names.key(name)) {
            shipper(desk, &mut event, name, member);
        }
    }
    Ok(event)
}

/// Reads `{"System":{…},"EventData":{…}}`.
pub(crate) fn parts<'a>(desk: &mut Desk, document: Document<'a>) -> Result<WindowsEvent<'a>, Document<'a>> {
    let is_system = |(name, member): &(Name, Member<'a>)| {
        *name == names::SYSTEM && matches!(member, Member::Nested(value) if is_object(value))
    };
    if !document.members.iter().any(is_system) {
        return Err(document);
    }
    let mut event = WindowsEvent::new();
    for (name, member) in document.members {
        match name {
            names::SYSTEM | names::EVENT_DATA | names::USER_DATA | names::RENDERING_INFO => {
                let key = desk.names.key(name).to_owned();
                section(desk, &mut event, &key, member);
            }
            names::MESSAGE => {
                if let Member::Plain(value) = member {
                    event.system(desk, names::MESSAGE, value);
                }
            }
            _ => shipper(desk, &mut event, name, member),
        }
    }
    Ok(event)
}

/// Keeps what is no part of the event under `Shipper`.
pub(crate) fn shipper<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, name: Name, member: Member<'a>) {
    let key = desk.names.text(name).to_owned();
    let name = desk.names.child(names::SHIPPER, &key);
    let mut fields = Vec::new();
    flatten(desk, &mut fields, name, member);
    for (name, value) in fields {
        event.shipper(desk, name, value);
    }
}

fn is_attribute(key: &str) -> bool {
    key.starts_with(['@', '#', '$']) || key.ends_with("_attributes") || key == "xmlns"
}

fn is_text(key: &str) -> bool {
    matches!(key, "#text" | "Value" | "text" | "$t" | "_")
}

fn is_attributes(key: &str) -> bool {
    matches!(key, "#attributes" | "@attributes" | "attributes" | "$")
}

/// One part of the event.
fn section<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, key: &str, member: Member<'a>) {
    match (key, member) {
        (_, Member::Null) => {}
        ("System", Member::Nested(value)) => each_member(desk, value, |desk, key, member| {
            if key.starts_with(['@', '#', '$']) {
                return;
            }
            match key.strip_suffix("_attributes") {
                Some(element) => attributes(desk, event, element, member),
                None => system(desk, event, key, member),
            }
        }),
        ("EventData", member) => data(desk, event, member),
        ("UserData", Member::Nested(value)) => user_data(desk, event, value),
        ("RenderingInfo", Member::Nested(value)) => each_member(desk, value, |desk, key, member| match member {
            Member::Plain(text) if key == "Message" => event.put(desk, names::MESSAGE, text),
            member if !is_attribute(key) => {
                let info = desk.names.child(names::SHIPPER, "RenderingInfo");
                let name = desk.names.child(info, key);
                named(desk, event, name, member);
            }
            _ => {}
        }),
        (key, _) if is_attribute(key) => {}
        (key, member) => {
            let name = desk.names.child(names::SHIPPER, key);
            named(desk, event, name, member);
        }
    }
}

/// An element of the system part.
fn system<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, element: &str, member: Member<'a>) {
    match member {
        Member::Null => {}
        Member::Plain(value) => event.system_element(desk, element, None, value),
        Member::Nested(value) => each_member(desk, value, |desk, key, member| match member {
            Member::Plain(value) if is_text(key) => event.system_element(desk, element, None, value),
            member if is_attributes(key) => attributes(desk, event, element, member),
            Member::Plain(value) => {
                let attribute = key.trim_start_matches(['@', '#', '-']);
                system_attribute(desk, event, element, attribute, value);
            }
            _ => {}
        }),
    }
}

fn attributes<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, element: &str, member: Member<'a>) {
    let Member::Nested(value) = member else { return };
    each_member(desk, value, |desk, key, member| {
        if let Member::Plain(value) = member {
            system_attribute(desk, event, element, key, value);
        }
    });
}

fn system_attribute<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, element: &str, attribute: &str, value: Raw<'a>) {
    if attribute == "xmlns" {
        return;
    }
    // Some tools write the time as seconds since 1970.
    let value = match value {
        Raw::Json(number) if element == "TimeCreated" => match crate::json::loose_time(number) {
            Some(time) => desk.keep(&time.to_string()),
            None => value,
        },
        other => other,
    };
    event.system_element(desk, element, Some(attribute), value);
}

/// The data part.
pub(crate) fn data<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, member: Member<'a>) {
    match member {
        Member::Null => {}
        Member::Plain(value) => event.unnamed(desk, value),
        Member::Nested(value) if is_object(&value) => each_member(desk, value, |desk, key, member| match key {
            "Data" => items(desk, event, member),
            key if is_attribute(key) => {}
            key => {
                let name = desk.names.child(names::EVENT_DATA, key);
                named(desk, event, name, member);
            }
        }),
        Member::Nested(value) => each_element(desk, value, |desk, member| items(desk, event, member)),
    }
}

/// `Data` elements: one, or a list of them.
fn items<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, member: Member<'a>) {
    match member {
        Member::Null => event.unnamed(desk, Raw::Text("")),
        Member::Plain(value) => event.unnamed(desk, value),
        Member::Nested(value) if is_object(&value) => item(desk, event, value),
        Member::Nested(value) => each_element(desk, value, |desk, member| match member {
            Member::Nested(value) if is_object(&value) => item(desk, event, value),
            Member::Plain(value) => event.unnamed(desk, value),
            _ => event.unnamed(desk, Raw::Text("")),
        }),
    }
}

/// One `Data` element with its attributes beside its text, or all unnamed ones under one `#text`.
fn item<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, value: LazyValue<'a>) {
    let mut name = None;
    let mut texts = Vec::new();
    each_member(desk, value, |desk, key, member| match member {
        Member::Plain(value) if matches!(key, "@Name" | "-Name" | "Name") => name = Some(value),
        Member::Plain(value) if is_text(key) => texts.push(value),
        Member::Nested(value) if is_attributes(key) => each_member(desk, value, |_, key, member| {
            if let ("Name", Member::Plain(value)) = (key, member) {
                name = Some(value);
            }
        }),
        Member::Nested(value) if is_text(key) => each_element(desk, value, |_, member| {
            texts.push(if let Member::Plain(value) = member { value } else { Raw::Text("") });
        }),
        _ => {}
    });
    let name = name.map(|name| {
        let key = name.text(&desk.scratch).to_owned();
        desk.names.child(names::EVENT_DATA, &key)
    });
    for text in texts {
        match name {
            Some(name) => event.put(desk, name, text),
            None => event.unnamed(desk, text),
        }
    }
}

/// The user part: the children of the one element in it.
fn user_data<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, value: LazyValue<'a>) {
    each_member(desk, value, |desk, key, member| {
        if !is_attribute(key) {
            named(desk, event, names::USER_DATA, member);
        }
    });
}

/// An element with a name: its text, each of several, or its children by dotted path.
pub(crate) fn named<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, name: Name, member: Member<'a>) {
    match member {
        Member::Null => {}
        Member::Plain(value) => event.put(desk, name, value),
        Member::Nested(value) if is_object(&value) => each_member(desk, value, |desk, key, member| {
            if key == "#text" {
                named(desk, event, name, member);
            } else if !is_attribute(key) {
                let name = desk.names.child(name, key);
                named(desk, event, name, member);
            }
        }),
        Member::Nested(value) => each_element(desk, value, |desk, member| named(desk, event, name, member)),
    }
}
