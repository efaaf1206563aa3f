//! `convert`: values to other forms, in their place.

use std::sync::Arc;

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{Expr, Function, LooseFunction};
use lurcher_schema::Value;

use super::{Lowerer, Said, columns::expand, functions::each, rows::Rows, stats::setting};
use crate::{
    spl::ast::{Conversion, Settings},
    syntax::closest,
};

/// The functions of `convert`.
const FUNCTIONS: [&str; 11] =
    ["ctime", "mktime", "num", "auto", "none", "dur2sec", "memk", "mstime", "rmcomma", "rmunit", "rmunits"];

impl Lowerer<'_> {
    pub(super) fn convert(
        &mut self,
        settings: &Settings,
        conversions: &[Conversion],
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let format =
            setting(settings, "timeformat").map_or_else(|| "%m/%d/%Y %H:%M:%S".into(), |f| Arc::clone(&f.text));
        for conversion in conversions {
            let function = conversion.function.text.to_ascii_lowercase();
            if !FUNCTIONS.contains(&function.as_str()) {
                let mut diagnostic =
                    Diagnostic::error("spl-unknown-function", format!("`convert` knows no `{function}`"))
                        .at(conversion.function.span, "unknown function");
                if let Some(meant) = closest(&function, FUNCTIONS) {
                    diagnostic = diagnostic.with_help(format!("did you mean `{meant}`?"));
                }
                return Err(self.report(diagnostic));
            }
            for name in expand(std::slice::from_ref(&conversion.field), &rows.names) {
                let value = self.name(&name, conversion.field.span, &rows.names);
                let converted = convert_one(&function, value, &format);
                let output = match &conversion.alias {
                    Some(alias) if !alias.text.contains('*') => Arc::clone(&alias.text),
                    _ => name,
                };
                self.assign(&mut rows, &output, converted);
            }
        }
        Ok(rows)
    }
}

fn convert_one(function: &str, value: Expr, format: &Arc<str>) -> Expr {
    let format = || Expr::Literal(Value::Text(Arc::clone(format)));
    let text = |text: &str| Expr::Literal(Value::text(text));
    // What cannot be converted stays, but for `num`, which takes it away.
    let or_itself = |converted: Expr| Expr::call(Function::Coalesce, [converted, value.clone()]);
    match function {
        "ctime" => or_itself(each(Function::Loose(LooseFunction::FormatTime), [value.clone(), format()])),
        "mktime" => or_itself(each(Function::Loose(LooseFunction::ParseTime), [value.clone(), format()])),
        "num" => each(Function::Loose(LooseFunction::Number), [value.clone()]),
        "auto" => or_itself(each(Function::Loose(LooseFunction::Number), [value.clone()])),
        "dur2sec" | "mstime" => or_itself(each(Function::Loose(LooseFunction::ReadDuration), [value.clone()])),
        "memk" => or_itself(each(Function::Loose(LooseFunction::Kilobytes), [value.clone()])),
        "rmcomma" => {
            let comma = lurcher_ir::Regex { pattern: ",".into() };
            let bare = each(Function::Replace(comma), [value.clone(), text("")]);
            or_itself(Expr::call(
                Function::Coalesce,
                [each(Function::Loose(LooseFunction::Number), [bare.clone()]), bare],
            ))
        }
        "rmunit" | "rmunits" => or_itself(each(Function::Loose(LooseFunction::LeadingNumber), [value.clone()])),
        _ => value,
    }
}
