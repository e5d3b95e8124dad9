//! How the window comes to life.

use super::App;
use super::typing::InTurn;
use crate::engine::{Command, Event};
use crate::hub::HubSettings;
use crate::types::{DeviceChoice, UserError};
use crate::ui::files::Dialogs;
use crate::ui::glyphs::{self, SystemFonts};
use crate::ui::session::{self, Session, Starting, Writer};
use crate::ui::{Edits, PanelId, Selection, State, Theme, ThemeChoice, panels, shipped, theme};
use std::path::PathBuf;
use std::time::Instant;

/// The window's end of the engine. None of these may wait.
pub trait EngineLink {
    /// Gives a command, or gives it back when the engine has no room now.
    ///
    /// # Errors
    /// The command itself, when the queue is full.
    fn try_send(&mut self, command: Command) -> Result<(), Box<Command>>;
    /// The next event, if one has come.
    fn try_recv(&mut self) -> Option<Event>;
    /// False once the engine has ended without being asked to.
    fn is_running(&self) -> bool {
        true
    }
}

/// What is decided before the window opens.
#[derive(Clone, Debug, Default)]
pub struct AppOptions {
    /// Model folder to open instead of the last one.
    pub model: Option<PathBuf>,
    /// Device to use instead of the last choice.
    pub device: Option<DeviceChoice>,
    /// Theme to use instead of the last choice.
    pub theme: Option<ThemeChoice>,
    /// Folder of the shipped models.
    pub shipped: Option<PathBuf>,
    /// Where what was typed is kept; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// The Hugging Face cache to list and download into; `None` does without.
    pub hub: Option<HubSettings>,
    /// Free memory to reckon with, in bytes; `None` asks the system.
    pub free_memory: Option<u64>,
    /// True shows the platform's file dialogs; false asks for typed paths.
    pub native_dialogs: bool,
    /// True shows what Fovea's own typefaces lack in those of the system, or as code points; false as boxes.
    pub system_fonts: bool,
}

/// The folder for training runs, inside the folder for what Fovea keeps.
const RUNS: &str = "runs";

impl App {
    /// A window's contents, with fonts and theme set on `ctx`.
    #[must_use]
    pub fn new(ctx: &egui::Context, link: Box<dyn EngineLink>, options: AppOptions) -> Self {
        ctx.set_fonts(theme::fonts());
        ctx.add_plugin(InTurn::default());
        let system_fonts = options.system_fonts.then(|| {
            ctx.add_glyph_rasterizer(glyphs::code_points());
            SystemFonts::begin(ctx)
        });
        let (starting, session, word) = options.state_dir.as_deref().map_or_else(Default::default, Starting::begin);
        let mut state = State::default();
        if let Some(word) = word {
            state.log.info(0.0, word);
        }
        state.shipped = options.shipped.as_deref().map(shipped::in_folder).unwrap_or_default();
        state.recent.clone_from(&session.recent);
        state.runs_dir = options.state_dir.as_ref().map(|dir| dir.join(RUNS));
        state.folder.clone_from(&options.state_dir);
        let mut panels = panels::all();
        let mut is_whole = true;
        for panel in &mut panels {
            if let Some(saved) = session.panels.get(panel.id().key()) {
                is_whole &= panel.restore(saved);
            }
        }
        if let Some(dir) = options.state_dir.as_deref().filter(|_| !is_whole) {
            let words = "Some of what was typed could not be understood and has its defaults.";
            state.log.info(0.0, format!("{words}{}", session::set_aside(dir)));
        }
        let writer = options.state_dir.clone().and_then(|dir| match Writer::start(dir, session.clone()) {
            Ok(writer) => Some(writer),
            Err(e) => {
                state.log.info(0.0, format!("What you type will not survive a restart: {e}."));
                None
            }
        });
        let wake = ctx.clone();
        let now = Instant::now();
        let mut app = Self {
            link,
            state,
            selection: Selection::default(),
            edits: Edits::with(session.edits.clone()),
            panels,
            shown: 0,
            painted: 0,
            theme: Theme::dark(),
            theme_choice: session.theme,
            device_choice: options.device.unwrap_or(session.device),
            inspector_open: session.inspector,
            outbox: Default::default(),
            requests: Vec::new(),
            dialogs: Dialogs::new(options.native_dialogs, move || wake.request_repaint()),
            system_fonts,
            hub: None,
            hub_outbox: Default::default(),
            fixed_free_memory: options.free_memory,
            palette: None,
            about: None,
            path_entry: None,
            toast: None,
            failure: None,
            offered: Default::default(),
            engine_lost: false,
            writer,
            starting,
            frames: 0,
            closing: Default::default(),
            regions: Default::default(),
            had_focus: false,
            session_due: now,
            memory_due: now,
            started: now,
        };
        app.start_hub(ctx, options.hub);
        app.set_theme(ctx, options.theme.unwrap_or(session.theme));
        if let Some(panel) = PanelId::from_key(&session.panel) {
            app.show_panel(panel);
        }
        app.open_first(options.model, &session);
        app
    }

