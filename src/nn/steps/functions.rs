//! Activation functions of one number, in F64.

use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

/// Between the two projections of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nn) enum Function {
    /// GELU (Hendrycks and Gimpel 2016), exact.
    Gelu,
    /// GELU by its tanh approximation.
    GeluTanh,
    /// x · σ(x).
    Silu,
}

impl Function {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gelu => "GELU",
            Self::GeluTanh => "GELU (by tanh)",
            Self::Silu => "SiLU",
        }
    }

    /// Its value.
    pub(super) fn of(self, x: f64) -> f64 {
        match self {
            Self::Gelu => 0.5 * x * (1.0 + erf(x / SQRT_2)),
            Self::GeluTanh => {
                let slope = FRAC_2_SQRT_PI / SQRT_2 * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + slope.tanh())
            }
            Self::Silu => x / (1.0 + (-x).exp()),
        }
    }
}

/// The error function by its Taylor series, which is exact to 10⁻⁹ as far as it is taken; beyond it is 1 to 10⁻⁸.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let mut power = x;
    let mut sum = x;
    for n in 1..=100_u32 {
        let n = f64::from(n);
        power *= -x * x / n;
        sum += power / (2.0 * n + 1.0);
    }
    FRAC_2_SQRT_PI * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_their_tabulated_values() {
        // Abramowitz and Stegun, table 7.1.
        for (x, value) in
            [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0), (3.9, 0.999_999_965_2)]
        {
            assert!((erf(x) - value).abs() < 1e-9 && erf(-x) == -erf(x), "erf({x}) = {}", erf(x));
        }
        assert!((Function::Gelu.of(1.0) - 0.841_344_746).abs() < 1e-9);
        assert!((Function::GeluTanh.of(1.0) - 0.841_191_991).abs() < 1e-8);
        assert!((Function::Silu.of(1.0) - 0.731_058_579).abs() < 1e-9);
    }
}
