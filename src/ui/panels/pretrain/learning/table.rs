//! The runs on show, a row each: sizes, speed, both losses and the gap between them.

use super::form::Learns;
use super::race::{Race, Runner};
use crate::chart::{number, number_grouped};
use crate::types::TrainPoint;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, ghost_button, seconds};
use crate::ui::{Cx, Phase, State, Themed};
use egui::{Grid, RichText, Sense, Ui, vec2};

/// The last training loss is the mean over so many steps at most, and over a twentieth of all.
const SPAN: usize = 20;

/// Where the two curves of a run end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    /// Mean of the last steps.
    pub training: f64,
    pub validation: Option<f64>,
    /// Validation less training at the last validation: what the network knows of its own text alone.
    pub gap: Option<f64>,
}

/// Where the curves end; none before the first step.
pub(super) fn ends(points: &[TrainPoint]) -> Option<Ends> {
    let mean = |points: &[TrainPoint]| {
        let last = &points[points.len() - (points.len() / 20).clamp(1, SPAN)..];
        last.iter().map(|point| point.loss).sum::<f64>() / last.len() as f64
    };
    let last = points.iter().rposition(|point| point.validation_loss.is_some());
    let validation = last.and_then(|last| points[last].validation_loss);
    let gap = last.zip(validation).map(|(last, validation)| validation - mean(&points[..=last]));
    (!points.is_empty()).then(|| Ends { training: mean(points), validation, gap })
}

/// Tokens a second, pauses not counted.
fn pace(runner: &Runner, points: &[TrainPoint]) -> Option<f64> {
    let (last, spec) = (points.last()?, runner.spec.as_ref()?);
    Some((last.step * spec.examples_per_step()) as f64 / last.elapsed_s).filter(|pace| pace.is_finite())
}

/// What a run is at, in a word or two.
fn standing(runner: &Runner, state: &State) -> String {
    let Some(job) = runner.job else {
        return match runner.cost.zip(runner.spec.as_ref()) {
            Some((cost, spec)) => format!("about {}", seconds(cost.seconds(spec))),
            None if runner.kept.is_some() => "of before".to_owned(),
            None => "waits".to_owned(),
        };
    };
    let steps = runner.spec.as_ref().map_or(0, |spec| spec.steps);
    match state.job(job).map(|job| (&job.phase, job.stopping)) {
        Some((Phase::Waiting, _)) => "waits".to_owned(),
        Some((Phase::Running, false)) => {
            let done = runner.points(state).last().map_or(0, |point| point.step);
            format!("{} of {}", number_grouped(done as u64), number_grouped(steps as u64))
        }
        Some((Phase::Running, true)) => "stopping".to_owned(),
        Some((Phase::Paused, _)) => "paused".to_owned(),
        Some((Phase::Failed(_), _)) => "failed".to_owned(),
        Some((Phase::Cancelled, _) | (Phase::Done, true)) => "stopped".to_owned(),
        Some((Phase::Done, false)) | None => "done".to_owned(),
    }
}

impl Race {
    /// Shows the runs; gives the one that was clicked. Those that learn something else than what is drawn are grey.
    pub fn table(&mut self, ui: &mut Ui, cx: &Cx<'_>, drawn: Learns, selected: Option<usize>) -> Option<usize> {
        let theme = ui.theme();
        let mut clicked = None;
        let head = ["", "Network", "Numbers", "Tokens / s", "Training", "Validation", "Gap", ""];
        let grid = Grid::new("networks that learn")
            .num_columns(head.len())
            .min_row_height(22.0)
            .min_col_width(0.0)
            .spacing(vec2(space::M, 2.0));
        grid.show(ui, |ui| {
            for name in head {
                let response = caption(ui, name);
                match name {
                    "Gap" => response.on_hover_text(
                        "Validation less training loss, in nats: what the network has learned by heart and not understood.",
                    ),
                    "Numbers" => response.on_hover_text("Weights and biases that learn."),
                    _ => response,
                };
            }
            ui.end_row();
            for (place, runner) in self.runners.iter_mut().enumerate() {
                let is_drawn = runner.learns == drawn;
                let ink = if is_drawn { theme.category(runner.hue) } else { theme.caption() };
                let mut shown = is_drawn && !runner.hidden;
                let box_ = ui.add_enabled(is_drawn, egui::Checkbox::without_text(&mut shown));
                box_.widget_info(|| {
                    let name = format!("Draw {}", runner.name);
                    egui::WidgetInfo::selected(egui::Role::CheckBox, is_drawn, shown, name)
                });
                if is_drawn {
                    runner.hidden = !shown;
                }
                box_.on_disabled_hover_text(match runner.learns {
                    Learns::Next => "It learns to predict the next token, which no axis here shares with filling blanks. Choose its name to draw such runs.",
                    Learns::Blanks => "It learns to fill blanks, which no axis here shares with predicting the next token. Choose its name to draw such runs.",
                });
                let strength = if selected == Some(place) { Type::Body.bold() } else { Type::Body.sans() };
                let name = ui.add(egui::Label::new(RichText::new(&runner.name).font(strength).color(ink)).sense(Sense::click()));
                if name.clicked() {
                    clicked = Some(place);
                }
                name.on_hover_text("Tells more of this run at the right.");
                let points = runner.points(cx.state);
                let ends = ends(points);
                let mono = |ui: &mut Ui, text: Option<String>| {
                    let text = text.unwrap_or_else(|| "–".to_owned());
                    ui.label(RichText::new(text).font(Type::Caption.mono()).color(theme.body()));
                };
                mono(ui, runner.parameters().map(number_grouped));
                mono(ui, pace(runner, points).map(|pace| number_grouped(pace.round() as u64)));
                mono(ui, ends.map(|ends| number(ends.training)));
                mono(ui, ends.and_then(|ends| ends.validation).map(number));
                mono(ui, ends.and_then(|ends| ends.gap).map(|gap| format!("{gap:+.2}")));
                caption(ui, standing(runner, cx.state));
                ui.end_row();
            }
        });
        let over = !self.is_busy() && !self.runners.is_empty();
        if over
            && ghost_button(ui, None, "Clear")
                .on_hover_text("Takes these runs off the show. Kept ones stay on the disk.")
                .clicked()
        {
            self.clear();
        }
        clicked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_told_where_both_were_measured() {
        let point = |step, loss, validation_loss| TrainPoint { step, loss, validation_loss, ..TrainPoint::default() };
        assert_eq!(ends(&[]), None);
        let found = ends(&[point(1, 4.0, None), point(2, 2.0, Some(3.5)), point(3, 9.0, None)]).unwrap();
        assert_eq!((found.training, found.validation, found.gap), (9.0, Some(3.5), Some(1.5)));
    }
}
