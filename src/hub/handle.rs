//! The hub as everyone else sees it: two threads behind bounded queues. Nothing here waits, except where its name says so.
//!
//! One thread answers and looks through the cache, the other fetches one model at a time. A download is stopped by its
//! flag, and by closing its connections, so that it does not sit out a silent server.

use super::cache::{self, CachedModel};
use super::programs::{ProgramModel, program_models};
use super::{HubError, HubSettings, RepoId, Wake, download, remote};
use crate::types::{ModelCard, UserError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use ureq::Agent;

const COMMAND_QUEUE: usize = 64;
const EVENT_QUEUE: usize = 256;
/// Downloads that may wait for their turn.
const DOWNLOAD_QUEUE: usize = 32;
/// How long the end of the program waits for the threads.
const LONGEST_GOODBYE: Duration = Duration::from_millis(500);

/// What the hub can be asked to do.
#[derive(Clone, Debug)]
pub enum HubCommand {
    /// Look through the cache, and describe these folders as well. Answered by [`HubEvent::Listed`].
    List {
        /// Model folders outside the cache.
        folders: Vec<PathBuf>,
    },
    /// Fetch a model, after those that were asked for before. Ends with [`HubEvent::Fetched`] or [`HubEvent::Failed`].
    Fetch {
        /// Which model.
        id: RepoId,
    },
    /// Stop fetching a model; what is there stays, and fetching again goes on from it.
    Cancel {
        /// Which model.
        id: RepoId,
    },
}

/// What a download is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DownloadStage {
    /// Its turn has not come.
    #[default]
    Queued,
    /// Asks the hub what the model consists of.
    Asking,
    /// Checks what an earlier download left.
    Checking,
    /// Bytes come in.
    Receiving,
    /// The connection broke.
    Waiting {
        /// Pause before the next try.
        wait: Duration,
    },
}

/// How far a download is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DownloadState {
    /// What it is doing.
    pub stage: DownloadStage,
    /// Bytes that are there, of all files.
    pub done: u64,
    /// Bytes of all files; 0 until the hub has told.
    pub total: u64,
    /// Bytes a second, smoothed; 0 until there is something to average.
    pub rate: f64,
    /// The file being fetched.
    pub file: String,
}

impl DownloadState {
    /// Share done in `0..=1`; `None` when the total is not known.
    #[must_use]
    pub fn share(&self) -> Option<f32> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).clamp(0.0, 1.0) as f32)
    }

    /// Seconds left at the present speed; `None` when that cannot be told.
    #[must_use]
    pub fn left_s(&self) -> Option<f64> {
        (self.total > 0 && self.rate > 0.0).then(|| self.total.saturating_sub(self.done) as f64 / self.rate)
    }
}

/// What a look through the cache found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Models in the cache, by name.
    pub cached: Vec<CachedModel>,
    /// The folders that were asked for, described.
    pub folders: Vec<(PathBuf, Result<ModelCard, UserError>)>,
    /// Models of other programs, by name.
    pub programs: Vec<ProgramModel>,
}

/// What the hub says.
#[derive(Clone, Debug)]
pub enum HubEvent {
    /// The answer to [`HubCommand::List`].
    Listed(Arc<Listing>),
    /// How far a download is.
    Progress {
        /// Which model.
        id: RepoId,
        /// How far.
        state: DownloadState,
    },
    /// A model is there, whole and checked.
    Fetched {
        /// Which model.
        id: RepoId,
        /// The folder to open.
        path: PathBuf,
    },
    /// A download was stopped by [`HubCommand::Cancel`].
    Cancelled {
        /// Which model.
        id: RepoId,
    },
    /// A download ended with an error.
    Failed {
        /// Which model.
        id: RepoId,
        /// Why.
        error: UserError,
    },
}

/// A running hub. Dropping it stops the download that is under way, which can be resumed.
pub struct HubHandle {
    commands: Option<SyncSender<HubCommand>>,
    events: Option<Receiver<HubEvent>>,
    threads: Vec<JoinHandle<()>>,
}

/// A download that waits or runs, and how to stop it. Both threads hold it while that is so.
#[derive(Clone)]
struct Order {
    id: RepoId,
    ticket: Arc<Ticket>,
    agent: Agent,
}

#[derive(Default)]
struct Ticket {
    /// Set by whoever deals with the order: the one that fetches it, or the one that stops it before its turn.
    taken: AtomicBool,
    stop: AtomicBool,
}

impl Order {
    fn new(id: RepoId) -> Self {
        Self { id, ticket: Arc::default(), agent: remote::agent() }
    }

    /// True for the first who asks.
    fn take(&self) -> bool {
        !self.ticket.taken.swap(true, Ordering::AcqRel)
    }

    fn stop(&self) {
        self.ticket.stop.store(true, Ordering::Release);
        self.agent.clone().shutdown();
    }

    /// True while the fetching thread holds it too.
    fn is_under_way(&self) -> bool {
        Arc::strong_count(&self.ticket) > 1
    }
}

