//! Above the stage: how the tokens are looked at, which heads together, and what of them.

use super::plane::{Measure, Over, Planes};
use super::ways::{self, Way};
use crate::types::Grouping;
use crate::ui::theme::Type;
use crate::ui::widgets::segmented;
use egui::{ComboBox, Ui};
use lucide_icons::Icon;

const OVERS: [(Over, &str, &str); 5] = [
    (Over::Head, "This head", "The head that is selected in the grid."),
    (
        Over::Layer,
        "Its layer",
        "All heads of the layer: the mean of their weights, or the length of what they write together.",
    ),
    (Over::Picked, "Picked heads", "The mean of heads that are picked in the grid by a click with Ctrl held down."),
    (Over::All, "Every head", "The mean of all heads of all layers."),
    (
        Over::Rollout,
        "Rollout",
        "All layers after one another, if attention and the residual stream each pass on half (Abnar and Zuidema 2020).",
    ),
];

const GROUPINGS: [(Grouping, &str, &str); 4] = [
    (Grouping::Tokens, "Tokens", "Each token alone."),
    (Grouping::Words, "Words", "The pieces of a word together: what is looked at is added up, what looks is averaged."),
    (Grouping::Sentences, "Sentences", "Up to a full stop, a question mark, an exclamation mark or the end of a line."),
    (Grouping::Lines, "Lines", "Up to the end of a line: with most templates, an example each."),
];

const MEASURES: [(Measure, &str); 2] = [(Measure::Weights, "Weights"), (Measure::Lengths, "Lengths")];
const MEASURE_HELP: &str = "A weight tells how much of a token's value is taken, not how much there is to take: heads that rest on \
     one token often give it a value that is nearly nothing. Lengths are of what is brought along, ‖α v W_O‖ (Kobayashi et al. 2020).";

/// Width from which all choices stand in one row.
const ONE_ROW: f32 = 960.0;

/// The choices in one row, or in two where there is little room.
pub(super) fn show(way: &mut Way, planes: &mut Planes, is_picture: bool, ui: &mut Ui) {
    let is_wide = ui.available_width() >= ONE_ROW;
    ui.horizontal(|ui| {
        if is_picture {
            ways::choose_for_picture(way, ui);
        } else {
            ways::choose(way, ui);
        }
        if way.is_of_planes() && is_wide {
            of_planes(planes, ui);
        }
    });
    if way.is_of_planes() && !is_wide {
        ui.horizontal(|ui| of_planes(planes, ui));
    }
}

fn of_planes(planes: &mut Planes, ui: &mut Ui) {
    menu(ui, "Heads seen together", WIDTH, &mut planes.seen.over, &OVERS);
    menu(ui, "Tokens taken together", WIDTH, &mut planes.seen.grouping, &GROUPINGS);
    ui.scope(|ui| segmented(ui, &mut planes.seen.measure, &MEASURES)).response.on_hover_text(MEASURE_HELP);
}

/// Width of the menus.
const WIDTH: f32 = 104.0;

/// A menu of choices, each explained on hover.
pub(super) fn menu<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    width: f32,
    value: &mut T,
    choices: &[(T, &str, &str)],
) {
    let title = choices.iter().find(|(choice, ..)| choice == value).map_or("", |(_, title, _)| *title);
    let combo = ComboBox::from_id_salt(name).selected_text(title).width(width).icon(|ui, rect, visuals, _is_open| {
        let (icon, ink) = (char::from(Icon::ChevronDown), visuals.fg_stroke.color);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
    });
    let response = combo.show_ui(ui, |ui| {
        for (choice, title, help) in choices {
            ui.selectable_value(value, *choice, *title).on_hover_text(*help);
        }
    });
    let _ = response.response.accessible_name(name);
}
