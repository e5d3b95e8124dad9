//! Recurrent layers over all steps of their sequences: step by step on slices, each thread with sequences of its own, so that nobody
//! waits for another between two steps. The matrix between two steps is laid out once for all of them.
//!
//! B sequences, T steps, H units, G numbers a unit before its activation: 4 of an LSTM (input, forget, cell, output, in PyTorch's
//! order), 1 of a tanh network.
#![expect(unsafe_code, reason = "threads write disjoint stretches, and tiles write through pointers")]

use super::inner::{self, Level};
use super::output::{Shared, for_each_chunk};
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::product::{LeftMatrix, RightMatrix, multiply, product};
use super::rows::{Format, WeightRows};
use super::{scratch, team};
use crate::types::RecurrentCell;

/// Sizes of a layer's work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// What each unit computes.
    pub cell: RecurrentCell,
    /// Sequences B.
    pub batch: usize,
    /// Steps T of each.
    pub steps: usize,
    /// Units H.
    pub units: usize,
}

impl Steps {
    /// Numbers of a step of a sequence before activation.
    fn wide(self) -> usize {
        self.cell.gates() * self.units
    }

    /// Numbers that a unit hands on to the next step beside its output: C, as many as H or none.
    fn kept(self) -> usize {
        if self.cell == RecurrentCell::Lstm { self.units } else { 0 }
    }

    /// Sequences that a thread takes at a time: all threads have as many to do, and no tile more rows than it takes.
    fn share(self) -> usize {
        let threads = team::size().max(1);
        let rounds = self.batch.div_ceil(threads * TILE_ROWS).max(1);
        self.batch.div_ceil(threads * rounds).max(1)
    }
}

/// What all steps made.
#[derive(Debug)]
pub(in crate::nn) struct Made {
    /// After their activation, `[B, T, G·H]`.
    pub gates: Vec<f32>,
    /// c of an LSTM, `[B, T, H]`; else empty.
    pub cells: Vec<f32>,
    /// h, `[B, T, H]`.
    pub hidden: Vec<f32>,
}

/// What a sequence has before its first step: h and c, `[B, H]` both (c of an LSTM alone).
pub(super) type Start<'a> = Option<[&'a [f32]; 2]>;

/// All steps from the products of the inputs on, biases added, `[B, T, G·H]`, with `weight` `[G·H, H]` between steps.
///
/// # Panics
/// When the sizes do not fit.
pub(super) fn run(level: Level, inputs: Vec<f32>, weight: &WeightRows<'_>, start: Start<'_>, sizes: Steps) -> Made {
    let Steps { batch, steps, units, .. } = sizes;
    assert!(inputs.len() == batch * steps * sizes.wide() && weight.shape() == [sizes.wide(), units]);
    assert!(start.is_none_or(|[h, c]| h.len() == batch * units && c.len() == batch * sizes.kept()));
    let mut made = Made {
        gates: inputs,
        cells: vec![0.0; batch * steps * sizes.kept()],
        hidden: vec![0.0; batch * steps * units],
    };
    if made.gates.is_empty() {
        return made;
    }
    if batch == 1 {
        one_sequence(level, weight, start, sizes, &mut made);
        return made;
    }
    let panels = Panels::across(level, weight);
    let share = sizes.share();
    let [gates, cells, hidden] = [&mut made.gates, &mut made.cells, &mut made.hidden].map(|all| Shared::of(all));
    team::for_each(batch.div_ceil(share), |i| {
        let first = i * share;
        let rows = share.min(batch - first);
        let own = [(&gates, sizes.wide()), (&cells, sizes.kept()), (&hidden, units)].map(|(all, width)| {
            // SAFETY: each thread has sequences of its own, and all numbers are there.
            unsafe { all.numbers(first * steps * width, rows * steps * width) }
        });
        let start = start.map(|[h, c]| {
            let of = |x: &'_ [f32], width: usize| x[first * width..(first + rows) * width].to_vec();
            [of(h, units), of(c, sizes.kept())]
        });
        some_sequences(level, &panels, start.as_ref(), Steps { batch: rows, ..sizes }, own);
    });
    made
}

