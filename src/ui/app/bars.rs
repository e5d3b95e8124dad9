//! The top bar (model, running job, commands, theme) and the status bar (device, memory, selection).

use super::App;
use super::about::About;
use super::palette::Palette;
use crate::types::DeviceChoice;
use crate::ui::Themed;
use crate::ui::theme::{ThemeChoice, Type, space};
use crate::ui::{Job, State, widgets};
use egui::{Align, Frame, Layout, Margin, RichText, Ui};
use lucide_icons::Icon;

const TOP_HEIGHT: f32 = 48.0;
const STATUS_HEIGHT: f32 = 28.0;

impl App {
    pub(super) fn top_bar(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        let shown = egui::Panel::top("top bar")
            .exact_size(TOP_HEIGHT)
            .frame(Frame::new().fill(theme.surface()).inner_margin(Margin::symmetric(16, 0)))
            .show(ui, |ui| {
                ui.horizontal_centered(|ui| {
                    self.name(ui);
                    ui.add_space(space::S);
                    self.model_chip(ui);
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        self.theme_button(ui);
                        let words = "Commands";
                        let response = widgets::icon_button(ui, Icon::Search, words);
                        if response.on_hover_text("Ctrl+K").clicked() {
                            self.palette = Some(Palette::default());
                        }
                        ui.add_space(space::S);
                        self.job_status(ui);
                    });
                });
            });
        self.regions.note(shown.response.rect);
    }

    /// The program's name, which leads to what is told about it.
    fn name(&mut self, ui: &mut Ui) {
        let words = RichText::new("Fovea").font(Type::Title.bold()).color(ui.theme().body());
        let response = ui.add(egui::Label::new(words).selectable(false).sense(egui::Sense::click()));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "About Fovea"));
        if response.on_hover_text("About Fovea").on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
            self.about = Some(About::new());
        }
    }

    fn theme_button(&mut self, ui: &mut Ui) {
        let (icon, name, next) = match self.theme_choice {
            ThemeChoice::System => (Icon::Monitor, "Theme: as the desktop", ThemeChoice::Light),
            ThemeChoice::Light => (Icon::Sun, "Theme: light", ThemeChoice::Dark),
            ThemeChoice::Dark => (Icon::Moon, "Theme: dark", ThemeChoice::System),
        };
        if widgets::icon_button(ui, icon, name).clicked() {
            let ctx = ui.ctx().clone();
            self.set_theme(&ctx, next);
        }
    }

    /// What runs now, how fast, and a button that stops it. Laid out from right to left.
    fn job_status(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        let Some(job) = self.stoppable().and_then(|id| self.state.job(id)) else {
            if let Some(words) = self.download_words() {
                let words = RichText::new(words).font(Type::Body.mono()).color(theme.body());
                ui.add(egui::Label::new(words).truncate());
            }
            return;
        };
        let words = job_words(&self.state, job);
        let (id, paused) = (job.id, job.is_paused());
        let help = if self.short_job() == Some(id) { "Esc" } else { "Ends it with what there is by now." };
        if widgets::danger_button(ui, Icon::Square, "Stop").on_hover_text(help).clicked() {
            self.give(crate::engine::Command::Cancel { job: id });
        }
        ui.label(RichText::new(words).font(Type::Body.mono()).color(theme.body()));
        let dot = if paused { theme.warning() } else { theme.success() };
        let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(8.0), egui::Sense::hover());
        ui.painter().circle_filled(rect.center(), 4.0, dot);
    }

    pub(super) fn status_bar(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        egui::Panel::bottom("status bar")
            .exact_size(STATUS_HEIGHT)
            .frame(Frame::new().fill(theme.surface()).inner_margin(Margin::symmetric(8, 0)))
            .show(ui, |ui| {
                ui.horizontal_centered(|ui| {
                    // What is at the right is short and must not be pushed out, so it is laid out first.
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        let width = ui.ctx().content_rect().width() - super::rail::WIDTH;
                        if !self.inspector_open && self.inspector_title(width).is_some() {
                            let name = "Show inspector";
                            if widgets::icon_button(ui, Icon::PanelRightOpen, name).clicked() {
                                self.inspector_open = true;
                            }
                        }
                        if !self.selection.words.is_empty() {
                            let words = RichText::new(&self.selection.words).font(Type::Caption.mono());
                            ui.label(words.color(theme.caption()));
                            ui.add_space(space::M);
                        }
                        if let Some(bytes) = self.state.memory_bytes {
                            let words = format!("{} MB", bytes / 1_000_000);
                            ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.caption()))
                                .on_hover_text("Memory this process holds (resident set).");
                            ui.add_space(space::M);
                        }
                        ui.with_layout(Layout::left_to_right(Align::Center), |ui| self.device_menu(ui));
                    });
                });
            });
    }

    fn device_menu(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        let (name, reason) = match &self.state.device {
            Some(d) => (d.name.clone(), d.reason.clone()),
            None => ("Looking for a device".to_owned(), String::new()),
        };
        let is_gpu = self.state.device.as_ref().is_some_and(|d| d.is_gpu);
        let icon = if is_gpu { Icon::Zap } else { Icon::Cpu };
        let words = if reason.is_empty() { name.clone() } else { format!("{name} · {reason}") };
        let text = RichText::new(&words).font(Type::Caption.sans()).color(theme.caption());
        let mark = RichText::new(char::from(icon)).font(Type::Caption.icon()).color(theme.caption());
        let button = egui::Button::new((mark, text)).frame_when_inactive(false).truncate();
        let response = ui.add(button);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Device: {words}")));
        let adapters = self.state.device.as_ref().map(|d| d.adapters.join("\n")).unwrap_or_default();
        egui::Popup::menu(&response).show(|ui| {
            ui.set_min_width(280.0);
            widgets::caption(ui, "Compute on");
            for (choice, title, sub) in [
                (DeviceChoice::Auto, "Automatic", "A GPU that passes its check, else the CPU"),
                (DeviceChoice::Gpu, "GPU", "The first adapter, a software one included"),
                (DeviceChoice::Cpu, "CPU", "Burn's Flex backend"),
            ] {
                let on = self.device_choice == choice;
                if ui.radio(on, title).on_hover_text(sub).clicked() && !on {
                    self.set_device(choice);
                    ui.close();
                }
            }
            if !adapters.is_empty() {
                ui.separator();
                widgets::caption(ui, format!("Adapters found\n{adapters}"));
            }
            ui.separator();
            if ui.button("About Fovea…").clicked() {
                self.about = Some(About::new());
                ui.close();
            }
        });
        let hint = format!("{words}\nClick to choose another device.");
        if !egui::Popup::is_any_open(ui.ctx()) {
            response.on_hover_text(hint);
        }
    }
}

fn job_words(state: &State, job: &Job) -> String {
    let rate = state.run(job.id).map(crate::ui::Run::tokens_per_s).filter(|r| *r > 0.0);
    let mut words = job.words().to_owned();
    if let Some(rate) = rate {
        words += &format!(" {} tok/s", widgets::significant(rate));
    } else if let Some(share) = job.progress.as_ref().and_then(crate::ui::Progress::share) {
        words += &format!(" {:.0} %", share * 100.0);
    }
    words
}
