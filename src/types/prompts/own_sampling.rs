//! How a model's authors sample from it.

use crate::types::Sampling;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a model's generation_config.json says about sampling; what it does not say is as in transformers, where nothing is drawn
/// unless `do_sample` is true, and `top_k` is 50.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnSampling {
    /// False takes the likeliest token always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    /// Divides the logits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Most likely tokens that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Mass of the smallest set of tokens that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Share of the likeliest token's probability that another needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// Divides positive logits of tokens that stood before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    /// New tokens at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
}

impl OwnSampling {
    /// True when it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These settings with what the model's authors say in their place; seed, penalties they do not know, bias and stop strings
    /// stay.
    #[must_use]
    pub fn over(&self, sampling: &Sampling) -> Sampling {
        let draws = self.do_sample == Some(true);
        Sampling {
            temperature: if draws { self.temperature.unwrap_or(1.0) } else { 0.0 },
            top_k: if draws { self.top_k.unwrap_or(50) } else { 0 },
            top_p: self.top_p.filter(|_| draws).unwrap_or(1.0),
            min_p: self.min_p.filter(|_| draws).unwrap_or(0.0),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            max_new_tokens: self.max_new_tokens.unwrap_or(sampling.max_new_tokens),
            ..sampling.clone()
        }
    }
}

impl fmt::Display for OwnSampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sampling { temperature, top_k, top_p, min_p, repetition_penalty, .. } = self.over(&Sampling::default());
        write!(f, "temperature {temperature}")?;
        if top_k > 0 {
            write!(f, ", top-k {top_k}")?;
        }
        for (name, value, idle) in
            [("top-p", top_p, 1.0), ("min-p", min_p, 0.0), ("repetition penalty", repetition_penalty, 1.0)]
        {
            if value != idle {
                write!(f, ", {name} {value}")?;
            }
        }
        self.max_new_tokens.map_or(Ok(()), |most| write!(f, ", at most {most} new tokens"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_in_transformers() {
        let typed = Sampling { temperature: 0.3, top_k: 7, seed: 9, max_new_tokens: 11, ..Sampling::default() };
        let draws = OwnSampling { do_sample: Some(true), top_p: Some(0.9), ..OwnSampling::default() };
        let sampling = draws.over(&typed);
        assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (1.0, 50, 0.9));
        assert_eq!((sampling.seed, sampling.max_new_tokens), (9, 11));
        assert_eq!(draws.to_string(), "temperature 1, top-k 50, top-p 0.9");
    }

    #[test]
    fn a_model_that_does_not_sample_takes_the_likeliest() {
        for do_sample in [None, Some(false)] {
            let own = OwnSampling { do_sample, temperature: Some(0.6), top_p: Some(0.9), ..OwnSampling::default() };
            let sampling = own.over(&Sampling { temperature: 0.8, ..Sampling::default() });
            assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (0.0, 0, 1.0));
        }
        assert!(OwnSampling::default().is_empty());
    }
}
