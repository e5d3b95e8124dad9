//! The loss of every example before and after the run that is selected: summary, plane, table, and the example that is opened.

mod detail;
mod scatter;
mod table;

use super::RunKey;
use super::view::NamedRun;
use crate::chart::{losses_table, number_grouped};
use crate::engine::{Command, Work};
use crate::types::{
    BeforeModel, DataPart, JobId, LossOrder, LossesData, LossesReport, LossesSpec, ModelId, TrainSpec, TrainTask,
    UserError,
};
use crate::ui::files::FileRequest;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Stamp, caption, empty_state, icon_button, job_error, job_progress, primary_button, secondary_button, segmented,
    stage_header,
};
use crate::ui::{Cx, OpenModel, State, Themed, Training, full_name};
use egui::{ComboBox, DragValue, Layout, RichText, Ui, vec2};
use lucide_icons::Icon;
use scatter::Scatter;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::TableView;

/// The tag of a file that is to be chosen.
pub(super) const FILE: &str = "examples to compare";
/// Least width at which the table stands beside the plane.
const BESIDE: f32 = 760.0;
/// Room for the button in the row of the models.
const BUTTON: f32 = 160.0;
/// Height of a row of choices.
const LINE: f32 = 34.0;
/// The most examples that can be asked for.
const MOST: usize = 100_000;

/// Whose losses are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Train,
    #[default]
    Validation,
    Test,
    File,
}

impl Source {
    fn part(self) -> Option<DataPart> {
        match self {
            Self::Train => Some(DataPart::Train),
            Self::Validation => Some(DataPart::Validation),
            Self::Test => Some(DataPart::Test),
            Self::File => None,
        }
    }

    /// Those that a run's data has.
    fn of(task: &TrainTask) -> Vec<(Self, &'static str)> {
        let all =
            [(Self::Train, "Training"), (Self::Validation, "Validation"), (Self::Test, "Test"), (Self::File, "File")];
        let has = |source: &Self| source.part().is_none_or(|part| task.parts().contains(&part));
        all.into_iter().filter(|(source, _)| has(source)).collect()
    }
}

/// What is asked for. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    source: Source,
    file: PathBuf,
    most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { source: Source::Validation, file: PathBuf::new(), most: 1000 }
    }
}

/// The view.
#[derive(Default)]
pub(super) struct ExamplesView {
    pub settings: Settings,
    /// An open model to compare with, in the place of the one that the run began with.
    before: Option<ModelId>,
    /// The latest comparison of each run.
    jobs: BTreeMap<RunKey, JobId>,
    order: LossOrder,
    table: TableView,
    scatter: Scatter,
    /// The example that is opened: of which job, and its row in the report.
    opened: Option<(JobId, usize)>,
}

/// What the examples of a comparison are shown from.
struct Shown<'a> {
    job: JobId,
    report: &'a LossesReport,
    /// The row that is opened.
    opened: Option<usize>,
}

