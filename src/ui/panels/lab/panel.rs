//! The lab as a panel of the window.

use super::controls::Wish;
use super::setup::Setup;
use super::{LabPanel, TABLE_FILE, Tab, actions, compare, controls, file, inspector, pairs};
use crate::types::{Ability, JobId};
use crate::ui::theme::space;
use crate::ui::widgets::segmented;
use crate::ui::{Action, Cx, Intent, Panel, PanelId, State};
use egui::{Align, Frame, Layout, Margin, Ui};
use lucide_icons::Icon;
use std::collections::BTreeSet;
use std::path::Path;

impl Panel for LabPanel {
    fn id(&self) -> PanelId {
        PanelId::Lab
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

    fn needs(&self) -> Option<Ability> {
        Some(Ability::Continue)
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.visible = true;
        self.files.context.get_or_insert_with(|| ui.ctx().clone());
        match self.controls.show(&mut self.desk, self.table_job, ui, cx) {
            Some(Wish::Pairs) => self.tab = Tab::Pairs,
            Some(Wish::CloseError) => self.table_job = None,
            Some(Wish::Run) | None => {}
        }
        self.desk.observe(cx.state.now_s);
    }

    fn has_footer(&self) -> bool {
        true
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let running = self.job_of(self.tab, cx.state);
        if controls::footer(self.tab, running, &self.desk, ui, cx) == Some(Wish::Run) {
            self.run(cx);
        }
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        Frame::new().inner_margin(Margin::symmetric(space::L as i8, space::M as i8)).show(ui, |ui| {
            ui.horizontal(|ui| {
                segmented(ui, &mut self.tab, &Tab::ALL);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| self.tools(ui, cx));
            });
            ui.add_space(space::S);
            file::notices(&mut self.files, ui);
            self.recalled.show(&mut self.desk, ui, cx);
            match self.tab {
                Tab::Compare => compare::stage(&mut self.compare, &self.desk, ui, cx),
                Tab::Curve => self.curve.stage(&self.desk, ui, cx),
                Tab::Looked => self.looked.stage(&self.desk, ui, cx),
                Tab::Batch => self.batch.stage(&self.desk, ui, cx),
                Tab::Pairs => {
                    if pairs::stage(&mut self.pairs, &mut self.desk, ui, cx) {
                        self.train(cx);
                    }
                }
            }
        });
        if self.desk.is_ahead() {
            // What was changed in this frame is taken in before the next one.
            ui.ctx().request_repaint();
        }
    }

    fn inspector_title(&self) -> Option<&'static str> {
        Some("Answers and runs")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let has_tokens = self.tab == Tab::Compare;
        inspector::show(&mut self.compare, &mut self.desk, has_tokens, ui, cx);
    }

    fn receive(&mut self, intent: Intent, cx: &mut Cx<'_>) {
        if let Intent::Experiment(prompt) = intent {
            self.desk.take(Setup::from_prompt(&prompt), cx);
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.hear_table(cx);
        let visible = std::mem::take(&mut self.visible);
        self.desk.take_edits(cx.edits);
        if visible {
            let changed = self.desk.plan_again(&mut self.counter, cx);
            match self.tab {
                Tab::Looked => self.looked.look_again(&self.desk, cx),
                Tab::Compare => self.compare.tick(&self.desk, changed, cx),
                _ => {}
            }
        }
        if self.files.tick(&mut self.desk, &mut self.compare, visible, cx) {
            self.tab = Tab::Compare;
        }
        self.compare.keep_picked(&self.desk);
        self.name_weights(cx);
        self.training.tick(cx);
        self.drop_errors(cx.state);
        self.curve.tick(cx);
        self.batch.tick(cx.state);
        self.running = self.running_job(cx.state);
    }

    fn current_job(&self) -> Option<JobId> {
        self.running
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.counter.shows(shown);
        self.compare.scoring.shows(shown);
        self.looked.shows(shown);
        shown.extend(self.batch.shows());
        shown.extend(self.curve.curves.iter().filter_map(|curve| curve.job));
        shown.extend(self.table_job);
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        match self.tab {
            Tab::Compare | Tab::Pairs => self.score(cx),
            Tab::Curve => self.curve.measure(&self.desk, cx),
            Tab::Batch => self.batch.run(&self.desk, cx),
            Tab::Looked => {
                self.looked.forget(cx);
                self.looked.look_again(&self.desk, cx);
            }
        }
    }

    fn undoes_typing(&self) -> bool {
        true
    }

    fn undo(&mut self, cx: &mut Cx<'_>) {
        cx.edits.undo(self.desk.touched_s(), || self.desk.undo());
    }

    fn redo(&mut self, cx: &mut Cx<'_>) {
        cx.edits.redo(self.desk.touched_s(), || self.desk.redo());
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        match tag {
            TABLE_FILE => self.read_table(path, cx),
            file::LAB_FILE => self.files.open(path, cx),
            _ => {}
        }
    }

    fn dropped(&mut self, path: &Path, cx: &mut Cx<'_>) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match ending.as_str() {
            "tsv" | "csv" | "jsonl" => self.read_table(path, cx),
            // A file of a model folder stands for the model.
            "json" if !path.with_file_name("config.json").is_file() => self.files.open(path, cx),
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

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        self.take_back(value)
    }
}
