//! Measures a classifier on labelled texts, or a vision transformer on pictures in folders by class.

use super::TaskContext;
use super::classify_texts::{ReadText, longest, read, scores, tokens_a_step};
use super::subject::{no_answers, rows as rows_of};
use crate::load::{ClassifierModel, NamedPictures, VisionModel, read_labelled, read_labelled_rows};
use crate::nn::Hooks;
use crate::train::objectives::most_likely;
use crate::train::written_spec;
use crate::types::{EvaluateSpec, EvaluationReport, ModelId, ModelInfo, Problem, TrainTask, UserError};
use rayon::prelude::*;

/// Pictures measured in one step.
const PICTURES: usize = 16;

/// Measures in steps of some examples.
pub(super) struct Classes {
    /// The class of each example.
    classes: Vec<usize>,
    labels: Vec<String>,
    waiting: Waiting,
    cut: usize,
    loss: f64,
    /// `confusion[label][prediction]` counts.
    confusion: Vec<Vec<usize>>,
}

/// What is still to be measured.
enum Waiting {
    /// The shortest last.
    Texts(Vec<ReadText>),
    /// Names, the last first, and what reads them.
    Pictures(Vec<(usize, String)>, NamedPictures),
}

impl Classes {
    /// Reads the texts that a classifier of texts is measured on.
    ///
    /// # Errors
    /// When they cannot be read, have a label that the model does not know, or a part is asked for that no run has split.
    pub(super) fn of_texts(model: &ClassifierModel, spec: &EvaluateSpec) -> Result<Self, UserError> {
        if model.tells.problem != Problem::OneClass {
            return Err(UserError::new(
                format!("{} is not measured by which class is likeliest.", model.info().name),
                format!(
                    "Its head gives {}.",
                    match model.tells.problem {
                        Problem::Numbers => "numbers, not classes (regression)",
                        _ => "any number of classes at once (multi-label)",
                    }
                ),
                "Measure a classifier of which one class is right.",
            ));
        }
        let rows = rows(model.info(), spec)?;
        let waiting = read(model, rows.iter().map(|[text, _]| text.as_str()).enumerate())?;
        let cut = waiting.iter().filter(|text| text.left_out > 0).count();
        Ok(Self { cut, ..Self::new(model.info(), &model.tells.labels, &rows, Waiting::Texts(waiting))? })
    }

    /// Lists the pictures that a vision transformer is measured on.
    ///
    /// # Errors
    /// As [`Self::of_texts`].
    pub(super) fn of_pictures(model: &VisionModel, spec: &EvaluateSpec) -> Result<Self, UserError> {
        let rows = rows(&model.info, spec)?;
        let pictures = NamedPictures::of(rows.iter().map(|[name, _]| name.as_str()))?;
        let waiting = rows.iter().map(|[name, _]| name.clone()).enumerate().rev().collect();
        Self::new(&model.info, &model.labels, &rows, Waiting::Pictures(waiting, pictures))
    }

    fn new(info: &ModelInfo, labels: &[String], rows: &[[String; 2]], waiting: Waiting) -> Result<Self, UserError> {
        let class = |[_, label]: &[String; 2]| {
            labels.iter().position(|known| known == label).ok_or_else(|| unknown(info, labels, label))
        };
        let classes = rows.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        let confusion = vec![vec![0; labels.len()]; labels.len()];
        Ok(Self { classes, labels: labels.to_vec(), waiting, cut: 0, loss: 0.0, confusion })
    }

    /// Measures some examples; the measurement once all are.
    ///
    /// # Errors
    /// When the model is not open, a picture cannot be read, or answers cannot.
    pub(super) fn step(&mut self, cx: &TaskContext<'_>, id: ModelId) -> Result<Option<EvaluationReport>, UserError> {
        let (places, scores, is_over) = match &mut self.waiting {
            Waiting::Texts(waiting) => {
                let model = cx.models.classifier(id)?;
                let batch = longest(waiting, tokens_a_step(model));
                let ids: Vec<&[u32]> = batch.iter().map(|text| &text.ids[..]).collect();
                let places: Vec<usize> = batch.iter().map(|text| text.place).collect();
                (places, scores(model, &ids)?, waiting.is_empty())
            }
            Waiting::Pictures(waiting, pictures) => {
                let model = cx.models.vision(id)?;
                let batch = waiting.split_off(waiting.len().saturating_sub(PICTURES));
                let pixels: Vec<Vec<f32>> = batch
                    .par_iter()
                    .map(|(_, name)| Ok(model.preprocessor.pixels(&model.preprocessor.seen(&pictures.picture(name)?))))
                    .collect::<Result<_, UserError>>()?;
                let pixels = model.preprocessor.batch(&pixels, &model.vit.device());
                let logits = model.vit.forward(pixels, &mut Hooks::off());
                let logits = logits.ok_or_else(|| no_answers(&model.info))?;
                let places = batch.into_iter().map(|(place, _)| place).collect();
                (places, rows_of(&logits, &model.info)?, waiting.is_empty())
            }
        };
        for (place, scores) in places.into_iter().zip(scores) {
            let class = self.classes[place];
            self.confusion[class][most_likely(&scores)] += 1;
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
            self.loss += sum.ln() - f64::from(scores[class] - largest);
        }
        Ok(is_over.then(|| self.report()))
    }

