//! Pictures with a digit network. What stands for one is the last hidden layer, after ReLU, as the output layer reads it.

use super::subject::{Far, Lesson, Pupil, Subject};
use super::vectors::{Read, rows};
use crate::load::digit::idx::DigitSet;
use crate::load::{DigitModel, NamedPictures};
use crate::nn::{DigitNet, Hooks};
use crate::train::objectives::Digits;
use crate::types::{AdaptReport, DIGIT_SIDE, Labelled, LabelledKind, ModelInfo, UserError, Way};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use std::rc::Rc;

/// Pictures that are read in one stretch, and that are passed through a network at once.
const PORTION: usize = 100;
const PIXELS: usize = DIGIT_SIDE * DIGIT_SIDE;
/// Classes that a label of one byte tells apart.
const MOST_CLASSES: usize = 256;

/// A digit network.
pub(super) struct DigitPictures {
    base: DigitModel,
    device: Device,
    data: Rc<Labelled>,
    pictures: NamedPictures,
    /// Of each picture of the data 28 × 28 shades, as far as they are read.
    shades: Vec<u8>,
    /// Places of those that are needed, and how many of them are read.
    needed: Vec<usize>,
    read: usize,
}

impl DigitPictures {
    /// A model for the pictures of `data`, of which those at some places are needed.
    ///
    /// # Errors
    /// When a file that holds many of them cannot be read, or there are more classes than are learned.
    pub(super) fn of(
        model: &DigitModel,
        data: &Rc<Labelled>,
        needed: &[usize],
        device: &Device,
    ) -> Result<Self, UserError> {
        if data.labels.len() > MOST_CLASSES {
            return Err(UserError::new(
                format!("There are {} classes.", data.labels.len()),
                format!("A digit network learns {MOST_CLASSES} at most."),
                "Take fewer folders, or a vision transformer.",
            ));
        }
        let pictures = NamedPictures::of(data.examples.iter().map(|(name, _)| name.as_str()))?;
        Ok(Self {
            base: model.clone(),
            device: device.clone(),
            data: Rc::clone(data),
            pictures,
            shades: vec![0; data.examples.len() * PIXELS],
            needed: needed.to_vec(),
            read: 0,
        })
    }

    fn shades(&self, place: usize) -> &[u8] {
        &self.shades[place * PIXELS..(place + 1) * PIXELS]
    }

    /// `[B, 784]`, ink is 1.
    fn images(&self, places: &[usize]) -> Tensor<2> {
        let shades = places.iter().flat_map(|place| self.shades(*place));
        let values: Vec<f32> = shades.map(|shade| f32::from(*shade) / 255.0).collect();
        Tensor::from_data(TensorData::new(values, [places.len(), PIXELS]), &self.device)
    }
}

impl Subject for DigitPictures {
    type Objective = Digits;
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
        let (pictures, examples) = (&self.pictures, &self.data.examples);
        let read = next.par_iter().map(|place| Ok(pictures.digit(&examples[*place].0)?));
        let read: Vec<_> = read.collect::<Result<_, UserError>>()?;
        for (place, image) in next.iter().zip(read) {
            // MNIST's images, and pictures like them, are the same again.
            let shades = image.0.iter().map(|ink| (ink * 255.0).round() as u8);
            self.shades[place * PIXELS..(place + 1) * PIXELS]
                .iter_mut()
                .zip(shades)
                .for_each(|(to, shade)| *to = shade);
        }
        self.read += next.len();
        Ok(Some(Far { label: "Reading the pictures", done: [self.read, self.needed.len()] }))
    }

    fn tell(&self, report: &mut AdaptReport) {
        let config = self.base.config.with_classes(self.data.labels.len());
        report.operations = Some(2.0 * config.multiply_adds() as f64);
    }

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
        0
    }

    fn vectors(&self, _read: Read, items: &[usize]) -> Result<Vec<Vec<f32>>, UserError> {
        rows(&self.base.net.features(self.images(items), &mut Hooks::off()))
    }

    fn scores(&self, net: &DigitNet, items: &[usize]) -> Result<Tensor<2>, UserError> {
        Ok(net.forward(self.images(items), &mut Hooks::off()))
    }

    fn decide(&self, net: &DigitNet, vectors: Tensor<2>) -> Tensor<2> {
        net.decide(vectors)
    }

    fn pupil(&self, lesson: &Lesson<'_>) -> Result<Pupil<Digits>, UserError> {
        let (base, classes) = (self.base.clone(), lesson.labels.len());
        let model = match lesson.way {
            Way::Scratch => base.from_scratch(classes, lesson.seed, lesson.device),
            _ => base.with_new_head(classes, lesson.seed, lesson.device),
        };
        let shades = lesson.drawn.iter().flat_map(|(place, _)| self.shades(*place)).copied().collect();
        let labels = lesson.drawn.iter().map(|(_, class)| *class as u8).collect();
        let of_head = lesson.vectors.clone();
        let objective = Digits::given(DigitSet::new(shades, labels), &model, of_head);
        Ok(Pupil { objective, info: model.info.clone(), model })
    }
}
