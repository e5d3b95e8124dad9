//! What training makes small.

use crate::nn::kernels;
use burn::tensor::activation::log_softmax;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

/// Mean cross-entropy in nats, `[1]`, of scores `[N, V]` against the right classes `[N]`.
///
/// # Panics
///
/// If there is not one class a row.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    assert_eq!(targets.dims(), [rows], "one right class a row");
    if kernels::serve_learning(&logits.device()) {
        return kernels::cross_entropy(logits, targets);
    }
    let targets = targets.reshape([rows, 1]); // [N, 1]
    if logits.is_autodiff() {
        return with_gradient(logits, targets.inner());
    }
    log_softmax(logits, 1).gather(1, targets).mean().neg()
}

/// The same value with its gradient (softmax − one-hot) / N computed at once, instead of recorded operation by operation:
/// one exponential a score where the recorded way takes two, which is what training on a large vocabulary spends most on.
///
/// The gradient enters as a constant: the derivative of Σ scores · gradient is that gradient.
fn with_gradient(logits: Tensor<2>, targets: Tensor<2, Int>) -> Tensor<1> {
    let scores = logits.clone().inner();
    let [rows, _] = scores.dims();
    let centred = scores.clone() - scores.max_dim(1); // [N, V]
    let of_targets = centred.clone().gather(1, targets.clone()); // [N, 1]
    let exps = centred.exp();
    let sums = exps.clone().sum_dim(1); // [N, 1]
    let loss = (sums.clone().log() - of_targets).mean();
    let one_over_rows = Tensor::full([rows, 1], 1.0 / rows as f64, &loss.device());
    let gradient =
        (exps * (one_over_rows.clone() / sums)).scatter(1, targets, one_over_rows.neg(), IndexingUpdateOp::Add);
    let carrier = (logits * Tensor::from_inner(gradient)).sum();
    let value = Tensor::from_inner(loss - carrier.clone().inner());
    carrier + value
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn it_is_the_mean_of_minus_the_log_of_the_right_probability() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 1000.0]], &device);
        let loss = cross_entropy(logits, Tensor::from_ints([2, 2], &device));
        let expected = (4.0_f32.ln() + 997.0) / 2.0;
        assert!((loss.into_scalar::<f32>() - expected).abs() < 1e-3);
    }

    #[test]
    fn its_gradient_is_the_softmax_less_the_right_class() {
        let device = Device::flex().autodiff();
        let logits = Tensor::<2>::from_floats([[0.5, -1.0, 2.0]], &device).require_grad();
        let loss = cross_entropy(logits.clone(), Tensor::from_ints([1], &device));
        let grads = loss.backward();
        let gradient = logits.grad(&grads).unwrap().try_to_vec_as::<f32>().unwrap();
        let exps = [0.5_f32.exp(), (-1.0_f32).exp(), 2.0_f32.exp()];
        let sum: f32 = exps.iter().sum();
        assert_eq!(gradient.len(), 3);
        for (i, (ours, e)) in gradient.iter().zip(exps).enumerate() {
            let expected = e / sum - if i == 1 { 1.0 } else { 0.0 };
            assert!((ours - expected).abs() < 1e-6, "{ours} instead of {expected}");
        }
        let plain = cross_entropy(logits.inner(), Tensor::from_ints([1], &Device::flex()));
        assert!((loss.into_scalar::<f32>() - plain.into_scalar::<f32>()).abs() < 1e-6);
    }
}
