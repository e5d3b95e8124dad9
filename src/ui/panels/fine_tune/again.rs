//! What can be done with a run that is over: go on, open its result, find its folder, delete it.

use super::FineTunePanel;
use super::view::{NamedRun, RunKey};
use crate::engine::{Command, Work};
use crate::types::{ImportedCurve, JobId, ModelId, bytes_in_words};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, danger_button, dialog, ghost_button, primary_button, secondary_button, section};
use egui::{Id, RichText, Ui};
use lucide_icons::Icon;

impl FineTunePanel {
    /// Takes a run up where it was left: under the model that holds its result, or a new one.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>, run: &NamedRun<'_>) {
        let Some(spec) = run.spec.filter(|_| self.active_run(cx.state).is_none()) else { return };
        let own = cx.state.models.values().find(|open| Some(&open.info.path) == spec.out.as_ref());
        let model = own.map_or_else(ModelId::next, |open| open.info.id);
        cx.send(Command::start(JobId::next(), model, Work::Train(spec.clone())));
        self.selected = Some(run.key.clone());
    }

    /// The files of a kept run, and what can be done with them.
    pub(super) fn files(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>) {
        if let Some(curve) = run.imported {
            return self.file_of_another_program(ui, curve);
        }
        let RunKey::Folder(folder) = &run.key else { return };
        let is_active = run.training.is_some_and(|training| cx.state.is_active(training.job));
        section(ui, "On the disk", |ui| {
            let path = RichText::new(folder.display().to_string()).font(Type::Caption.mono());
            ui.add(egui::Label::new(path.color(ui.theme().caption())).wrap().selectable(true));
            if let Some(kept) = run.kept.filter(|_| !is_active) {
                let checkpoint =
                    kept.checkpoint.map(|step| format!(" · checkpoint of step {step}")).unwrap_or_default();
                caption(ui, format!("{}{checkpoint}", bytes_in_words(kept.bytes)));
            }
            ui.horizontal_wrapped(|ui| {
                if run.can_go_on(cx.state) {
                    ui.add_enabled_ui(self.active_run(cx.state).is_none(), |ui| {
                        if primary_button(ui, Icon::Play, "Go on training").clicked() {
                            self.go_on(cx, run);
                        }
                    });
                }
                let is_open = cx.state.models.values().any(|open| open.info.path == *folder);
                if !is_active && !is_open && run.kept.is_some_and(|kept| kept.has_model) {
                    let (words, help) = match run.spec.and_then(|spec| spec.lora.as_ref()) {
                        Some(_) => (
                            "Open its adapter",
                            "What the best validation was measured with, on the model it began with.",
                        ),
                        None => ("Open its model", "The weights of the best validation, as a model of its own."),
                    };
                    let button = secondary_button(ui, Some(Icon::FolderOpen), words);
                    if button.on_hover_text(help).clicked() {
                        cx.open_model(folder.clone());
                    }
                }
                if secondary_button(ui, Some(Icon::Copy), "Copy the path").clicked() {
                    ui.ctx().copy_text(folder.display().to_string());
                }
                if !is_active && run.kept.is_some() && ghost_button(ui, Some(Icon::Trash2), "Delete the run").clicked()
                {
                    self.deleting = Some((folder.clone(), run.name.clone()));
                }
            });
        });
    }

    /// Where a curve of another program came from, and what of it is not drawn.
    fn file_of_another_program(&mut self, ui: &mut Ui, curve: &ImportedCurve) {
        section(ui, "From another program", |ui| {
            let path = RichText::new(curve.path.display().to_string()).font(Type::Caption.mono());
            ui.add(egui::Label::new(path.color(ui.theme().caption())).wrap().selectable(true));
            caption(ui, format!("{} · what its loss is of, it does not say", curve.format));
            if !curve.left_out.is_empty() {
                caption(ui, format!("Also in it, and on no axis here: {}.", curve.left_out.join(", ")));
            }
            ui.horizontal_wrapped(|ui| {
                if secondary_button(ui, Some(Icon::RefreshCw), "Read it again").clicked() {
                    self.kept.want_imported(&curve.path);
                }
                let help = "It is taken off the plot and out of the list. The file stays.";
                if ghost_button(ui, Some(Icon::X), "Take it out").on_hover_text(help).clicked() {
                    self.kept.take_out(&curve.path);
                    self.selected = None;
                }
            });
        });
    }

    /// Asks before a run is deleted.
    pub(super) fn question(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some((folder, name)) = self.deleting.clone() else { return };
        let bytes = self.kept.listed.runs.iter().find(|run| run.folder == folder).map_or(0, |run| run.bytes);
        let (mut sure, mut not) = (false, false);
        let modal = dialog(ui.ctx(), Id::unique("delete run")).show(ui.ctx(), |ui| {
            ui.set_width(420.0);
            let theme = ui.theme();
            ui.label(RichText::new(format!("Delete {name}?")).font(Type::Strong.bold()).color(theme.body()));
            ui.add_space(space::XS);
            let mut words = format!(
                "Its settings, its curve, its snapshots, its checkpoint and its result are deleted: {} in {}.",
                bytes_in_words(bytes),
                folder.display()
            );
            if cx.state.models.values().any(|open| open.info.path == folder) {
                words += " The model it left stays open until the window is closed, and has no file then.";
            }
            ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.body()));
            ui.add_space(space::S);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                not |= primary_button(ui, Icon::Undo2, "Keep it").clicked();
                sure = danger_button(ui, Icon::Trash2, "Delete").clicked();
            });
        });
        if sure {
            self.kept.delete(folder, ui.ctx());
            self.selected = None;
        }
        if sure || not || modal.should_close() {
            self.deleting = None;
        }
    }
}
