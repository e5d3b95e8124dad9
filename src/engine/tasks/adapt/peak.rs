//! The most memory that the program has had since a moment, where the system counts it.

/// A stretch of time that is watched.
pub(super) struct Peak(bool);

impl Peak {
    /// From now on.
    pub(super) fn begin() -> Self {
        // Linux begins to count anew when told so.
        Self(cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok())
    }

    /// Bytes; `None` where nobody counts them.
    pub(super) fn end(&self) -> Option<u64> {
        if !self.0 {
            return None;
        }
        let text = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
        Some(kib * 1024)
    }
}