    /// Examples measured, and all.
    pub(super) fn progress(&self) -> (u64, u64) {
        let waiting = match &self.waiting {
            Waiting::Texts(waiting) => waiting.len(),
            Waiting::Pictures(waiting, _) => waiting.len(),
        };
        ((self.classes.len() - waiting) as u64, self.classes.len() as u64)
    }

    fn report(&mut self) -> EvaluationReport {
        let confusion = std::mem::take(&mut self.confusion);
        let examples = self.classes.len();
        let right: usize = (0..confusion.len()).map(|class| confusion[class][class]).sum();
        let f1 = f1_of(&confusion);
        let macro_f1 = f1.iter().sum::<f64>() / f1.len() as f64;
        EvaluationReport::Classes {
            examples,
            accuracy: right as f64 / examples as f64,
            macro_f1,
            loss: self.loss / examples as f64,
            labels: std::mem::take(&mut self.labels),
            f1,
            confusion,
            cut: self.cut,
        }
    }
}

/// The examples that are asked for, with their labels.
fn rows(info: &ModelInfo, spec: &EvaluateSpec) -> Result<Vec<[String; 2]>, UserError> {
    let columns = [spec.columns[0].as_deref(), spec.columns[1].as_deref()];
    let Some(part) = spec.part else { return Ok(read_labelled_rows(&spec.data, columns)?.rows) };
    // The run that learned an adapter stands beside that.
    let of_adapter = info.adapter.as_ref().filter(|adapter| adapter.setting.on).map(|adapter| &adapter.path);
    let written = of_adapter.and_then(|path| written_spec(path)).or_else(|| written_spec(&info.path));
    let run = written.as_ref().and_then(|run| match &run.task {
        TrainTask::Classify(task) => Some((task, run)),
        _ => None,
    });
    let Some((task, run)) = run else {
        return Err(UserError::new(
            format!("{} does not say how its data was split.", info.name),
            format!("{} has no training.json of a run that learned classes.", info.path.display()),
            "Leave out --split, and give data that nothing was learned from.",
        ));
    };
    let mut source = task.source(run.validation_share, run.seed);
    source.data.clone_from(&spec.data);
    for (column, asked) in [&mut source.text, &mut source.label].into_iter().zip(&spec.columns) {
        if asked.is_some() {
            column.clone_from(asked);
        }
    }
    let (_, data) = read_labelled(&source)?;
    if data.part(part).is_empty() {
        return Err(UserError::new(
            format!("There is nothing in the {} part to measure on.", part.name()),
            "The run held nothing out for it.",
            "Give another part with --split, or other data.",
        ));
    }
    let example = |place: &usize| {
        let (example, class) = &data.examples[*place];
        [example.clone(), data.labels[*class].clone()]
    };
    Ok(data.part(part).iter().map(example).collect())
}

/// 2 · right / (labelled so + taken for it) of each class; 0 for a class that neither comes nor is said.
pub(super) fn f1_of(confusion: &[Vec<usize>]) -> Vec<f64> {
    let of = |class: usize| {
        let labelled: usize = confusion[class].iter().sum();
        let said: usize = confusion.iter().map(|row| row[class]).sum();
        if labelled + said == 0 { 0.0 } else { 2.0 * confusion[class][class] as f64 / (labelled + said) as f64 }
    };
    (0..confusion.len()).map(of).collect()
}

pub(super) fn unknown(info: &ModelInfo, labels: &[String], label: &str) -> UserError {
    let known: Vec<String> = labels.iter().take(6).map(|label| format!("{label:?}")).collect();
    UserError::new(
        format!("The data has the label {label:?}, which {} does not know.", info.name),
        format!("It tells {} classes apart, such as {}.", labels.len(), known.join(", ")),
        "Choose the column of the labels with --label-column, or spell them as the model does.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_is_the_harmonic_mean_of_precision_and_recall() {
        // Of class 0, 3 of 4 found, and 3 of 5 said are right; class 2 never comes.
        let f1 = f1_of(&[vec![3, 1, 0], vec![2, 4, 0], vec![0, 0, 0]]);
        let harmonic = |precision: f64, recall: f64| 2.0 * precision * recall / (precision + recall);
        assert!((f1[0] - harmonic(0.6, 0.75)).abs() < 1e-12);
        assert!((f1[1] - harmonic(0.8, 4.0 / 6.0)).abs() < 1e-12);
        assert_eq!(f1[2], 0.0);
    }
}
