//! Closing the window: what would be lost is named, once, before it is.

use super::App;
use crate::ui::theme::{Type, space};
use crate::ui::widgets;
use egui::{Id, RichText, ViewportCommand};
use lucide_icons::Icon;

/// Where a person stands who wants to close the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Closing {
    #[default]
    No,
    Asked,
    Sure,
}

impl App {
    /// What would be gone, in sentences; empty where nothing would.
    fn would_lose(&self) -> Vec<String> {
        let state = &self.state;
        let runs = state.trainings().filter(|training| state.is_active(training.job)).map(|training| {
            let name = state.models.get(&training.model).map_or("a model", |model| model.info.name.as_str());
            match &training.spec().out {
                Some(out) => format!("The training of {name} stops; it can go on from {}.", out.display()),
                None => format!("The training of {name} stops, and what it has learned is lost."),
            }
        });
        let idle = |model: &&crate::ui::OpenModel| {
            !state.trainings().any(|training| training.model == model.info.id && state.is_active(training.job))
        };
        let unsaved = state.models.values().filter(|model| model.info.modified).filter(idle);
        let unsaved = unsaved.map(|model| format!("{} was changed and is not saved.", model.info.name));
        runs.chain(unsaved).collect()
    }

    /// Keeps the window open where something would be lost, and asks.
    pub(super) fn close(&mut self, ctx: &egui::Context) {
        if ctx.input(|i| i.viewport().close_requested()) && self.closing != Closing::Sure {
            if self.would_lose().is_empty() {
                return;
            }
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.closing = Closing::Asked;
        }
        if self.closing != Closing::Asked {
            return;
        }
        let (lost, theme) = (self.would_lose(), self.theme);
        let (mut sure, mut stay) = (false, lost.is_empty());
        let modal = widgets::dialog(ctx, Id::unique("closing")).show(ctx, |ui| {
            ui.set_width(420.0);
            ui.label(RichText::new("Close Fovea?").font(Type::Strong.bold()).color(theme.body()));
            ui.add_space(space::XS);
            for sentence in &lost {
                ui.label(RichText::new(sentence).font(Type::Body.sans()).color(theme.body()));
            }
            widgets::caption(ui, "What was typed and drawn is kept.");
            ui.add_space(space::S);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                stay |= widgets::primary_button(ui, Icon::Undo2, "Stay").clicked();
                sure = widgets::danger_button(ui, Icon::X, "Close anyway").clicked();
            });
        });
        if sure {
            self.closing = Closing::Sure;
            ctx.send_viewport_cmd(ViewportCommand::Close);
        } else if stay || modal.should_close() {
            self.closing = Closing::No;
        }
    }
}
