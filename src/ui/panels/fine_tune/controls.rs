//! The left column: what to train, on what, with which numbers; start, pause, stop.

use super::form::{DigitStart, LoraForm, Subject};
use super::{DATA_FILE, DATA_FOLDER, FineTunePanel, MODEL_FOLDER};
use crate::chart::{number, number_grouped};
use crate::engine::Command;
use crate::types::{Ability, Architecture, DigitNetwork, JobId, LrSchedule, RunBytes, bytes_in_words};
use crate::ui::Themed;
use crate::ui::files::FileRequest;
use crate::ui::theme::{Type, space};
use crate::ui::widgets;
use crate::ui::widgets::{
    TextArea, caption, danger_button, error_card, field, ghost_button, integer_field, path_field, percent_field,
    primary_button, real_field, secondary_button, seconds, section, segmented, share_bar,
};
use crate::ui::{Cx, Phase, State};
use egui::{Checkbox, DragValue, RichText, TextEdit, Ui};
use lucide_icons::Icon;

/// Longest sequence offered for a model that says nothing of its own.
const LONGEST_CONTEXT: usize = 4096;

const LORA_HELP: &str = "Everything: all weights. LoRA: small matrices A and B beside some weights, whose product of low rank is \
     added to them; a few thousandths of the numbers, less memory, and a file of a few megabytes.";

/// The numbers of an adapter.
pub(super) fn lora(ui: &mut Ui, form: &mut LoraForm, architecture: Architecture) {
    ui.columns_const(|[left, right]| {
        let help = "How many rows A has: more can say more, and cost more.";
        integer_field(left, "Rank", help, &mut form.rank, 1..=1024);
        let help = "The change is multiplied with this and divided by the rank, or by its root.";
        real_field(right, "Alpha", help, &mut form.alpha, 0.01..=10_000.0);
    });
    let help = "Which matrices are changed, by the ends of their names in transformers, with commas between; all-linear stands \
         for every matrix of every block.";
    field(ui, "Targets", help, |ui| {
        let hint = LoraForm::usual_targets(architecture);
        ui.add(TextEdit::singleline(&mut form.targets).hint_text(widgets::hint(hint)).desired_width(f32::INFINITY))
    });
    ui.add(Checkbox::new(&mut form.rank_stabilised, "Divide by the root of the rank"))
        .on_hover_text("Rank-stabilised LoRA (Kalajdzievski 2023): higher ranks keep their effect.");
}

