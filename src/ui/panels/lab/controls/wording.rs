//! How a prompt is written: model, instruction, template, separator, and the names of the answers.

use super::super::desk::Desk;
use super::super::plan::model_of;
use super::super::setup::Side;
use crate::types::Ability;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{TextArea, caption, field};
use egui::{CollapsingHeader, ComboBox, RichText, TextEdit, Ui};

const INSTRUCTION_HELP: &str =
    "Said once, before the examples. Untick it to leave it out of the prompt without losing it.";
const TEMPLATE_HELP: &str =
    "How one example is written: {input} and {output} are replaced. The query uses the part before {output}.";
const SEPARATOR_HELP: &str = "Written between examples; \\n is a line break.";
const LABELS_HELP: &str =
    "Every possible answer, one a line. They are what is compared, and what a batch chooses from.";
const NAMES_HELP: &str = "What an answer is called in the prompt. With names that say nothing a model can only go by the \
     examples.";
/// Answers that can be given other names one by one.
const MOST_NAMES: usize = 12;

pub(super) fn show(desk: &mut Desk, typed: &mut Option<String>, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let place = desk.side;
    if desk.setup.two {
        model(&mut desk.setup.sides[place], ui, cx);
    }
    let side = &mut desk.setup.sides[place];
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.checkbox(&mut side.says_instruction, "Instruction").on_hover_text(INSTRUCTION_HELP);
    let ink = if side.says_instruction { theme.body() } else { theme.neutral(6) };
    let area = TextArea::new(&mut side.instruction, 1).hint("None").ink(ink);
    let _ = ui.add(area).accessible_name("Instruction text").on_hover_text(INSTRUCTION_HELP);
    ui.spacing_mut().item_spacing.y = space::S;
    if !side.template.contains("{input}") {
        let words = "The template has no {input}: examples and query are left out.";
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
    CollapsingHeader::new(RichText::new("Template and labels").font(Type::Body.bold())).show(ui, |ui| {
        wording(&mut desk.setup.sides[place], ui);
        labels(desk, typed, ui);
    });
    let names = desk.plan.as_ref().map(|plan| plan.answers.clone()).unwrap_or_default();
    let side = &mut desk.setup.sides[place];
    if names.len() <= MOST_NAMES && !names.is_empty() {
        CollapsingHeader::new(RichText::new("Other names for answers").font(Type::Body.bold()))
            .show(ui, |ui| rename(side, &names, ui));
    }
}

fn wording(side: &mut Side, ui: &mut Ui) {
    field(ui, "One example", TEMPLATE_HELP, |ui| ui.add(TextArea::new(&mut side.template, 1).mono()));
    let mut separator = side.separator.replace('\n', "\\n");
    let edited = field(ui, "Between examples", SEPARATOR_HELP, |ui| {
        ui.add(TextEdit::singleline(&mut separator).font(Type::Body.mono()).desired_width(f32::INFINITY))
    });
    if edited.changed() {
        side.separator = separator.replace("\\n", "\n");
    }
}

/// `typed` is the text of the labels while it is being typed.
fn labels(desk: &mut Desk, typed: &mut Option<String>, ui: &mut Ui) {
    let mut text = typed.take().unwrap_or_else(|| desk.setup.table.labels.join("\n"));
    let edited = field(ui, "Labels", LABELS_HELP, |ui| {
        ui.add(TextArea::new(&mut text, 2).hint("None: any answer may be right"))
    });
    if edited.changed() {
        let lines = text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
        desk.setup.set_labels(lines.collect());
    }
    // An empty last line is part of what is being typed, and no label.
    *typed = edited.has_focus().then_some(text);
}

fn rename(side: &mut Side, names: &[String], ui: &mut Ui) {
    let theme = ui.theme();
    caption(ui, "In examples and answers alike.").on_hover_text(NAMES_HELP);
    for name in names {
        ui.horizontal(|ui| {
            let width = ui.available_width();
            let label = egui::Label::new(RichText::new(name).font(Type::Body.sans()).color(theme.body())).truncate();
            ui.add_sized([width * 0.42, 24.0], label);
            let mut text = side.names.get(name).cloned().unwrap_or_default();
            let edit = TextEdit::singleline(&mut text).hint_text(name.as_str());
            let edit = ui.add(edit.desired_width(width * 0.48)).accessible_name(format!("Other name for {name}"));
            if edit.changed() {
                if text.is_empty() {
                    side.names.remove(name);
                } else {
                    side.names.insert(name.clone(), text);
                }
            }
        });
    }
}

/// Which open model a column asks.
fn model(side: &mut Side, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let asked = model_of(side, cx.state).map(|m| m.info.name.clone());
    let shown = match (&asked, &side.model) {
        (Some(name), Some(_)) => name.clone(),
        (Some(name), None) => format!("{name} (in use)"),
        (None, Some(path)) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        (None, None) => "None is open".to_owned(),
    };
    field(ui, "Model", "Which of the open models this column asks. Open more in the top bar.", |ui| {
        let combo = ComboBox::from_id_salt("side model").selected_text(shown.as_str()).width(ui.available_width());
        let combo = combo.icon(|ui, rect, visuals, _is_open| {
            let icon = char::from(lucide_icons::Icon::ChevronDown);
            let (at, ink) = (rect.center(), visuals.fg_stroke.color);
            ui.painter().text(at, egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
        });
        let response = combo.truncate().show_ui(ui, |ui| {
            if ui.selectable_label(side.model.is_none(), "The model in use").clicked() {
                side.model = None;
            }
            for open in cx.state.models.values().filter(|m| m.info.can(Ability::Continue)) {
                let on = side.model.as_ref() == Some(&open.info.path);
                if ui.selectable_label(on, open.info.name.as_str()).clicked() {
                    side.model = Some(open.info.path.clone());
                }
            }
        });
        response.response
    });
    if let (None, Some(path)) = (asked, side.model.clone()) {
        ui.horizontal(|ui| {
            let words = "This model is not open.";
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
            if crate::ui::widgets::secondary_button(ui, None, "Open it").clicked() {
                cx.open_model(path);
            }
        });
    }
}
