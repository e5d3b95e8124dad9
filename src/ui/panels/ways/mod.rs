//! Ways to adapt one model to one task, side by side: what each reaches by how many examples, what it costs, and what it gets wrong.
//!
//! The panel owns what is filled in and how the result is looked at, and keeps the newest result itself, so that it outlives a restart.

mod controls;
mod export;
mod form;
mod legend;
mod more;
mod plot;
mod prices;
mod result;
mod thumbnails;
mod wrong;

use crate::chart::Format;
use crate::engine::{AdaptWork, Command, Work};
use crate::types::{
    Ability, AdaptMetric, AdaptPoint, AdaptReport, AdaptSpec, JobId, LabelNoise, LabelledKind, LabelledSource, ModelId,
    PriceAssumptions, Way,
};
use crate::ui::files::FileRequest;
use crate::ui::lenient;
use crate::ui::theme::space;
use crate::ui::widgets::Stamp;
use crate::ui::{Action, Ask, Cx, Intent, Job, OpenModel, Panel, PanelId, State, full_name};
use egui::{Frame, Margin, Ui};
use form::Form;
use lucide_icons::Icon;
use plot::WaysPlot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use thumbnails::Thumbnails;
use wrong::Wrong;

const DATA_FILE: &str = "labelled texts";
const TEST_FILE: &str = "texts of the test";
const DATA_FOLDER: &str = "labelled pictures";
const TEST_FOLDER: &str = "pictures of the test";
const MODEL_FOLDER: &str = "model";
/// Longest text of a result that is kept with the session, in bytes.
const KEPT: usize = 4_000_000;

/// How results are looked at. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct View {
    metric: AdaptMetric,
    /// The treatment of labels on show; nothing for all of them.
    noise: Option<LabelNoise>,
    hidden: BTreeSet<Way>,
    assumed: PriceAssumptions,
    /// Only what is wrong is listed.
    only_wrong: bool,
}

impl Default for View {
    fn default() -> Self {
        Self {
            metric: AdaptMetric::default(),
            noise: Some(LabelNoise::True),
            hidden: BTreeSet::new(),
            assumed: PriceAssumptions::default(),
            only_wrong: true,
        }
    }
}

impl View {
    /// The treatments of labels that are drawn: the one chosen where it was measured, else all.
    fn noises(&self, report: &AdaptReport) -> Vec<LabelNoise> {
        match (self.noise, report.spec.noises.as_slice()) {
            (_, [only]) => vec![*only],
            (Some(noise), measured) if measured.contains(&noise) => vec![noise],
            (Some(_), [first, ..]) => vec![*first],
            (None, measured) => measured.to_vec(),
            (Some(_), []) => Vec::new(),
        }
    }

    fn shows(&self, way: Way) -> bool {
        !self.hidden.contains(&way)
    }
}

/// The result on show.
struct Shown {
    report: Arc<AdaptReport>,
    /// The model's name, with what was done to its weights.
    model: String,
    /// The job it is of, where that was in this sitting.
    job: Option<JobId>,
}

/// A result in the session.
#[derive(Serialize, Deserialize)]
struct KeptResult {
    model: String,
    report: AdaptReport,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    form: Form,
    view: View,
    /// The newest result, as a text of its own: the session is compared with what was saved last twice a second, which is quick for a
    /// text.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

/// The panel.
#[derive(Default)]
pub struct WaysPanel {
    form: Form,
    view: View,
    /// What the data holds.
    data: Ask<LabelledSource>,
    /// The newest comparison that was asked for.
    job: Option<JobId>,
    shown: Option<Shown>,
    /// The result on show as it is kept, and the job it was written for.
    kept: Option<Arc<str>>,
    kept_of: Option<JobId>,
    plot: WaysPlot,
    /// What is looked at of what was wrong.
    wrong: Option<Wrong>,
    /// Pictures among it.
    thumbnails: Thumbnails,
}

impl WaysPanel {
    /// The model that is adapted: the one in use.
    fn model(state: &State) -> Option<&OpenModel> {
        state.active(Ability::Adapt)
    }

    /// What it reads; texts where there is none.
    fn kind(state: &State) -> LabelledKind {
        Self::model(state).map_or(LabelledKind::Texts, |open| form::reads(&open.info))
    }

