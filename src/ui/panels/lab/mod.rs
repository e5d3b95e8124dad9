//! The few-shot lab: what examples in the prompt do to the probability of every answer.

mod actions;
mod batch;
mod changes;
mod compare;
mod controls;
mod curve;
mod file;
mod fit;
mod inspector;
mod kept;
mod looked;
mod pairs;
mod past;
mod plan;
mod scoring;
mod setup;

use crate::engine::Command;
use crate::types::{JobId, ModelKind, TaskTable, UserError};
use crate::ui::theme::space;
use crate::ui::widgets::{self, segmented};
use crate::ui::{Action, Cx, History, Panel, State};
use batch::BatchTab;
use compare::Picked;
use controls::Controls;
use curve::CurveTab;
use egui::{Align, Frame, Layout, Margin, Ui};
use file::Files;
use fit::Counter;
use kept::TableText;
use looked::LookedTab;
use lucide_icons::Icon;
use pairs::Pairs;
use past::Past;
use plan::Plan;
use scoring::Scoring;
use serde::{Deserialize, Serialize};
use setup::Setup;
use std::path::Path;
use std::sync::Arc;

/// Tag of the question for a table of pairs.
const TABLE_FILE: &str = "table";
/// Examples a chosen task begins with.
const FIRST_K: usize = 4;
/// Least room beside the tabs for buttons of their own.
const TOOLS_WIDTH: f32 = 100.0;

/// The views of the stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tab {
    #[default]
    Compare,
    Curve,
    Looked,
    Batch,
    Pairs,
}

impl Tab {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Compare, "Compare"),
        (Self::Curve, "Curve"),
        (Self::Looked, "Looked at"),
        (Self::Batch, "Batch"),
        (Self::Pairs, "Pairs"),
    ];
}

/// The panel.
pub struct LabPanel {
    setup: Setup,
    history: History<Setup>,
    tab: Tab,
    plan: Option<Plan>,
    counter: Counter,
    scoring: Scoring,
    past: Past,
    /// Runs listed at most.
    runs_shown: usize,
    controls: Controls,
    picked: Picked,
    curve: CurveTab,
    looked: LookedTab,
    batch: BatchTab,
    pairs: Pairs,
    files: Files,
    /// The job that reads a table, and what is odd about the table in use.
    table_job: Option<JobId>,
    warnings: Vec<String>,
    table_text: TableText,
    /// The job that Esc ends, as of the last tick.
    running: Option<JobId>,
    /// True while this panel is on screen.
    visible: bool,
}

impl Default for LabPanel {
    fn default() -> Self {
        let setup = Setup::default();
        Self {
            history: History::new(setup.clone()),
            setup,
            tab: Tab::default(),
            plan: None,
            counter: Counter::default(),
            scoring: Scoring::default(),
            past: Past::default(),
            runs_shown: 0,
            controls: Controls::default(),
            picked: Picked { answer: None, card: (0, 2) },
            curve: CurveTab::default(),
            looked: LookedTab::default(),
            batch: BatchTab::default(),
            pairs: Pairs::default(),
            files: Files::default(),
            table_job: None,
            warnings: Vec::new(),
            table_text: TableText::default(),
            running: None,
            visible: false,
        }
    }
}

impl LabPanel {
    /// Begins with another task.
    fn choose(&mut self, table: Arc<TaskTable>, k: usize) {
        let models = [0, 1].map(|side: usize| self.setup.sides[side].model.clone());
        let seed = self.setup.sides[0].seed;
        let two = self.setup.two;
        self.setup = Setup::of(table, k, seed);
        for (side, model) in models.into_iter().enumerate() {
            self.setup.sides[side].model = model;
        }
        (self.setup.two, self.setup.had_two) = (two, two);
        self.warnings.clear();
        self.picked.answer = None;
    }

    /// Begins with another task as a step of its own, which undo takes back.
    fn begin(&mut self, table: Arc<TaskTable>, cx: &Cx<'_>) {
        self.history.part(&self.setup, cx.state.now_s);
        self.choose(table, FIRST_K);
        self.history.part(&self.setup, cx.state.now_s);
    }

