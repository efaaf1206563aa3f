//! Events as text: XML as Windows renders and Splunk forwards it, one event a line; JSON as flat collectors ship it.

use std::fmt::Write as _;

use super::Record;

/// RFC 3339 with milliseconds, from milliseconds since 1970 (Howard Hinnant's `civil_from_days`).
pub(crate) fn time(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// One event as one line of event XML.
pub(crate) fn xml(record: &Record) -> String {
    let mut text = format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{}' Guid='{}'/><EventID>{}</EventID><Version>5</Version><Level>4</Level><Task>{}</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime='{}'/><EventRecordID>{}</EventRecordID><Correlation/><Execution ProcessID='2100' ThreadID='2800'/><Channel>{}</Channel><Computer>{}</Computer><Security UserID='S-1-5-18'/></System><EventData>",
        record.provider,
        record.guid,
        record.event_id,
        record.event_id,
        time(record.time),
        record.number,
        record.channel,
        record.computer
    );
    for (name, value) in &record.data {
        let _ = write!(text, "<Data Name='{name}'>{}</Data>", escape(value));
    }
    text + "</EventData></Event>"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "&#10;")
}

/// One event as one line of flat JSON.
pub(super) fn flat_json(record: &Record) -> String {
    let mut object = serde_json::Map::new();
    object.insert("@timestamp".into(), time(record.time).into());
    object.insert("SourceName".into(), record.provider.into());
    object.insert("ProviderGuid".into(), record.guid.into());
    object.insert("Channel".into(), record.channel.into());
    object.insert("EventID".into(), record.event_id.into());
    object.insert("Version".into(), 5.into());
    object.insert("Task".into(), record.event_id.into());
    object.insert("Level".into(), "4".into());
    object.insert("Keywords".into(), "0x8000000000000000".into());
    object.insert("RecordNumber".into(), record.number.into());
    object.insert("Hostname".into(), record.computer.as_str().into());
    for (name, value) in &record.data {
        object.insert((*name).into(), value.as_str().into());
    }
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_civil() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_772_431_200_123), "2026-03-02T06:00:00.123Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00.000Z");
    }
}
