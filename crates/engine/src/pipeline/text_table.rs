//! Tables that stand in a text: `netstat`, `ps`, `df` and what else prints columns.
//!
//! A line has its cells where the titles stand: as many cells as titles belong to them in order, else each to the title
//! that it stands under, or nearest to. Titles are the first line of which every word begins with a capital letter (or
//! is written in capitals); if there is none, the first line of words without a number among them.

use std::{ops::Range, sync::Arc};

use lurcher_ir::{ColumnPattern, TextTable, Titles};
use lurcher_schema::{Object, Timestamp, Value};

use super::{
    expression::StageExpr,
    joining::text,
    row::{PipelineRow, RowSource},
};

/// A [`TextTable`] made ready to run.
#[derive(Debug)]
pub(crate) struct TextTablePlan {
    words: TextTable,
    text: StageExpr,
}

/// A title: its column's name, and where it stands in characters.
type Title = (Arc<str>, Range<usize>);

impl TextTablePlan {
    pub(super) fn new(words: &TextTable) -> Self {
        Self { text: StageExpr::new(&words.text), words: words.clone() }
    }

    /// The rows that are made of one.
    pub(super) fn apply(&self, row: PipelineRow, source: &mut dyn RowSource, now: Timestamp) -> Vec<PipelineRow> {
        let value = self.text.value(&row, source, now);
        let texts: Vec<Arc<str>> = value.elements().map(text).collect();
        let whole = texts.join("\n");
        let lines = self.lines(&whole);
        let kept = usize::from(self.words.keep_original);
        let count = (lines.len() + kept) as u64;
        let place = |number: usize| {
            let mut place = row.place.clone();
            place.position = place.position.wrapping_mul(count) + number as u64;
            place
        };
        let mut made = Vec::new();
        if kept > 0 {
            made.push(PipelineRow { place: place(0), ..row.clone() });
        }
        for (number, (line, cells)) in lines.into_iter().enumerate() {
            let mut new = PipelineRow { place: place(number + kept), ..row.clone() };
            if !self.words.copy {
                new.columns = Object::default();
            }
            new.columns.insert(Arc::clone(&self.words.line), Value::text(line));
            for (name, cell) in cells {
                new.columns.insert(name, Value::text(cell));
            }
            made.push(new);
        }
        made
    }

    /// The lines of all tables in a text, with their cells by column.
    fn lines<'t>(&self, text: &'t str) -> Vec<(&'t str, Vec<(Arc<str>, &'t str)>)> {
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let mut made = Vec::new();
        let mut at = 0;
        while let Some((titles, first)) = self.titles(&lines, at) {
            let mut line = first;
            while let Some(present) = lines.get(line) {
                let ends = present.is_empty() || (line > first && self.words.several && self.begins_anew(&lines, line));
                if ends && matches!(self.words.titles, Titles::Found) {
                    break;
                }
                if !present.is_empty() && self.fits(present) {
                    let cells = cells(present, titles.as_deref());
                    made.push((*present, cells.into_iter().filter(|(name, _)| self.wants(name)).collect()));
                }
                line += 1;
            }
            at = line;
            if !self.words.several || !matches!(self.words.titles, Titles::Found) {
                break;
            }
        }
        made
    }

    /// The titles at or behind a line, and the line behind them. Without titles: the first line of cells.
    fn titles(&self, lines: &[&str], from: usize) -> Option<(Option<Vec<Title>>, usize)> {
        let rest = || lines.iter().enumerate().skip(from).filter(|(_, line)| !line.is_empty());
        let found = match self.words.titles {
            Titles::Missing => return rest().next().map(|(at, _)| (None, at)),
            Titles::At(number) => rest().nth(usize::try_from(number).ok()?.checked_sub(1)?),
            Titles::Found => rest().find(|(_, line)| are_capital(line)).or_else(|| {
                // Further tables must be plain to see.
                rest().find(|(_, line)| from == 0 && are_words(line))
            }),
        };
        found.map(|(at, line)| (Some(named(line)), at + 1))
    }

    /// Whether another table's titles stand here: behind an empty line.
    fn begins_anew(&self, lines: &[&str], at: usize) -> bool {
        self.words.several && lines.get(at - 1).is_some_and(|before| before.is_empty()) && are_capital(lines[at])
    }

    fn fits(&self, line: &str) -> bool {
        self.words.filter.is_empty() || self.words.filter.iter().any(|wanted| line.contains(wanted.as_ref()))
    }

    fn wants(&self, name: &str) -> bool {
        let fits = |pattern: &ColumnPattern| pattern.fits(name).is_some();
        self.words.columns.is_empty() || self.words.columns.iter().any(fits)
    }
}

