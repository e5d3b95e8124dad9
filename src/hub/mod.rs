//! Models on the Hugging Face hub: what the cache of this machine holds, and downloads into that same cache.
//!
//! The layout is the one of Python's huggingface_hub, so that both find each other's files: `blobs` by their etag,
//! `snapshots/<commit>/<file>` as relative links to them, `refs/main` with the commit. The `hf-hub` crate knows names,
//! paths and addresses of it; its own downloads can be neither stopped nor checked, so the bytes are streamed here.
//! Must not know: model formats, the engine, windows. How a folder is described is told by whoever starts the hub.

mod blob;
mod cache;
mod catalogue;
mod check;
mod download;
mod error;
mod files;
mod handle;
mod meter;
mod programs;
mod remote;
mod repo_id;
mod retry;
mod room;
mod settings;
mod sha1;
mod snapshot;
mod verified;

pub use cache::{CachedModel, find, list};
pub use catalogue::{CatalogueEntry, CatalogueTask, catalogue};
pub use check::git_blob_hash;
pub use error::HubError;
pub use handle::{DownloadStage, DownloadState, HubCommand, HubEvent, HubHandle, Listing};
pub use programs::{Program, ProgramFolders, ProgramModel, find_program_model, program_models};
pub use repo_id::RepoId;
pub use retry::RetryPolicy;
pub use room::{FreeSpace, free_space};
pub use settings::{HubSettings, ReadCard, Token};

/// Called after every event, from the hub's threads; the window asks for a repaint with it.
pub type Wake = Box<dyn Fn() + Send + Sync>;
