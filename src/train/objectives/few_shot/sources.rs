//! Running text: several sources, read in proportion, the end of every file held out.

use crate::load::data::text_data;
use crate::load::{TextModel, Tokenizer};
use crate::nn::Random;
use crate::train::data::corpus::CorpusReader;
use crate::train::data::token_ids::TokenParts;
use crate::train::data::vocabulary::LimitedFile;
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
    ids: TokenParts,
    held_out: TokenParts,
}

impl Sources {
    /// The files of all sources, as far as they are read.
    pub(super) fn files(specs: &[TextSource]) -> Result<Vec<LimitedFile>, UserError> {
        let mut all = Vec::new();
        for spec in specs {
            let files = text_data::text_files(std::slice::from_ref(&spec.path))?;
            let limit = limit(spec, files.len());
            all.extend(files.into_iter().map(|file| (file, limit)));
        }
        Ok(all)
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
        let (ids, held_out) = reader.finish()?.split(validation_share, 1.0);
        self.read.push(Source { share, ids, held_out });
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
        let start = random.below(ids.len().saturating_sub(length) + 1);
        let mut passage = ids.copy(start..(start + length).min(ids.len()));
        passage.resize(length, 0);
        passage
    }

    /// At most `count` passages, spread over what is held out.
    pub(super) fn held_out(&self, length: usize, count: usize) -> Vec<Vec<u32>> {
        let ends = self.read.iter().scan(0, |before, source| {
            *before += source.held_out.len();
            Some(*before)
        });
        let ends: Vec<usize> = ends.collect();
        let windows = ends.last().map_or(0, |all| all / length);
        let taken = windows.min(count);
        let window = |window: usize| {
            // Sources follow each other, so a window may begin in one and end in another.
            let mut ids = Vec::with_capacity(length);
            for (source, end) in self.read.iter().zip(&ends) {
                let start = end - source.held_out.len();
                let inside = |at: usize| at.clamp(start, *end) - start;
                ids.extend(source.held_out.copy(inside(window * length)..inside((window + 1) * length)));
            }
            ids
        };
        (0..taken).map(|i| window(i * windows / taken)).collect()
    }
}

/// Bytes to read of each of `files` files; all where nothing is said.
fn limit(spec: &TextSource, files: usize) -> Option<usize> {
    spec.megabytes.map(|megabytes| (megabytes * 1e6 / files.max(1) as f64) as usize)
}
