//! Limits that keep the house small-roomed: sizes of files and functions, a header on every file, names that say
//! something, no `unwrap` outside tests.

use std::{fs, path::Path};

use crate::root;

const MAX_FILE: usize = 800;
const MAX_FUNCTION: usize = 80;
const VAGUE: [&str; 6] = ["utils", "util", "helpers", "common", "misc", "manager"];

/// Checks every Rust file that git tracks.
pub(crate) fn run() -> Result<(), String> {
    let root = root();
    let list = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    let mut problems = Vec::new();
    for path in String::from_utf8_lossy(&list.stdout).lines() {
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            check(path, &text, &mut problems);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn check(path: &str, text: &str, problems: &mut Vec<String>) {
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let is_test = stem == "tests" || path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz"));
    if VAGUE.contains(&stem.as_str()) {
        problems.push(format!("{path}: a module named `{stem}` says nothing about what is in it"));
    }
    if !text.starts_with("//!") && !path.starts_with("fuzz/") {
        problems.push(format!("{path}:1: begins without a `//!` header"));
    }
    let product = product_lines(text);
    if product.len() > MAX_FILE {
        problems.push(format!("{path}: {} lines of product code, over {MAX_FILE}: split it", product.len()));
    }
    if is_test {
        return;
    }
    for (number, line) in product.iter().enumerate() {
        if line.contains(concat!(".unwrap", "()")) && !line.trim_start().starts_with("//") {
            problems.push(format!("{path}:{}: unwrap outside tests", number + 1));
        }
    }
    for (start, length, name) in functions(&product) {
        if length > MAX_FUNCTION {
            problems.push(format!("{path}:{}: `{name}` has {length} lines, over {MAX_FUNCTION}", start + 1));
        }
    }
}

/// The lines before the file's test module.
fn product_lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    // One that other modules' tests use is no less a module of tests.
    let is_module = |line: &str| line.trim_start().trim_start_matches("pub(super) ").starts_with("mod ");
    let tests = lines.windows(2).position(|pair| pair[0].trim() == "#[cfg(test)]" && is_module(pair[1]));
    lines[..tests.unwrap_or(lines.len())].to_vec()
}

/// Start line, length and name of every function, by indentation (rustfmt has been there before us).
fn functions<'a>(lines: &[&'a str]) -> Vec<(usize, usize, &'a str)> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, usize, &str)> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some(at) = open.iter().position(|(_, depth, _)| *depth == indent)
            && line.trim_start().starts_with('}')
        {
            let (start, _, name) = open.remove(at);
            found.push((start, number + 1 - start, name));
        }
        if let Some(name) = function_name(line)
            && !line.trim_end().ends_with([';', '}'])
        {
            open.push((number, indent, name));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| word.starts_with("pub") || matches!(*word, "async" | "const" | "unsafe" | "in"));
    (words.next() == Some("fn")).then(|| words.next())?.map(|name| name.split(['(', '<']).next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_function_and_a_missing_header_are_named() {
        let text = format!("pub(crate) fn long() {{\n{}}}\n", "    work();\n".repeat(90));
        let mut problems = Vec::new();
        check("crates/x/src/a.rs", &text, &mut problems);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[1].contains("`long` has 92 lines"), "{problems:?}");
    }

    #[test]
    fn tests_may_unwrap_and_products_may_not() {
        let mut problems = Vec::new();
        check("crates/x/src/a.rs", "//! x\n#[cfg(test)]\nmod tests { fn a() { b.unwrap() } }\n", &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        check("crates/x/src/a.rs", "//! x\nfn a() {\n    b.unwrap();\n}\n", &mut problems);
        assert_eq!(problems.len(), 1);
    }
}
