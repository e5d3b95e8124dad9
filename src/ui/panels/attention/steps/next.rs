//! The likeliest next tokens, or classes, at a temperature that can be moved.

use super::{Pick, Pointed, shown};
use crate::types::{StepKind, StepsReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{self, caption, one_line, percent, share_bar, significant};
use egui::{Align2, Rect, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};
use std::sync::Arc;

const ROW: f32 = 24.0;

/// The temperature, and the sum of a softmax that was made with it.
pub(super) struct NextTokens {
    temperature: f32,
    sum: Option<(Arc<[f32]>, f32, f64)>,
}

impl Default for NextTokens {
    fn default() -> Self {
        Self { temperature: 1.0, sum: None }
    }
}

/// Σ exp((score − max) / T) over all scores.
fn partition(scores: &[f32], temperature: f32) -> f64 {
    let most = f64::from(largest(scores));
    scores.iter().map(|score| ((f64::from(*score) - most) / f64::from(temperature)).exp()).sum()
}

fn largest(scores: &[f32]) -> f32 {
    scores.iter().fold(f32::NEG_INFINITY, |most, score| most.max(*score))
}

impl NextTokens {
    /// The sum below the line of the softmax, made anew where scores or temperature changed.
    fn partition(&mut self, scores: &Arc<[f32]>) -> f64 {
        match &self.sum {
            Some((of, at, sum)) if Arc::ptr_eq(of, scores) && *at == self.temperature => *sum,
            _ => {
                let sum = partition(scores, self.temperature);
                self.sum = Some((scores.clone(), self.temperature, sum));
                sum
            }
        }
    }

    pub(super) fn show(&mut self, ui: &mut Ui, report: &StepsReport, focus: Option<Pick>, height: f32) -> Pointed {
        let Some(step) = report.step(StepKind::Logits) else {
            for (_, words) in report.absent.iter().filter(|(kind, _)| *kind == StepKind::Logits) {
                caption(ui, *words);
            }
            return Pointed::default();
        };
        let scores = &step.values;
        ui.horizontal(|ui| {
            let name =
                caption(ui, "Temperature").on_hover_text("p = exp((score − max) / T) / Σ exp((score − max) / T)");
            let slider = egui::Slider::new(&mut self.temperature, 0.1..=3.0).fixed_decimals(2);
            ui.scope(|ui| {
                ui.set_max_width(220.0);
                let _ = widgets::slider(ui, slider).labelled_by(name.id);
            });
        });
        let (sum, most) = (self.partition(scores), f64::from(largest(scores)));
        let probability = |id: usize| {
            let part = (f64::from(scores[id]) - most) / f64::from(self.temperature);
            (part.exp() / sum) as f32
        };
        let mut pointed = Pointed::default();
        let mut list = |ui: &mut Ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let mut told = 0.0;
            for top in report.top.iter().filter(|top| (top.id as usize) < scores.len()) {
                let id = top.id as usize;
                let share = probability(id);
                told += share;
                let pick = Pick { kind: StepKind::Logits, index: id };
                let row = row(ui, &shown(&top.text), scores[id], share, focus == Some(pick));
                if row.hovered() || row.has_focus() {
                    pointed.hovered = Some(pick);
                }
                if row.clicked() {
                    pointed.clicked = Some(pick);
                }
            }
            ui.add_space(space::XS);
            caption(
                ui,
                format!(
                    "{} to all others · Σ exp((score − max) / T) = {}",
                    percent((1.0 - told).max(0.0)),
                    significant(sum)
                ),
            );
        };
        let area = ScrollArea::vertical().id_salt("next").max_height(height - 40.0);
        area.auto_shrink([false, true]).show(ui, &mut list);
        pointed
    }
}

fn row(ui: &mut Ui, text: &str, score: f32, share: f32, is_focus: bool) -> egui::Response {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width() - 12.0, ROW), Sense::click());
    let (number, share_words) = (significant(f64::from(score)), percent(share));
    let words = format!("{text}: score {number}, {share_words}");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_focus, &words));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    if is_focus || response.hovered() {
        painter.rect_filled(rect, CHIP_RADIUS, if is_focus { theme.accent_soft() } else { theme.hover() });
    }
    let middle = rect.center().y;
    let room = (rect.width() * 0.34).min(160.0);
    let name = one_line(&painter, text, Type::Body.mono(), theme.body(), room);
    painter.galley(pos2(rect.left() + 4.0, middle - name.size().y / 2.0), name, theme.body());
    let score_right = rect.left() + room + 64.0;
    painter.text(pos2(score_right, middle), Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.caption());
    let bar = Rect::from_min_max(pos2(score_right + 10.0, middle - 4.0), pos2(rect.right() - 58.0, middle + 4.0));
    let colour = if is_focus { theme.accent() } else { theme.neutral(6) };
    share_bar(&painter, theme, bar, share, colour);
    let at = pos2(rect.right() - 4.0, middle);
    painter.text(at, Align2::RIGHT_CENTER, share_words, Type::Caption.mono(), theme.caption());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_temperatures_leave_the_likeliest_and_high_ones_even_out() {
        let scores: Arc<[f32]> = vec![2.0, 1.0, 1.0, -4.0].into();
        assert!((partition(&scores, 1.0) - (1.0 + 2.0 * (-1.0f64).exp() + (-6.0f64).exp())).abs() < 1e-12);
        assert!((partition(&scores, 0.01) - 1.0).abs() < 1e-9 && (partition(&scores, 1e6) - 4.0).abs() < 1e-4);
        let mut view = NextTokens::default();
        let before = view.partition(&scores);
        view.temperature = 0.5;
        assert!(view.partition(&scores) < before, "a changed temperature makes another sum");
    }
}
