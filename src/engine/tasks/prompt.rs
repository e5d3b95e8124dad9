//! From a prompt to the token ids a model reads, with every check a person can run into.

use super::wrong_kind;
use crate::engine::PromptInput;
use crate::load::{EncoderModel, Rendering, TextModel, Tokenizer, start_chat};
use crate::types::{ModelInfo, ModelKind, PromptToken, UserError};
use std::time::Duration;

/// Longest that a step waits for a chat template, which is somebody else's program and may take its time.
const PATIENCE: Duration = Duration::from_millis(10);

/// A prompt on its way to tokens, over as many steps as its chat template takes.
#[derive(Default)]
pub(super) struct Reading {
    rendering: Option<Rendering>,
}

impl Reading {
    /// Tokenizes a text or a conversation, or explains ids, and checks that the model can read them. Nothing while the chat
    /// template is at work: ask again in the next step. Dropped, it ends the template.
    ///
    /// # Errors
    /// When the chat template gives no text, and when there is no token, one outside the vocabulary, or more than the context
    /// holds.
    pub(super) fn read(
        &mut self,
        model: &TextModel,
        prompt: &PromptInput,
    ) -> Result<Option<Vec<PromptToken>>, UserError> {
        let tokens = match prompt {
            PromptInput::Chat(chat) => {
                let mut rendering = match self.rendering.take() {
                    Some(rendering) => rendering,
                    None => start_chat(&model.chat, chat)?,
                };
                let Some(written) = rendering.wait(PATIENCE) else {
                    self.rendering = Some(rendering);
                    return Ok(None);
                };
                model.tokenizer.encode_whole(&written?.text)?
            }
            other => tokenized(&model.tokenizer, &model.info, other)?,
        };
        check(&tokens, &model.info.name, model.lm.vocabulary(), model.lm.context())?;
        Ok(Some(tokens))
    }
}

/// The same for an encoder, which reads no conversations.
///
/// # Errors
/// As [`Reading::read`].
pub(super) fn read_encoder(model: &EncoderModel, prompt: &PromptInput) -> Result<Vec<PromptToken>, UserError> {
    let tokens = tokenized(&model.tokenizer, &model.info, prompt)?;
    check(&tokens, &model.info.name, model.config.shape().vocabulary, model.config.context())?;
    Ok(tokens)
}

fn tokenized(tokenizer: &Tokenizer, info: &ModelInfo, prompt: &PromptInput) -> Result<Vec<PromptToken>, UserError> {
    match prompt {
        PromptInput::Text(text) => Ok(tokenizer.encode(text)?),
        PromptInput::Ids(ids) => Ok(explain(ids, |id| tokenizer.token_text(id))),
        PromptInput::Chat(_) => Err(wrong_kind(info, ModelKind::CausalLm)),
        PromptInput::Picture(_) => Err(UserError::new(
            format!("{} cannot read a picture.", info.name),
            "It takes text.",
            "Give it a text, or choose a folder with ViTForImageClassification in its config.json.",
        )),
    }
}

/// Tokens with their texts; spans refer to the joined texts.
pub(crate) fn explain(ids: &[u32], text_of: impl Fn(u32) -> String) -> Vec<PromptToken> {
    let mut end = 0;
    let explain_one = |&id| {
        let text = text_of(id);
        let start = end;
        end += text.len();
        PromptToken { id, text, span: start..end }
    };
    ids.iter().map(explain_one).collect()
}

/// The ids of a text that the model can read; how many fit in its context is not checked.
///
/// # Errors
/// When the text cannot be split, has no token, or has one outside the vocabulary.
pub(super) fn ids(model: &TextModel, text: &str) -> Result<Vec<u32>, UserError> {
    let ids = model.tokenizer.ids(text)?;
    check_ids(&ids, &model.info.name, model.lm.vocabulary())?;
    Ok(ids)
}

/// The ids of an answer that goes on where a prompt ended, white space between them and the ending included.
///
/// # Errors
/// When the text cannot be split or has a token outside the vocabulary.
pub(super) fn answer_ids(model: &TextModel, prompt: &str, answer: &str) -> Result<Vec<u32>, UserError> {
    let ids = model.tokenizer.ids_after(prompt, answer)?;
    check_ids(&ids, &model.info.name, model.lm.vocabulary())?;
    Ok(ids)
}

/// Checks that there is something of an answer to score.
///
/// # Errors
/// When it has no token.
pub(super) fn check_answer(model: &TextModel, answer: &str) -> Result<(), UserError> {
    if model.tokenizer.continuation_ids(answer)?.is_empty() {
        return Err(UserError::new(
            format!("The answer {answer:?} cannot be scored."),
            format!("It has no token of {}, so it has no probability of its own.", model.info.name),
            "Write something into every answer, or leave it out.",
        ));
    }
    Ok(())
}

fn check(tokens: &[PromptToken], name: &str, vocabulary: usize, context: usize) -> Result<(), UserError> {
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    check_ids(&ids, name, vocabulary)?;
    if tokens.len() > context {
        return Err(UserError::new(
            format!("The prompt is too long: {} tokens, and {name} reads at most {context}.", tokens.len()),
            "The context of the model is fixed when it is trained.",
            format!("Shorten it by at least {} tokens, for example by switching off examples.", tokens.len() - context),
        ));
    }
    Ok(())
}

fn check_ids(ids: &[u32], name: &str, vocabulary: usize) -> Result<(), UserError> {
    if ids.is_empty() {
        return Err(UserError::new(
            "The prompt is empty.",
            format!("{name} reads a text and needs at least one token of it."),
            "Write something first.",
        ));
    }
    if let Some((place, id)) = ids.iter().enumerate().find(|(_, id)| **id as usize >= vocabulary) {
        return Err(UserError::new(
            format!("Token {} of the prompt has the id {id}, which {name} does not know.", place + 1),
            format!("Its vocabulary has {vocabulary} entries, so ids run from 0 to {}.", vocabulary.saturating_sub(1)),
            "Use ids within that range. If they came from the tokenizer, tokenizer.json belongs to another model.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[u32]) -> Vec<PromptToken> {
        explain(ids, |id| format!("<{id}>"))
    }

    #[test]
    fn explained_ids_have_spans_in_their_joined_text() {
        let tokens = tokens(&[7, 12]);
        assert_eq!(tokens[1], PromptToken { id: 12, text: "<12>".into(), span: 3..7 });
    }

    #[test]
    fn a_prompt_longer_than_the_context_is_told_with_both_numbers() {
        let error = check(&tokens(&[1, 2, 3]), "tiny", 10, 2).unwrap_err();
        assert!(error.what.contains("3 tokens") && error.what.contains("at most 2"), "{error}");
        assert_eq!(check(&tokens(&[1, 2]), "tiny", 10, 2), Ok(()));
    }

    #[test]
    fn an_unknown_id_is_named() {
        let error = check(&tokens(&[1, 10]), "tiny", 10, 8).unwrap_err();
        assert!(error.what.contains("Token 2") && error.what.contains("10"), "{error}");
    }

    #[test]
    fn an_empty_prompt_is_an_error() {
        assert!(check(&[], "tiny", 10, 8).is_err());
    }
}
