//! The few-shot lab: what examples in the prompt do to the probability of every answer.

mod actions;
mod batch;
mod changes;
mod compare;
mod controls;
mod curve;
mod desk;
mod file;
mod fit;
mod inspector;
mod kept;
mod looked;
mod pace;
mod pairs;
mod panel;
mod past;
mod plan;
mod recalled;
mod scoring;
mod setup;
mod side;
mod training;

use crate::engine::{Command, Work};
use crate::types::{JobId, TableReport, UserError};
use crate::ui::asked_model::Hashes;
use crate::ui::widgets;
use crate::ui::{Cx, Intent, State};
use batch::BatchTab;
use compare::CompareTab;
use controls::Controls;
use curve::CurveTab;
use desk::Desk;
use egui::Ui;
use file::Files;
use fit::Counter;
use kept::TableText;
use looked::LookedTab;
use lucide_icons::Icon;
use pairs::Pairs;
use recalled::Recalled;
use serde::{Deserialize, Serialize};
use std::path::Path;
use training::ForTraining;

/// Tag of the question for a table of pairs.
const TABLE_FILE: &str = "table";
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

/// The panel: a desk, and the tabs around it, each of which owns what it alone remembers.
#[derive(Default)]
pub struct LabPanel {
    desk: Desk,
    tab: Tab,
    counter: Counter,
    controls: Controls,
    compare: CompareTab,
    curve: CurveTab,
    looked: LookedTab,
    batch: BatchTab,
    pairs: Pairs,
    files: Files,
    recalled: Recalled,
    hashes: Hashes,
    training: ForTraining,
    /// Which of the tasks that were begun the errors of reading files belong to.
    errors_of: u64,
    /// The job that reads a table.
    table_job: Option<JobId>,
    table_text: TableText,
    /// The job that Esc ends, as of the last tick.
    running: Option<JobId>,
    /// True while this panel is on screen.
    visible: bool,
}

impl LabPanel {
    /// Shows or hides the second column.
    fn show_two(&mut self, two: bool) {
        self.desk.setup.show_two(two);
        self.desk.side = usize::from(two);
        self.tab = Tab::Compare;
    }

    /// Takes the pairs of the task to training.
    fn train(&mut self, cx: &mut Cx<'_>) {
        self.training.begin(&self.desk, self.files.context.clone(), cx);
    }

    /// What went wrong when a file was read stands beside no other task.
    fn drop_errors(&mut self, state: &State) {
        if self.errors_of != self.desk.begun {
            self.errors_of = self.desk.begun;
            self.files.error = None;
            self.table_job.take_if(|job| !state.is_active(*job));
        }
    }

    /// Begins with a task that has no pairs yet.
    fn new_task(&mut self, cx: &Cx<'_>) {
        self.desk.new_task(cx);
        self.tab = Tab::Pairs;
    }

    /// Scores all cards.
    fn score(&mut self, cx: &mut Cx<'_>) {
        self.tab = Tab::Compare;
        self.compare.score(&self.desk, true, cx);
    }

    /// The job of a tab that is under way.
    fn job_of(&self, tab: Tab, state: &State) -> Option<JobId> {
        match tab {
            Tab::Compare => self.compare.scoring.running(state),
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

    /// Has the weights named of what was run, and of what may be the model of a run that was brought back.
    fn name_weights(&mut self, cx: &mut Cx<'_>) {
        let mut models = self.compare.past.note_hashes(cx.state);
        models.extend(recalled::unhashed(&self.desk, cx.state));
        for model in models {
            self.hashes.ask(model, cx);
        }
    }

    /// Takes in a table that was read.
    fn hear_table(&mut self, cx: &mut Cx<'_>) {
        let Some(read) = self.table_job.and_then(|job| cx.state.report::<TableReport>(job)) else { return };
        let (table, warnings) = (read.table.clone(), read.warnings.iter().map(ToString::to_string).collect());
        self.table_job = None;
        self.desk.begin(table, cx);
        self.desk.warnings = warnings;
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
            let prompt = self.desk.prompt();
            cx.intend(Intent::Prompt(prompt));
        }
        let name = if self.desk.setup.two { "Show one column" } else { "Compare two columns" };
        if self.tab == Tab::Compare && widgets::icon_button(ui, Icon::Columns2, name).clicked() {
            self.show_two(!self.desk.setup.two);
        }
    }
}

/// Writes a file that was asked for.
fn write(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    crate::disk::write(path, bytes).map_err(|e| {
        UserError::new(
            format!("{} could not be written.", path.display()),
            e.to_string(),
            "Choose a folder you may write to, with enough room.",
        )
    })
}
