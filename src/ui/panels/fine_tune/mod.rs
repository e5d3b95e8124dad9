//! Train a network or a text model, and watch the loss fall.
//!
//! The panel owns what is filled in and how the curves are looked at; the runs themselves live in the state.

mod again;
mod choices;
mod classes;
mod controls;
mod cost;
mod examples;
mod export;
mod form;
mod inside;
mod inspector;
mod kept;
mod runs;
mod view;

use crate::chart::Format;
use crate::engine::{Command, SaveSpec, Work, may_hold_curve};
use crate::types::{Ability, DigitNetwork, JobId, LossKind, ModelId, Precision, StartFrom, TrainSpec, TrainTask};
use crate::ui::files::FileRequest;
use crate::ui::lenient;
use crate::ui::panels::curves::{self, LossPlot, Move};
use crate::ui::panels::run_folder;
use crate::ui::theme::space;
use crate::ui::widgets::{caption, empty_state, icon_button, in_the_middle, job_error, segmented, stage_header};
use crate::ui::{Action, Cx, Intent, Panel, PanelId, State};
use classes::ClassData;
use cost::Trial;
use egui::{Frame, Margin, Ui, vec2};
use examples::ExamplesView;
use form::{Form, Missing, Subject};
use inside::Inside;
use kept::KeptRuns;
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use view::{NamedRun, RunKey, View};

const DATA_FOLDER: &str = "digit data";
const DATA_FILE: &str = "text data";
const CLASSES_FILE: &str = "labelled texts";
const MODEL_FOLDER: &str = "model";
const CURVE_FILE: &str = "curve";
/// Room for the table of runs under the plot.
const TABLE_HEIGHT: f32 = 160.0;
/// And for a line that says what is not drawn.
const NOTE_HEIGHT: f32 = 20.0;

/// What the stage shows of the runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Look {
    /// Their learning curves.
    #[default]
    Curves,
    /// What the selected one was inside, at steps of choice.
    Inside,
    /// What each example costs before and after the one that is selected.
    Examples,
}

impl Look {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Curves, "Curves"), (Self::Inside, "Inside"), (Self::Examples, "Examples")];
}

/// The panel.
#[derive(Default)]
pub struct FineTunePanel {
    look: Look,
    examples: ExamplesView,
    form: Form,
    view: View,
    plot: LossPlot,
    inside: Inside,
    selected: Option<RunKey>,
    /// The selected run's job.
    job: Option<JobId>,
    kept: KeptRuns,
    /// The newest kept run was shown once.
    greeted: bool,
    trial: Trial,
    /// What the labelled data holds.
    class_data: ClassData,
    /// A run that is to be deleted once the person is sure: its folder and its name.
    deleting: Option<(PathBuf, String)>,
    prompt: String,
    asked: Option<JobId>,
    saving: Option<ModelId>,
    save_job: Option<JobId>,
    /// The element type of the weights that are saved.
    precision: Precision,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    form: Form,
    view: View,
    prompt: String,
    look: Look,
    examples: examples::Settings,
    inside: inside::Choices,
    /// Curves of other programs that were open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    imported: Vec<PathBuf>,
}

impl FineTunePanel {
    /// The run under way, if any: one at a time, so that they do not slow each other down.
    fn active_run(&self, state: &State) -> Option<JobId> {
        state.trainings().map(|training| training.job).find(|job| state.is_active(*job))
    }

    /// The run that is filled in, with a folder of its own where it is to be kept.
    fn filled_in(&self, state: &State) -> Result<(ModelId, TrainSpec), Missing> {
        let (model, mut spec) = self.form.spec(state)?;
        if let Some(runs) = state.runs_dir.as_deref().filter(|_| self.form.keep) {
            let name = match (&spec.task, &spec.start) {
                (TrainTask::Digits(task), StartFrom::Scratch | StartFrom::Folder { .. }) => match task.network {
                    DigitNetwork::Mlp => "mlp",
                    DigitNetwork::Cnn => "cnn",
                },
                (TrainTask::Classify(_), StartFrom::Folder { path }) => {
                    path.file_name().and_then(|name| name.to_str()).unwrap_or("run")
                }
                _ => state.models.get(&model).map_or("run", |open| open.info.name.as_str()),
            };
            spec.out = Some(run_folder(runs, name));
        }
        Ok((model, spec))
    }

