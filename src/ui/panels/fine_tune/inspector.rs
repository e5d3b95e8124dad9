//! The run that is selected: its numbers, its model to use and save, the texts it wrote, and a box to prompt it.

use super::FineTunePanel;
use super::examples::tuned;
use super::view::{NamedRun, early_stop};
use crate::chart::{number, number_grouped};
use crate::engine::{Command, GenerateSpec, PromptInput, SaveSpec, Work};
use crate::types::{
    Ability, FewShotPrompt, JobId, ModelId, ModelInfo, Precision, RunRecord, RunSample, Sampling, TrainTask,
};
use crate::ui::Themed;
use crate::ui::files::FileRequest;
use crate::ui::theme::{RADIUS, Type, space};
use crate::ui::widgets::{
    TextArea, caption, field, icon_button, job_error, job_progress, primary_button, secondary_button, section,
    segmented,
};
use crate::ui::{Cx, OpenModel};
use crate::ui::{Intent, PanelId, Training};
use egui::{Frame, RichText, Ui};
use lucide_icons::Icon;
use std::path::PathBuf;

/// Tokens of an answer to the small prompt box.
const ANSWER_TOKENS: usize = 80;
/// Samples shown, newest first.
const SAMPLES_SHOWN: usize = 50;

pub(super) const SAVE_FOLDER: &str = "save model";

impl FineTunePanel {
    pub(super) fn run_details(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>) {
        let theme = ui.theme();
        ui.label(RichText::new(&run.name).font(Type::Strong.bold()).color(theme.body()));
        facts(ui, run);
        self.files(ui, cx, run);
        if let Some(training) = run.training {
            self.result(ui, cx, training);
        }
        if let Some(open) = tuned(cx.state, run) {
            compare_with_base(ui, cx, &open.info, run.record);
        }
        let writes =
            |task: &TrainTask| matches!(task, TrainTask::Text(_) | TrainTask::FewShot(_) | TrainTask::Memory(_));
        let fills = |task: &TrainTask| matches!(task, TrainTask::Masked(_) | TrainTask::Contrastive(_));
        if run.spec.is_some_and(|spec| writes(&spec.task) || fills(&spec.task)) {
            if let (Some(training), true) = (run.training, run.spec.is_some_and(|spec| writes(&spec.task))) {
                self.prompt_box(ui, cx, training);
            }
            samples(ui, cx, run);
        }
    }

    /// What can be done with the weights, during the run and after it.
    fn result(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, training: &Training) {
        let Some(model) = cx.state.models.get(&training.model) else { return };
        let (id, modified) = (model.info.id, model.info.modified);
        section(ui, "Result", |ui| {
            let help = "How each weight is written. F16 takes half the room and keeps about three decimal digits; the model \
                        computes with what is in memory, whatever is saved.";
            field(ui, "Weights in the file", help, |ui| {
                let choices = [(Precision::F32, "F32"), (Precision::F16, "F16")];
                ui.scope(|ui| segmented(ui, &mut self.precision, &choices)).response
            });
            ui.horizontal_wrapped(|ui| {
                if secondary_button(ui, Some(Icon::Save), "Save as folder").clicked() {
                    self.saving = Some(id);
                    cx.pick(SAVE_FOLDER, FileRequest::save_folder("Save the model as a folder"));
                }
                let draws = model.info.can(Ability::ReadDigits);
                let (words, panel) =
                    if draws { ("Draw with it", PanelId::Digits) } else { ("Prompt it", PanelId::Prompt) };
                if secondary_button(ui, Some(Icon::ArrowRight), words).clicked() {
                    cx.activate(id);
                    cx.go_to(panel);
                }
            });

            if let Some(save) = self.save_job.filter(|job| cx.state.job(*job).and_then(|j| j.model) == Some(id)) {
                job_progress(ui, cx, save);
                let has_failed = job_error(ui, cx, save);
                if has_failed {
                    // Nothing was saved.
                } else if let Some(Work::Save(SaveSpec { path, .. })) =
                    cx.state.job(save).filter(|j| !j.is_active()).map(|j| &*j.work)
                {
                    caption(ui, format!("Saved to {}.", path.display()));
                }
            } else if modified && training.spec().out.is_none() {
                caption(ui, "The weights live in memory only until they are saved.");
            }
        });
    }

    /// Asks the model with the weights it has now, also while it trains.
    fn prompt_box(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, training: &Training) {
        let model = training.model;
        if !cx.state.models.contains_key(&model) {
            return;
        }
        section(ui, "Ask it now", |ui| {
            let help = "The model goes on from this text with the weights it has at this moment.";
            field(ui, "Prompt", help, |ui| {
                let area = TextArea::new(&mut self.prompt, 2).hint("Once upon a time");
                ui.add(area.margin(egui::Margin::symmetric(8, 6)))
            });
            let busy = self.asked.is_some_and(|job| cx.state.is_active(job));
            ui.add_enabled_ui(!busy && !self.prompt.trim().is_empty(), |ui| {
                if primary_button(ui, Icon::Play, "Go on").clicked() {
                    let job = JobId::next();
                    let sampling = Sampling {
                        temperature: 0.8,
                        top_p: 0.95,
                        max_new_tokens: ANSWER_TOKENS,
                        ..Sampling::default()
                    };
                    let prompt = PromptInput::Text(self.prompt.clone());
                    cx.send(Command::start(
                        job,
                        model,
                        Work::Generate(GenerateSpec { prompt, sampling, edits: Vec::new() }),
                    ));
                    self.asked = Some(job);
                }
            });
            if let Some(job) = self.asked {
                if let Some(answer) = cx.state.run(job).filter(|r| r.model == model) {
                    text_card(ui, &answer.text);
                }
                job_error(ui, cx, job);
            }
        });
    }
}

