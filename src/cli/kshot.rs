//! `fovea kshot`.

use super::args::{KShotArgs, LabelName, PairsName};
use super::output::{print, print_json, tell, tell_edits, write_file};
use super::session::{Session, unexpected};
use super::train::{bar, catch_ctrl_c};
use super::{CliError, tasks};
use crate::chart::{Format, KShotFigure, KShotMetric, KShotSeries, kshot_bands, kshot_figure};
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{
    Draw, JobId, KShotReport, KShotSpec, LabelTreatment, ModelId, ModelInfo, TaskTable, UserError, Variant, printable,
};
use indicatif::ProgressBar;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Measures accuracy against the number of examples; Ctrl-C ends with what there is.
pub(super) fn run(args: &KShotArgs) -> Result<(), CliError> {
    let ks = numbers(&args.k)?;
    let format = args.out.as_deref().map(Format::from_path).transpose().map_err(UserError::from)?;
    let interrupted = catch_ctrl_c("The measurement was not started.")?;
    let session = Session::start(args.model.device);
    let template = args.template.as_deref().map(written).transpose()?;
    let edits = args.edits.edits()?;
    let mut specs = Vec::new();
    for given in &args.task {
        let mut table = tasks::table(&session, given)?.as_ref().clone();
        if let Some(template) = &template {
            table.template.clone_from(template);
        }
        let spec = KShotSpec {
            table,
            ks: ks.clone(),
            seeds: (1..=args.seeds).collect(),
            queries: args.queries,
            variant: variant(args),
            draw: if args.plain_draw { Draw::Plain } else { Draw::Balanced },
            edits: edits.clone(),
        };
        spec.check()?;
        specs.push(spec);
    }
    let info = session.open_model(&args.model)?;
    if args.pairs == PairsName::Seen {
        for spec in &mut specs {
            keep_seen(&mut spec.table, &info)?;
            spec.check()?;
        }
    }
    let progress = bar(0);
    let mut reports = Vec::new();
    for spec in specs {
        if !interrupted.load(Ordering::Relaxed) {
            progress.set_message(spec.table.title.clone());
            reports.push(measure(&session, info.id, spec, &interrupted, &progress)?);
        }
    }
    progress.finish_and_clear();
    tell_notes(&reports);
    if interrupted.load(Ordering::Relaxed) {
        let measured: usize = reports.iter().map(|report| report.points.len()).sum();
        let planned = args.task.len() * args.seeds as usize * distinct(&ks);
        tell(format_args!("note: stopped after {measured} of {planned} points"));
    }
    reports.retain(|report| !report.points.is_empty());
    if args.json {
        reports.iter().try_for_each(|report| print_json(report.as_ref()))?;
    } else if !reports.is_empty() {
        tell_edits(&edits);
        print(&describe(&info, &reports))?;
    }
    if let (Some(path), Some(format), false) = (&args.out, format, reports.is_empty()) {
        write_file(path, &figure(&info, &reports, format)?)?;
    }
    if interrupted.load(Ordering::Relaxed) { Err(CliError::Interrupted) } else { Ok(()) }
}

fn variant(args: &KShotArgs) -> Variant {
    let labels = match args.labels {
        LabelName::True => LabelTreatment::True,
        LabelName::Shuffled => LabelTreatment::Shuffled,
        LabelName::Random => LabelTreatment::Random,
    };
    Variant { labels, without_instruction: args.no_instruction, calibrate: args.calibrate, ..Variant::default() }
}

/// A template from the command line, where a line break is written `\n`.
fn written(template: &str) -> Result<String, UserError> {
    if ["{input}", "{output}"].iter().all(|part| template.matches(part).count() == 1) {
        return Ok(template.replace("\\n", "\n"));
    }
    Err(UserError::new(
        format!("--template {template:?} does not say how an example is written."),
        "{input} and {output} must each stand in it once.",
        "Write it like \"{input} = {output}\"; a line break is \\n.",
    ))
}

/// Takes out of a table what the model's training left out.
fn keep_seen(table: &mut TaskTable, info: &ModelInfo) -> Result<(), UserError> {
    let wrong = |why: String| {
        let what = format!("Which pairs of {} the model has seen is not known.", table.title);
        Err(UserError::new(what, why, "Leave --pairs out to take all pairs."))
    };
    let Some(left_out) = &info.held_out else {
        return wrong(format!("No fewshot.json stands beside {}, which would tell.", info.name));
    };
    if left_out.held_out_tasks.iter().chain(&left_out.unseen_rules).any(|id| *id == table.id) {
        return wrong(format!("Training left {} out as a whole.", table.id));
    }
    let id = table.id.clone();
    table.rows.retain(|[input, _]| !TaskTable::holds_out(&id, input, left_out.held_out_pairs));
    Ok(())
}

fn numbers(list: &str) -> Result<Vec<usize>, UserError> {
    let number = |part: &str| {
        part.trim().parse().map_err(|_| {
            UserError::new(
                format!("--k {list} is no list of numbers of examples."),
                format!("{:?} is not a whole number from 0 upwards.", part.trim()),
                "Write numbers with commas between them, such as --k 0,1,2,4,8.",
            )
        })
    };
    list.split(',').map(number).collect()
}

