//! About Fovea: what a bug report needs to say, and the licences of all that Fovea is made of.

use super::App;
use crate::types::{Component, DeviceStatus, components};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets;
use egui::{Button, Id, Layout, RichText, ScrollArea, Sense, TextEdit, Ui, UiBuilder, vec2};
use lucide_icons::Icon;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The largest width and height; a small window leaves a margin around it.
const WIDTH: f32 = 920.0;
const HEIGHT: f32 = 620.0;
const MARGIN: f32 = 40.0;
const LIST_WIDTH: f32 = 340.0;
/// Of a row of the list: the height of a button.
const ROW: f32 = crate::ui::theme::CONTROL_HEIGHT;

/// What is shown and what was typed.
pub(super) struct About {
    system: String,
    search: String,
    /// Places of the components that have what was typed in their names.
    found: Vec<usize>,
    chosen: usize,
    /// The licences of the chosen one.
    text: String,
    is_new: bool,
}

impl About {
    pub(super) fn new() -> Self {
        let mut about = Self {
            system: system(),
            search: String::new(),
            found: Vec::new(),
            chosen: 0,
            text: String::new(),
            is_new: true,
        };
        about.find();
        about.choose(0);
        about
    }

    fn find(&mut self) {
        let wanted = self.search.trim().to_lowercase();
        let fits = |part: &Component| part.name.to_lowercase().contains(&wanted);
        self.found = components().iter().enumerate().filter(|(_, part)| fits(part)).map(|(place, _)| place).collect();
        // What is read is always one of those in the list.
        if let Some(first) = self.found.first().filter(|_| !self.found.contains(&self.chosen)) {
            self.choose(*first);
        }
    }

    fn choose(&mut self, place: usize) {
        self.chosen = place;
        self.text = components()[place].full_text();
    }
}

impl App {
    pub(super) fn show_about(&mut self, ctx: &egui::Context) {
        let Some(mut about) = self.about.take() else { return };
        let room = ctx.content_rect().size() - egui::Vec2::splat(2.0 * MARGIN);
        let facts = facts(self.state.device.as_ref(), &about.system);
        let (mut close, mut copy) = (false, false);
        let modal = widgets::dialog(ctx, Id::unique("about")).show(ctx, |ui| {
            ui.set_width(room.x.min(WIDTH));
            let bottom = ui.cursor().top() + room.y.min(HEIGHT);
            (close, copy) = head(ui);
            ui.scope(|ui| show_facts(ui, &facts));
            ui.add_space(space::S);
            ui.separator();
            ui.add_space(space::XS);
            about.search_field(ui);
            ui.add_space(space::XS);
            let size = vec2(ui.available_width(), (bottom - ui.cursor().top()).max(ROW));
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            let (left, right) = rect.split_left_right_at_x(rect.left() + LIST_WIDTH.min(size.x * 0.45));
            ui.scope_builder(UiBuilder::new().max_rect(left), |ui| about.list(ui));
            let right = right.with_min_x(right.left() + space::L);
            ui.scope_builder(UiBuilder::new().max_rect(right), |ui| about.licence(ui));
        });
        if copy {
            ctx.copy_text(report(&facts));
            self.say("Copied version, device, adapters and system".to_owned());
        }
        if !close && !modal.should_close() {
            self.about = Some(about);
        }
    }
}

impl About {
    fn search_field(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        ui.horizontal(|ui| {
            ui.label(RichText::new("Licences").font(Type::Strong.bold()).color(theme.body()));
            let field =
                TextEdit::singleline(&mut self.search).hint_text(widgets::hint("Search by name")).desired_width(220.0);
            let field = ui.add(field).accessible_name("Search by name");
            if std::mem::take(&mut self.is_new) {
                field.request_focus();
            }
            if field.changed() {
                self.find();
            }
            let (found, all) = (self.found.len(), components().len());
            let words = if found == all { format!("{all} parts") } else { format!("{found} of {all} parts") };
            widgets::caption(ui, words);
        });
    }

    fn list(&mut self, ui: &mut Ui) {
        if self.found.is_empty() {
            widgets::caption(ui, "No part has this in its name.");
            return;
        }
        let theme = ui.theme();
        let mut clicked = None;
        ui.spacing_mut().item_spacing.y = 0.0;
        let area = ScrollArea::vertical().id_salt("licence list").auto_shrink(false);
        area.show_rows(ui, ROW, self.found.len(), |ui, shown| {
            for place in shown.filter_map(|row| self.found.get(row).copied()) {
                let part = &components()[place];
                let licence = part.expression();
                let quiet = |words: &str| RichText::new(words).font(Type::Caption.sans()).color(theme.caption());
                let name = RichText::new(&part.name).font(Type::Body.sans()).color(theme.body());
                let on = place == self.chosen;
                let button = Button::selectable(on, (name, quiet(&part.version)))
                    .right_text(quiet(&short(&licence)))
                    .min_size(vec2(ui.available_width(), ROW))
                    .truncate();
                let response = ui.add(button);
                let words = format!("{} {}, {licence}", part.name, part.version);
                response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, on, &words));
                if response.clicked() {
                    clicked = Some(place);
                }
            }
        });
        if let Some(place) = clicked {
            self.choose(place);
        }
    }

    fn licence(&self, ui: &mut Ui) {
        let theme = ui.theme();
        let part = &components()[self.chosen];
        let area = ScrollArea::vertical().id_salt(("licence", self.chosen)).auto_shrink(false);
        area.show(ui, |ui| {
            let name = format!("{} {}", part.name, part.version);
            ui.label(RichText::new(name).font(Type::Body.bold()).color(theme.body()));
            widgets::caption(ui, part.expression());
            if let Some(source) = part.source() {
                widgets::caption(ui, source);
            }
            ui.add_space(space::S);
            ui.label(RichText::new(&self.text).font(Type::Caption.sans()).color(theme.body()));
        });
    }
}

