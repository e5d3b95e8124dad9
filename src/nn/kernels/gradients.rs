//! The gradients of the operations, for Burn's autodiff.

use super::extension::{Learning, dims, level, tensor, values};
use super::product::{LeftMatrix, RightMatrix, column_sums, multiply};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::FloatTensor;

impl<C: CheckpointStrategy> Learning for Autodiff<Flex, C> {
    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let y = Flex::product(x.clone(), weight.clone());
        match ProductGradients.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn product_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let (bias, bias_node) = bias.into_parts();
        let y = Flex::product_with_bias(x.clone(), weight.clone(), bias);
        match ProductGradients.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
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
            gradients.register::<Flex>(node.id, tensor(column_sums(level(), values(&dy), outputs), [outputs]));
        }
    }
}

/// dx = dy W.
fn of_input(dy: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let weight = weight.to_contiguous();
    let ([rows, outputs], [_, inputs]) = (dims(dy), dims(&weight));
    let (left, right) = (LeftMatrix::Rows(values(dy)), RightMatrix::<f32>::Rows(values(&weight)));
    tensor(multiply(level(), left, right, None, [rows, outputs, inputs]), [rows, inputs])
}

/// dW = dyᵀ x.
fn of_matrix(dy: &FlexTensor, x: &FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let ([rows, outputs], [_, inputs]) = (dims(dy), dims(&x));
    let (left, right) = (LeftMatrix::Columns(values(dy)), RightMatrix::<f32>::Rows(values(&x)));
    tensor(multiply(level(), left, right, None, [outputs, rows, inputs]), [outputs, inputs])
}
