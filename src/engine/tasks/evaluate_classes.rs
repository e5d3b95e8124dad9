//! Measures a classifier on labelled texts.

use super::TaskContext;
use super::classify_texts::{ReadText, longest, read, scores, tokens_a_step};
use crate::load::{ClassifierModel, read_labelled, read_labelled_rows};
use crate::train::objectives::most_likely;
use crate::train::written_spec;
use crate::types::{EvaluateSpec, EvaluationReport, ModelId, TrainTask, UserError};

/// Measures in steps of some texts.
pub(super) struct Classes {
    /// The class of each text.
    classes: Vec<usize>,
    labels: Vec<String>,
    /// The shortest last.
    waiting: Vec<ReadText>,
    cut: usize,
    loss: f64,
    /// `confusion[label][prediction]` counts.
    confusion: Vec<Vec<usize>>,
}

impl Classes {
    /// Reads what a model is measured on.
    ///
    /// # Errors
    /// When it cannot be read, has a label that the model does not know, or a part is asked for that no run has split.
    pub(super) fn begin(model: &ClassifierModel, spec: &EvaluateSpec) -> Result<Self, UserError> {
        let columns = [spec.columns[0].as_deref(), spec.columns[1].as_deref()];
        let rows: Vec<[String; 2]> = match spec.part {
            None => read_labelled_rows(&spec.data, columns)?.rows,
            Some(part) => {
                let info = model.info();
                let written = written_spec(&info.path);
                let Some((task, run)) = written.as_ref().and_then(|run| match &run.task {
                    TrainTask::Classify(task) => Some((task, run)),
                    _ => None,
                }) else {
                    return Err(UserError::new(
                        format!("{} does not say how its data was split.", info.name),
                        format!("{} has no training.json of a run that learned classes.", info.path.display()),
                        "Leave out --split, and give a file that nothing was learned from.",
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
                let example = |place: &usize| {
                    let (text, class) = &data.examples[*place];
                    [text.clone(), data.labels[*class].clone()]
                };
                data.part(part).iter().map(example).collect()
            }
        };
        if rows.is_empty() {
            return Err(UserError::new(
                "There is nothing to measure on.",
                "That part of the data is empty: the run held nothing out for it.",
                "Give another part with --split, or another file.",
            ));
        }
        let labels = model.tells.labels.clone();
        let class = |[_, label]: &[String; 2]| {
            labels.iter().position(|known| known == label).ok_or_else(|| unknown(model, label))
        };
        let classes = rows.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        let waiting = read(model, rows.iter().map(|[text, _]| text.as_str()).enumerate())?;
        let cut = waiting.iter().filter(|text| text.left_out > 0).count();
        let confusion = vec![vec![0; labels.len()]; labels.len()];
        Ok(Self { classes, labels, waiting, cut, loss: 0.0, confusion })
    }

    /// Measures some texts; the measurement once all are.
    ///
    /// # Errors
    /// When the model is not open, or its answers cannot be read.
    pub(super) fn step(&mut self, cx: &TaskContext<'_>, id: ModelId) -> Result<Option<EvaluationReport>, UserError> {
        let model = cx.models.classifier(id)?;
        let batch = longest(&mut self.waiting, tokens_a_step(model));
        let ids: Vec<&[u32]> = batch.iter().map(|text| &text.ids[..]).collect();
        for (text, scores) in batch.iter().zip(scores(model, &ids)?) {
            let class = self.classes[text.place];
            self.confusion[class][most_likely(&scores)] += 1;
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
            self.loss += sum.ln() - f64::from(scores[class] - largest);
        }
        Ok(self.waiting.is_empty().then(|| self.report()))
    }

    /// Texts measured, and all.
    pub(super) fn progress(&self) -> (u64, u64) {
        ((self.classes.len() - self.waiting.len()) as u64, self.classes.len() as u64)
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

/// 2 · right / (labelled so + taken for it) of each class; 0 for a class that neither comes nor is said.
fn f1_of(confusion: &[Vec<usize>]) -> Vec<f64> {
    let of = |class: usize| {
        let labelled: usize = confusion[class].iter().sum();
        let said: usize = confusion.iter().map(|row| row[class]).sum();
        if labelled + said == 0 { 0.0 } else { 2.0 * confusion[class][class] as f64 / (labelled + said) as f64 }
    };
    (0..confusion.len()).map(of).collect()
}

fn unknown(model: &ClassifierModel, label: &str) -> UserError {
    let known: Vec<String> = model.tells.labels.iter().take(6).map(|label| format!("{label:?}")).collect();
    UserError::new(
        format!("The data has the label {label:?}, which {} does not know.", model.info().name),
        format!("It tells {} classes apart, such as {}.", model.tells.labels.len(), known.join(", ")),
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
