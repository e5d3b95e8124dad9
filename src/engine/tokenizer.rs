//! A thread of its own for tokenizing while a person types, so that the prompt shows its tokens at once even when the
//! worker is in the middle of a long step.
//!
//! Must not know: models, devices or jobs; it holds the tokenizers and chat templates of open models and nothing else.

use super::events::EventSink;
use super::{Event, PromptInput};
use crate::load::{ChatError, ChatTemplate, Tokenizer, render_chat};
use crate::types::{ChatFailure, ModelId, PromptToken, RenderedChat};
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
    Text(TokenizeRequest),
}

/// What turns prompts into tokens: a model's tokenizer and its chat template.
pub(crate) struct Reader {
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The template, or why there is none.
    pub chat: Arc<Result<ChatTemplate, ChatError>>,
}

/// A prompt to tokenize.
pub(crate) struct TokenizeRequest {
    /// Given back with the answer.
    pub request: u64,
    /// Whose tokenizer to use.
    pub model: ModelId,
    /// The prompt.
    pub prompt: PromptInput,
}

/// Answers requests until every sender is gone. Only the newest request is answered; one for a model that is not open
/// yet waits for it.
pub(crate) fn run(messages: &Receiver<TokenizerMessage>, events: &EventSink) {
    let mut readers = BTreeMap::new();
    let mut newest: Option<TokenizeRequest> = None;
    while let Ok(message) = messages.recv() {
        note(message, &mut readers, &mut newest);
        loop {
            match messages.try_recv() {
                Ok(message) => note(message, &mut readers, &mut newest),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        if let Some(TokenizeRequest { request, model, prompt }) =
            newest.take_if(|newest| readers.contains_key(&newest.model))
        {
            let reader: &Reader = &readers[&model];
            let (tokens, chat) = reader.read(&prompt);
            let special = (0..tokens.len()).filter(|&i| reader.tokenizer.is_special(tokens[i].id)).collect();
            events.send(Event::Tokenized { request, model, tokens, special, chat });
        }
        if events.is_closed() {
            return;
        }
    }
}

impl Reader {
    /// The tokens of a prompt, and what a conversation was written as. A text without tokens while it is being typed needs
    /// no message; running it gives one.
    fn read(&self, prompt: &PromptInput) -> (Vec<PromptToken>, Option<Result<RenderedChat, ChatFailure>>) {
        let quietly = |tokens: Result<Vec<PromptToken>, _>| {
            tokens.unwrap_or_else(|error| {
                log::debug!("{error}");
                Vec::new()
            })
        };
        match prompt {
            PromptInput::Text(text) => (quietly(self.tokenizer.encode(text)), None),
            PromptInput::Ids(ids) => (super::tasks::explain(ids, |id| self.tokenizer.token_text(id)), None),
            PromptInput::Chat(chat) => match render_chat(&self.chat, chat) {
                Ok(rendered) => (quietly(self.tokenizer.encode_whole(&rendered.text)), Some(Ok(rendered))),
                Err(error) => (Vec::new(), Some(Err(error.into()))),
            },
            PromptInput::Picture(_) => (Vec::new(), None),
        }
    }
}

fn note(message: TokenizerMessage, readers: &mut BTreeMap<ModelId, Reader>, newest: &mut Option<TokenizeRequest>) {
    match message {
        TokenizerMessage::Opened(model, reader) => drop(readers.insert(model, reader)),
        TokenizerMessage::Closed(model) => drop(readers.remove(&model)),
        TokenizerMessage::Text(request) => *newest = Some(request),
    }
}
