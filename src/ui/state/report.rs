//! What jobs end with, by its type.

use crate::engine::Outcome;
use crate::types::{
    AdaptReport, AttributionReport, BaselinesReport, BatchReport, BiasReport, BrokenReport, Classification,
    ClassifyReport, ContextsReport, EditFaults, EditedNext, EmbeddingReport, EvaluationReport, FillReport,
    ForgetReport, HeadWrites, InspectReport, JacobianLens, KShotReport, LabelledReport, LayerActivation, LensReport,
    LossesReport, MemoryReport, NeighboursReport, PaceReport, PatchReport, PictureReport, SamplesReport, ScoreReport,
    StatesReport, StepsReport, SurpriseReport, SweepReport, TableReport, TermsReport, TokenizeReport, WordOrderReport,
};
use std::sync::Arc;

/// A result that can be asked for by its type: [`super::State::report`].
pub trait Reported: Sized {
    /// It, if the job ended with one.
    fn of(outcome: &Outcome) -> Option<&Arc<Self>>;
}

macro_rules! reported {
    ($($report:ty => $variant:ident),* $(,)?) => {
        $(impl Reported for $report {
            fn of(outcome: &Outcome) -> Option<&Arc<Self>> {
                match outcome {
                    Outcome::$variant(report) => Some(report),
                    _ => None,
                }
            }
        })*
    };
}

reported! {
    SamplesReport => Sampled,
    SurpriseReport => Surprised,
    EditedNext => NextCompared,
    EditFaults => EditsChecked,
    BiasReport => BiasRead,
    InspectReport => Inspected,
    BrokenReport => BrokenFound,
    HeadWrites => WritesMeasured,
    LensReport => LensRead,
    JacobianLens => LensFitted,
    AttributionReport => Attributed,
    SweepReport => Swept,
    PatchReport => Patched,
    ContextsReport => ContextsCompared,
    NeighboursReport => NeighboursFound,
    WordOrderReport => OrderChanged,
    StepsReport => Stepped,
    TermsReport => TermsFound,
    TokenizeReport => Tokenized,
    Classification => Classified,
    EmbeddingReport => Embedded,
    FillReport => Filled,
    ClassifyReport => TextsClassified,
    PictureReport => PictureClassified,
    ScoreReport => Scored,
    BatchReport => Batched,
    KShotReport => KShot,
    AdaptReport => WaysCompared,
    TableReport => TableRead,
    LabelledReport => LabelledRead,
    BaselinesReport => Counted,
    EvaluationReport => Evaluated,
    LossesReport => LossesCompared,
    ForgetReport => Forgotten,
    StatesReport => StatesWatched,
    MemoryReport => Remembered,
    PaceReport => Paced,
}

/// About how much memory a result takes; what is always small counts as nothing.
pub(super) fn bytes(outcome: &Outcome) -> usize {
    let floats = |count: usize| count * size_of::<f32>();
    match outcome {
        Outcome::Inspected(report) => report.captures.iter().map(|capture| floats(capture.values.len())).sum(),
        Outcome::WritesMeasured(writes) => writes.layers.iter().map(|products| floats(products.len())).sum(),
        Outcome::LensFitted(lens) => lens.matrices.iter().map(|matrix| floats(matrix.len())).sum(),
        Outcome::Stepped(report) => {
            let steps: usize = report.steps.iter().map(|step| step.values.len()).sum();
            let added: usize = report.added.iter().map(|added| added.attn.len() + added.mlp.len()).sum();
            floats(steps + added + report.keys.len() + report.values.len())
        }
        Outcome::Embedded(report) => report.embeddings.iter().map(|embedding| floats(embedding.vector.len())).sum(),
        Outcome::Classified(result) => {
            let values = |layer: &LayerActivation| match layer {
                LayerActivation::Units { values, .. } | LayerActivation::Maps { values, .. } => floats(values.len()),
            };
            result.layers.iter().map(values).sum()
        }
        Outcome::TextsClassified(report) => {
            report.texts.iter().map(|text| text.text.len() + floats(text.scores.len())).sum()
        }
        Outcome::PictureClassified(report) => report.seen.rgb.len(),
        // A token with its texts and numbers; an answer with the query it belongs to.
        Outcome::Tokenized(report) => report.tokens.len() * 64,
        Outcome::Sampled(report) => report.samples.iter().map(|sample| sample.tokens.len() * 1024).sum(),
        Outcome::Surprised(report) => report.tokens.len() * 128,
        Outcome::NextCompared(report) => report.likeliest.len() * 64,
        Outcome::Scored(report) => report.candidates.iter().map(|candidate| candidate.tokens.len() * 64).sum(),
        Outcome::Batched(report) => report.answers.len() * 256,
        Outcome::WaysCompared(report) => report.points.iter().map(|point| point.said.len() * 4).sum(),
        Outcome::KShot(report) => report.answers.iter().map(|answers| answers.len() * 256).sum(),
        Outcome::LossesCompared(report) => report.bytes(),
        Outcome::Forgotten(report) => report.tokens.len() * 64,
        Outcome::StatesWatched(report) => {
            let parts = report.layers.iter().flat_map(|layer| &layer.parts);
            parts.map(|(_, values)| floats(values.len())).sum()
        }
        Outcome::TableRead(report) => report.table.rows.len() * 64,
        _ => 0,
    }
}
