//! One model into the cache, from the list of its files to the ref that makes it found.

use super::blob::{self, Said};
use super::files;
use super::meter::Meter;
use super::remote::{Remote, RemoteFile};
use super::room;
use super::snapshot::RepoFolder;
use super::{DownloadStage, DownloadState, HubError, HubSettings, RepoId};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use ureq::Agent;

/// The window paints no faster than this; more often would only cost.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What tells how far a download is.
struct Telling<'a> {
    tell: &'a mut dyn FnMut(DownloadState),
    state: DownloadState,
    meter: Meter,
    begun: Instant,
    told: Option<Instant>,
}

impl Telling<'_> {
    /// Tells now, whatever was told before.
    fn now(&mut self, stage: DownloadStage) {
        self.state.stage = stage;
        self.told = Some(Instant::now());
        self.state.rate = self.meter.rate();
        (self.tell)(self.state.clone());
    }

    /// Tells unless it has just been told.
    fn soon(&mut self, stage: DownloadStage) {
        if self.state.stage != stage || self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.now(stage);
        }
    }
}

/// Fetches a model and gives the folder to open. What is there already is not fetched again.
///
/// # Errors
/// See [`HubError`]. Whatever was fetched stays, so that the next call goes on from there.
pub(super) fn run(
    settings: &HubSettings,
    id: &RepoId,
    agent: Agent,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(DownloadState),
) -> Result<PathBuf, HubError> {
    if settings.offline {
        return Err(HubError::OfflineMode);
    }
    let remote = Remote::new(settings, id.clone(), agent);
    let folder = RepoFolder::new(&settings.cache, id);
    let mut telling =
        Telling { tell, state: DownloadState::default(), meter: Meter::default(), begun: Instant::now(), told: None };
    telling.now(DownloadStage::Asking);
    let retry = settings.retry;
    let info = retry.run(stop, |_| (), || remote.info())?;
    let wanted = files::wanted(id, info.siblings.iter().map(|file| file.rfilename.as_str()))?;
    let ask = |name: &str| retry.run(stop, |_| (), || remote.file(&info.sha, name));

    let ask_small = |name: &str| {
        let file = ask(name)?;
        let limit = files::largest(name);
        if file.size > limit { Err(HubError::TooLarge { file: file.name, size: file.size, limit }) } else { Ok(file) }
    };

    let mut plan: Vec<RemoteFile> = wanted.small.iter().map(|name| ask_small(name)).collect::<Result<_, _>>()?;
    let (weights, folder_of_weights) = (wanted.weights, &wanted.folder);
    let name = format!("{folder_of_weights}{}", weights.name());
    let first = if weights.is_index() { ask_small(&name)? } else { ask(&name)? };
    if weights.is_index() {
        // Which files hold the weights is known once the index is here.
        let blob = folder.blob(&first.etag);
        blob::fetch(&remote, &first, &blob, &retry, stop, &mut |_| ())?;
        let index = files::read_index(&blob.blob).map_err(|e| HubError::disk(&blob.blob, e, 0))?;
        for shard in files::shards(weights, &index, &first.url)? {
            plan.push(ask(&format!("{folder_of_weights}{shard}"))?);
        }
    }
    plan.push(first);
    room::check(settings.free_space, &settings.cache, id, &folder, &plan)?;

    telling.state.total = plan.iter().map(|file| file.size).sum();
    let mut before = 0;
    for file in &plan {
        telling.state.file.clone_from(&file.name);
        // The first bytes of every file are told at once: a stream that falls silent after them is seen to have begun.
        telling.told = None;
        let paths = folder.blob(&file.etag);
        blob::fetch(&remote, file, &paths, &retry, stop, &mut |said| hear(&mut telling, before, said))?;
        folder.point(&info.sha, &file.name, &paths.blob)?;
        before += file.size;
    }
    folder.set_main(&info.sha)?;
    telling.state.done = telling.state.total;
    telling.now(DownloadStage::Receiving);
    Ok(settled(&folder.snapshot(&info.sha)))
}

/// Takes in what a file's download says; `before` bytes of other files are there.
fn hear(telling: &mut Telling<'_>, before: u64, said: Said) {
    match said {
        Said::Have(bytes) => {
            telling.state.done = before + bytes;
            let at = telling.begun.elapsed();
            telling.meter.update(at, telling.state.done);
            telling.soon(DownloadStage::Receiving);
        }
        Said::Checked(bytes) => {
            telling.state.done = before + bytes;
            telling.meter.restart();
            telling.soon(DownloadStage::Checking);
        }
        Said::Waiting(wait) => {
            telling.meter.restart();
            telling.now(DownloadStage::Waiting { wait });
        }
    }
}

/// The folder as other parts of the program will name it.
fn settled(snapshot: &Path) -> PathBuf {
    std::path::absolute(snapshot).unwrap_or_else(|_| snapshot.to_owned())
}