impl FineTunePanel {
    pub(super) fn what(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Train", |ui| {
            let subjects = [(Subject::Digits, "Digits"), (Subject::Text, "Text model"), (Subject::Classes, "Classes")];
            segmented(ui, &mut self.form.subject, &subjects);
            match self.form.subject {
                Subject::Digits => self.digit_subject(ui),
                Subject::Text => self.text_subject(ui, cx),
                Subject::Classes => self.class_subject(ui, cx),
            }
        });
    }

    fn digit_subject(&mut self, ui: &mut Ui) {
        let starts = [(DigitStart::Scratch, "Scratch"), (DigitStart::Shipped, "Shipped"), (DigitStart::Open, "Open")];
        caption(ui, "Start from").on_hover_text(
            "Scratch: random weights. Shipped: the weights that come with Fovea. Open: the digit network in use, which is \
             then changed.",
        );
        segmented(ui, &mut self.form.start, &starts);
        if self.form.start != DigitStart::Open {
            caption(ui, "Network").on_hover_text(
                "A multilayer perceptron sees the 784 pixels as a list; a convolutional network slides small kernels over \
                 the image, so it need not learn each place anew.",
            );
            let networks = [(DigitNetwork::Mlp, "Perceptron"), (DigitNetwork::Cnn, "Convolutional")];
            segmented(ui, &mut self.form.network, &networks);
        }
    }

    fn text_subject(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = ui.theme();
        match cx.state.active(Ability::Continue) {
            Some(model) => {
                let context = model.info.shape.context().unwrap_or_default();
                let words = format!("{}, context {context}", model.info.name);
                ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.body()));
                let architecture = model.info.architecture;
                caption(ui, "What learns").on_hover_text(LORA_HELP);
                segmented(ui, &mut self.form.lora.on, &[(false, "Everything"), (true, "LoRA")]);
                if self.form.lora.on {
                    lora(ui, &mut self.form.lora, architecture);
                    caption(ui, "Its weights stay as they are. What is learned is an adapter, in PEFT's layout.");
                } else {
                    caption(ui, "Its weights are changed in memory. Its folder stays as it is.");
                }
            }
            None => {
                caption(ui, "No text model is open.");
                let shipped = cx.state.shipped.iter().find(|m| m.kind.can(Ability::Continue));
                if let Some(path) = shipped.map(|m| m.path.clone())
                    && secondary_button(ui, Some(Icon::FolderOpen), "Open the shipped model").clicked()
                {
                    cx.open_model(path);
                }
                if ghost_button(ui, Some(Icon::FolderOpen), "Open a model folder").clicked() {
                    cx.pick(MODEL_FOLDER, FileRequest::folder("Open a model folder"));
                }
            }
        }
    }

    pub(super) fn data(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Data", |ui| match self.form.subject {
            Subject::Digits => {
                let hint = "folder with IDX files";
                if path_field(ui, "MNIST folder", hint, Icon::FolderOpen, &mut self.form.digit_data) {
                    cx.pick(DATA_FOLDER, FileRequest::folder("Choose a folder of MNIST files"));
                }
                caption(
                    ui,
                    "The four files of MNIST or of any set in its format, plain or .gz. A folder can also be dropped here.",
                );
                ui.add(Checkbox::new(&mut self.form.augment, "Shift, turn and scale at random")).on_hover_text(
                    "Each image is changed a little every time it is seen, so that digits drawn by other hands are read too.",
                );
            }
            Subject::Classes => self.class_data(ui, cx),
            Subject::Text => {
                if path_field(ui, "Text file", "a .txt file", Icon::FileText, &mut self.form.text_data) {
                    cx.pick(DATA_FILE, super::text_file());
                }
                caption(
                    ui,
                    "UTF-8 text. A few hundred kilobytes are enough to hear its voice. A file can also be dropped here.",
                );
                let longest = cx
                    .state
                    .active(Ability::Continue)
                    .and_then(|m| m.info.shape.context())
                    .map_or(LONGEST_CONTEXT, |context| context.max(8));
                let help = "Tokens the model sees at once while it trains. Longer costs more time and memory.";
                integer_field(ui, "Context length", help, &mut self.form.context, 8..=longest);
                let help = "After each validation the model goes on from each of these lines, with the same seed, so that samples differ \
                            by what was learned alone. Without one it goes on from the beginning of the text.";
                field(ui, "Samples go on from", help, |ui| {
                    let area = TextArea::new(&mut self.form.sample_prompts, 2).hint("a line each");
                    ui.add(area.margin(egui::Margin::symmetric(8, 6)))
                });
            }
        });
    }

    pub(super) fn numbers(&mut self, ui: &mut Ui) {
        let settings = self.form.settings();
        section(ui, "Numbers", |ui| {
            ui.columns_const(|[left, right]| {
                let help = "How far each step moves the weights (peak of AdamW's rate). Too small learns slowly, too large diverges.";
                rate(left, "Learning rate", help, &mut settings.learning_rate);
                let help = "Examples averaged in each step: more make it steadier and slower.";
                integer_field(right, "Batch size", help, &mut settings.batch_size, 1..=4096);
            });
            ui.columns_const(|[left, right]| {
                let help = "How many times the weights are changed.";
                integer_field(left, "Steps", help, &mut settings.steps, 1..=1_000_000);
                let help =
                    "Share of the data that is held out and never trained on, to see whether the model only memorises.";
                percent_field(right, "Validation share", help, &mut settings.validation_percent);
            });
            ui.columns_const(|[left, right]| {
                let help = "Same seed, same data, same device: the same run.";
                integer_field(left, "Seed", help, &mut settings.seed, 0..=u64::MAX);
                let help = "Steps at which the weights are kept and looked into: “every 50”, “doubling” (1, 2, 4, 8 …), or numbers such \
                            as 1, 10, 100. The weights before the first step are always among them. Empty keeps none.";
                field(right, "Snapshots", help, |ui| {
                    let edit = TextEdit::singleline(&mut settings.snapshots).hint_text(widgets::hint("none"));
                    ui.add(edit.desired_width(f32::INFINITY).margin(egui::Margin::symmetric(8, 6)))
                });
            });
            if let Err(wrong) = settings.snapshot_steps() {
                ui.label(RichText::new(wrong).font(Type::Caption.sans()).color(ui.theme().warning()));
            }
            egui::CollapsingHeader::new(RichText::new("Advanced").font(Type::Body.sans())).id_salt("advanced").show(
                ui,
                |ui| {
                    ui.columns_const(|[left, right]| {
                        let help =
                            "The learning rate rises from zero over so many steps, so that the first ones do no harm.";
                        integer_field(left, "Warm-up steps", help, &mut settings.warmup_steps, 0..=100_000);
                        let help = "Steps between two measurements on the held-out data.";
                        integer_field(right, "Validate every", help, &mut settings.eval_every, 1..=1_000_000);
                    });
                    ui.columns_const(|[left, right]| {
                        let help = "Pulls every weight towards zero a little in each step (decoupled, as in AdamW).";
                        real_field(left, "Weight decay", help, &mut settings.weight_decay, 0.0..=1.0);
                        let help = "Gradients longer than this are shortened to it. 0 leaves them as they are.";
                        real_field(right, "Clip norm", help, &mut settings.clip_norm, 0.0..=100.0);
                    });
                    ui.columns_const(|[left, right]| {
                        let help = "Batches whose gradients are added up before the weights move: a step learns from all of \
                                    them, in the memory of one.";
                        integer_field(left, "Batches a step", help, &mut settings.accumulate, 1..=1024);
                        let help = "The run ends early when so many validations in a row have not been the best. 0 goes \
                                    through all steps.";
                        integer_field(right, "Patience", help, &mut settings.patience, 0..=10_000);
                    });
                    caption(ui, "After warm-up the rate").on_hover_text(
                        "Constant stays at the peak; cosine falls along half a cosine to a tenth of it.",
                    );
                    let schedules = [(LrSchedule::Constant, "stays"), (LrSchedule::Cosine, "falls (cosine)")];
                    segmented(ui, &mut settings.schedule, &schedules);
                },
            );
        });
    }

    /// Whether a run is kept, and what that takes.
    pub(super) fn keeping(&mut self, ui: &mut Ui, state: &State) {
        let Some(runs) = &state.runs_dir else { return };
        let help = format!(
            "A kept run survives a crash as its last checkpoint, can be stopped and go on, is listed with its settings and its \
             curve, and leaves its result as a model, all in a folder of its own in {}. While a checkpoint takes the place of \
             the one before, both are there.",
            runs.display()
        );
        ui.add(Checkbox::new(&mut self.form.keep, "Keep the run on the disk")).on_hover_text(help);
        if !self.form.keep {
            caption(ui, "What it learns lives in memory only until it is saved.");
            return;
        }
        let spec = self.form.spec(state).ok();
        let tried = spec.as_ref().and_then(|(_, spec)| self.trial.cost(state, spec)).map(|cost| cost.parameters);
        // What an adapter takes is known once two steps were tried.
        let open = || {
            let (model, _) = spec.as_ref().filter(|(_, spec)| spec.lora.is_none())?;
            Some(state.models.get(model)?.info.parameters)
        };
        let Some(parameters) = tried.or_else(open) else { return };
        let Some((_, spec)) = &spec else { return };
        let [most, left] = RunBytes::of(parameters, spec).most_and_left();
        let room = self.kept.free.map(|free| format!("; {} are free", bytes_in_words(free))).unwrap_or_default();
        let (most, left) = (bytes_in_words(most), bytes_in_words(left));
        caption(ui, format!("Up to {most} while it trains, {left} when it is done{room}."));
    }

    /// Start, or what can be done with the run under way.
    pub(super) fn start_and_stop(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.active_run(cx.state) {
            Some(job) => run_buttons(ui, cx, job),
            None => {
                self.keeping(ui, cx.state);
                ui.add_space(space::XS);
                self.start_buttons(ui, cx);
            }
        }
    }
}

