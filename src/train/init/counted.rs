//! Token embeddings by counting: which tokens stand near each other more often than by chance, in few dimensions.
//!
//! The dot product of two vectors is about the logarithm of that proportion, where it is positive (PPMI; Levy and Goldberg 2014, and
//! Levy, Goldberg and Dagan 2015 for the matrix taken symmetrically, by the roots of its eigenvalues). The largest eigenvectors are found in
//! a random subspace (Halko, Martinsson and Tropp 2011).

use crate::nn::Random;
use crate::train::data::token_ids::TokenParts;
use crate::train::stream::Stream;
use burn::tensor::{Device, Tensor, TensorData};

/// Tokens on each side that are near; one d away counts 1 / d.
const NEAR: usize = 4;
/// Added to how often each token comes, so that what was hardly seen is no wonder.
const DOUBT: f64 = 50.0;
/// Dimensions of the subspace beside those wanted.
const BESIDE: usize = 16;
/// How often the subspace is turned towards the largest eigenvectors.
const TURNS: usize = 3;
/// Passes over all pairs of the small matrix; it converges quadratically.
const SWEEPS: usize = 12;
/// Tokens that are read at a time.
const STRETCH: usize = 1 << 18;
/// The largest vocabulary whose pairs are counted: a gigabyte.
pub(super) const LARGEST: usize = 16_384;

/// What counting tells.
pub(super) struct Counted {
    /// `[V, D]`, with a standard deviation of 1 over all.
    pub vectors: Vec<f32>,
    /// The logarithm of how often each token comes, one added to all, `[V]`.
    pub log_shares: Vec<f32>,
}

impl Counted {
    /// Counts a text; which directions the dimensions are is drawn from the seed.
    ///
    /// # Panics
    /// When the vocabulary is beyond [`LARGEST`], or a token is beyond the vocabulary.
    pub(super) fn of(text: &TokenParts, [vocabulary, width]: [usize; 2], seed: u64, device: &Device) -> Self {
        assert!(vocabulary <= LARGEST, "a matrix of pairs");
        let (mut pairs, mut counts) = (vec![0.0_f32; vocabulary * vocabulary], vec![0.0_f64; vocabulary]);
        for first in (0..text.len()).step_by(STRETCH) {
            let some = text.copy(first..(first + STRETCH).min(text.len()));
            for (place, id) in some.iter().enumerate() {
                counts[*id as usize] += 1.0;
                for (away, other) in some[place + 1..].iter().take(NEAR).enumerate() {
                    let weight = (away as f32 + 1.0).recip();
                    pairs[*id as usize * vocabulary + *other as usize] += weight;
                    pairs[*other as usize * vocabulary + *id as usize] += weight;
                }
            }
        }
        let total: f64 = counts.iter().sum();
        // Each token has so many near it, by weight.
        let near: f64 = 2.0 * (1..=NEAR).map(|away| 1.0 / away as f64).sum::<f64>();
        for (row, of_row) in pairs.chunks_exact_mut(vocabulary).zip(&counts) {
            for (pair, of_column) in row.iter_mut().zip(&counts) {
                let by_chance = near * (of_row + DOUBT) * (of_column + DOUBT) / total;
                *pair = if *pair > 0.0 { (f64::from(*pair) / by_chance).ln().max(0.0) as f32 } else { 0.0 };
            }
        }
        let tensor = |values, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, shape), device);
        let matrix = tensor(pairs, [vocabulary, vocabulary]);
        let vectors = roots(&matrix, width.min(vocabulary), seed, device);
        let mut all = vec![0.0_f32; vocabulary * width];
        let found = width.min(vocabulary);
        for (row, of) in all.chunks_exact_mut(width).zip(vectors.chunks_exact(found)) {
            row[..found].copy_from_slice(of);
        }
        let square = all.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / all.len() as f64;
        let scale = if square > 0.0 { square.sqrt().recip() as f32 } else { 0.0 };
        all.iter_mut().for_each(|x| *x *= scale);
        let log_shares = counts.iter().map(|count| ((count + 1.0) / (total + vocabulary as f64)).ln() as f32).collect();
        Self { vectors: all, log_shares }
    }
}

/// Rows E of width D with E Eᵀ nearest to a symmetric matrix, turned at random so that all dimensions tell alike much.
fn roots(matrix: &Tensor<2>, width: usize, seed: u64, device: &Device) -> Vec<f32> {
    let [size, _] = matrix.dims();
    let wide = (width + BESIDE).min(size);
    let mut random = Random::new(seed, Stream::LookAround.at(1));
    let mut normal = |rows: usize, columns: usize| (0..rows * columns).map(|_| random.normal()).collect::<Vec<f32>>();
    let tensor = |values, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, shape), device);
    let values = |x: Tensor<2>| x.into_data().iter::<f32>().collect::<Vec<f32>>();
    let mut basis = normal(size, wide);
    orthonormal(&mut basis, wide);
    for _ in 0..TURNS {
        basis = values(matrix.clone().matmul(tensor(basis, [size, wide])));
        orthonormal(&mut basis, wide);
    }
    let basis = tensor(basis, [size, wide]);
    let small = values(basis.clone().transpose().matmul(matrix.clone()).matmul(basis.clone())); // [wide, wide]
    let mut small: Vec<f64> = small.into_iter().map(f64::from).collect();
    let directions = eigenvectors(&mut small, wide);
    let mut order: Vec<usize> = (0..wide).collect();
    order.sort_by(|a, b| small[b * wide + b].total_cmp(&small[a * wide + a]));
    let mut turn = normal(width, width);
    orthonormal(&mut turn, width);
    // Columns: the largest eigenvectors, each times the root of its eigenvalue.
    let mut scaled = vec![0.0_f32; wide * width];
    for (column, of) in order.into_iter().take(width).enumerate() {
        let root = small[of * wide + of].max(0.0).sqrt();
        (0..wide).for_each(|row| scaled[row * width + column] = (directions[row * wide + of] * root) as f32);
    }
    values(basis.matmul(tensor(scaled, [wide, width])).matmul(tensor(turn, [width, width]))) // [size, width]
}

