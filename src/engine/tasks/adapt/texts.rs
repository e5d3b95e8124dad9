//! Texts with a decoder, an encoder, or the body of a classifier.

use super::strangeness::Strangeness;
use super::subject::{Far, Lesson, Pupil, Subject};
use super::vectors::{Read, host, rows};
use crate::engine::tasks::LoadedModel;
use crate::engine::tasks::classify_texts::{ReadText, longest, read, tokens_a_step};
use crate::engine::tasks::embed::{embed, pool};
use crate::load::{ClassifierBody, ClassifierModel, EncoderModel, TextModel};
use crate::nn::TextClassifier;
use crate::train::objectives::Classify;
use crate::types::{
    AdaptReport, ClassifyTask, FeaturePooling, Labelled, LabelledKind, ModelInfo, Pooling, UserError, Way,
};
use burn::tensor::{Device, Tensor};
use std::rc::Rc;

/// A model that reads text.
pub(super) struct Texts {
    /// The model as it was, with a head that nobody reads.
    base: ClassifierModel,
    /// The same as what continues text, where it does.
    writer: Option<TextModel>,
    data: Rc<Labelled>,
    own: Read,
    strangeness: Option<Strangeness>,
    bits_per_byte: Option<f64>,
}

impl Texts {
    /// A model for the texts of `data`, of which some are measured on; `pooling` is that of a decoder. `None` of a model that reads none.
    ///
    /// # Errors
    /// When no head can be put on it.
    pub(super) fn of(
        loaded: &LoadedModel,
        data: &Rc<Labelled>,
        test: &[usize],
        pooling: FeaturePooling,
        device: &Device,
    ) -> Result<Option<Self>, UserError> {
        // What was a classifier has no vector of its own but its head's.
        let (body, writer, own) = match loaded {
            LoadedModel::Text(model) => {
                let model = TextModel { adapter: None, ..model.clone() };
                let own = if pooling == FeaturePooling::Mean { Read::Mean } else { Read::OfHead };
                (ClassifierBody::Decoder(model.clone()), Some(model), own)
            }
            LoadedModel::Encoder(model) => {
                (ClassifierBody::Encoder(EncoderModel { adapter: None, ..model.clone() }), None, Read::Pooled)
            }
            LoadedModel::Classifier(model) => (model.body.clone(), None, Read::OfHead),
            LoadedModel::Vision(_) | LoadedModel::Digits(_) => return Ok(None),
        };
        let base = ClassifierModel::with_new_head(body, data.labels.clone(), 0, device)?;
        let texts = || test.iter().map(|place| data.examples[*place].0.clone()).collect();
        let strangeness = writer.is_some().then(|| Strangeness::new(texts()));
        Ok(Some(Self { base, writer, data: Rc::clone(data), own, strangeness, bits_per_byte: None }))
    }
}

impl Subject for Texts {
    type Objective = Classify;
    type Item = ReadText;

    const KIND: LabelledKind = LabelledKind::Texts;

    fn info(&self) -> &ModelInfo {
        self.base.info()
    }

    fn prepare(&mut self, device: &Device) -> Result<Option<Far>, UserError> {
        let (Some(strangeness), Some(writer)) = (&mut self.strangeness, &self.writer) else { return Ok(None) };
        let is_read = strangeness.step(writer, device)?;
        let far = Far { label: "Reading the texts", done: strangeness.progress() };
        if is_read {
            self.bits_per_byte = strangeness.bits_per_byte();
            self.strangeness = None;
        }
        Ok(Some(far))
    }

    fn tell(&self, report: &mut AdaptReport) {
        report.bits_per_byte = self.bits_per_byte;
    }

    fn writer(&self) -> Option<&TextModel> {
        self.writer.as_ref()
    }

    fn own(&self) -> Read {
        self.own
    }

    fn queue(&self, places: &[usize]) -> Result<Vec<ReadText>, UserError> {
        read(&self.base, places.iter().map(|place| (*place, self.data.examples[*place].0.as_str())))
    }

    fn take(&self, waiting: &mut Vec<ReadText>) -> Vec<ReadText> {
        longest(waiting, tokens_a_step(&self.base))
    }

    fn place(&self, item: &ReadText) -> usize {
        item.place
    }

    fn tokens(&self, item: &ReadText) -> usize {
        item.ids.len()
    }

    fn is_cut(&self, item: &ReadText) -> bool {
        item.left_out > 0
    }

    fn vectors(&self, read: Read, items: &[ReadText]) -> Result<Vec<Vec<f32>>, UserError> {
        let ids: Vec<&[u32]> = items.iter().map(|text| &text.ids[..]).collect();
        match (&self.base.body, read) {
            (ClassifierBody::Encoder(encoder), Read::Pooled) => embed(encoder, &ids),
            (ClassifierBody::Decoder(decoder), Read::Mean) => {
                let numbers = host(&decoder.lm.vectors(&ids))?; // [N, D]
                let width = numbers.len() / ids.iter().map(|ids| ids.len()).sum::<usize>();
                let mut rest = &numbers[..];
                let pooled = ids.iter().map(|ids| {
                    let (rows, behind) = rest.split_at(ids.len() * width);
                    rest = behind;
                    pool(rows, ids.len(), width, Pooling::Mean)
                });
                Ok(pooled.collect())
            }
            _ => rows(&self.base.net().vectors(&ids, self.base.padding_id)),
        }
    }

    fn scores(&self, net: &TextClassifier, items: &[ReadText]) -> Result<Tensor<2>, UserError> {
        let ids: Vec<&[u32]> = items.iter().map(|text| &text.ids[..]).collect();
        Ok(net.forward(&ids, self.base.padding_id))
    }

    fn decide(&self, net: &TextClassifier, vectors: Tensor<2>) -> Tensor<2> {
        net.decide(vectors)
    }

    fn pupil(&self, lesson: &Lesson<'_>) -> Result<Pupil<Classify>, UserError> {
        let body = match lesson.way {
            Way::Scratch => self.base.body.clone().from_scratch(lesson.seed, lesson.device),
            _ => self.base.body.clone(),
        };
        let model = ClassifierModel::with_new_head(body, lesson.labels.to_vec(), lesson.seed, lesson.device)?;
        let task = ClassifyTask::at_hand(lesson.learns());
        let objective = Classify::given(task, given(&self.data, lesson), lesson.vectors.as_deref(), &model)?;
        Ok(Pupil { objective, info: model.info().clone(), model })
    }
}

/// The examples of a lesson, with what they are told with.
pub(super) fn given(data: &Labelled, lesson: &Lesson<'_>) -> Labelled {
    let examples = lesson.drawn.iter().map(|(place, class)| (data.examples[*place].0.clone(), *class));
    Labelled {
        kind: data.kind,
        labels: data.labels.clone(),
        examples: examples.collect(),
        parts: [(0..lesson.drawn.len()).collect(), Vec::new(), Vec::new()],
    }
}
