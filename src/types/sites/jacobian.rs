//! A lens that is fitted: what a state in the middle of a model becomes at its end, on average.

use crate::types::ModelInfo;
use std::path::PathBuf;

/// What a lens is fitted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LensPassages {
    /// Passages that the model writes itself, from its first token on.
    Written,
    /// Passages of a text file, spread over it.
    File(PathBuf),
}

/// How a lens is fitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FitSpec {
    /// On what.
    pub passages: LensPassages,
    /// How many passages.
    pub count: usize,
    /// Tokens of each.
    pub tokens: usize,
    /// Of what is drawn while passages are written.
    pub seed: u64,
    /// A file that it is kept in.
    pub out: Option<PathBuf>,
}

impl FitSpec {
    /// Positions of a passage that are left out at its beginning, where states are unlike any later ones.
    pub const SKIPPED: usize = 16;
    /// The least tokens of a passage: those left out, one that is read, and the last, which has nothing behind it.
    pub const LEAST_TOKENS: usize = Self::SKIPPED + 3;
    /// Passages that a lens needs at least: its two halves are compared.
    pub const LEAST_PASSAGES: usize = 2;
}

impl FitSpec {
    /// Multiplications of a fit that takes some minutes on two cores.
    const CUSTOMARY_COST: u64 = 20_000_000_000_000;

    /// Passages that are customary for a model: a hundred, fewer where each of them takes long.
    #[must_use]
    pub fn customary(info: &ModelInfo, tokens: usize) -> usize {
        let width = info.shape.blocks().map_or(0, |blocks| blocks.hidden) as u64;
        let vocabulary = info.shape.vocabulary().unwrap_or(0) as u64;
        let of_blocks = info.parameters.saturating_sub(vocabulary * width);
        // Forwards and backwards, once for each number of the end.
        let of_passage = 2 * of_blocks * width * tokens as u64;
        let affordable = usize::try_from(Self::CUSTOMARY_COST / of_passage.max(1)).unwrap_or(usize::MAX);
        affordable.clamp(Self::LEAST_PASSAGES, 100)
    }
}

impl Default for FitSpec {
    fn default() -> Self {
        Self { passages: LensPassages::Written, count: 100, tokens: 128, seed: 1, out: None }
    }
}

/// The Jacobian lens of a model: of each block but the last, the matrix J by which its output h⁺ goes on to the end of the stream, to
/// first order and on average. `softmax(W_U norm_f(J h⁺))` is then what the state would say (2026; the logit lens has J = I).
///
/// J = mean over passages and positions p of Σ_{p' ≥ p} ∂h_L[p'] / ∂h⁺[p], over the positions from [`FitSpec::SKIPPED`] to the last but
/// one. The last block's is the identity by definition.
#[derive(Clone, Debug, PartialEq)]
pub struct JacobianLens {
    /// The name of the model.
    pub model: String,
    /// The SHA-256 of its weights, in hexadecimal digits.
    pub sha256: String,
    /// Width D.
    pub width: usize,
    /// `[D, D]` row-major for each block but the last: rows are of the end, columns of the state.
    pub matrices: Vec<Vec<f32>>,
    /// Passages it was fitted on.
    pub passages: usize,
    /// Tokens of each.
    pub tokens: usize,
    /// The seed they were written with, or the file they came from.
    pub source: String,
    /// By block, how far the lenses of two halves of the passages are apart, as a share of the whole one's length (Frobenius).
    pub halves: Vec<f32>,
}

impl JacobianLens {
    /// What it is of, in a line.
    #[must_use]
    pub fn words(&self) -> String {
        let most = self.halves.iter().copied().fold(0.0, f32::max);
        format!(
            "Jacobian lens of {}, fitted on {} passages of {} tokens ({}); its two halves differ by up to {:.0} %",
            self.model,
            self.passages,
            self.tokens,
            self.source,
            100.0 * most
        )
    }

    /// How much it was fitted on, and how certain it is.
    #[must_use]
    pub fn brief(&self) -> String {
        let most = self.halves.iter().copied().fold(0.0, f32::max);
        format!("{} passages; halves differ by up to {:.0} %", self.passages, 100.0 * most)
    }

    /// Pairs for a file's metadata.
    #[must_use]
    pub fn about(&self) -> Vec<(String, String)> {
        let layers: Vec<String> = (0..self.matrices.len()).map(|layer| layer.to_string()).collect();
        let halves: Vec<String> = self.halves.iter().map(f32::to_string).collect();
        [
            ("kind", "jacobian_lens".to_owned()),
            ("model", self.model.clone()),
            ("sha256", self.sha256.clone()),
            ("n_prompts", self.passages.to_string()),
            ("tokens", self.tokens.to_string()),
            ("d_model", self.width.to_string()),
            ("source_layers", layers.join(",")),
            ("target", "resid_post of the last block".to_owned()),
            ("passages", self.source.clone()),
            ("halves_differ", halves.join(",")),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .to_vec()
    }
}
