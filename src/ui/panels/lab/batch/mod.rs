//! Every row of the table asked with the present prompt: how many are right, which are not, and what is said instead.

mod answers;
mod confusion;

use super::desk::Desk;
use super::pace;
use crate::chart::answers_table;
use crate::engine::{Command, Work};
use crate::types::{BatchReport, BatchSpec, Edit, JobId, ModelId, UserError};
use crate::ui::Themed;
use crate::ui::edits::all_words;
use crate::ui::files::FileRequest;
use crate::ui::theme::{CONTROL_HEIGHT, Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{
    self, Stamp, caption, empty_state, figure, icon_button, job_progress, segmented, stage_header,
};
use crate::ui::{Cx, State};
use answers::List;
use egui::{DragValue, Ui};
use lucide_icons::Icon;
use std::sync::Arc;

const COUNT_HELP: &str = "How many rows are asked, in the order of the table; examples are never asked.";

/// A batch with its answers.
struct Measured {
    job: JobId,
    report: Arc<BatchReport>,
    /// The labels, as the model was shown them.
    labels: Vec<String>,
    task: String,
    /// With which edits it was asked.
    edits: Vec<Edit>,
}

/// A batch that was asked.
#[derive(Clone)]
struct Asked {
    /// Without edits, then with them where any were on.
    jobs: Vec<(JobId, Vec<Edit>)>,
    labels: Vec<String>,
    task: String,
    count: usize,
}

/// The tab.
#[derive(Default)]
pub(super) struct BatchTab {
    /// Ask only so many rows; `None` asks all.
    pub most: Option<usize>,
    asked: Option<Asked>,
    /// As it was asked: without edits, then with them.
    measured: Vec<Measured>,
    /// Whose answers are listed, by its place among those.
    looked_at: usize,
    /// The task as it was begun, and the model, that the newest batch is of; none once its error was closed.
    basis: Option<(u64, Option<ModelId>)>,
    list: List,
}

impl BatchTab {
    /// The batch that is under way.
    pub fn running(&self, state: &State) -> Option<JobId> {
        self.shows().find(|job| state.is_active(*job))
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self) -> impl Iterator<Item = JobId> {
        self.asked.iter().flat_map(|asked| &asked.jobs).map(|(job, _)| *job)
    }

    /// Takes in the answers.
    pub fn tick(&mut self, state: &State) {
        let Some(Asked { jobs, labels, task, .. }) = &self.asked else { return };
        for (place, (job, edits)) in jobs.iter().enumerate() {
            if self.measured.get(place).is_some_and(|measured| measured.job == *job) {
                continue;
            }
            let Some(report) = state.report::<BatchReport>(*job) else { return };
            let (report, labels, task, edits) = (report.clone(), labels.clone(), task.clone(), edits.clone());
            // What is behind belongs to the batch before.
            self.measured.truncate(place);
            self.measured.push(Measured { job: *job, report, labels, task, edits });
            (self.list, self.looked_at) = (List::default(), 0);
        }
    }
}

impl BatchTab {
    /// Asks every row with the few-shot prompt.
    pub fn run(&mut self, desk: &Desk, cx: &mut Cx<'_>) {
        if self.running(cx.state).is_some() {
            return;
        }
        let Some(model) = desk.model(cx.state).map(|m| m.info.id) else {
            cx.toast("Open a text model first.");
            return;
        };
        let asked = desk.asked();
        let mut queries = desk.setup.rest(desk.side);
        queries.truncate(self.most.unwrap_or(usize::MAX));
        if queries.is_empty() {
            cx.toast("Every row is an example: there is nothing to ask.");
            return;
        }
        for query in &mut queries {
            query[1] = asked.name(&query[1]).to_owned();
        }
        let labels: Vec<String> = desk.setup.table.labels.iter().map(|label| asked.name(label).to_owned()).collect();
        let count = queries.len();
        let prompt = desk.prompt();
        let spec = BatchSpec { prompt, queries, labels: labels.clone(), calibrate: asked.calibrate, edits: Vec::new() };
        let on = cx.edits.on();
        let asked = [Vec::new()].into_iter().chain((!on.is_empty()).then_some(on));
        let jobs: Vec<(JobId, Vec<Edit>)> = asked.map(|edits| (JobId::next(), edits)).collect();
        for (job, edits) in &jobs {
            let spec = BatchSpec { edits: edits.clone(), ..spec.clone() };
            cx.send(Command::start(*job, model, Work::Batch(spec)));
        }
        self.basis = Some((desk.begun, Some(model)));
        self.asked = Some(Asked { jobs, labels, task: desk.setup.table.title.clone(), count });
    }

    fn export(&self, cx: &mut Cx<'_>) {
        let Some(measured) = self.measured.get(self.looked_at) else {
            cx.fail(UserError::new("There are no answers to export.", "No batch was run yet.", "Ask the rows first."));
            return;
        };
        let (report, labels) = (measured.report.clone(), measured.labels.clone());
        cx.save_as(FileRequest::save("Export CSV", "batch.csv").filter("CSV", &["csv"]), move |path| {
            let bytes = answers_table(&report.answers, &labels).map_err(UserError::from)?;
            super::write(path, &bytes)
        });
    }

    /// The middle of the window.
    pub fn stage(&mut self, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = ui.theme();
        self.choices(desk, ui, cx);
        for job in self.shows().collect::<Vec<_>>() {
            job_progress(ui, cx, job);
            let is_of = self.basis == Some((desk.begun, desk.model(cx.state).map(|model| model.info.id)));
            if let Some(error) = cx.state.error(job).filter(|_| is_of)
                && closable_error(ui, error)
            {
                self.basis = None;
            }
        }
        let running = self.running(cx.state).is_some();
        let Some(measured) = self.measured.get(self.looked_at) else {
            if !running {
                let sentence =
                    "The few-shot prompt is asked with every row that is no example. Wrong answers come first.";
                if empty_state(ui, Icon::ListChecks, "Ask the whole table", sentence, Some("Ask all rows")) {
                    self.run(desk, cx);
                }
            }
            return;
        };
        let (mut copy, mut export) = (false, false);
        let title = format!("{} answers", measured.report.answers.len());
        stage_header(ui, &title, &measured.task, |ui| {
            export = icon_button(ui, Icon::Download, "Export CSV").clicked();
            copy = icon_button(ui, Icon::Copy, "Copy as TSV").clicked();
        });
        let stamp = self.stamp(measured, desk, cx);
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        let count = self.asked.as_ref().map(|asked| asked.count);
        for measured in &self.measured {
            if self.measured.len() > 1 {
                let name = if measured.edits.is_empty() { "Unedited".to_owned() } else { all_words(&measured.edits) };
                ui.label(egui::RichText::new(name).font(Type::Body.bold()).color(theme.body()));
            }
            numbers(ui, theme, measured, count);
        }
        let Measured { job, report, labels, .. } = measured;
        let (job, report, labels) = (*job, report.clone(), labels.clone());
        if self.measured.len() > 1 {
            ui.horizontal(|ui| {
                caption(ui, "Answers of the model");
                segmented(ui, &mut self.looked_at, &[(0, "unedited"), (1, "edited")]);
            });
        }
        if labels.len() > 1 {
            if let Some(cell) = confusion::show(ui, &report, &labels, self.list.cell) {
                self.list.cell = if self.list.cell == Some(cell) { None } else { Some(cell) };
            }
            ui.add_space(space::S);
        }
        self.list.show(ui, job, &report, &labels);
        if copy {
            ui.ctx().copy_text(answers::tsv(&report, &labels));
            cx.toast(format!("Copied {} rows", report.answers.len()));
        }
        if export {
            self.export(cx);
        }
    }

    /// With what the answers on show were made, where the desk is as it is now.
    fn stamp(&self, measured: &Measured, desk: &Desk, cx: &Cx<'_>) -> Option<Stamp> {
        let state = cx.state;
        let job = state.job(measured.job)?;
        let Work::Batch(spec) = &*job.work else { return None };
        let is_other = desk.model(state).is_some_and(|open| job.model != Some(open.info.id));
        let shots = spec.prompt.shots.iter().filter(|shot| shot.on).count();
        let stamp = Stamp::of(state, measured.job)?.with(format!("{shots} examples"));
        let stamp = stamp.old_where(is_other, "Another model is in use now.");
        let stamp = stamp.old_where(spec.prompt != desk.prompt(), "The examples or their wording were changed since.");
        let made = self.measured.last().map(|measured| measured.edits.as_slice()).unwrap_or_default();
        Some(stamp.old_where(made != cx.edits.on(), "The edits were changed since."))
    }

    fn choices(&mut self, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
        let rows = self.rest_count(&desk.setup, desk.side);
        ui.horizontal_wrapped(|ui| {
            let mut all = self.most.is_none();
            if ui.checkbox(&mut all, format!("Ask all {rows} rows")).on_hover_text(COUNT_HELP).changed() {
                self.most = if all { None } else { Some(rows.min(50)) };
            }
            if let Some(most) = &mut self.most {
                let drag = DragValue::new(most).range(1..=rows.max(1)).suffix(" rows");
                let _ = ui.add_sized([96.0, CONTROL_HEIGHT], drag).accessible_name("Rows").on_hover_text(COUNT_HELP);
            }
            let shots = desk.asked().on();
            caption(ui, format!("with the {shots} examples at the left"));
        });
        let queries = self.most.unwrap_or(rows).min(rows);
        let asked: Vec<_> = desk.model(cx.state).map(|model| (model.info.id, queries)).into_iter().collect();
        let times = if cx.edits.any_on() { 2 } else { 1 };
        let asked: Vec<_> =
            asked.into_iter().map(|(model, queries): (ModelId, usize)| (model, times * queries)).collect();
        pace::show(&format!("{} queries", times * queries), &asked, desk, ui, cx);
        ui.add_space(space::XS);
    }

    /// Rows that would be asked; counted anew only when the setup changed.
    fn rest_count(&mut self, setup: &super::setup::Setup, side: usize) -> usize {
        let key = (setup.table.clone(), setup.sides[side].examples.clone());
        if self.list.rest.as_ref().is_none_or(|(of, _)| *of != key) {
            self.list.rest = Some((key, setup.rest(side).len()));
        }
        self.list.rest.as_ref().map_or(0, |(_, count)| *count)
    }
}

/// Accuracy, mean log-probability, and how many were asked.
fn numbers(ui: &mut Ui, theme: &crate::ui::Theme, measured: &Measured, asked: Option<usize>) {
    let report = &measured.report;
    let right = report.answers.iter().filter(|answer| answer.correct).count();
    let count = report.answers.len();
    let mean = report.answers.iter().map(|answer| answer.log_prob).sum::<f64>() / count.max(1) as f64;
    widgets::row(ui, 3, |columns| {
        let accuracy = format!("{:.1} %", report.accuracy() * 100.0);
        figure(&mut columns[0], &accuracy, "", &format!("{right} of {count} right"));
        figure(&mut columns[1], &format!("{mean:.2}"), "nats", "mean ln P");
        figure(&mut columns[2], &format!("{:.1}", report.elapsed_ms / 1000.0), "s", "time");
    });
    if let Some(asked) = asked.filter(|asked| *asked > count) {
        caption(ui, format!("Stopped after {count} of {asked} rows."));
    }
    if report.cut > 0 {
        let words = format!("{} examples at the front were left out: the prompt would not fit.", report.cut);
        let words = egui::RichText::new(words).font(Type::Caption.sans()).color(theme.warning());
        ui.label(words);
    }
    ui.add_space(space::XS);
}
