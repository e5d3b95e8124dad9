//! `fovea fetch`.

use super::CliError;
use super::args::FetchArgs;
use super::output::{print, tell};
use super::train::catch_ctrl_c;
use crate::engine::read_card;
use crate::hub::{DownloadStage, DownloadState, HubCommand, HubEvent, HubHandle, HubSettings, RepoId};
use crate::types::UserError;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a waiting command looks up for Ctrl-C.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Fetches a model and prints its folder; Ctrl-C leaves what is there, to go on from.
pub(super) fn run(args: &FetchArgs) -> Result<(), CliError> {
    let id = RepoId::parse(&args.id).map_err(UserError::from)?;
    let settings = HubSettings::from_env(read_card).ok_or_else(no_home)?;
    let interrupted = catch_ctrl_c("The download was not started.")?;
    let hub = HubHandle::start(settings, Box::new(|| ())).map_err(|error| no_thread(&error))?;
    hub.try_send(HubCommand::Fetch { id: id.clone() }).map_err(|_| gone())?;
    let bar = bar();
    let mut cancelled = false;
    let ended = loop {
        match hub.recv_timeout(LOOK_UP) {
            Some(HubEvent::Progress { state, .. }) => show(&bar, &state),
            Some(HubEvent::Fetched { path, .. }) => break Ok(path),
            Some(HubEvent::Cancelled { .. }) => break Err(CliError::Interrupted),
            Some(HubEvent::Failed { error, .. }) => break Err(error.into()),
            Some(HubEvent::Listed(_)) => {}
            None if !hub.is_running() => break Err(gone().into()),
            None => {}
        }
        if !cancelled && interrupted.load(Ordering::Relaxed) {
            cancelled = true;
            bar.set_message("stopping");
            hub.try_send(HubCommand::Cancel { id: id.clone() }).map_err(|_| gone())?;
        }
    };
    bar.finish_and_clear();
    match ended {
        Ok(path) => print(&format!("{}\n", path.display())),
        Err(error) => {
            if matches!(error, CliError::Interrupted) {
                tell(format_args!("stopped; `fovea fetch {id}` goes on from there"));
            }
            Err(error)
        }
    }
}

fn show(bar: &ProgressBar, state: &DownloadState) {
    bar.set_length(state.total);
    bar.set_position(state.done);
    let rate =
        if state.rate > 0.0 { format!("{}/s", crate::types::bytes_in_words(state.rate as u64)) } else { String::new() };
    let left = state.left_s().map(|s| format!("  {} s left", s.ceil())).unwrap_or_default();
    bar.set_message(match state.stage {
        DownloadStage::Queued | DownloadStage::Asking => "asking the hub".to_owned(),
        DownloadStage::Checking => format!("{}  checking what is there", state.file),
        DownloadStage::Receiving => format!("{}  {rate}{left}", state.file),
        DownloadStage::Waiting { wait } => format!("the connection broke; next try in {} s", wait.as_secs()),
    });
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {decimal_bytes}/{decimal_total_bytes}  {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("━╸ "))
}

fn no_home() -> UserError {
    UserError::new(
        "There is no place for the Hugging Face cache.",
        "No home folder is known, and HF_HOME is not set.",
        "Set HF_HOME to a folder on a disk with room.",
    )
}

fn no_thread(error: &std::io::Error) -> UserError {
    UserError::new("The download was not started.", format!("No thread could be started: {error}."), "Try again.")
}

fn gone() -> UserError {
    UserError::new(
        "The download has stopped.",
        "Its thread ended without an answer, which is a defect in Fovea.",
        "Run the command again with RUST_LOG=debug and report what it prints.",
    )
}
