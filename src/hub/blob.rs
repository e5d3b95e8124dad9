//! One file into the cache's `blobs`: streamed into a part file, resumed where it broke, checked, then moved in place.

use super::check::Check;
use super::remote::{Remote, RemoteFile};
use super::retry::pause;
use super::{HubError, RetryPolicy, verified};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use ureq::http::{Response, StatusCode};

/// Bytes taken from the network, or from a part file that is checked, at a time.
const CHUNK: usize = 128 << 10;

/// How a part file ends.
pub(super) const PART: &str = "incomplete";

/// What the fetching of a file tells while it goes on.
#[derive(Clone, Copy)]
pub(super) enum Said {
    /// So many bytes of the file are there.
    Have(u64),
    /// The bytes that are there already are being checked; so many are.
    Checked(u64),
    /// The connection broke; the next try comes after this wait.
    Waiting(Duration),
}

/// Where a file goes.
pub(super) struct BlobPaths {
    /// `blobs/<etag>`.
    pub(super) blob: PathBuf,
    /// Held while the file is written, as the Python library holds it.
    pub(super) lock: PathBuf,
    /// Says that the blob was hashed here.
    pub(super) verified: PathBuf,
}

impl BlobPaths {
    /// The part file: named as older versions of the Python library name it.
    pub(super) fn part(&self) -> PathBuf {
        let mut name = self.blob.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(PART);
        self.blob.with_file_name(name)
    }

    /// Bytes that a blob of this size still needs on the disk.
    pub(super) fn missing(&self, size: u64) -> u64 {
        if is_whole(&self.blob, size) {
            return 0;
        }
        size.saturating_sub(self.part().metadata().map_or(0, |part| part.len()))
    }
}

/// Makes the blob be there, whole and checked.
///
/// # Errors
/// A stopped or broken download keeps its part file, to go on from there; a wrong one loses it.
pub(super) fn fetch(
    remote: &Remote,
    file: &RemoteFile,
    paths: &BlobPaths,
    retry: &RetryPolicy,
    stop: &AtomicBool,
    say: &mut dyn FnMut(Said),
) -> Result<(), HubError> {
    let there = Blob::look(file, paths, stop, say)?;
    if there == Blob::Whole {
        say(Said::Have(file.size));
        return Ok(());
    }
    for folder in [paths.blob.parent(), paths.lock.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|e| HubError::disk(folder, e, file.size))?;
    }
    let _lock = lock(&paths.lock, &file.name)?;
    if there == Blob::Wrong {
        log::warn!("{} is not what its name says, and is fetched again", paths.blob.display());
        std::fs::remove_file(&paths.blob).map_err(|e| HubError::disk(&paths.blob, e, file.size))?;
    }
    let part = paths.part();
    let mut stream = Part::open(part.clone(), file, stop, say)?;
    let mut failures = 0;
    while stream.have < file.size {
        let had = stream.have;
        let result = stream.receive(remote, stop, say);
        let Err(error) = result else { continue };
        if stop.load(Ordering::Relaxed) {
            return Err(HubError::Cancelled);
        }
        failures = if stream.have > had { 1 } else { failures + 1 };
        // A network that was there a moment ago may come back.
        let passes = error.may_pass() || (stream.received && matches!(error, HubError::Offline { .. }));
        if !passes || failures >= retry.tries {
            return Err(error);
        }
        let wait = retry.wait_after(failures, error.asks_to_wait());
        say(Said::Waiting(wait));
        pause(wait, stop)?;
    }
    stream.finish(paths)
}

fn is_whole(blob: &Path, size: u64) -> bool {
    blob.metadata().is_ok_and(|found| found.is_file() && found.len() == size)
}

/// What lies in the place of a blob before it is fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blob {
    Missing,
    /// Of the right length and, as far as its etag can tell, the right content.
    Whole,
    /// Of the right length with other content.
    Wrong,
}

impl Blob {
    /// Looks, and hashes what nobody has hashed here.
    fn look(
        file: &RemoteFile,
        paths: &BlobPaths,
        stop: &AtomicBool,
        say: &mut dyn FnMut(Said),
    ) -> Result<Self, HubError> {
        let mut check = Check::new(&file.etag, file.size);
        let Some(found) = paths.blob.metadata().ok().filter(|_| is_whole(&paths.blob, file.size)) else {
            return Ok(Self::Missing);
        };
        if matches!(check, Check::LengthOnly) || verified::is_marked(&paths.verified, &found) {
            return Ok(Self::Whole);
        }
        let unreadable = |e| HubError::disk(&paths.blob, e, 0);
        let mut blob = File::open(&paths.blob).map_err(unreadable)?.take(file.size);
        take_in(&mut blob, &mut check, stop, &mut |bytes| say(Said::Checked(bytes)), &unreadable)?;
        if check.finish().is_some_and(|hash| hash != file.etag) {
            return Ok(Self::Wrong);
        }
        // With the time it had before it was read: if it has been changed meanwhile, it is hashed again.
        verified::mark(&paths.verified, &found);
        Ok(Self::Whole)
    }
}

/// Hashes what there is to read, and gives the number of bytes.
fn take_in(
    file: &mut dyn Read,
    check: &mut Check,
    stop: &AtomicBool,
    heard: &mut dyn FnMut(u64),
    unreadable: &dyn Fn(std::io::Error) -> HubError,
) -> Result<u64, HubError> {
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(HubError::Cancelled);
        }
        match file.read(&mut buffer).map_err(unreadable)? {
            0 => return Ok(bytes),
            count => {
                check.update(&buffer[..count]);
                bytes += count as u64;
                heard(bytes);
            }
        }
    }
}

