//! `foreach`: commands for every field that fits a pattern.
//!
//! The template is text: `<<FIELD>>` is the field's name, `<<MATCHSTR>>` what the `*` stands for. Where the fields are
//! known it is written out for each and lowered like any other commands. Where they are not, it becomes a stage that does
//! so for each row (see `template`); there it may hold what sets a row's fields or leaves the row out by what is in it:
//! `eval`, `where`, `rename`, `fillnull`. What makes more rows of one, or knows other rows, is no matter of one row.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{ColumnPattern, Expr, ForEachColumn, Function, JsonOperation, ListFunction, LooseFunction, Stage};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    rows::{Base, Names, Rows, loose},
    stats::setting,
    template::{Marked, made, made_reads},
    terms::literal,
};
use crate::spl::{
    ast::{CommandKind, Name, Pipeline, Settings},
    parser,
};

/// The name of the column that stands for a value, in a template over the values of one field.
const ITEM: &str = "foreach_item";
/// At most so many values of one field are gone through.
const MAX_VALUES: i64 = 64;
/// The name of the column that says whether a row is kept, where a template leaves rows out.
const KEPT: &str = "foreach_kept";
/// How deep templates may be nested.
const MAX_TEMPLATES: u32 = 8;
/// At most so many fields are written out.
const MAX_FIELDS: usize = 1000;

