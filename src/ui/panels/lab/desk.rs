//! What all tabs of the lab work on: the setup with its history, the column that is edited, and what would be asked of it.

use super::fit::Counter;
use super::plan::{Missing, Plan, model_of};
use super::setup::{Card, Setup, Side};
use crate::types::{FewShotPrompt, TaskTable};
use crate::ui::{Cx, Edits, History, OpenModel, State};
use std::sync::Arc;

/// Examples a chosen task begins with.
const FIRST_K: usize = 4;

/// The desk that the tabs stand around.
pub(super) struct Desk {
    pub setup: Setup,
    history: History<Setup>,
    /// The column whose prompt is edited, and that tabs ask which have no columns.
    pub side: usize,
    /// What would be asked now, as of the last tick.
    pub plan: Option<Plan>,
    /// What is odd about the table in use.
    pub warnings: Vec<String>,
    /// Counts how often another task or setup was taken: what was picked out before belongs to the one before.
    pub begun: u64,
    /// Which version of the list of edits the columns have.
    edits: Option<u64>,
}

impl Default for Desk {
    fn default() -> Self {
        let setup = Setup::default();
        let history = History::new(setup.clone());
        Self { setup, history, side: 0, plan: None, warnings: Vec::new(), begun: 0, edits: None }
    }
}

impl Desk {
    /// A desk with a setup of before, as at a start.
    pub fn with(setup: Setup) -> Self {
        Self { history: History::new(setup.clone()), setup, ..Self::default() }
    }

    /// The column that is edited.
    pub fn asked(&self) -> &Side {
        &self.setup.sides[self.side]
    }

    /// The few-shot prompt of the column that is edited.
    pub fn prompt(&self) -> FewShotPrompt {
        self.setup.prompt(self.side, Card::Few, 0)
    }

    /// The open model that the column asks.
    pub fn model<'a>(&self, state: &'a State) -> Option<&'a OpenModel> {
        model_of(self.asked(), state)
    }

    /// Why nothing can be asked.
    pub fn missing(&self) -> Option<Missing> {
        self.plan.as_ref().and_then(|plan| plan.missing)
    }

    /// Brings the plan up to date. True when it changed.
    pub fn plan_again(&mut self, counter: &mut Counter, cx: &mut Cx<'_>) -> bool {
        Plan::update(&mut self.plan, &self.setup, counter, cx)
    }

    /// True when something was changed that is not in the plan yet.
    pub fn is_ahead(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| !plan.is_of(&self.setup))
    }

    /// Begins with another task as a step of its own, which undo takes back.
    pub fn begin(&mut self, table: Arc<TaskTable>, cx: &Cx<'_>) {
        self.history.part(&self.setup, cx.state.now_s);
        self.choose(table, FIRST_K);
        self.history.part(&self.setup, cx.state.now_s);
    }

    /// Begins with a task that has no pairs yet.
    pub fn new_task(&mut self, cx: &Cx<'_>) {
        self.history.part(&self.setup, cx.state.now_s);
        let table = TaskTable { id: "own".into(), title: "A task of your own".into(), ..TaskTable::default() };
        self.choose(Arc::new(table), 0);
    }

    /// Takes another setup in the place of the present one; undo brings that back.
    pub fn take(&mut self, setup: Setup, cx: &Cx<'_>) {
        self.history.part(&self.setup, cx.state.now_s);
        self.setup = setup;
        self.history.part(&self.setup, cx.state.now_s);
        self.begun += 1;
    }

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
        self.begun += 1;
    }

    /// Remembers what was changed in this frame.
    pub fn observe(&mut self, now_s: f64) {
        self.history.observe(&self.setup, now_s);
    }

    /// Gives the columns that ask the edited model the edits that are on. A run that was brought back keeps its own until the list
    /// changes.
    pub fn take_edits(&mut self, edits: &Edits) {
        let is_new = self.edits.replace(edits.version()) != Some(edits.version());
        let on = edits.on();
        let mut changed = false;
        for side in &mut self.setup.sides {
            let wanted = match side.edited {
                true if is_new || side.edits.is_empty() => on.clone(),
                true => continue,
                false => Vec::new(),
            };
            changed |= side.edits != wanted;
            side.edits = wanted;
        }
        if changed {
            // The list has an undo of its own.
            self.history.amend(&self.setup);
        }
    }

    /// False when there is nothing to take back.
    pub fn undo(&mut self) -> bool {
        self.history.undo(&mut self.setup)
    }

    /// False when nothing was taken back.
    pub fn redo(&mut self) -> bool {
        self.history.redo(&mut self.setup)
    }

    /// When something was changed last.
    pub fn touched_s(&self) -> f64 {
        self.history.touched_s()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_follows_the_list_and_one_that_was_brought_back_keeps_its_own_until_it_changes() {
        let edit = |line: &str| line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        let (first, second) = ("blocks.0.attn.z[1] = zero", "blocks.1 = skip");
        let (mut desk, mut edits) = (Desk::default(), Edits::default());
        desk.setup.show_edited();
        edits.add(edit(first), 0.0);
        edits.tick(0.0);
        desk.take_edits(&edits);
        let asked = |desk: &Desk| desk.setup.sides.each_ref().map(|side| side.edits.len());
        assert_eq!(asked(&desk), [0, 1]);
        let request = desk.setup.request(1, Card::Few, 0, &["a".to_owned()]);
        assert_eq!(request.edits, [edit(first)]);
        // Written and read, it is the same; without the switch, nothing is asked with.
        let text = serde_json::to_string(&desk.setup).unwrap();
        assert_eq!(serde_json::from_str::<Setup>(&text).unwrap(), desk.setup);
        // A run of before was asked with another.
        desk.setup.sides[1].edits = vec![edit(second)];
        desk.take_edits(&edits);
        assert_eq!(desk.setup.sides[1].edits, [edit(second)]);
        edits.add(edit("blocks.2 = skip"), 1.0);
        edits.tick(1.0);
        desk.take_edits(&edits);
        assert_eq!(asked(&desk), [0, 2]);
        desk.setup.sides[1].edited = false;
        desk.take_edits(&edits);
        assert_eq!(asked(&desk), [0, 0]);
    }
}
