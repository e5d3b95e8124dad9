//! Which blobs of the cache have been hashed here, so that each is hashed once.
//!
//! A blob may have been written by another program, or have been damaged since. What was hashed is remembered by a mark
//! beside the blob's lock, where it disturbs nobody: the length and the time of change that the blob had. A blob that has
//! been changed no longer has them, and is hashed again.

use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// True when the blob is the one that the mark was written for.
pub(super) fn is_marked(mark: &Path, blob: &Metadata) -> bool {
    stamp(blob).is_some_and(|stamp| std::fs::read(mark).is_ok_and(|found| found == stamp.as_bytes()))
}

/// Remembers that the blob is what its name says. Where that cannot be written it is hashed again the next time.
pub(super) fn mark(mark: &Path, blob: &Metadata) {
    let folder = mark.parent().unwrap_or(mark);
    let Some(stamp) = stamp(blob) else { return };
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(mark, stamp));
    if let Err(error) = written {
        log::info!("{} was not written: {error}", mark.display());
    }
}

fn stamp(blob: &Metadata) -> Option<String> {
    let changed = blob.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}.{:09}\n", blob.len(), changed.as_secs(), changed.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_mark_is_of_one_length_and_one_time() {
        let scratch = tempfile::tempdir().unwrap();
        let (blob, place) = (scratch.path().join("blob"), scratch.path().join("locks/blob.verified"));
        std::fs::write(&blob, "content").unwrap();
        let found = || blob.metadata().unwrap();
        assert!(!is_marked(&place, &found()));
        mark(&place, &found());
        assert!(is_marked(&place, &found()));
        let changed = found().modified().unwrap();
        let set = |time| std::fs::File::options().write(true).open(&blob).unwrap().set_modified(time).unwrap();
        set(changed + Duration::from_secs(1));
        assert!(!is_marked(&place, &found()), "changed later");
        std::fs::write(&blob, "contents").unwrap();
        set(changed);
        assert!(!is_marked(&place, &found()), "another length");
    }
}
