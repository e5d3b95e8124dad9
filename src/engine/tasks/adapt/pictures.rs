//! Pictures with a vision transformer. What stands for one is the vector of its first token, [CLS], after the last normalisation, as
//! transformers has it in `last_hidden_state[:, 0]`. DeiT's distillation token is read by no new head, and is no part of it either.

use super::subject::{Far, Lesson, Pupil, Subject};
use super::texts::given;
use super::vectors::{Read, rows};
use crate::engine::tasks::subject::no_answers;
use crate::load::VisionModel;
use crate::nn::{Hooks, Vit};
use crate::train::objectives::{ClassifyPictures, SeenPictures};
use crate::types::{AdaptReport, ClassifyTask, Labelled, LabelledKind, ModelInfo, UserError, Way};
use burn::tensor::{Device, Tensor};
use std::rc::Rc;

/// Pictures that are read in one stretch, and that are passed through a network at once.
const PORTION: usize = 16;

/// A vision transformer.
pub(super) struct Pictures {
    base: VisionModel,
    data: Rc<Labelled>,
    seen: Rc<SeenPictures>,
    /// Places of those that are needed, and how many of them are read.
    needed: Vec<usize>,
    read: usize,
}

impl Pictures {
    /// A model for the pictures of `data`, of which those at some places are needed.
    ///
    /// # Errors
    /// When a file that holds many of them cannot be read.
    pub(super) fn of(model: &VisionModel, data: &Rc<Labelled>, needed: &[usize]) -> Result<Self, UserError> {
        let mut base = model.clone();
        base.adapter = None;
        let names = data.examples.iter().map(|(name, _)| name.clone()).collect();
        let seen = Rc::new(SeenPictures::new(base.preprocessor.clone(), names)?);
        Ok(Self { base, data: Rc::clone(data), seen, needed: needed.to_vec(), read: 0 })
    }
}

impl Subject for Pictures {
    type Objective = ClassifyPictures;
    type Item = usize;

    const KIND: LabelledKind = LabelledKind::Pictures;

    fn info(&self) -> &ModelInfo {
        &self.base.info
    }

    fn prepare(&mut self, _device: &Device) -> Result<Option<Far>, UserError> {
        let next = &self.needed[self.read..self.needed.len().min(self.read + PORTION)];
        if next.is_empty() {
            return Ok(None);
        }
        self.seen.read(next)?;
        self.read += next.len();
        Ok(Some(Far { label: "Reading the pictures", done: [self.read, self.needed.len()] }))
    }

    fn tell(&self, _report: &mut AdaptReport) {}

    fn own(&self) -> Read {
        Read::OfHead
    }

    fn queue(&self, places: &[usize]) -> Result<Vec<usize>, UserError> {
        Ok(places.iter().rev().copied().collect())
    }

    fn take(&self, waiting: &mut Vec<usize>) -> Vec<usize> {
        waiting.split_off(waiting.len().saturating_sub(PORTION))
    }

    fn place(&self, item: &usize) -> usize {
        *item
    }

    fn tokens(&self, _item: &usize) -> usize {
        self.base.config.tokens()
    }

    fn vectors(&self, _read: Read, items: &[usize]) -> Result<Vec<Vec<f32>>, UserError> {
        let vit = &self.base.vit;
        let special = vit.special_vectors(self.seen.pixels(items, &vit.device())?); // [B, S, D]
        rows(&special.narrow(1, 0, 1).squeeze_dim(1))
    }

    fn scores(&self, net: &Vit, items: &[usize]) -> Result<Tensor<2>, UserError> {
        let pixels = self.seen.pixels(items, &net.device())?;
        net.forward(pixels, &mut Hooks::off()).ok_or_else(|| no_answers(&self.base.info))
    }

    fn decide(&self, net: &Vit, vectors: Tensor<2>) -> Tensor<2> {
        net.decide(&vectors.unsqueeze_dim(1)).expect("it was given a head") // [B, 1, D] → [B, L]
    }

    fn pupil(&self, lesson: &Lesson<'_>) -> Result<Pupil<ClassifyPictures>, UserError> {
        let base = self.base.clone();
        let base = if lesson.way == Way::Scratch { base.from_scratch(lesson.seed) } else { base };
        let model = base.with_new_head(lesson.labels.to_vec(), lesson.seed, lesson.device)?;
        let places = lesson.drawn.iter().map(|(place, _)| *place).collect();
        let (task, data) = (ClassifyTask::at_hand(lesson.learns()), given(&self.data, lesson));
        let seen = (Rc::clone(&self.seen), places);
        let objective = ClassifyPictures::given(task, data, lesson.vectors.as_deref(), &model, seen)?;
        Ok(Pupil { objective, info: model.info.clone(), model })
    }
}