/// Few sequences, all steps: `[rows, T, ..]`.
fn some_sequences(
    level: Level,
    panels: &Panels,
    start: Option<&[Vec<f32>; 2]>,
    sizes: Steps,
    [gates, cells, hidden]: [&mut [f32]; 3],
) {
    let Steps { batch, steps, units, .. } = sizes;
    let wide = sizes.wide();
    scratch::with([batch * panels.width()], |[sums]| {
        for step in 0..steps {
            match (step, start) {
                (0, None) => sums.fill(0.0),
                (0, Some([h, _])) => panels.products(level, h, [batch, units], sums),
                _ => panels.products(level, &hidden[(step - 1) * units..], [batch, steps * units], sums),
            }
            for row in 0..batch {
                let at = row * steps + step;
                let sums = &sums[row * panels.width()..][..wide];
                let gates = &mut gates[at * wide..][..wide];
                let hidden = &mut hidden[at * units..][..units];
                let start = start.map(|[_, c]| &c[row * sizes.kept()..][..sizes.kept()]);
                unit_step(level, sizes, sums, gates, Place { cells, at, step, start }, hidden);
            }
        }
    });
}

/// One sequence: the matrix is read where it lies, its rows shared out.
fn one_sequence(level: Level, weight: &WeightRows<'_>, start: Start<'_>, sizes: Steps, made: &mut Made) {
    let (units, wide) = (sizes.units, sizes.wide());
    for step in 0..sizes.steps {
        let before = match (step, start) {
            (0, None) => None,
            (0, Some([h, _])) => Some(h),
            _ => Some(&made.hidden[(step - 1) * units..step * units]),
        };
        let sums = before.map_or_else(|| vec![0.0; wide], |h| product(level, h, weight, None, 1));
        let gates = &mut made.gates[step * wide..][..wide];
        let hidden = &mut made.hidden[step * units..][..units];
        let start = start.map(|[_, c]| c);
        unit_step(level, sizes, &sums, gates, Place { cells: &mut made.cells, at: step, step, start }, hidden);
    }
}

/// Where c of a step of a sequence lies, and what stands before it.
struct Place<'a> {
    cells: &'a mut [f32],
    /// Steps before it in `cells`, those of other sequences among them.
    at: usize,
    step: usize,
    start: Option<&'a [f32]>,
}

/// One step of one sequence: `gates` holds the products of the input, and then what all gates are.
fn unit_step(
    level: Level,
    sizes: Steps,
    sums: &[f32],
    gates: &mut [f32],
    Place { cells, at, step, start }: Place<'_>,
    hidden: &mut [f32],
) {
    if sizes.cell == RecurrentCell::Tanh {
        inner::tanh_sum(level, sums, gates);
        hidden.copy_from_slice(gates);
        return;
    }
    let (before, now) = cells.split_at_mut(at * sizes.units);
    let before = if step == 0 { start } else { Some(&before[(at - 1) * sizes.units..]) };
    inner::lstm_step(level, sums, gates, before, &mut now[..sizes.units], hidden);
}

/// The gradients of [`run`] from zeros, with respect to its inputs and its matrix, from that of h, `[B, T, H]`.
///
/// # Panics
/// When the sizes do not fit.
pub(super) fn gradients(
    level: Level,
    made: [&[f32]; 3],
    weight: &[f32],
    of_hidden: &[f32],
    sizes: Steps,
    with_weight: bool,
) -> (Vec<f32>, Option<Vec<f32>>) {
    let Steps { batch, steps, units, .. } = sizes;
    let ([gates, cells, hidden], wide) = (made, sizes.wide());
    assert!(gates.len() == batch * steps * wide && cells.len() == batch * steps * sizes.kept());
    assert!(hidden.len() == batch * steps * units && of_hidden.len() == hidden.len() && weight.len() == wide * units);
    let mut of_inputs = vec![0.0; gates.len()];
    if of_inputs.is_empty() {
        return (of_inputs, with_weight.then(|| vec![0.0; weight.len()]));
    }
    let panels = Panels::down(level, weight, [wide, units]);
    let share = sizes.share();
    for_each_chunk([&mut of_inputs], share * steps * wide, |i, [of_inputs]| {
        let (first, rows) = (i * share, of_inputs.len() / (steps * wide));
        let part =
            |all: &'_ [f32], width: usize| first * steps * width..((first + rows) * steps * width).min(all.len());
        let made = [&gates[part(gates, wide)], &cells[part(cells, sizes.kept())], &of_hidden[part(of_hidden, units)]];
        some_gradients(level, &panels, made, Steps { batch: rows, ..sizes }, of_inputs);
    });
    let of_weight = with_weight.then(|| {
        let before = shifted(hidden, sizes);
        let sizes = [wide, batch * steps, units];
        multiply(level, LeftMatrix::Columns(&of_inputs), RightMatrix::Rows(&before), None, sizes)
    });
    (of_inputs, of_weight)
}

