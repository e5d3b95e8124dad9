//! The parts of a pass that stand beside each other, and what is in them.

use super::Pick;
use crate::types::{StepKind, StepsReport};

/// One part of the pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Embedding,
    Stream,
    QueryKey,
    #[default]
    Scores,
    Values,
    Output,
    Mid,
    Mlp,
    Post,
    Final,
    Next,
}

impl Group {
    /// From left to right.
    pub(super) const ALL: [Self; 11] = [
        Self::Embedding,
        Self::Stream,
        Self::QueryKey,
        Self::Scores,
        Self::Values,
        Self::Output,
        Self::Mid,
        Self::Mlp,
        Self::Post,
        Self::Final,
        Self::Next,
    ];

    /// A name that fits over a narrow column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedding => "Token",
            Self::Stream => "Norm",
            Self::QueryKey => "q, k",
            Self::Scores => "Weights",
            Self::Values => "Values",
            Self::Output => "Output",
            Self::Mid => "Stream",
            Self::Mlp => "MLP",
            Self::Post => "Out",
            Self::Final => "Final",
            Self::Next => "Next",
        }
    }

    /// Its steps, in order.
    pub(super) fn kinds(self) -> &'static [StepKind] {
        use StepKind as K;
        match self {
            Self::Embedding => &[K::Pixels, K::Embed, K::TokenType, K::Position, K::EmbedSum, K::Entered],
            Self::Stream => &[K::Stream, K::NormAttn],
            Self::QueryKey => &[
                K::QueryProjected,
                K::QueryNormed,
                K::Query,
                K::KeyStream,
                K::KeyNormAttn,
                K::KeyProjected,
                K::KeyNormed,
                K::Key,
            ],
            Self::Scores => &[K::Pattern, K::Product, K::Scaled, K::Capped, K::Scores],
            Self::Values => &[K::Value, K::Weighted],
            Self::Output => &[K::HeadOutput, K::AttnProj, K::AttnOut],
            Self::Mid => &[K::AttnSum, K::Mid],
            Self::Mlp => &[K::NormMlp, K::MlpPre, K::MlpUp, K::MlpPost, K::MlpProj, K::MlpOut],
            Self::Post => &[K::MlpSum, K::Post, K::Last],
            Self::Final => &[K::LnFinal, K::HeadDense, K::HeadActivated, K::HeadNorm, K::ClassInput],
            Self::Next => &[K::Logits],
        }
    }

    /// The part that a step is in.
    pub(super) fn of(kind: StepKind) -> Self {
        Self::ALL.into_iter().find(|group| group.kinds().contains(&kind)).expect("every step is in a part")
    }

    /// The step that stands for it in the picture of the whole pass.
    pub(super) fn leading(self, report: &StepsReport) -> Option<StepKind> {
        use StepKind as K;
        let first = |kinds: &[K]| kinds.iter().copied().find(|kind| report.step(*kind).is_some());
        match self {
            Self::Embedding => first(&[K::Entered]),
            Self::Stream => first(&[K::NormAttn, K::Stream, K::Entered]),
            Self::QueryKey => first(&[K::Query]),
            Self::Scores => first(&[K::Pattern]),
            Self::Values => first(&[K::Weighted]),
            Self::Output => first(&[K::AttnOut]),
            Self::Mid => first(&[K::Mid]),
            Self::Mlp => first(&[K::MlpPost]),
            Self::Post => first(&[K::Post]),
            Self::Final => first(&[K::HeadNorm, K::LnFinal]),
            Self::Next => first(&[K::Logits]),
        }
    }

    /// The number whose terms are shown until one is pointed at: the largest of the leading step, and of the scores that of the
    /// chosen key.
    pub(super) fn first_number(self, report: &StepsReport) -> Option<Pick> {
        let kind = self.leading(report).filter(|kind| self.kinds().contains(kind)).or_else(|| {
            let there = |kind: &&StepKind| report.step(**kind).is_some();
            self.kinds().iter().rfind(there).copied()
        })?;
        let values = report.values_of(kind);
        let largest = || {
            let by_size = |a: &(usize, &f32), b: &(usize, &f32)| a.1.abs().total_cmp(&b.1.abs());
            values.iter().enumerate().max_by(by_size).map(|(index, _)| index)
        };
        let index = match self {
            Self::Scores => Some(report.key),
            Self::Next => report.top.first().map(|top| top.id as usize),
            _ => largest(),
        };
        index.map(|index| Pick { kind, index })
    }

    /// What happens in it, in one sentence.
    pub(super) fn words(self, report: &StepsReport) -> String {
        let text = |token: usize| report.tokens.get(token).map_or("", |token| token.text.as_str());
        let (query, key) = (text(report.query), text(report.key));
        let (layer, head) = (report.layer, report.head);
        match self {
            Self::Embedding => format!("‘{query}’ becomes a vector; with its position it enters the first block."),
            Self::Stream => format!("What the blocks before made of ‘{query}’, and how block {layer} reads it."),
            Self::QueryKey => match report.group {
                1 => format!("Head {head} asks with q from ‘{query}’; ‘{key}’ answers with k."),
                group => format!(
                    "Head {head} asks with q from ‘{query}’; ‘{key}’ answers with k of key-value head {}, which {group} heads share.",
                    report.kv_head
                ),
            },
            Self::Scores => {
                "q·k for every key, scaled, masked, and softmax over them. Click a key to choose it.".to_owned()
            }
            Self::Values => format!("z = Σ weight · value over all keys; ‘{key}’ has the value v."),
            Self::Output => {
                format!("z of head {head} times its output weights; all heads together are added to the stream.")
            }
            Self::Mid => "The residual stream with what attention added.".to_owned(),
            Self::Mlp => {
                "Each neuron is a sum over the stream, activated; together they give what the MLP adds.".to_owned()
            }
            Self::Post => {
                format!("The residual stream behind block {layer}, and behind the last of {} blocks.", report.layers)
            }
            Self::Final | Self::Next if report.step(StepKind::Logits).is_none() => {
                "This model ends with the stream of its last block.".to_owned()
            }
            Self::Final => "The stream as the scores read it.".to_owned(),
            Self::Next => format!(
                "A score for each of {} answers, and softmax over them.",
                report.values_of(StepKind::Logits).len()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_in_one_part() {
        let kinds: Vec<StepKind> = Group::ALL.into_iter().flat_map(|group| group.kinds().iter().copied()).collect();
        let distinct: std::collections::BTreeSet<StepKind> = kinds.iter().copied().collect();
        // The last variant has the highest number.
        assert_eq!((kinds.len(), distinct.len()), (StepKind::Logits as usize + 1, kinds.len()));
        assert!(kinds.iter().all(|kind| Group::of(*kind).kinds().contains(kind)));
    }
}
