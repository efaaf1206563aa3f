//! Every case of every Markdown file under `tests/spec/` holds. One test per file; name a file to run only that.

use std::path::Path;

use lurcher_schema::Schemas;
use lurcher_testkit::{check, check_row, check_rules, is_rule_spec, is_table_spec, parse, parse_rules, parse_tables};

#[expect(clippy::needless_pass_by_value, reason = "the harness hands texts over")]
fn spec(path: &Path, text: String) -> datatest_stable::Result<()> {
    let schemas = Schemas::builtin().map_err(|diagnostics| format!("{diagnostics:?}"))?;
    if is_rule_spec(&text) {
        let failed = parse_rules(&text)?
            .iter()
            .filter_map(|case| Some((case.line, case.name.clone(), check_rules(case, &schemas).err()?)))
            .map(|(line, name, error)| format!("{}:{line}: {name}\n{error}", path.display()))
            .collect::<Vec<_>>();
        return if failed.is_empty() { Ok(()) } else { Err(failed.join("\n\n").into()) };
    }
    if is_table_spec(&text) {
        let tables = parse_tables(&text)?;
        let language = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let failed: Vec<String> = tables
            .rows
            .iter()
            .filter_map(|row| Some((row, check_row(row, language, &tables.events, &schemas).err()?)))
            .map(|(row, error)| format!("{}:{}: {}\n{error}", path.display(), row.line, row.names.join(", ")))
            .collect();
        return if failed.is_empty() { Ok(()) } else { Err(failed.join("\n\n").into()) };
    }
    let cases = parse(&text)?;
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            Some(format!("{}:{}: {}\n{}", path.display(), case.line, case.name, check(case, &schemas).err()?))
        })
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("{} of {} cases failed\n\n{}", failed.len(), cases.len(), failed.join("\n\n")).into())
    }
}

datatest_stable::harness! {
    { test = spec, root = "../../tests/spec", pattern = r".*\.md$" },
}
