//! The left column: how heads are coloured and exported, and below that all of them, small.

use super::export::{Extent, Kind, Picture};
use super::look::{Colours, Direction};
use super::plane::Measure;
use super::tokens::TokensView;
use super::ways::Way;
use super::{Shown, overview, palette};
use crate::chart::Format;
use crate::types::{Ability, ScaleEnd};
use crate::ui::Themed;
use crate::ui::edits;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, section, segmented};
use crate::ui::{Cx, Prompting};
use egui::{RichText, Ui};

pub(super) const HEAD_HELP: &str = "A head is one of several attention patterns a layer computes side by side, each with queries and keys \
     of its own: softmax(q·k / √d), over all earlier tokens, or over all tokens in an encoder.";
const REACH_HELP: &str = "Where weights are spread over many tokens all of them are small. 1 keeps colours comparable between heads; \
     the largest weight of the head, or of each row, makes the small ones visible. Numbers and exports stay weights.";
const SINK_HELP: &str = "Many heads look at the first token when they look at nothing (an attention sink). Left out of what is \
     largest, it does not leave the others in the dark.";

const SAVE_HELP: &str = "Writes what was read, by which model, and what is seen of it: opened again, by the palette or by dropping it \
     on the window, it shows the same.";

/// Where the colour scale ends.
const ENDS: [(ScaleEnd, &str); 3] = [(ScaleEnd::Whole, "1"), (ScaleEnd::Head, "Head"), (ScaleEnd::Row, "Row")];

/// What somebody wants of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    File(Extent, Kind),
    /// On the clipboard.
    Copy,
    /// As a file that can be opened again.
    Save,
}

/// Gives what is to be written, and how.
pub(super) fn show(
    view: &mut TokensView,
    colours: &mut Colours,
    shown: Option<&Shown>,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
) -> Option<Wanted> {
    let theme = ui.theme();
    ui.add_space(space::S);
    if cx.state.prompting() == Prompting::Encodes {
        view.typing(ui, cx);
    }
    section(ui, "Colours", |ui| {
        palette::show(ui, colours);
        palette::row(ui, "Ends at", Some(REACH_HELP), |ui| segmented(ui, &mut colours.scale.end, &ENDS));
        if colours.scale.end != ScaleEnd::Whole {
            ui.checkbox(&mut colours.scale.without_first, "Without the first token").on_hover_text(SINK_HELP);
        }
        let look = colours.look(theme);
        let width = (ui.available_width() - 8.0).min(280.0);
        ui.add_space(space::XS);
        widgets::legend(ui, width, |place| look.at(place, theme.ground()), &look.marks());
        let lengths = view.planes.seen.measure == Measure::Lengths && view.way.is_of_planes();
        if let Some(words) = look.scale.words().or(lengths.then_some("shares of the largest length")) {
            caption(ui, format!("Numbers are {words}."));
        }
    });
    let tokens = shown.map(|shown| shown.report.tokens.as_slice());
    // Until there are any, the heads have the first claim on the room.
    let has_edits = !cx.edits.is_empty();
    if has_edits {
        edits::section(Ability::Attend, tokens, ui, cx);
    }
    let mut wanted = None;
    if shown.is_some() {
        ui.add_space(space::M);
        palette::row(ui, "Export", None, |ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            wanted = view_menu(ui, view.way, false);
            let all = ui.menu_button(RichText::new("All heads").font(Type::Body.sans()), |ui| {
                kinds(ui, &Kind::ALL, "Export all heads as", Extent::AllHeads)
            });
            wanted = wanted.or(all.inner.flatten());
        });
    }
    ui.add_space(space::M);
    let title = shown.map_or_else(|| "Heads".to_owned(), |s| format!("{} layers × {} heads", s.layers, s.heads));
    let title = RichText::new(title).font(Type::Body.bold()).color(theme.body());
    match shown {
        // The atlas has a field of its own.
        Some(shown) if view.way != Way::Atlas => view.search.show(title, &mut view.atlas, shown, ui, cx),
        _ => drop(ui.label(title).on_hover_text(HEAD_HELP)),
    }
    match shown {
        Some(shown) => {
            overview::show(view, colours, ui, cx, shown);
            caption(
                ui,
                "Rows are layers, columns heads. Arrow keys move; a click with Ctrl picks heads to be seen together, a right click edits one.",
            );
            if let Some(words) = &shown.report.left_out {
                ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
            }
        }
        None => drop(caption(ui, "They appear here after a run.")),
    }
    section(ui, "Token strip", |ui| {
        let ways = [(Direction::LooksAt, "Looks at"), (Direction::LookedAtBy, "Looked at by")];
        segmented(ui, &mut view.direction, &ways);
    });
    if !has_edits {
        edits::section(Ability::Attend, tokens, ui, cx);
    }
    wanted
}

/// What can be done with what the stage shows.
pub(super) fn view_menu(ui: &mut Ui, way: Way, is_picture: bool) -> Option<Wanted> {
    let menu = ui.menu_button(RichText::new("This view").font(Type::Body.sans()), |ui| {
        let mut wanted = kinds(ui, &Kind::of_view(way), "Export", Extent::View);
        let others = [
            (Picture::is_of(way), "Copy as a picture", "", Wanted::Copy),
            // Contexts are of texts of their own.
            (way != Way::Contexts && !is_picture, "Save this view…", SAVE_HELP, Wanted::Save),
        ];
        for (_, name, help, what) in others.into_iter().filter(|(is_offered, ..)| *is_offered) {
            let mut response = ui.button(name);
            if !help.is_empty() {
                response = response.on_hover_text(help);
            }
            if response.clicked() {
                wanted = Some(what);
                ui.close();
            }
        }
        wanted
    });
    menu.inner.flatten()
}

/// Entries of a menu, each called `verb` and its kind.
fn kinds(ui: &mut Ui, kinds: &[Kind], verb: &str, extent: Extent) -> Option<Wanted> {
    let mut wanted = None;
    for kind in kinds {
        if ui.button(format!("{verb} {}", kind.name())).clicked() {
            wanted = Some(Wanted::File(extent, *kind));
            ui.close();
        }
    }
    wanted
}

/// Buttons for writing what the stage shows into a file; gives the format that was chosen.
pub(super) fn export(ui: &mut Ui, title: &str) -> Option<Format> {
    let mut chosen = None;
    section(ui, title, |ui| {
        ui.horizontal(|ui| chosen = formats(ui, "Export"));
    });
    chosen
}

/// A button a format, each called `verb` and its name.
fn formats(ui: &mut Ui, verb: &str) -> Option<Format> {
    let mut chosen = None;
    for format in Format::ALL {
        let response = widgets::secondary_button(ui, None, format.name());
        if response.accessible_name(format!("{verb} {}", format.name())).clicked() {
            chosen = Some(format);
        }
    }
    chosen
}
