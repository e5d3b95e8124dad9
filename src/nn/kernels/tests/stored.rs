//! Products with weights that stay in bytes.

use super::super::*;
use super::{matrix, values};
use crate::nn::blocks::{BlockType, encode_q8_0};
use crate::nn::{Format, HeldBytes, Random, StoredPiece};
use burn::tensor::TensorData;
use half::{bf16, f16};
use std::sync::Arc;

/// Rows of random values in a format, at an address that no element may lie at.
fn piece(random: &mut Random, format: Format, rows: usize, inputs: usize) -> StoredPiece {
    let of = values(random, rows * inputs);
    let mut bytes = vec![0];
    match format {
        Format::F32 => of.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Format::F16 => of.iter().for_each(|x| bytes.extend(f16::from_f32(*x).to_le_bytes())),
        Format::Bf16 => of.iter().for_each(|x| bytes.extend(bf16::from_f32(*x).to_le_bytes())),
        Format::Blocks(BlockType::Q8_0) => encode_q8_0(&of, &mut bytes),
        Format::Blocks(kind) => {
            // Any bits are a block; scales are kept small and finite.
            let count = rows * inputs / kind.elements();
            for _ in 0..count {
                let at = bytes.len();
                bytes.extend((0..kind.bytes()).map(|_| random.below(256) as u8));
                let scales: &[usize] = match kind {
                    BlockType::Q6K => &[208],
                    BlockType::Q4_0 | BlockType::Q5_0 => &[0],
                    _ => &[0, 2],
                };
                for place in scales {
                    let scale = f16::from_f32(random.normal() * 0.01).to_le_bytes();
                    bytes[at + place..at + place + 2].copy_from_slice(&scale);
                }
            }
        }
    }
    let len = bytes.len() - 1;
    StoredPiece { format, rows, bytes: HeldBytes::new(Arc::new(bytes), 1, len).unwrap() }
}

fn formats() -> impl Iterator<Item = Format> {
    [Format::F32, Format::F16, Format::Bf16].into_iter().chain(BlockType::ALL.map(Format::Blocks))
}

#[test]
fn products_with_bytes_equal_those_with_the_values_they_hold() {
    let device = Device::flex();
    if !serve(&device) {
        return;
    }
    let mut random = Random::new(8, 0);
    let inputs = 512;
    for format in formats() {
        // Borders of pieces in the midst of a panel, and all formats behind each other.
        let pieces = vec![
            piece(&mut random, format, 45, inputs),
            piece(&mut random, Format::F16, 3, inputs),
            piece(&mut random, format, 100, inputs),
        ];
        let stored = StoredRows::new(pieces, inputs);
        let outputs = stored.shape()[0];
        let dense = matrix(stored.values(0..outputs), [outputs, inputs]);
        let bias = Tensor::<1>::from_data(TensorData::new(values(&mut random, outputs), [outputs]), &device);
        for rows in [1, 2, 13, 40] {
            let x = matrix(values(&mut random, rows * inputs), [rows, inputs]);
            let expected = x.clone().matmul(dense.clone().transpose()) + bias.clone().unsqueeze();
            let ours = product_stored(x, &stored, Some(bias.clone()));
            let largest: f32 = expected.clone().abs().max().into_scalar();
            let difference: f32 = (ours - expected).abs().max().into_scalar();
            let allowed = if let Format::Blocks(_) = format { 1e-2 } else { 1e-5 };
            assert!(difference < allowed * largest, "{rows} rows with {format:?}: {difference} of {largest}");
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn matrices_of_blocks_are_those_of_their_rows() {
    let Some(level) = *LEVEL else { return };
    let mut random = Random::new(10, 0);
    for kind in BlockType::ALL {
        for (inputs, rows) in [(kind.elements(), 2), (3 * kind.elements(), 7), (512, 13)] {
            let pieces = vec![
                piece(&mut random, Format::Blocks(kind), 70, inputs),
                piece(&mut random, Format::Blocks(kind), 41, inputs),
            ];
            let stored = StoredRows::new(pieces, inputs);
            let bias = values(&mut random, 111);
            let x = values(&mut random, rows * inputs);
            let whole = product::product(level, &x, &stored.view(), Some(&bias), rows);
            for (x, whole) in x.chunks(inputs).zip(whole.chunks(111)) {
                let row = product::product(level, x, &stored.view(), Some(&bias), 1);
                let largest = row.iter().fold(0.0f32, |largest, y| largest.max(y.abs()));
                for (i, (a, b)) in whole.iter().zip(&row).enumerate() {
                    // Columns of a panel that crosses pieces are widened, where activations are not rounded.
                    let allowed = if (64..96).contains(&i) { 2e-2 } else { 1e-5 };
                    assert!((a - b).abs() < allowed * largest, "{kind}, {inputs} inputs, column {i}: {a} is not {b}");
                }
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn processors_without_whole_numbers_in_tiles_widen_the_blocks() {
    if LEVEL.is_none() {
        return;
    }
    let mut random = Random::new(12, 0);
    for kind in BlockType::ALL {
        let (inputs, rows) = (512, 7);
        let stored = StoredRows::new(vec![piece(&mut random, Format::Blocks(kind), 70, inputs)], inputs);
        let x = values(&mut random, rows * inputs);
        let ours = block_product::product(Level::Avx2, &x, &stored.view(), None, rows);
        let weights = stored.values(0..70);
        for (x, ours) in x.chunks(inputs).zip(ours.chunks(70)) {
            for (weights, ours) in weights.chunks(inputs).zip(ours) {
                let terms = || weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
                let (exact, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                assert!((f64::from(*ours) - exact).abs() < 2e-6 * size, "{kind}: {ours} is not {exact}");
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn rows_of_blocks_are_multiplied_exactly_with_activations_of_eight_bits() {
    use super::super::eights::{Eights, STRETCH};

    let Some(best) = *LEVEL else { return };
    let mut random = Random::new(9, 0);
    for kind in BlockType::ALL {
        // An odd number of groups, too, where a block is one.
        for inputs in [kind.elements(), 3 * kind.elements(), 512] {
            let (rows, row) = (5, kind.row_bytes(inputs).unwrap());
            let piece = piece(&mut random, Format::Blocks(kind), rows, inputs);
            let mut weights = vec![0.0; rows * inputs];
            kind.dequantise(piece.bytes.as_slice(), &mut weights);
            let x = Eights::of(best, &values(&mut random, inputs));
            let rounded: Vec<f64> = (0..inputs)
                .map(|i| {
                    let (stretch, at) = (&x.stretches()[i / STRETCH], i % STRETCH);
                    f64::from(stretch.numbers[at]) * f64::from(stretch.scales[at / 4])
                })
                .collect();
            for level in [Level::Avx2, best] {
                let mut ours = vec![0.0; rows];
                inner::block_dots(level, kind, piece.bytes.as_slice(), row, x.stretches(), &mut ours);
                for (ours, weights) in ours.iter().zip(weights.chunks(inputs)) {
                    let terms = || weights.iter().zip(&rounded).map(|(w, x)| f64::from(*w) * x);
                    let (exact, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                    let difference = (f64::from(*ours) - exact).abs();
                    assert!(difference < 2e-6 * size, "{kind} at {level:?}, {inputs} inputs: {ours} is not {exact}");
                }
            }
        }
    }
}