/// Has the model that the run began with answer beside the tuned one. It is opened first where it is not open.
fn compare_with_base(ui: &mut Ui, cx: &mut Cx<'_>, tuned: &ModelInfo, record: Option<&RunRecord>) {
    if !tuned.can(Ability::Continue) {
        return;
    }
    let is_adapter = tuned.adapter.is_some();
    let Some(start) = record.and_then(|record| record.start.as_ref()).filter(|_| !is_adapter) else {
        if is_adapter && base_button(ui) {
            cx.activate(tuned.id);
            cx.intend(Intent::Beside(None));
        }
        return;
    };
    if !base_button(ui) {
        return;
    }
    let is_base = |open: &&OpenModel| {
        open.info.path == start.weights && open.info.id != tuned.id && !open.info.differs_from_files()
    };
    let open = cx.state.models.values().find(is_base).map(|open| open.info.id);
    let base = open.unwrap_or_else(|| {
        let id = ModelId::next();
        cx.send(Command::start(JobId::next(), id, Work::Open(start.weights.clone())));
        id
    });
    cx.activate(tuned.id);
    cx.intend(Intent::Beside(Some(base)));
}

fn base_button(ui: &mut Ui) -> bool {
    let help = "In the prompt panel the model the run began with answers the same prompts beside this one, with the same seed.";
    secondary_button(ui, Some(Icon::Columns2), "Compare with the base").on_hover_text(help).clicked()
}

fn facts(ui: &mut Ui, run: &NamedRun<'_>) {
    let theme = ui.theme();
    let Some(spec) = run.spec else { return };
    let joined = |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    let (data, context) = match &spec.task {
        TrainTask::Digits(task) => (task.data.display().to_string(), None),
        TrainTask::Classify(task) => (task.data.display().to_string(), task.context),
        TrainTask::Text(task) => (joined(&task.data), Some(task.context)),
        TrainTask::FewShot(task) => (joined(&task.tasks), Some(task.context)),
        TrainTask::Memory(task) => (format!("questions of {}", task.of.name()), Some(task.context)),
        TrainTask::Masked(task) => (joined(&task.data), Some(task.context)),
        TrainTask::Contrastive(task) => (joined(&task.data), Some(task.context)),
    };
    let mut words = format!(
        "{} steps of {}{} · learning rate {} · seed {}",
        number_grouped(spec.steps as u64),
        number_grouped(spec.batch_size as u64),
        if spec.accumulate > 1 { format!(" × {}", spec.accumulate) } else { String::new() },
        number(spec.learning_rate),
        spec.seed
    );
    if let Some(context) = context {
        words += &format!(" · context {context}");
    }
    if spec.patience > 0 {
        words += &format!(" · ends early after {} validations that are not the best", spec.patience);
    }
    caption(ui, words);
    if let Some(rule) = early_stop(run) {
        caption(ui, rule);
    }
    ui.add(egui::Label::new(RichText::new(data).font(Type::Caption.sans()).color(theme.caption())).truncate());
}

/// The texts the model wrote after each validation, newest first, beside the loss it had then.
fn samples(ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>) {
    let model = run.training.map(|training| training.model).filter(|model| cx.state.models.contains_key(model));
    section(ui, "What it writes", |ui| {
        if run.samples.is_empty() {
            caption(ui, "After each validation the model writes a short text, always from the same beginning.");
        }
        for RunSample { step, text, .. } in run.samples.iter().rev().take(SAMPLES_SHOWN) {
            let loss = run.points.iter().rev().find(|p| p.step <= *step).and_then(|p| p.validation_loss);
            let loss = loss.map_or_else(String::new, |l| format!(" · validation loss {}", number(l)));
            let step = number_grouped(*step as u64);
            ui.horizontal(|ui| {
                caption(ui, format!("step {step}{loss}"));
                let take = |ui: &mut Ui| {
                    model.is_some()
                        && icon_button(ui, Icon::ArrowRight, &format!("Take the text of step {step} to the prompt"))
                            .clicked()
                };
                let is_taken = ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), take).inner;
                if let Some(model) = model.filter(|_| is_taken) {
                    cx.activate(model);
                    cx.intend(Intent::Prompt(as_it_is(text)));
                }
            });
            text_card(ui, text);
        }
    });
}

/// A prompt that is this text and nothing else.
pub(super) fn as_it_is(text: &str) -> FewShotPrompt {
    FewShotPrompt { query: text.to_owned(), template: "{input}{output}".to_owned(), ..FewShotPrompt::default() }
}

fn text_card(ui: &mut Ui, text: &str) {
    let theme = ui.theme();
    Frame::new().fill(theme.ground()).corner_radius(RADIUS).inner_margin(space::S).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let text = RichText::new(text).font(Type::Body.sans()).color(theme.body());
        ui.add(egui::Label::new(text).wrap().selectable(true));
    });
}