    /// Gives a run to the engine.
    fn begin(&mut self, cx: &mut Cx<'_>, model: ModelId, spec: TrainSpec) {
        let job = JobId::next();
        self.selected = Some(spec.out.clone().map_or(RunKey::Job(job), RunKey::Folder));
        cx.send(Command::start(job, model, Work::Train(spec)));
        self.plot.go(Move::Fit);
    }

    /// The kind of the run that is selected, else of the newest: only one kind is drawn at a time.
    fn kind(&self, runs: &[NamedRun<'_>]) -> Option<LossKind> {
        let selected = runs.iter().find(|run| Some(&run.key) == self.selected.as_ref());
        let kind_of_shown = || runs.iter().rev().filter(|run| self.view.shows(run)).find_map(NamedRun::kind);
        selected.and_then(NamedRun::kind).or_else(kind_of_shown)
    }

    /// The job of the selected run, where it has one in this session.
    fn selected_job(&self, state: &State) -> Option<JobId> {
        match self.selected.as_ref()? {
            RunKey::Job(job) => Some(*job),
            RunKey::Folder(folder) => {
                let of_folder = |training: &&crate::ui::Training| training.spec().out.as_ref() == Some(folder);
                state.trainings().rev().find(of_folder).map(|training| training.job)
            }
            RunKey::File(_) => None,
        }
    }

    /// True while the inspector shows an example and not a run.
    fn looks_at_example(&self) -> bool {
        self.look == Look::Examples && self.examples.has_opened()
    }

    /// Reads a curve of another program, and looks at it.
    fn import(&mut self, path: &Path) {
        self.kept.want_imported(path);
        self.selected = Some(RunKey::File(path.to_owned()));
        self.plot.go(Move::Fit);
    }

    fn tools(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, runs: &[NamedRun<'_>]) {
        ui.menu_button("Export", |ui| {
            for format in Format::ALL {
                if ui.button(format!("Export {}", format.name())).clicked() {
                    self.export(cx, format, runs);
                    ui.close();
                }
            }
        });
        if icon_button(ui, Icon::FolderOpen, "Open a curve of another program").clicked() {
            cx.pick(CURVE_FILE, curve_file());
        }
        for (icon, name, step) in [
            (Icon::Maximize, "Show everything", Move::Fit),
            (Icon::ZoomOut, "Zoom out", Move::Out),
            (Icon::ZoomIn, "Zoom in", Move::In),
        ] {
            if icon_button(ui, icon, name).clicked() {
                self.plot.go(step);
            }
        }
    }

    /// Before the first run: what comes, and a button for the next thing that is missing.
    fn empty(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let missing = self.form.spec(cx.state).err();
        if self.trial.job().is_some_and(|job| cx.state.is_active(job)) {
            let sentence = "Two steps are taken on a copy first. Then the loss appears here, step by step.";
            empty_state(ui, Icon::TrendingDown, "Watch a model learn", sentence, None);
            return;
        }
        let sentence = match missing {
            None => "Everything is filled in. The loss appears here, step by step.".to_owned(),
            Some(missing) => format!("{} Then the loss appears here, step by step.", missing.words()),
        };
        let action = match missing {
            None => "Start training",
            Some(Missing::TextModel) => "Open a model folder",
            Some(Missing::DigitModel | Missing::ShippedWeights) => "Start from scratch",
            Some(Missing::TextFile) => "Choose a text file",
            Some(Missing::DigitFolder) => "Choose the MNIST folder",
            Some(Missing::Body) => "Open a model folder",
            Some(Missing::Saving) => "Open another model folder",
            Some(Missing::LabelledFile) => "Choose labelled data",
            Some(Missing::Snapshots) => "Keep no snapshots",
        };
        if !empty_state(ui, Icon::TrendingDown, "Watch a model learn", &sentence, Some(action)) {
            return;
        }
        match missing {
            None => self.start(cx),
            Some(Missing::TextModel | Missing::Body | Missing::Saving) => {
                cx.pick(MODEL_FOLDER, FileRequest::folder("Open a model folder"));
            }
            Some(Missing::DigitModel | Missing::ShippedWeights) => self.form.start = form::DigitStart::Scratch,
            Some(Missing::TextFile) => cx.pick(DATA_FILE, text_file()),
            Some(Missing::Snapshots) => self.form.settings().snapshots.clear(),
            Some(Missing::LabelledFile) => cx.pick(CLASSES_FILE, classes::data_request(cx.state)),
            Some(Missing::DigitFolder) => cx.pick(DATA_FOLDER, FileRequest::folder("Choose a folder of MNIST files")),
        }
    }
}

/// Asks for a curve of another program.
fn curve_file() -> FileRequest {
    FileRequest::open("Open a trainer_state.json or an event file of TensorBoard")
}

/// Asks for a text file to train on.
fn text_file() -> FileRequest {
    FileRequest::open("Choose a text file").filter("Text", &["txt", "md", "text"])
}

impl Panel for FineTunePanel {
    fn id(&self) -> PanelId {
        PanelId::FineTune
    }

    fn title(&self) -> &'static str {
        "Fine-tune"
    }

    fn icon(&self) -> Icon {
        Icon::TrendingDown
    }

    fn help(&self) -> &'static str {
        "Train a digit network, the open text model or a head that tells classes, and watch the loss fall."
    }

