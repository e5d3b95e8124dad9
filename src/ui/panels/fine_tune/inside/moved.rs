//! How far weights went from where the run began: a table of layers and matrices, and what stands outside of layers.

use crate::chart::number;
use crate::types::{ColorMap, Moved, RunSnapshot, share_moved};
use crate::ui::Themed;
use crate::ui::theme::{Type, rgb, space};
use crate::ui::widgets::{caption, legend, one_line};
use egui::{Align2, Rect, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

const CELL: egui::Vec2 = vec2(58.0, 18.0);
/// Room for the number of a layer.
const LAYER: f32 = 24.0;
/// Room for names of columns, in two lines where they have two parts.
const HEAD: f32 = 32.0;
const GAP: f32 = 1.0;

/// The largest share of all snapshots, which is the end of the colours.
pub(super) fn most(snapshots: &[RunSnapshot]) -> f64 {
    let shares = snapshots.iter().flat_map(|snapshot| &snapshot.moved).filter_map(Moved::share);
    shares.filter(|share| share.is_finite()).fold(0.0, f64::max)
}

/// Columns in the order of the network, and layers.
fn places(moved: &[Moved]) -> (Vec<&str>, usize) {
    let (mut columns, mut layers) = (Vec::new(), 0);
    for (layer, name) in moved.iter().map(Moved::place) {
        let Some(layer) = layer else { continue };
        layers = layers.max(layer + 1);
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    (columns, layers)
}

/// Shows what was noted at a step. `most` is the end of the colours.
pub(super) fn show(ui: &mut Ui, snapshot: &RunSnapshot, most: f64) {
    if snapshot.moved.is_empty() {
        caption(ui, "How far weights went was not noted.");
        return;
    }
    let whole = share_moved(&snapshot.moved).map_or_else(|| "–".to_owned(), percent);
    caption(ui, format!("All weights together went {whole} of their length.")).on_hover_text(
        "‖w − w₀‖ / ‖w₀‖: the length of the change of all weights, divided by the length of the weights the run began with.",
    );
    let (columns, layers) = places(&snapshot.moved);
    if layers > 0 {
        ScrollArea::horizontal().id_salt("moved").show(ui, |ui| table(ui, snapshot, &columns, layers, most));
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = GAP;
        for moved in snapshot.moved.iter().filter(|moved| moved.place().0.is_none()) {
            line(ui, &moved.path, moved.share(), most);
        }
    });
    ui.add_space(space::XS);
    let marks = [(0.0, "0".to_owned()), (1.0, percent(most))];
    let ground = ui.theme().ground();
    let colour = move |share: f32| rgb(ColorMap::default().ink(share, [ground.r(), ground.g(), ground.b()]));
    legend(ui, 160.0, colour, &marks);
}

fn table(ui: &mut Ui, snapshot: &RunSnapshot, columns: &[&str], layers: usize, most: f64) {
    let theme = ui.theme();
    let size = vec2(LAYER + columns.len() as f32 * (CELL.x + GAP), HEAD + layers as f32 * (CELL.y + GAP));
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let cell = |layer: usize, column: usize| {
        let at = rect.min + vec2(LAYER + column as f32 * (CELL.x + GAP), HEAD + layer as f32 * (CELL.y + GAP));
        Rect::from_min_size(at, CELL)
    };
    let ground = theme.ground();
    let painter = ui.painter();
    for (column, name) in columns.iter().enumerate() {
        let short = name.strip_suffix(".weight").unwrap_or(name);
        let (first, second) = short.split_once('.').unwrap_or(("", short));
        for (row, part) in [first, second].into_iter().enumerate() {
            let galley = one_line(painter, part, Type::Caption.sans(), theme.caption(), CELL.x);
            painter.galley(pos2(cell(0, column).left(), rect.top() + row as f32 * 14.0), galley, theme.caption());
        }
    }
    let mut pointed = None;
    for layer in 0..layers {
        let at = pos2(rect.left(), cell(layer, 0).center().y);
        painter.text(at, Align2::LEFT_CENTER, format!("{layer}"), Type::Caption.mono(), theme.caption());
    }
    for moved in &snapshot.moved {
        let (Some(layer), name) = moved.place() else { continue };
        let Some(column) = columns.iter().position(|column| *column == name) else { continue };
        let (rect, share) = (cell(layer, column), moved.share());
        let fill = share.map_or(theme.surface(), |share| {
            let place = if most > 0.0 { (share / most) as f32 } else { 0.0 };
            rgb(ColorMap::default().ink(place, [ground.r(), ground.g(), ground.b()]))
        });
        painter.rect_filled(rect, 2.0, fill);
        let words = share.map_or_else(|| "–".to_owned(), short_percent);
        painter.text(rect.center(), Align2::CENTER_CENTER, words, Type::Caption.mono(), theme.ink_on(fill));
        if response.hover_pos().is_some_and(|pointer| rect.contains(pointer)) {
            pointed = Some(moved);
        }
    }
    let largest = snapshot.moved.iter().filter(|moved| moved.share().is_some());
    let largest = largest.max_by(|a, b| a.share().unwrap_or(0.0).total_cmp(&b.share().unwrap_or(0.0)));
    let words = largest.map_or_else(String::new, |moved| format!(", most {}", words_of(moved)));
    let words = format!("How far the weights of {layers} layers went{words}");
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    if let Some(moved) = pointed {
        response.on_hover_text_at_pointer(words_of(moved));
    }
}

fn words_of(moved: &Moved) -> String {
    match (moved.share(), moved.by) {
        (Some(share), _) => format!("{}: {} of its length", moved.path, percent(share)),
        (None, Some(by)) => format!("{}: by {}, from zero", moved.path, number(by)),
        (None, None) => format!("{}: no number", moved.path),
    }
}

fn line(ui: &mut Ui, path: &str, share: Option<f64>, most: f64) {
    let theme = ui.theme();
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = CELL.y;
        ui.spacing_mut().item_spacing.x = space::S;
        let (rect, _) = ui.allocate_exact_size(CELL, Sense::hover());
        let ground = theme.ground();
        let place = share.filter(|_| most > 0.0).map_or(0.0, |share| (share / most) as f32);
        let fill = rgb(ColorMap::default().ink(place, [ground.r(), ground.g(), ground.b()]));
        ui.painter().rect_filled(rect, 2.0, fill);
        let words = share.map_or_else(|| "–".to_owned(), short_percent);
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, Type::Caption.mono(), theme.ink_on(fill));
        caption(ui, path);
    });
}

fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// As it fits into a cell.
fn short_percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 100.0 { format!("{percent:.0}") } else { number((percent * 100.0).round() / 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_matrices_of_layers() {
        let moved = |path: &str| Moved { path: path.to_owned(), by: Some(1.0), from: Some(8.0) };
        let all =
            ["token_embedding", "blocks.0.qkv.weight", "blocks.0.mlp_in.weight", "blocks.1.qkv.weight"].map(moved);
        assert_eq!(places(&all), (vec!["qkv.weight", "mlp_in.weight"], 2));
        let snapshot = RunSnapshot { moved: all.to_vec(), ..RunSnapshot::default() };
        assert!((most(&[snapshot]) - 0.125).abs() < 1e-12);
        assert_eq!(
            (short_percent(0.00123), percent(0.5), short_percent(2.0)),
            ("0.12".to_owned(), "50 %".to_owned(), "200".to_owned())
        );
        assert!(words_of(&Moved { from: Some(0.0), ..all[0].clone() }).contains("from zero"));
    }
}
