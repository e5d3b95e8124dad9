//! Choosing a task: those that come with Fovea by group, with a search, or a table from a file.

use super::super::TABLE_FILE;
use super::super::desk::Desk;
use super::Wish;
use crate::engine::shipped_tasks;
use crate::types::{Ability, JobId, TaskKind, TaskTable};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::files::FileRequest;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{caption, icon_button, job_progress};
use egui::{
    Align, Button, Color32, Label, Layout, Popup, PopupCloseBehavior, Response, RichText, Role, ScrollArea, TextEdit,
    Ui, WidgetInfo,
};
use lucide_icons::Icon;
use std::sync::{Arc, LazyLock};

/// What the held-out mark says.
const HELD_OUT: &str = "What was not in the training data cannot be recalled";
/// Warnings of a table that are shown one by one.
const MOST_WARNINGS: usize = 4;

/// Places of the shipped tasks by group, groups in order of their names.
static GROUPS: LazyLock<Vec<(&'static str, Vec<usize>)>> = LazyLock::new(|| {
    let mut groups: std::collections::BTreeMap<&str, Vec<usize>> = std::collections::BTreeMap::new();
    for (place, task) in shipped_tasks().iter().enumerate() {
        groups.entry(&task.group).or_default().push(place);
    }
    groups.into_iter().collect()
});

/// Asks for a table of pairs.
pub(in super::super) fn table_file() -> FileRequest {
    FileRequest::open("Open a table of pairs").filter("Pairs", &["tsv", "csv", "jsonl", "json", "txt"])
}

/// `reading` is the job that reads a table.
pub(super) fn show(
    desk: &mut Desk,
    search: &mut String,
    reading: Option<JobId>,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
) -> Option<Wish> {
    let left_out = cx.state.active(Ability::Continue).and_then(|model| model.info.held_out.as_ref());
    let held_out = left_out.map(|left_out| left_out.held_out_tasks.as_slice()).unwrap_or_default();
    caption(ui, "Task").on_hover_text("Pairs of question and answer, and how they are written in a prompt.");
    let (mut chosen, mut edits, mut closes) = (None, false, false);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::FolderOpen, "Open a table of pairs").clicked() {
                cx.pick(TABLE_FILE, table_file());
            }
            edits = icon_button(ui, Icon::Table2, "Edit the pairs").clicked();
            chosen = picker(desk, search, ui, held_out);
        });
    });
    caption(ui, in_short(&desk.setup.table));
    if held_out.contains(&desk.setup.table.id) {
        held_out_note(ui, cx);
    }
    if let Some(job) = reading {
        job_progress(ui, cx, job);
        if let Some(error) = cx.state.error(job) {
            closes = closable_error(ui, error);
        }
    }
    warnings(desk, ui);
    if let Some(task) = chosen {
        desk.begin(Arc::new(shipped_tasks()[task].clone()), cx);
    }
    if closes { Some(Wish::CloseError) } else { edits.then_some(Wish::Pairs) }
}

/// How many pairs there are, of what kind.
fn in_short(table: &TaskTable) -> String {
    let kind = match table.kind {
        TaskKind::Fact => "knowledge",
        TaskKind::Rule => "a rule",
        TaskKind::Label if table.labels.is_empty() => "labels",
        TaskKind::Label => return format!("{} pairs · {} labels", table.rows.len(), table.labels.len()),
    };
    format!("{} pairs · {kind}", table.rows.len())
}

fn held_out_note(ui: &mut Ui, cx: &Cx<'_>) {
    let theme = ui.theme();
    let model = cx.state.active(Ability::Continue).map_or("The model", |m| m.info.name.as_str());
    let help = format!(
        "{model} saw no pair of this task in training. What it answers here it takes from the examples in the prompt."
    );
    remark(ui, Icon::EyeOff, &format!("Held out. {HELD_OUT}."), theme.accent_text()).on_hover_text(help);
}

/// A sentence behind an icon, in as many lines as it takes.
fn remark(ui: &mut Ui, icon: Icon, words: &str, color: Color32) -> Response {
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.label(RichText::new(char::from(icon)).font(Type::Caption.icon()).color(color));
        ui.add(Label::new(RichText::new(words).font(Type::Caption.sans()).color(color)).wrap())
    })
    .inner
}

