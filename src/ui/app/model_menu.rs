//! The chip that names the model in use, and the menu behind it.

use super::App;
use crate::engine::Work;
use crate::hub::CachedModel;
use crate::types::{Ability, Blocks, Layers, ModelId, ModelInfo, ModelKind, model_name};
use crate::ui::Themed;
use crate::ui::full_name;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets;
use egui::{Button, RichText, Ui};
use lucide_icons::Icon;
use std::path::PathBuf;

/// What was chosen in the menu; carried out after it is painted.
enum Choice {
    Open(PathBuf),
    Use(ModelId),
    Ask,
    AskForFile,
}

impl App {
    pub(super) fn model_chip(&mut self, ui: &mut Ui) {
        let theme = ui.theme();
        let needed = self.panels[self.shown].needs();
        let active = needed.and_then(|a| self.state.active(a)).or_else(|| self.state.active(Ability::Prompt));
        let shown = active.map(|model| model.info.id);
        let (name, facts) = match (active, self.state.opening()) {
            (_, Some(job)) => (job_name(job), "opening…".to_owned()),
            (Some(model), None) => (full_name(&model.info), facts(&model.info)),
            (None, None) => ("No model".to_owned(), "choose one".to_owned()),
        };
        let atoms = (
            RichText::new(char::from(Icon::Box)).font(Type::Body.icon()).color(theme.caption()),
            RichText::new(&name).font(Type::Body.bold()).color(theme.body()),
            RichText::new(&facts).font(Type::Caption.sans()).color(theme.caption()),
            RichText::new(char::from(Icon::ChevronDown)).font(Type::Caption.icon()).color(theme.caption()),
        );
        let response = ui.add(Button::new(atoms).corner_radius(CHIP_RADIUS + 2));
        let label = format!("Model: {name}, {facts}");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        let choice = egui::Popup::menu(&response)
            .width(320.0)
            .show(|ui| {
                ui.set_min_width(320.0);
                ui.spacing_mut().button_padding = egui::vec2(8.0, 5.0);
                self.model_list(shown, ui)
            })
            .and_then(|shown| shown.inner);
        match choice {
            Some(Choice::Open(path)) => self.open_path(path),
            Some(Choice::Use(model)) => self.state.activate(model),
            Some(Choice::Ask) => self.ask_for_model(),
            Some(Choice::AskForFile) => self.ask_for_model_file(),
            None => {}
        }
    }

