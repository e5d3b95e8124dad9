//! What networks remember: how far back, what is forgotten of a text, and what a recurrent one keeps of it.
//!
//! A shell around three looks, each of which owns what is filled in there.

mod choice;
mod distance;
mod forget;
mod labels;
mod states;

use super::tab::Tab;
use crate::types::JobId;
use crate::ui::lenient;
use crate::ui::theme::space;
use crate::ui::widgets::segmented;
use crate::ui::{Action, Cx, State};
use distance::Distance;
use egui::Ui;
use forget::Forget;
use serde::{Deserialize, Serialize};
use states::States;
use std::collections::BTreeSet;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Look {
    /// Answers against distance.
    #[default]
    Distance,
    /// What the last token still depends on.
    Forget,
    /// Values of a recurrent network, token by token.
    States,
}

impl Look {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Distance, "How far it remembers"), (Self::Forget, "What it forgets"), (Self::States, "Hidden states")];
}

/// The part of the panel about memory.
#[derive(Default)]
pub(super) struct Memory {
    look: Look,
    distance: Distance,
    forget: Forget,
    states: States,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    look: Look,
    distance: distance::Saved,
    forget: forget::Saved,
    states: states::Saved,
}

impl Tab for Memory {
    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.look {
            Look::Distance => self.distance.controls(ui, cx),
            Look::Forget => self.forget.controls(ui, cx),
            Look::States => self.states.controls(ui, cx),
        }
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.look {
            Look::Distance => self.distance.footer(ui, cx),
            Look::Forget => self.forget.footer(ui),
            Look::States => self.states.footer(ui),
        }
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        segmented(ui, &mut self.look, &Look::ALL);
        ui.add_space(space::S);
        let wants_training = match self.look {
            Look::Distance => {
                self.distance.stage(ui, cx);
                false
            }
            Look::Forget => self.forget.stage(ui, cx),
            Look::States => self.states.stage(ui, cx),
        };
        if wants_training {
            self.look = Look::Distance;
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.distance.tick(cx);
        self.forget.tick(cx);
        self.states.tick(cx);
    }

    fn current_job(&self) -> Option<JobId> {
        match self.look {
            Look::Distance => self.distance.current_job(),
            Look::Forget => self.forget.current_job(),
            Look::States => self.states.current_job(),
        }
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.distance.shows(shown);
        self.forget.shows(shown);
        self.states.shows(shown);
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        match self.look {
            Look::Distance => self.distance.start(cx),
            Look::Forget => self.forget.again(cx),
            Look::States => self.states.again(cx),
        }
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        self.distance.actions(state)
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) -> bool {
        self.distance.act(id, cx)
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved {
            look: self.look,
            distance: self.distance.save(),
            forget: self.forget.save(),
            states: self.states.save(),
        };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        // A session from before there was this part.
        if value.is_null() {
            return true;
        }
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        self.look = saved.look;
        self.forget.restore(saved.forget);
        self.states.restore(saved.states);
        self.distance.restore(saved.distance) && is_whole
    }
}
