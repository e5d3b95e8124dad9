//! The gradients of the operations, for Burn's autodiff.

use super::activation::{self, Gate};
use super::attention::{self, Heads};
use super::extension::{
    TrainingOps, dims, in_full_precision, indices, into_values, level, like, recurred, tensor, values,
};
use super::gelu::GeluGradient;
use super::loss;
use super::low_rank::{self, Place};
use super::norm::{self, Norm};
use super::product::{LeftMatrix, RightMatrix, multiply};
use super::recurrence::{self, Made, Steps};
use super::rows::WeightRows;
use crate::nn::stored::StoredRows;
use crate::types::RecurrentCell;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::{FloatTensor, IntTensor};
use std::sync::Arc;

/// Registers the value of an operation with what its gradient needs to know.
macro_rules! record {
    ($operation:expr, $nodes:expr, $state:expr, $value:expr) => {
        match $operation.prepare::<C>($nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $value),
            OpsKind::UnTracked(prep) => prep.finish($value),
        }
    };
}

impl<C: CheckpointStrategy> TrainingOps for Autodiff<Flex, C> {
    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let y = Flex::product(x.clone(), weight.clone());
        record!(ProductGradients, [x_node, weight_node], (x, weight), y)
    }

    fn product_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let (bias, bias_node) = bias.into_parts();
        let y = Flex::product_with_bias(x.clone(), weight.clone(), bias);
        record!(ProductGradients, [x_node, weight_node, bias_node], (x, weight), y)
    }

    fn product_fixed(x: FloatTensor<Self>, weight: StoredRows) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = Flex::product_fixed(x, weight.clone());
        record!(FixedProductGradients, [node], weight, y)
    }

    fn product_fixed_with_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>, weight: StoredRows) -> FloatTensor<Self> {
        let ((x, x_node), (bias, bias_node)) = (x.into_parts(), bias.into_parts());
        let y = Flex::product_fixed_with_bias(x, bias, weight.clone());
        record!(FixedProductGradients, [x_node, bias_node], weight, y)
    }

    fn add_product(
        y: FloatTensor<Self>,
        u: FloatTensor<Self>,
        b: FloatTensor<Self>,
        place: Place,
    ) -> FloatTensor<Self> {
        let ((y, y_node), (u, u_node), (b, b_node)) = (y.into_parts(), u.into_parts(), b.into_parts());
        let sum = Flex::add_product(y, u.clone(), b.clone(), place);
        record!(AddProductGradients, [y_node, u_node, b_node], (u, b, place), sum)
    }

    fn gate(x: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = Flex::gate(x.clone(), gate);
        record!(GateGradient, [node], (x, gate), y)
    }

    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = Flex::gelu(x.clone());
        record!(GeluGradient, [node], x, y)
    }

    fn gate_halves(x: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = Flex::gate_halves(x.clone(), gate);
        record!(GateHalvesGradient, [node], (x, gate), y)
    }

    fn rms_norm(x: FloatTensor<Self>, gain: FloatTensor<Self>, norm: Norm) -> FloatTensor<Self> {
        let ((x, x_node), (gain, gain_node)) = (x.into_parts(), gain.into_parts());
        let y = Flex::rms_norm(x.clone(), gain.clone(), norm);
        record!(NormGradients, [x_node, gain_node], (x, gain, norm), y)
    }

    fn layer_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (gain, gain_node), (bias, bias_node)) =
            (x.into_parts(), gain.into_parts(), bias.into_parts());
        let y = Flex::layer_norm(x.clone(), gain.clone(), bias, norm);
        record!(NormGradients, [x_node, gain_node, bias_node], (x, gain, norm), y)
    }

    fn attend(qkv: FloatTensor<Self>, heads: Heads) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        let z = Flex::attend(qkv.clone(), heads);
        record!(AttentionGradient, [node], (qkv, None, heads), z)
    }

    fn attend_rotated(
        qkv: FloatTensor<Self>,
        cosines: FloatTensor<Self>,
        sines: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        // Angles follow from positions; nothing is learned about them.
        let (cosines, sines) = (cosines.into_primitive().to_contiguous(), sines.into_primitive().to_contiguous());
        let z = Flex::attend_rotated(qkv.clone(), cosines.clone(), sines.clone(), heads);
        record!(AttentionGradient, [node], (qkv, Some((cosines, sines)), heads), z)
    }

    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        match CrossEntropyGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let shape: [usize; 2] = dims(&logits);
                let mut scores = into_values(logits);
                let value = loss::cross_entropy_with_gradient(level(), &mut scores, &indices(targets), shape[1]);
                prep.finish(tensor(scores, shape), tensor(vec![value], [1]))
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::cross_entropy(logits, targets)),
        }
    }

    fn recur(inputs: FloatTensor<Self>, weight: FloatTensor<Self>, cell: RecurrentCell) -> FloatTensor<Self> {
        let ((inputs, inputs_node), (weight, weight_node)) = (inputs.into_parts(), weight.into_parts());
        match RecurrenceGradients.prepare::<C>([inputs_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let weight = weight.to_contiguous();
                let (Made { gates, cells, hidden }, sizes) = recurred(inputs, &weight, cell);
                let hidden = tensor(hidden, [sizes.batch, sizes.steps, sizes.units]);
                let (gates, cells) = (Arc::new(gates), Arc::new(cells));
                prep.finish(Recurred { gates, cells, hidden: hidden.clone(), weight, sizes }, hidden)
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::recur(inputs, weight, cell)),
        }
    }
}

