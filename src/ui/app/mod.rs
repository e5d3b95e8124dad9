//! The frame around the panels: drains what came in, shows the panel, carries out what it asked for.

mod about;
mod bars;
mod closing;
mod hub_link;
mod keys;
mod model_menu;
mod overlay;
mod palette;
mod rail;
mod regions;
mod request;
mod start;
mod typing;

pub use start::{AppOptions, EngineLink, run};

use super::files::Dialogs;
use super::glyphs::SystemFonts;
use super::session::{KeptAdapter, Session, Starting, Writer};
use super::theme::{self, ThemeChoice, space};
use super::{Cx, Edits, Panel, Request, Selection, State, Theme, widgets};
use crate::engine::Command;
use crate::hub::{HubCommand, HubHandle};
use crate::types::{Ability, DeviceChoice, ModelInfo, UserError};
use crate::ui::PanelId;
use crate::ui::Themed;
use about::About;
use closing::Closing;
use egui::{CentralPanel, Frame, Margin, ScrollArea};
use lucide_icons::Icon;
use overlay::{PathEntry, Toast};
use palette::Palette;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Events taken in per frame; the rest waits for the next, so that a flood cannot hold a frame up.
/// A start has succeeded once so many frames were painted: a picture that cannot be painted ends the program in the first ones.
const FRAMES_OF_A_START: usize = 3;
const EVENTS_PER_FRAME: usize = 256;
/// Width that stage and inspector keep when the controls are drawn wider, in points.
const ROOM: f32 = 660.0;
/// Width beside the rail from which an inspector without content may stand, in points.
const ROOMY: f32 = 1100.0;
/// How often what was typed is compared with what is on disk.
const SESSION_EVERY: Duration = Duration::from_millis(500);
/// How often memory is read while something is painted.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// The window's contents. Knows the engine by its [`EngineLink`] only.
pub struct App {
    link: Box<dyn EngineLink>,
    state: State,
    selection: Selection,
    /// What is changed inside the model, for all panels.
    edits: Edits,
    panels: Vec<Box<dyn Panel>>,
    shown: usize,
    /// The panel of the last frame.
    painted: usize,
    theme: &'static Theme,
    theme_choice: ThemeChoice,
    device_choice: DeviceChoice,
    inspector_open: bool,
    /// Commands the engine had no room for yet.
    outbox: VecDeque<Command>,
    /// What panels asked for in this frame, with the panel's place.
    requests: Vec<(Option<usize>, Request)>,
    dialogs: Dialogs,
    /// Typefaces for what Fovea's own lack, when they are wanted.
    system_fonts: Option<SystemFonts>,
    /// The Hugging Face cache and downloads, when they are wanted.
    hub: Option<HubHandle>,
    /// Commands the hub had no room for yet.
    hub_outbox: VecDeque<HubCommand>,
    /// Free memory to reckon with instead of what the system says.
    fixed_free_memory: Option<u64>,
    palette: Option<Palette>,
    about: Option<About>,
    path_entry: Option<PathEntry>,
    toast: Option<Toast>,
    failure: Option<UserError>,
    /// Kinds of models that were opened unasked; once each, so that a failure is not repeated for ever.
    offered: BTreeSet<PathBuf>,
    /// True once the person was told that the engine is gone.
    engine_lost: bool,
    writer: Option<Writer>,
    /// Until the window was painted a few times.
    starting: Starting,
    frames: usize,
    closing: Closing,
    regions: regions::Regions,
    /// True when something had the keyboard at the end of the last frame.
    had_focus: bool,
    session_due: Instant,
    memory_due: Instant,
    started: Instant,
}

impl App {
    /// What the engine has told so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Id of the panel that is shown.
    #[must_use]
    pub fn panel(&self) -> PanelId {
        self.panels[self.shown].id()
    }

    /// Shows a panel.
    pub fn show_panel(&mut self, id: PanelId) {
        self.shown = self.place_of(id);
    }

    fn place_of(&self, id: PanelId) -> usize {
        self.panels.iter().position(|panel| panel.id() == id).unwrap_or(0)
    }

    /// Gives the engine a command, as a panel does.
    pub fn send(&mut self, command: Command) {
        self.give(command);
    }

