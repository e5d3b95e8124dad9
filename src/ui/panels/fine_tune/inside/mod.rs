//! What is inside a run: its snapshots on one axis, and for the one that is chosen what was noted then and what its weights tell.
//!
//! What was noted is there at once. What needs weights is asked of a model of its own, which is given those of each step in turn.

mod curves;
mod moved;
mod scrubber;
mod texts;
mod units;

use super::FineTunePanel;
use super::view::{self, NamedRun, RunKey};
use crate::chart::{number, number_grouped};
use crate::engine::{Command, InspectSpec, NeighboursSpec, PromptInput, SnapshotSpec, Work};
use crate::types::{Ability, JobId, ModelId, RunSnapshot, SiteFilter, SnapshotSteps};
use crate::ui::state::OpenModel;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, empty_state, error_card, icon_button, section};
use crate::ui::{Ask, Cx, State, Themed};
use egui::{Frame, Rangef, RichText, ScrollArea, Ui, vec2};
use lucide_icons::Icon;
use scrubber::Axis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Seconds that a step stays while steps are played, at least.
const PLAYED_S: f64 = 0.7;
/// Seconds a step or a text must stay before its weights are asked for.
const SETTLED_S: f64 = 0.12;
/// Neighbours of a word.
const NEIGHBOURS: usize = 8;
/// Room for numbers beside the curves.
const NUMBERS: f32 = 52.0;
/// From which width on, two columns stand beside each other.
const WIDE: f32 = 640.0;

/// What is filled in. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Choices {
    /// What heads are seen on.
    pub text: String,
    /// The word whose neighbours are looked for.
    pub word: String,
}

impl Default for Choices {
    fn default() -> Self {
        Self { text: "One day the cat sat on the mat. One day the cat".to_owned(), word: " cat".to_owned() }
    }
}

/// Whose weights: the run's folder and the step.
type Place = (PathBuf, usize);

/// The view.
#[derive(Default)]
pub(super) struct Inside {
    pub choices: Choices,
    /// The run that is looked at.
    run: Option<RunKey>,
    /// The chosen step; without one the newest.
    step: Option<usize>,
    /// When the next step is shown, while steps are played.
    next_s: Option<f64>,
    /// The model that is given the weights of a run's snapshots.
    viewers: BTreeMap<PathBuf, ModelId>,
    weights: Ask<Place>,
    attention: Ask<(Place, String)>,
    neighbours: Ask<(Place, String)>,
    /// The attention panel looks at what was read here, and goes on to do so.
    is_followed: bool,
    /// Layer and head, once chosen.
    head: Option<(usize, usize)>,
    loss: curves::LossLine,
    maps: texts::Maps,
    units: units::Units,
}

/// What is looked at in a frame.
struct Seen<'a> {
    snapshots: &'a [RunSnapshot],
    place: usize,
    /// The model, once it has the weights of the step.
    open: Option<&'a OpenModel>,
}

impl Seen<'_> {
    fn snapshot(&self) -> &RunSnapshot {
        &self.snapshots[self.place]
    }
}