    /// Shows or hides the second column.
    fn show_two(&mut self, two: bool) {
        self.setup.show_two(two);
        self.controls.side = usize::from(two);
        self.tab = Tab::Compare;
    }

    /// Begins with a task that has no pairs yet.
    fn new_task(&mut self, cx: &Cx<'_>) {
        self.history.part(&self.setup, cx.state.now_s);
        let table = TaskTable { id: "own".into(), title: "A task of your own".into(), ..TaskTable::default() };
        self.choose(Arc::new(table), 0);
        self.tab = Tab::Pairs;
    }

    /// Takes another setup in the place of the present one; undo brings that back.
    fn take(&mut self, setup: Setup, cx: &Cx<'_>) {
        self.history.part(&self.setup, cx.state.now_s);
        self.setup = setup;
        self.history.part(&self.setup, cx.state.now_s);
        self.picked.answer = None;
    }

    /// Scores the cards that are out of date, or all.
    fn score(&mut self, everything: bool, cx: &mut Cx<'_>) {
        let Some(plan) = &self.plan else { return };
        match plan.missing {
            Some(missing) => cx.toast(missing.words()),
            None => self.scoring.ask(plan, &self.setup, everything, cx),
        }
    }

    /// The job of a tab that is under way.
    fn job_of(&self, tab: Tab, state: &State) -> Option<JobId> {
        match tab {
            Tab::Compare => self.scoring.running(state),
            Tab::Curve => self.curve.running(state),
            Tab::Looked => self.looked.running(state),
            Tab::Batch => self.batch.running(state),
            Tab::Pairs => self.table_job.filter(|job| state.is_active(*job)),
        }
    }

    /// The job of the tab on show, else any of the lab's.
    fn running_job(&self, state: &State) -> Option<JobId> {
        let others = || Tab::ALL.iter().find_map(|(tab, _)| self.job_of(*tab, state));
        self.job_of(self.tab, state).or_else(others)
    }

    /// Milliseconds the cards on show took together.
    fn took_ms(&self) -> Option<f64> {
        let shown = self.scoring.slots.iter().flatten().filter_map(|slot| slot.shown.as_ref());
        shown.map(|shown| shown.report.elapsed_ms).reduce(|a, b| a + b)
    }

    /// Takes in a table that was read.
    fn hear_table(&mut self, cx: &mut Cx<'_>) {
        let Some(read) = self.table_job.and_then(|job| cx.state.tables.get(&job)) else { return };
        let (table, warnings) = (read.table.clone(), read.warnings.iter().map(ToString::to_string).collect());
        self.table_job = None;
        self.begin(table, cx);
        self.warnings = warnings;
    }

    fn read_table(&mut self, path: &Path, cx: &mut Cx<'_>) {
        let job = JobId::next();
        cx.send(Command::ReadTable { job, path: path.to_owned() });
        self.table_job = Some(job);
    }

    fn tools(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = cx.theme.clone();
        let is_narrow = ui.available_width() < TOOLS_WIDTH;
        file::menu(self, ui, cx, is_narrow);
        if is_narrow {
            return;
        }
        if widgets::icon_button(ui, &theme, Icon::SquareArrowOutUpRight, "Open in Prompt").clicked() {
            let prompt = self.setup.prompt(self.controls.side, setup::Card::Few, 0);
            cx.hand_over("prompt", prompt);
        }
        let name = if self.setup.two { "Show one column" } else { "Compare two columns" };
        if self.tab == Tab::Compare && widgets::icon_button(ui, &theme, Icon::Columns2, name).clicked() {
            self.show_two(!self.setup.two);
        }
    }
}

