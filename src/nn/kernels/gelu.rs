//! GELU by the error function, and its gradient, in one pass and shared among threads.
#![expect(unsafe_code, reason = "results are written once, not after zeros")]

use super::extension::{TrainingOps, level, like, values};
use super::inner::{self, Level};
use super::output::{CHUNK, written_in_chunks};
use burn::backend::Dispatch;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::Tensor;

/// x · Φ(x), where Φ is the distribution function of the normal distribution (Hendrycks and Gimpel 2016), within 10⁻⁶.
///
/// # Panics
/// When [`serve_learning`](super::serve_learning) is false for the device.
pub(in crate::nn) fn gelu(x: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as TrainingOps>::gelu(x.into_dispatch()))
}

/// x · Φ(x) of every element.
pub(super) fn of_values(level: Level, x: &[f32]) -> Vec<f32> {
    // SAFETY: each stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), CHUNK, |at, out| {
            inner::gelu(level, &x[at..at + out.len()], out);
        })
    };
    values
}

fn gradient_of_values(level: Level, x: &[f32], gradient: &[f32]) -> Vec<f32> {
    // SAFETY: each stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), CHUNK, |at, out| {
            let range = at..at + out.len();
            inner::gelu_gradient(level, &x[range.clone()], &gradient[range], out);
        })
    };
    values
}

#[derive(Debug)]
pub(super) struct GeluGradient;

impl Backward<Flex, 1> for GeluGradient {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_x], x) = (ops.parents, ops.state.to_contiguous());
        if let Some(node) = of_x {
            let gradient = gradient_of_values(level(), values(&x), values(&dy));
            gradients.register::<Flex>(node.id, like(gradient, &x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernels::{serve, serve_learning};
    use burn::tensor::{Device, TensorData};
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

    /// erf z = 2/√π · e^(−z²) · Σ 2ⁿ z²ⁿ⁺¹ / (2n + 1)!!, a series of positive terms for z > 0.
    fn erf(z: f64) -> f64 {
        let (mut term, mut sum) = (z, 0.0);
        for n in 0..400 {
            sum += term;
            term *= 2.0 * z * z / f64::from(2 * n + 3);
        }
        FRAC_2_SQRT_PI * (-z * z).exp() * sum
    }

    fn distribution(x: f64) -> f64 {
        0.5 * (1.0 + if x.abs() > 12.0 { x.signum() } else { erf(x * FRAC_1_SQRT_2) })
    }

    /// From −20 to 20 in steps of about 10⁻³, and everything small.
    fn places() -> Vec<f32> {
        let even = (-20_003..=20_003).map(|i| i as f32 * 0.001_000_1);
        let small = (-40..0).flat_map(|power| [1.37 * 2f32.powi(power), -1.37 * 2f32.powi(power)]);
        even.chain(small).collect()
    }

    fn worst(ours: &[f32], expected: impl Fn(f64) -> f64) -> f64 {
        let differences = ours.iter().zip(places()).map(|(ours, x)| {
            let expected = expected(f64::from(x));
            assert!(ours.is_finite(), "{ours} at {x}");
            (f64::from(*ours) - expected).abs() / expected.abs().max(1.0)
        });
        differences.fold(0.0, f64::max)
    }

    #[test]
    fn gelu_is_within_a_millionth() {
        if !serve(&Device::flex()) {
            return;
        }
        let worst = worst(&of_values(level(), &places()), |x| x * distribution(x));
        assert!(worst < 1e-6, "off by {worst:e}");
        // Close to 0 it is half of x, to nearly all digits of an F32.
        let x = [1e-6f32, -3e-5, 2e-9];
        for (ours, x) in of_values(level(), &x).into_iter().zip(x) {
            let expected = f64::from(x) * distribution(f64::from(x));
            assert!((f64::from(ours) / expected - 1.0).abs() < 1e-6, "{ours} at {x}");
        }
    }

    #[test]
    fn far_values_and_those_that_are_no_numbers_stay_what_they_are() {
        if !serve(&Device::flex()) {
            return;
        }
        let ours = of_values(level(), &[f32::INFINITY, 1e30, -1e30, f32::NAN, 0.0]);
        assert_eq!(ours[..2], [f32::INFINITY, 1e30]);
        assert!(ours[2].abs() < 1e-30 && ours[3].is_nan() && ours[4] == 0.0, "{ours:?}");
    }

    #[test]
    fn its_gradient_is_within_a_millionth() {
        let device = Device::flex().autodiff();
        if !serve_learning(&device) {
            return;
        }
        let x = Tensor::<3>::from_data(TensorData::new(places(), [1, 1, places().len()]), &device).require_grad();
        let gradients = gelu(x.clone()).sum().backward();
        let ours: Vec<f32> = x.grad(&gradients).unwrap().into_data().iter().collect();
        let worst = worst(&ours, |x| distribution(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt());
        assert!(worst < 1e-6, "off by {worst:e}");
    }
}
