//! The table of runs under the plot, and the curves in words.

use super::FineTunePanel;
use super::view::{NamedRun, best, best_accuracy, standing, summary};
use crate::chart::{number, number_grouped};
use crate::types::JobId;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, icon_button, seconds};
use egui::{Grid, RichText, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, vec2};
use lucide_icons::Icon;

impl FineTunePanel {
    pub(super) fn run_table(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, runs: &[NamedRun<'_>]) {
        if let Some(run) = runs.iter().find(|r| Some(r.training.job) == self.selected) {
            caption(ui, summary(run));
        }
        ui.add_space(space::XS);
        ScrollArea::both().id_salt("runs").auto_shrink([false, false]).show(ui, |ui| {
            Grid::new("run table").num_columns(7).min_row_height(24.0).spacing(vec2(space::L, 2.0)).show(ui, |ui| {
                for title in ["", "Run", "State", "Steps", "Best validation", "Accuracy", "Time"] {
                    caption(ui, title);
                }
                ui.end_row();
                for run in runs.iter().rev() {
                    self.run_row(ui, cx, run);
                    ui.end_row();
                }
            });
        });
    }

    fn run_row(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>) {
        let theme = ui.theme();
        let job = run.training.job;
        let shown = self.view.shows(run);
        self.eye(ui, run, shown);
        let on = self.selected == Some(job);
        let name = RichText::new(&run.name).font(if on { Type::Body.bold() } else { Type::Body.sans() });
        let ink = if on { theme.accent_text() } else { theme.body() };
        let label = ui.add(egui::Label::new(name.color(ink)).sense(Sense::click()));
        label.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, on, &run.name));
        if label.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
            self.selected = Some(job);
        }
        let points = &run.training.points;
        let last = points.last();
        let mono = |ui: &mut Ui, text: String| {
            ui.label(RichText::new(text).font(Type::Body.mono()).color(theme.body()));
        };
        let state = standing(cx.state, run.training);
        let ink = if state == "failed" { theme.danger() } else { theme.body() };
        ui.label(RichText::new(state).font(Type::Body.sans()).color(ink));
        let steps = number_grouped(last.map_or(0, |p| p.step) as u64);
        mono(ui, format!("{steps} / {}", number_grouped(run.training.spec().steps as u64)));
        mono(
            ui,
            best(points)
                .map_or_else(dash, |(step, loss)| format!("{} @ {}", number(loss), number_grouped(step as u64))),
        );
        mono(ui, best_accuracy(points).map_or_else(dash, |a| format!("{:.2} %", a * 100.0)));
        mono(ui, last.map_or_else(dash, |p| seconds(p.elapsed_s)));
    }

    /// The run's hue, and whether its curves are drawn.
    fn eye(&mut self, ui: &mut Ui, run: &NamedRun<'_>, shown: bool) {
        let theme = ui.theme();
        let job: JobId = run.training.job;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
            let hue = theme.category(run.hue);
            if shown {
                ui.painter().rect_filled(rect, 2.0, hue);
            } else {
                ui.painter().rect_stroke(rect, 2.0, egui::Stroke::new(1.0, hue), egui::StrokeKind::Inside);
            }
            let (icon, verb) = if shown { (Icon::Eye, "Hide") } else { (Icon::EyeOff, "Show") };
            if icon_button(ui, icon, &format!("{verb} {}", run.name)).clicked() {
                if shown {
                    self.view.hidden.insert(job);
                } else {
                    self.view.hidden.remove(&job);
                }
            }
        });
    }
}

fn dash() -> String {
    "–".to_owned()
}
