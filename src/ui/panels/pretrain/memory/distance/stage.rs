//! The stage: who is at it, curves, and the table under them.

use super::nets::LONGEST;
use super::race::Doing;
use super::{Distance, export, plot, table};
use crate::types::printable;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Stamp, caption, empty_state, ghost_button, icon_button, job_error, job_progress, percent, significant, stage_header,
};
use crate::ui::{Cx, Themed};
use egui::{Popup, RichText, ScrollArea, Ui, vec2};
use lucide_icons::Icon;

const ANSWERS: &str = "Small networks learn to say again what stood some letters before, and are asked at growing distances. One that reads \
     letter by letter must carry it; one that attends looks it up.";
/// Between what is shown and the bar that scrolls it.
const BESIDE_BAR: f32 = 8.0;

impl Distance {
    pub fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some(comparison) = &self.shown else {
            if empty_state(ui, Icon::History, "How far back does a network remember?", ANSWERS, Some("Train and ask")) {
                self.take_usual();
                self.start(cx);
            }
            return;
        };
        self.header(ui, cx, comparison.reports().next().is_some());
        let stamp = self.stamp();
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        self.progress(ui, cx);
        for job in self.race.jobs().to_vec() {
            job_error(ui, cx, job);
        }
        let Some(comparison) = &self.shown else { return };
        ui.add_space(space::XS);
        let height = (ui.available_height() * 0.56).clamp(190.0, 520.0);
        ScrollArea::vertical().id_salt("memory result").auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - BESIDE_BAR);
            Stamp::over(stamp.as_ref(), ui, |ui| {
                plot::show(ui, comparison, vec2(ui.available_width(), height));
                ui.add_space(space::S);
                if let Some(says) = comparison.says() {
                    let theme = ui.theme();
                    ui.label(RichText::new(says).font(Type::Body.sans()).color(theme.body()));
                }
                let example = comparison.reports().find_map(|(_, report)| report.example.clone());
                if let Some((question, answer)) = example {
                    caption(ui, format!("Asked such as {} and then {answer}.", printable(&question)));
                }
                ui.add_space(space::S);
                table::show(ui, comparison, &self.race);
            });
        });
    }

    fn header(&self, ui: &mut Ui, cx: &mut Cx<'_>, has_points: bool) {
        let mut chosen = None;
        stage_header(ui, "Right answers by distance", "", |ui| {
            ui.add_enabled_ui(has_points, |ui| {
                let button = icon_button(ui, Icon::Download, "Export what is remembered");
                Popup::menu(&button).show(|ui| {
                    ui.set_width(230.0);
                    for (_, name, format) in export::ENTRIES {
                        if ghost_button(ui, None, name).clicked() {
                            chosen = Some(format);
                        }
                    }
                });
            });
        });
        if let Some(format) = chosen {
            self.export(format, cx);
        }
    }

    /// Who learns or is asked now, and how it stands.
    fn progress(&self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let (Some((place, doing)), Some(job)) = (self.race.now(), self.race.job()) else { return };
        let Some(contender) = self.shown.as_ref().and_then(|comparison| comparison.contenders.get(place)) else {
            return;
        };
        let mut words = match doing {
            Doing::Learning => format!("{} learns", contender.name),
            Doing::Asking => format!("{} is asked", contender.name),
        };
        if doing == Doing::Learning {
            if let Some(loss) = contender.loss {
                words += &format!(" · loss {}", significant(loss));
            }
            if let Some(share) = contender.held_out {
                words += &format!(" · {} right on new questions, up to {LONGEST} tokens back", percent(share as f32));
            }
        }
        let theme = ui.theme();
        ui.add_space(space::XS);
        ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.body()));
        job_progress(ui, cx, job);
    }
}
