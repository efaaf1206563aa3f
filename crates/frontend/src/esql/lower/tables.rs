//! Tables that a query reads, joins or enriches by: what their columns are, as far as that is known; `ENRICH`.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, ColumnPattern, Lookup, LookupKey, LookupMatch, LookupOutput, LookupRows, Stage};

use super::{
    super::{ast::Name, types::Type},
    Lowerer, Result,
    columns::Column,
};
use crate::syntax::closest;

impl Lowerer<'_> {
    /// The columns of a table, with their types; `None` if the caller has said nothing of it.
    pub(super) fn table_columns(&self, name: &str) -> Option<Vec<(Arc<str>, Type)>> {
        let columns = self.options.tables.get(name)?;
        let kind = |declared: &Option<String>| {
            declared.as_deref().map_or(Some(Type::Any), Type::from_name).unwrap_or(Type::Any)
        };
        Some(columns.iter().map(|(name, declared)| (Arc::clone(name), kind(declared))).collect())
    }

    /// `ENRICH policy ON field WITH …`.
    pub(super) fn enrich(&mut self, policy: &Name, on: Option<&Name>, with: Option<&[(Name, Name)]>) -> Result<()> {
        let table: Arc<str> = policy.text.rsplit(':').next().unwrap_or(&policy.text).into();
        let known = self.table_columns(&table);
        self.missing_table(known.is_some(), &table, policy.span);
        let (field, span) = match (on, &known) {
            (Some(on), _) => (Arc::clone(&on.text), on.span),
            (None, Some(columns)) if !columns.is_empty() => (Arc::clone(&columns[0].0), policy.span),
            _ => {
                return Err(self.unsupported(
                    "enrich",
                    "which field the policy of ENRICH matches is not said in the query; say it with ON",
                    policy.span,
                ));
            }
        };
        let value = self.column(&field, span)?;
        let matched = match &known {
            Some(columns) if columns.iter().any(|(name, _)| *name == field) => Arc::clone(&field),
            Some(columns) => columns.first().map_or_else(|| Arc::clone(&field), |(name, _)| Arc::clone(name)),
            None => Arc::clone(&field),
        };
        let outputs: Option<Vec<(Arc<str>, Arc<str>)>> = match (with, &known) {
            (Some(with), _) => {
                Some(with.iter().map(|(new, old)| (Arc::clone(&old.text), Arc::clone(&new.text))).collect())
            }
            (None, Some(columns)) => {
                let others = columns.iter().filter(|(name, _)| *name != matched);
                Some(others.map(|(name, _)| (Arc::clone(name), Arc::clone(name))).collect())
            }
            (None, None) => None,
        };
        let kind = |name: &Arc<str>| {
            let columns = known.as_ref()?;
            columns.iter().find(|(own, _)| own == name).map(|(_, kind)| *kind)
        };
        if let (Some(with), Some(_)) = (with, &known) {
            for (_, old) in with {
                if kind(&old.text).is_none() {
                    return Err(self.unknown_in_table(&table, old));
                }
            }
        }
        let lookup = Lookup {
            table: Arc::clone(&table),
            keys: vec![LookupKey {
                column: matched,
                value: value.all(),
                matching: LookupMatch::Equal(Case::Sensitive),
            }],
            condition: None,
            outputs: outputs.as_ref().map(|outputs| {
                let output = |(column, name): &(Arc<str>, Arc<str>)| LookupOutput {
                    column: Arc::clone(column),
                    name: Arc::clone(name),
                };
                outputs.iter().map(output).collect()
            }),
            most: u64::MAX,
            rows: LookupRows::List,
            overwrite: true,
            least: 0,
            default: None,
        };
        self.stages.push(Stage::Lookup(lookup));
        match outputs {
            Some(outputs) => {
                for (old, new) in outputs {
                    let kind = kind(&old).unwrap_or(Type::Any);
                    self.columns.push(Column::computed(new, kind, true));
                }
            }
            None => self.columns.unknown = true,
        }
        Ok(())
    }

    pub(super) fn missing_table(&mut self, known: bool, table: &str, span: Span) {
        if !known {
            let message = format!("it reads the table `{table}`, which has to be given with the run");
            self.approximate("table", message, span);
        }
    }

    pub(super) fn unknown_in_table(&mut self, table: &str, name: &Name) -> super::Said {
        let columns = self.table_columns(table).unwrap_or_default();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_ref()).collect();
        let help = match closest(&name.text, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
                let more = if names.len() > shown.len() { " …" } else { "" };
                format!("it has {}{more}", shown.join(", "))
            }
        };
        self.report(
            Diagnostic::error("esql-unknown-column", format!("the table `{table}` has no column `{}`", name.text))
                .at(name.span, "unknown in the table")
                .with_help(help),
        )
    }

    /// The pattern that stands for columns which nothing is known of.
    pub(super) fn all_columns() -> ColumnPattern {
        ColumnPattern::Like("*".into())
    }
}