    /// The comparison under way.
    fn running(&self, state: &State) -> Option<JobId> {
        self.job.filter(|job| state.is_active(*job))
    }

    /// Begins, or goes on where points of the same model, data and settings were measured before.
    fn start(&mut self, cx: &mut Cx<'_>) {
        let Some(model) = Self::model(cx.state) else { return };
        match self.form.spec(Some(&model.info)) {
            Err(words) => cx.toast(words),
            Ok(spec) => {
                let known = self.known(cx.state, &spec, model.info.id);
                self.begin(cx, model.info.id, AdaptWork { spec, known });
            }
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>, model: ModelId, work: AdaptWork) {
        if self.running(cx.state).is_none() {
            let job = JobId::next();
            cx.send(Command::start(job, model, Work::Adapt(Box::new(work))));
            (self.job, self.wrong) = (Some(job), None);
        }
    }

    /// Points on show that are part of a comparison which has others, too: it need not measure them again. Of this sitting alone, in which
    /// nobody has changed the weights since.
    fn known(&self, state: &State, spec: &AdaptSpec, model: ModelId) -> Vec<AdaptPoint> {
        let Some(Shown { report, job: Some(job), .. }) = &self.shown else { return Vec::new() };
        let is_of = |job: &Job| job.model == Some(model) && state.changed_since(job).is_none();
        let AdaptSpec { ways, sizes, seeds, noises, .. } = spec.clone();
        let alike = AdaptSpec { ways, sizes, seeds, noises, ..report.spec.clone() };
        if alike != *spec || !state.job(*job).is_some_and(is_of) {
            return Vec::new();
        }
        let sizes = spec.sizes_of(report.examples);
        let is_part = |point: &&AdaptPoint| {
            spec.ways.contains(&point.way)
                && spec.noises.contains(&point.noise)
                && sizes.contains(&point.size)
                && spec.seeds.contains(&point.seed)
        };
        let known: Vec<AdaptPoint> = report.points.iter().filter(is_part).cloned().collect();
        let wanted = spec.ways.len() * spec.noises.len() * sizes.len() * spec.seeds.len();
        if known.len() < wanted { known } else { Vec::new() }
    }

    /// Takes in what was measured, and writes it down once the job has ended.
    fn take_in(&mut self, state: &State) {
        let Some(job) = self.job else { return };
        let Some(found) = state.job(job) else { return };
        let report = state.so_far::<AdaptReport>(job).or_else(|| state.report(job));
        if let Some(report) = report
            && self.shown.as_ref().is_none_or(|shown| !Arc::ptr_eq(&shown.report, report))
        {
            let model = found.made.as_ref().map_or_else(String::new, |made| made.model.clone());
            self.shown = Some(Shown { report: Arc::clone(report), model, job: Some(job) });
        }
        let is_of = |shown: &&Shown| shown.job == Some(job);
        if !found.is_active()
            && self.kept_of != Some(job)
            && let Some(shown) = self.shown.as_ref().filter(is_of)
        {
            self.kept_of = Some(job);
            let kept = KeptResult { model: shown.model.clone(), report: AdaptReport::clone(&shown.report) };
            self.kept = serde_json::to_string(&kept).ok().filter(|text| text.len() <= KEPT).map(Arc::from);
        }
    }

    /// With what the result on show was made.
    fn stamp(&self, state: &State) -> Option<Stamp> {
        let Shown { report, model, job } = self.shown.as_ref()?;
        let stamp = job.and_then(|job| Stamp::in_use(state, job, Ability::Adapt)).unwrap_or_else(|| {
            let other = Self::model(state).map(|open| full_name(&open.info)).filter(|name| name != model);
            Stamp::kept(model, other.map(|name| format!("{name} is in use now.")))
        });
        let data =
            report.spec.data.data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let seeds = match report.spec.seeds.as_slice() {
            [only] => format!("seed {only}"),
            [first, .., last] => format!("seeds {first} to {last}"),
            [] => String::new(),
        };
        let is_other = self.running(state).is_some() && self.job != *job;
        let asked = self.form.spec(Self::model(state).map(|open| &open.info));
        let stamp = stamp.with(data).with(seeds).with(format!("{} {}", report.test.len(), report.kind.plural()));
        let stamp = stamp.old_where(is_other, "It is measured anew.");
        Some(stamp.old_where(asked.as_ref() != Ok(&report.spec), "What is filled in was changed since."))
    }

    /// Puts the shipped task that is offered first into the form.
    fn take_first_task(&mut self) {
        if let Some(task) = form::tasks().find(|task| task.id == form::FIRST_TASK) {
            self.form.take_task(task);
        }
    }
}

impl Panel for WaysPanel {
    fn id(&self) -> PanelId {
        PanelId::Ways
    }