/// Progress, pause and stop of a run under way; where it is held by an error, what can be done about it.
fn run_buttons(ui: &mut Ui, cx: &mut Cx<'_>, job: JobId) {
    let Some(found) = cx.state.job(job) else { return };
    let (paused, stopping, waiting) = (found.is_paused(), found.stopping, found.phase == Phase::Waiting);
    let trouble = found.trouble.as_ref().filter(|_| !stopping);
    if let Some(error) = trouble {
        error_card(ui, error);
        ui.add_space(space::XS);
        let help = "The run goes on in memory and is not kept; what it learns can be saved when it is done.";
        if secondary_button(ui, None, "Go on without keeping it").on_hover_text(help).clicked() {
            cx.send(Command::LetGo { job });
        }
    } else {
        progress(ui, cx, job);
    }
    ui.columns_const(|[left, right]| {
        left.add_enabled_ui(!stopping && !waiting, |ui| {
            ui.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
                let again = if trouble.is_some() { "Try again" } else { "Resume" };
                if paused {
                    if primary_button(ui, Icon::Play, again).clicked() {
                        cx.send(Command::Resume { job });
                    }
                } else if secondary_button(ui, Some(Icon::Pause), "Pause").clicked() {
                    cx.send(Command::Pause { job });
                }
            });
        });
        right.add_enabled_ui(!stopping, |ui| {
            ui.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
                if danger_button(ui, Icon::Square, "Stop").on_hover_text("Keeps the best weights so far.").clicked() {
                    cx.cancel(job);
                }
            });
        });
    });
}

