//! Lets a model write a text from nothing, for others to learn from.

use super::writing::Writing;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::data::text_data;
use crate::load::{TextModel, Tokenizer, open_text_model};
use crate::types::{UserError, WriteTextSpec};

/// Passages that are written side by side: what a step reads of the weights serves all of them.
const BESIDE: usize = 64;
/// What ends a sentence, closing quotation marks with it.
const ENDS: [char; 7] = ['.', '!', '?', '"', '”', '…', '。'];

/// Writes one text. The model is opened for it alone.
pub(crate) struct WriteText {
    spec: WriteTextSpec,
    writer: Option<Box<(TextModel, Writing)>>,
}

impl WriteText {
    /// To write what `spec` says.
    pub(crate) fn new(spec: WriteTextSpec) -> Self {
        Self { spec, writer: None }
    }
}

impl Task for WriteText {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let job = cx.job;
        let Some(writer) = &mut self.writer else {
            let WriteTextSpec { model: folder, passages, tokens, seed, .. } = &self.spec;
            let mut tell = |done, total| {
                let label = format!("Opening {}", folder.display());
                (cx.emit)(Event::Progress { job, label, done, total, unit: "bytes" });
            };
            let model = open_text_model(folder, cx.device, &mut tell)?;
            check(&self.spec, &model)?;
            let writing = Writing::new(&model, [*passages, BESIDE], *tokens, *seed);
            self.writer = Some(Box::new((model, writing)));
            return Ok(Step::More);
        };
        let (model, writing) = &mut **writer;
        let Some(passages) = writing.step(model)? else {
            let (done, total) = writing.progress();
            let label = format!("{} writes the text", model.info.name);
            (cx.emit)(Event::Progress { job, label, done, total, unit: "tokens" });
            return Ok(Step::More);
        };
        let texts: Vec<String> =
            passages.iter().flat_map(|ids| in_sentences(ids, &model.eos, &model.tokenizer)).collect();
        if texts.is_empty() {
            return Err(UserError::new(
                format!("{} wrote no sentence.", model.info.name),
                "None of its passages came to the end of one.",
                "Ask for more tokens a passage, or choose another model.",
            ));
        }
        text_data::write_text(&self.spec.out, &(texts.join("\n\n") + "\n"))?;
        Ok(Step::Done(Outcome::Saved { path: self.spec.out.clone() }))
    }
}

/// Refuses what cannot be written.
fn check(spec: &WriteTextSpec, model: &TextModel) -> Result<(), UserError> {
    let wrong = |why: String| UserError::new("The text cannot be written.", why, "Ask for another size of the text.");
    let longest = model.lm.context();
    if !(2..=longest).contains(&spec.tokens) {
        let name = &model.info.name;
        return Err(wrong(format!(
            "A passage has 2 to {longest} tokens, as many as {name} reads, not {}.",
            spec.tokens
        )));
    }
    if !(1..=WriteTextSpec::MOST_PASSAGES).contains(&spec.passages) {
        return Err(wrong(format!(
            "A text has 1 to {} passages, not {}.",
            WriteTextSpec::MOST_PASSAGES,
            spec.passages
        )));
    }
    Ok(())
}

/// The texts in a passage, parted where the model ended one; what stands behind the last end of a sentence is left out.
fn in_sentences(ids: &[u32], ends: &[u32], tokenizer: &Tokenizer) -> Vec<String> {
    let parts: Vec<String> = ids.split(|id| ends.contains(id)).map(|part| tokenizer.decode(part)).collect();
    let last = parts.len() - 1;
    let whole = |(place, text): (usize, String)| if place == last { finished(&text).to_owned() } else { text };
    parts
        .into_iter()
        .enumerate()
        .map(whole)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

/// A text up to the end of its last whole sentence.
fn finished(text: &str) -> &str {
    let end = text.rfind(ENDS).and_then(|at| Some(at + text[at..].chars().next()?.len_utf8()));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::finished;

    #[test]
    fn an_unfinished_sentence_is_left_out() {
        assert_eq!(finished("It rained. \"Oh!\" said Tim. Then he"), "It rained. \"Oh!\" said Tim.");
        assert_eq!(finished("She said “yes…” and"), "She said “yes…”");
        assert_eq!(finished("no end"), "");
    }
}
