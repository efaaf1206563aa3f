//! "Did you mean": the known word nearest to one that is unknown.

/// The candidate that is most like `word`, if one is like enough to be a misspelling of it. Case does not count.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_misspellings_are_suggested() {
        let known = ["startsWith", "endsWith", "length", "string"];
        assert_eq!(closest("startWith", known), Some("startsWith"));
        assert_eq!(closest("lenght", known), Some("length"));
        assert_eq!(closest("md5", known), None);
        assert_eq!(closest("x", known), None);
    }
}