/// Makes the columns of a matrix, so many to a row, orthonormal (Gram and Schmidt, twice over for the sake of rounding).
fn orthonormal(matrix: &mut [f32], columns: usize) {
    let rows = matrix.len() / columns;
    let mut by_column: Vec<Vec<f64>> =
        (0..columns).map(|c| (0..rows).map(|r| f64::from(matrix[r * columns + c])).collect()).collect();
    for place in 0..columns {
        let (before, rest) = by_column.split_at_mut(place);
        let Some(column) = rest.first_mut() else { break };
        for other in before.iter().chain(before.iter()) {
            let along: f64 = column.iter().zip(other).map(|(a, b)| a * b).sum();
            column.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = column.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-30);
        column.iter_mut().for_each(|x| *x /= length);
    }
    for (c, column) in by_column.iter().enumerate() {
        column.iter().enumerate().for_each(|(r, value)| matrix[r * columns + c] = *value as f32);
    }
}

/// The eigenvectors of a symmetric matrix as columns; the matrix becomes diagonal (Jacobi 1846).
fn eigenvectors(matrix: &mut [f64], size: usize) -> Vec<f64> {
    let mut vectors = vec![0.0; size * size];
    (0..size).for_each(|i| vectors[i * size + i] = 1.0);
    for _ in 0..SWEEPS {
        for p in 0..size {
            for q in p + 1..size {
                let off = matrix[p * size + q];
                if off.abs() < 1e-12 {
                    continue;
                }
                let theta = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let cos = (t * t + 1.0).sqrt().recip();
                let sin = t * cos;
                for k in 0..size {
                    let (a, b) = (matrix[k * size + p], matrix[k * size + q]);
                    (matrix[k * size + p], matrix[k * size + q]) = (cos * a - sin * b, sin * a + cos * b);
                }
                for k in 0..size {
                    let (a, b) = (matrix[p * size + k], matrix[q * size + k]);
                    (matrix[p * size + k], matrix[q * size + k]) = (cos * a - sin * b, sin * a + cos * b);
                    let (a, b) = (vectors[k * size + p], vectors[k * size + q]);
                    (vectors[k * size + p], vectors[k * size + q]) = (cos * a - sin * b, sin * a + cos * b);
                }
            }
        }
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_by_hand_and_by_their_product() {
        let mut matrix = [2.0, 1.0, 1.0, 2.0];
        let vectors = eigenvectors(&mut matrix, 2);
        let mut values = [matrix[0], matrix[3]];
        values.sort_by(f64::total_cmp);
        assert!((values[0] - 1.0).abs() < 1e-12 && (values[1] - 3.0).abs() < 1e-12, "{values:?}");
        assert!((vectors[0].abs() - 0.5_f64.sqrt()).abs() < 1e-12, "{vectors:?}");
    }

    #[test]
    fn a_matrix_of_few_dimensions_comes_back() {
        let (size, width) = (60, 5);
        let mut random = Random::new(2, 0);
        let rows: Vec<f32> = (0..size * width).map(|_| random.normal()).collect();
        let rows = Tensor::<2>::from_data(TensorData::new(rows, [size, width]), &Device::flex());
        let matrix = rows.clone().matmul(rows.transpose());
        let found = roots(&matrix, width, 1, &Device::flex());
        let found = Tensor::<2>::from_data(TensorData::new(found, [size, width]), &Device::flex());
        let worst = (found.clone().matmul(found.transpose()) - matrix).abs().max().into_scalar::<f32>();
        assert!(worst < 1e-3, "differs by {worst}");
    }

    #[test]
    fn tokens_that_stand_near_each_other_point_the_same_way() {
        // 0 to 9 stand among themselves, and 10 to 19 among themselves.
        let mut random = Random::new(3, 0);
        let text: Vec<u32> = (0..40_000).map(|i| (i / 50 % 2 * 10) as u32 + random.below(10) as u32).collect();
        let counted = Counted::of(&text.into_iter().collect(), [20, 8], 1, &Device::flex());
        let dot =
            |a: usize, b: usize| (0..8).map(|i| counted.vectors[a * 8 + i] * counted.vectors[b * 8 + i]).sum::<f32>();
        assert!(
            dot(1, 2) > 5.0 * dot(1, 12).abs() && dot(14, 19) > 5.0 * dot(3, 19).abs(),
            "{} {}",
            dot(1, 2),
            dot(1, 12)
        );
        let sum: f32 = counted.log_shares.iter().map(|log| log.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    }
}
