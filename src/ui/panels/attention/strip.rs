//! The sequence as a token strip, tinted by the attention of one of its tokens.

use super::Shown;
use super::look::{Colours, Direction};
use super::tokens::TokensView;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::widgets::{Chip, caption, token_strip, visible_text};
use egui::{Color32, ScrollArea, Ui};

/// Shows the strip; gives the token under the pointer.
pub(super) fn show(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    shown: &Shown,
    height: f32,
) -> Option<usize> {
    let theme = ui.theme();
    let tokens = &shown.report.tokens;
    let look = colours.look(ui.theme());
    let focus = view.hovered.or(cx.selection.token).filter(|t| *t < tokens.len());
    let pattern = shown.report.pattern(cx.selection.layer, cx.selection.head);
    let (count, direction) = (tokens.len(), view.direction);
    let weight = |i: usize| -> Option<f32> {
        let (focus, pattern) = (focus?, pattern?);
        let (query, key) = match direction {
            Direction::LooksAt => (focus, i),
            Direction::LookedAtBy => (i, focus),
        };
        Some(pattern[query * count + key])
    };
    // The colours of the map's row or column.
    let place = (shown.job, cx.selection.layer, cx.selection.head, look.scale);
    let ends = pattern.map(|pattern| view.ends(place, pattern, count)).unwrap_or_default();
    let share = |i: usize| -> Option<f32> {
        let query = if direction == Direction::LooksAt { focus? } else { i };
        Some(weight(i)? / ends.get(query)?)
    };
    let selected = cx.selection.token;
    let out = ScrollArea::vertical().id_salt("attention strip").max_height(height).auto_shrink([false, true]).show(
        ui,
        |ui| {
            let chip = |i: usize| Chip {
                text: if tokens[i].text.is_empty() { "∅" } else { &tokens[i].text },
                // Text must stay readable on every map, so the tint stops half way.
                fill: share(i).map_or(Color32::TRANSPARENT, |s| {
                    crate::ui::theme::mix(theme.ground(), look.colour(s, theme.ground()), 0.5)
                }),
                selected: focus == Some(i) || selected == Some(i),
                underline: None,
            };
            let strip = token_strip(ui, "Tokens of the run", count, chip, |ui, i| {
                caption(ui, format!("{}   position {i} · id {}", visible_text(&tokens[i].text), tokens[i].id));
                if let (Some(w), Some(f)) = (weight(i), focus.filter(|f| *f != i)) {
                    caption(ui, format!("weight {w:.4} for {}", visible_text(&tokens[f].text)));
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
    if let Some(token) = out.inner.clicked {
        cx.selection.token = if cx.selection.token == Some(token) { None } else { Some(token) };
    }
    out.inner.hovered
}