/// Of y = x Wᵀ + b: dx = dy W, dW = dyᵀ x, db the column sums of dy.
#[derive(Debug)]
struct ProductGradients;

impl Backward<Flex, 2> for ProductGradients {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [of_x, of_weight] = ops.parents;
        let (x, weight) = ops.state;
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, of_input(&dy, &weight));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, of_matrix(&dy, &x));
        }
    }
}

impl Backward<Flex, 3> for ProductGradients {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [of_x, of_weight, of_bias] = ops.parents;
        let (x, weight) = ops.state;
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, of_input(&dy, &weight));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, of_matrix(&dy, &x));
        }
        if let Some(node) = of_bias {
            let [_, outputs] = dims(&dy);
            gradients.register::<Flex>(node.id, tensor(norm::column_sums(level(), values(&dy), outputs), [outputs]));
        }
    }
}

/// Of y = x Wᵀ + b with weights that stay as they are: dx = dy W, db the column sums of dy. Nothing of `x` is kept.
#[derive(Debug)]
struct FixedProductGradients;

impl Backward<Flex, 1> for FixedProductGradients {
    type State = StoredRows;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        if let [Some(node)] = ops.parents {
            gradients.register::<Flex>(node.id, of_fixed_input(&dy, &ops.state.view()));
        }
    }
}

impl Backward<Flex, 2> for FixedProductGradients {
    type State = StoredRows;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let [of_x, of_bias] = ops.parents;
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, of_fixed_input(&dy, &ops.state.view()));
        }
        if let Some(node) = of_bias {
            let [_, outputs] = dims(&dy);
            gradients.register::<Flex>(node.id, tensor(norm::column_sums(level(), values(&dy), outputs), [outputs]));
        }
    }
}

fn of_fixed_input(dy: &FlexTensor, weight: &WeightRows<'_>) -> FlexTensor {
    let ([rows, outputs], [_, inputs]) = (dims(dy), weight.shape());
    let sizes = [rows, outputs, inputs];
    let dx = if weight.has_blocks() {
        let wide = weight.widened();
        multiply(level(), LeftMatrix::Rows(values(dy)), RightMatrix::Rows(&wide), None, sizes)
    } else {
        multiply(level(), LeftMatrix::Rows(values(dy)), RightMatrix::Stored(weight), None, sizes)
    };
    tensor(dx, [rows, inputs])
}

/// Of y + factor · u Bᵀ: dy as it is, and what [`low_rank::gradients`] says.
#[derive(Debug)]
struct AddProductGradients;

impl Backward<Flex, 3> for AddProductGradients {
    type State = (FlexTensor, FlexTensor, Place);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_y, of_u, of_b], (u, b, place)) = (ops.parents, ops.state);
        let (u, b, wanted) = (u.to_contiguous(), b.to_contiguous(), [of_u.is_some(), of_b.is_some()]);
        let [du, db] = low_rank::gradients(level(), &dy, &u, &b, place, wanted);
        for (node, gradient) in [(of_u, du), (of_b, db)] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
        if let Some(node) = of_y {
            gradients.register::<Flex>(node.id, dy);
        }
    }
}

/// dx = dy W. A weight of half precision, which only a gradient with respect to values inside a pass meets, is widened while
/// it is used.
fn of_input(dy: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let weight = weight.to_contiguous();
    let ([rows, outputs], [_, inputs]) = (dims(dy), dims(&weight));
    let wide = in_full_precision(&weight);
    let (left, right) = (LeftMatrix::Rows(values(dy)), RightMatrix::Rows(&wide));
    tensor(multiply(level(), left, right, None, [rows, outputs, inputs]), [rows, inputs])
}

/// dW = dyᵀ x.
fn of_matrix(dy: &FlexTensor, x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let ([rows, outputs], [_, inputs]) = (dims(dy), dims(&x));
    let (left, right) = (LeftMatrix::Columns(values(dy)), RightMatrix::Rows(values(&x)));
    tensor(multiply(level(), left, right, None, [outputs, rows, inputs]), [outputs, inputs])
}

#[derive(Debug)]
struct GateGradient;

