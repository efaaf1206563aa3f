//! Risk factors: what raises or lowers the scores of some objects.
//!
//! Splunk Enterprise Security, "Create risk factors": a factor has conditions on the fields of a risk event and an
//! operation. Those that multiply are taken first, all together; those that add come after.

use super::RiskEvent;

/// Changes the score of risk events that fit.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskFactor {
    /// What it is called.
    pub name: String,
    /// What it does with the score.
    pub operation: FactorOperation,
    /// The number that it multiplies by or adds.
    pub factor: f64,
    /// All of these must hold: a field of the risk event, and patterns (`*` is the wildcard) of which one must match
    /// one of its values.
    pub when: Vec<(String, Vec<String>)>,
}

/// What a factor does with a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorOperation {
    /// Multiplies it.
    Multiply,
    /// Adds to it.
    Add,
}

/// The score of a risk event after all factors that fit; never below zero.
pub(super) fn apply(factors: &[RiskFactor], event: &RiskEvent) -> f64 {
    let fitting =
        || factors.iter().filter(|factor| factor.when.iter().all(|(name, patterns)| event.is(name, patterns)));
    let of = |operation| fitting().filter(move |factor| factor.operation == operation).map(|factor| factor.factor);
    let score = event.score * of(FactorOperation::Multiply).product::<f64>() + of(FactorOperation::Add).sum::<f64>();
    if score.is_finite() { score.max(0.0) } else { event.score }
}
