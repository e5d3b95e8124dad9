//! What training makes small.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Mean cross-entropy in nats, `[1]`, of scores `[N, V]` against the right classes `[N]`.
///
/// # Panics
///
/// If there is not one class a row.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    assert_eq!(targets.dims(), [rows], "one right class a row");
    log_softmax(logits, 1).gather(1, targets.reshape([rows, 1])).mean().neg()
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
        let grads = cross_entropy(logits.clone(), Tensor::from_ints([1], &device)).backward();
        let gradient = logits.grad(&grads).unwrap().try_to_vec_as::<f32>().unwrap();
        let exps = [0.5_f32.exp(), (-1.0_f32).exp(), 2.0_f32.exp()];
        let sum: f32 = exps.iter().sum();
        for (i, (ours, e)) in gradient.iter().zip(exps).enumerate() {
            let expected = e / sum - if i == 1 { 1.0 } else { 0.0 };
            assert!((ours - expected).abs() < 1e-6, "{ours} instead of {expected}");
        }
    }
}
