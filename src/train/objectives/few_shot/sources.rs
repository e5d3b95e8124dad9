//! Running text: several sources, read in proportion, the end of every file held out.

use crate::load::data::text_data;

use crate::load::{TextModel, Tokenizer};
use crate::nn::Random;
use crate::train::data::corpus::CorpusReader;
use crate::types::{TextSource, UserError};

/// The tokens of all sources.
#[derive(Default)]
pub(super) struct Sources {
    /// Sources that are not read yet, the next one last.
    waiting: Vec<(f64, CorpusReader)>,
    read: Vec<Source>,
}

struct Source {
    share: f64,
    ids: Vec<u32>,
    held_out: Vec<u32>,
}

impl Sources {
    /// The texts themselves, as far as they are read.
    pub(super) fn texts(&self, specs: &[TextSource]) -> Result<Vec<String>, UserError> {
        let mut texts = Vec::new();
        for spec in specs {
            let files = text_data::text_files(std::slice::from_ref(&spec.path))?;
            let limit = limit(spec, files.len());
            for file in files {
                texts.push(text_data::beginning(&text_data::read_text(&file)?, limit).to_owned());
            }
        }
        Ok(texts)
    }

    /// Makes ready to read for a model.
    pub(super) fn begin(&mut self, specs: &[TextSource], model: &TextModel) -> Result<(), UserError> {
        for spec in specs.iter().rev() {
            let files = text_data::text_files(std::slice::from_ref(&spec.path))?;
            let limit = limit(spec, files.len());
            self.waiting.push((spec.share, CorpusReader::of_model(files, model)?.at_most(limit)));
        }
        Ok(())
    }

    /// Reads a stretch; true when nothing is left.
    pub(super) fn step(&mut self, tokenizer: &Tokenizer, validation_share: f64) -> Result<bool, UserError> {
        let Some((share, mut reader)) = self.waiting.pop() else { return Ok(true) };
        if !reader.step(tokenizer)? {
            self.waiting.push((share, reader));
            return Ok(false);
        }
        let mut source = Source { share, ids: Vec::new(), held_out: Vec::new() };
        for mut file in reader.into_files()? {
            let kept = file.ids.len() - (file.ids.len() as f64 * validation_share).round() as usize;
            source.held_out.extend(file.ids.split_off(kept));
            source.ids.extend(file.ids);
        }
        self.read.push(source);
        Ok(self.waiting.is_empty())
    }

    /// Bytes read and in total of the source that is being read.
    pub(super) fn progress(&self) -> (u64, u64) {
        self.waiting.last().map_or((0, 0), |(_, reader)| reader.progress())
    }

    /// True without any text.
    pub(super) fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// A passage of `length` tokens from anywhere in a source drawn by its share.
    pub(super) fn passage(&self, length: usize, random: &mut Random) -> Vec<u32> {
        let mut left = random.unit() * self.read.iter().map(|source| source.share).sum::<f64>();
        let drawn = self.read.iter().find(|source| {
            left -= source.share;
            left < 0.0
        });
        let ids = &drawn.unwrap_or(&self.read[0]).ids;
        let mut passage = ids[random.below(ids.len().saturating_sub(length) + 1)..].to_vec();
        passage.resize(length, 0);
        passage
    }

    /// At most `count` passages, spread over what is held out.
    pub(super) fn held_out(&self, length: usize, count: usize) -> Vec<Vec<u32>> {
        let ids: Vec<u32> = self.read.iter().flat_map(|source| &source.held_out).copied().collect();
        let windows = ids.len() / length;
        let taken = windows.min(count);
        (0..taken).map(|i| i * windows / taken).map(|window| ids[window * length..][..length].to_vec()).collect()
    }
}

/// Bytes to read of each of `files` files.
fn limit(spec: &TextSource, files: usize) -> usize {
    spec.megabytes.map_or(usize::MAX, |megabytes| (megabytes * 1e6 / files.max(1) as f64) as usize)
}
