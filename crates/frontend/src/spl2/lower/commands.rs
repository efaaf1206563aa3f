//! What each command does to the rows.

use std::{sync::Arc, time::Duration};

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    Aggregate, AggregateColumn, Anomaly, Dedup, Expand, Expr, Function, Sink, SortKey, Stage, Verdict, Window,
    WindowSpan,
};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, Command, CommandKind, Dataset, Name, Stats},
        finding,
        parser::{self, similar},
    },
    Lowerer, MAX_MEANING, Said,
    flow::{Arm, Base, Environment, Flow},
};
use crate::syntax::java_regex;

/// The aggregates that are run, by all their names.
const AGGREGATES: [(&str, Aggregate); 17] = [
    ("count", Aggregate::Count),
    ("c", Aggregate::Count),
    ("sum", Aggregate::Sum),
    ("avg", Aggregate::Average),
    ("mean", Aggregate::Average),
    ("average", Aggregate::Average),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("dc", Aggregate::CountDistinct),
    ("distinct_count", Aggregate::CountDistinct),
    ("estdc", Aggregate::CountDistinct),
    ("values", Aggregate::VALUES),
    ("list", Aggregate::LIST),
    ("first", Aggregate::First),
    ("earliest", Aggregate::First),
    ("last", Aggregate::Last),
    ("latest", Aggregate::Last),
];

/// Aggregates that the reference knows but the engine does not run.
const NOT_RUN: [&str; 12] =
    ["stdev", "stdevp", "var", "varp", "median", "mode", "range", "perc95", "percentile", "exactperc", "sumsq", "rate"];

const SOURCES: [&str; 2] = ["read_ssa_enriched_events", "read_ba_enriched_events"];

/// The options of the models, for misspelt names.
const OPTIONS: [&str; 12] = [
    "input_columns",
    "algorithm",
    "value",
    "entity",
    "window",
    "threshold",
    "eps",
    "conditional",
    "target",
    "path",
    "name",
    "timestamp",
];