fn warnings(desk: &Desk, ui: &mut Ui) {
    let theme = ui.theme();
    let warnings = &desk.warnings;
    for warning in warnings.iter().take(MOST_WARNINGS) {
        remark(ui, Icon::TriangleAlert, warning, theme.warning());
    }
    if let Some(more) = warnings.len().checked_sub(MOST_WARNINGS + 1) {
        let rest = warnings[MOST_WARNINGS..].join("\n");
        caption(ui, format!("and {} more remarks", more + 1)).on_hover_text(rest);
    }
}

/// The button with the task's name, and the list behind it.
fn picker(desk: &Desk, search: &mut String, ui: &mut Ui, held_out: &[String]) -> Option<usize> {
    let theme = ui.theme();
    let title = desk.setup.table.title.clone();
    let words = RichText::new(&title).font(Type::Body.sans()).color(theme.body());
    let mark = RichText::new(char::from(Icon::ChevronDown)).font(Type::Caption.icon()).color(theme.caption());
    let button = Button::new(words).right_text(mark).truncate().min_size(egui::vec2(ui.available_width(), 28.0));
    let response = ui.add(button);
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("Task: {title}")));
    let mut chosen = None;
    let popup = Popup::menu(&response).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    popup.show(|ui| {
        ui.set_width(300.0);
        let field = TextEdit::singleline(search)
            .hint_text(crate::ui::widgets::hint("Search tasks"))
            .margin(egui::Margin::symmetric(8, 6));
        let field = ui.add(field.desired_width(f32::INFINITY)).accessible_name("Search tasks");
        if ui.memory(|m| m.focused().is_none()) {
            field.request_focus();
        }
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let wanted = search.to_lowercase();
        ui.add_space(space::XS);
        ScrollArea::vertical().id_salt("tasks").max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let mut first = None;
            for (group, tasks) in GROUPS.iter() {
                let fits = |place: &&usize| matches(&shipped_tasks()[**place], &wanted);
                let found: Vec<usize> = tasks.iter().filter(fits).copied().collect();
                if found.is_empty() {
                    continue;
                }
                ui.add_space(space::XS);
                caption(ui, *group);
                for place in found {
                    first.get_or_insert(place);
                    let task = &shipped_tasks()[place];
                    if entry(ui, task, task.id == desk.setup.table.id, held_out.contains(&task.id)) {
                        chosen = Some(place);
                    }
                }
            }
            if first.is_none() {
                caption(ui, "No task has these words.");
            }
            if entered && !wanted.is_empty() {
                chosen = chosen.or(first);
            }
        });
        caption(ui, "Replaces task, query and examples; Ctrl+Z brings them back.");
        if chosen.is_some() {
            ui.close();
        }
    });
    if chosen.is_some() {
        search.clear();
    }
    chosen
}

fn entry(ui: &mut Ui, task: &TaskTable, on: bool, held_out: bool) -> bool {
    let theme = ui.theme();
    let mut button = Button::selectable(on, task.title.as_str()).min_size(egui::vec2(ui.available_width(), 24.0));
    if held_out {
        button = button.right_text(RichText::new("held out").font(Type::Caption.sans()).color(theme.accent_text()));
    }
    let response = ui.add(button);
    let name = if held_out { format!("{}, held out", task.title) } else { task.title.clone() };
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, on, &name));
    let example = task.rows.first().map_or_else(String::new, |[input, output]| format!("{input} → {output}"));
    response.on_hover_text(format!("{}\n{example}", task.instruction)).clicked()
}

fn matches(task: &TaskTable, wanted: &str) -> bool {
    let text = format!("{} {} {}", task.title, task.group, task.instruction).to_lowercase();
    wanted.split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_in_one_group_and_found_by_its_words() {
        let listed: usize = GROUPS.iter().map(|(_, tasks)| tasks.len()).sum();
        assert_eq!(listed, shipped_tasks().len());
        let found = |words: &str| shipped_tasks().iter().filter(|t| matches(t, words)).count();
        assert_eq!(found(""), shipped_tasks().len());
        assert!((1..10).contains(&found("german food")));
        assert_eq!(found("no such task"), 0);
    }
}
