//! A thread of its own for tokenizing while a person types, so that the prompt shows its tokens at once even when the
//! worker is in the middle of a long step.
//!
//! Must not know: models, devices or other jobs; it holds the tokenizers and chat templates of open models and nothing else.

use super::events::EventSink;
use super::{Event, Outcome, PromptInput};
use crate::load::{ChatError, ChatTemplate, LoadError, Rendering, Tokenizer, start_chat};
use crate::types::{ChatFailure, JobId, ModelId, PromptToken, RenderedChat, TokenizeReport};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// How long a chat template is waited for at first, and how often one that takes longer is looked at.
const PATIENCE: Duration = Duration::from_millis(10);

/// What the tokenizer thread is told.
pub(crate) enum TokenizerMessage {
    /// A text model was opened or changed.
    Opened(ModelId, Reader),
    /// A model was closed.
    Closed(ModelId),
    /// A question to answer.
    Start(TokenizeJob),
    /// A job that is wanted no more, if it is one of this thread.
    Cancel(JobId),
}

/// What turns prompts into tokens: a model's tokenizer and its chat template.
pub(crate) struct Reader {
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The template, or why there is none.
    pub chat: Arc<Result<ChatTemplate, ChatError>>,
}

/// What is asked about tokens.
pub(crate) enum Question {
    /// Those of a prompt.
    Tokens(PromptInput),
    /// Those that lines of logit bias mean.
    Bias(String),
}

/// A question to answer.
pub(crate) struct TokenizeJob {
    /// Its name in commands and events.
    pub job: JobId,
    /// Whose tokenizer to use.
    pub model: ModelId,
    /// What is asked.
    pub question: Question,
}

/// Answers jobs until every sender is gone, each when it is done: one for a model that is not open yet waits for it, and a chat
/// template at work keeps nobody else waiting.
pub(crate) fn run(messages: &Receiver<TokenizerMessage>, events: &EventSink) {
    let mut desk = Desk { readers: BTreeMap::new(), waiting: Vec::new(), written: Vec::new(), events };
    loop {
        let message = if desk.written.is_empty() {
            messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            messages.recv_timeout(PATIENCE)
        };
        match message {
            Ok(message) => desk.note(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // What was cancelled behind a job in the queue need not be read.
        loop {
            match messages.try_recv() {
                Ok(message) => desk.note(message),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        desk.answer();
        if events.is_closed() {
            return;
        }
    }
}

struct Desk<'a> {
    readers: BTreeMap<ModelId, Reader>,
    waiting: Vec<TokenizeJob>,
    /// Conversations that are being written.
    written: Vec<(TokenizeJob, Rendering)>,
    events: &'a EventSink,
}

impl Desk<'_> {
    fn note(&mut self, message: TokenizerMessage) {
        match message {
            TokenizerMessage::Opened(model, reader) => drop(self.readers.insert(model, reader)),
            TokenizerMessage::Closed(model) => {
                self.readers.remove(&model);
                self.cancel(|waiting| waiting.model == model);
            }
            TokenizerMessage::Start(job) => self.waiting.push(job),
            TokenizerMessage::Cancel(job) => self.cancel(|waiting| waiting.job == job),
        }
    }

    fn cancel(&mut self, is_meant: impl Fn(&TokenizeJob) -> bool) {
        let waiting = self.waiting.extract_if(.., |waiting| is_meant(waiting));
        let written = self.written.extract_if(.., |(job, _)| is_meant(job)).map(|(job, _)| job);
        for TokenizeJob { job, .. } in waiting.chain(written) {
            self.events.send(Event::Done { job, outcome: Outcome::Cancelled });
        }
    }

    fn answer(&mut self) {
        let is_ready = |waiting: &mut TokenizeJob| self.readers.contains_key(&waiting.model);
        let ready: Vec<TokenizeJob> = self.waiting.extract_if(.., is_ready).collect();
        for waiting in ready {
            let reader = &self.readers[&waiting.model];
            let prompt = match &waiting.question {
                Question::Tokens(prompt) => prompt,
                Question::Bias(lines) => {
                    let report = super::tasks::bias_report(&reader.tokenizer, lines);
                    let outcome = Outcome::BiasRead(Arc::new(report));
                    self.events.send(Event::Done { job: waiting.job, outcome });
                    continue;
                }
            };
            let PromptInput::Chat(chat) = prompt else {
                self.tell(waiting.job, reader.read(prompt));
                continue;
            };
            match start_chat(&reader.chat, chat) {
                Err(error) => self.tell(waiting.job, reader.read_chat(Err(error))),
                Ok(mut rendering) => match rendering.wait(PATIENCE) {
                    Some(written) => self.tell(waiting.job, reader.read_chat(written)),
                    None => self.written.push((waiting, rendering)),
                },
            }
        }
        for (waiting, mut rendering) in std::mem::take(&mut self.written) {
            match (rendering.wait(Duration::ZERO), self.readers.get(&waiting.model)) {
                (Some(written), Some(reader)) => self.tell(waiting.job, reader.read_chat(written)),
                _ => self.written.push((waiting, rendering)),
            }
        }
    }

    fn tell(&self, job: JobId, report: TokenizeReport) {
        self.events.send(Event::Done { job, outcome: Outcome::Tokenized(Arc::new(report)) });
    }
}

impl Reader {
    /// The tokens of a prompt that is no conversation.
    fn read(&self, prompt: &PromptInput) -> TokenizeReport {
        let tokens = match prompt {
            PromptInput::Text(text) => quietly(self.tokenizer.encode(text)),
            PromptInput::Ids(ids) => super::tasks::explain(ids, |id| self.tokenizer.token_text(id)),
            PromptInput::Chat(_) | PromptInput::Picture(_) => Vec::new(),
        };
        self.report(tokens, None)
    }

    /// The tokens of a conversation, and what it was written as.
    fn read_chat(&self, written: Result<RenderedChat, ChatError>) -> TokenizeReport {
        match written {
            Ok(chat) => self.report(quietly(self.tokenizer.encode_whole(&chat.text)), Some(Ok(chat))),
            Err(error) => self.report(Vec::new(), Some(Err(error.into()))),
        }
    }

    fn report(&self, tokens: Vec<PromptToken>, chat: Option<Result<RenderedChat, ChatFailure>>) -> TokenizeReport {
        let special = (0..tokens.len()).filter(|&i| self.tokenizer.is_special(tokens[i].id)).collect();
        TokenizeReport { tokens, special, chat }
    }
}

/// A text without tokens while it is being typed needs no message; running it gives one.
fn quietly(tokens: Result<Vec<PromptToken>, LoadError>) -> Vec<PromptToken> {
    tokens.unwrap_or_else(|error| {
        log::debug!("{error}");
        Vec::new()
    })
}
