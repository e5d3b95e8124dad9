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
mod panel;
mod past;
mod plan;
mod scoring;
mod setup;
mod side;

use crate::engine::{Command, Work};
use crate::types::{JobId, TableReport, TaskTable, UserError};
use crate::ui::widgets;
use crate::ui::{Cx, History, Intent, State};
use batch::BatchTab;
use compare::Picked;
use controls::Controls;
use curve::CurveTab;
use egui::Ui;
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
        let Some(read) = self.table_job.and_then(|job| cx.state.report::<TableReport>(job)) else { return };
        let (table, warnings) = (read.table.clone(), read.warnings.iter().map(ToString::to_string).collect());
        self.table_job = None;
        self.begin(table, cx);
        self.warnings = warnings;
    }

    fn read_table(&mut self, path: &Path, cx: &mut Cx<'_>) {
        let job = JobId::next();
        cx.send(Command::start(job, None, Work::ReadTable(path.to_owned())));
        self.table_job = Some(job);
    }

    fn tools(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let is_narrow = ui.available_width() < TOOLS_WIDTH;
        file::menu(self, ui, cx, is_narrow);
        if is_narrow {
            return;
        }
        if widgets::icon_button(ui, Icon::SquareArrowOutUpRight, "Open in Prompt").clicked() {
            let prompt = self.setup.prompt(self.controls.side, setup::Card::Few, 0);
            cx.intend(Intent::Prompt(prompt));
        }
        let name = if self.setup.two { "Show one column" } else { "Compare two columns" };
        if self.tab == Tab::Compare && widgets::icon_button(ui, Icon::Columns2, name).clicked() {
            self.show_two(!self.setup.two);
        }
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