/// Few sequences, all steps from the last to the first.
fn some_gradients(
    level: Level,
    panels: &Panels,
    [gates, cells, of_hidden]: [&[f32]; 3],
    sizes: Steps,
    of_inputs: &mut [f32],
) {
    let Steps { batch, steps, units, .. } = sizes;
    let wide = sizes.wide();
    scratch::with([batch * panels.width(), batch * sizes.kept()], |[sums, of_cells]| {
        of_cells.fill(0.0);
        for step in (0..steps).rev() {
            match step + 1 == steps {
                true => sums.fill(0.0),
                false => panels.products(level, &of_inputs[(step + 1) * wide..], [batch, steps * wide], sums),
            }
            for row in 0..batch {
                let at = row * steps + step;
                let sums = &mut sums[row * panels.width()..][..units];
                inner::add(level, sums, &of_hidden[at * units..][..units]);
                let (gates, out) = (&gates[at * wide..][..wide], &mut of_inputs[at * wide..][..wide]);
                if sizes.cell == RecurrentCell::Tanh {
                    inner::tanh_gradient(level, gates, sums, out);
                    continue;
                }
                let before = (step > 0).then(|| &cells[(at - 1) * units..at * units]);
                let now = &cells[at * units..][..units];
                inner::lstm_gradient(level, gates, now, before, sums, &mut of_cells[row * units..][..units], out);
            }
        }
    });
}

/// h of the step before each, zeros before the first.
fn shifted(hidden: &[f32], Steps { steps, units, .. }: Steps) -> Vec<f32> {
    let mut before = vec![0.0; hidden.len()];
    for_each_chunk([&mut before], steps * units, |i, [before]| {
        let last = before.len() - units;
        before[units..].copy_from_slice(&hidden[i * steps * units..][..last]);
    });
    before
}

/// A matrix laid out for products with few rows at a time, again and again.
struct Panels {
    values: Vec<f32>,
    depth: usize,
}

impl Panels {
    /// Of x Wᵀ, with W `[out, in]`.
    fn across(level: Level, weight: &WeightRows<'_>) -> Self {
        let [outputs, depth] = weight.shape();
        let size = depth * PANEL;
        let mut values = vec![0.0; outputs.div_ceil(PANEL) * size];
        for_each_chunk([&mut values], size.max(1), |i, [panel]| {
            let rows = i * PANEL..((i + 1) * PANEL).min(outputs);
            let is_plain = matches!(weight.format_of(rows.clone()), Some(Format::F32 | Format::F16 | Format::Bf16));
            let mut wide = vec![0.0; if is_plain { 0 } else { size }];
            weight.lay_out(level, rows, [0, depth], panel, &mut wide);
        });
        Self { values, depth }
    }

    /// Of x W, with W `[in, out]`.
    fn down(level: Level, weight: &[f32], [depth, outputs]: [usize; 2]) -> Self {
        let size = depth * PANEL;
        let mut values = vec![0.0; outputs.div_ceil(PANEL) * size];
        for_each_chunk([&mut values], size.max(1), |i, [panel]| {
            let first = i * PANEL;
            inner::copy_columns(level, &weight[first..], outputs, PANEL.min(outputs - first), panel);
        });
        Self { values, depth }
    }

    /// Columns of its products, those that only fill the last panel up among them.
    fn width(&self) -> usize {
        self.values.len() / self.depth
    }

    /// Products of some rows, which begin `stride` numbers apart: `sums` `[rows, width]`.
    fn products(&self, level: Level, rows: &[f32], [count, stride]: [usize; 2], sums: &mut [f32]) {
        const NOTHING: [f32; PANEL] = [0.0; PANEL];
        let width = self.width();
        assert!(sums.len() == count * width && count <= TILE_ROWS && width.is_multiple_of(PANEL));
        let left = Left::Rows { values: rows, rows: count, stride };
        for (i, panel) in self.values.chunks_exact(self.depth * PANEL).enumerate() {
            // SAFETY: `sums` has a panel's numbers from this column on in each of its rows, by the check above.
            unsafe {
                let to = sums.as_mut_ptr().add(i * PANEL);
                inner::tile(level, left, panel, Onto::Bias(&NOTHING), to, width);
            }
        }
    }
}
