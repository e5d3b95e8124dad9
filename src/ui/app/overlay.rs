//! What lies over the panels: short messages, the question for a typed path, and the hint while something is dragged in.

use super::App;
use crate::ui::files::{FileMode, FileRequest, Purpose};
use crate::ui::theme::{RADIUS, Theme, Type, space};
use crate::ui::widgets;
use egui::{Align, Align2, Area, Frame, Id, Layout, Order, RichText, Stroke, TextEdit, vec2};
use lucide_icons::Icon;
use std::path::PathBuf;

/// Room for the button that closes a message.
const CLOSE_WIDTH: f32 = 36.0;
/// How long a short message stays, in seconds.
const TOAST_S: f64 = 4.0;

/// A short message of something that succeeded. What failed stays until it was read, and covers nothing.
pub(super) struct Toast {
    words: String,
    until_s: f64,
}

impl Toast {
    pub(super) fn new(words: String, now_s: f64) -> Self {
        Self { words, until_s: now_s + TOAST_S }
    }
}

/// Asks for a path where the desktop has no file dialogs.
pub(super) struct PathEntry {
    request: FileRequest,
    purpose: Option<Purpose>,
    text: String,
}

impl PathEntry {
    pub(super) fn new(request: FileRequest, purpose: Purpose) -> Self {
        let home = std::env::var("HOME").unwrap_or_default();
        let text = match (&request.file_name, home.is_empty()) {
            (Some(name), false) => format!("{home}/{name}"),
            (Some(name), true) => name.clone(),
            (None, _) => String::new(),
        };
        Self { request, purpose: Some(purpose), text }
    }
}

impl App {
    pub(super) fn overlays(&mut self, ctx: &egui::Context) {
        self.show_about(ctx);
        self.show_palette(ctx);
        self.show_path_entry(ctx);
        self.show_toast(ctx);
        if ctx.input(|i| !i.raw.hovered_files.is_empty()) {
            drop_hint(ctx);
        }
    }

    fn show_path_entry(&mut self, ctx: &egui::Context) {
        let Some(mut entry) = self.path_entry.take() else { return };
        let theme = self.theme;
        let (mut done, mut cancel) = (false, false);
        let modal = widgets::dialog(ctx, Id::unique("path entry")).show(ctx, |ui| {
            ui.set_width(460.0);
            ui.label(RichText::new(&entry.request.title).font(Type::Strong.bold()).color(theme.body()));
            let (what, verb) = match entry.request.mode {
                FileMode::OpenFile => ("Path of the file", "Open"),
                FileMode::OpenFolder => ("Path of the folder", "Open"),
                FileMode::Save => ("Path to write to", "Save"),
                FileMode::SaveFolder => ("Folder to write into", "Save"),
            };
            widgets::caption(ui, "This desktop offers no file dialog, so type the path.");
            ui.add_space(space::XS);
            let field = widgets::field(ui, what, "", |ui| {
                ui.add(TextEdit::singleline(&mut entry.text).font(Type::Body.mono()).desired_width(f32::INFINITY))
            });
            if !field.has_focus() && !field.lost_focus() {
                field.request_focus();
            }
            done = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            ui.add_space(space::S);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let ready = !entry.text.trim().is_empty();
                ui.add_enabled_ui(ready, |ui| done |= widgets::primary_button(ui, Icon::Check, verb).clicked());
                cancel = widgets::secondary_button(ui, None, "Cancel").clicked();
            });
        });
        if done && !entry.text.trim().is_empty() {
            if let Some(purpose) = entry.purpose.take() {
                self.dialogs.typed(PathBuf::from(entry.text.trim()), purpose);
            }
        } else if !cancel && !modal.should_close() {
            self.path_entry = Some(entry);
        }
    }

    fn show_toast(&mut self, ctx: &egui::Context) {
        let Some(toast) = &self.toast else { return };
        let left_s = toast.until_s - self.state.now_s;
        if left_s <= 0.0 {
            self.toast = None;
            return;
        }
        ctx.request_repaint_after(std::time::Duration::from_secs_f64(left_s));
        let theme = self.theme;
        Area::new(Id::unique("toast")).order(Order::Foreground).anchor(Align2::CENTER_BOTTOM, vec2(0.0, -44.0)).show(
            ctx,
            |ui| {
                Frame::new()
                    .fill(theme.hover())
                    .stroke(Stroke::new(1.0, theme.neutral(5)))
                    .corner_radius(RADIUS)
                    .inner_margin(egui::Margin::symmetric(12, 8))
                    .show(ui, |ui| {
                        ui.horizontal(|ui| {
                            let icon = RichText::new(char::from(Icon::Check)).font(Type::Body.icon());
                            ui.label(icon.color(theme.success()));
                            ui.label(RichText::new(&toast.words).font(Type::Body.sans()).color(theme.body()));
                        });
                    });
            },
        );
    }
}

impl App {
    /// What failed last, in a row of its own above the status bar, until it is closed or something succeeds.
    pub(super) fn failure_bar(&mut self, ui: &mut egui::Ui) {
        let Some(error) = &self.failure else { return };
        let theme = self.theme;
        let mut close = false;
        let frame = Frame::new().fill(theme.danger_soft()).inner_margin(egui::Margin::symmetric(12, 4));
        egui::Panel::bottom("failure").frame(frame).show(ui, |ui| {
            ui.horizontal_top(|ui| {
                let words = vec2(ui.available_width() - CLOSE_WIDTH, 0.0);
                // A long path wraps: why it failed and what to do next stay in sight.
                ui.allocate_ui_with_layout(words, Layout::left_to_right(Align::Min).with_main_wrap(true), |ui| {
                    ui.set_min_width(words.x);
                    let icon = RichText::new(char::from(Icon::CircleAlert)).font(Type::Body.icon());
                    ui.label(icon.color(theme.danger()));
                    ui.label(RichText::new(&error.what).font(Type::Body.bold()).color(theme.body()));
                    let more = format!("{} {}", error.why, error.next);
                    ui.label(RichText::new(more.trim()).font(Type::Body.sans()).color(theme.body()));
                });
                close = widgets::icon_button(ui, Icon::X, "Close the message").clicked();
            });
        });
        if close {
            self.failure = None;
        }
    }
}

fn drop_hint(ctx: &egui::Context) {
    let theme = Theme::in_use(ctx);
    let painter = ctx.layer_painter(egui::LayerId::new(Order::Foreground, Id::unique("drop hint")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0, theme.ground().gamma_multiply(0.85));
    painter.rect_stroke(rect.shrink(16.0), RADIUS, Stroke::new(2.0, theme.accent()), egui::StrokeKind::Inside);
    let words = "Drop to open";
    painter.text(rect.center(), Align2::CENTER_CENTER, words, Type::Figure.bold(), theme.body());
}
