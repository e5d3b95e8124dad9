//! The table: a column a network, with what it learned, and a row a distance.

use super::plot::share;
use super::race::{Doing, Race};
use super::result::{Comparison, Contender};
use crate::chart::number_grouped;
use crate::types::MemoryPoint;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{seconds, significant};
use egui::{Align, Color32, Grid, Label, Layout, Response, RichText, ScrollArea, Ui, vec2};

const ROW: f32 = 18.0;
/// Width of a column: a share with its interval, or a name of that length.
const COLUMN: f32 = 132.0;

/// A line of the head: its name, what it means, and the words of each.
type Fact = (&'static str, &'static str, fn(&Contender) -> String);

const FACTS: [Fact; 4] = [
    ("Numbers", "Weights that learn, tied ones counted once.", |of| of.parameters.map_or_else(none, number_grouped)),
    ("Learned", "Steps of learning, and how long they took.", |of| match of.steps {
        0 => none(),
        steps => format!("{} in {}", number_grouped(steps as u64), seconds(of.trained_s)),
    }),
    (
        "Last loss",
        "Mean −ln P(right letter) of the last batch, in nats. Somebody who remembers nothing has ln 8 = 2.08.",
        |of| of.loss.map_or_else(none, significant),
    ),
    ("New questions", "Right answers in sequences that are not learned from, at distances up to 32.", |of| {
        of.held_out.map_or_else(none, share)
    }),
];

fn none() -> String {
    "–".to_owned()
}

pub(super) fn show(ui: &mut Ui, comparison: &Comparison, race: &Race) {
    let theme = ui.theme();
    let text = |words: String, ink: Color32| RichText::new(words).font(Type::Caption.mono()).color(ink);
    let (body, quiet) = (theme.body(), theme.caption());
    ScrollArea::horizontal().id_salt("memory table").show(ui, |ui| {
        let grid = Grid::new("memory table").num_columns(comparison.contenders.len() + 1).min_row_height(ROW);
        grid.spacing(vec2(space::S, 2.0)).show(ui, |ui| {
            ui.label("");
            for (place, of) in comparison.contenders.iter().enumerate() {
                right(ui, RichText::new(&of.name).font(Type::Caption.bold()).color(theme.category(of.hue(place))));
            }
            ui.end_row();
            ui.label("");
            for (place, of) in comparison.contenders.iter().enumerate() {
                right(ui, RichText::new(standing(of, place, race)).font(Type::Caption.sans()).color(quiet));
            }
            ui.end_row();
            let is_learned = comparison.contenders.iter().any(|of| of.net.is_some());
            for (name, help, words) in FACTS.iter().filter(|(name, ..)| is_learned || *name == "Numbers") {
                ui.label(RichText::new(*name).font(Type::Caption.sans()).color(quiet)).on_hover_text(*help);
                for of in &comparison.contenders {
                    right(ui, text(words(of), body));
                }
                ui.end_row();
            }
            for distance in comparison.distances() {
                let name = format!("{distance} back");
                ui.label(RichText::new(name).font(Type::Caption.sans()).color(quiet));
                for of in &comparison.contenders {
                    let points = of.report.iter().flat_map(|report| &report.points);
                    let point = points.filter(|point| point.asked > 0).find(|point| point.distance == distance);
                    let response = right(ui, text(point.map_or_else(none, told), body));
                    if let Some(point) = point {
                        response.on_hover_text(format!("{} of {} right; 95 % interval", point.right, point.asked));
                    }
                }
                ui.end_row();
            }
        });
    });
}

fn right(ui: &mut Ui, words: RichText) -> Response {
    let add = |ui: &mut Ui| {
        // A column keeps its width, whatever stands in it.
        ui.set_min_width(COLUMN);
        ui.add(Label::new(words).truncate())
    };
    ui.allocate_ui_with_layout(vec2(COLUMN, ROW), Layout::right_to_left(Align::Center), add).inner
}

/// A share with its interval.
fn told(point: &MemoryPoint) -> String {
    let [low, high] = point.interval().map(|end| end * 100.0);
    format!("{} ({low:.0}–{high:.0})", share(point.accuracy()))
}

/// Where one stands.
fn standing(of: &Contender, place: usize, race: &Race) -> &'static str {
    match race.now() {
        Some((now, Doing::Learning)) if now == place => "learns",
        Some((now, Doing::Asking)) if now == place => "is asked",
        _ if race.is_waiting(place) => "waits",
        _ if of.report.is_some() => "asked",
        _ => "not asked",
    }
}
