//! The window: an app frame, panels, and the state that the engine's events leave behind.
//!
//! Must not know: tensors or model files. Everything it learns comes as [`crate::engine::Event`]s through
//! [`State::apply`]; everything it wants leaves as [`crate::engine::Command`]s. The UI thread never waits.

mod app;
mod ask;
mod asked_model;
mod edits;
pub mod files;
mod glyphs;
mod history;
mod intent;
mod lenient;
mod panel;
pub mod panels;
mod paths;
mod reader;
mod session;
mod shipped;
mod state;
pub mod theme;
pub mod widgets;

pub use app::{App, AppOptions, EngineLink, run};
pub use ask::{Answer, Ask};
pub use edits::{Edits, Kept as KeptEdits};
pub use history::History;
pub use intent::{Intent, PanelId};
pub use panel::{Action, Cx, Panel, Request, Selection};
pub use session::recent_models;
pub use state::{
    Download, DownloadPhase, HubState, Job, KShotRun, Live, Log, LogEntry, Made, OpenModel, Phase, Progress, Prompting,
    Reported, Run, ShippedModel, State, Training, full_name,
};
pub use theme::{Theme, ThemeChoice, Themed};