/// The lock that keeps two programs from writing the same part file. Where the file system has no locks, the hash at the
/// end still tells.
fn lock(path: &Path, name: &str) -> Result<Option<File>, HubError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|e| HubError::disk(path, e, 0))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(HubError::Locked { file: name.to_owned() }),
        Err(TryLockError::Error(error)) => {
            log::info!("{} cannot be locked: {error}", path.display());
            Ok(None)
        }
    }
}

/// A part file that grows, with the hash of what it holds.
struct Part<'a> {
    path: PathBuf,
    out: File,
    file: &'a RemoteFile,
    check: Check,
    have: u64,
    /// True once a byte has come from the network.
    received: bool,
}

impl<'a> Part<'a> {
    fn open(
        path: PathBuf,
        file: &'a RemoteFile,
        stop: &AtomicBool,
        say: &mut dyn FnMut(Said),
    ) -> Result<Self, HubError> {
        let out = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let out = out.map_err(|e| HubError::disk(&path, e, file.size))?;
        let check = Check::new(&file.etag, file.size);
        let mut part = Self { path, out, file, check, have: 0, received: false };
        part.take_in_what_is_there(stop, say)?;
        Ok(part)
    }

    /// Hashes what an earlier download left.
    fn take_in_what_is_there(&mut self, stop: &AtomicBool, say: &mut dyn FnMut(Said)) -> Result<(), HubError> {
        let length = self.out.metadata().map_err(|e| self.disk(e))?.len();
        if length > self.file.size {
            return self.begin_again();
        }
        let (path, size) = (&self.path, self.file.size);
        let unreadable = |e| HubError::disk(path, e, size);
        let heard = &mut |bytes| say(Said::Checked(bytes));
        self.have = take_in(&mut (&self.out).take(length), &mut self.check, stop, heard, &unreadable)?;
        Ok(())
    }

    fn begin_again(&mut self) -> Result<(), HubError> {
        self.out.set_len(0).and_then(|()| self.out.seek(SeekFrom::Start(0))).map_err(|e| self.disk(e))?;
        self.check = Check::new(&self.file.etag, self.file.size);
        self.have = 0;
        Ok(())
    }

    fn disk(&self, error: std::io::Error) -> HubError {
        HubError::disk(&self.path, error, self.file.size.saturating_sub(self.have))
    }

    fn wrong_length(&self, found: u64) -> HubError {
        HubError::WrongLength { file: self.file.name.clone(), expected: self.file.size, found }
    }

    /// One request for what is missing, until the stream ends or breaks.
    fn receive(&mut self, remote: &Remote, stop: &AtomicBool, say: &mut dyn FnMut(Said)) -> Result<(), HubError> {
        let response = remote.bytes(self.file, self.have)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE || !continues(&response, self.have) {
            // The server begins from the start, or knows a shorter file: what is there is of no use.
            self.begin_again()?;
            if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                return Err(self.broken("the server refused to go on".into()));
            }
        }
        if let Some(length) = response.body().content_length()
            && self.have + length != self.file.size
        {
            return Err(self.refused(self.have + length));
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(HubError::Cancelled);
            }
            let count = match body.read(&mut buffer) {
                Ok(0) if self.have == self.file.size => return Ok(()),
                Ok(0) => return Err(self.broken("it ended early".into())),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(error.to_string())),
            };
            if self.have == 0 && is_web_page(&buffer[..count], &self.file.name) {
                return Err(HubError::HtmlPage { url: self.file.url.clone() });
            }
            if self.have + count as u64 > self.file.size {
                return Err(self.refused(self.have + count as u64));
            }
            self.out.write_all(&buffer[..count]).map_err(|e| self.disk(e))?;
            self.check.update(&buffer[..count]);
            self.have += count as u64;
            self.received = true;
            say(Said::Have(self.have));
        }
    }

    fn broken(&self, detail: String) -> HubError {
        HubError::Broken { file: self.file.name.clone(), detail }
    }

    /// Throws away what belongs to a file of another length.
    fn refused(&mut self, found: u64) -> HubError {
        let error = self.wrong_length(found);
        if let Err(disk) = self.begin_again() {
            log::warn!("a damaged part file stays: {disk}");
        }
        error
    }

    /// Checks the whole and moves it in place; a wrong one is removed.
    fn finish(mut self, paths: &BlobPaths) -> Result<(), HubError> {
        self.out.flush().map_err(|e| self.disk(e))?;
        let (blob, Self { path, out, file, check, .. }) = (&paths.blob, self);
        let is_hashed = !matches!(check, Check::LengthOnly);
        if let Some(found) = check.finish().filter(|found| *found != file.etag) {
            std::fs::remove_file(&path).map_err(|e| HubError::disk(&path, e, 0))?;
            return Err(HubError::WrongHash { file: file.name.clone(), expected: file.etag.clone(), found });
        }
        // A name in the cache stands for the whole file, after a power cut as well.
        out.sync_all().map_err(|e| HubError::disk(&path, e, 0))?;
        drop(out);
        std::fs::rename(&path, blob).map_err(|e| HubError::disk(blob, e, 0))?;
        crate::disk::sync_folder(blob.parent().unwrap_or(blob));
        if let Some(found) = blob.metadata().ok().filter(|_| is_hashed) {
            verified::mark(&paths.verified, &found);
        }
        Ok(())
    }
}

/// True when the answer goes on at `from`.
fn continues(response: &Response<ureq::Body>, from: u64) -> bool {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return from == 0;
    }
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
    let start = range.and_then(|text| text.trim().strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok());
    start == Some(from)
}

/// True for the beginning of an HTML page in place of a file. Model cards may begin with any markup.
fn is_web_page(beginning: &[u8], name: &str) -> bool {
    if name.ends_with(".md") {
        return false;
    }
    let start: Vec<u8> = beginning.iter().copied().skip_while(u8::is_ascii_whitespace).take(14).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}
