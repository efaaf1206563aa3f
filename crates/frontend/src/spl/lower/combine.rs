//! Commands that put rows together: `join`, `append` and its kin, `union`, `transaction`.

use std::{sync::Arc, time::Duration};

use lurcher_ir::{Expr, Join, JoinKind, Stage, Transaction};

use super::{
    Lowerer, Said, columns,
    rows::{Base, Names, Rows, Source},
    stats::{is_on, setting},
};
use crate::spl::ast::{self, Name, Pipeline, Settings};

impl Lowerer<'_> {
    pub(super) fn join(
        &mut self,
        settings: &Settings,
        fields: &[Name],
        search: &Pipeline,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        rows.order();
        let (branch, right) = self.nested(search)?;
        let mut fields: Vec<Arc<str>> = fields.iter().map(|field| Arc::clone(&field.text)).collect();
        if fields.is_empty() {
            fields = right.names().into_iter().filter(|name| rows.names.column(name).is_some()).collect();
        }
        if fields.is_empty() {
            let message = "`join` without fields, over rows whose fields are not known";
            return Err(self.unsupported("join", message, search.span));
        }
        rows.make_columns();
        let keys: Vec<(Expr, Expr)> = fields.iter().map(|name| (rows.names.get(name), right.get(name))).collect();
        let kind = match setting(settings, "type").map(|kind| kind.text.to_ascii_lowercase()).as_deref() {
            Some("left" | "outer") => JoinKind::Left,
            _ => JoinKind::Inner,
        };
        let most = match setting(settings, "max").and_then(|max| max.text.parse::<u64>().ok()) {
            Some(0) => None,
            Some(most) => Some(most),
            None => Some(1),
        };
        if setting(settings, "usetime").is_some_and(|_| is_on(settings, "usetime", false)) {
            self.approximate("join-usetime", "`usetime` is not looked at", search.span);
        }
        rows.stages.push(Stage::Join(Join { branch, kind, keys, most, overwrite: is_on(settings, "overwrite", true) }));
        let open = right.base != Base::Nothing;
        for name in right.names() {
            rows.names.set(&name, Expr::Column(Arc::clone(&name)));
        }
        if open && rows.names.base == Base::Nothing {
            rows.names.base = Base::Row;
        }
        Ok(rows)
    }

    /// `append`: the rows of a search behind these.
    pub(super) fn append(&mut self, search: &Pipeline, rows: Rows) -> Result<Rows, Said> {
        let own = self.pipeline(search, None)?;
        Ok(self.append_rows(rows, own))
    }

    /// Puts rows behind others.
    pub(super) fn append_rows(&mut self, mut rows: Rows, mut own: Rows) -> Rows {
        rows.order();
        rows.make_columns();
        own.order();
        let (branch, names) = self.park(own);
        rows.stages.push(Stage::Append(branch));
        join_names(&mut rows.names, &names);
        rows
    }

    pub(super) fn appendcols(&mut self, settings: &Settings, search: &Pipeline, mut rows: Rows) -> Result<Rows, Said> {
        rows.order();
        rows.make_columns();
        let (branch, names) = self.nested(search)?;
        rows.stages.push(Stage::AppendColumns { branch, overwrite: is_on(settings, "override", false) });
        join_names(&mut rows.names, &names);
        Ok(rows)
    }

    /// The rows so far, and behind them what a pipeline makes of them.
    pub(super) fn appendpipe(&mut self, search: &Pipeline, mut rows: Rows) -> Result<Rows, Said> {
        rows.order();
        let (branch, names) = self.park(rows);
        let input = Rows::of(Source::Branch(branch), names);
        let own = self.pipeline(search, Some(input.clone()))?;
        Ok(self.append_rows(input, own))
    }

    /// `union` and `multisearch`: the rows of all.
    pub(super) fn union(&mut self, searches: &[Pipeline], rows: Option<Rows>) -> Result<Rows, Said> {
        let mut all: Vec<Rows> = rows.into_iter().collect();
        for search in searches {
            all.push(self.pipeline(search, None)?);
        }
        self.union_rows(all)
    }

    /// All rows, those of events in order of their times.
    pub(super) fn union_rows(&mut self, all: Vec<Rows>) -> Result<Rows, Said> {
        let mut united: Option<Rows> = None;
        for rows in all {
            let ordered = rows.ordered;
            let same = |other: &Rows| {
                other.stages.is_empty()
                    && rows.stages.is_empty()
                    && other.names == rows.names
                    && other.ordered == ordered
            };
            match &mut united {
                Some(united) if same(united) => united.inputs.extend(rows.inputs),
                Some(united) => {
                    if united.inputs.iter().any(|input| !matches!(input, Source::Branch(_)))
                        || !united.stages.is_empty()
                    {
                        let before = united.clone();
                        let (branch, names) = self.park(before);
                        *united = Rows { inputs: vec![Source::Branch(branch)], stages: Vec::new(), names, ordered };
                    }
                    let (branch, names) = self.park(rows);
                    united.inputs.push(Source::Branch(branch));
                    join_names(&mut united.names, &names);
                    united.ordered &= ordered;
                }
                None => united = Some(rows),
            }
        }
        united.ok_or(Said)
    }

    pub(super) fn transaction(
        &mut self,
        fields: &[Name],
        settings: &Settings,
        starts: Option<&ast::Condition>,
        ends: Option<&ast::Condition>,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let condition = |lowerer: &mut Self, condition: Option<&ast::Condition>, names: &Names| match condition {
            Some(ast::Condition::Search(term)) => lowerer.term(term, names).map(|term| Some(term.into_expr())),
            Some(ast::Condition::Eval(expr)) => lowerer.expression(expr, names).map(Some),
            None => Ok(None),
        };
        rows.flatten();
        let names = rows.names.clone();
        let (starts, ends) = (condition(self, starts, &names)?, condition(self, ends, &names)?);
        let keys = fields.iter().map(|name| (Arc::clone(&name.text), names.get(&name.text))).collect();
        let span = |name: &str| {
            let text = setting(settings, name)?;
            columns::seconds(&text.text)
                .filter(|seconds| *seconds >= 0.0 && *seconds < 1e12)
                .map(Duration::from_secs_f64)
        };
        let events = setting(settings, "maxevents").and_then(|value| value.text.parse().ok());
        let time = super::eval::calculate(
            lurcher_ir::Calculation::Multiply,
            [names.get("_time"), Expr::Literal(lurcher_schema::Value::Int(1000))],
        );
        rows.stages.push(Stage::Transaction(Transaction {
            keys,
            time: Some(time),
            starts,
            ends,
            max_span: span("maxspan"),
            max_pause: span("maxpause"),
            max_events: events.or(Some(1000)).filter(|events| *events > 0),
            keep_incomplete: is_on(settings, "keepevicted", false),
            lists: is_on(settings, "mvlist", false),
            duration: "duration".into(),
            count: "eventcount".into(),
            complete: "closed_txn".into(),
        }));
        rows.names = Names::new(Base::Row);
        rows.ordered = true;
        Ok(rows)
    }
}

/// What names mean once rows of another kind stand among these.
fn join_names(names: &mut Names, other: &Names) {
    for name in other.names() {
        if names.column(&name).is_none() {
            names.set(&name, Expr::Column(Arc::clone(&name)));
        }
    }
    match (names.base, other.base) {
        (a, b) if a == b => {}
        (Base::Nothing, Base::Row) | (Base::Row, Base::Nothing) => names.base = Base::Row,
        // Of rows some of which have an event of their own: its fields, where they have one.
        _ => names.base = Base::Event,
    }
    names.unfolded.clear();
    for object in &other.objects {
        if !names.objects.contains(object) {
            names.objects.push(Arc::clone(object));
        }
    }
}