impl Panel for LabPanel {
    fn id(&self) -> &'static str {
        "lab"
    }

    fn title(&self) -> &'static str {
        "Few-shot lab"
    }

    fn icon(&self) -> Icon {
        Icon::FlaskConical
    }

    fn help(&self) -> &'static str {
        "See what examples in the prompt do to the probability of every answer."
    }

    fn model_kind(&self) -> Option<ModelKind> {
        Some(ModelKind::CausalLm)
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.visible = true;
        self.files.context.get_or_insert_with(|| ui.ctx().clone());
        controls::show(self, ui, cx);
        self.history.observe(&self.setup, cx.state.now_s);
    }

    fn has_footer(&self) -> bool {
        true
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        controls::footer(self, ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = cx.theme.clone();
        Frame::new().inner_margin(Margin::symmetric(space::L as i8, space::M as i8)).show(ui, |ui| {
            ui.horizontal(|ui| {
                segmented(ui, &theme, &mut self.tab, &Tab::ALL);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| self.tools(ui, cx));
            });
            ui.add_space(space::S);
            file::notices(&mut self.files, ui, &theme);
            match self.tab {
                Tab::Compare => compare::stage(self, ui, cx),
                Tab::Curve => curve::stage(self, ui, cx),
                Tab::Looked => looked::stage(self, ui, cx),
                Tab::Batch => batch::stage(self, ui, cx),
                Tab::Pairs => pairs::stage(self, ui, cx),
            }
        });
        if self.plan.as_ref().is_some_and(|plan| !plan.is_of(&self.setup)) {
            // What was changed in this frame is taken in before the next one.
            ui.ctx().request_repaint();
        }
    }

    fn inspector_title(&self) -> Option<&'static str> {
        Some("Answers and runs")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        inspector::show(self, ui, cx);
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.hear_table(cx);
        let handed = cx.take_handed("lab");
        if let Some(prompt) = handed {
            self.take(Setup::from_prompt(&prompt), cx);
        }
        let visible = std::mem::take(&mut self.visible);
        if visible {
            let changed = Plan::update(&mut self.plan, &self.setup, &mut self.counter, cx);
            match self.tab {
                Tab::Looked => self.look_again(cx),
                Tab::Compare => {
                    let Self { plan, scoring, past, setup, .. } = self;
                    scoring.tick(plan.as_ref(), changed, setup, past, cx);
                }
                _ => {}
            }
        }
        self.tick_files(visible, cx);
        self.curve.tick(cx);
        self.batch.tick(cx.state);
        self.running = self.running_job(cx.state);
    }

    fn current_job(&self) -> Option<JobId> {
        self.running
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        match self.tab {
            Tab::Compare | Tab::Pairs => {
                self.tab = Tab::Compare;
                self.score(true, cx);
            }
            Tab::Curve => self.measure(cx),
            Tab::Batch => self.run_batch(cx),
            Tab::Looked => {
                self.looked.forget(cx);
                self.look_again(cx);
            }
        }
    }

    fn undoes_typing(&self) -> bool {
        true
    }

    fn undo(&mut self, _cx: &mut Cx<'_>) {
        self.history.undo(&mut self.setup);
    }

    fn redo(&mut self, _cx: &mut Cx<'_>) {
        self.history.redo(&mut self.setup);
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        match tag {
            TABLE_FILE => self.read_table(path, cx),
            file::LAB_FILE => self.open_file(path, cx),
            _ => {}
        }
    }

    fn dropped(&mut self, path: &Path, cx: &mut Cx<'_>) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match ending.as_str() {
            "tsv" | "csv" | "jsonl" => self.read_table(path, cx),
            // A file of a model folder stands for the model.
            "json" if !path.with_file_name("config.json").is_file() => self.open_file(path, cx),
            _ => return false,
        }
        true
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        actions::all(self, state)
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        actions::act(self, id, cx);
    }

    fn save(&self) -> serde_json::Value {
        self.kept()
    }

    fn restore(&mut self, value: &serde_json::Value) {
        self.take_back(value);
    }
}

/// Writes a file that was asked for.
fn write(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    std::fs::write(path, bytes).map_err(|e| {
        UserError::new(
            format!("{} could not be written.", path.display()),
            e.to_string(),
            "Choose a folder you may write to, with enough room.",
        )
    })
}
