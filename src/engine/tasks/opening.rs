//! Where an answer begins behind a prompt.
//!
//! White space at the end of a prompt is split together with the answer: most tokenizers join a space with the word that
//! follows it, and a model never read a space by itself before that word. Where a token ends between the two in every one of
//! the texts that are compared, the border is where it was asked for. Else it goes back through the white space, as in
//! EleutherAI's evaluation harness, to the nearest place where a token ends in all of them, and what lies behind it is scored
//! with the answer; or on through white space that was meant to be scored, where a tokenizer joins that with what stands before
//! it, as some do with a line break behind a colon. All texts have the same border, or else their probabilities would not
//! compare. Where there is no such place, since a tokenizer joins even the last word with what follows, the border stays where it was
//! asked for, and the answer is split by itself.

use super::continuations::Sequence;
use super::prompt;
use crate::load::TextModel;
use crate::types::UserError;

/// Bytes before the white space that may decide how it is split: more than any word.
const BORDER: usize = 32;

/// A prompt up to where its answers begin.
pub(super) struct Opening<'a> {
    text: &'a str,
    /// White space that belongs to the answers.
    space: &'a str,
    /// Tokens of the prompt.
    pub ids: Vec<u32>,
}

impl<'a> Opening<'a> {
    /// The border between a prompt and these answers. Of `text` the first `asked` bytes are the prompt, and white space that is
    /// scored with the answers may follow.
    ///
    /// # Errors
    /// When the prompt cannot be split, has no token, or has one outside the vocabulary.
    pub(super) fn new(model: &TextModel, text: &'a str, asked: usize, answers: &[String]) -> Result<Self, UserError> {
        let (text, space) = text.split_at(border(model, text, asked, answers)?);
        Ok(Self { text, space, ids: prompt::ids(model, text)? })
    }

    /// The tokens of the prompt and of an answer.
    ///
    /// # Errors
    /// When the answer cannot be split or has a token outside the vocabulary.
    pub(super) fn sequence(&self, model: &TextModel, answer: &str) -> Result<Sequence, UserError> {
        let answer = format!("{}{answer}", self.space);
        Ok(Sequence::new(&self.ids, &prompt::answer_ids(model, self.text, &answer)?))
    }
}

fn border(model: &TextModel, text: &str, asked: usize, answers: &[String]) -> Result<usize, UserError> {
    let end = text[..asked].trim_end().len();
    if end == text.len() {
        return Ok(end);
    }
    // A prompt of white space leaves nothing to read before the answer, unless the tokenizer begins every text with a token.
    let can_go_back = end > 0 || !model.tokenizer.ids("")?.is_empty();
    let start = text.floor_char_boundary(end.saturating_sub(BORDER));
    let wholes: Vec<Vec<u32>> = (answers.iter())
        .map(|answer| model.tokenizer.continuation_ids(&format!("{}{answer}", &text[start..])))
        .collect::<Result<_, _>>()?;
    let is_place = |at: &usize| text.is_char_boundary(*at);
    let back = (end..=asked).rev().filter(|&at| at == asked || can_go_back);
    for at in back.chain(asked + 1..=text.len()).filter(is_place) {
        let before = model.tokenizer.continuation_ids(&text[start..at])?;
        if wholes.iter().all(|whole| whole.len() > before.len() && whole.starts_with(&before)) {
            return Ok(at);
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::super::continuations::tests::golden;
    use super::*;
    use crate::load::{Tokenizer, open_text_model};
    use burn::tensor::Device;
    use std::path::Path;
    use std::sync::Arc;

    fn sequences(model: &TextModel, prompt: &str, answers: &[&str]) -> Vec<Sequence> {
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let opening = Opening::new(model, prompt, prompt.len(), &answers).unwrap();
        answers.iter().map(|answer| opening.sequence(model, answer).unwrap()).collect()
    }

    #[test]
    fn a_space_at_the_end_of_a_prompt_is_split_with_the_answer() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/sprout");
        let model = open_text_model(&dir, &Device::flex(), &mut |_, _| {}).unwrap();
        let joined = sequences(&model, "The cat sat on the ", &["mat", "hat"]);
        assert_eq!(joined, sequences(&model, "The cat sat on the", &[" mat", " hat"]));
        for (prompt, answers) in [
            ("The cat sat on the ", ["mat", "hat"]),
            ("rouge =\t", ["red\n", "blue\n"]),
            ("Q: hot\nA: \n", ["cold", "7"]),
        ] {
            for (sequence, answer) in sequences(&model, prompt, &answers).iter().zip(answers) {
                assert_eq!(sequence.ids, model.tokenizer.ids(&format!("{prompt}{answer}")).unwrap());
                let text = model.tokenizer.decode(sequence.scored_ids());
                assert_eq!(text.trim(), answer.trim(), "the scored tokens are those of the answer");
            }
        }
    }

    /// A model whose tokenizer joins `:` with a line break, and a space with `b` alone.
    fn joining() -> TextModel {
        let json = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE",
            "vocab": {"a": 0, "b": 1, "c": 2, ":": 3, "\n": 4, " ": 5, ":\n": 6, " b": 7, "\nc": 8},
            "merges": [[":", "\n"], [" ", "b"], ["\n", "c"]]}}"#;
        let tokenizer = Tokenizer::new(json.parse().unwrap()).unwrap();
        TextModel { tokenizer: Arc::new(tokenizer), ..golden("gpt2") }
    }

    fn scored(model: &TextModel, prompt: &str, answers: &[&str]) -> Vec<(Vec<u32>, usize)> {
        sequences(model, prompt, answers).into_iter().map(|sequence| (sequence.ids, sequence.scored)).collect()
    }

    #[test]
    fn white_space_that_belongs_to_the_token_before_it_stays_there() {
        let model = joining();
        assert_eq!(scored(&model, "a:\n", &["b", "c"]), [(vec![0, 6, 1], 1), (vec![0, 6, 2], 1)]);
        assert_eq!(scored(&model, "a:\n ", &["b", "c"]), [(vec![0, 6, 7], 1), (vec![0, 6, 5, 2], 2)]);
        // Compared answers have one border, wherever it would lie for each alone.
        assert_eq!(scored(&model, "a ", &["b", "c"]), [(vec![0, 7], 1), (vec![0, 5, 2], 2)]);
        assert_eq!(scored(&model, "a\n", &["b"]), [(vec![0, 4, 1], 1)], "a line break that no answer is joined with");
        assert_eq!(scored(&model, " ", &["c"]), [(vec![5, 2], 1)], "nothing else can be read before the answer");
    }

    #[test]
    fn white_space_that_is_scored_goes_to_the_prompt_only_where_it_must() {
        let model = joining();
        let of = |text: &str| {
            let opening = Opening::new(&model, text, text.trim_end().len(), &["b".to_owned()]).unwrap();
            opening.sequence(&model, "b").map(|sequence| (sequence.ids, sequence.scored)).unwrap()
        };
        assert_eq!(of("a\n"), (vec![0, 4, 1], 2));
        assert_eq!(of("a "), (vec![0, 7], 1));
        assert_eq!(of("a:\n"), (vec![0, 6, 1], 1));
    }

    #[test]
    fn a_prompt_without_white_space_at_its_end_is_split_as_ever() {
        let model = joining();
        assert_eq!(scored(&model, "a", &[" b", "c"]), [(vec![0, 7], 1), (vec![0, 2], 1)]);
        // Over this border a token would stretch: the answer is split by itself.
        assert_eq!(scored(&model, "a:", &["\nb"]), [(vec![0, 3, 4, 1], 2)]);
    }
}
