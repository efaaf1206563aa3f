//! Paths into documents: `a.b{}.c`, `a{0}`, `tag{@attribute}`.

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The member of this name.
    Member(String),
    /// Every element of an array.
    All,
    /// The element at this 0-based position, negative from the end.
    At(i64),
    /// The attribute of this name (XML).
    Attribute(String),
}

/// Reads a path. A backslash takes a dot or brace for what it is. Never fails: what is in no braces is a name.
pub(super) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut name = String::new();
    let mut letters = path.chars();
    let flush = |name: &mut String, steps: &mut Vec<Step>| {
        if !name.is_empty() {
            steps.push(Step::Member(std::mem::take(name)));
        }
    };
    while let Some(c) = letters.next() {
        match c {
            '\\' => name.extend(letters.next()),
            '.' => flush(&mut name, &mut steps),
            '{' => {
                flush(&mut name, &mut steps);
                let inside: String = letters.by_ref().take_while(|c| *c != '}').collect();
                steps.push(match inside.strip_prefix('@') {
                    Some(attribute) => Step::Attribute(attribute.to_owned()),
                    None => inside.trim().parse().map_or(Step::All, Step::At),
                });
            }
            c => name.push(c),
        }
    }
    flush(&mut name, &mut steps);
    steps
}

/// The place of an element that may be counted from the end.
pub(super) fn place(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i64::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_names_positions_and_attributes() {
        let member = |name: &str| Step::Member(name.to_owned());
        assert_eq!(steps("a.b{}.c{1}"), [member("a"), member("b"), Step::All, member("c"), Step::At(1)]);
        assert_eq!(steps(r"a\.b{@id}"), [member("a.b"), Step::Attribute("id".to_owned())]);
        assert_eq!(steps("open{"), [member("open"), Step::All]);
        assert_eq!((place(-1, 3), place(3, 3)), (Some(2), None));
    }
}
