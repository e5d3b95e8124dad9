//! Whether what a run needs fits into memory, told before anything is learned: a system that has none left ends the program.

use crate::types::{ModelInfo, TrainSpec, TrainTask, UserError, bytes_in_words};

/// Bytes that a number which learns takes beside itself while a run goes on: its gradient, two moments, and its best value.
const LEARNING: u64 = 16;
/// Bytes of a weight in F32.
const WIDENED: u64 = 4;

/// Refuses a run of a model whose weights do not fit in F32, in which they are learned.
///
/// # Errors
/// When they do not.
pub(super) fn refuse_too_wide(info: &ModelInfo, spec: &TrainSpec) -> Result<(), UserError> {
    // Beside an adapter, weights stay as they are.
    let needed = if spec.lora.is_some() { 0 } else { WIDENED * info.parameters };
    refuse(info, spec, needed, available())
}

/// Refuses a run whose numbers that learn leave no room for what learning them takes.
///
/// # Errors
/// When they leave none.
pub(super) fn refuse_too_large(info: &ModelInfo, spec: &TrainSpec, learned: u64) -> Result<(), UserError> {
    refuse(info, spec, LEARNING * learned, available())
}

fn refuse(info: &ModelInfo, spec: &TrainSpec, needed: u64, available: Option<u64>) -> Result<(), UserError> {
    let Some(available) = available.filter(|available| needed > *available) else { return Ok(()) };
    let next = match &spec.task {
        TrainTask::Classify(_) if spec.lora.is_none() => {
            "Let the head learn alone, with fewer layers, or beside a low-rank adapter (LoRA); or close other programs."
                .to_owned()
        }
        TrainTask::Text(_) | TrainTask::FewShot(_) | TrainTask::Memory(_) if spec.lora.is_none() => {
            let fits = available / (WIDENED + LEARNING);
            format!(
                "Learn a low-rank adapter (LoRA), which leaves the weights as they are; or train a model of at most {} million weights, or \
                 close other programs.",
                fits / 1_000_000
            )
        }
        _ => "Train a smaller model, or close other programs.".to_owned(),
    };
    Err(UserError::new(
        format!("{} is too large to be trained so.", info.name),
        format!(
            "It takes {} beside what is open, and {} of memory are free. Nothing was begun.",
            bytes_in_words(needed),
            bytes_in_words(available)
        ),
        next,
    ))
}

/// Memory that can be had without others losing theirs, where the platform tells.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(more: &str) -> TrainSpec {
        let text = format!("learning_rate = 0.1\nbatch_size = 1\nsteps = 5\n{more}");
        toml::from_str(&text).unwrap()
    }

    fn info() -> ModelInfo {
        let config = crate::nn::DigitConfig::of(crate::types::DigitNetwork::Mlp);
        let model =
            crate::load::DigitModel::new("large", config.clone(), config.init(1, &burn::tensor::Device::flex()));
        ModelInfo { parameters: 7_000_000_000, ..model.info }
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        let text = spec("[task]\nkind = \"text\"\ndata = [\"x.txt\"]\ncontext = 8\n");
        let error = refuse(&info(), &text, 28_000_000_000, Some(2_000_000_000)).unwrap_err();
        assert!(error.why.contains("28.0 GB") && error.why.contains("2.00 GB"), "{error}");
        assert!(error.next.contains("LoRA") && error.next.contains("100 million"), "{error}");
        assert!(refuse(&info(), &text, 28_000_000_000, Some(30_000_000_000)).is_ok());
        assert!(refuse(&info(), &text, 28_000_000_000, None).is_ok(), "where nobody tells, nothing is refused");
        let digits = spec("[task]\nkind = \"digits\"\ndata = \"x\"\nnetwork = \"mlp\"\n");
        assert!(!refuse(&info(), &digits, 2, Some(1)).unwrap_err().next.contains("LoRA"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_what_is_free() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