    fn needs(&self) -> Option<Ability> {
        match (self.form.subject, self.form.start) {
            (Subject::Text, _) => Some(Ability::Continue),
            (Subject::Classes, _) => Some(Ability::Prompt),
            (Subject::Digits, form::DigitStart::Open) => Some(Ability::ReadDigits),
            (Subject::Digits, _) => None,
        }
    }

    fn receive(&mut self, intent: Intent, _cx: &mut Cx<'_>) {
        if let Intent::Train(path) = intent {
            self.form.subject = Subject::Text;
            self.form.text_data = path.display().to_string();
        }
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.what(ui, cx);
        self.data(ui, cx);
        self.numbers(ui);
    }

    fn has_footer(&self) -> bool {
        true
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.start_and_stop(ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let state = cx.state;
        self.kept.tick(ui.ctx(), cx);
        // A window that begins shows where the last run stands.
        if !self.greeted
            && self.selected.is_none()
            && state.trainings().next().is_none()
            && let Some(newest) = self.kept.listed.runs.first().map(|run| run.folder.clone())
        {
            self.kept.want_curve(&newest);
            self.view.shown.insert(RunKey::Folder(newest.clone()));
            (self.selected, self.greeted) = (Some(RunKey::Folder(newest)), true);
        }
        self.question(ui, cx);
        let listed = Arc::clone(&self.kept.listed);
        let runs = view::runs(state, &listed);
        let kind = self.kind(&runs);
        Frame::new().inner_margin(Margin::same(space::L as i8)).show(ui, |ui| {
            if runs.is_empty() {
                self.empty(ui, cx);
                return;
            }
            segmented(ui, &mut self.look, &Look::ALL);
            ui.add_space(space::S);
            if self.look == Look::Examples {
                return self.examples.show(ui, cx, &runs, &mut self.selected);
            }
            if self.look == Look::Inside {
                self.stage_inside(ui, cx, &runs);
                return self.run_table(ui, cx, &runs, kind.as_ref());
            }
            let has_accuracy = runs.iter().any(|r| view::best_accuracy(r.points).is_some());
            if !has_accuracy {
                self.view.accuracy = false;
            }
            let title = if self.view.accuracy { "Validation accuracy" } else { "Loss" };
            stage_header(ui, title, "", |ui| self.tools(ui, cx, &runs));
            self.choices(ui, has_accuracy);
            ui.add_space(space::XS);
            if let Some(job) = self.selected_job(state) {
                job_error(ui, cx, job);
            }
            let figure = self.view.figure(&runs, kind.as_ref());
            let stamp = curves::stamp(&figure, runs.iter().map(|run| &run.key));
            let left_out = self.plot.left_out(&figure, stamp);
            let note = if left_out.is_some() { NOTE_HEIGHT } else { 0.0 };
            let table = TABLE_HEIGHT.min(ui.available_height() * 0.4);
            let size = vec2(ui.available_width(), (ui.available_height() - table - note - space::S).max(120.0));
            if figure.runs.is_empty() {
                let active = self.active_run(state).and_then(|job| state.training(job));
                let words = if active.is_some_and(|training| training.points.is_empty()) {
                    "Reading the data. The first step appears here as soon as it is done."
                } else if runs.iter().any(|run| self.view.shows(run) && listed.is_being_read(run)) {
                    "Reading the curve."
                } else if runs.iter().all(|run| run.steps() == 0) {
                    "No run has done a step yet."
                } else if runs.iter().any(|run| self.view.shows(run) && run.is_of(kind.as_ref())) {
                    "Nothing was measured in what is shown."
                } else {
                    "Every run is hidden. Show one in the table below."
                };
                ui.allocate_ui(size, |ui| {
                    ui.set_min_size(size);
                    in_the_middle(ui, words);
                });
            } else {
                let summary = runs
                    .iter()
                    .filter(|r| self.view.shows(r) && r.is_of(kind.as_ref()))
                    .map(view::summary)
                    .collect::<Vec<_>>()
                    .join(" ");
                self.plot.show(ui, &figure, stamp, size, &summary);
            }
            if let Some(words) = left_out {
                caption(ui, words);
            }
            ui.add_space(space::S);
            self.run_table(ui, cx, &runs, kind.as_ref());
        });
    }

    fn inspector_title(&self) -> Option<&'static str> {
        if self.looks_at_example() {
            return Some("Example");
        }
        self.selected.as_ref().map(|_| "Run")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if self.looks_at_example() {
            return self.examples.inspector(ui, cx);
        }
        let state = cx.state;
        let listed = Arc::clone(&self.kept.listed);
        let runs = view::runs(state, &listed);
        if let Some(run) = runs.iter().find(|r| Some(&r.key) == self.selected.as_ref()) {
            self.run_details(ui, cx, run);
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        let compared = self.examples.running(self.selected.as_ref(), cx.state);
        self.job = compared.filter(|_| self.look == Look::Examples).or_else(|| self.selected_job(cx.state));
        self.await_trial(cx);
        self.follow_inside(cx);
    }

    fn current_job(&self) -> Option<JobId> {
        self.job
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.trial.job());
        self.inside.shows(shown);
        self.class_data.shows(shown);
        self.examples.shows(shown);
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.start(cx);
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        match tag {
            DATA_FOLDER => self.form.digit_data = path.display().to_string(),
            DATA_FILE => self.form.text_data = path.display().to_string(),
            CLASSES_FILE => self.form.classes.data = path.display().to_string(),
            MODEL_FOLDER => cx.open_model(path.to_owned()),
            CURVE_FILE => self.import(path),
            examples::FILE => self.examples.take(path),
            inspector::SAVE_FOLDER => {
                if let Some(model) = self.saving.take() {
                    let job = JobId::next();
                    cx.send(Command::start(
                        job,
                        model,
                        Work::Save(SaveSpec { path: path.to_owned(), precision: self.precision }),
                    ));
                    self.save_job = Some(job);
                }
            }
            _ => {}
        }
    }