impl Backward<Flex, 1> for GateGradient {
    type State = (FlexTensor, Gate);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_x], (x, gate)) = (ops.parents, ops.state);
        let x = x.to_contiguous();
        if let Some(node) = of_x {
            let gradient = activation::gate_gradient(level(), gate, values(&x), values(&dy));
            gradients.register::<Flex>(node.id, like(gradient, &x));
        }
    }
}

#[derive(Debug)]
struct GateHalvesGradient;

impl Backward<Flex, 1> for GateHalvesGradient {
    type State = (FlexTensor, Gate);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_x], (x, gate)) = (ops.parents, ops.state);
        let x = x.to_contiguous();
        let [_, both] = dims(&x);
        if let Some(node) = of_x {
            let gradient = activation::gate_halves_gradient(level(), gate, values(&x), values(&dy), both / 2);
            gradients.register::<Flex>(node.id, like(gradient, &x));
        }
    }
}

#[derive(Debug)]
struct NormGradients;

impl Backward<Flex, 2> for NormGradients {
    type State = (FlexTensor, FlexTensor, Norm);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_x, of_gain], (x, gain, norm)) = (ops.parents, ops.state);
        let (x, gain) = (x.to_contiguous(), gain.to_contiguous());
        let found = norm::normalise_gradients(level(), norm, values(&x), values(&gain), values(&dy));
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, like(found.of_x, &x));
        }
        if let Some(node) = of_gain {
            gradients.register::<Flex>(node.id, like(found.of_gain, &gain));
        }
    }
}

impl Backward<Flex, 3> for NormGradients {
    type State = (FlexTensor, FlexTensor, Norm);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_x, of_gain, of_bias], (x, gain, norm)) = (ops.parents, ops.state);
        let (x, gain) = (x.to_contiguous(), gain.to_contiguous());
        let found = norm::normalise_gradients(level(), norm, values(&x), values(&gain), values(&dy));
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, like(found.of_x, &x));
        }
        if let Some(node) = of_gain {
            gradients.register::<Flex>(node.id, like(found.of_gain, &gain));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, like(found.of_bias, &gain));
        }
    }
}

#[derive(Debug)]
struct AttentionGradient;

impl Backward<Flex, 1> for AttentionGradient {
    /// Projection, cosines and sines, and where heads lie.
    type State = (FlexTensor, Option<(FlexTensor, FlexTensor)>, Heads);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dz = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_qkv], (qkv, rotation, heads)) = (ops.parents, ops.state);
        let qkv = qkv.to_contiguous();
        let [_, tokens, _] = dims(&qkv);
        if let Some(node) = of_qkv {
            let rotation = rotation.as_ref().map(|(cosines, sines)| (values(cosines), values(sines)));
            let gradient = attention::attend_gradient(level(), values(&qkv), rotation, heads, tokens, values(&dz));
            gradients.register::<Flex>(node.id, like(gradient, &qkv));
        }
    }
}

#[derive(Debug)]
struct CrossEntropyGradient;

impl Backward<Flex, 1> for CrossEntropyGradient {
    /// The gradient of the loss with respect to the logits.
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [factor] = into_values(gradients.consume::<Flex>(&ops.node))[..] else { return };
        let ([of_logits], gradient) = (ops.parents, ops.state);
        if let Some(node) = of_logits {
            let gradient = if factor == 1.0 { gradient } else { scaled(gradient, factor) };
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

fn scaled(x: FlexTensor, factor: f32) -> FlexTensor {
    use burn::backend::ops::FloatTensorOps;
    Flex::float_mul_scalar(x, factor.into())
}

/// What the gradients of a recurrent layer are made of.
#[derive(Clone, Debug)]
struct Recurred {
    gates: Arc<Vec<f32>>,
    cells: Arc<Vec<f32>>,
    hidden: FlexTensor,
    weight: FlexTensor,
    sizes: Steps,
}

/// Through all steps, from the last to the first.
#[derive(Debug)]
struct RecurrenceGradients;

impl Backward<Flex, 2> for RecurrenceGradients {
    type State = Recurred;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dh = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_inputs, of_weight], Recurred { gates, cells, hidden, weight, sizes }) = (ops.parents, ops.state);
        let made = [gates.as_slice(), cells.as_slice(), values(&hidden)];
        let wide = in_full_precision(&weight);
        let wanted = of_weight.is_some();
        let (inputs, matrix) = recurrence::gradients(level(), made, &wide, values(&dh), sizes, wanted);
        if let (Some(node), Some(gradient)) = (of_weight, matrix) {
            gradients.register::<Flex>(node.id, like(gradient, &weight));
        }
        if let Some(node) = of_inputs {
            let shape = [sizes.batch, sizes.steps, inputs.len() / (sizes.batch * sizes.steps).max(1)];
            gradients.register::<Flex>(node.id, tensor(inputs, shape));
        }
    }
}
