//! The left column: all heads small, and how they are coloured.

use super::look::{Colours, Contrast, Direction};
use super::tokens::TokensView;
use super::{Shown, overview};
use crate::chart::Format;
use crate::types::ColorMap;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, section, segmented};
use crate::ui::{Cx, Prompting};
use egui::{RichText, Ui};
use lucide_icons::Icon;

const HEAD_HELP: &str = "A head is one of several attention patterns a layer computes side by side, each with queries and keys \
     of its own: softmax(q·k / √d), over all earlier tokens, or over all tokens in an encoder.";
pub(super) const CONTRAST_HELP: &str =
    "Linear shows weights as they are. The square root makes small ones visible beside one that takes nearly all.";

/// How weights become colours.
pub(super) const SCALES: [(Contrast, &str); 2] = [(Contrast::Linear, "Linear"), (Contrast::SquareRoot, "Square root")];

/// Gives the format that the head is to be written in.
pub(super) fn show(
    view: &mut TokensView,
    colours: &mut Colours,
    shown: Option<&Shown>,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
) -> Option<Format> {
    let theme = ui.theme();
    ui.add_space(space::S);
    if cx.state.prompting() == Prompting::Encodes {
        view.typing(ui, cx);
    }
    let title = shown.map_or_else(|| "Heads".to_owned(), |s| format!("{} layers × {} heads", s.layers, s.heads));
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body())).on_hover_text(HEAD_HELP);
    match shown {
        Some(shown) => {
            overview::show(view, colours, ui, cx, shown);
            caption(ui, "Rows are layers, columns heads. Arrow keys move.");
            if let Some(words) = &shown.report.left_out {
                ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
            }
        }
        None => drop(caption(ui, "They appear here after a run.")),
    }
    section(ui, "Colours", |ui| {
        let maps = ColorMap::ALL.map(|m| (m, m.name()));
        caption(ui, "Map");
        segmented(ui, &mut colours.map, &maps);
        widgets::explain(ui, "Scale", CONTRAST_HELP);
        segmented(ui, &mut colours.contrast, &SCALES);
        let look = colours.look(theme);
        let width = (ui.available_width() - 8.0).min(280.0);
        ui.add_space(space::XS);
        widgets::legend(ui, width, |place| look.at(place, theme.ground()), &look.marks());
    });
    section(ui, "Token strip", |ui| {
        let ways = [(Direction::LooksAt, "Looks at"), (Direction::LookedAtBy, "Looked at by")];
        segmented(ui, &mut view.direction, &ways);
    });
    shown.and_then(|_| export(ui, "Export this head"))
}

/// Buttons for writing what the stage shows into a file; gives the format that was chosen.
pub(super) fn export(ui: &mut Ui, title: &str) -> Option<Format> {
    let mut chosen = None;
    section(ui, title, |ui| {
        ui.horizontal(|ui| {
            for format in Format::ALL {
                let name = format!("Export {}", format.name());
                let response = widgets::secondary_button(ui, Some(Icon::Download), format.name());
                if response.accessible_name(name).clicked() {
                    chosen = Some(format);
                }
            }
        });
    });
    chosen
}
