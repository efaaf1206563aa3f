//! Witnesses: for each filter a few atoms without which it cannot hold.
//!
//! For a conjunction the rarest part's witnesses do, for a disjunction all parts' together; a negation has none.
//! How rare an atom is, is guessed from its kind and the length of its text. A bad guess costs time, nothing else.

use lurcher_ir::{Test, Wildcard, WildcardPiece, Word};
use lurcher_schema::Value;

use crate::{
    graph::Graph,
    program::{Program, ProgramNode},
};

/// For each node of the program its witnesses (ascending), or `None` if it can hold without any atom.
pub(crate) fn choose(program: &Program, graph: &Graph) -> Vec<Option<Vec<u32>>> {
    let costs: Vec<f64> = program
        .fields
        .iter()
        .flat_map(|field| field.tests.iter().map(|test| commonness(&graph.tests[*test as usize])))
        .collect();
    let mut chosen: Vec<Option<(f64, Vec<u32>)>> = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        let best = match *node {
            ProgramNode::Atom(atom) => Some((costs[atom as usize], vec![atom])),
            ProgramNode::Residual(_) | ProgramNode::Not(_) => None,
            ProgramNode::All(start, end) => program.children[start as usize..end as usize]
                .iter()
                .filter_map(|child| chosen[*child as usize].as_ref())
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .cloned(),
            ProgramNode::Any(start, end) => program.children[start as usize..end as usize].iter().try_fold(
                (0.0, Vec::new()),
                |(cost, mut all), child| {
                    let (own, atoms) = chosen[*child as usize].as_ref()?;
                    all.extend_from_slice(atoms);
                    Some((cost + own, all))
                },
            ),
        };
        chosen.push(best.map(|(cost, mut atoms)| {
            atoms.sort_unstable();
            atoms.dedup();
            (cost, atoms)
        }));
    }
    chosen.into_iter().map(|best| best.map(|(_, atoms)| atoms)).collect()
}

/// The share of values that might pass, guessed.
fn commonness(test: &Test) -> f64 {
    match test {
        Test::Exists | Test::Single => 1.0,
        Test::Length { .. } => 0.6,
        Test::Range { .. } => 0.5,
        Test::Regex(_) => 0.2,
        Test::InNetwork(blocks) => 0.2 * blocks.len() as f64,
        Test::Equals(value, _) => equality(value),
        Test::OneOf(values, _) => values.iter().map(equality).sum(),
        Test::Prefix(text, _) => 2.0 * piece(text),
        Test::Suffix(text, _) | Test::Contains(text, _) => piece(text),
        Test::Wildcard(pattern, _) => wildcard(pattern),
        Test::Phrase(phrase) => phrase.words.iter().map(word).fold(1.0, |all, one| all * one.max(1e-4)),
        Test::Near(near) => piece(&near.text),
    }
}

fn wildcard(pattern: &Wildcard) -> f64 {
    let literals = pattern.pieces.iter().filter_map(|part| match part {
        WildcardPiece::Literal(text) => Some(piece(text)),
        _ => None,
    });
    literals.fold(1.0, f64::min)
}

fn word(word: &Word) -> f64 {
    match word {
        Word::Is(text) => piece(text),
        Word::Like(pattern) => wildcard(pattern),
        Word::Near(near) => piece(&near.text),
        Word::Matches(_) => 0.2,
        Word::Between { .. } => 0.5,
    }
}

/// Long texts are rare.
fn piece(text: &str) -> f64 {
    0.7_f64.powi(text.len().min(24) as i32)
}

/// Numbers and short codes recur; names do not.
fn equality(value: &Value) -> f64 {
    match value {
        Value::Text(text) => 0.05 * piece(text).max(0.01),
        Value::Bool(_) => 0.5,
        _ => 0.05,
    }
}
