//! A thread of its own for tokenizing while a person types, so that the prompt shows its tokens at once even when the
//! worker is in the middle of a long step.
//!
//! Must not know: models, devices or other jobs; it holds the tokenizers and chat templates of open models and nothing else.

use super::events::EventSink;
use super::{Event, Outcome, PromptInput};
use crate::load::{ChatError, ChatTemplate, Tokenizer, render_chat};
use crate::types::{JobId, ModelId, PromptToken, TokenizeReport};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

/// What the tokenizer thread is told.
pub(crate) enum TokenizerMessage {
    /// A text model was opened or changed.
    Opened(ModelId, Reader),
    /// A model was closed.
    Closed(ModelId),
    /// A prompt to tokenize.
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

/// A prompt to tokenize.
pub(crate) struct TokenizeJob {
    /// Its name in commands and events.
    pub job: JobId,
    /// Whose tokenizer to use.
    pub model: ModelId,
    /// The prompt.
    pub prompt: PromptInput,
}

/// Answers jobs in their order until every sender is gone; one for a model that is not open yet waits for it.
pub(crate) fn run(messages: &Receiver<TokenizerMessage>, events: &EventSink) {
    let mut desk = Desk { readers: BTreeMap::new(), waiting: Vec::new(), events };
    while let Ok(message) = messages.recv() {
        desk.note(message);
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
        for TokenizeJob { job, .. } in self.waiting.extract_if(.., |waiting| is_meant(waiting)) {
            self.events.send(Event::Done { job, outcome: Outcome::Cancelled });
        }
    }

    fn answer(&mut self) {
        let is_ready = |waiting: &mut TokenizeJob| self.readers.contains_key(&waiting.model);
        for TokenizeJob { job, model, prompt } in self.waiting.extract_if(.., is_ready) {
            let report = self.readers[&model].read(&prompt);
            self.events.send(Event::Done { job, outcome: Outcome::Tokenized(Arc::new(report)) });
        }
    }
}

impl Reader {
    /// The tokens of a prompt, and what a conversation was written as. A text without tokens while it is being typed needs
    /// no message; running it gives one.
    fn read(&self, prompt: &PromptInput) -> TokenizeReport {
        let quietly = |tokens: Result<Vec<PromptToken>, _>| {
            tokens.unwrap_or_else(|error| {
                log::debug!("{error}");
                Vec::new()
            })
        };
        let (tokens, chat) = match prompt {
            PromptInput::Text(text) => (quietly(self.tokenizer.encode(text)), None),
            PromptInput::Ids(ids) => (super::tasks::explain(ids, |id| self.tokenizer.token_text(id)), None),
            PromptInput::Chat(chat) => match render_chat(&self.chat, chat) {
                Ok(rendered) => (quietly(self.tokenizer.encode_whole(&rendered.text)), Some(Ok(rendered))),
                Err(error) => (Vec::new(), Some(Err(error.into()))),
            },
            PromptInput::Picture(_) => (Vec::new(), None),
        };
        let special = (0..tokens.len()).filter(|&i| self.tokenizer.is_special(tokens[i].id)).collect();
        TokenizeReport { tokens, special, chat }
    }
}
