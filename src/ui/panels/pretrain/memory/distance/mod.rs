//! How far back networks remember: they learn to say again what stood some tokens before, and are asked at growing distances.
//!
//! Owns what is filled in and the newest result, which outlives a restart.

mod controls;
mod export;
mod form;
mod nets;
mod plot;
mod race;
mod result;
mod stage;
mod table;
mod time;

use crate::types::{Ability, JobId, ModelId};
use crate::ui::widgets::Stamp;
use crate::ui::{Action, Cx, State};
use form::Form;
use lucide_icons::Icon;
use nets::Net;
use race::Race;
use result::Comparison;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use time::Times;

/// Longest text of a result that is kept with the session, in bytes.
const KEPT: usize = 1_000_000;

/// What survives a restart.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    form: Form,
    /// The newest result, as a text of its own: the session is compared with what was saved last twice a second, which is quick for a
    /// text.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

/// Accuracy against distance.
#[derive(Default)]
pub(super) struct Distance {
    form: Form,
    /// Open models that are asked as they are.
    others: BTreeSet<ModelId>,
    times: Times,
    race: Race,
    shown: Option<Comparison>,
    kept: Option<Arc<str>>,
}

impl Distance {
    /// Open models that can be asked as they are: all that continue text; whether their tokens are single letters is known once asked.
    fn askable(state: &State) -> Vec<ModelId> {
        let can = state.models.values().filter(|open| open.info.can(Ability::Continue));
        can.map(|open| open.info.id).collect()
    }

    /// Why nothing can begin.
    fn lacks(&self) -> Option<&'static str> {
        (self.form.nets.is_empty() && self.others.is_empty()).then_some("Tick a network or an open model.")
    }

    /// Lets those that are ticked learn, one after another, and asks each.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        if self.race.is_on() {
            return;
        }
        self.others.retain(|model| cx.state.models.contains_key(model));
        if let Some(words) = self.lacks() {
            cx.toast(words);
            return;
        }
        self.times.stop(cx);
        let (race, comparison) = Race::begin(&self.form, &self.others, cx.state);
        (self.race, self.shown) = (race, Some(comparison));
    }

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        self.times.take_in(cx.state);
        let Some(comparison) = &mut self.shown else { return };
        if self.race.is_on() && self.race.advance(comparison, cx) {
            self.kept = serde_json::to_string(comparison).ok().filter(|text| text.len() <= KEPT).map(Arc::from);
        }
    }

    pub fn current_job(&self) -> Option<JobId> {
        self.race.job()
    }

    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.race.jobs());
        self.times.shows(shown);
    }

    /// With what the result was made.
    fn stamp(&self) -> Option<Stamp> {
        let comparison = self.shown.as_ref()?;
        let Form { of, steps, questions, seed, .. } = &comparison.form;
        let mut stamp = Stamp::kept(&comparison.names(), None).with(of.name());
        if !comparison.form.nets.is_empty() {
            stamp = stamp.with(format!("{steps} steps"));
        }
        let stamp = stamp.with(format!("{questions} questions")).with(format!("seed {seed}"));
        let is_other = !self.race.is_on() && self.form != comparison.form;
        Some(stamp.old_where(is_other, "What is filled in was changed since."))
    }

    pub fn actions(&self, _state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        let mut actions = match self.race.is_on() {
            true => vec![action("memory stop", "Stop learning to remember", Icon::Square)],
            false => vec![action("memory start", "Train networks to remember", Icon::Play)],
        };
        if self.shown.as_ref().is_some_and(|comparison| comparison.reports().next().is_some()) {
            actions.extend(export::ENTRIES.map(|(id, title, _)| action(id, title, Icon::Download)));
        }
        actions
    }

    pub fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) -> bool {
        match id {
            "memory start" => self.start(cx),
            "memory stop" => self.race.stop(cx),
            _ => {
                let Some((.., format)) = export::ENTRIES.into_iter().find(|(entry, ..)| *entry == id) else {
                    return false;
                };
                self.export(format, cx);
            }
        }
        true
    }

    pub fn save(&self) -> Saved {
        Saved { form: self.form.clone(), result: self.kept.as_ref().map(ToString::to_string) }
    }

    /// False when the result was not understood.
    pub fn restore(&mut self, saved: Saved) -> bool {
        self.form = saved.form;
        let Some(text) = saved.result else { return true };
        let Ok(comparison) = serde_json::from_str(&text) else { return false };
        (self.shown, self.kept) = (Some(comparison), Some(text.into()));
        true
    }

    /// Puts the two kinds that are told apart best into the form, where nobody is ticked.
    fn take_usual(&mut self) {
        if self.lacks().is_some() {
            self.form.nets = [Net::Lstm, Net::Transformer].into();
        }
    }
}
