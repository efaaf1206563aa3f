//! Names: of streams as folders, of fields as columns; and patterns of names.

use std::{collections::HashSet, fmt::Write};

/// What stands before the two hexadecimal digits of a byte that may not stand in a folder's name. Safe in shells,
/// URLs, globs and object stores.
const ESCAPE: u8 = b'!';
/// Longer names are cut, since file systems allow 255 bytes.
const LONGEST: usize = 200;

/// The folder of a stream: letters, digits, `.`, `-` and `_` stay, every other byte becomes `!` and its code. Two streams
/// never share one. The table's own metadata has the name too, from which it is read where the folder's was cut.
pub(crate) fn folder_of(stream: &str) -> String {
    let mut folder = String::with_capacity(stream.len());
    for (at, byte) in stream.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || (byte == b'.' && at > 0);
        if plain {
            folder.push(char::from(byte));
        } else {
            let _ = write!(folder, "{}{byte:02x}", char::from(ESCAPE));
        }
    }
    if folder.is_empty() {
        // No escape is followed by nothing, so this stands for the empty name alone.
        folder.push(char::from(ESCAPE));
    }
    if folder.len() > LONGEST {
        let digest = fnv(stream.as_bytes());
        folder.truncate(LONGEST);
        let _ = write!(folder, "!!{digest:016x}");
    }
    folder
}

/// The stream of a folder; `None` if [`folder_of`] makes no such name, or one that was cut.
pub(crate) fn stream_of(folder: &str) -> Option<String> {
    if folder == "!" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == ESCAPE {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    let stream = String::from_utf8(bytes).ok()?;
    (folder_of(&stream) == folder).then_some(stream)
}

/// Fowler–Noll–Vo, 64 bit: must give the same for ever, so it is none of the standard library's.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A name for a new column: the field's, with `_` for whatever is not plain in every tool (dots mean nested fields to
/// most), and a number behind it if the name is taken. `taken` holds names in lower case, since many tools do not tell
/// case apart.
pub(crate) fn column_name(field: &str, taken: &HashSet<String>) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let mut name: String = field.chars().map(plain).take(120).collect();
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if !taken.contains(&name.to_ascii_lowercase()) {
        return name;
    }
    let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
    numbered.into_iter().find(|name| !taken.contains(&name.to_ascii_lowercase())).unwrap_or(name)
}

/// Whether a name matches a pattern of `*` (any text) and `?` (any character). Case counts.
pub(crate) fn matches_glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` was, and where in the name to take it up again with one more character.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(expected) if *expected == '?' || *expected == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, resume)) => {
                    *resume += 1;
                    (p, n) = (*at + 1, *resume);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_safe_and_lead_back() {
        let long = "ä".repeat(150);
        let names = [
            "logs-endpoint.events-default",
            "WinEventLog:Security",
            "a/b",
            "..",
            ".hidden",
            "",
            "a!b",
            "ü",
            "a b",
            "con%41",
        ];
        let mut seen = HashSet::new();
        for name in names {
            let folder = folder_of(name);
            assert!(folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!".contains(&byte)), "{folder}");
            assert!(!folder.starts_with('.') && !folder.is_empty());
            assert_eq!(stream_of(&folder).as_deref(), Some(name));
            assert!(seen.insert(folder));
        }
        assert_eq!(folder_of("WinEventLog:Security"), "WinEventLog!3aSecurity");
        assert!(folder_of(&long).len() < 255);
        assert_ne!(folder_of(&long), folder_of(&format!("{long}a")));
        assert_eq!(stream_of(&folder_of(&long)), None);
        assert_eq!(stream_of("a!zz"), None);
    }

    #[test]
    fn columns_do_not_collide() {
        let mut taken = HashSet::from(["_raw".to_owned()]);
        let fields = ["process.name", "process_name", "Process.Name", "_raw", "", "4624", "a b;c"];
        let names = fields.map(|field| {
            let name = column_name(field, &taken);
            assert!(taken.insert(name.to_ascii_lowercase()));
            name
        });
        assert_eq!(names, ["process_name", "process_name_2", "Process_Name_3", "_raw_2", "_", "_4624", "a_b_c"]);
    }

    #[test]
    fn globs() {
        for (pattern, name, matches) in [
            ("*", "", true),
            ("logs-*", "logs-x", true),
            ("logs-*-default", "logs-a-b-default", true),
            ("logs-*-default", "logs-a-b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("", "a", false),
        ] {
            assert_eq!(matches_glob(pattern, name), matches, "{pattern} {name}");
        }
    }
}