impl Inside {
    /// Jobs whose results are on show.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.weights.shows(shown);
        self.attention.shows(shown);
        self.neighbours.shows(shown);
    }

    /// True where something goes on while the view is not on screen.
    pub fn is_busy(&self) -> bool {
        self.run.is_some() && (self.next_s.is_some() || self.is_followed)
    }

    /// The run that is looked at.
    pub fn run(&self) -> Option<&RunKey> {
        self.run.as_ref()
    }

    /// The place of the chosen step among the snapshots.
    fn place(&self, snapshots: &[RunSnapshot]) -> usize {
        let last = snapshots.len().saturating_sub(1);
        let at = |step: usize| snapshots.iter().rposition(|snapshot| snapshot.step <= step).unwrap_or(0);
        self.step.map_or(last, at)
    }

    /// Looks at another run from now on.
    fn turn_to(&mut self, run: &NamedRun<'_>, cx: &mut Cx<'_>) {
        if self.run.as_ref() == Some(&run.key) {
            return;
        }
        // The model of the run before is of no use any more, unless somebody else uses it.
        if let Some(RunKey::Folder(folder)) = self.run.take()
            && let Some(model) = self.viewers.remove(&folder)
        {
            let in_use = |ability| cx.state.active(ability).is_some_and(|open| open.info.id == model);
            if [Ability::Attend, Ability::Prompt, Ability::ReadDigits].into_iter().any(in_use) {
                self.viewers.insert(folder, model);
            } else if cx.state.models.contains_key(&model) {
                cx.send(Command::Close { model });
            }
        }
        self.run = Some(run.key.clone());
        (self.step, self.next_s, self.head, self.is_followed) = (None, None, None, false);
        self.weights.forget(cx);
        self.attention.forget(cx);
        self.neighbours.forget(cx);
    }

    /// True where somebody closed the model that had the weights.
    fn was_closed(&self, state: &State) -> bool {
        let Some((folder, _)) = self.weights.question() else { return false };
        let has_ended = self.weights.job().is_some_and(|job| state.job(job).is_some_and(|job| !job.is_active()));
        let is_open = self.viewers.get(folder).is_some_and(|model| state.models.contains_key(model));
        has_ended && !is_open && self.weights.error(state).is_none()
    }

    /// Brings weights and what is read with them to the chosen step, and goes on where steps are played.
    pub fn follow(&mut self, run: &NamedRun<'_>, cx: &mut Cx<'_>) {
        let snapshots = run.snapshots;
        let RunKey::Folder(folder) = &run.key else { return };
        if snapshots.is_empty() || self.run.as_ref() != Some(&run.key) {
            return;
        }
        self.play(snapshots, cx);
        let snapshot = &snapshots[self.place(snapshots)];
        if snapshot.weights.is_none() {
            return;
        }
        let model = *self.viewers.entry(folder.clone()).or_insert_with(ModelId::next);
        // What was learned on it since is not to be replaced.
        let is_taken = cx.state.trainings().any(|training| training.model == model);
        let model = if is_taken { ModelId::next() } else { model };
        if is_taken {
            self.viewers.insert(folder.clone(), model);
            self.weights.forget(cx);
        }
        let place = (folder.clone(), snapshot.step);
        self.weights.follow(place.clone(), SETTLED_S, cx, |(run, step)| {
            (model, Work::ShowSnapshot(SnapshotSpec { run: run.clone(), step: *step }))
        });
        cx.wake_in(SETTLED_S, self.weights.is_due());
        let Some(open) = opened(cx.state, model, snapshot) else { return };
        let reads = reads_text(open);
        if reads && open.info.can(Ability::Attend) && !self.choices.text.trim().is_empty() {
            let before = self.attention.job();
            self.attention.follow((place.clone(), self.choices.text.clone()), SETTLED_S, cx, |(_, text)| {
                let prompt = PromptInput::Text(text.clone());
                (model, Work::Inspect(InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() }))
            });
            self.is_followed &= before.is_some() && cx.selection.inspection == before;
            if self.is_followed {
                cx.selection.inspection = self.attention.job();
            }
        }
        if reads && !self.choices.word.is_empty() {
            self.neighbours.follow((place, self.choices.word.clone()), SETTLED_S, cx, |(_, word)| {
                (model, Work::Neighbours(NeighboursSpec { word: word.clone(), count: NEIGHBOURS }))
            });
        }
        let is_due = self.attention.is_due() || self.neighbours.is_due();
        cx.wake_in(SETTLED_S, is_due);
    }

    /// The next step, once it is time and what is shown of this one is there.
    fn play(&mut self, snapshots: &[RunSnapshot], cx: &mut Cx<'_>) {
        let Some(next_s) = self.next_s else { return };
        let place = self.place(snapshots);
        let is_read = [self.weights.running(cx.state), self.attention.running(cx.state)].iter().all(Option::is_none);
        let is_settled = !self.weights.is_due() && is_read;
        if cx.state.now_s < next_s || !is_settled {
            cx.wake_in(0.05, true);
            return;
        }
        if place + 1 == snapshots.len() {
            self.next_s = None;
            return;
        }
        self.step = Some(snapshots[place + 1].step);
        self.next_s = Some(cx.state.now_s + PLAYED_S);
        cx.wake_in(PLAYED_S, true);
    }

    /// Shows a run in the room there is.
    pub fn show(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>) {
        self.turn_to(run, cx);
        if self.was_closed(cx.state) {
            self.weights.forget(cx);
        }
        self.follow(run, cx);
        let snapshots = run.snapshots;
        if snapshots.is_empty() {
            return without(ui, cx.state, run);
        }
        let place = self.place(snapshots);
        let state = cx.state;
        let viewer = match &run.key {
            RunKey::Folder(folder) => self.viewers.get(folder).copied(),
            RunKey::Job(_) | RunKey::File(_) => None,
        };
        let open = viewer.and_then(|model| opened(state, model, &snapshots[place]));
        let seen = Seen { snapshots, place, open };
        self.head_line(ui, cx, &seen);
        let axis = self.axis(ui, run, &seen);
        ScrollArea::vertical().id_salt("inside").auto_shrink([false, false]).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::M);
            let chosen = (seen.snapshots, seen.place);
            if ui.available_width() >= WIDE {
                ui.columns_const(|[left, right]| {
                    curves::show(left, &axis.within(edges(left)), chosen, run.points, &mut self.loss);
                    self.noted(left, &seen);
                    self.read(right, cx, &seen);
                });
            } else {
                curves::show(ui, &axis, chosen, run.points, &mut self.loss);
                self.read(ui, cx, &seen);
                self.noted(ui, &seen);
            }
        });
    }

    /// Which step, in words, with play and pause.
    fn head_line(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, seen: &Seen<'_>) {
        let theme = ui.theme();
        let snapshot = seen.snapshot();
        ui.horizontal(|ui| {
            let (icon, name) =
                if self.next_s.is_some() { (Icon::Pause, "Pause") } else { (Icon::Play, "Play the steps") };
            if icon_button(ui, icon, name).clicked() {
                self.next_s = match self.next_s {
                    Some(_) => None,
                    None => {
                        if seen.place + 1 == seen.snapshots.len() {
                            self.step = Some(seen.snapshots[0].step);
                        }
                        Some(cx.state.now_s + PLAYED_S)
                    }
                };
                cx.wake_in(PLAYED_S, self.next_s.is_some());
            }
            let words = format!("Step {}", number_grouped(snapshot.step as u64));
            ui.label(RichText::new(words).font(Type::Strong.bold()).color(theme.body()));
            let mut facts = Vec::new();
            facts.extend(snapshot.loss.map(|loss| format!("loss {}", number(loss))));
            facts.extend(snapshot.validation_loss.map(|loss| format!("validation {}", number(loss))));
            facts.extend(snapshot.validation_accuracy.map(|share| format!("accuracy {:.1} %", share * 100.0)));
            if snapshot.step == 0 {
                facts.push("before training".to_owned());
            }
            caption(ui, facts.join(" · "));
            let waits = self.weights.running(cx.state).is_some() && seen.open.is_none();
            if waits {
                caption(ui, "· opening its weights");
            }
        });
    }

    /// The steps, of which one can be chosen.
    fn axis(&mut self, ui: &mut Ui, run: &NamedRun<'_>, seen: &Seen<'_>) -> Axis {
        let is_log = run.spec.is_some_and(|spec| spec.snapshots == Some(SnapshotSteps::Doubling));
        let newest = seen.snapshots.last().map_or(1, |snapshot| snapshot.step);
        let last = run.points.last().map_or(newest, |point| point.step.max(newest));
        let axis = Axis::new(edges(ui), last, is_log);
        if let Some(place) = scrubber::show(ui, &axis, seen.snapshots, seen.place) {
            self.step = Some(seen.snapshots[place].step);
            self.next_s = None;
            ui.ctx().request_repaint();
        }
        axis
    }

    /// What was noted at the step: there whatever became of the weights.
    fn noted(&mut self, ui: &mut Ui, seen: &Seen<'_>) {
        let snapshot = seen.snapshot();
        if let Some(why) = &snapshot.not_kept {
            let words = RichText::new(format!("Its weights were not kept: {why}")).font(Type::Caption.sans());
            ui.label(words.color(ui.theme().warning()));
        }
        if let Some(confusion) = &snapshot.confusion {
            section(ui, "What held-out examples were taken for", |ui| units::confusion(ui, confusion));
        }
        section(ui, "How far weights went", |ui| moved::show(ui, snapshot, moved::most(seen.snapshots)));
    }

    /// What is read with the weights, and what the model wrote.
    fn read(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, seen: &Seen<'_>) {
        let snapshot = seen.snapshot();
        texts::samples(ui, snapshot);
        if snapshot.weights.is_none() {
            if snapshot.not_kept.is_none() {
                caption(ui, "The weights of this step were taken away. What was noted stays.");
            }
            return;
        }
        if let Some(error) = self.weights.error(cx.state) {
            error_card(ui, error);
            return;
        }
        let Some(open) = seen.open else {
            caption(ui, "Opening the weights of this step.");
            return;
        };
        if open.info.can(Ability::ReadDigits) {
            section(ui, "What the first layer looks for", |ui| self.units.show(ui, &open.weights));
        }
        if reads_text(open) && open.info.can(Ability::Attend) {
            self.attention(ui, cx, seen, open);
        }
        if reads_text(open) {
            self.neighbours(ui, cx);
        }
    }
}