/// Where the words of a line stand, in bytes.
fn words(line: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut behind_blank = true;
    for (at, c) in line.char_indices() {
        if c.is_whitespace() {
            behind_blank = true;
            continue;
        }
        let end = at + c.len_utf8();
        match words.last_mut() {
            Some(last) if !behind_blank => last.end = end,
            _ => words.push(at..end),
        }
        behind_blank = false;
    }
    words
}

fn are_capital(line: &str) -> bool {
    let capital = |word: &Range<usize>| {
        let letter = line[word.clone()].chars().find(|c| c.is_alphanumeric());
        letter.is_some_and(char::is_uppercase)
    };
    let words = words(line);
    words.len() > 1 && words.iter().all(capital)
}

fn are_words(line: &str) -> bool {
    let words = words(line);
    let has_letter = |word: &Range<usize>| line[word.clone()].chars().any(char::is_alphabetic);
    words.len() > 1 && words.iter().all(has_letter)
}

/// The titles of a line as names: letters, digits and `_`.
fn named(line: &str) -> Vec<Title> {
    let mut titles: Vec<Title> = Vec::new();
    for (number, word) in words(line).into_iter().enumerate() {
        let clean: String =
            line[word.clone()].chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let clean = clean.trim_start_matches('_');
        let name = if clean.is_empty() { format!("Column_{}", number + 1) } else { clean.to_owned() };
        titles.push((name.into(), place(line, &word)));
    }
    titles
}

/// Where a piece of a line stands in characters.
fn place(line: &str, piece: &Range<usize>) -> Range<usize> {
    let start = line[..piece.start].chars().count();
    start..start + line[piece.clone()].chars().count()
}

fn cells<'t>(line: &'t str, titles: Option<&[Title]>) -> Vec<(Arc<str>, &'t str)> {
    let words = words(line);
    let Some(titles) = titles else {
        let name = |number: usize| Arc::from(format!("Column_{}", number + 1));
        return words.into_iter().enumerate().map(|(number, word)| (name(number), &line[word])).collect();
    };
    if words.len() == titles.len() {
        return titles.iter().zip(words).map(|((name, _), word)| (Arc::clone(name), &line[word])).collect();
    }
    let mut found: Vec<Option<Range<usize>>> = vec![None; titles.len()];
    for word in words {
        let own = place(line, &word);
        let far = |(_, title): &Title| {
            // Below zero where they overlap.
            own.start.max(title.start) as i64 - own.end.min(title.end) as i64
        };
        let Some(nearest) = (0..titles.len()).min_by_key(|at| far(&titles[*at])) else { continue };
        found[nearest] = Some(match found[nearest].take() {
            Some(before) => before.start..word.end,
            None => word,
        });
    }
    let cell = |((name, _), piece): (&Title, Option<Range<usize>>)| Some((Arc::clone(name), &line[piece?]));
    titles.iter().zip(found).filter_map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_belong_to_the_titles_that_they_stand_under() {
        let titles = named("Name     Age   Occupation");
        let line = |text| cells(text, Some(&titles)).into_iter().map(|(_, cell)| cell).collect::<Vec<_>>();
        assert_eq!(line("Josh     42    SoftwareEngineer"), ["Josh", "42", "SoftwareEngineer"]);
        assert_eq!(line("Josh     42    Software Engineer"), ["Josh", "42", "Software Engineer"]);
        assert_eq!(cells("Ann            CEO", Some(&titles)), [("Name".into(), "Ann"), ("Occupation".into(), "CEO")]);
        assert_eq!(
            named("%CPU (x)").into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["CPU".into(), "x_".into()] as [Arc<str>; 2]
        );
    }
}
