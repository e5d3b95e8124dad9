//! Which heads attend otherwise, and which do not care.

use super::colour;
use crate::analysis::Order;
use crate::types::{ChangedOrder, WordOrderReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{caption, explain, share_bar};
use egui::{Align2, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// Heads that are listed of each end.
const MOST: usize = 6;
/// Room for the name of a row.
const NAME: f32 = 40.0;
const CHIP: egui::Vec2 = vec2(116.0, 24.0);

/// One head: layer, head, and how much its weights changed.
type Head = (usize, usize, f32);

fn help(order: Order) -> &'static str {
    match order {
        Order::LeftToRight => {
            "Half the sum of what the weights of a row differ by, each token found where it went, on the average over all tokens. A head \
             that looks at what tokens are, wherever they stand, has 0, but for what the mask lets it see where words were moved."
        }
        Order::BothWays | Order::Patches => {
            "Half the sum of what the weights of a row differ by, each token found where it went, on the average over all tokens. A head \
             that looks at what tokens are, wherever they stand, has 0."
        }
    }
}

/// Shows them; gives the one that is to be looked at.
pub(super) fn show(
    ui: &mut Ui,
    report: &WordOrderReport,
    change: &ChangedOrder,
    order: Order,
) -> Option<(usize, usize)> {
    let theme = ui.theme();
    if let Some(words) = &report.left_out {
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
    let heads = sorted(change);
    if heads.is_empty() {
        return None;
    }
    explain(ui, "Heads that attend otherwise, most and least", help(order));
    let fit = ((ui.available_width() - NAME) / (CHIP.x + space::XS)) as usize;
    let (most, least) = ends(&heads, fit.clamp(2, MOST));
    let mut opened = None;
    for (name, heads) in [("most", most), ("least", least)] {
        if heads.is_empty() {
            continue;
        }
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            ui.allocate_ui(vec2(NAME - space::XS, CHIP.y), |ui| {
                ui.set_min_width(NAME - space::XS);
                caption(ui, name);
            });
            for head in heads {
                if chip(ui, *head, colour(theme, change.how)) {
                    opened = Some((head.0, head.1));
                }
            }
        });
    }
    opened
}

/// All heads, the most changed first, those without a number last.
fn sorted(change: &ChangedOrder) -> Vec<Head> {
    let layers = change.heads.iter().enumerate();
    let mut heads: Vec<Head> = layers
        .flat_map(|(layer, heads)| heads.iter().enumerate().map(move |(head, value)| (layer, head, *value)))
        .collect();
    heads.sort_by(|a, b| a.2.is_nan().cmp(&b.2.is_nan()).then(b.2.total_cmp(&a.2)));
    heads
}

/// So many of the most and of the least changed at most, none of them twice.
fn ends(heads: &[Head], count: usize) -> (&[Head], &[Head]) {
    let most = count.min(heads.len().div_ceil(2));
    let least = count.min(heads.len() - most);
    (&heads[..most], &heads[heads.len() - least..])
}

/// True where it was clicked.
fn chip(ui: &mut Ui, (layer, head, value): Head, hue: egui::Color32) -> bool {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(CHIP, Sense::click());
    let words = format!("Head {layer}.{head} changed by {value:.3}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    let painter = ui.painter();
    let fill = if response.hovered() { theme.hover() } else { theme.raised() };
    painter.rect_filled(rect, CHIP_RADIUS, fill);
    let edge = if response.has_focus() { theme.accent() } else { theme.hairline() };
    painter.rect_stroke(rect, CHIP_RADIUS, Stroke::new(1.0, edge), StrokeKind::Inside);
    let y = rect.center().y - 1.5;
    let name = format!("{layer}.{head}");
    painter.text(pos2(rect.left() + 8.0, y), Align2::LEFT_CENTER, name, Type::Body.mono(), theme.body());
    let number = format!("{value:.3}");
    painter.text(pos2(rect.right() - 8.0, y), Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.body());
    let bar =
        Rect::from_min_max(pos2(rect.left() + 4.0, rect.bottom() - 4.5), pos2(rect.right() - 4.0, rect.bottom() - 2.0));
    share_bar(painter, theme, bar, value.clamp(0.0, 1.0), hue);
    response.on_hover_text(format!("{words}. A click opens it in the map of the text as written.")).clicked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Reordering;

    fn change(heads: Vec<Vec<f32>>) -> ChangedOrder {
        ChangedOrder { how: Reordering::Swapped, said: None, cosines: Vec::new(), pooled: None, heads }
    }

    #[test]
    fn heads_stand_by_how_much_they_changed_and_those_of_nan_last() {
        let heads = sorted(&change(vec![vec![0.1, f32::NAN], vec![0.7, 0.0]]));
        let order: Vec<(usize, usize)> = heads.iter().map(|head| (head.0, head.1)).collect();
        assert_eq!(order, [(1, 0), (0, 0), (1, 1), (0, 1)]);
    }

    #[test]
    fn no_head_is_among_the_most_and_the_least() {
        let all = |count: usize| (0..count).map(|head| (0, head, 0.0)).collect::<Vec<Head>>();
        let lengths = |count: usize| {
            let heads = all(count);
            let (most, least) = ends(&heads, MOST);
            (most.len(), least.len())
        };
        assert_eq!((lengths(0), lengths(1), lengths(5), lengths(400)), ((0, 0), (1, 0), (3, 2), (MOST, MOST)));
    }
}
