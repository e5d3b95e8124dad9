//! A thread of its own for tokenizing while a person types, so that the prompt shows its tokens at once even when the
//! worker is in the middle of a long step.
//!
//! Must not know: models, devices or jobs; it holds the codecs of open models and nothing else.

use super::Event;
use super::events::EventSink;
use crate::load::TextCodec;
use crate::types::ModelId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

/// What the tokenizer thread is told.
pub(crate) enum TokenizerMessage {
    /// A text model was opened or changed.
    Opened(ModelId, Arc<TextCodec>),
    /// A model was closed.
    Closed(ModelId),
    /// A text to tokenize.
    Text(TokenizeRequest),
}

/// A text to tokenize.
pub(crate) struct TokenizeRequest {
    /// Given back with the answer.
    pub request: u64,
    /// Whose tokenizer to use.
    pub model: ModelId,
    /// The text.
    pub text: String,
}

/// Answers requests until every sender is gone. Only the newest request is answered; one for a model that is not open
/// yet waits for it.
pub(crate) fn run(messages: &Receiver<TokenizerMessage>, events: &EventSink) {
    let mut codecs = BTreeMap::new();
    let mut newest: Option<TokenizeRequest> = None;
    while let Ok(message) = messages.recv() {
        note(message, &mut codecs, &mut newest);
        loop {
            match messages.try_recv() {
                Ok(message) => note(message, &mut codecs, &mut newest),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        if let Some(TokenizeRequest { request, model, text }) =
            newest.take_if(|newest| codecs.contains_key(&newest.model))
        {
            // A text without tokens while it is being typed needs no message; running it gives one.
            let tokens = codecs[&model].encode(&text).unwrap_or_else(|error| {
                log::debug!("{error}");
                Vec::new()
            });
            events.send(Event::Tokenized { request, model, tokens });
        }
        if events.is_closed() {
            return;
        }
    }
}

fn note(
    message: TokenizerMessage,
    codecs: &mut BTreeMap<ModelId, Arc<TextCodec>>,
    newest: &mut Option<TokenizeRequest>,
) {
    match message {
        TokenizerMessage::Opened(model, codec) => drop(codecs.insert(model, codec)),
        TokenizerMessage::Closed(model) => drop(codecs.remove(&model)),
        TokenizerMessage::Text(request) => *newest = Some(request),
    }
}
