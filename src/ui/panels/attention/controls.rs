//! The left column: all heads small, and how they are coloured.

use super::look::{Contrast, Direction};
use super::{AttentionPanel, Shown, overview, text};
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

pub(super) fn show(panel: &mut AttentionPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let shown = panel.shown(cx.state);
    ui.add_space(space::S);
    if cx.state.prompting() == Prompting::Encodes {
        text::show(panel, ui, cx);
    }
    let title =
        shown.as_ref().map_or_else(|| "Heads".to_owned(), |s| format!("{} layers × {} heads", s.layers, s.heads));
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body())).on_hover_text(HEAD_HELP);
    match &shown {
        Some(shown) => {
            overview::show(panel, ui, cx, shown);
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
        segmented(ui, &mut panel.map, &maps);
        widgets::explain(ui, "Scale", CONTRAST_HELP);
        segmented(ui, &mut panel.contrast, &SCALES);
        let look = panel.look(cx);
        let width = (ui.available_width() - 8.0).min(280.0);
        ui.add_space(space::XS);
        widgets::legend(ui, width, |place| look.at(place, theme.ground()), &look.marks());
    });
    section(ui, "Token strip", |ui| {
        let ways = [(Direction::LooksAt, "Looks at"), (Direction::LookedAtBy, "Looked at by")];
        segmented(ui, &mut panel.direction, &ways);
    });
    let Some(shown) = shown else { return };
    export(panel, ui, cx, &shown, "Export this head");
}

/// Buttons that write what the stage shows into a file.
pub(super) fn export(panel: &mut AttentionPanel, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown, title: &str) {
    section(ui, title, |ui| {
        ui.horizontal(|ui| {
            for format in Format::ALL {
                let name = format!("Export {}", format.name());
                let response = widgets::secondary_button(ui, Some(Icon::Download), format.name());
                if response.accessible_name(name).clicked() {
                    panel.export(cx, shown, format);
                }
            }
        });
    });
}
