//! How a prompt is written: model, instruction, template, separator, and the names of the answers.

use super::super::desk::Desk;
use super::super::plan::model_of;
use super::super::setup::Side;
use crate::types::{Ability, model_name};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{TextArea, caption, field};
use egui::{CollapsingHeader, ComboBox, RichText, TextEdit, Ui};
use std::path::PathBuf;

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
        model(desk, ui, cx);
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
            let edit = TextEdit::singleline(&mut text).hint_text(crate::ui::widgets::hint(name.as_str()));
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

/// A model a column can ask.
enum Choice {
    InUse,
    Open(PathBuf),
    /// It is to be opened first.
    Closed(PathBuf),
}

/// Which model a column asks.
fn model(desk: &mut Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let side = desk.asked();
    let asked = model_of(side, cx.state).map(|m| m.info.name.clone());
    let shown = match (&asked, &side.of_run, &side.model) {
        (Some(name), None, None) => format!("{name} (in use)"),
        (Some(name), ..) => name.clone(),
        (None, Some(model), _) => model.title(),
        (None, None, Some(path)) => model_name(path),
        (None, None, None) => "None is open".to_owned(),
    };
    let mut choice = None;
    let help = "Which model this column asks. One that is not open is opened.";
    field(ui, "Model", help, |ui| {
        let combo = ComboBox::from_id_salt("side model").selected_text(shown.as_str()).width(ui.available_width());
        let combo = combo.icon(|ui, rect, visuals, _is_open| {
            let icon = char::from(lucide_icons::Icon::ChevronDown);
            let (at, ink) = (rect.center(), visuals.fg_stroke.color);
            ui.painter().text(at, egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
        });
        combo.truncate().show_ui(ui, |ui| choice = models(side, ui, cx)).response
    });
    let closed = (asked.is_none() && side.of_run.is_none()).then(|| side.model.clone()).flatten();
    if let Some(path) = closed {
        ui.horizontal(|ui| {
            let words = "This model is not open.";
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
            if crate::ui::widgets::secondary_button(ui, None, "Open it").clicked() {
                choice = Some(Choice::Closed(path));
            }
        });
    }
    let place = desk.side;
    let chosen = match choice {
        None => return,
        Some(Choice::InUse) => None,
        Some(Choice::Open(path)) => Some(path),
        Some(Choice::Closed(path)) => {
            // What is opened is in use from then on; the other column goes on asking what it asks now.
            let used = cx.state.active(Ability::Continue).map(|open| open.info.path.clone());
            let other = &mut desk.setup.sides[1 - place];
            other.model = other.model.take().or(used);
            cx.open_model(path.clone());
            Some(path)
        }
    };
    let side = &mut desk.setup.sides[place];
    (side.of_run, side.model) = (None, chosen);
}

/// The list of models: the one in use, the open ones, and those that can be opened. One is marked: what the column asks.
fn models(side: &Side, ui: &mut Ui, cx: &Cx<'_>) -> Option<Choice> {
    let mut choice = None;
    let asked = model_of(side, cx.state).map(|open| open.info.id);
    let follows = side.model.is_none() && side.of_run.is_none();
    if ui.selectable_label(follows, "The model in use").clicked() {
        choice = Some(Choice::InUse);
    }
    let can = |open: &&crate::ui::OpenModel| open.info.can(Ability::Continue);
    caption(ui, "Open");
    for open in cx.state.models.values().filter(can) {
        let on = !follows && asked == Some(open.info.id);
        if ui.selectable_label(on, open.info.name.as_str()).clicked() {
            choice = Some(Choice::Open(open.info.path.clone()));
        }
    }
    let is_closed = |path: &&PathBuf| cx.state.models.values().all(|open| open.info.path != **path);
    let shipped = cx.state.shipped.iter().filter(|model| model.kind.can(Ability::Continue)).map(|model| &model.path);
    let groups: [(&str, Vec<&PathBuf>); 2] = [
        ("Comes with Fovea", shipped.filter(is_closed).collect()),
        ("Recent", cx.state.recent.iter().filter(is_closed).collect()),
    ];
    for (title, paths) in groups.into_iter().filter(|(_, paths)| !paths.is_empty()) {
        caption(ui, title);
        for path in paths {
            let on = !follows && asked.is_none() && side.model.as_ref() == Some(path);
            let entry = ui.selectable_label(on, model_name(path)).on_hover_text(path.display().to_string());
            if entry.clicked() {
                choice = Some(Choice::Closed(path.clone()));
            }
        }
    }
    choice
}