    /// Takes in what the engine and the dialogs have told. Paints nothing and waits for nothing.
    pub fn drain(&mut self, ctx: &egui::Context) {
        self.state.now_s = self.started.elapsed().as_secs_f64();
        for taken in 0.. {
            if taken == EVENTS_PER_FRAME {
                ctx.request_repaint();
                break;
            }
            let Some(event) = self.link.try_recv() else { break };
            self.state.apply(event);
        }
        while let Some(answer) = self.dialogs.try_recv() {
            self.answered(answer, ctx);
        }
        self.hear_hub(ctx);
        for words in self.system_fonts.iter_mut().flat_map(|fonts| fonts.take_in(ctx)) {
            self.state.log.info(self.state.now_s, words);
        }
        self.post(ctx);
        if !self.engine_lost && !self.link.is_running() {
            self.engine_lost = true;
            self.fail(UserError::new(
                "The engine has stopped.",
                "Its thread ended through a defect in Fovea.",
                "Start Fovea again; what you typed and drew is kept.",
            ));
        }
        if self.theme_choice == ThemeChoice::System && request::system_is_dark(ctx) != self.theme.is_dark() {
            self.set_theme(ctx, ThemeChoice::System);
        }
        let now = Instant::now();
        if now >= self.memory_due {
            self.memory_due = now + MEMORY_EVERY;
            self.state.memory_bytes = start::resident_bytes();
            self.state.free_memory = self.fixed_free_memory.or_else(start::free_bytes);
        }
        self.tick();
        self.carry_out(ctx);
        let mut shown: BTreeSet<_> = self.selection.run.into_iter().chain(self.selection.inspection).collect();
        self.panels.iter().for_each(|panel| panel.shows(&mut shown));
        self.edits.shows(&mut shown);
        self.state.keep(&shown);
    }

    /// Paints one frame.
    pub fn paint(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.keys(&ctx);
        self.take_drops(&ctx);
        self.regions.begin();
        self.top_bar(ui);
        self.status_bar(ui);
        self.failure_bar(ui);
        self.rail(ui);
        self.workplace(ui);
        self.overlays(&ctx);
        self.close(&ctx);
        self.carry_out(&ctx);
        self.post(&ctx);
        self.keep(&ctx);
        self.note_focus(&ctx);
        if self.starting.is_under_way() {
            self.frames += 1;
            if self.frames > FRAMES_OF_A_START {
                self.starting.succeeded();
            } else {
                ctx.request_repaint();
            }
        }
    }

    /// Runs `with` on the panel at `place`, with the world it may see.
    fn with_panel<R>(&mut self, place: usize, with: impl FnOnce(&mut dyn Panel, &mut Cx<'_>) -> R) -> R {
        let mut asked = Vec::new();
        let mut cx = Cx::new(&self.state, (&mut self.selection, &mut self.edits), self.theme, &mut asked);
        let result = with(self.panels[place].as_mut(), &mut cx);
        self.requests.extend(asked.into_iter().map(|r| (Some(place), r)));
        result
    }

    fn tick(&mut self) {
        match self.edits.tick(self.state.now_s) {
            Some(Ok(words)) => self.say(words),
            Some(Err(error)) => self.fail(error),
            None => {}
        }
        for place in 0..self.panels.len() {
            self.with_panel(place, |panel, cx| panel.tick(cx));
        }
        if self.panel() == PanelId::Log {
            self.state.log.mark_read();
        }
        if let Some(ability) = self.panels[self.shown].needs() {
            self.offer_model(ability);
        }
    }

    /// Opens a shipped model for the panel that is shown, if none is open: so that it works at once. Other panels keep the one they have.
    fn offer_model(&mut self, ability: Ability) {
        if self.state.active(ability).is_some() || self.state.opening().is_some() {
            return;
        }
        // The panel tells what a model that is in use lacks; another one is not put in its place unasked.
        if ability == Ability::Attend && self.state.active(Ability::Continue).is_some() {
            return;
        }
        let Some(model) = self.state.shipped.iter().find(|m| m.kind.can(ability)) else { return };
        let path = model.path.clone();
        if self.offered.insert(path.clone())
            && let Some(model) = self.open_model(path)
        {
            self.state.open_unasked(model);
        }
    }

    fn workplace(&mut self, ui: &mut egui::Ui) {
        let theme = ui.theme();
        let shown = self.shown;
        if std::mem::replace(&mut self.painted, shown) != shown {
            // What the last panel had selected is not what this one has.
            self.selection.words.clear();
        }
        let margin = Margin::symmetric(space::L as i8, space::M as i8);
        // In a small window the stage has the first claim on the width.
        let width = ui.available_width();
        let controls = 280.0..=(width - ROOM).clamp(280.0, 560.0);
        let inspector = 220.0..=(width * 0.24).clamp(220.0, 380.0);
        let has_controls = !self.panels[shown].at_foot();
        if has_controls {
            let shown = egui::Panel::left("controls")
                .resizable(true)
                .default_size((160.0 + width / 8.0).clamp(280.0, 420.0))
                .size_range(controls)
                .frame(Frame::new().fill(theme.surface()))
                .show(ui, |ui| self.controls(ui, margin));
            self.regions.note(shown.response.rect);
        }
        let before = ui.available_rect_before_wrap();
        if let Some(title) = self.inspector_title(width) {
            let was_open = self.inspector_open;
            let mut open = was_open;
            egui::Panel::right("inspector")
                .resizable(true)
                .default_size(280.0)
                .size_range(inspector)
                .frame(Frame::new().fill(theme.surface()))
                .show_collapsible(ui, &mut open, |ui| self.inspector(ui, title, margin));
            // The button inside may have closed it.
            if open != was_open {
                self.inspector_open = open;
            }
        }
        let stage = ui.available_rect_before_wrap();
        self.regions.note(stage);
        if stage.right() < before.right() {
            self.regions.note(egui::Rect::from_min_max(stage.right_top(), before.right_bottom()));
        }
        CentralPanel::no_frame().frame(Frame::new().fill(theme.ground())).show(ui, |ui| {
            self.with_panel(shown, |panel, cx| panel.stage(ui, cx));
        });
    }

    /// The title of the inspector, if there is one now. In a small window one without content gives its room to the stage.
    pub(super) fn inspector_title(&self, width: f32) -> Option<&'static str> {
        let panel = &self.panels[self.shown];
        let is_needless = width < ROOMY && panel.inspector_is_empty(&self.selection);
        panel.inspector_title().filter(|_| !is_needless)
    }