impl FineTunePanel {
    /// The selected run from inside, else the newest, in the room above the table.
    pub(super) fn stage_inside(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, runs: &[NamedRun<'_>]) {
        let room = vec2(
            ui.available_width(),
            (ui.available_height() - super::TABLE_HEIGHT.min(ui.available_height() * 0.3)).max(120.0),
        );
        let selected = runs.iter().find(|run| Some(&run.key) == self.selected.as_ref());
        let Some(run) = selected.or(runs.last()) else { return };
        if self.selected.is_none() {
            self.selected = Some(run.key.clone());
        }
        ui.allocate_ui(room, |ui| {
            ui.set_min_size(room);
            self.inside.show(ui, cx, run);
        });
        ui.add_space(space::S);
    }

    /// What goes on inside a run while other panels are on screen.
    pub(super) fn follow_inside(&mut self, cx: &mut Cx<'_>) {
        if self.inside.was_closed(cx.state) {
            // Whoever closed it is not looking any more.
            (self.inside.is_followed, self.inside.next_s) = (false, None);
        }
        if !self.inside.is_busy() {
            return;
        }
        let (state, listed) = (cx.state, Arc::clone(&self.kept.listed));
        let runs = view::runs(state, &listed);
        if let Some(run) = runs.iter().find(|run| Some(&run.key) == self.inside.run()) {
            self.inside.follow(run, cx);
        }
    }
}

/// True where texts can be asked about.
fn reads_text(open: &OpenModel) -> bool {
    open.info.can(Ability::Prompt) && !open.info.can(Ability::SeePictures)
}

/// Where a picture by step begins and ends.
fn edges(ui: &Ui) -> Rangef {
    let left = ui.available_rect_before_wrap().left();
    Rangef::new(left + NUMBERS, left + ui.available_width() - space::L)
}

/// The model, where it has the weights of a snapshot.
fn opened<'a>(state: &'a State, model: ModelId, snapshot: &RunSnapshot) -> Option<&'a OpenModel> {
    let open = state.models.get(&model)?;
    let of_adapter = open.info.adapter.as_ref().map(|adapter| &adapter.path);
    (Some(of_adapter.unwrap_or(&open.info.path)) == snapshot.weights.as_ref()).then_some(open)
}

/// A run without snapshots: how to have some.
fn without(ui: &mut Ui, state: &State, run: &NamedRun<'_>) {
    let is_active = run.training.is_some_and(|training| state.is_active(training.job));
    let wants = run.spec.is_some_and(|spec| spec.snapshots.is_some());
    let sentence = match (wants, is_active, run.imported.is_some()) {
        (_, _, true) => "This curve is of another program, and its weights are not here.",
        (true, true, _) => "The first snapshot is taken before the first step, as soon as the data is read.",
        (true, false, _) => "The run came to none of its snapshots.",
        (false, ..) => {
            "This run was begun without snapshots. Fill in “Snapshots” under Numbers, such as “every 50” or “doubling”, and its weights \
             are kept at these steps, with scores of heads, samples and how far each weight went."
        }
    };
    Frame::new().show(ui, |ui| empty_state(ui, Icon::Layers, "Nothing to look into", sentence, None));
}
