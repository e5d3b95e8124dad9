//! The left column: what is learned, from what, by which networks and how long; start and stop.

use super::Learning;
use super::form::{Form, Learns, Source};
use super::net::{Net, Size, Switches};
use crate::chart::number_grouped;
use crate::types::Nonlinearity;
use crate::ui::files::FileRequest;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    caption, error_card, field, hint, integer_field, job_error, job_progress, menu, path_field, primary_button,
    real_field, secondary_button, seconds, section, segmented,
};
use crate::ui::{Cx, Themed};
use egui::{Align, Checkbox, Layout, RichText, TextEdit, Ui};
use lucide_icons::Icon;

pub(super) const TEXT_FILE: &str = "text to pre-train on";

impl Learning {
    pub(super) fn show_controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let form = &mut self.form;
        section(ui, "Learns", |ui| {
            let choices = [(Learns::Next, "Next word"), (Learns::Blanks, "Blanks")];
            let help = "The labels come from the text itself. Next word: every token is the answer to those before it. Blanks: 15 % of \
                        the tokens are to be guessed; of these 80 % are masked, 10 % are replaced and 10 % stay.";
            ui.scope(|ui| segmented(ui, &mut form.learns, &choices)).response.on_hover_text(help);
        });
        section(ui, "Networks", |ui| match form.learns {
            Learns::Blanks => {
                caption(ui, "An encoder as BERT: it looks both ways.").on_hover_text(Net::Encoder.help());
            }
            Learns::Next => {
                ui.spacing_mut().item_spacing.y = space::XS;
                for net in Net::CAUSAL {
                    let mut on = form.nets.contains(&net);
                    if ui.add(Checkbox::new(&mut on, net.name())).on_hover_text(net.help()).changed() {
                        if on {
                            form.nets.insert(net);
                        } else {
                            form.nets.remove(&net);
                        }
                    }
                }
                if form.nets.contains(&Net::Deep) {
                    switches(ui, form);
                }
                caption(
                    ui,
                    "Each has about as many numbers as the transformer, and learns from the same tokens in the same order.",
                );
            }
        });
        section(ui, "Text", |ui| {
            let choices = [(Source::Stories, "Stories written now"), (Source::File, "A file")];
            segmented(ui, &mut form.source, &choices);
            match form.source {
                Source::Stories => {
                    integer_field(
                        ui,
                        "Seed of the stories",
                        "Sprout writes them: the same seed, the same stories.",
                        &mut form.story_seed,
                        0..=u64::MAX,
                    );
                }
                Source::File => {
                    if path_field(ui, "Text file", "a .txt file, or a folder of them", Icon::FileText, &mut form.file) {
                        cx.pick(
                            TEXT_FILE,
                            FileRequest::open("Choose a text file").filter("Text", &["txt", "md", "text"]),
                        );
                    }
                    caption(ui, "A file can also be dropped here.");
                }
            }
        });
        section(ui, "Size", |ui| {
            let name = |size: Size| Size::ALL.into_iter().find(|(of, _)| *of == size).map_or("", |(_, name)| name);
            let response = menu(ui, "size of the networks", name(form.size), ui.available_width(), |ui| {
                for (size, name) in Size::ALL {
                    ui.selectable_value(&mut form.size, size, name);
                }
            });
            let told = format!("How long each network learns, about: {}", name(form.size));
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, &told));
            let numbers = form.size.numbers();
            caption(
                ui,
                format!(
                    "{} layers of width {}, {} tokens in the vocabulary, sequences of {}.",
                    numbers.layers,
                    numbers.hidden,
                    number_grouped(numbers.vocabulary as u64),
                    numbers.context
                ),
            );
            ui.columns_const(|[left, right]| {
                let steps = number_grouped(numbers.steps as u64);
                text_field(left, "Steps", "How many times the weights are changed. Empty: as many as belong to the size.", &mut form.steps, &steps);
                let help = "How far each step moves the weights (peak of AdamW's rate, which rises first and then falls along half a \
                            cosine). Empty: what suits the size and the network; a recurrent one takes larger steps.";
                text_field(right, "Learning rate", help, &mut form.rate, &crate::chart::number(numbers.rate));
            });
            let help = "Share of what is not held out that is learned from; the held-out part stays. With a hundredth of it the network \
                        learns by heart, and the gap between its two curves shows it.";
            real_field(ui, "Learn from, % of the text", help, &mut form.learn_from, 0.1..=100.0);
            integer_field(
                ui,
                "Seed",
                "Of first weights and the order of the text: the same seed, the same run.",
                &mut form.seed,
                0..=u64::MAX,
            );
            if cx.state.runs_dir.is_some() {
                let help = "A kept run survives a crash as its last checkpoint, is listed among the runs of Fine-tune, can go on there, and \
                            leaves its result as a model.";
                ui.add(Checkbox::new(&mut form.keep, "Keep the runs on the disk")).on_hover_text(help);
            }
            if let Err(wrong) = form.numbers() {
                ui.label(RichText::new(wrong).font(Type::Caption.sans()).color(ui.theme().warning()));
            }
        });
    }

    pub(super) fn show_footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if let Some(error) = self.race.error() {
            error_card(ui, error);
            ui.add_space(space::XS);
        }
        if self.race.asks() {
            return self.ask(ui);
        }
        if let Some(job) = self.race.job() {
            job_progress(ui, cx, job);
            return;
        }
        if let Some(job) = self.race.runners.iter().rev().find_map(|runner| runner.job) {
            job_error(ui, cx, job);
        }
        let missing = self.missing(cx);
        ui.add_enabled_ui(missing.is_none() && !self.race.is_busy(), |ui| {
            ui.columns_const(|[left, right]| {
                left.with_layout(Layout::top_down_justified(Align::Center), |ui| {
                    let button = primary_button(ui, Icon::Play, "Start").on_hover_text("Ctrl+Enter");
                    if button.on_disabled_hover_text(missing.clone().unwrap_or_default()).clicked() {
                        self.begin(cx, false);
                    }
                });
                right.with_layout(Layout::top_down_justified(Align::Center), |ui| {
                    let help = "Takes two steps of each network on a copy, and tells how long all of them take.";
                    if secondary_button(ui, Some(Icon::Timer), "How long?").on_hover_text(help).clicked() {
                        self.begin(cx, true);
                    }
                });
            });
        });
        if let Some(missing) = missing {
            caption(ui, missing);
        }
    }

    /// Tells how long it takes, and asks.
    fn ask(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        if let Some(all) = self.race.seconds() {
            let count = self.race.newest().len();
            let networks = if count == 1 { "the network".to_owned() } else { format!("{count} networks") };
            let words = format!("About {} for {networks}", seconds(all));
            ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.body()));
            caption(ui, "Estimated from two steps of each.");
        }
        ui.columns_const(|[left, right]| {
            left.with_layout(Layout::top_down_justified(Align::Center), |ui| {
                if primary_button(ui, Icon::Play, "Start now").clicked() {
                    self.race.go_on();
                }
            });
            right.with_layout(Layout::top_down_justified(Align::Center), |ui| {
                if secondary_button(ui, None, "Not now").clicked() {
                    self.race.give_up();
                }
            });
        });
    }
}