/// The name and two buttons; whether to close, and whether to copy.
fn head(ui: &mut Ui) -> (bool, bool) {
    let theme = ui.theme();
    let (mut close, mut copy) = (false, false);
    ui.horizontal(|ui| {
        ui.label(RichText::new("About Fovea").font(Type::Title.bold()).color(theme.body()));
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            close = widgets::icon_button(ui, Icon::X, "Close").clicked();
            let button = widgets::secondary_button(ui, Some(Icon::Copy), "Copy");
            copy = button.on_hover_text("Version, device, adapters and system, for a bug report").clicked();
        });
    });
    (close, copy)
}

/// What is told about this Fovea and this computer, by name.
fn facts(device: Option<&DeviceStatus>, system: &str) -> [(&'static str, String); 4] {
    let (computes_on, adapters) = match device {
        Some(device) => {
            let threads = if device.threads == 1 { "thread" } else { "threads" };
            let adapters = match (device.adapters.as_slice(), device.choice) {
                ([], crate::types::DeviceChoice::Cpu) => "not looked for".to_owned(),
                ([], _) => "none found".to_owned(),
                (adapters, _) => adapters.join(", "),
            };
            (format!("{}, {} {threads}. {}", device.name, device.threads, device.reason), adapters)
        }
        None => ("not known yet".to_owned(), "not known yet".to_owned()),
    };
    [
        ("Version", VERSION.to_owned()),
        ("Device", computes_on.trim_end().to_owned()),
        ("Adapters", adapters),
        ("System", system.to_owned()),
    ]
}

fn show_facts(ui: &mut Ui, facts: &[(&str, String)]) {
    let theme = ui.theme();
    // Lines of text stand closer than controls.
    ui.spacing_mut().interact_size.y = 0.0;
    egui::Grid::new("facts").num_columns(2).min_row_height(0.0).spacing(vec2(space::L, 2.0)).show(ui, |ui| {
        for (name, value) in facts {
            widgets::caption(ui, *name);
            // A cell of a grid does not wrap unless it is told how wide it may be.
            ui.scope(|ui| {
                ui.set_max_width(WIDTH - 120.0);
                ui.add(egui::Label::new(RichText::new(value).font(Type::Body.sans()).color(theme.body())).wrap());
            });
            ui.end_row();
        }
    });
}

/// The same as plain text.
fn report(facts: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| match *name {
        "Version" => format!("Fovea {value}\n"),
        name => format!("{name}: {value}\n"),
    };
    facts.iter().map(line).collect()
}

/// Of several licences the first, and how many more.
fn short(expression: &str) -> String {
    let mut ids = expression.split(" AND ");
    let first = ids.next().unwrap_or_default();
    match ids.count() {
        0 => first.to_owned(),
        more => format!("{first} +{more}"),
    }
}

/// Operating system, its kernel where that is told without effort, and processor architecture.
fn system() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'));
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = Some(kernel.trim()).filter(|kernel| !kernel.is_empty()).map(|kernel| format!(", kernel {kernel}"));
    format!("{}{}, {}", name.unwrap_or(std::env::consts::OS), kernel.unwrap_or_default(), std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::DeviceChoice;

    #[test]
    fn a_report_says_what_a_bug_report_needs() {
        let device = DeviceStatus {
            choice: DeviceChoice::Auto,
            is_gpu: false,
            name: "CPU (Flex)".into(),
            reason: "No graphics adapter was found.".into(),
            threads: 2,
            adapters: Vec::new(),
        };
        let words = report(&facts(Some(&device), "Some System, x86_64"));
        let expected = format!(
            "Fovea {VERSION}\nDevice: CPU (Flex), 2 threads. No graphics adapter was found.\nAdapters: none found\n\
             System: Some System, x86_64\n"
        );
        assert_eq!(words, expected);
    }

    #[test]
    fn several_licences_are_counted() {
        assert_eq!(short("MIT"), "MIT");
        assert_eq!(short("Apache-2.0 AND OFL-1.1 AND Ubuntu-font-1.0"), "Apache-2.0 +2");
    }
}