impl HubHandle {
    /// Starts the threads. `wake` is called after every event, from the hub's threads.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(settings: HubSettings, wake: Wake) -> std::io::Result<Self> {
        let (commands, command_queue) = sync_channel(COMMAND_QUEUE);
        let (event_queue, events) = sync_channel(EVENT_QUEUE);
        let (orders, order_queue) = sync_channel::<Order>(DOWNLOAD_QUEUE);
        let sink = Sink { queue: event_queue, wake: Arc::new(wake) };
        let (own, downloads) = (settings.clone(), sink.clone());
        let fetcher = std::thread::Builder::new()
            .name("fovea-download".to_owned())
            .spawn(move || fetch_all(&own, &order_queue, &downloads))?;
        let answerer = std::thread::Builder::new()
            .name("fovea-hub".to_owned())
            .spawn(move || answer_all(&settings, &command_queue, orders, &sink))?;
        Ok(Self { commands: Some(commands), events: Some(events), threads: vec![answerer, fetcher] })
    }

    /// Gives the hub something to do.
    ///
    /// # Errors
    /// The command back, when the queue is full or the hub is gone; try again in the next frame.
    pub fn try_send(&self, command: HubCommand) -> Result<(), HubCommand> {
        let Some(commands) = &self.commands else { return Err(command) };
        commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) | TrySendError::Disconnected(command) => command,
        })
    }

    /// The next event, if there is one.
    #[must_use]
    pub fn try_recv(&self) -> Option<HubEvent> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// False once a thread has ended, which it does on its own only through a defect.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Waits for the next event. For programs without a window.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<HubEvent> {
        self.events.as_ref()?.recv_timeout(timeout).ok()
    }
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        // The receiver goes first: a thread that waits on a full event queue then wakes up and sees that nobody listens.
        self.events = None;
        self.commands = None;
        // A name that is being looked up cannot be stopped, and nothing is lost when it is left alone.
        let until = Instant::now() + LONGEST_GOODBYE;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() && thread.join().is_err() {
                log::error!("a thread of the hub ended with a panic");
            }
        }
    }
}

#[derive(Clone)]
struct Sink {
    queue: SyncSender<HubEvent>,
    wake: Arc<Wake>,
}

impl Sink {
    fn send(&self, event: HubEvent) {
        // Nobody listens once the window is gone; then the orders end as well.
        if self.queue.send(event).is_ok() {
            (self.wake)();
        }
    }
}

fn answer_all(settings: &HubSettings, commands: &Receiver<HubCommand>, orders: SyncSender<Order>, sink: &Sink) {
    let mut given: BTreeMap<RepoId, Order> = BTreeMap::new();
    while let Ok(command) = commands.recv() {
        match command {
            HubCommand::List { folders } => sink.send(HubEvent::Listed(Arc::new(look(settings, folders)))),
            HubCommand::Fetch { id } if given.get(&id).is_some_and(Order::is_under_way) => {}
            HubCommand::Fetch { id } => {
                let order = Order::new(id.clone());
                sink.send(HubEvent::Progress { id: id.clone(), state: DownloadState::default() });
                match orders.try_send(order.clone()) {
                    Ok(()) => drop(given.insert(id, order)),
                    Err(_) => sink.send(HubEvent::Failed { id, error: too_many() }),
                }
            }
            HubCommand::Cancel { id } => {
                if let Some(order) = given.remove(&id) {
                    order.stop();
                    if order.take() {
                        sink.send(HubEvent::Cancelled { id });
                    }
                }
            }
        }
    }
    drop(orders);
    given.values().for_each(Order::stop);
}

fn fetch_all(settings: &HubSettings, orders: &Receiver<Order>, sink: &Sink) {
    while let Ok(order) = orders.recv() {
        if !order.take() {
            continue;
        }
        let Order { id, ticket, agent } = order;
        let mut tell = |state| sink.send(HubEvent::Progress { id: id.clone(), state });
        let result = download::run(settings, &id, agent, &ticket.stop, &mut tell);
        let event = match result {
            Ok(path) => HubEvent::Fetched { id, path },
            // Closed connections look broken to whoever was reading from them.
            Err(HubError::Cancelled) => HubEvent::Cancelled { id },
            Err(_) if ticket.stop.load(Ordering::Acquire) => HubEvent::Cancelled { id },
            Err(error) => HubEvent::Failed { id, error: error.into() },
        };
        // From here on the same model may be ordered again.
        drop(ticket);
        sink.send(event);
    }
}

fn look(settings: &HubSettings, folders: Vec<PathBuf>) -> Listing {
    let cached = cache::list(&settings.cache, settings.read_card);
    let described = folders.into_iter().map(|folder| {
        let card = (settings.read_card)(&folder);
        (folder, card)
    });
    let programs = program_models(&settings.programs, &settings.cache, settings.read_card);
    Listing { cached, folders: described.collect(), programs }
}

fn too_many() -> UserError {
    UserError::new(
        "The download was not queued.",
        format!("{DOWNLOAD_QUEUE} downloads wait already."),
        "Wait until some are done, then try again.",
    )
}