impl Lowerer<'_> {
    pub(super) fn foreach(
        &mut self,
        fields: &[Name],
        settings: &Settings,
        template: &Name,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        if let Some(mode) = setting(settings, "mode").filter(|mode| !mode.is("multifield")) {
            return self.foreach_value(mode.is("json_array"), fields, template, rows);
        }
        let patterned = fields.iter().any(|field| field.text.contains('*'));
        if patterned && !rows.names.closed() {
            return self.foreach_dynamic(fields, template, rows);
        }
        let mut targets: Vec<(Arc<str>, Vec<String>)> = Vec::new();
        for field in fields {
            let pattern = ColumnPattern::parse(&field.text);
            let names = if field.text.contains('*') { rows.names.names() } else { vec![Arc::clone(&field.text)] };
            for name in names {
                if let Some(found) = pattern.fits(&name) {
                    let found = found.into_iter().map(str::to_owned).collect();
                    if !targets.iter().any(|(known, _)| *known == name) {
                        targets.push((name, found));
                    }
                }
            }
        }
        for (name, found) in targets.into_iter().take(MAX_FIELDS) {
            let mut text = template.text.replace("<<FIELD>>", &name);
            text = text.replace("<<MATCHSTR>>", &found.concat());
            for (at, segment) in found.iter().enumerate() {
                text = text.replace(&format!("<<MATCHSEG{}>>", at + 1), segment);
            }
            rows = self.template(&text, template.span, rows)?;
        }
        Ok(rows)
    }

    /// `mode=multivalue` and `mode=json_array`: the template's assignments for each value of a field, one after the other.
    fn foreach_value(&mut self, json: bool, fields: &[Name], template: &Name, mut rows: Rows) -> Result<Rows, Said> {
        let Some(field) = fields.first() else {
            let message = "`foreach` over the values of no field";
            return Err(self.unsupported("foreach", message, template.span));
        };
        let message = format!("only the first {MAX_VALUES} values of the field are taken");
        self.approximate("foreach", message, field.span);
        let mut list = self.name(&field.text, field.span, &rows.names);
        if json {
            list = loose(LooseFunction::Json(JsonOperation::ToList), [list]);
        }
        let all: Arc<str> = self.parts.fresh_name("all");
        rows.names.set(&all, Expr::call(Function::List(ListFunction::Values), [list]));
        rows.make_columns();
        for at in 0..MAX_VALUES {
            let item: Arc<str> = ITEM.into();
            let value = Expr::call(Function::Index, [Expr::Column(Arc::clone(&all)), Expr::Literal(Value::Int(at))]);
            rows.names.set(&item, value);
            rows.make_columns();
            let text = template
                .text
                .replace("'<<ITEM>>'", ITEM)
                .replace("<<ITEM>>", ITEM)
                .replace("<<ITER>>", &at.to_string());
            let before = rows.names.clone();
            rows = self.template(&text, template.span, rows)?;
            // Beyond the last value nothing changes.
            let there = super::terms::not_null(Expr::Column(item));
            for name in rows.names.names() {
                let new = rows.names.get(&name);
                let old = before.get(&name);
                if new != old {
                    rows.names.set(&name, Expr::call(Function::If, [there.clone(), new, old]));
                }
            }
            rows.make_columns();
        }
        rows.stages.push(Stage::Drop([all.as_ref(), ITEM].map(ColumnPattern::from).to_vec()));
        rows.names.columns.retain(|(name, _)| name.as_ref() != ITEM && *name != all);
        Ok(rows)
    }

    /// The commands of a template that has been filled in.
    fn template(&mut self, text: &str, span: Span, rows: Rows) -> Result<Rows, Said> {
        if self.nested >= MAX_TEMPLATES {
            return Err(self.unsupported("size", "templates of `foreach` nest too deeply", span));
        }
        let (file, pipeline) = self.read_template(text, span)?;
        let outer = std::mem::replace(&mut self.file, file);
        self.nested += 1;
        let found = self.pipeline(&pipeline, Some(rows));
        self.nested -= 1;
        self.file = outer;
        found
    }

    fn read_template(&mut self, text: &str, span: Span) -> Result<(Arc<SourceFile>, Pipeline), Said> {
        let trimmed = text.trim();
        let text = if trimmed.starts_with('|') { trimmed.to_owned() } else { format!("| {trimmed}") };
        let file = SourceFile::new("the template of `foreach`", text);
        let (pipeline, diagnostics) = parser::search(&file, 1);
        match diagnostics.into_iter().find(|fault| fault.level == Level::Error) {
            None => Ok((file, pipeline)),
            Some(fault) => {
                let message = format!("the template of `foreach` is faulty: {}", fault.message);
                let filled = format!("filled in it is `{}`", file.text().trim_start_matches("| "));
                Err(self.report(Diagnostic::error("spl-foreach", message).at(span, filled)))
            }
        }
    }

    /// Over fields that are not known beforehand: for each row what the template sets, field by field.
    fn foreach_dynamic(&mut self, fields: &[Name], template: &Name, mut rows: Rows) -> Result<Rows, Said> {
        let columns: Vec<ColumnPattern> = fields.iter().map(|field| ColumnPattern::parse(&field.text)).collect();
        let marked = Marked::new(&template.text, &columns);
        let (file, pipeline) = self.read_template(&marked.text, template.span)?;
        let mut each = ForEachColumn { columns, texts: marked.texts, reads: Vec::new(), sets: Vec::new() };
        let outer = std::mem::replace(&mut self.file, file);
        let found = self.dynamic_sets(&pipeline, &mut each);
        self.file = outer;
        if !found? || each.sets.is_empty() {
            let message = "a template of `foreach` over fields that are not known beforehand, other than of `eval`, \
                           `where`, `rename` and `fillnull`";
            return Err(self.unsupported("foreach", message, template.span));
        }
        let kept: Arc<str> = KEPT.into();
        let leaves_out = each.sets.iter().any(|(target, _)| target.constant().as_ref() == Some(&kept));
        rows.flatten();
        if leaves_out {
            rows.names.set(&kept, Expr::Literal(Value::Bool(true)));
        }
        rows.make_columns();
        // A name that is made may be any, be nothing known of it so far.
        if rows.names.base == Base::Nothing {
            rows.names.base = Base::Row;
        }
        for name in each.sets.iter().filter_map(|(target, _)| target.constant()) {
            rows.names.set(&name, Expr::Column(Arc::clone(&name)));
        }
        rows.stages.push(Stage::ForEachColumn(each));
        if leaves_out {
            rows.stages.push(Stage::Where(Expr::Column(Arc::clone(&kept))));
            rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(Arc::clone(&kept))]));
            rows.names.columns.retain(|(name, _)| *name != kept);
        }
        Ok(rows)
    }

    /// What the commands of a template set for a field that is not known; whether they are such as only set fields.
    fn dynamic_sets(&mut self, pipeline: &Pipeline, each: &mut ForEachColumn) -> Result<bool, Said> {
        let names = Names::new(Base::Row);
        let mut set = |name: &str, value: Expr| {
            made_reads(&value, &mut each.reads);
            each.sets.push((made(name), value));
        };
        for command in &pipeline.commands {
            match &command.kind {
                CommandKind::Eval(assignments) => {
                    for (name, expr) in assignments {
                        set(&name.text, self.expression(expr, &names)?);
                    }
                }
                CommandKind::Where(condition) => {
                    let truth = |truth: bool| Expr::Literal(Value::Bool(truth));
                    let holds = Expr::call(Function::Coalesce, [self.expression(condition, &names)?, truth(false)]);
                    set(KEPT, Expr::call(Function::If, [holds, Expr::Column(KEPT.into()), truth(false)]));
                }
                CommandKind::Rename(pairs) if pairs.iter().all(|(from, _)| !from.text.contains('*')) => {
                    for (from, to) in pairs.iter().filter(|(from, to)| from.text != to.text) {
                        set(&to.text, Expr::Column(Arc::clone(&from.text)));
                        set(&from.text, Expr::Literal(Value::Null));
                    }
                }
                CommandKind::Fillnull { value, fields }
                    if !fields.is_empty() && fields.iter().all(|field| !field.text.contains('*')) =>
                {
                    let value = value.as_ref().map_or(Expr::Literal(Value::Int(0)), |value| literal(&value.text));
                    for field in fields {
                        let own = Expr::Column(Arc::clone(&field.text));
                        set(&field.text, Expr::call(Function::Coalesce, [own, value.clone()]));
                    }
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