impl ExamplesView {
    /// The jobs whose results must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.jobs.values());
    }

    /// The comparison of a run that is under way.
    pub fn running(&self, run: Option<&RunKey>, state: &State) -> Option<JobId> {
        run.and_then(|run| self.jobs.get(run)).copied().filter(|job| state.is_active(*job))
    }

    /// True when an example is opened.
    pub fn has_opened(&self) -> bool {
        self.opened.is_some()
    }

    /// Takes a file of one's own.
    pub fn take(&mut self, path: &Path) {
        (self.settings.file, self.settings.source) = (path.to_owned(), Source::File);
    }

    /// Shows the comparison of the run that is selected, else of the newest, and how another is asked for.
    pub fn show(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, runs: &[NamedRun<'_>], selected: &mut Option<RunKey>) {
        let own: Vec<&NamedRun<'_>> = runs.iter().filter(|run| run.spec.is_some()).collect();
        let run = own.iter().find(|run| Some(&run.key) == selected.as_ref()).or(own.last()).copied();
        let Some((run, spec)) = run.and_then(|run| Some((run, run.spec?))) else {
            caption(ui, "Of runs of other programs nothing but their curves is known.");
            return;
        };
        let state = cx.state;
        let job = self.jobs.get(&run.key).copied();
        let report =
            job.and_then(|job| state.report::<LossesReport>(job).or_else(|| state.so_far::<LossesReport>(job)));
        stage_header(ui, "Loss of each example", "", |ui| {
            if let Some(report) = report
                && icon_button(ui, Icon::Download, "Export the losses as CSV").clicked()
            {
                export(report, cx);
            }
        });
        let line = vec2(ui.available_width(), LINE);
        let across = Layout::left_to_right(egui::Align::Center);
        ui.allocate_ui_with_layout(line, across, |ui| {
            pick_run(ui, &own, run, selected);
            self.pick_source(ui, spec);
        });
        self.pick_file(ui, cx, spec);
        ui.allocate_ui_with_layout(line, across, |ui| self.pick_models(ui, cx, run, spec));
        let Some(job) = job else {
            let sentence = "Each example of the chosen part is measured twice: with the model the run began with, and with the \
                            one it made. What training helped and what it harmed stands in a table.";
            empty_state(ui, Icon::ArrowDownWideNarrow, "What did training change?", sentence, None);
            return;
        };
        job_error(ui, cx, job);
        job_progress(ui, cx, job);
        let Some(report) = report else { return };
        let shown = Shown { job, report, opened: self.opened.filter(|(of, _)| *of == job).map(|(_, row)| row) };
        let stamp = Stamp::of(state, job)
            .map(|stamp| stamp.with(format!("before: {}", report.models[0])).with(report.data.clone()));
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        told(ui, report, state.is_active(job));
        ui.add_space(space::XS);
        let clicked = Stamp::over(stamp.as_ref(), ui, |ui| self.plane_and_table(ui, &shown));
        if let Some(row) = clicked {
            let is_same = self.opened == Some((job, row));
            self.opened = (!is_same).then_some((job, row));
        }
    }

    /// Which examples.
    fn pick_source(&mut self, ui: &mut Ui, spec: &TrainSpec) {
        let sources = Source::of(&spec.task);
        if !sources.iter().any(|(source, _)| *source == self.settings.source) {
            self.settings.source = Source::Validation;
        }
        let help = "Training: what was learned from. Validation: what told which weights are best. Test: what nothing was learned \
                    from or chosen by. Of text each is cut into passages of the run's context, side by side.";
        ui.scope(|ui| segmented(ui, &mut self.settings.source, &sources)).response.on_hover_text(help);
    }

    /// The file of one's own, in a row of its own: its name may be long.
    fn pick_file(&self, ui: &mut Ui, cx: &mut Cx<'_>, spec: &TrainSpec) {
        if self.settings.source == Source::File {
            let name = self.settings.file.file_name().map(|name| name.to_string_lossy().into_owned());
            let words = name.unwrap_or_else(|| "Choose…".to_owned());
            let button = secondary_button(ui, Some(Icon::FolderOpen), &words);
            if button.on_hover_text(self.settings.file.display().to_string()).clicked() {
                cx.pick(FILE, request(&spec.task));
            }
        }
    }

    /// How many of them, with which model beside the run's own, and the button.
    fn pick_models(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>, spec: &TrainSpec) {
        let name = caption(ui, "At most");
        let field = DragValue::new(&mut self.settings.most).range(1..=MOST).speed(10.0);
        let help = "Examples that are measured. Of more, so many are taken, spread evenly over all.";
        ui.add(field).labelled_by(name.id).on_hover_text(help);
        self.pick_before(ui, cx.state, run);
        if let Some(job) = self.running(Some(&run.key), cx.state) {
            if secondary_button(ui, Some(Icon::Square), "Stop").clicked() {
                cx.cancel(job);
            }
        } else if tuned(cx.state, run).is_none() {
            let help = "Its weights are measured: of a kept run they are read from its folder first.";
            let is_opening = cx.state.opening().is_some();
            ui.add_enabled_ui(!is_opening, |ui| {
                let button = primary_button(ui, Icon::FolderOpen, "Open its model");
                if button.on_hover_text(help).clicked() {
                    open_model(cx, run);
                }
            });
        } else {
            let is_ready = self.settings.source != Source::File || !self.settings.file.as_os_str().is_empty();
            ui.add_enabled_ui(is_ready, |ui| {
                let button = primary_button(ui, Icon::Play, "Compare");
                if button.on_disabled_hover_text("Choose a file first.").clicked() {
                    self.ask(cx, run, spec);
                }
            });
        }
    }

    /// The model before: what the run began with, or another open one of its kind.
    fn pick_before(&mut self, ui: &mut Ui, state: &State, run: &NamedRun<'_>) {
        let after = tuned(state, run);
        let others: Vec<&OpenModel> = state.models.values().filter(|open| is_like(open, after)).collect();
        if !others.iter().any(|open| Some(open.info.id) == self.before) {
            self.before = None;
        }
        let chosen = others.iter().find(|open| Some(open.info.id) == self.before);
        let own = run.model();
        let words = chosen.map_or_else(|| own.clone(), |open| full_name(&open.info));
        let name = caption(ui, "Before");
        // The button behind it has room, too.
        let width = (ui.available_width() - BUTTON).clamp(72.0, 150.0);
        let combo = combo("model before", &words, width);
        let response = combo.show_ui(ui, |ui| {
            ui.selectable_value(&mut self.before, None, format!("{own}, as the run began"));
            for open in others {
                ui.selectable_value(&mut self.before, Some(open.info.id), full_name(&open.info));
            }
        });
        let help =
            "What the run began with is read from its folder once more, or another open model stands in its place.";
        let _ = response.response.labelled_by(name.id).on_hover_text(help);
    }

    fn ask(&mut self, cx: &mut Cx<'_>, run: &NamedRun<'_>, spec: &TrainSpec) {
        let Some(after) = tuned(cx.state, run) else { return };
        let is_adapter = spec.lora.is_some() && after.info.adapter.is_some();
        let before = match (self.before, run.record) {
            (Some(id), _) => BeforeModel::Open(id),
            (None, _) if is_adapter => BeforeModel::Base,
            (None, Some(record)) => BeforeModel::Run(Box::new(record.clone())),
            (None, None) => {
                let why = "The run has not begun, so nothing is known of it yet.";
                let next = "Wait for its first step, or choose an open model.";
                cx.fail(UserError::new("There is no model to compare with.", why, next));
                return;
            }
        };
        let data = match self.settings.source.part() {
            Some(part) => LossesData::Run(Box::new(spec.clone()), part),
            None => {
                let context = match &spec.task {
                    TrainTask::Classify(task) => task.context,
                    _ => spec.context(),
                };
                LossesData::File { path: self.settings.file.clone(), columns: columns(&spec.task), context }
            }
        };
        let job = JobId::next();
        let spec = LossesSpec { before, data, most: self.settings.most };
        cx.send(Command::start(job, after.info.id, Work::CompareLosses(spec)));
        self.jobs.insert(run.key.clone(), job);
        self.opened = None;
    }

    /// The plane and the table, beside each other where there is room; gives the row that was clicked.
    fn plane_and_table(&mut self, ui: &mut Ui, shown: &Shown<'_>) -> Option<usize> {
        let (width, height) = (ui.available_width(), ui.available_height());
        let Self { table, scatter, order, .. } = self;
        if width < BESIDE {
            let on_plane = scatter.show(ui, shown, vec2(width, (height * 0.4).max(120.0)));
            ui.add_space(space::XS);
            let in_table = table.show(ui, shown, order);
            return on_plane.or(in_table);
        }
        ui.horizontal_top(|ui| {
            let side = (width * 0.4).min(height).min(460.0);
            let on_plane = scatter.show(ui, shown, vec2(side, height.min(side + space::XL)));
            ui.add_space(space::M);
            let rest = vec2(ui.available_width(), height);
            let down = Layout::top_down(egui::Align::Min);
            let in_table = ui.allocate_ui_with_layout(rest, down, |ui| table.show(ui, shown, order)).inner;
            on_plane.or(in_table)
        })
        .inner
    }

    /// The example that is opened, in the inspector.
    pub fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some((job, row)) = self.opened else { return };
        let state = cx.state;
        let report = state.report::<LossesReport>(job).or_else(|| state.so_far::<LossesReport>(job));
        match report.and_then(|report| Some((report, report.rows.get(row)?))) {
            Some((report, row)) => detail::show(ui, cx, job, report, row),
            None => self.opened = None,
        }
    }
}

