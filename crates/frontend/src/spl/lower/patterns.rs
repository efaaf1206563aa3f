//! `foreach`: commands for every field that fits a pattern.
//!
//! The template is text: `<<FIELD>>` is the field's name, `<<MATCHSTR>>` what the `*` stands for. Where the fields are
//! known it is written out for each and lowered like any other commands. Where they are not, it becomes a stage that does
//! so for each row; there it may write names that are built from the field's, and not read them.

use std::sync::Arc;

use lurcher_diagnostics::{Level, SourceFile, Span};
use lurcher_ir::{ColumnPattern, Expr, ForEachColumn, Function, JsonOperation, ListFunction, LooseFunction, Stage};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    rows::{Names, Rows, loose},
    stats::setting,
};
use crate::spl::{
    ast::{CommandKind, Name, Settings},
    parser,
};

/// The names of the columns that stand for a field and its name, in a template over unknown fields.
const VALUE: &str = "foreach_value";
const NAME: &str = "foreach_name";
/// The name that stands for the field where something is assigned to it.
const TARGET: &str = "foreach_target";
/// What stands in a name for what the pattern's `*` stands for.
const MATCHED: &str = "foreach_matched";
/// The name of the column that stands for a value, in a template over the values of one field.
const ITEM: &str = "foreach_item";
/// At most so many values of one field are gone through.
const MAX_VALUES: i64 = 64;
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
        let trimmed = text.trim();
        let text = if trimmed.starts_with('|') { trimmed.to_owned() } else { format!("| {trimmed}") };
        let file = SourceFile::new("the template of `foreach`", text);
        let (pipeline, diagnostics) = parser::search(&file, 1);
        if let Some(fault) = diagnostics.into_iter().find(|fault| fault.level == Level::Error) {
            return Err(self.report(
                lurcher_diagnostics::Diagnostic::error(
                    "spl-foreach",
                    format!("the template of `foreach` is faulty: {}", fault.message),
                )
                .at(span, format!("filled in it is `{}`", file.text().trim_start_matches("| "))),
            ));
        }
        let outer = std::mem::replace(&mut self.file, file);
        self.nested += 1;
        let found = self.pipeline(&pipeline, Some(rows));
        self.nested -= 1;
        self.file = outer;
        found
    }

    /// Over fields that are not known beforehand: for each row what the template sets, field by field.
    fn foreach_dynamic(&mut self, fields: &[Name], template: &Name, mut rows: Rows) -> Result<Rows, Said> {
        rows.flatten();
        let patterns: Vec<ColumnPattern> = fields.iter().map(|field| ColumnPattern::parse(&field.text)).collect();
        if !template.text.contains("<<MATCH") {
            return self.for_each_column(patterns, None, template, rows);
        }
        // What a `*` stands for hangs on the pattern.
        for pattern in patterns {
            let own = pattern.clone();
            rows = self.for_each_column(vec![pattern], Some(&own), template, rows)?;
        }
        Ok(rows)
    }

    fn for_each_column(
        &mut self,
        columns: Vec<ColumnPattern>,
        matched: Option<&ColumnPattern>,
        template: &Name,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let (sets, renamed) = self.dynamic_sets(matched, template)?;
        rows.make_columns();
        rows.stages.push(Stage::ForEachColumn(ForEachColumn {
            columns,
            value: VALUE.into(),
            name: NAME.into(),
            sets: sets.clone(),
        }));
        if !renamed.is_empty() {
            rows.stages.push(Stage::Rename(renamed));
        }
        for (target, _) in sets {
            if let ColumnPattern::Named(name) = target {
                rows.names.set(&name, Expr::Column(Arc::clone(&name)));
            }
        }
        Ok(rows)
    }

    /// What a template sets for a field that is not known, and the columns that are renamed afterwards: those that are named
    /// by what the pattern's `*` stands for.
    fn dynamic_sets(&mut self, matched: Option<&ColumnPattern>, template: &Name) -> Result<(Sets, Renamed), Said> {
        let file =
            SourceFile::new("the template of `foreach`", format!("| {}", filled(&template.text, matched).trim()));
        let (pipeline, diagnostics) = parser::search(&file, 1);
        let faulty = diagnostics.iter().any(|fault| fault.level == Level::Error);
        let (mut sets, mut renamed) = (Sets::new(), Renamed::new());
        let names = Names::new(super::rows::Base::Row);
        let outer = std::mem::replace(&mut self.file, file);
        let mut lowered = Ok(());
        for command in &pipeline.commands {
            let CommandKind::Eval(assignments) = &command.kind else {
                lowered = Err(Said);
                break;
            };
            for (name, expr) in assignments {
                let target = match (name.text.split_once(MATCHED), matched) {
                    _ if name.text.as_ref() == TARGET => ColumnPattern::Like("*".into()),
                    (Some((before, behind)), Some(ColumnPattern::Like(pattern))) => {
                        let mark = self.parts.fresh_name("matched");
                        let stars = "*".repeat(pattern.matches('*').count());
                        let made = ColumnPattern::Like(format!("{before}{stars}{behind}").into());
                        renamed.push((ColumnPattern::Like(format!("{mark}~{pattern}").into()), made));
                        ColumnPattern::Like(format!("{mark}~*").into())
                    }
                    _ => ColumnPattern::Named(Arc::clone(&name.text)),
                };
                match self.expression(expr, &names) {
                    // A field whose name is made of what was matched cannot be read.
                    Ok(value) if value.reads_column(&|column| column.contains(MATCHED)) => lowered = Err(Said),
                    Ok(value) => sets.push((target, value)),
                    Err(said) => lowered = Err(said),
                }
            }
        }
        self.file = outer;
        if faulty || lowered.is_err() || sets.is_empty() {
            let message = "a template of `foreach` other than `eval`, or one that reads fields by `<<MATCHSTR>>`, over fields \
                           that are not known beforehand";
            return Err(self.unsupported("foreach", message, template.span));
        }
        Ok((sets, renamed))
    }
}

