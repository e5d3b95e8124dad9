//! The left column: what is asked for, who learns, who is asked as it is; start and stop.

use super::Distance;
use super::form::Form;
use super::nets::{LONGEST, Net, parameters};
use crate::chart::number_grouped;
use crate::types::MemoryKind;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, danger_button, integer_field, primary_button, seconds, section, segmented};
use crate::ui::{Cx, Themed, full_name};
use egui::{Align, Layout, RichText, Ui};
use lucide_icons::Icon;

const STEPS_HELP: &str = "Each step learns from 32 sequences of 64 letters, drawn anew. With fewer than a few hundred, networks that could \
     remember have not learned to.";
const QUESTIONS_HELP: &str = "Questions at each distance. More make the intervals narrower.";
const SEED_HELP: &str =
    "First weights, what is learned from, and the questions are drawn from it: the same seed gives the same curves.";
const OTHERS_HELP: &str = "Asked as it is, without learning. Its tokens must be single letters where letters stand alone, as those of most models are.";

/// What a task asks for.
fn words(of: MemoryKind) -> &'static str {
    match of {
        MemoryKind::Copy => {
            "Letters, among them one behind the mark >. At ? that letter is said again: one thing must be kept."
        }
        MemoryKind::Recall => {
            "Keys with values, such as Ac Bf. At ? and a key its last value is said: all that came must be kept, or found again."
        }
    }
}

fn example(of: MemoryKind) -> &'static str {
    match of {
        MemoryKind::Copy => "cah>dbgfae? → d",
        MemoryKind::Recall => "AcBfGaDh?B → f",
    }
}

impl Distance {
    pub fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Task", |ui| {
            segmented(ui, &mut self.form.of, &[(MemoryKind::Copy, "Copy"), (MemoryKind::Recall, "Recall")]);
            caption(ui, words(self.form.of));
            let theme = ui.theme();
            ui.label(RichText::new(example(self.form.of)).font(Type::Body.mono()).color(theme.body()));
        });
        section(ui, "Networks that learn it", |ui| ui.scope(|ui| nets(&mut self.form, ui)));
        let askable = Self::askable(cx.state);
        if !askable.is_empty() {
            section(ui, "Open models, asked as they are", |ui| {
                ui.scope(|ui| {
                    close_rows(ui);
                    for id in askable {
                        let Some(open) = cx.state.models.get(&id) else { continue };
                        let mut on = self.others.contains(&id);
                        if ui.checkbox(&mut on, full_name(&open.info)).on_hover_text(OTHERS_HELP).changed() {
                            if on {
                                self.others.insert(id)
                            } else {
                                self.others.remove(&id)
                            };
                        }
                    }
                });
            });
        }
        section(ui, "Run", |ui| {
            ui.columns_const(|[left, right]| {
                integer_field(left, "Steps of each", STEPS_HELP, &mut self.form.steps, 1..=20_000);
                integer_field(right, "Seed", SEED_HELP, &mut self.form.seed, 0..=u64::from(u32::MAX));
            });
            integer_field(ui, "Questions a distance", QUESTIONS_HELP, &mut self.form.questions, 10..=5_000);
        });
    }

    /// Start with the time it takes, or stop.
    pub fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let justified = Layout::top_down_justified(Align::Center);
        if self.race.is_on() {
            let stopping = self.race.job().and_then(|job| cx.state.job(job)).is_some_and(|job| job.stopping);
            ui.add_enabled_ui(!stopping, |ui| {
                ui.with_layout(justified, |ui| {
                    let help = "What was answered so far stays.";
                    if danger_button(ui, Icon::Square, "Stop").on_hover_text(help).clicked() {
                        self.race.stop(cx);
                    }
                });
            });
            return;
        }
        self.times.measure(&self.form, cx);
        let lacks = self.lacks();
        match lacks {
            Some(words) => {
                ui.label(RichText::new(words).font(Type::Caption.sans()).color(ui.theme().warning()));
            }
            None => {
                caption(ui, self.price()).on_hover_text("Estimated from two steps of each network, thrown away.");
            }
        }
        ui.add_enabled_ui(lacks.is_none(), |ui| {
            ui.with_layout(justified, |ui| {
                if primary_button(ui, Icon::Play, "Start").on_hover_text("Ctrl+Enter").clicked() {
                    self.start(cx);
                }
            });
        });
    }

    /// Who learns for how long.
    fn price(&self) -> String {
        let learning = match self.form.nets.len() {
            0 => return "Nobody learns; open models are asked.".to_owned(),
            1 => "1 network learns".to_owned(),
            count => format!("{count} networks learn"),
        };
        let steps = number_grouped(self.form.steps as u64);
        match self.times.seconds(&self.form) {
            Some(length) => format!("{learning} {steps} steps · about {}", seconds(length)),
            None if self.times.is_measuring() => format!("{learning} {steps} steps · time being measured"),
            None => format!("{learning} {steps} steps"),
        }
    }
}

/// Rows of boxes stand close.
fn close_rows(ui: &mut Ui) {
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.spacing_mut().interact_size.y = 22.0;
}

fn nets(form: &mut Form, ui: &mut Ui) {
    close_rows(ui);
    for net in Net::ALL {
        let mut on = form.nets.contains(&net);
        if ui.checkbox(&mut on, net.name()).on_hover_text(net.help()).changed() {
            if on {
                form.nets.insert(net)
            } else {
                form.nets.remove(&net)
            };
        }
    }
    // To the next hundred: sizes are chosen so that they come near to it.
    let count = number_grouped((parameters() + 50) / 100 * 100);
    caption(ui, format!("Each has about {count} numbers and learns distances up to {LONGEST}."));
}
