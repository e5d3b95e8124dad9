//! A layer whose units read their own values of the step before.
//!
//! B sequences, T tokens, N tokens of a pass in all, H units, G numbers a unit before its activation: 4 of an LSTM, 1 of a tanh network.

use crate::nn::batch::tokens::{Places, Tokens};
use crate::nn::kernels::{self, Made, weight_rows};
use crate::nn::layers::linear::{Linear, in_f32};
use crate::nn::layers::weight::Weight;
use crate::types::RecurrentCell;
use burn::backend::flex::Flex;
use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// One layer. Rows of both matrices are gates: of an LSTM input, forget, cell and output, H each, as in PyTorch.
#[derive(Module, Debug)]
pub struct RecurrentLayer {
    /// From what the layer reads, `[G·H, in]`.
    pub input: Linear,
    /// From its own values of the step before, `[G·H, H]`.
    pub recurrent: Linear,
}

/// What a layer made of some tokens.
#[derive(Clone, Debug)]
pub struct LayerValues {
    /// Gates after their activation, `[B, T, G·H]`: of an LSTM σ(i), σ(f), tanh(g), σ(o) behind each other; of a tanh network its output.
    pub gates: Tensor<3>,
    /// c of an LSTM, `[B, T, H]`.
    pub cells: Option<Tensor<3>>,
    /// h, `[B, T, H]`.
    pub hidden: Tensor<3>,
}

/// What a layer has before the first token of a pass: h, and c of an LSTM, `[B, H]` each.
#[derive(Clone, Debug)]
pub(in crate::nn) struct Before {
    pub hidden: Tensor<2>,
    pub cells: Option<Tensor<2>>,
}

impl RecurrentLayer {
    /// Matrices and biases of zeros.
    #[must_use]
    pub fn zeros(cell: RecurrentCell, inputs: usize, units: usize, device: &Device) -> Self {
        let rows = cell.gates() * units;
        let linear = |columns| Linear::new(Tensor::zeros([rows, columns], device), Some(Tensor::zeros([rows], device)));
        Self { input: linear(inputs), recurrent: linear(units) }
    }

    /// Units H.
    #[must_use]
    pub fn units(&self) -> usize {
        self.recurrent.weight.dims()[1]
    }

    /// What its units compute: their matrix has as many rows for each.
    #[must_use]
    pub fn cell(&self) -> RecurrentCell {
        if self.recurrent.weight.dims()[0] == self.units() { RecurrentCell::Tanh } else { RecurrentCell::Lstm }
    }

    /// h of all tokens of a pass, `[B, T, in]` → `[B, T, H]`, from nothing on. Differentiable where the weights learn.
    pub(in crate::nn) fn hidden(&self, x: Tensor<3>, tokens: &Tokens<'_>) -> Tensor<3> {
        let device = x.device();
        if device.is_autodiff() && kernels::serve_learning(&device) && tokens.places().is_none() {
            return kernels::recur(self.inputs(x), in_f32(self.recurrent.weight.val()), self.cell());
        }
        self.values(x, tokens, None).hidden
    }

    /// All that the layer makes of the tokens of a pass, `[B, T, in]`, from what was before on.
    pub(in crate::nn) fn values(&self, x: Tensor<3>, tokens: &Tokens<'_>, before: Option<Before>) -> LayerValues {
        let inputs = self.inputs(x); // [B, T, G·H]
        if tokens.places().is_none() && kernels::serve(&inputs.device()) {
            return self.by_kernel(inputs, before);
        }
        self.by_tensors(inputs, tokens, before)
    }

    /// What the input gives to each gate, with both biases: `[B, T, in]` → `[B, T, G·H]`.
    fn inputs(&self, x: Tensor<3>) -> Tensor<3> {
        let bias = |linear: &Linear| linear.bias.as_ref().map(Param::val);
        let both = match (bias(&self.input), bias(&self.recurrent)) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.input.weight.project_with(x, both)
    }

    fn by_kernel(&self, inputs: Tensor<3>, before: Option<Before>) -> LayerValues {
        let (cell, units, device) = (self.cell(), self.units(), inputs.device());
        let [batch, steps, wide] = inputs.dims();
        let start = before.map(|Before { hidden, cells }| {
            let none = || Tensor::zeros([batch, 0], &device);
            [hidden, cells.unwrap_or_else(none)]
        });
        let made = match &self.recurrent.weight {
            Weight::Stored(rows) => kernels::recur_from(inputs, &rows.view(), start, cell),
            other => {
                let weight = other.val().try_into_primitive::<Flex>().expect("weights on plain Flex").to_contiguous();
                kernels::recur_from(inputs, &weight_rows(&weight), start, cell)
            }
        };
        let Made { gates, cells, hidden } = made;
        let tensor =
            |values: Vec<f32>, width: usize| Tensor::from_data(TensorData::new(values, [batch, steps, width]), &device);
        LayerValues {
            gates: tensor(gates, wide),
            cells: (cell == RecurrentCell::Lstm).then(|| tensor(cells, units)),
            hidden: tensor(hidden, units),
        }
    }