    fn dropped(&mut self, path: &Path, _cx: &mut Cx<'_>) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if matches!(ending.as_str(), "txt" | "md" | "text") {
            self.form.subject = Subject::Text;
            self.form.text_data = path.display().to_string();
            return true;
        }
        // A checkpoint of another program is a model, too: then it is opened as one.
        if may_hold_curve(path) && !path.join("config.json").exists() {
            self.import(path);
            return true;
        }
        if matches!(ending.as_str(), "csv" | "tsv" | "jsonl" | "ndjson") {
            self.form.subject = Subject::Classes;
            self.form.classes.data = path.display().to_string();
            return true;
        }
        // A folder of images and labels in MNIST's format, and no model folder.
        let holds_idx = std::fs::read_dir(path)
            .is_ok_and(|entries| entries.flatten().any(|e| e.file_name().to_string_lossy().contains("-ubyte")));
        if holds_idx {
            self.form.subject = Subject::Digits;
            self.form.digit_data = path.display().to_string();
        }
        holds_idx
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        let mut actions = vec![action("start", "Start training", Icon::Play)];
        if self.active_run(state).is_some() {
            actions = vec![action("pause", "Pause or resume training", Icon::Pause)];
        }
        if let Some(run) = view::runs(state, &self.kept.listed).iter().rev().find(|run| run.can_go_on(state))
            && self.active_run(state).is_none()
        {
            actions.push(Action { id: "go_on", title: format!("Go on training {}", run.name), icon: Icon::Play });
        }
        if state.trainings().next().is_some() {
            actions.push(action("svg", "Export learning curves as SVG", Icon::Download));
            actions.push(action("png", "Export learning curves as PNG", Icon::Download));
            actions.push(action("csv", "Export learning curves as CSV", Icon::Download));
        }
        let is_inside = self.look == Look::Inside;
        let inside = if is_inside { "Show the curves of runs" } else { "Show a run from inside" };
        actions.push(action("inside", inside, Icon::Layers));
        if state.trainings().next().is_some() || !self.kept.listed.runs.is_empty() {
            actions.push(action(
                "examples",
                "Compare the loss of each example before and after training",
                Icon::ArrowDownWideNarrow,
            ));
        }
        actions.push(action("curve", "Open a learning curve of another program", Icon::FolderOpen));
        actions
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        if let Some(format) = Format::ALL.into_iter().find(|f| f.extension() == id) {
            let state = cx.state;
            let listed = Arc::clone(&self.kept.listed);
            self.export(cx, format, &view::runs(state, &listed));
            return;
        }
        match (id, self.active_run(cx.state)) {
            ("inside", _) if self.look == Look::Inside => self.look = Look::Curves,
            ("inside", _) => self.look = Look::Inside,
            ("examples", _) => self.look = Look::Examples,
            ("curve", _) => cx.pick(CURVE_FILE, curve_file()),
            ("start", None) => self.start(cx),
            ("go_on", None) => {
                let (state, listed) = (cx.state, Arc::clone(&self.kept.listed));
                if let Some(run) = view::runs(state, &listed).iter().rev().find(|run| run.can_go_on(state)) {
                    self.go_on(cx, run);
                }
            }
            ("pause", Some(job)) => {
                let paused = cx.state.job(job).is_some_and(crate::ui::Job::is_paused);
                cx.send(if paused { Command::Resume { job } } else { Command::Pause { job } });
            }
            _ => {}
        }
    }

    fn save(&self) -> serde_json::Value {
        let (form, view, prompt) = (self.form.clone(), self.view.saved(), self.prompt.clone());
        let (look, inside) = (self.look, self.inside.choices.clone());
        let (examples, imported) = (self.examples.settings.clone(), self.kept.imported());
        let saved = Saved { form, view, prompt, look, examples, inside, imported };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        self.form = saved.form;
        self.view = saved.view.restored();
        self.prompt = saved.prompt;
        (self.look, self.inside.choices) = (saved.look, saved.inside);
        self.examples.settings = saved.examples;
        saved.imported.iter().for_each(|path| self.kept.want_imported(path));
        is_whole
    }
}
