//! Networks from random weights: what they learn from text without labels, and what kinds of them remember.
//!
//! The panel is a shell around its parts, each of which owns what is filled in there.

mod learning;
mod memory;
mod pace;
mod tab;

use crate::types::JobId;
use crate::ui::lenient;
use crate::ui::theme::space;
use crate::ui::widgets::segmented;
use crate::ui::{Action, Cx, Panel, PanelId, State};
use egui::{Frame, Margin, Ui};
use learning::Learning;
use lucide_icons::Icon;
use memory::Memory;
use pace::Pace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use tab::Tab;

/// Which part is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// Learning from text, watched.
    #[default]
    Learning,
    /// What kinds of networks remember.
    Memory,
    /// How many tokens a second networks read and learn.
    Pace,
}

impl Part {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Learning, "Learning"), (Self::Memory, "Memory"), (Self::Pace, "Speed")];
}

/// The panel.
#[derive(Default)]
pub struct PretrainPanel {
    part: Part,
    learning: Learning,
    memory: Memory,
    pace: Pace,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    part: Part,
    learning: serde_json::Value,
    memory: serde_json::Value,
    pace: serde_json::Value,
}

impl PretrainPanel {
    fn tabs(&self) -> [&dyn Tab; 3] {
        [&self.learning, &self.memory, &self.pace]
    }

    fn tabs_mut(&mut self) -> [&mut dyn Tab; 3] {
        [&mut self.learning, &mut self.memory, &mut self.pace]
    }

    fn tab(&self) -> &dyn Tab {
        match self.part {
            Part::Learning => &self.learning,
            Part::Memory => &self.memory,
            Part::Pace => &self.pace,
        }
    }

    fn tab_mut(&mut self) -> &mut dyn Tab {
        match self.part {
            Part::Learning => &mut self.learning,
            Part::Memory => &mut self.memory,
            Part::Pace => &mut self.pace,
        }
    }
}

impl Panel for PretrainPanel {
    fn id(&self) -> PanelId {
        PanelId::Pretrain
    }

    fn title(&self) -> &'static str {
        "Pre-train"
    }

    fn icon(&self) -> Icon {
        Icon::Sprout
    }

    fn help(&self) -> &'static str {
        "Train small networks of several kinds from random weights on text without labels, and watch what they learn and remember."
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.tab_mut().controls(ui, cx);
    }

    fn has_footer(&self) -> bool {
        true
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.tab_mut().footer(ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        Frame::new().inner_margin(Margin::symmetric(space::L as i8, space::M as i8)).show(ui, |ui| {
            if Part::ALL.len() > 1 {
                segmented(ui, &mut self.part, &Part::ALL);
                ui.add_space(space::S);
            }
            self.tab_mut().stage(ui, cx);
        });
    }

    fn inspector_title(&self) -> Option<&'static str> {
        self.tab().inspector_title()
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.tab_mut().inspector(ui, cx);
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        for tab in self.tabs_mut() {
            tab.tick(cx);
        }
    }

    fn current_job(&self) -> Option<JobId> {
        self.tab().current_job()
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        for tab in self.tabs() {
            tab.shows(shown);
        }
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.tab_mut().run(cx);
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        let _ = self.tabs_mut().into_iter().any(|tab| tab.picked(tag, path, cx));
    }

    fn dropped(&mut self, path: &Path, cx: &mut Cx<'_>) -> bool {
        self.tab_mut().dropped(path, cx)
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        self.tab().actions(state)
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        let _ = self.tabs_mut().into_iter().any(|tab| tab.act(id, cx));
    }

    fn save(&self) -> serde_json::Value {
        let (learning, memory, pace) = (self.learning.save(), self.memory.save(), self.pace.save());
        serde_json::to_value(Saved { part: self.part, learning, memory, pace }).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        self.part = saved.part;
        let parts = [
            self.learning.restore(&saved.learning),
            self.memory.restore(&saved.memory),
            self.pace.restore(&saved.pace),
        ];
        is_whole && parts.into_iter().all(|part| part)
    }
}
