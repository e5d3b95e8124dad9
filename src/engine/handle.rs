//! The engine as everyone else sees it. Nothing here waits, except where its name says so.

use super::events::{EventSink, Wake};
use super::tokenizer::{self, Question, TokenizeJob, TokenizerMessage};
use super::worker::Worker;
use super::{Command, Event, Work, device, guard};
use crate::types::DeviceChoice;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Commands that may wait; a person cannot click faster than the worker reads them between two steps.
const COMMAND_QUEUE: usize = 64;
/// Events that may wait; a frame at 60 Hz drains them long before.
const EVENT_QUEUE: usize = 1024;
const TOKENIZER_QUEUE: usize = 16;

/// How the engine starts.
#[derive(Clone, Debug, Default, Copy)]
pub struct EngineOptions {
    /// Which device to compute on.
    pub device: DeviceChoice,
    /// Compute threads on the CPU; `None` leaves one core to the window where there are more than two. The first
    /// engine of a process decides.
    pub threads: Option<usize>,
}

/// A running engine. Dropping it ends its threads after the step they are in, and waits for that.
pub struct EngineHandle {
    commands: Option<SyncSender<Command>>,
    events: Option<Receiver<Event>>,
    tokenizer: Option<SyncSender<TokenizerMessage>>,
    threads: Vec<JoinHandle<()>>,
}

impl EngineHandle {
    /// Starts the worker and the tokenizer thread. The first event is [`Event::Device`]. `wake` is called after every
    /// event, from the engine's threads.
    ///
    /// # Panics
    /// When the operating system gives no thread.
    #[must_use]
    pub fn start(options: EngineOptions, wake: Wake) -> Self {
        let (commands, command_queue) = sync_channel(COMMAND_QUEUE);
        let (event_queue, events) = sync_channel(EVENT_QUEUE);
        let (tokenizer, texts) = sync_channel(TOKENIZER_QUEUE);
        let sink = EventSink::new(event_queue, wake);
        let tokenizer_sink = sink.for_other_thread();
        let tokenizers = tokenizer.clone();
        let tokenizer_thread = spawn("tokenizer", move || tokenizer::run(&texts, &tokenizer_sink));
        let worker_thread = spawn("engine", move || {
            let threads = device::compute_threads(options.threads);
            let device = device::open(options.device, threads);
            Worker::new(device, sink, tokenizers).run(&command_queue);
        });
        Self {
            commands: Some(commands),
            events: Some(events),
            tokenizer: Some(tokenizer),
            threads: vec![worker_thread, tokenizer_thread],
        }
    }

    /// Gives the engine something to do.
    ///
    /// # Errors
    /// The command back, when the queue is full or the engine is gone; try again in the next frame.
    pub fn try_send(&self, command: Command) -> Result<(), Command> {
        let (Some(commands), Some(tokenizer)) = (&self.commands, &self.tokenizer) else { return Err(command) };
        let aside = match &command {
            Command::Start { job, model: Some(model), work } => match &**work {
                Work::Tokenize(prompt) => {
                    let question = Question::Tokens(prompt.clone());
                    let start = TokenizeJob { job: *job, model: *model, question };
                    return tokenizer.try_send(TokenizerMessage::Start(start)).map_err(|_| command);
                }
                Work::ReadBias(lines) => {
                    let question = Question::Bias(lines.clone());
                    let start = TokenizeJob { job: *job, model: *model, question };
                    return tokenizer.try_send(TokenizerMessage::Start(start)).map_err(|_| command);
                }
                _ => None,
            },
            // Only one of the two threads knows the job.
            Command::Cancel { job } => Some(TokenizerMessage::Cancel(*job)),
            _ => None,
        };
        if aside.is_some_and(|message| tokenizer.try_send(message).is_err()) {
            return Err(command);
        }
        commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) | TrySendError::Disconnected(command) => command,
        })
    }

    /// The next event, if there is one.
    #[must_use]
    pub fn try_recv(&self) -> Option<Event> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// Waits for the next event. For programs without a window.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        self.events.as_ref()?.recv_timeout(timeout).ok()
    }

    /// False once the worker has ended, which it does on its own only through a defect.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        // The receiver goes first: a worker that waits on a full event queue then wakes up and sees that nobody listens.
        self.events = None;
        self.commands = None;
        self.tokenizer = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("an engine thread ended with a panic");
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let name = format!("{}{name}", guard::THREAD_PREFIX);
    std::thread::Builder::new().name(name).spawn(work).expect("the operating system gives a thread")
}