    fn title(&self) -> &'static str {
        "Ways"
    }

    fn icon(&self) -> Icon {
        Icon::Split
    }

    fn help(&self) -> &'static str {
        "Adapt one model to one task by examples, by its embeddings and by training, and compare what each reaches and costs."
    }

    fn needs(&self) -> Option<Ability> {
        Some(Ability::Adapt)
    }

    fn receive(&mut self, intent: Intent, cx: &mut Cx<'_>) {
        if let Intent::Adapt(model, ways) = intent {
            cx.activate(model);
            self.form.ways = ways.into_iter().collect();
            if self.form.data.trim().is_empty() {
                self.take_first_task();
            }
        }
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.show_controls(ui, cx);
    }

    fn has_footer(&self) -> bool {
        true
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.run_and_stop(ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        Frame::new().inner_margin(Margin::symmetric(space::L as i8, space::M as i8)).show(ui, |ui| {
            if self.wrong.is_some() && self.shown.is_some() {
                self.show_wrong(ui, cx);
            } else {
                self.show_result(ui, cx);
            }
        });
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.take_in(cx.state);
        self.thumbnails.tick(cx);
    }

    fn current_job(&self) -> Option<JobId> {
        self.job
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.job);
        self.data.shows(shown);
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.start(cx);
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        match tag {
            DATA_FILE => self.form.take_file(path),
            TEST_FILE => self.form.test_file = path.display().to_string(),
            DATA_FOLDER => self.form.pictures = path.display().to_string(),
            TEST_FOLDER => self.form.test_folder = path.display().to_string(),
            MODEL_FOLDER => cx.open_model(path.to_owned()),
            _ => {}
        }
    }

    fn dropped(&mut self, path: &Path, cx: &mut Cx<'_>) -> bool {
        if Self::kind(cx.state) == LabelledKind::Pictures {
            // A model's folder is opened.
            let is_data = path.is_dir() && !path.join("config.json").is_file();
            if is_data {
                self.form.pictures = path.display().to_string();
            }
            return is_data;
        }
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_data = matches!(ending.as_str(), "csv" | "tsv" | "tab" | "jsonl" | "ndjson");
        if is_data {
            self.form.take_file(path);
        }
        is_data
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        let mut actions = match self.running(state) {
            Some(_) => vec![action("stop", "Stop the comparison", Icon::Square)],
            None => vec![action("start", "Compare the ways", Icon::Play)],
        };
        if self.shown.is_some() {
            actions.extend(export::ENTRIES.map(|(id, title, _)| action(id, title, Icon::Download)));
            actions.push(action("wrong", "Show what the ways got wrong", Icon::ListX));
        }
        actions
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        match (id, self.running(cx.state)) {
            ("start", None) => self.start(cx),
            ("stop", Some(job)) => cx.cancel(job),
            ("wrong", _) => self.open_wrong(None, None),
            _ => {
                if let Some((_, _, format)) = export::ENTRIES.into_iter().find(|(entry, ..)| *entry == id) {
                    self.export(format, cx);
                }
            }
        }
    }

    fn save(&self) -> serde_json::Value {
        let result = self.kept.as_ref().map(ToString::to_string);
        serde_json::to_value(Saved { form: self.form.clone(), view: self.view.clone(), result }).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        (self.form, self.view) = (saved.form, saved.view);
        let Some(text) = saved.result else { return is_whole };
        let Ok(KeptResult { model, report }) = serde_json::from_str(&text) else { return false };
        self.shown = Some(Shown { report: Arc::new(report), model, job: None });
        self.kept = Some(text.into());
        is_whole
    }
}

/// Asks for a file to write a figure or a report to.
fn file_to_write(name: &str, format: Option<Format>) -> FileRequest {
    let (title, extension) = format.map_or(("JSON", "json"), |format| (format.name(), format.extension()));
    FileRequest::save(format!("Export {title}"), format!("{name}.{extension}")).filter(title, &[extension])
}
