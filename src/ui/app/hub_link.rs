//! The window's end of the hub: what it is asked, and what it tells.

use super::App;
use crate::hub::{DownloadStage, HubCommand, HubEvent, HubHandle, HubSettings, RepoId};
use crate::ui::Download;
use std::path::PathBuf;
use std::time::Duration;

impl App {
    /// Starts the hub, if one is wanted, and looks through the cache.
    pub(super) fn start_hub(&mut self, ctx: &egui::Context, settings: Option<HubSettings>) {
        let Some(settings) = settings else { return };
        let wake = ctx.clone();
        match HubHandle::start(settings, Box::new(move || wake.request_repaint())) {
            Ok(hub) => {
                self.hub = Some(hub);
                self.state.hub.is_there = true;
                self.list_models();
            }
            Err(error) => {
                let words = format!("Models of the Hugging Face cache are not listed: {error}.");
                self.state.log.info(self.state.now_s, words);
            }
        }
    }

    /// Takes in what the hub has told.
    pub(super) fn hear_hub(&mut self, ctx: &egui::Context) {
        let mut changed = false;
        while let Some(event) = self.hub.as_ref().and_then(HubHandle::try_recv) {
            let now_s = self.state.now_s;
            match &event {
                HubEvent::Fetched { id, .. } => self.state.log.info(now_s, format!("Fetched {id}.")),
                HubEvent::Cancelled { id } => self.state.log.info(now_s, format!("Stopped fetching {id}.")),
                HubEvent::Failed { error, .. } => self.state.log.error(now_s, None, error.clone()),
                _ => {}
            }
            changed |= self.state.hub.apply(event);
        }
        if changed {
            self.list_models();
        }
        if self.hub.as_ref().is_some_and(|hub| !hub.is_running()) {
            self.hub = None;
            self.state.hub.is_there = false;
            self.fail(crate::types::UserError::new(
                "Downloads have stopped.",
                "Their thread ended through a defect in Fovea.",
                "Start Fovea again; what was fetched is kept, and downloads can be resumed.",
            ));
        }
        while let Some(command) = self.hub_outbox.pop_front() {
            if let Some(hub) = &self.hub
                && let Err(command) = hub.try_send(command)
            {
                self.hub_outbox.push_front(command);
                ctx.request_repaint_after(Duration::from_millis(50));
                break;
            }
        }
    }

    /// Gives the hub a command.
    pub(super) fn give_hub(&mut self, command: HubCommand) {
        self.state.sent_to_hub(&command);
        self.hub_outbox.push_back(command);
    }

    /// Looks through the cache, and describes the models that came with Fovea or were opened lately.
    pub(super) fn list_models(&mut self) {
        if self.hub.is_none() {
            return;
        }
        let shipped = self.state.shipped.iter().map(|model| model.path.clone());
        let open = self.state.models.values().map(|model| model.info.path.clone()).filter(|path| path.is_absolute());
        let mut folders: Vec<PathBuf> = shipped.chain(self.state.recent.iter().cloned()).chain(open).collect();
        folders.sort();
        folders.dedup();
        self.hub_outbox.retain(|waiting| !matches!(waiting, HubCommand::List { .. }));
        self.hub_outbox.push_back(HubCommand::List { folders });
    }

    /// Words for the top bar while models are being fetched.
    pub(super) fn download_words(&self) -> Option<String> {
        let runs = |(_, download): &(&RepoId, &Download)| download.state.stage != DownloadStage::Queued;
        let (id, download) = self.state.hub.active().find(runs).or_else(|| self.state.hub.active().next())?;
        let share = download.state.share().map(|share| format!(" {:.0} %", share * 100.0)).unwrap_or_default();
        Some(match self.state.hub.active().count() {
            1 => format!("fetching {id}{share}"),
            count => format!("fetching {id}{share}, {} more", count - 1),
        })
    }
}