fn distinct(ks: &[usize]) -> usize {
    ks.iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// Measures one task. When Ctrl-C is pressed it is cancelled, and gives the points so far.
fn measure(
    session: &Session,
    model: ModelId,
    spec: KShotSpec,
    interrupted: &AtomicBool,
    progress: &ProgressBar,
) -> Result<Arc<KShotReport>, CliError> {
    let job = JobId::next();
    session.send(Command::start(job, model, Work::KShot(spec)))?;
    let mut cancelled = false;
    loop {
        let next = session.next(job, &mut |event| {
            if let Event::Progress { done, total, .. } = event {
                progress.set_length(total);
                progress.set_position(done);
            }
            Ok(())
        })?;
        match next {
            Some(Outcome::KShot(report)) => return Ok(report),
            Some(_) => return Err(unexpected()),
            None if interrupted.load(Ordering::Relaxed) && !cancelled => {
                cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    }
}

fn tell_notes(reports: &[Arc<KShotReport>]) {
    for report in reports {
        for note in &report.notes {
            tell(format_args!("note: {}: {note}", report.spec.table.title));
        }
    }
}

fn describe(info: &ModelInfo, reports: &[Arc<KShotReport>]) -> String {
    match reports {
        [report] => one_task(info, report),
        _ => several_tasks(info, reports),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn one_task(info: &ModelInfo, report: &KShotReport) -> String {
    let (queries, seeds) = (report.spec.queries_a_seed(), report.spec.seeds.len());
    let title = printable(&report.spec.table.title);
    let mut text = format!("{title}: {}, {seeds} seeds of {queries} queries\n\n", info.name);
    text += "   k    right    lowest   highest   ln P(answer)\n";
    let accuracy = kshot_bands(&report.points, KShotMetric::Accuracy);
    for (right, log_prob) in accuracy.iter().zip(kshot_bands(&report.points, KShotMetric::LogProb)) {
        let [mean, low, high] = [right.mean, right.low, right.high].map(percent);
        text += &format!("{:>4}  {mean:>7}  {low:>8}  {high:>8}  {:>13.3}\n", right.k, log_prob.mean);
    }
    text
}

/// One row a task, one column a number of examples, and the mean over the tasks.
fn several_tasks(info: &ModelInfo, reports: &[Arc<KShotReport>]) -> String {
    let rows: Vec<_> = reports.iter().map(|report| kshot_bands(&report.points, KShotMetric::Accuracy)).collect();
    let mut ks: Vec<usize> = rows.iter().flatten().map(|band| band.k).collect();
    ks.sort_unstable();
    ks.dedup();
    let titles: Vec<_> = reports.iter().map(|report| printable(&report.spec.table.title)).collect();
    let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0).max(4);
    let seeds = reports.first().map_or(0, |report| report.spec.seeds.len());
    let mut text = format!("right answers: {}, means over {seeds} seeds\n\n{:width$}", info.name, "");
    for k in &ks {
        text += &format!("  {:>8}", format!("k = {k}"));
    }
    let cell = |share: Option<f64>| format!("  {:>8}", share.map_or_else(|| "–".to_owned(), percent));
    for (title, bands) in titles.iter().zip(&rows) {
        text += &format!("\n{title:width$}");
        for k in &ks {
            text += &cell(bands.iter().find(|band| band.k == *k).map(|band| band.mean));
        }
    }
    text += &format!("\n{:width$}", "mean");
    for k in &ks {
        let of_k: Vec<f64> = rows.iter().flatten().filter(|band| band.k == *k).map(|band| band.mean).collect();
        // A mean over fewer tasks than the others' would not compare with them.
        text += &cell((of_k.len() == rows.len()).then(|| of_k.iter().sum::<f64>() / of_k.len() as f64));
    }
    text + "\n"
}

fn figure(info: &ModelInfo, reports: &[Arc<KShotReport>], format: Format) -> Result<Vec<u8>, UserError> {
    let series = reports.iter().enumerate().map(|(hue, report)| KShotSeries {
        name: &report.spec.table.title,
        hue,
        points: &report.points,
    });
    let edits = reports.first().map_or(&[][..], |report| &report.spec.edits);
    let with = edits.iter().map(|edit| format!(", {edit}")).collect::<String>();
    let title = format!("{}{with}: right answers against examples in the prompt", info.name);
    kshot_figure(&KShotFigure { title, series: series.collect(), metric: KShotMetric::Accuracy }, format)
        .map_err(UserError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_a_place_for_both() {
        assert_eq!(written("Q: {input}\\nA: {output}").unwrap(), "Q: {input}\nA: {output}");
        for wrong in ["{input}", "{output}", "{input} {input} {output}", ""] {
            assert!(written(wrong).unwrap_err().what.contains("--template"), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_examples_are_a_list() {
        assert_eq!(numbers("0,1, 16").unwrap(), [0, 1, 16]);
        for wrong in ["", "1,,2", "1;2", "-1", "two"] {
            assert!(numbers(wrong).unwrap_err().what.contains(&format!("--k {wrong}")), "{wrong}");
        }
    }
}