/// What is set: names or patterns, and the values.
type Sets = Vec<(ColumnPattern, Expr)>;
type Renamed = Vec<(ColumnPattern, ColumnPattern)>;

/// A template with columns in the place of what stands for a field: its value, its name as text, and its name as what is
/// assigned to.
fn filled(template: &str, matched: Option<&ColumnPattern>) -> String {
    let text = template.replace("'<<FIELD>>'", VALUE);
    let matches = match matched {
        Some(ColumnPattern::Like(pattern)) => pattern.matches('*').count(),
        _ => 0,
    };
    let mut filled = String::new();
    let mut quoted = false;
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("<<FIELD>>") {
            let assigned = behind.trim_start().starts_with('=') && !behind.trim_start().starts_with("==");
            let before = filled.trim_end();
            let target = !quoted && assigned && (before.ends_with("eval") || before.ends_with(','));
            filled.push_str(match (quoted, target) {
                (true, _) => "\".foreach_name.\"",
                (false, true) => TARGET,
                (false, false) => VALUE,
            });
            rest = behind;
            continue;
        }
        if let Some((segment, behind)) = segment(rest)
            && let Some(pattern) = matched
        {
            match (quoted, segment) {
                (true, segment) => {
                    filled.push_str(&format!("\".replace(foreach_name, \"{}\", \"", expression(pattern)));
                    let all: Vec<usize> = segment.map_or_else(|| (1..=matches).collect(), |segment| vec![segment]);
                    all.iter().for_each(|group| filled.push_str(&format!("\\{group}")));
                    filled.push_str("\").\"");
                }
                // One of several is not told apart in a name.
                (false, Some(_)) if matches > 1 => filled.push_str("<<"),
                (false, _) => filled.push_str(MATCHED),
            }
            rest = behind;
            continue;
        }
        quoted ^= c == '"';
        filled.push(c);
        rest = &rest[c.len_utf8()..];
    }
    filled
}

/// `<<MATCHSTR>>` or `<<MATCHSEG1>>`: its number, if it has one, and what follows.
fn segment(text: &str) -> Option<(Option<usize>, &str)> {
    if let Some(behind) = text.strip_prefix("<<MATCHSTR>>") {
        return Some((None, behind));
    }
    let (number, behind) = text.strip_prefix("<<MATCHSEG")?.split_once(">>")?;
    Some((Some(number.parse().ok()?), behind))
}

/// A pattern of names as a regular expression with a group for each `*`, as it stands within double quotes.
fn expression(pattern: &ColumnPattern) -> String {
    let text = match pattern {
        ColumnPattern::Named(text) | ColumnPattern::Like(text) => text,
    };
    let pieces: Vec<String> = text.split('*').map(super::terms::escaped).collect();
    let last = pieces.len().saturating_sub(1);
    let mut out = String::from("^");
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            out.push_str(if at == last { "(.*)" } else { "(.*?)" });
        }
        out.push_str(&piece.replace('\\', "\\\\"));
    }
    out.push('$');
    out
}
