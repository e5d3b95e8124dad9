//! One model of the list: what it is, what it takes, what can be done with it.

use super::ModelsPanel;
use super::entries::{Entry, Place};
use crate::engine::{Command, Work};
use crate::hub::{DownloadStage, DownloadState};
use crate::types::{JobId, ModelId, bytes_in_words};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    caption, danger_button, error_card, icon_button, job_error, keyed, progress_bar, secondary_button, seconds,
};
use crate::ui::{Cx, Download, DownloadPhase};
use egui::{Align, Label, Layout, Response, RichText, Role, Stroke, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

const HEIGHT: f32 = 48.0;
const SIZE: f32 = 76.0;
const MEMORY: f32 = 96.0;
const LICENCE: f32 = 128.0;
const ACTIONS: f32 = 204.0;
/// Least width of the button that opens a model.
const VERB_WIDTH: f32 = 54.0;
const MEMORY_HELP: &str = "Memory of the weights once they are loaded: on a CPU in the type of their file, on a GPU and after \
     training in F32. What is computed with them comes on top.";

/// A list wider than this tears names and figures apart.
pub(super) const WIDEST: f32 = 1180.0;

/// Widths of the columns.
pub(super) struct Columns {
    name: f32,
}

impl Columns {
    pub fn within(width: f32) -> Self {
        let width = width.min(WIDEST);
        Self { name: (width - SIZE - MEMORY - LICENCE - ACTIONS - 6.0 * space::S).max(200.0) }
    }

    /// The width of a row.
    pub fn width(&self) -> f32 {
        self.name + SIZE + MEMORY + LICENCE + ACTIONS + 6.0 * space::S
    }

    /// The line above the list.
    pub fn titles(&self, ui: &mut Ui) {
        let title = |ui: &mut Ui, words: &str, help: &str| {
            let title = caption(ui, words);
            if !help.is_empty() {
                title.on_hover_text(help);
            }
        };
        ui.horizontal(|ui| {
            cell(ui, self.name, 18.0, |ui| title(ui, "Model", ""));
            number_cell(ui, SIZE, 18.0, |ui| title(ui, "Size", "On the disk, or to be fetched."));
            number_cell(ui, MEMORY, 18.0, |ui| title(ui, "Memory", MEMORY_HELP));
            ui.add_space(space::S);
            cell(ui, LICENCE, 18.0, |ui| title(ui, "Licence", ""));
        });
        line(ui, self.width());
    }
}

/// A cell whose content stands at its right edge. Laid out from right to left.
fn number_cell(ui: &mut Ui, width: f32, height: f32, add: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(Vec2::new(width, height), Layout::right_to_left(Align::Center), |ui| {
        ui.set_width(width);
        ui.set_height(height);
        add(ui);
    });
}

fn line(ui: &mut Ui, width: f32) {
    let theme = ui.theme();
    let rect = ui.available_rect_before_wrap();
    let right = rect.right().min(rect.left() + width);
    ui.painter().hline(rect.left()..=right, rect.top(), Stroke::new(1.0, theme.hairline()));
}

fn cell(ui: &mut Ui, width: f32, height: f32, add: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(Vec2::new(width, height), Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(width);
        ui.set_height(height);
        add(ui);
    });
}

pub(super) fn show(
    panel: &mut ModelsPanel,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    columns: &Columns,
    section: &str,
    entry: &Entry,
) {
    let theme = ui.theme();
    keyed(ui, ("model", section, &entry.name, &entry.folder, entry.model), |ui| {
        ui.horizontal(|ui| {
            cell(ui, columns.name, HEIGHT, |ui| title(ui, entry));
            let words = entry.bytes.map(bytes_in_words).unwrap_or_default();
            let words = if entry.is_about { format!("≈ {words}") } else { words };
            number_cell(ui, SIZE, HEIGHT, |ui| figure(ui, &words));
            number_cell(ui, MEMORY, HEIGHT, |ui| memory(ui, cx, entry.memory));
            ui.add_space(space::S);
            cell(ui, LICENCE, HEIGHT, |ui| {
                let licence = RichText::new(entry.licence.as_deref().unwrap_or("–")).font(Type::Caption.sans());
                ui.add(Label::new(licence.color(theme.caption())).truncate());
            });
            ui.allocate_ui_with_layout(Vec2::new(ACTIONS, HEIGHT), Layout::right_to_left(Align::Center), |ui| {
                ui.set_width(ACTIONS);
                actions(panel, ui, cx, entry);
            });
        });
        if let Some(Download { phase: DownloadPhase::Failed(error), .. }) = &entry.download {
            ui.scope(|ui| {
                ui.set_max_width(columns.width());
                error_card(ui, error);
            });
            ui.add_space(space::S);
        }
        if let Some(job) = opening_of(cx, entry) {
            ui.scope(|ui| {
                ui.set_max_width(columns.width());
                job_error(ui, cx, job);
            });
        }
        line(ui, columns.width());
    });
}