    /// `shown` is the model the chip names.
    fn model_list(&self, shown: Option<ModelId>, ui: &mut Ui) -> Option<Choice> {
        let mut choice = None;
        if !self.state.models.is_empty() {
            widgets::caption(ui, "Open");
            for model in self.state.models.values() {
                let info = &model.info;
                let on = shown == Some(info.id);
                let text = format!("{}   {}", full_name(info), facts(info));
                let response = ui.add(Button::selectable(on, text).min_size(egui::vec2(ui.available_width(), 0.0)));
                if response.on_hover_text(details(info)).clicked() {
                    choice = Some(Choice::Use(info.id));
                }
            }
            ui.add_space(space::XS);
        }
        let open = |path: &PathBuf| self.state.models.values().any(|m| m.info.path == *path);
        let shipped: Vec<_> = self.state.shipped.iter().filter(|m| !open(&m.path)).collect();
        if !shipped.is_empty() {
            widgets::caption(ui, "Comes with Fovea");
            for model in shipped {
                let what = match model.kind {
                    ModelKind::CausalLm => "text",
                    ModelKind::TextEncoder => "encoder",
                    ModelKind::TextClassifier => "text classes",
                    ModelKind::ImageClassifier => "pictures",
                    ModelKind::DigitClassifier => "digits",
                };
                if menu_entry(ui, Icon::Box, &format!("{}   {what}", model.name)) {
                    choice = Some(Choice::Open(model.path.clone()));
                }
            }
            ui.add_space(space::XS);
        }
        let cached = |path: &PathBuf| self.state.hub.cached().iter().any(|m| m.path.as_ref() == Some(path));
        let kept = |path: &PathBuf| self.state.hub.programs().iter().any(|m| m.path == *path);
        let recent: Vec<_> = self.state.recent.iter().filter(|p| !open(p) && !cached(p) && !kept(p)).collect();
        if !recent.is_empty() {
            widgets::caption(ui, "Recent");
            for path in recent {
                let button = Button::new(model_name(path)).min_size(egui::vec2(ui.available_width(), 0.0));
                if ui.add(button).on_hover_text(path.display().to_string()).clicked() {
                    choice = Some(Choice::Open(path.clone()));
                }
            }
            ui.add_space(space::XS);
        }
        let runs =
            |m: &&CachedModel| m.card.as_ref().is_some_and(|c| c.as_ref().is_ok_and(|c| c.architecture.is_some()));
        let cached = self.state.hub.cached().iter().filter(runs);
        let cached: Vec<_> = cached.filter(|m| m.path.as_ref().is_some_and(|path| !open(path))).collect();
        if !cached.is_empty() {
            widgets::caption(ui, "In the Hugging Face cache");
            for model in cached {
                if menu_entry(ui, Icon::HardDrive, &model.name) {
                    choice = model.path.clone().map(Choice::Open);
                }
            }
            ui.add_space(space::XS);
        }
        let programs = self.state.hub.programs().iter().filter(|model| !open(&model.path));
        let programs: Vec<_> = programs.filter(|m| m.card.as_ref().is_ok_and(|c| c.architecture.is_some())).collect();
        if !programs.is_empty() {
            widgets::caption(ui, "Of other programs");
            for model in programs {
                if menu_entry(ui, Icon::HardDrive, &format!("{}   {}", model.name, model.program.name())) {
                    choice = Some(Choice::Open(model.path.clone()));
                }
            }
            ui.add_space(space::XS);
        }
        ui.separator();
        if menu_entry(ui, Icon::FolderOpen, "Open folder…   Ctrl+O") {
            choice = Some(Choice::Ask);
        }
        if menu_entry(ui, Icon::FileBox, "Open file…   Ctrl+Shift+O") {
            choice = Some(Choice::AskForFile);
        }
        // A menu justifies its entries, which a sentence does not want.
        ui.vertical(|ui| {
            let words =
                "Or drop a GGUF file, or a folder with config.json, tokenizer.json and model.safetensors, on the window.";
            widgets::caption(ui, words);
        });
        if choice.is_some() {
            ui.close();
        }
        choice
    }
}

fn menu_entry(ui: &mut Ui, icon: Icon, text: &str) -> bool {
    let mark = RichText::new(char::from(icon)).font(Type::Body.icon());
    let response = ui.add(Button::new((mark, text)).min_size(egui::vec2(ui.available_width(), 0.0)));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, text));
    response.clicked()
}

fn job_name(job: &crate::ui::Job) -> String {
    match &*job.work {
        Work::Open(path) => model_name(path),
        _ => "model".to_owned(),
    }
}

/// Size and precision, such as `5.8 M · F16`.
fn facts(info: &ModelInfo) -> String {
    format!("{} · {}", count(info.parameters), info.element_type())
}

/// What the model knows by name: tokens or classes.
fn knows(info: &ModelInfo) -> String {
    let tokens = info.shape.vocabulary().map(|tokens| format!("vocabulary {tokens}"));
    let classes = info.shape.classes().map(|classes| format!("{classes} classes"));
    tokens.or(classes).unwrap_or_default()
}

fn details(info: &ModelInfo) -> String {
    let mut text = format!(
        "{}\n{} parameters, {} layers, {}",
        info.architecture.config_name(),
        info.parameters,
        info.shape.layers(),
        knows(info)
    );
    if let Some(Blocks { heads, kv_heads, hidden, .. }) = info.shape.blocks() {
        text += &format!("\n{heads} heads ({kv_heads} key-value), width {hidden}");
    }
    if let Some(Layers { hidden, sees, .. }) = info.shape.without_attention() {
        let sees = sees.map_or_else(|| "a state".to_owned(), |tokens| format!("sees {tokens} tokens"));
        text += &format!("\nno attention, {sees}, width {hidden}");
    }
    if let Some(context) = info.shape.context() {
        text += &format!(", context {context}");
    }
    text + &format!("\n{}", info.path.display())
}

/// A count in thousands, millions or billions.
pub(super) fn count(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{} k", widgets::significant(n as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} M", widgets::significant(n as f64 / 1e6)),
        _ => format!("{} B", widgets::significant(n as f64 / 1e9)),
    }
}
