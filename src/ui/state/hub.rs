//! Models on this computer and on their way to it, as the hub's events have left them.

use crate::hub::{CachedModel, DownloadState, HubEvent, Listing, ProgramModel, RepoId};
use crate::types::{ModelCard, UserError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a download stands.
#[derive(Clone, Debug, PartialEq)]
pub enum DownloadPhase {
    /// It waits or runs.
    Active,
    /// The model is in this folder.
    Fetched(PathBuf),
    /// It was stopped and can be resumed.
    Cancelled,
    /// It ended with an error.
    Failed(UserError),
}

/// One download of this session.
#[derive(Clone, Debug, PartialEq)]
pub struct Download {
    /// How it stands.
    pub phase: DownloadPhase,
    /// How far it was when it last said so.
    pub state: DownloadState,
    /// True once it was asked to stop.
    pub stopping: bool,
}

/// Everything the hub has told.
#[derive(Debug, Default)]
pub struct HubState {
    /// True when there is a hub to ask.
    pub is_there: bool,
    /// The latest look through the cache; `None` until there was one.
    pub listing: Option<Arc<Listing>>,
    /// Downloads of this session, by model.
    pub downloads: BTreeMap<RepoId, Download>,
}

impl HubState {
    /// Takes in one event. True when what lies in the cache may have changed.
    pub fn apply(&mut self, event: HubEvent) -> bool {
        match event {
            HubEvent::Listed(listing) => {
                self.listing = Some(listing);
                false
            }
            HubEvent::Progress { id, state } => {
                let stopping = self.downloads.get(&id).is_some_and(|d| d.stopping && d.phase == DownloadPhase::Active);
                self.downloads.insert(id, Download { phase: DownloadPhase::Active, state, stopping });
                false
            }
            HubEvent::Fetched { id, path } => self.end(id, DownloadPhase::Fetched(path)),
            HubEvent::Cancelled { id } => self.end(id, DownloadPhase::Cancelled),
            HubEvent::Failed { id, error } => self.end(id, DownloadPhase::Failed(error)),
        }
    }

    fn end(&mut self, id: RepoId, phase: DownloadPhase) -> bool {
        let state = self.downloads.remove(&id).map(|download| download.state).unwrap_or_default();
        self.downloads.insert(id, Download { phase, state, stopping: false });
        true
    }

    /// Takes note that a download was asked to stop.
    pub(super) fn stopping(&mut self, id: &RepoId) {
        if let Some(download) = self.downloads.get_mut(id) {
            download.stopping = true;
        }
    }

    /// Models that other programs keep.
    #[must_use]
    pub fn programs(&self) -> &[ProgramModel] {
        self.listing.as_ref().map_or(&[], |listing| &listing.programs)
    }

    /// Models in the cache.
    #[must_use]
    pub fn cached(&self) -> &[CachedModel] {
        self.listing.as_ref().map_or(&[], |listing| &listing.cached)
    }

    /// The card of a folder outside the cache, once it was read.
    #[must_use]
    pub fn card(&self, folder: &Path) -> Option<&Result<ModelCard, UserError>> {
        let folders = &self.listing.as_ref()?.folders;
        folders.iter().find(|(path, _)| path == folder).map(|(_, card)| card)
    }

    /// Downloads that wait or run.
    pub fn active(&self) -> impl Iterator<Item = (&RepoId, &Download)> {
        self.downloads.iter().filter(|(_, download)| download.phase == DownloadPhase::Active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_goes_from_active_to_its_end() {
        let id = RepoId::parse("ada/tiny").unwrap();
        let mut hub = HubState::default();
        let progress = |done| HubEvent::Progress {
            id: id.clone(),
            state: DownloadState { done, total: 10, ..Default::default() },
        };
        assert!(!hub.apply(progress(2)));
        hub.stopping(&id);
        assert!(!hub.apply(progress(4)));
        assert!(hub.downloads[&id].stopping && hub.active().count() == 1);
        assert!(hub.apply(HubEvent::Cancelled { id: id.clone() }), "the cache has changed");
        assert_eq!((hub.downloads[&id].phase.clone(), hub.downloads[&id].state.done), (DownloadPhase::Cancelled, 4));
        assert!(!hub.apply(progress(4)));
        assert!(!hub.downloads[&id].stopping, "resumed");
        hub.apply(HubEvent::Fetched { id: id.clone(), path: "x".into() });
        assert_eq!(hub.downloads[&id].phase, DownloadPhase::Fetched("x".into()));
    }
}