fn name(ui: &mut Ui, entry: &Entry) {
    let words = RichText::new(&entry.name).font(Type::Body.bold()).color(ui.theme().body());
    ui.add(Label::new(words).truncate());
}

/// The opening of the folder that failed, while that is the latest that was tried.
fn opening_of(cx: &Cx<'_>, entry: &Entry) -> Option<JobId> {
    let opening = cx.state.latest_opening()?;
    let Work::Open(path) = &*opening.work else { return None };
    let is_this = entry.model.is_none() && entry.folder.as_ref() == Some(path);
    is_this.then_some(opening.id).filter(|job| cx.state.error(*job).is_some())
}

/// The name, and below it what the model is or how its download stands.
fn title(ui: &mut Ui, entry: &Entry) {
    let theme = ui.theme();
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.add_space(5.0);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            if let Some(mark) = entry.mark {
                // Laid out first, so that a long name cannot push it out.
                let words = RichText::new(mark).font(Type::Caption.sans()).color(theme.accent_text());
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.add_space(space::S);
                    ui.label(words);
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| name(ui, entry));
                });
            } else {
                name(ui, entry);
            }
        });
        match &entry.download {
            Some(Download { phase: DownloadPhase::Active, state, stopping }) => {
                let words = if *stopping { "Stopping".to_owned() } else { progress_words(state) };
                let width = ui.available_width().min(460.0);
                ui.allocate_ui(Vec2::new(width, 20.0), |ui| {
                    ui.set_width(width);
                    ui.add(
                        Label::new(RichText::new(words).font(Type::Caption.sans()).color(theme.caption())).truncate(),
                    );
                    // A bar that stands for 'not known' would look as if something were there already.
                    let share = if state.stage == DownloadStage::Queued { Some(0.0) } else { state.share() };
                    progress_bar(ui, share, &format!("Download of {}", entry.name));
                });
            }
            Some(Download { phase: DownloadPhase::Cancelled, state, .. }) if entry.open.is_none() => {
                let total =
                    if state.total > 0 { format!(" of {}", bytes_in_words(state.total)) } else { String::new() };
                caption(ui, format!("Stopped at {}{total}", bytes_in_words(state.done)));
            }
            _ => {
                let detail = RichText::new(&entry.detail).font(Type::Caption.sans()).color(theme.caption());
                ui.add(Label::new(detail).truncate());
            }
        }
    });
}

pub(super) fn progress_words(state: &DownloadState) -> String {
    let of = format!("{} of {}", bytes_in_words(state.done), bytes_in_words(state.total));
    match state.stage {
        DownloadStage::Queued => "Waits for its turn".to_owned(),
        DownloadStage::Asking => "Asking the hub".to_owned(),
        DownloadStage::Checking => format!("Checking what is there · {of}"),
        DownloadStage::Waiting { wait } => {
            format!("The connection broke · next try in {}", seconds(wait.as_secs_f64().max(1.0)))
        }
        DownloadStage::Receiving => {
            let rate =
                if state.rate > 0.0 { format!(" · {}/s", bytes_in_words(state.rate as u64)) } else { String::new() };
            let left = state.left_s().filter(|s| *s >= 1.0).map(|s| format!(" · {} left", seconds(s)));
            format!("{of}{rate}{}", left.unwrap_or_default())
        }
    }
}

fn figure(ui: &mut Ui, words: &str) {
    let theme = ui.theme();
    ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.body()));
}

/// What the weights need, with a warning where that is more than is free.
fn memory(ui: &mut Ui, cx: &Cx<'_>, bytes: Option<u64>) {
    let theme = ui.theme();
    let Some(bytes) = bytes else { return };
    let words = bytes_in_words(bytes);
    match cx.state.free_memory.filter(|free| bytes > *free) {
        None => figure(ui, &words),
        Some(free) => {
            ui.spacing_mut().item_spacing.x = space::XS;
            let mark = RichText::new(char::from(Icon::TriangleAlert)).font(Type::Caption.icon()).color(theme.warning());
            let help = format!("It does not fit: {words} are needed, {} are free.", bytes_in_words(free));
            let words = RichText::new(words).font(Type::Caption.mono()).color(theme.warning());
            ui.label(words).on_hover_text(&help);
            let mark = ui.label(mark).on_hover_text(help);
            mark.widget_info(|| WidgetInfo::labeled(Role::Label, true, "Does not fit in memory"));
        }
    }
}

