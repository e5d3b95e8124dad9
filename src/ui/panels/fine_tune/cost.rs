//! What a run costs, told before it begins: two steps are taken on a copy and thrown away.

use super::FineTunePanel;
use crate::engine::{Command, Outcome, Work};
use crate::types::{JobId, ModelId, RunBytes, TrainSpec, TrainingCost, bytes_in_words};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, ghost_button, job_error, job_progress, primary_button, secondary_button, seconds};
use crate::ui::{Cx, Phase, State, Themed};
use egui::{RichText, Ui};
use lucide_icons::Icon;

/// A run that takes longer is not begun before the person has seen how long.
const LONG_S: f64 = 600.0;

/// The trial that was asked for last.
#[derive(Default)]
pub(super) struct Trial {
    /// Its job and what was tried; its output folder does not matter.
    tried: Option<(JobId, TrainSpec)>,
    /// The run that is to begin when its cost is known.
    waiting: Option<(ModelId, TrainSpec)>,
    /// The cost was told, and the person is asked.
    pub asks: bool,
}

impl Trial {
    fn begin(&mut self, cx: &mut Cx<'_>, model: ModelId, spec: &TrainSpec) {
        let job = JobId::next();
        cx.send(Command::start(job, model, Work::TryTraining(spec.clone())));
        self.tried = Some((job, nowhere(spec)));
    }

    /// What a run of these settings costs, if they were tried.
    pub fn cost(&self, state: &State, spec: &TrainSpec) -> Option<TrainingCost> {
        let (job, _) = self.tried.as_ref().filter(|(_, tried)| *tried == nowhere(spec))?;
        match state.job(*job)?.outcome {
            Some(Outcome::Tried(cost)) => Some(cost),
            _ => None,
        }
    }

    /// The trial's job.
    pub fn job(&self) -> Option<JobId> {
        self.tried.as_ref().map(|(job, _)| *job)
    }

    fn is_running(&self, state: &State) -> bool {
        self.job().is_some_and(|job| state.is_active(job))
    }
}

/// A spec without its output folder.
fn nowhere(spec: &TrainSpec) -> TrainSpec {
    TrainSpec { out: None, ..spec.clone() }
}

impl FineTunePanel {
    /// Begins the run that is filled in: after two steps on a copy, unless they were taken before.
    pub(super) fn start(&mut self, cx: &mut Cx<'_>) {
        if self.active_run(cx.state).is_some() || self.trial.is_running(cx.state) {
            return;
        }
        match self.filled_in(cx.state) {
            Ok((model, spec)) => {
                if self.trial.cost(cx.state, &spec).is_none() {
                    self.trial.begin(cx, model, &spec);
                }
                self.trial.waiting = Some((model, spec));
            }
            Err(missing) => cx.toast(missing.words()),
        }
    }

    /// Takes two steps to tell what the run would cost.
    fn try_steps(&mut self, cx: &mut Cx<'_>) {
        if let Ok((model, spec)) = self.filled_in(cx.state) {
            self.trial.begin(cx, model, &spec);
        }
    }

    /// Lets the run begin whose cost has become known, or asks.
    pub(super) fn await_trial(&mut self, cx: &mut Cx<'_>) {
        let Some((model, spec)) = self.trial.waiting.clone() else { return };
        let phase = self.trial.job().and_then(|job| cx.state.job(job)).map(|job| &job.phase);
        if matches!(phase, Some(Phase::Failed(_) | Phase::Cancelled)) {
            self.trial.waiting = None;
            return;
        }
        let Some(cost) = self.trial.cost(cx.state, &spec) else { return };
        if cost.seconds(&spec) <= LONG_S && self.lacks(cx.state, &spec, &cost).is_none() {
            self.begin(cx, model, spec);
            self.trial.waiting = None;
        } else {
            self.trial.asks = true;
        }
    }

    /// What there is too little of, as a sentence.
    fn lacks(&self, state: &State, spec: &TrainSpec, cost: &TrainingCost) -> Option<String> {
        let disk = spec.out.is_some().then(|| RunBytes::of(cost.parameters, spec).most_and_left()[0]);
        if let (Some(needed), Some(free)) = (disk, self.kept.free)
            && needed > free
        {
            return Some(format!("There is room for {} on the disk.", bytes_in_words(free)));
        }
        match (cost.memory_bytes, state.free_memory) {
            (Some(needed), Some(free)) if needed > free => {
                Some(format!("{} of memory are free.", bytes_in_words(free)))
            }
            _ => None,
        }
    }

    /// What is known of the cost, and the buttons that begin a run or try it.
    pub(super) fn start_buttons(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let filled_in = self.filled_in(cx.state);
        if let Some(job) = self.trial.job().filter(|job| cx.state.is_active(*job)) {
            caption(ui, "Two steps are tried on a copy, to tell what the run takes.");
            job_progress(ui, cx, job);
            return;
        }
        if let Ok((_, spec)) = &filled_in
            && let Some(cost) = self.trial.cost(cx.state, spec)
        {
            self.tell(ui, cx.state, spec, &cost);
        } else {
            self.trial.asks = false;
            if let Some(job) = self.trial.job() {
                job_error(ui, cx, job);
            }
        }
        let problem = filled_in.as_ref().err().map(|missing| missing.words());
        if self.trial.asks {
            self.ask(ui, cx);
            return;
        }
        ui.add_enabled_ui(problem.is_none(), |ui| {
            ui.columns_const(|[left, right]| {
                left.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
                    let button = primary_button(ui, Icon::Play, "Start training").on_hover_text("Ctrl+Enter");
                    if button.on_disabled_hover_text(problem.unwrap_or_default()).clicked() {
                        self.start(cx);
                    }
                });
                right.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
                    let help = "Takes two steps on a copy of the weights, throws them away, and tells how long the whole \
                                run and how much memory it would take.";
                    if secondary_button(ui, Some(Icon::Timer), "Try two steps").on_hover_text(help).clicked() {
                        self.try_steps(cx);
                    }
                });
            });
        });
    }

    /// Seconds, end, memory and room.
    fn tell(&self, ui: &mut Ui, state: &State, spec: &TrainSpec, cost: &TrainingCost) {
        let theme = ui.theme();
        let length = cost.seconds(spec);
        let end = jiff::Zoned::now().checked_add(jiff::SignedDuration::from_secs_f64(length)).ok();
        let mut words = format!("About {}", seconds(length));
        if let Some(end) = end.filter(|_| length >= 60.0) {
            let format = if length < 72_000.0 { "%H:%M" } else { "%d %b %H:%M" };
            words += &format!(", until about {}", end.strftime(format));
        }
        if let Some(bytes) = cost.memory_bytes {
            words += &format!(" · about {} of memory", bytes_in_words(bytes));
        }
        ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.body()));
        caption(ui, "Estimated from two steps on a copy.");
        if let Some(lack) = self.lacks(state, spec, cost) {
            ui.label(RichText::new(lack).font(Type::Body.sans()).color(theme.warning()));
        }
        ui.add_space(space::XS);
    }

    fn ask(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        ui.columns_const(|[left, right]| {
            left.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
                if primary_button(ui, Icon::Play, "Start now").clicked() {
                    if let Some((model, spec)) = self.trial.waiting.take() {
                        self.begin(cx, model, spec);
                    }
                    self.trial.asks = false;
                }
            });
            right.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
                if ghost_button(ui, None, "Not now").clicked() {
                    self.trial.waiting = None;
                    self.trial.asks = false;
                }
            });
        });
    }
}
