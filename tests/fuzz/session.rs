//! The window's session: what was typed, by panel, as another version or a damaged disk may have left it.

use egui::{Context, Pos2, RawInput, Rect, Vec2};
use fovea::engine::{Command, Event};
use fovea::ui::{App, AppOptions, EngineLink, PanelId, panels};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Hears every command and says nothing.
struct Silent;

impl EngineLink for Silent {
    fn try_send(&mut self, _command: Command) -> Result<(), Box<Command>> {
        Ok(())
    }

    fn try_recv(&mut self) -> Option<Event> {
        None
    }
}

/// A session of an earlier program, and what the panels save by themselves, each of them being the one that was shown.
pub fn seeds() -> Vec<Vec<u8>> {
    let older = std::fs::read(super::root().join("tests/golden/older/session.json")).unwrap();
    let saved = panels::all().into_iter().map(|panel| (panel.id().key().to_owned(), panel.save()));
    let saved: Map<String, Value> = saved.filter(|(_, value)| !value.is_null()).collect();
    assert!(saved.len() > 3, "{saved:?}");
    let shown = |panel: PanelId| {
        json!({
            "theme": "dark", "device": "cpu", "panel": panel.key(), "inspector": true, "recent": ["/models/a"],
            "models": [], "panels": saved,
        })
    };
    let fresh = PanelId::ALL.into_iter().map(|panel| serde_json::to_vec(&shown(panel)).unwrap());
    fresh.chain([older]).collect()
}

/// Starts a window with the session, and paints the panel that was shown and one more. What is not understood of it must be kept as it was.
pub fn attempt(input: &[u8]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("session.json"), input).unwrap();
    let options = AppOptions { state_dir: Some(dir.path().to_owned()), ..AppOptions::default() };
    let ctx = Context::default();
    let screen = Rect::from_min_size(Pos2::ZERO, Vec2::new(1024.0, 640.0));
    let mut app: Option<App> = None;
    let mut frame = |panel: Option<PanelId>| {
        let _ = ctx.run_ui(RawInput { screen_rect: Some(screen), ..RawInput::default() }, |ui| {
            let app = app.get_or_insert_with(|| App::new(ui.ctx(), Box::new(Silent), options.clone()));
            if let Some(panel) = panel {
                app.show_panel(panel);
            }
            app.drain(ui.ctx());
            app.paint(ui);
        });
    };
    frame(None);
    frame(Some(PanelId::ALL[input.len() % PanelId::ALL.len()]));
    drop(app);
    let copies: Vec<PathBuf> =
        ["session.broken.json", "session.broken-2.json"].map(|name| dir.path().join(name)).into();
    let kept: Vec<Vec<u8>> = copies.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    assert!(kept.iter().all(|copy| copy == input), "the copy is not what was there");
    if kept.is_empty() {
        Ok(())
    } else {
        Err("Not all of the session was understood.\nA copy of it was kept.".to_owned())
    }
}
