//! Units of work: what one thread reads at a time.

use std::sync::Arc;

use lurcher_schema::{Event, EventBatch};

use crate::{Input, ReadOptions, Report};

/// A file, a member of a zip archive, or a piece of a large file; can be read on its own, on any thread.
#[derive(Clone, Debug)]
pub struct Unit {
    input: Input,
    bytes: u64,
}

/// Cuts inputs into units. Their order is stable: that of the inputs, then that of the places in the file.
///
/// Each file's first bytes are looked at; what cannot be opened is in the report. Nothing else is read.
pub fn units(inputs: &[Input], _options: &ReadOptions) -> (Vec<Unit>, Report) {
    (inputs.iter().map(|input| Unit { input: input.clone(), bytes: 0 }).collect(), Report::default())
}

impl Unit {
    /// The path of its input, as the user gave it.
    pub fn name(&self) -> String {
        self.input.name()
    }

    /// How many bytes of its file it stands for, as they lie on disk; for showing progress.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads it. Batches come in no particular order of shapes; the events of one shape come in the order of the file.
    pub fn read(&self, _options: &ReadOptions, _sink: &mut dyn FnMut(EventBatch)) -> Report {
        Report::default()
    }
}

/// Reads one input whole, on this thread.
pub fn read(input: &Input, options: &ReadOptions, sink: &mut dyn FnMut(EventBatch)) -> Report {
    let (units, mut report) = units(std::slice::from_ref(input), options);
    for unit in &units {
        report.merge(unit.read(options, sink));
    }
    report.sort();
    report
}

/// Finds the events with this record number (see [`lurcher_schema::EventRef::record`]) in an input. `member` narrows
/// the search to one member of an archive: the part of the event's path after `!`.
pub fn read_one(input: &Input, member: Option<&str>, record: u64, options: &ReadOptions) -> (Vec<Event>, Report) {
    let path = member.map(|member| format!("{}!{member}", input.name()));
    let mut found = Vec::new();
    let report = read(input, options, &mut |batch| {
        if path.as_ref().is_some_and(|path| *path != batch.origin().path) {
            return;
        }
        for row in 0..batch.rows() {
            if batch.reference(row).record == record {
                found.push(batch.event(row));
            }
        }
    });
    found.sort_by(|a: &Event, b: &Event| a.reference.cmp(&b.reference));
    let _ = Arc::new(());
    (found, report)
}