/// What the deep network is made of.
fn switches(ui: &mut Ui, form: &mut Form) {
    let Switches { layers, activation, norm, residual, dropout } = &mut form.switches;
    ui.indent("what the deep network is made of", |ui| {
        let choices = [(Nonlinearity::Relu, "ReLU"), (Nonlinearity::Sigmoid, "Sigmoid"), (Nonlinearity::Tanh, "tanh")];
        let help = "What each value goes through. A sigmoid is flat at both ends, and through several of them hardly any gradient comes \
                    back; ReLU hands it on whole (Nair and Hinton 2010).";
        ui.scope(|ui| segmented(ui, activation, &choices)).response.on_hover_text(help);
        ui.checkbox(norm, "Normalisation").on_hover_text("Values of a layer are brought to mean 0 and variance 1 (Ba et al. 2016).");
        ui.checkbox(residual, "Residual stream").on_hover_text("A layer adds to what it read (He et al. 2016).");
        ui.columns_const(|[left, right]| {
            integer_field(left, "Layers", "Hidden layers; the number of weights stays, so more of them are narrower.", layers, 1..=32);
            let help = "Share of the values that are left out at random while it learns, so that none relies on another \
                        (Srivastava et al. 2014).";
            real_field(right, "Dropout, %", help, dropout, 0.0..=95.0);
        });
    });
}

fn text_field(ui: &mut Ui, label: &str, help: &str, text: &mut String, usual: &str) {
    field(ui, label, help, |ui| {
        let edit = TextEdit::singleline(text).hint_text(hint(usual)).desired_width(f32::INFINITY);
        ui.add(edit.margin(egui::Margin::symmetric(8, 6)))
    });
}
