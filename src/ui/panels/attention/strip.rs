//! The sequence as a token strip, tinted by the attention of one of its units, or of several.

use super::look::{Colours, Direction};
use super::plane::Plane;
use super::tokens::TokensView;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::widgets::{Chip, caption, click_modifiers, token_strip, visible_text};
use egui::{Color32, ScrollArea, Ui};

/// Shows the strip; gives the unit under the pointer.
pub(super) fn show(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    plane: &Plane,
    height: f32,
) -> Option<usize> {
    let theme = ui.theme();
    let look = colours.look(ui.theme());
    let (count, direction) = (plane.side(), view.direction);
    let focus = view.focus(plane, cx.selection.token);
    // What the units in focus look at, or how much they are looked at, by unit.
    let weights = focus.as_ref().map(|focus| match direction {
        Direction::LooksAt => plane.looks_at(focus.clone()),
        Direction::LookedAtBy => plane.looked_at_by(focus.clone()),
    });
    let ends = view.ends((plane.key, plane.scale(look.scale)), plane.values(), count);
    let share = |i: usize| -> Option<f32> {
        let query = if direction == Direction::LooksAt { focus.as_ref()?.start } else { i };
        Some(weights.as_ref()?[i] / ends.get(query)?)
    };
    let selected = cx.selection.token.and_then(|token| plane.unit_of(token));
    let out = ScrollArea::vertical().id_salt("attention strip").max_height(height).auto_shrink([false, true]).show(
        ui,
        |ui| {
            let chip = |i: usize| Chip {
                text: if plane.units[i].name.is_empty() { "∅" } else { &plane.units[i].name },
                // Text must stay readable on every map, so the tint stops half way.
                fill: share(i).map_or(Color32::TRANSPARENT, |s| {
                    crate::ui::theme::mix(theme.ground(), look.colour(s, theme.ground()), 0.5)
                }),
                selected: focus.as_ref().is_some_and(|focus| focus.contains(&i)) || selected == Some(i),
                underline: None,
            };
            let strip = token_strip(ui, "Tokens of the run", count, chip, |ui, i| {
                let unit = &plane.units[i];
                let place = match unit.tokens.len() {
                    1 => format!("position {}", unit.tokens.start),
                    count => format!("positions {} to {} · {count} tokens", unit.tokens.start, unit.tokens.end - 1),
                };
                caption(ui, format!("{}   {place}", visible_text(&unit.name)));
                let others = focus.as_ref().filter(|focus| !focus.contains(&i));
                if let (Some(weights), Some(focus)) = (&weights, others) {
                    caption(ui, format!("{} for {}", plane.number(weights[i]), plane.name_of(focus.clone())));
                }
            });
            // A token chosen elsewhere is brought into sight once; from then on the wheel is free.
            if let Some(place) = selected.filter(|_| view.strip_at != selected).and_then(|t| strip.places.get(t)) {
                ui.scroll_to_rect(*place, None);
            }
            view.strip_at = selected;
            strip
        },
    );
    if let Some(unit) = out.inner.clicked {
        let shift = click_modifiers(ui).shift;
        view.choose(plane, unit, shift, &mut cx.selection.token);
    }
    out.inner.hovered
}
