//! How tokens are drawn, on the command line.

use crate::types::{OwnSampling, Sampling, UserError};
use clap::Args;

/// Settings of a generation.
#[derive(Debug, Args)]
pub(super) struct SamplingArgs {
    /// Stop after this many tokens [default: 64]
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// Divides the logits; 0 always takes the most likely token [default: 0]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Keep only the K most likely tokens; 0 keeps all [default: 0]
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Keep the smallest set of tokens with this much probability [default: 1]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Keep only tokens at least P times as likely as the likeliest; 0 keeps all [default: 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Divide positive logits of tokens that stood before, and multiply negative ones; 1 changes nothing [default: 1]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub repetition_penalty: Option<f32>,
    /// Take this off the logit of every token that was generated
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    pub presence_penalty: f32,
    /// Take this off the logit of a token for each time it was generated
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    pub frequency_penalty: f32,
    /// Add a number to the logit of a token, named by its text in quotes or its id, as in '" the" = -5' or '262 = -inf'; may be given
    /// several times
    #[arg(long, value_name = "TOKEN = X")]
    pub logit_bias: Vec<String>,
    /// Take what is not given here from the model's generation_config.json
    #[arg(long)]
    pub own_sampling: bool,
    /// Seed of the random numbers
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

impl SamplingArgs {
    /// The settings, without stop strings.
    ///
    /// # Errors
    /// When the model's own are asked for and it has none.
    pub(super) fn settings(&self, model: &str, own: Option<&OwnSampling>) -> Result<Sampling, UserError> {
        let usual = match (self.own_sampling, own) {
            (false, _) => Sampling::default(),
            (true, Some(own)) => own.over(&Sampling::default()),
            (true, None) => return Err(no_own(model)),
        };
        Ok(Sampling {
            temperature: self.temperature.unwrap_or(usual.temperature),
            top_k: self.top_k.unwrap_or(usual.top_k),
            top_p: self.top_p.unwrap_or(usual.top_p),
            min_p: self.min_p.unwrap_or(usual.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(usual.repetition_penalty),
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            bias: self.logit_bias.join("\n"),
            seed: self.seed,
            max_new_tokens: self.max_new_tokens.unwrap_or(usual.max_new_tokens),
            ..usual
        })
    }
}

fn no_own(model: &str) -> UserError {
    UserError::new(
        format!("{model} says nothing about how to sample from it."),
        "It has no generation_config.json, or one without do_sample, temperature, top_k, top_p, min_p and the like.",
        "Leave out --own-sampling, and give --temperature and others yourself.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Arguments, Verb};
    use clap::Parser;

    fn args(rest: &[&str]) -> SamplingArgs {
        let line = ["fovea", "generate", "--model", "m", "--prompt", "x"].iter().chain(rest);
        let Some(Verb::Generate(args)) = Arguments::parse_from(line).verb else { panic!() };
        args.sampling
    }

    #[test]
    fn what_is_given_counts_more_than_the_models_own() {
        let own = OwnSampling {
            do_sample: Some(true),
            temperature: Some(0.6),
            top_p: Some(0.9),
            max_new_tokens: Some(7),
            ..OwnSampling::default()
        };
        let asked = args(&["--own-sampling", "--top-p", "0.5", "--logit-bias", "1 = 2", "--logit-bias", "3 = -inf"]);
        let sampling = asked.settings("m", Some(&own)).unwrap();
        assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (0.6, 50, 0.5));
        assert_eq!((sampling.max_new_tokens, sampling.bias.as_str()), (7, "1 = 2\n3 = -inf"));
        assert!(asked.settings("m", None).unwrap_err().what.contains("m says nothing"));
    }

    #[test]
    fn without_flags_nothing_changes() {
        assert_eq!(args(&[]).settings("m", None).unwrap(), Sampling::default());
    }
}
