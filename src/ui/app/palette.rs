//! The command palette: everything the window can do, found by typing.

use super::App;
use super::about::About;
use crate::types::{DeviceChoice, ModelId, model_name};
use crate::ui::theme::{ThemeChoice, Type, space};
use crate::ui::{Intent, PanelId};
use egui::{Button, Key, Modifiers, RichText, ScrollArea, TextEdit};
use lucide_icons::Icon;
use std::path::PathBuf;

/// What the person has typed so far.
#[derive(Default)]
pub(super) struct Palette {
    text: String,
    place: usize,
}

#[derive(Clone)]
enum Deed {
    OpenEdits,
    SwitchEdits,
    Show(PanelId),
    Run,
    Stop,
    OpenFolder,
    OpenFile,
    Open(PathBuf),
    Use(ModelId),
    Theme(ThemeChoice),
    Device(DeviceChoice),
    Inspector,
    About,
    Panel(PanelId, &'static str),
}

struct Entry {
    icon: Icon,
    title: String,
    keys: String,
    deed: Deed,
}

impl App {
    pub(super) fn show_palette(&mut self, ctx: &egui::Context) {
        let Some(mut palette) = self.palette.take() else { return };
        let theme = self.theme;
        let entries = self.entries();
        let step = |key| ctx.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let (down, up) = (step(Key::ArrowDown), step(Key::ArrowUp));
        palette.place = (palette.place + usize::from(down)).saturating_sub(usize::from(up));
        let is_entered = step(Key::Enter);
        let (mut chosen, mut found) = (None, Vec::new());

        let area = egui::Modal::default_area(egui::Id::unique("palette"))
            .anchor(egui::Align2::CENTER_TOP, egui::vec2(0.0, 96.0));
        let modal = egui::Modal::new(egui::Id::unique("palette")).area(area).show(ctx, |ui| {
            ui.set_width(480.0);
            let field = TextEdit::singleline(&mut palette.text)
                .hint_text(crate::ui::widgets::hint("Type a command"))
                .desired_width(f32::INFINITY);
            let field = ui.add(field.font(Type::Strong.sans()).margin(egui::Margin::symmetric(8, 8)));
            field.request_focus();
            if field.changed() {
                palette.place = 0;
            }
            // Letters and the Enter key behind them may come in one frame: what was typed counts.
            found = entries.iter().filter(|e| matches(&e.title, &palette.text)).collect();
            palette.place = palette.place.min(found.len().saturating_sub(1));
            chosen = is_entered.then_some(palette.place);
            ui.add_space(space::XS);
            ScrollArea::vertical().max_height(340.0).auto_shrink([false, true]).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                if found.is_empty() {
                    crate::ui::widgets::caption(ui, "No command has these words.");
                }
                for (place, entry) in found.iter().enumerate() {
                    let icon = RichText::new(char::from(entry.icon)).font(Type::Body.icon()).color(theme.caption());
                    let button = Button::selectable(place == palette.place, (icon, entry.title.as_str()))
                        .right_text(RichText::new(&entry.keys).font(Type::Caption.sans()).color(theme.caption()))
                        .min_size(egui::vec2(ui.available_width(), 30.0));
                    let response = ui.add(button);
                    let on = place == palette.place;
                    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, on, &entry.title));
                    if on && (down || up) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        chosen = Some(place);
                    }
                }
            });
        });
        let deed = chosen.and_then(|place| found.get(place)).map(|e| e.deed.clone());
        match deed {
            Some(deed) => self.do_it(ctx, deed),
            None if modal.should_close() => {}
            None => self.palette = Some(palette),
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |icon, title: &str, keys: &str, deed| Entry { icon, title: title.into(), keys: keys.into(), deed };
        let mut all = Vec::new();
        let shown = &self.panels[self.shown];
        for action in shown.actions(&self.state) {
            all.push(entry(action.icon, &action.title, "", Deed::Panel(shown.id(), action.id)));
        }
        all.push(entry(Icon::Play, "Run", "Ctrl+Enter", Deed::Run));
        if let Some(job) = self.stoppable() {
            let keys = if self.short_job() == Some(job) { "Esc" } else { "" };
            all.push(entry(Icon::Square, "Stop the running job", keys, Deed::Stop));
        }
        for (place, panel) in self.panels.iter().enumerate() {
            let keys = format!("Ctrl+{}", place + 1);
            all.push(entry(panel.icon(), &format!("Show {}", panel.title()), &keys, Deed::Show(panel.id())));
        }
        all.push(entry(Icon::FolderOpen, "Open a model folder…", "Ctrl+O", Deed::OpenFolder));
        all.push(entry(Icon::FileBox, "Open a model file…", "Ctrl+Shift+O", Deed::OpenFile));
        for model in self.state.models.values() {
            all.push(entry(Icon::Box, &format!("Use model {}", model.info.name), "", Deed::Use(model.info.id)));
        }
        let is_open = |path: &PathBuf| self.state.models.values().any(|model| model.info.path == *path);
        let shipped = self.state.shipped.iter().map(|model| (model.name.clone(), &model.path));
        let cached = self.state.hub.cached().iter().filter(|model| model.complete);
        let cached = cached.filter_map(|model| Some((model.name.clone(), model.path.as_ref()?)));
        let programs = self.state.hub.programs().iter().filter(|model| model.card.is_ok());
        let programs = programs.map(|model| (model.name.clone(), &model.path));
        let recent = self.state.recent.iter().map(|path| (model_name(path), path));
        let mut listed: Vec<&PathBuf> = Vec::new();
        for (name, path) in shipped.chain(cached).chain(programs).chain(recent) {
            if !is_open(path) && !listed.contains(&path) {
                all.push(entry(Icon::Box, &format!("Open model {name}"), "", Deed::Open(path.clone())));
                listed.push(path);
            }
        }
        all.push(entry(Icon::FolderOpen, "Open edits of the model…", "", Deed::OpenEdits));
        if !self.edits.is_empty() {
            let verb = if self.edits.any_on() { "off" } else { "on" };
            all.push(entry(Icon::Eye, &format!("Switch all edits of the model {verb}"), "", Deed::SwitchEdits));
        }
        all.push(entry(Icon::Sun, "Use the light theme", "", Deed::Theme(ThemeChoice::Light)));
        all.push(entry(Icon::Moon, "Use the dark theme", "", Deed::Theme(ThemeChoice::Dark)));
        all.push(entry(Icon::Monitor, "Use the desktop's theme", "", Deed::Theme(ThemeChoice::System)));
        all.push(entry(Icon::Cpu, "Compute on the CPU", "", Deed::Device(DeviceChoice::Cpu)));
        all.push(entry(Icon::Zap, "Compute on the GPU", "", Deed::Device(DeviceChoice::Gpu)));
        all.push(entry(Icon::Zap, "Choose the device automatically", "", Deed::Device(DeviceChoice::Auto)));
        all.push(entry(Icon::PanelRightOpen, "Show or hide the inspector", "Ctrl+I", Deed::Inspector));
        all.push(entry(Icon::Info, "About Fovea", "", Deed::About));
        // What the other panels can do leads to them.
        for panel in self.panels.iter().filter(|panel| panel.id() != shown.id()) {
            for action in panel.actions(&self.state) {
                let title = format!("{}: {}", panel.title(), action.title);
                all.push(entry(action.icon, &title, "", Deed::Panel(panel.id(), action.id)));
            }
        }
        all
    }

    fn do_it(&mut self, ctx: &egui::Context, deed: Deed) {
        match deed {
            Deed::Show(panel) => self.intend(Intent::Show(panel)),
            Deed::Run => self.on_shown(|panel, cx| panel.run(cx)),
            Deed::Stop => self.stop(),
            Deed::OpenFolder => self.ask_for_model(),
            Deed::OpenFile => self.ask_for_model_file(),
            Deed::Open(path) => self.open_path(path),
            Deed::Use(model) => self.state.activate(model),
            Deed::Theme(choice) => self.set_theme(ctx, choice),
            Deed::Device(choice) => self.set_device(choice),
            Deed::OpenEdits => self.ask_for_edits(),
            Deed::SwitchEdits => self.edits.switch_all(self.state.now_s),
            Deed::Inspector => self.inspector_open = !self.inspector_open,
            Deed::About => self.about = Some(About::new()),
            Deed::Panel(panel, id) => {
                self.show_panel(panel);
                self.on_shown(|panel, cx| panel.act(id, cx));
            }
        }
    }
}

/// Every word that was typed begins somewhere in the title, in any order.
fn matches(title: &str, typed: &str) -> bool {
    let title = title.to_lowercase();
    typed.to_lowercase().split_whitespace().all(|word| title.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_order() {
        assert!(matches("Use the dark theme", "theme dark"));
        assert!(matches("Use the dark theme", ""));
        assert!(!matches("Use the dark theme", "theme light"));
    }
}
