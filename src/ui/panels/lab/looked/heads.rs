//! Heads ranked by what they do with the examples. Each can be looked at here, or in the attention panel.

use super::Rank;
use crate::analysis::HeadScore;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{caption, icon_button, segmented, share_bar};
use egui::{Align2, Rect, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;

const ROW: f32 = 26.0;
const NAME: f32 = 62.0;
const VALUE: f32 = 44.0;
const BUTTON: f32 = 26.0;

const LABELS_HELP: &str = "Attention from the token above to the outputs of all examples, in 0 to 1.";
const INDUCTION_HELP: &str = "Attention from each token to what came after its earlier occurrences, averaged over the tokens that have \
     one: such a head copies what came next last time (induction head, Olsson et al. 2022).";

/// What was clicked.
pub(super) enum Wanted {
    /// Show this head's attention here; `None` for the mean over all.
    Look(Option<(usize, usize)>),
    /// Show this layer and head in the attention panel.
    Show(usize, usize),
}

pub(super) fn show(
    ui: &mut Ui,
    rank: &mut Rank,
    shown: Option<(usize, usize)>,
    scores: &[HeadScore],
) -> Option<Wanted> {
    let mut wanted = None;
    ui.vertical(|ui| {
        ui.horizontal(|ui| {
            caption(ui, "Heads by").on_hover_text(match rank {
                Rank::Labels => LABELS_HELP,
                Rank::Induction => INDUCTION_HELP,
            });
            segmented(ui, rank, &[(Rank::Labels, "Labels"), (Rank::Induction, "Induction")]);
        });
        caption(
            ui,
            match rank {
                Rank::Labels => "attention to the examples' outputs",
                Rank::Induction => "attention to what came after the same token",
            },
        );
        ui.add_space(space::XS);
        if row(ui, "All heads", None, shown.is_none()).clicked() {
            wanted = Some(Wanted::Look(None));
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        let area = ScrollArea::vertical().id_salt("heads").auto_shrink(false);
        area.show_rows(ui, ROW, scores.len(), |ui, places| {
            for score in places.filter_map(|place| scores.get(place)) {
                let value = match rank {
                    Rank::Labels => Some(score.label),
                    Rank::Induction => score.induction,
                };
                ui.horizontal(|ui| {
                    ui.spacing_mut().item_spacing.x = 2.0;
                    let head = (score.layer, score.head);
                    let name = format!("L{} · H{}", score.layer, score.head);
                    let width = ui.available_width() - BUTTON - space::S;
                    ui.scope(|ui| {
                        ui.set_max_width(width);
                        if row(ui, &name, Some(value), shown == Some(head)).clicked() {
                            wanted = Some(Wanted::Look(Some(head)));
                        }
                    });
                    let name = format!("Show layer {} head {} in Attention", score.layer, score.head);
                    if icon_button(ui, Icon::Grid3x3, &name).clicked() {
                        wanted = Some(Wanted::Show(score.layer, score.head));
                    }
                });
            }
        });
    });
    wanted
}

/// A head with its score as a bar. `value` is `None` for the mean over all heads, which has none.
fn row(ui: &mut Ui, name: &str, value: Option<Option<f32>>, on: bool) -> egui::Response {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let number = value.map(|value| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}")));
    let words = number.as_ref().map_or_else(|| name.to_owned(), |number| format!("{name} {number}"));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, &words));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let painter = ui.painter();
    if on {
        painter.rect_filled(rect, CHIP_RADIUS, theme.accent_soft());
    } else if response.hovered() || response.has_focus() {
        painter.rect_filled(rect, CHIP_RADIUS, theme.hover());
    }
    let y = rect.center().y;
    let ink = if on { theme.accent_text() } else { theme.body() };
    painter.text(pos2(rect.left() + 6.0, y), Align2::LEFT_CENTER, name, Type::Body.mono(), ink);
    if let (Some(number), Some(value)) = (number, value) {
        let left = rect.left() + NAME + space::S;
        let bar = Rect::from_min_max(pos2(left, y - 4.0), pos2(rect.right() - VALUE - 6.0, y + 4.0));
        if bar.width() > Vec2::splat(8.0).x {
            share_bar(painter, theme, bar, value.unwrap_or(0.0), if on { theme.accent() } else { theme.neutral(6) });
        }
        painter.text(pos2(rect.right() - 6.0, y), Align2::RIGHT_CENTER, number, Type::Caption.mono(), ink);
    }
    response
}
