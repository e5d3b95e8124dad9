//! The list of curves under the plot: their values at every k, whether they are drawn, and the curves in words.

use super::Curve;
use super::words::{summary, value};
use crate::chart::{KShotMetric, kshot_bands};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::edits::all_words;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, icon_button};
use egui::{Grid, RichText, ScrollArea, Sense, Ui, Vec2, vec2};
use lucide_icons::Icon;
use std::collections::BTreeSet;

/// What to do to a curve after the list is painted.
enum Edit {
    Toggle(usize),
    Remove(usize),
}

pub(super) fn show(curves: &mut Vec<Curve>, metric: KShotMetric, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let ks: BTreeSet<usize> = curves.iter().flat_map(|c| c.points.iter().map(|p| p.k)).collect();
    let mut edit = None;
    ScrollArea::both().id_salt("curves").auto_shrink([false, false]).show(ui, |ui| {
        let grid = Grid::new("curve list").num_columns(ks.len() + 3).min_row_height(24.0).spacing(vec2(space::M, 2.0));
        grid.show(ui, |ui| {
            for title in ["", "Curve"] {
                caption(ui, title);
            }
            for k in &ks {
                caption(ui, format!("k = {k}"));
            }
            ui.end_row();
            for (place, curve) in curves.iter().enumerate() {
                if let Some(wanted) = row(ui, cx, place, curve, &ks, metric) {
                    edit = Some(wanted);
                }
                ui.end_row();
            }
        });
        ui.add_space(space::XS);
        for curve in &*curves {
            caption(ui, summary(curve, metric));
        }
        let mut notes: Vec<&String> = curves.iter().flat_map(|curve| &curve.notes).collect();
        notes.sort_unstable();
        notes.dedup();
        for note in notes {
            ui.label(RichText::new(note).font(Type::Caption.sans()).color(theme.warning()));
        }
    });
    match edit {
        Some(Edit::Toggle(place)) => {
            let curve = &mut curves[place];
            curve.hidden = !curve.hidden;
        }
        Some(Edit::Remove(place)) => {
            let curve = curves.remove(place);
            if let Some(job) = curve.job.filter(|job| cx.state.is_active(*job)) {
                cx.cancel(job);
            }
        }
        None => {}
    }
}

fn row(
    ui: &mut Ui,
    cx: &Cx<'_>,
    place: usize,
    curve: &Curve,
    ks: &BTreeSet<usize>,
    metric: KShotMetric,
) -> Option<Edit> {
    let theme = ui.theme();
    let mut edit = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
        let hue = theme.category(curve.hue);
        if curve.hidden {
            ui.painter().rect_stroke(rect, 2.0, egui::Stroke::new(1.0, hue), egui::StrokeKind::Inside);
        } else {
            ui.painter().rect_filled(rect, 2.0, hue);
        }
        let (icon, verb) = if curve.hidden { (Icon::EyeOff, "Show") } else { (Icon::Eye, "Hide") };
        if icon_button(ui, icon, &format!("{verb} curve {}", place + 1)).clicked() {
            edit = Some(Edit::Toggle(place));
        }
    });
    let is_running = curve.job.is_some_and(|job| cx.state.is_active(job));
    let name = if is_running { format!("{} …", curve.name) } else { curve.name.clone() };
    let label = ui.label(RichText::new(name).font(Type::Body.sans()).color(theme.body()));
    let edited = if curve.edits.is_empty() { String::new() } else { format!(" · {}", all_words(&curve.edits)) };
    label.on_hover_text(format!("{} · {}{edited}", curve.task, curve.model));
    let bands = kshot_bands(&curve.points, metric);
    for k in ks {
        let band = bands.iter().find(|band| band.k == *k);
        let text = band.map_or_else(|| "–".to_owned(), |band| value(band.mean, metric));
        let label = ui.label(RichText::new(text).font(Type::Body.mono()).color(theme.body()));
        if let Some(band) = band {
            let ends = format!("{} to {}", value(band.low, metric), value(band.high, metric));
            label.on_hover_text(format!("Lowest and highest seed: {ends}"));
        }
    }
    if icon_button(ui, Icon::Trash2, &format!("Remove curve {}", place + 1)).clicked() {
        edit = Some(Edit::Remove(place));
    }
    edit
}