    fn controls(&mut self, ui: &mut egui::Ui, margin: Margin) {
        let shown = self.shown;
        let theme = ui.theme();
        if self.panels[shown].has_footer() {
            egui::Panel::bottom("footer")
                .frame(Frame::new().fill(theme.surface()).inner_margin(margin))
                .show(ui, |ui| self.with_panel(shown, |panel, cx| panel.footer(ui, cx)));
        }
        CentralPanel::no_frame().show(ui, |ui| {
            ScrollArea::vertical().id_salt(("controls", shown)).auto_shrink(false).show(ui, |ui| {
                Frame::new().inner_margin(margin).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    let title = self.panels[shown].title();
                    let help = self.panels[shown].help();
                    ui.label(egui::RichText::new(title).font(theme::Type::Title.bold()).color(theme.body()));
                    widgets::caption(ui, help);
                    self.with_panel(shown, |panel, cx| panel.controls(ui, cx));
                });
            });
        });
    }

    fn inspector(&mut self, ui: &mut egui::Ui, title: &str, margin: Margin) {
        let shown = self.shown;
        let theme = ui.theme();
        ScrollArea::vertical().id_salt(("inspector", shown)).auto_shrink(false).show(ui, |ui| {
            Frame::new().inner_margin(margin).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.horizontal(|ui| {
                    ui.label(egui::RichText::new(title).font(theme::Type::Strong.bold()).color(theme.body()));
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        if widgets::icon_button(ui, Icon::PanelRightClose, "Hide inspector").clicked() {
                            self.inspector_open = false;
                        }
                    });
                });
                self.with_panel(shown, |panel, cx| panel.inspector(ui, cx));
            });
        });
    }

    /// What would be written to disk now.
    fn session(&self) -> Session {
        let used: Vec<&ModelInfo> = self.state.in_use().map(|open| &open.info).filter(|m| m.path.exists()).collect();
        let adapter = |(model, info): (usize, &&ModelInfo)| {
            // One that was trained and never written has no folder to come back from.
            let adapter = info.adapter.as_ref().filter(|adapter| !adapter.path.as_os_str().is_empty())?;
            Some(KeptAdapter { model, path: Some(adapter.path.clone()), setting: adapter.setting })
        };
        let adapters = used.iter().enumerate().filter_map(adapter).collect();
        let models = used.iter().map(|info| info.path.clone()).collect();
        Session {
            theme: self.theme_choice,
            device: self.device_choice,
            panel: self.panel().key().to_owned(),
            inspector: self.inspector_open,
            recent: self.state.recent.clone(),
            models,
            adapters,
            edits: self.edits.kept(),
            panels: self
                .panels
                .iter()
                .map(|p| (p.id().key().to_owned(), p.save()))
                .filter(|(_, v)| !v.is_null())
                .collect(),
        }
    }

    /// Hands what was typed to the session's thread now and then; asks for a frame in which to do so.
    fn keep(&mut self, ctx: &egui::Context) {
        let now = Instant::now();
        if now < self.session_due {
            if ctx.input(|i| !i.events.is_empty()) {
                ctx.request_repaint_after(self.session_due - now);
            }
            return;
        }
        self.session_due = now + SESSION_EVERY;
        let session = self.session();
        if let Some(writer) = &mut self.writer {
            writer.offer(session);
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.drain(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.paint(ui);
    }

    fn on_exit(&mut self) {
        self.starting.succeeded();
        let session = self.session();
        if let Some(mut writer) = self.writer.take() {
            writer.finish(session);
        }
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        self.theme.ground().to_normalized_gamma_f32()
    }
}
