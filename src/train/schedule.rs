//! The learning rate over the steps.

use crate::types::{LrSchedule, TrainSpec};

/// Learning rate of `step`, counted from 1: linear warm-up, then constant or half a cosine down to a tenth.
pub(super) fn learning_rate(spec: &TrainSpec, step: usize) -> f64 {
    let peak = spec.learning_rate;
    if step <= spec.warmup_steps {
        return peak * step as f64 / spec.warmup_steps as f64;
    }
    match spec.schedule {
        LrSchedule::Constant => peak,
        LrSchedule::Cosine => {
            let rest = spec.steps.saturating_sub(spec.warmup_steps).max(1);
            let done = ((step - spec.warmup_steps) as f64 / rest as f64).min(1.0);
            peak * (0.1 + 0.45 * (1.0 + (std::f64::consts::PI * done).cos()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_warms_up_and_falls_to_a_tenth() {
        let spec: TrainSpec = toml::from_str(
            "learning_rate = 0.1\nbatch_size = 1\nsteps = 110\nwarmup_steps = 10\nschedule = \"cosine\"\n\
             [task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n",
        )
        .unwrap();
        assert!((learning_rate(&spec, 1) - 0.01).abs() < 1e-12);
        assert!((learning_rate(&spec, 10) - 0.1).abs() < 1e-12);
        assert!((learning_rate(&spec, 60) - 0.055).abs() < 1e-12, "half way between peak and a tenth");
        assert!((learning_rate(&spec, 110) - 0.01).abs() < 1e-12);
        let constant = TrainSpec { schedule: LrSchedule::Constant, ..spec };
        assert_eq!(learning_rate(&constant, 110), 0.1);
    }
}