    /// Opens what the person named, else what was open last; a shipped model follows by itself when there is nothing.
    fn open_first(&mut self, named: Option<PathBuf>, session: &Session) {
        let last = session.models.iter().cloned().enumerate().filter(|(_, path)| path.exists());
        let paths: Vec<(Option<usize>, PathBuf)> = match named {
            Some(path) => vec![(None, path)],
            None => last.map(|(place, path)| (Some(place), path)).collect(),
        };
        for (place, path) in paths {
            let kept = session.adapters.iter().find(|kept| Some(kept.model) == place);
            let adapter = kept.and_then(|kept| Some((kept.path.clone()?, kept.setting)));
            let model = self.open_model(path);
            if let (Some(model), Some((adapter, setting))) = (model, adapter) {
                self.put_back(model, adapter, setting);
            }
        }
    }
}

/// Opens the window and stays until it is closed.
///
/// # Errors
/// When no window can be opened, such as without a display.
pub fn run(
    options: AppOptions,
    connect: impl FnOnce(DeviceChoice, Box<dyn Fn() + Send>) -> Box<dyn EngineLink>,
) -> Result<(), UserError> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Fovea")
            .with_app_id("fovea")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([1024.0, 640.0])
            .with_drag_and_drop(true),
        system_font_fallback: false,
        ..Default::default()
    };
    let creator: eframe::AppCreator<'_> = Box::new(move |cc| {
        let ctx = cc.egui_ctx.clone();
        let wake = ctx.clone();
        let last = options.state_dir.as_deref().map(|dir| session::load(dir).0.device).unwrap_or_default();
        let link = connect(options.device.unwrap_or(last), Box::new(move || wake.request_repaint()));
        let mut app = App::new(&ctx, link, options);
        app.state.began = Some(jiff::Zoned::now());
        Ok(Box::new(app))
    });
    eframe::run_native("fovea", native, creator).map_err(|e| {
        UserError::new(
            "The window could not be opened.",
            "No display, or no graphics driver that can draw in a window, was found.",
            "Start Fovea in a desktop session, or use the command line: `fovea --help`.",
        )
        .with_detail(without_places(&e.to_string()))
    })
}

/// Memory that new programs can take without others being pushed out, where the platform tells without effort.
pub(super) fn free_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// A library's message without places in its source, which tell nobody here anything.
fn without_places(message: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in message.split(' ') {
        let place = word.trim_end_matches([':', ',', ')']);
        if !place.contains(".rs:") {
            words.push(word.to_owned());
            continue;
        }
        words.pop_if(|before| before == "at");
        // What follows the place belongs to what stood before it.
        if let Some(before) = words.last_mut() {
            before.push_str(&word[place.len()..]);
        }
    }
    words.join(" ")
}

/// Memory the process holds, where the platform tells without effort.
pub(super) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_library_names_no_source() {
        let message = "EventLoopError: os error at /home/x/winit-0.30/src/mod.rs:765: no DISPLAY is set.";
        assert_eq!(without_places(message), "EventLoopError: os error: no DISPLAY is set.");
        assert_eq!(without_places("(a, src/b.rs:1:2) c"), "(a,) c");
        assert_eq!(without_places("no display at all"), "no display at all");
    }
}
