//! The column of panels at the left edge.

use super::App;
use crate::ui::PanelId;
use crate::ui::Themed;
use crate::ui::theme::{Type, icon_family};
use egui::{Align2, FontId, Frame, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

pub(super) const WIDTH: f32 = 84.0;
const ENTRY_HEIGHT: f32 = 60.0;
/// Of an entry in a low window: its icon and its name just fit.
const LEAST_HEIGHT: f32 = 44.0;
const BETWEEN: f32 = 4.0;

/// One entry: what it says, and whether it is the one shown.
struct Entry {
    icon: Icon,
    title: &'static str,
    help: String,
    on: bool,
    /// A number in a red dot; 0 shows none.
    alerts: usize,
}

impl App {
    pub(super) fn rail(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        let shown = egui::Panel::left("rail")
            .resizable(false)
            .exact_size(WIDTH)
            .frame(Frame::new().fill(theme.surface()).inner_margin(egui::Margin::symmetric(6, 8)))
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = BETWEEN;
                let each = (ui.available_height() + BETWEEN) / self.panels.len() as f32 - BETWEEN;
                let height = each.floor().clamp(LEAST_HEIGHT, ENTRY_HEIGHT);
                let at_foot: Vec<bool> = self.panels.iter().map(|p| p.at_foot()).collect();
                for (place, _) in at_foot.iter().enumerate().filter(|(_, foot)| !**foot) {
                    self.rail_entry(ui, place, height);
                }
                let feet = at_foot.iter().filter(|f| **f).count() as f32;
                ui.add_space((ui.available_height() - feet * (height + BETWEEN)).max(0.0));
                for (place, _) in at_foot.iter().enumerate().filter(|(_, foot)| **foot) {
                    self.rail_entry(ui, place, height);
                }
            });
        self.regions.note(shown.response.rect);
    }

    fn rail_entry(&mut self, ui: &mut Ui, place: usize, height: f32) {
        let panel = &self.panels[place];
        let entry = Entry {
            icon: panel.icon(),
            title: panel.title(),
            help: format!("{}\nCtrl+{}", panel.help(), place + 1),
            on: place == self.shown,
            alerts: if panel.id() == PanelId::Log { self.state.log.errors_unread() } else { 0 },
        };
        if show(ui, &entry, height) {
            self.shown = place;
        }
    }
}

fn show(ui: &mut Ui, entry: &Entry, height: f32) -> bool {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, entry.on, entry.title));
    if ui.is_rect_visible(rect) {
        let (fill, ink) = if entry.on {
            (theme.accent_soft(), theme.accent_text())
        } else if response.hovered() {
            (theme.hover(), theme.body())
        } else {
            (theme.surface(), theme.caption())
        };
        let painter = ui.painter();
        painter.rect_filled(rect, 8, fill);
        if response.has_focus() {
            let line = egui::Stroke::new(1.5, theme.accent());
            painter.rect_stroke(rect, 8, line, egui::StrokeKind::Inside);
        }
        let icon_at = pos2(rect.center().x, rect.top() + 22.0 * height / ENTRY_HEIGHT);
        painter.text(icon_at, Align2::CENTER_CENTER, char::from(entry.icon), FontId::new(20.0, icon_family()), ink);
        let words = if entry.on { theme.body() } else { ink };
        let words_at = pos2(rect.center().x, rect.bottom() - 9.0 * height / ENTRY_HEIGHT);
        painter.text(words_at, Align2::CENTER_BOTTOM, entry.title, Type::Caption.sans(), words);
        if entry.alerts > 0 {
            let dot = Rect::from_center_size(icon_at + Vec2::new(14.0, -8.0), Vec2::splat(16.0));
            painter.circle_filled(dot.center(), 8.0, theme.danger());
            let count = entry.alerts.min(99).to_string();
            painter.text(dot.center(), Align2::CENTER_CENTER, count, FontId::proportional(10.0), theme.ground());
        }
    }
    response.on_hover_text(&entry.help).clicked()
}
