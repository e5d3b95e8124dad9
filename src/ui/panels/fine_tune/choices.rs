//! How curves are looked at, chosen above the plot.

use super::FineTunePanel;
use super::view::Time;
use crate::ui::theme::space;
use crate::ui::widgets::{caption, segmented};
use egui::{Slider, Ui};

impl FineTunePanel {
    pub(super) fn choices(&mut self, ui: &mut Ui, has_accuracy: bool) {
        // What does not fit beside the rest gets a row of its own.
        let room = ui.available_width();
        let logs_fit = room > if has_accuracy { 560.0 } else { 390.0 };
        let all_fit = room > if has_accuracy { 1020.0 } else { 860.0 };
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::M;
            if has_accuracy {
                segmented(ui, &mut self.view.accuracy, &[(false, "Loss"), (true, "Accuracy")]);
            }
            let times =
                [(Time::Steps, "Steps"), (Time::Examples, "Tokens"), (Time::Seconds, "Seconds"), (Time::Operations, "Work")];
            ui.scope(|ui| segmented(ui, &mut self.view.time, &times)).response.on_hover_text(
                "What runs lie over each other by: steps; tokens or images learned from; seconds of training; additions and \
                 multiplications, six for each weight and token, for text models.",
            );
            if logs_fit {
                self.logs(ui);
            }
            if all_fit {
                self.more(ui);
            }
        });
        if !logs_fit {
            ui.horizontal(|ui| self.logs(ui));
        }
        if !all_fit {
            ui.horizontal(|ui| self.more(ui));
        }
    }

    fn logs(&mut self, ui: &mut Ui) {
        ui.checkbox(&mut self.view.log_x, "Log x").on_hover_text("Equal distances are equal ratios of steps.");
        ui.add_enabled_ui(!self.view.accuracy, |ui| {
            ui.checkbox(&mut self.view.log_y, "Log y").on_hover_text("Equal distances are equal ratios of loss.");
        });
    }

    /// What has a row of its own where there is little room.
    fn more(&mut self, ui: &mut Ui) {
        self.smoothing(ui);
        ui.checkbox(&mut self.view.below, "Rate and gradient").on_hover_text(
            "Below, on the same axis: the learning rate, and how long the gradient was before it was clipped.",
        );
    }

    fn smoothing(&mut self, ui: &mut Ui) {
        ui.add_enabled_ui(!self.view.accuracy, |ui| {
            let help = "Weight of the past in the moving average of the training loss. The raw values stay underneath, at \
                        30 %. 0 shows them alone.";
            let name = caption(ui, "Smoothing").on_hover_text(help);
            ui.spacing_mut().slider_width = 110.0;
            // Most of the effect is near one, so the slider moves in the logarithm of what is forgotten.
            let mut forgotten = -(1.0 - self.view.smoothing).log10();
            let shown = |v: f64, _: std::ops::RangeInclusive<usize>| format!("{:.3}", 1.0 - 10f64.powf(-v));
            let parsed = |text: &str| text.parse::<f64>().ok().map(|w| -(1.0 - w.clamp(0.0, 0.999)).log10());
            let slider = Slider::new(&mut forgotten, 0.0..=3.0).custom_formatter(shown).custom_parser(parsed);
            if ui.add(slider).labelled_by(name.id).on_hover_text(help).changed() {
                self.view.smoothing = (1.0 - 10f64.powf(-forgotten)).clamp(0.0, 0.999);
            }
        });
    }
}