/// Steps done, their rate, and the time left.
fn progress(ui: &mut Ui, cx: &Cx<'_>, job: JobId) {
    let theme = ui.theme();
    let Some(training) = cx.state.training(job) else { return };
    let (words, share) = match training.points.last() {
        Some(last) => {
            let total = training.spec().steps.max(1);
            let rate = last.step as f64 / last.elapsed_s.max(1e-9);
            let left = total.saturating_sub(last.step) as f64 / rate.max(1e-9);
            let words = format!(
                "step {} of {} · {} a second · {} left",
                number_grouped(last.step as u64),
                number_grouped(total as u64),
                number(rate),
                seconds(left)
            );
            (words, last.step as f32 / total as f32)
        }
        None => {
            let label = cx.state.job(job).and_then(|j| j.progress.as_ref()).map(|p| p.label.clone());
            (label.filter(|label| !label.is_empty()).unwrap_or_else(|| "Preparing".to_owned()), 0.0)
        }
    };
    caption(ui, words);
    let (rect, response) = ui.allocate_exact_size(egui::vec2(ui.available_width(), 4.0), egui::Sense::hover());
    share_bar(ui.painter(), theme, rect, share, theme.accent());
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, "Training progress");
        info.value = Some(f64::from(share) * 100.0);
        info
    });
}

fn rate(ui: &mut Ui, label: &str, help: &str, value: &mut f64) {
    field(ui, label, help, |ui| {
        let speed = *value * 0.01;
        let drag = DragValue::new(value)
            .range(1e-7..=1.0)
            .speed(speed)
            .custom_formatter(|v, _| rate_words(v))
            .custom_parser(|text| text.trim().parse().ok());
        ui.add_sized([ui.available_width(), crate::ui::theme::CONTROL_HEIGHT], drag)
    });
}

/// A learning rate as people write it: `3e-4`, `0.01`.
pub(super) fn rate_words(value: f64) -> String {
    if (0.001..=1.0).contains(&value) {
        number(value)
    } else {
        format!("{value:.2e}").replace(".00e", "e").replace("0e", "e")
    }
}

#[cfg(test)]
mod tests {
    use super::rate_words;

    #[test]
    fn rates_are_written_as_people_do() {
        for (value, words) in [(0.01, "0.01"), (3e-4, "3e-4"), (2.5e-5, "2.5e-5"), (1.25e-6, "1.25e-6"), (1.0, "1")] {
            assert_eq!(rate_words(value), words);
            assert!((words.parse::<f64>().unwrap() - value).abs() < value * 1e-9);
        }
    }
}