    /// The same by tensors of whatever device, a step of all sequences at a time: tokens whose predecessors are done.
    fn by_tensors(&self, inputs: Tensor<3>, tokens: &Tokens<'_>, before: Option<Before>) -> LayerValues {
        let (cell, units, device) = (self.cell(), self.units(), inputs.device());
        let [batch, length, wide] = inputs.dims();
        let weight = in_f32(self.recurrent.weight.val());
        // A weight that does not learn may be without autodiff.
        let weight = if inputs.is_autodiff() && !weight.is_autodiff() { Tensor::from_inner(weight) } else { weight };
        let weight = weight.transpose(); // [H, G·H]
        let inputs = inputs.reshape([batch * length, wide]);
        let zeros = || Tensor::<2>::zeros([batch, units], &device);
        let before = before.unwrap_or_else(|| Before { hidden: zeros(), cells: None });
        let (mut hidden, mut cells) = (before.hidden, before.cells.unwrap_or_else(zeros));
        let (mut of_gates, mut of_cells, mut of_hidden, mut order) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for Step { rows, parents } in steps(tokens) {
            let parents = indices(&parents, &device);
            let sums = inputs.clone().select(0, indices(&rows, &device))
                + hidden.select(0, parents.clone()).matmul(weight.clone()); // [R, G·H]
            let gate = |i: usize| sums.clone().narrow(1, i * units, units);
            let gates = if cell == RecurrentCell::Lstm {
                let [i, f, g, o] = [sigmoid(gate(0)), sigmoid(gate(1)), gate(2).tanh(), sigmoid(gate(3))];
                cells = f.clone() * cells.select(0, parents) + i.clone() * g.clone();
                hidden = o.clone() * cells.clone().tanh();
                of_cells.push(cells.clone());
                Tensor::cat(vec![i, f, g, o], 1)
            } else {
                hidden = sums.tanh();
                hidden.clone()
            };
            of_gates.push(gates);
            of_hidden.push(hidden.clone());
            order.extend(rows);
        }
        let places = InPlace { order: &order, shape: [batch, length] };
        LayerValues {
            gates: places.put(of_gates, wide, &device),
            cells: (cell == RecurrentCell::Lstm).then(|| places.put(of_cells, units, &device)),
            hidden: places.put(of_hidden, units, &device),
        }
    }
}

/// Tokens of a pass that can be read at once, since those before them were.
struct Step {
    /// Which of the B·T tokens, row-major.
    rows: Vec<usize>,
    /// The place of each one's predecessor in the step before; in the first step the sequence it belongs to.
    parents: Vec<usize>,
}

/// The steps of a pass, in order. Padding is in none.
fn steps(tokens: &Tokens<'_>) -> Vec<Step> {
    let (depths, [batch, length]) = tokens.positions();
    let mut steps: Vec<Step> = Vec::new();
    let mut place_in_step = vec![0; batch * length];
    let mut last_of_sequence: Vec<Option<usize>> = vec![None; batch];
    for token in (0..batch * length).filter(|token| tokens.is_real(*token)) {
        let sequence = token / length;
        let before = match tokens.places() {
            Some(Places::Tree(tree)) => tree.parent(token),
            _ => last_of_sequence[sequence].replace(token),
        };
        let depth = depths[token] - tokens.past();
        if steps.len() == depth {
            steps.push(Step { rows: Vec::new(), parents: Vec::new() });
        }
        place_in_step[token] = steps[depth].rows.len();
        steps[depth].rows.push(token);
        steps[depth].parents.push(before.map_or(sequence, |before| place_in_step[before]));
    }
    steps
}

fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.iter().map(|value| *value as i32).collect();
    Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device)
}

/// Where the rows of all steps belong.
struct InPlace<'a> {
    /// The token of each row.
    order: &'a [usize],
    shape: [usize; 2],
}

impl InPlace<'_> {
    /// Rows of all steps in the places of their tokens, `[B, T, width]`; zeros for padding.
    fn put(&self, steps: Vec<Tensor<2>>, width: usize, device: &Device) -> Tensor<3> {
        let [batch, length] = self.shape;
        let mut row_of = vec![self.order.len(); batch * length];
        self.order.iter().enumerate().for_each(|(row, token)| row_of[*token] = row);
        let nothing = Tensor::zeros([1, width], device);
        let rows = Tensor::cat(steps.into_iter().chain([nothing]).collect(), 0);
        rows.select(0, indices(&row_of, device)).reshape([batch, length, width])
    }
}

#[cfg(test)]
#[path = "recurrence_tests.rs"]
mod tests;