/// Which run.
fn pick_run(ui: &mut Ui, runs: &[&NamedRun<'_>], shown: &NamedRun<'_>, selected: &mut Option<RunKey>) {
    let combo = combo("run of examples", &shown.name, 130.0);
    let response = combo.show_ui(ui, |ui| {
        for run in runs.iter().rev() {
            if ui.selectable_label(run.key == shown.key, &run.name).clicked() {
                *selected = Some(run.key.clone());
            }
        }
    });
    let _ = response.response.accessible_name(format!("Run: {}", shown.name));
}

fn combo<'a>(id: &'a str, words: &'a str, width: f32) -> ComboBox<'a> {
    let chevron = |ui: &Ui, rect: egui::Rect, visuals: &egui::style::WidgetVisuals, _: bool| {
        let (icon, ink) = (char::from(Icon::ChevronDown), visuals.fg_stroke.color);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
    };
    ComboBox::from_id_salt(id).selected_text(words).width(width).truncate().icon(chevron)
}

/// All examples together.
fn told(ui: &mut Ui, report: &LossesReport, is_running: bool) {
    let mut words = if is_running { format!("So far: {}", report.in_words()) } else { report.in_words() };
    if report.rows.len() < report.asked && !is_running {
        words += &format!(" Stopped after {} of {}.", number_grouped(report.rows.len() as u64), report.asked);
    }
    if report.asked < report.of {
        let [asked, of] = [report.asked, report.of].map(|count| number_grouped(count as u64));
        words += &format!(" {asked} of {of} examples, spread evenly over them.");
    }
    if let Some(cut) = report.cut_in_words() {
        words += &format!(" {cut}");
    }
    let ink = ui.theme().body();
    ui.label(RichText::new(words).font(Type::Body.sans()).color(ink));
}

/// The open model that a run made, or is making. One that a later run went on with is not this run's any more.
pub(super) fn tuned<'a>(state: &'a State, run: &NamedRun<'_>) -> Option<&'a OpenModel> {
    if let Some(training) = run.training {
        let goes_on = |later: &Training| later.model == training.model && later.job > training.job;
        let open = state.models.get(&training.model).filter(|_| !state.trainings().any(goes_on));
        if open.is_some() {
            return open;
        }
    }
    let RunKey::Folder(folder) = &run.key else { return None };
    let is_of_run = |open: &&OpenModel| {
        open.info.path == *folder || open.info.adapter.as_ref().is_some_and(|adapter| adapter.path == *folder)
    };
    state.models.values().find(is_of_run)
}

/// Another open model of the same kind.
fn is_like(open: &OpenModel, after: Option<&OpenModel>) -> bool {
    after.is_some_and(|after| after.info.id != open.info.id && after.info.kind() == open.info.kind())
}

/// Opens what a kept run left: a model, or an adapter for one.
fn open_model(cx: &mut Cx<'_>, run: &NamedRun<'_>) {
    match &run.key {
        RunKey::Folder(folder) if run.kept.is_some_and(|kept| kept.has_model) => cx.open_model(folder.clone()),
        _ => {
            let why = "It was not kept, or has not written any weights.";
            cx.fail(UserError::new("The run left no model.", why, "Go on training it, or train anew."));
        }
    }
}

/// The columns that the run found its texts and labels in.
fn columns(task: &TrainTask) -> [Option<String>; 2] {
    match task {
        TrainTask::Classify(task) => [task.text.clone(), task.label.clone()],
        TrainTask::Text(_)
        | TrainTask::FewShot(_)
        | TrainTask::Digits(_)
        | TrainTask::Memory(_)
        | TrainTask::Masked(_)
        | TrainTask::Contrastive(_) => [None, None],
    }
}

/// Asks for examples of one's own.
fn request(task: &TrainTask) -> FileRequest {
    match task {
        TrainTask::Text(_)
        | TrainTask::FewShot(_)
        | TrainTask::Memory(_)
        | TrainTask::Masked(_)
        | TrainTask::Contrastive(_) => {
            FileRequest::open("Choose a text to compare on").filter("Text", &["txt", "md", "text"])
        }
        TrainTask::Digits(_) => FileRequest::folder("Choose a folder of MNIST files"),
        TrainTask::Classify(task) if task.data.is_dir() => {
            FileRequest::folder("Choose a folder with a folder of pictures for each class")
        }
        TrainTask::Classify(_) => {
            FileRequest::open("Choose labelled texts").filter("Labelled texts", &["csv", "tsv", "jsonl", "ndjson"])
        }
    }
}

fn export(report: &Arc<LossesReport>, cx: &mut Cx<'_>) {
    let report = Arc::clone(report);
    let file = FileRequest::save("Export the losses", "losses.csv").filter("CSV", &["csv"]);
    cx.save_as(file, move |path| {
        let bytes = losses_table(&report)?;
        std::fs::write(path, bytes).map_err(|error| {
            let what = format!("{} was not written.", path.display());
            UserError::new(what, error.to_string(), "Choose a folder you may write to, on a disk with room.")
        })
    });
}
