//! Keeps the desktop out of commands, which show no window.

use std::ffi::OsString;
use std::path::Path;

/// Starts the program anew where libwayland would complain in its place.
///
/// wgpu makes Vulkan instances that could show a window, so Mesa's device selection asks libwayland for the compositor. Without
/// an absolute XDG_RUNTIME_DIR (under cron, in a container, over ssh) that writes "error: XDG_RUNTIME_DIR is invalid" to
/// standard error each time. A display by an absolute path needs no such folder; one that leads nowhere says that there is no
/// compositor. The variable must be there when the process begins: setting it later is not safe beside other threads, which
/// drivers may have. Where the program cannot be started anew, those lines are all that is lost.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn leave() {
    use std::os::unix::process::CommandExt;
    let is_absolute = |name: &str| std::env::var_os(name).is_some_and(|path: OsString| Path::new(&path).is_absolute());
    if is_absolute("XDG_RUNTIME_DIR") || is_absolute("WAYLAND_DISPLAY") {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else { return };
    // Returns only where it fails, which harms nothing.
    let _ = std::process::Command::new(program)
        .arg0(name)
        .args(arguments)
        .env("WAYLAND_DISPLAY", "/dev/null/no-compositor")
        .exec();
}

/// Other systems have no Wayland.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) fn leave() {}
