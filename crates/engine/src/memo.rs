//! Signatures to outcomes: what the rules make of a row, remembered by which tests its values pass.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::{
    program::{Program, Truth},
    value_cache::ValueCache,
};

/// Which filters hold for all rows of one signature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Filters that hold.
    pub(crate) decided: Box<[u32]>,
    /// Filters that hang on an expression, to be evaluated row by row.
    pub(crate) open: Box<[u32]>,
    /// How many filters had to be evaluated to know this.
    pub(crate) candidates: u64,
}

/// Outcomes by signature. A signature is the row's non-empty atom sets, each with its field: `field << 32 | set`.
#[derive(Debug)]
pub(crate) struct Memo {
    outcomes: Vec<Outcome>,
    by_signature: HashMap<Box<[u64]>, u32, FxBuildHasher>,
    /// By atom: whether it holds for the signature at hand.
    atoms: Vec<bool>,
    set_atoms: Vec<u32>,
    /// By filter: whether it has been evaluated for the signature at hand.
    evaluated: Vec<bool>,
    candidates: Vec<u32>,
}

impl Memo {
    /// One that remembers nothing.
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            outcomes: Vec::new(),
            by_signature: HashMap::default(),
            atoms: vec![false; program.atoms],
            set_atoms: Vec::new(),
            evaluated: vec![false; program.filters.len()],
            candidates: Vec::new(),
        }
    }

    /// The number of a signature's outcome, if it is known.
    pub(crate) fn known(&self, signature: &[u64]) -> Option<u32> {
        self.by_signature.get(signature).copied()
    }

    /// An outcome by its number.
    pub(crate) fn outcome(&self, number: u32) -> &Outcome {
        &self.outcomes[number as usize]
    }

    /// Works out a signature's outcome and remembers it; returns its number and about how many bytes it takes.
    pub(crate) fn learn(&mut self, program: &Program, values: &[ValueCache], signature: &[u64]) -> (u32, usize) {
        self.load(program, values, signature);
        let mut outcome = self.decide(program);
        outcome.candidates += self.candidates.len() as u64;
        self.unload();
        let bytes = signature.len() * 8 + (outcome.decided.len() + outcome.open.len()) * 4 + 128;
        let number = self.outcomes.len() as u32;
        self.outcomes.push(outcome);
        self.by_signature.insert(signature.into(), number);
        (number, bytes)
    }

    /// Sets the atoms that hold for a signature; [`Self::unload`] clears them again.
    pub(crate) fn load(&mut self, program: &Program, values: &[ValueCache], signature: &[u64]) {
        for entry in signature {
            let (field, set) = ((entry >> 32) as usize, *entry as u32);
            let first = program.fields[field].first_atom;
            for test in values[field].tests(set) {
                self.atoms[(first + test) as usize] = true;
                self.set_atoms.push(first + test);
            }
        }
    }

    /// Clears what [`Self::load`] set.
    pub(crate) fn unload(&mut self) {
        for atom in self.set_atoms.drain(..) {
            self.atoms[atom as usize] = false;
        }
    }

    /// Whether a filter holds for the loaded signature, with expressions evaluated by `residual`.
    pub(crate) fn settle(&self, program: &Program, filter: u32, residual: &mut dyn FnMut(u32) -> bool) -> bool {
        let mut truth = |number| if residual(number) { Truth::True } else { Truth::False };
        match program.filters[filter as usize].root {
            None => true,
            Some(root) => program.evaluate(root, &self.atoms, &mut truth) == Truth::True,
        }
    }

    fn decide(&mut self, program: &Program) -> Outcome {
        self.candidates.clear();
        for filter in &program.unwitnessed {
            self.candidates.push(*filter);
        }
        for atom in &self.set_atoms {
            for filter in &program.witnessed[*atom as usize] {
                if !std::mem::replace(&mut self.evaluated[*filter as usize], true) {
                    self.candidates.push(*filter);
                }
            }
        }
        self.candidates.sort_unstable();
        let (mut decided, mut open) = (Vec::new(), Vec::new());
        for filter in &self.candidates {
            self.evaluated[*filter as usize] = false;
            let truth = match program.filters[*filter as usize].root {
                None => Truth::True,
                Some(root) => program.evaluate(root, &self.atoms, &mut |_| Truth::Unknown),
            };
            match truth {
                Truth::True => decided.push(*filter),
                Truth::Unknown => open.push(*filter),
                Truth::False => {}
            }
        }
        Outcome { decided: decided.into(), open: open.into(), candidates: 0 }
    }
}