impl Lowerer<'_> {
    /// One command; `None` if the rows end in it.
    pub(super) fn command(&mut self, command: &Command, flow: Option<Flow>) -> Result<Option<Flow>, Said> {
        match &command.kind {
            CommandKind::From(dataset) if flow.is_none() => return self.dataset(dataset).map(Some),
            CommandKind::From(_) => {
                return Err(self.report(
                    Diagnostic::error("spl2-expected", "`from` can only begin a pipeline")
                        .at(command.span, "rows come from before already")
                        .with_help("use `union` to add the rows of another data set"),
                ));
            }
            CommandKind::Union(datasets) => {
                let mut all = flow.unwrap_or_default();
                for dataset in datasets {
                    all.union(self.dataset(dataset)?);
                }
                return Ok(Some(all));
            }
            _ => {}
        }
        let Some(flow) = flow else {
            return Err(self.report(
                Diagnostic::error("spl2-missing-source", "the pipeline has no source")
                    .at(command.span, "this command gets no rows")
                    .with_help("begin with `from`, such as `from read_ssa_enriched_events()` or `from source`"),
            ));
        };
        match &command.kind {
            CommandKind::Into { sink, go_on } => self.into(sink, *go_on, flow),
            CommandKind::Branch(pipelines) => {
                let flow = self.park(flow);
                for pipeline in pipelines {
                    if self.pipeline(pipeline, Some(flow.clone())).is_some() {
                        self.report(
                            Diagnostic::error("spl2-missing-into", "a branch must end in a sink")
                                .at(pipeline.span, "the rows go nowhere from here")
                                .with_help("end it with `| into sink`"),
                        );
                    }
                }
                Ok(None)
            }
            CommandKind::Placeholder(name) => self.placeholder(name, flow),
            CommandKind::Append(pipeline) => {
                let mut all = flow;
                all.union(self.subpipeline(pipeline)?);
                Ok(Some(all))
            }
            kind => self.rows(kind, command.span, flow).map(Some),
        }
    }

    /// The commands through which rows only pass.
    fn rows(&mut self, kind: &CommandKind, span: Span, mut flow: Flow) -> Result<Flow, Said> {
        match kind {
            CommandKind::Where(condition) => return self.filter_flow(flow, condition),
            CommandKind::Stats(stats) => return self.stats(stats, flow),
            CommandKind::Model { name, options } => return self.model(name, options, flow),
            CommandKind::Head(count) => return self.stage(flow, |_, _| Ok(vec![Stage::Head(*count)])),
            CommandKind::Sort { limit, by } => return self.sort(*limit, by, flow),
            CommandKind::Dedup(names) => return self.dedup(names, flow),
            CommandKind::Unsupported(name) => {
                let message = format!("the command `{}` is not run", name.text.to_ascii_lowercase());
                return Err(self.unsupported("command", message, name.span));
            }
            _ => {}
        }
        for arm in &mut flow.arms {
            match kind {
                CommandKind::Eval(assignments) => {
                    for (name, value) in assignments {
                        let expr = self.expression(value, &arm.environment)?;
                        self.assign(arm, &name.text, expr);
                    }
                }
                CommandKind::Select(items) => {
                    let mut columns = Vec::new();
                    for (value, name) in items {
                        columns.push((Arc::clone(&name.text), self.expression(value, &arm.environment)?));
                    }
                    arm.environment = Environment::only(columns);
                }
                CommandKind::Fields { drop: true, names } => {
                    for name in names {
                        arm.environment.remove(&name.text);
                    }
                }
                CommandKind::Fields { drop: false, names } => {
                    let found = names
                        .iter()
                        .filter_map(|name| arm.environment.find(&name.text).map(|expr| (Arc::clone(&name.text), expr)));
                    arm.environment = Environment::only(found.collect());
                }
                CommandKind::Rename(pairs) => {
                    for (from, to) in pairs {
                        let value = self.name(&from.text, from.span, &arm.environment);
                        arm.environment.remove(&from.text);
                        arm.environment.set(&to.text, value);
                    }
                }
                CommandKind::Rex { field, pattern } => self.rex(arm, field, pattern)?,
                CommandKind::FillNull { value, names } => {
                    let value = self.expression(value, &arm.environment)?;
                    let names: Vec<Arc<str>> = if names.is_empty() {
                        arm.environment.columns.iter().map(|(name, _)| Arc::clone(name)).collect()
                    } else {
                        names.iter().map(|name| Arc::clone(&name.text)).collect()
                    };
                    for name in names {
                        let filled = [arm.environment.get(&name), value.clone()];
                        self.assign(arm, &name, Expr::call(Function::Coalesce, filled));
                    }
                }
                CommandKind::Bin { span, field, output } => {
                    let value = self.name(&field.text, field.span, &arm.environment);
                    let width = self.expression(span, &arm.environment)?;
                    let rest = Expr::call(Function::Modulo, [value.clone(), width]);
                    self.assign(arm, &output.text, Expr::call(Function::Subtract, [value, rest]));
                }
                CommandKind::Unfold { field, rows, members } => self.unfold(arm, field, *rows, *members, span),
                _ => {}
            }
        }
        Ok(flow)
    }

    /// Sets a field. What it means is kept as an expression; when that grows too large, it becomes a column.
    fn assign(&mut self, arm: &mut Arm, name: &Arc<str>, expr: Expr) {
        let (size, depth) = expr.extent();
        let expr = if size > MAX_MEANING.0 || depth > MAX_MEANING.1 { self.column(arm, name, expr) } else { expr };
        arm.environment.set(name, expr);
    }

    /// Computes an expression into a column.
    fn column(&mut self, arm: &mut Arm, name: &str, expr: Expr) -> Expr {
        let column = self.parts.fresh_name(name);
        arm.stages.push(Stage::Eval(vec![(Arc::clone(&column), expr)]));
        Expr::Column(column)
    }

    fn dataset(&mut self, dataset: &Dataset) -> Result<Flow, Said> {
        match dataset {
            Dataset::Variable(name) => self.variable(name),
            Dataset::Pipeline(pipeline) => self.subpipeline(pipeline),
            Dataset::Named(name) if name.text.as_ref() == "source" => Ok(Flow::events(Base::Ocsf)),
            Dataset::Function(name) if name.text.as_ref() == SOURCES[0] => Ok(Flow::events(Base::Cim)),
            Dataset::Function(name) if name.text.as_ref() == SOURCES[1] => Ok(Flow::events(Base::OcsfMap)),
            Dataset::Named(name) | Dataset::Function(name) => {
                let mut diagnostic =
                    Diagnostic::error("spl2-unknown-dataset", format!("there is no data set `{}`", name.text))
                        .at(name.span, "unknown data set");
                let known = ["source"].into_iter().chain(SOURCES);
                diagnostic = match similar(&name.text, known) {
                    Some("source") if matches!(dataset, Dataset::Function(_)) => {
                        diagnostic.with_help("write `from source`, without brackets")
                    }
                    Some("source") => diagnostic.with_help("did you mean `source`?"),
                    Some(meant) => diagnostic.with_help(format!("did you mean `{meant}()`?")),
                    None => diagnostic.with_help(
                        "events come from `read_ssa_enriched_events()` (CIM), `read_ba_enriched_events()` (OCSF in a map) \
                         or `source` (OCSF)",
                    ),
                };
                Err(self.report(diagnostic))
            }
        }
    }

    fn subpipeline(&mut self, pipeline: &ast::Pipeline) -> Result<Flow, Said> {
        match self.pipeline(pipeline, None) {
            Some(flow) => Ok(flow),
            None => Err(self.report(
                Diagnostic::error("spl2-after-into", "a pipeline in brackets cannot end in a sink")
                    .at(pipeline.span, "its rows are wanted here"),
            )),
        }
    }

    fn into(&mut self, sink: &Dataset, go_on: bool, flow: Flow) -> Result<Option<Flow>, Said> {
        let sink = match sink {
            Dataset::Function(name) if name.text.as_ref() == "write_null" => Sink::Null,
            Dataset::Function(name) | Dataset::Named(name) | Dataset::Variable(name) => {
                Sink::Alerts(Arc::clone(&name.text))
            }
            Dataset::Pipeline(pipeline) => {
                return Err(self.report(
                    Diagnostic::error("spl2-expected", "a pipeline cannot be a sink")
                        .at(pipeline.span, "the name of a sink expected"),
                ));
            }
        };
        if !go_on {
            self.sink(flow, &sink);
            return Ok(None);
        }
        let flow = self.park(flow);
        self.sink(flow.clone(), &sink);
        Ok(Some(flow))
    }

    /// `--finding_report--` and `--body--`.
    fn placeholder(&mut self, name: &Name, mut flow: Flow) -> Result<Option<Flow>, Said> {
        match name.text.as_ref() {
            "finding_report" => {
                let Some(arm) = flow.arms.first() else { return Err(Said) };
                let text = finding::report(&self.options.finding, &arm.environment.columns);
                let file = lurcher_diagnostics::SourceFile::new("--finding_report--", text);
                let (module, diagnostics) = parser::module(&file);
                self.diagnostics.extend(diagnostics);
                let Some(statement) = module.statements.first() else { return Err(Said) };
                let outer = std::mem::replace(&mut self.file, file);
                let left = self.pipeline(&statement.pipeline, Some(flow));
                self.file = outer;
                Ok(left)
            }
            "body" => {
                for arm in &mut flow.arms {
                    let body = finding::body(&self.options.finding, &arm.environment.columns);
                    self.assign(arm, &"body".into(), body);
                }
                Ok(Some(flow))
            }
            other => Err(self.report(
                Diagnostic::error("spl2-placeholder", format!("nothing is known to stand for `--{other}--`"))
                    .at(name.span, "a placeholder of the publisher's build")
                    .with_help("`--finding_report--` and `--body--` are filled in; write others out"),
            )),
        }
    }

    /// Adds a stage that sees all rows.
    fn stage(
        &mut self,
        flow: Flow,
        make: impl FnOnce(&mut Self, &Environment) -> Result<Vec<Stage>, Said>,
    ) -> Result<Flow, Said> {
        let mut arm = self.collapse(flow)?;
        let stages = make(self, &arm.environment)?;
        arm.stages.extend(stages);
        Ok(Flow { arms: vec![arm] })
    }

    fn sort(&mut self, limit: Option<u64>, by: &[(ast::Expr, bool)], flow: Flow) -> Result<Flow, Said> {
        self.stage(flow, |lowerer, environment| {
            let mut keys = Vec::new();
            for (expr, descending) in by {
                keys.push(SortKey::new(lowerer.expression(expr, environment)?, *descending));
            }
            Ok(std::iter::once(Stage::Sort(keys)).chain(limit.map(Stage::Head)).collect())
        })
    }

    /// Rows that lack one of the fields are dropped, as Splunk does unless told otherwise.
    fn dedup(&mut self, names: &[Name], flow: Flow) -> Result<Flow, Said> {
        self.stage(flow, |lowerer, environment| {
            let keys: Vec<Expr> = names.iter().map(|name| lowerer.name(&name.text, name.span, environment)).collect();
            let present =
                keys.iter().map(|key| Expr::call(Function::Not, [Expr::call(Function::IsNull, [key.clone()])]));
            Ok(vec![Stage::Where(Expr::Call(Function::And, present.collect())), Stage::Dedup(Dedup::first(keys))])
        })
    }

    fn rex(&mut self, arm: &mut Arm, field: &Name, pattern: &Name) -> Result<(), Said> {
        let regex = self.regex(&pattern.text, pattern.span)?;
        let text = self.name(&field.text, field.span, &arm.environment);
        for group in java_regex::group_names(&regex) {
            let found = Expr::call(Function::Capture(regex.clone(), Arc::clone(&group)), [text.clone()]);
            // Without a match the record stays as it is.
            let value = match arm.environment.find(&group) {
                Some(before) => Expr::call(Function::Coalesce, [found, before]),
                None => found,
            };
            self.assign(arm, &group, value);
        }
        Ok(())
    }

    fn unfold(&mut self, arm: &mut Arm, field: &Name, rows: bool, members: bool, span: Span) {
        let mut value = self.name(&field.text, field.span, &arm.environment);
        if rows {
            let column = self.parts.fresh_name(&field.text);
            arm.stages.push(Stage::Eval(vec![(Arc::clone(&column), value)]));
            arm.stages.push(Stage::Expand(Expand::all(Arc::clone(&column))));
            value = Expr::Column(column);
            arm.environment.set(&field.text, value.clone());
        }
        if members {
            let message = "of the members that become fields, rows show only those that the query names";
            self.reason(Verdict::Approximate, "dynamic-fields", message, span);
            arm.environment.unfold(value);
        }
    }

    fn stats(&mut self, stats: &Stats, flow: Flow) -> Result<Flow, Said> {
        let mut arm = self.collapse(flow)?;
        let mut window = Window { keys: Vec::new(), aggregates: Vec::new(), span: None };
        let mut names: Vec<Arc<str>> = Vec::new();
        for (expr, name) in &stats.keys {
            let key = self.expression(expr, &arm.environment)?;
            window.keys.push((Arc::clone(&name.text), key));
            names.push(Arc::clone(&name.text));
        }
        for aggregation in &stats.aggregates {
            let function = self.aggregate(&aggregation.function)?;
            let argument = match &aggregation.argument {
                Some(expr) => Some(self.expression(expr, &arm.environment)?),
                None if function == Aggregate::Count => None,
                None => return Err(self.missing_argument(&aggregation.function)),
            };
            let name = Arc::clone(&aggregation.output.text);
            window.aggregates.push(AggregateColumn::new(Arc::clone(&name), function, argument));
            names.push(name);
        }
        if let Some(span) = &stats.span {
            window.span = Some(WindowSpan {
                time: self.expression(&span.time, &arm.environment)?,
                size: Duration::from_millis(span.size),
                slide: Duration::from_millis(span.slide.unwrap_or(span.size)),
            });
            names.extend(["window_start".into(), "window_end".into()]);
        }
        arm.stages.push(Stage::Window(window));
        let columns = names.into_iter().map(|name| (Arc::clone(&name), Expr::Column(name)));
        arm.environment = Environment::only(columns.collect());
        Ok(Flow { arms: vec![arm] })
    }

    fn missing_argument(&mut self, function: &Name) -> Said {
        self.report(
            Diagnostic::error("spl2-arity", format!("`{}` needs a field", function.text))
                .at(function.span, "nothing to aggregate")
                .with_help(format!("write `{}(field)`", function.text)),
        )
    }

    fn aggregate(&mut self, name: &Name) -> Result<Aggregate, Said> {
        let lower = name.text.to_ascii_lowercase();
        if let Some((_, function)) = AGGREGATES.iter().find(|(known, _)| *known == lower) {
            return Ok(*function);
        }
        if NOT_RUN.contains(&lower.as_str()) {
            let message = format!("the aggregate `{lower}` is not run");
            return Err(self.unsupported("function", message, name.span));
        }
        let mut diagnostic =
            Diagnostic::error("spl2-unknown-function", format!("there is no aggregate `{}`", name.text))
                .at(name.span, "unknown aggregate");
        diagnostic = match similar(&lower, AGGREGATES.iter().map(|(known, _)| *known)) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help("aggregates are `count`, `sum`, `avg`, `min`, `max`, `dc`, `values` …"),
        };
        Err(self.report(diagnostic))
    }

    /// The streaming models. Their numerics are not published, so what they find is near, not equal.
    fn model(&mut self, name: &Name, options: &[(Name, ast::Expr)], flow: Flow) -> Result<Flow, Said> {
        for (option, _) in options {
            if !OPTIONS.contains(&option.text.as_ref()) {
                let message = format!("`{}` has no option `{}`", name.text, option.text);
                let mut diagnostic =
                    Diagnostic::error("spl2-unknown-option", message).at(option.span, "unknown option");
                if let Some(meant) = similar(&option.text, OPTIONS) {
                    diagnostic = diagnostic.with_help(format!("did you mean `{meant}`?"));
                }
                return Err(self.report(diagnostic));
            }
        }
        if name.text.as_ref() == "apply_model" {
            return Err(self.unsupported("model", "the model that it applies is not published", name.span));
        }
        let message = format!("`{}` is documented only in outline; its judgements are near the vendor's", name.text);
        self.reason(Verdict::Approximate, "anomaly-model", message, name.span);
        let mut arm = self.collapse(flow)?;
        let set: &[&str] = match name.text.as_ref() {
            "first_time_event" => &[],
            "conditional_anomaly" => &["output"],
            _ => &["label", "quantile", "mean", "stddev"],
        };
        if arm.environment.mentions(set) {
            // The model is about to overwrite a column that another name still means.
            arm.stages.push(Stage::Project(arm.environment.columns.clone()));
            arm.environment.make_columns();
        }
        let (anomaly, outputs) = self.anomaly(name, options, &arm.environment)?;
        arm.stages.push(Stage::Anomaly(anomaly));
        for output in outputs {
            let column = Expr::Column(Arc::clone(&output));
            arm.environment.set(&output, column);
        }
        Ok(Flow { arms: vec![arm] })
    }

    fn anomaly(
        &mut self,
        name: &Name,
        options: &[(Name, ast::Expr)],
        environment: &Environment,
    ) -> Result<(Anomaly, Vec<Arc<str>>), Said> {
        let option =
            |wanted: &str| options.iter().find(|(option, _)| option.text.as_ref() == wanted).map(|(_, value)| value);
        match name.text.as_ref() {
            "first_time_event" => {
                let columns = match option("input_columns").map(|value| &value.kind) {
                    Some(ast::ExprKind::List(columns)) if !columns.is_empty() => columns,
                    _ => return Err(self.missing_option(name, "input_columns", "input_columns=[\"a\", \"b\"]")),
                };
                let (mut inputs, mut output) = (Vec::new(), String::from("first_time"));
                for column in columns {
                    let Some(text) = column.as_text() else {
                        return Err(self.missing_option(name, "input_columns", "input_columns=[\"a\", \"b\"]"));
                    };
                    inputs.push(self.name(text, column.span, environment));
                    output = format!("{output}_{text}");
                }
                let output: Arc<str> = output.into();
                Ok((Anomaly::FirstSeen { inputs, output: Arc::clone(&output) }, vec![output]))
            }
            "conditional_anomaly" => {
                let mut side = |wanted| match option(wanted).and_then(ast::Expr::as_text) {
                    Some(text) => Ok(self.name(text, name.span, environment)),
                    None => Err(self.missing_option(name, wanted, "conditional=\"a\" target=\"b\"")),
                };
                let (condition, target) = (side("conditional")?, side("target")?);
                let output: Arc<str> = "output".into();
                Ok((Anomaly::Conditional { condition, target, output: Arc::clone(&output) }, vec![output]))
            }
            _ => {
                let column = |wanted: &str, default: &str| {
                    let text = option(wanted).and_then(ast::Expr::as_text).map_or(default, AsRef::as_ref);
                    if text.is_empty() { Expr::Literal(Value::Null) } else { environment.get(text) }
                };
                let number = |wanted: &str| match option(wanted).map(|value| (&value.kind, value.as_integer())) {
                    Some((_, Some(number))) => Some(number as f64),
                    Some((ast::ExprKind::Float(number), _)) => Some(*number),
                    Some((ast::ExprKind::Duration(millis), _)) => Some(*millis as f64),
                    _ => None,
                };
                let (value, entity) = (column("value", "input"), column("entity", ""));
                let time = column("timestamp", "timestamp");
                let window = number("window").filter(|window| *window >= 0.0).map(|window| window as i64);
                let quantile =
                    option("algorithm").and_then(ast::Expr::as_text).is_some_and(|a| a.as_ref() == "quantile");
                if quantile {
                    let threshold = number("threshold").unwrap_or(0.01);
                    let outputs = vec!["quantile".into(), "label".into()];
                    Ok((Anomaly::Quantile { value, entity, time, window, threshold }, outputs))
                } else {
                    let threshold = number("threshold").unwrap_or(3.0);
                    let outputs = vec!["mean".into(), "stddev".into(), "label".into()];
                    Ok((Anomaly::Gaussian { value, entity, time, window, threshold }, outputs))
                }
            }
        }
    }

    fn missing_option(&mut self, name: &Name, option: &str, example: &str) -> Said {
        self.report(
            Diagnostic::error("spl2-missing-option", format!("`{}` needs `{option}`", name.text))
                .at(name.span, "an option is missing")
                .with_help(format!("write `{} {example}`", name.text)),
        )
    }
}