/// Laid out from right to left.
fn actions(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>, entry: &Entry) {
    let named = |response: Response, verb: &str| {
        let (enabled, name) = (response.enabled(), format!("{verb} {}", entry.name));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &name));
        response.clicked()
    };
    match (&entry.download, &entry.id) {
        (Some(Download { phase: DownloadPhase::Active, stopping, .. }), Some(id)) => {
            let cancel = ui.add_enabled_ui(!stopping, |ui| danger_button(ui, Icon::X, "Cancel")).inner;
            if named(cancel, "Cancel") {
                cx.cancel_fetch(id.clone());
            }
            return;
        }
        (download, Some(id)) if entry.place != Place::Here => {
            let begun = entry.place == Place::Partly || download.is_some();
            let (verb, icon) = if begun { ("Resume", Icon::Play) } else { ("Download", Icon::Download) };
            let button = ui.add_enabled_ui(cx.state.hub.is_there, |ui| secondary_button(ui, Some(icon), verb));
            if named(button.inner, verb) {
                cx.fetch(id.clone());
            }
        }
        _ => {}
    }
    if let Some(model) = entry.model {
        of_an_open_model(panel, ui, cx, entry, model);
    }
    if entry.is_gone
        && let Some(folder) = &entry.folder
        && icon_button(ui, Icon::X, &format!("Take {} from the list", entry.name)).clicked()
    {
        cx.forget(folder.clone());
    }
    if let Some(path) = &entry.open {
        let is_open = cx.state.models.values().any(|model| model.info.path == *path);
        let is_opening = cx.state.opening().is_some();
        let verb = if is_open { "Use" } else { "Open" };
        let button = ui.add_enabled_ui(!is_opening, |ui| {
            // What stands beside it is to stand in a column, whichever verb it is.
            ui.set_min_width(VERB_WIDTH);
            secondary_button(ui, None, verb)
        });
        let button = button.inner;
        if named(button, verb) {
            cx.open_model(path.clone());
        }
    }
    if let Some(folder) = &entry.folder {
        if icon_button(ui, Icon::IdCard, &format!("Card of {}", entry.name)).clicked() {
            panel.show_card(folder.clone());
        }
        if icon_button(ui, Icon::Copy, &format!("Copy the path of {}", entry.name)).clicked() {
            ui.ctx().copy_text(folder.display().to_string());
            cx.toast("Copied the path");
        }
    }
}

/// What can be done with a model in memory. Laid out from right to left.
fn of_an_open_model(panel: &mut ModelsPanel, ui: &mut Ui, cx: &mut Cx<'_>, entry: &Entry, model: ModelId) {
    let would_be_lost = cx.state.models.get(&model).is_some_and(|open| open.info.modified);
    let is_busy = cx.state.active_jobs().any(|job| job.model == Some(model) && !job.is_quiet());
    let is_asked = panel.closing == Some(model);
    let (words, help) = match (would_be_lost, is_asked) {
        (true, true) => ("Close, not saved", "Its weights were changed and are in no folder: they will be gone."),
        _ => ("Close", "Takes it out of memory; its folder stays."),
    };
    let button = ui.add_enabled_ui(!is_busy, |ui| {
        ui.set_min_width(VERB_WIDTH);
        if is_asked { danger_button(ui, Icon::X, words) } else { secondary_button(ui, None, words) }
    });
    let button = button.inner.on_hover_text(help).on_disabled_hover_text("It is at work: stop that first.");
    let (enabled, name) = (button.enabled(), format!("{words} {}", entry.name));
    button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &name));
    if button.clicked() {
        if would_be_lost && !is_asked {
            panel.closing = Some(model);
        } else {
            panel.closing = None;
            cx.send(Command::Close { model });
        }
    }
    if entry.mark.is_none() {
        let button = secondary_button(ui, None, "Use");
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Use {}", entry.name)));
        if button.clicked() {
            cx.activate(model);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_download_says_how_far_how_fast_and_how_long() {
        let mut state = DownloadState {
            stage: DownloadStage::Receiving,
            done: 312_000_000,
            total: 551_000_000,
            rate: 4e6,
            ..Default::default()
        };
        assert_eq!(progress_words(&state), "312 MB of 551 MB · 4.00 MB/s · 1 min 0 s left");
        state.rate = 0.0;
        assert_eq!(progress_words(&state), "312 MB of 551 MB");
        state.stage = DownloadStage::Waiting { wait: Duration::from_secs(4) };
        assert_eq!(progress_words(&state), "The connection broke · next try in 4 s");
    }
}
