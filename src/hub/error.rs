//! Everything that can go wrong between this machine and the hub, and what to do about it.

use super::RepoId;
use crate::types::{UserError, bytes_in_words, printable};
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Why a model was not fetched.
#[derive(Debug, Error)]
#[allow(missing_docs)] // Every variant says in its message what it and its fields are.
pub enum HubError {
    #[error("`{id}` is not the name of a model on the hub")]
    BadId { id: String },
    #[error("nothing is fetched in offline mode")]
    OfflineMode,
    #[error("the hub at {host} cannot be reached")]
    Offline { host: String, detail: String },
    #[error("the hub at {host} cannot be trusted")]
    Untrusted { host: String, detail: String },
    #[error("there is no model {repo} on {host}")]
    NotFound { repo: RepoId, host: String },
    #[error("the model {repo} may not be fetched without permission")]
    Gated { repo: RepoId, endpoint: String, has_token: bool },
    #[error("the hub at {host} asks to be left alone for a while")]
    TooManyRequests { host: String, wait: Option<Duration> },
    #[error("the hub at {host} has an error of its own (status {status})")]
    Server { host: String, status: u16 },
    #[error("the connection broke while {file} was fetched")]
    Broken { file: String, detail: String },
    #[error("the file {file} has {found} bytes instead of {expected}")]
    WrongLength { file: String, expected: u64, found: u64 },
    #[error("the file {file} would take {}", bytes_in_words(*.size))]
    TooLarge { file: String, size: u64, limit: u64 },
    #[error("the file {file} is not what the hub says it is")]
    WrongHash { file: String, expected: String, found: String },
    #[error("there is a web page at {url}, not a file of a model")]
    HtmlPage { url: String },
    #[error("the answer of {url} cannot be understood")]
    BadAnswer { url: String, problem: String },
    #[error("the model {repo} has no files that Fovea can open")]
    NothingToOpen { repo: RepoId, missing: &'static str },
    #[error("there is too little room for the model {repo}")]
    NoRoom { repo: RepoId, folder: PathBuf, needed: u64, free: u64 },
    #[error("the disk is full")]
    DiskFull { path: PathBuf, missing_bytes: u64 },
    #[error("the file {} cannot be written", .path.display())]
    Disk { path: PathBuf, source: IoError },
    #[error("the file {file} is being fetched by another program")]
    Locked { file: String },
    #[error("the download was stopped")]
    Cancelled,
}

impl HubError {
    /// A failed read or write of `path`, when `missing_bytes` are still to be written.
    pub(super) fn disk(path: &Path, source: IoError, missing_bytes: u64) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, missing_bytes },
            _ => Self::Disk { path, source },
        }
    }

    /// True when the same request may succeed a little later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::TooManyRequests { .. } | Self::Server { .. } | Self::Broken { .. })
    }

    /// The wait a server asks for.
    pub(super) fn asks_to_wait(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { wait, .. } => *wait,
            _ => None,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::BadId { .. } => "a name has two parts, `owner/name`, as on the model's page".into(),
            Self::OfflineMode => "HF_HUB_OFFLINE is set".into(),
            Self::Offline { detail, .. } => format!("this machine seems to be offline: {detail}"),
            Self::Untrusted { detail, .. } => format!("its certificate was refused: {detail}"),
            Self::NotFound { .. } => "the name is misspelt, or the model is private".into(),
            Self::Gated { has_token: false, .. } => {
                "it is private, or its licence must be accepted first; no token is set on this machine".into()
            }
            Self::Gated { has_token: true, .. } => {
                "it is private, or its licence must be accepted first; the token that is set gives no access".into()
            }
            Self::TooManyRequests { wait: Some(wait), .. } => {
                format!("too many requests came from here (status 429); it asks to wait {} s", wait.as_secs())
            }
            Self::TooManyRequests { wait: None, .. } => "too many requests came from here (status 429)".into(),
            Self::Server { .. } => "the fault is on its side".into(),
            Self::Broken { detail, .. } => format!("it was tried several times: {detail}"),
            Self::WrongLength { .. } => "the file was cut off or exchanged on its way, or on the server".into(),
            Self::TooLarge { limit, .. } => {
                format!(
                    "it is read into memory whole, and no file of its kind needs more than {}",
                    bytes_in_words(*limit)
                )
            }
            Self::WrongHash { expected, found, .. } => {
                format!(
                    "its hash is {} instead of {}; it was damaged or exchanged on its way",
                    short(found),
                    short(expected)
                )
            }
            Self::HtmlPage { .. } => {
                "a login page of the network, a proxy or a wrong HF_ENDPOINT answers in place of the hub".into()
            }
            Self::BadAnswer { problem, .. } => problem.clone(),
            Self::NothingToOpen { missing, .. } => format!("it has no {missing}"),
            Self::NoRoom { folder, needed, free, .. } => format!(
                "{} are missing of it, and {} has room for {}",
                bytes_in_words(*needed),
                folder.display(),
                bytes_in_words(*free)
            ),
            Self::DiskFull { path, missing_bytes } => {
                format!("{} more are needed in {}", bytes_in_words(*missing_bytes), folder(path))
            }
            Self::Disk { source, .. } => source.to_string(),
            Self::Locked { .. } => "two programs may not write the same file of the Hugging Face cache".into(),
            Self::Cancelled => "it was asked to stop".into(),
        }
    }

    fn next(&self) -> String {
        match self {
            Self::BadId { .. } => "Write it as in openai-community/gpt2, or paste the address of the model's page.".into(),
            Self::OfflineMode => "Unset HF_HUB_OFFLINE and start Fovea again; models in the cache open without it.".into(),
            Self::Offline { .. } => {
                "Check the network, the proxy and HF_ENDPOINT, then resume; models on this computer open meanwhile.".into()
            }
            Self::Untrusted { .. } => {
                "Check the clock of this machine, and whether a proxy stands between; nothing was sent to it.".into()
            }
            Self::NotFound { .. } => "Copy the name from the model's page; for a private model set HF_TOKEN.".into(),
            Self::Gated { repo, endpoint, .. } => format!(
                "Accept the licence on {endpoint}/{repo}, make a token at {endpoint}/settings/tokens, and set it as \
                 HF_TOKEN or with `hf auth login`; then fetch again."
            ),
            Self::TooManyRequests { .. } => "Wait a few minutes, then resume; a token (HF_TOKEN) raises the limit.".into(),
            Self::Server { .. } => "Resume in a few minutes.".into(),
            Self::Broken { .. } => "Resume when the network is better; what is there is kept.".into(),
            Self::WrongLength { .. } | Self::WrongHash { .. } => {
                "The damaged file was thrown away; fetch again, or use another network or mirror.".into()
            }
            Self::TooLarge { .. } => {
                "Look at the files on the model's page: one has another's name, or the model is damaged.".into()
            }
            Self::HtmlPage { .. } => "Open a page in a browser to log in to the network, or correct HF_ENDPOINT.".into(),
            Self::BadAnswer { .. } => "Check HF_ENDPOINT: it must name a Hugging Face hub.".into(),
            Self::NothingToOpen { .. } => {
                "Choose a repository with config.json and model.safetensors; quantised files (GGUF and the like) cannot be opened."
                    .into()
            }
            Self::NoRoom { .. } | Self::DiskFull { .. } => "Make room, or set HF_HOME to a larger disk, then resume.".into(),
            Self::Disk { .. } => "Check that the folder may be written, or set HF_HOME to one that may.".into(),
            Self::Locked { .. } => "Wait until it is done, or end it, then resume.".into(),
            Self::Cancelled => "Resume to go on from there.".into(),
        }
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn folder(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

impl From<HubError> for UserError {
    fn from(error: HubError) -> Self {
        Self::new(sentence(&error.to_string()), sentence(&error.why()), shown(&error.next()))
    }
}

/// Most characters of a sentence: a server may put as much into a name as it likes.
const LONGEST: usize = 1000;

/// In one line, with nothing in it that a terminal obeys.
fn shown(words: &str) -> String {
    let mut shown: String = printable(words).chars().take(LONGEST).collect();
    if shown.chars().count() == LONGEST {
        shown.push('…');
    }
    shown
}

/// With a capital letter and a full stop.
fn sentence(words: &str) -> String {
    let words = shown(words);
    let mut letters = words.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>() + ".").unwrap_or_default()
}
