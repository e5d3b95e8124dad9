//! What can be told wrong with a run before it takes its first step.

use crate::types::{
    ClassifyTask, ContrastiveTask, DigitLayers, DigitNetwork, DigitTask, Learns, MaskedTask, StartFrom, TrainSpec,
    TrainTask, UserError,
};
use std::path::Path;

/// Most units of a hidden layer of a digit network.
const WIDEST: usize = 4096;

/// What hidden layers of a perceptron cannot be, as a sentence.
fn check_digit_layers(layers: &DigitLayers, network: DigitNetwork) -> Result<(), String> {
    let DigitLayers { hidden, dropout, residual, .. } = layers;
    if network != DigitNetwork::Mlp {
        return Err("They are those of a perceptron: network = \"mlp\".".to_owned());
    }
    if let Some(width) = hidden.iter().find(|width| !(1..=WIDEST).contains(width)) {
        return Err(format!("A layer of {width} units is not between 1 and {WIDEST}."));
    }
    if !(0.0..1.0).contains(dropout) {
        return Err(format!("dropout ({dropout}) is not from 0 to below 1: of all values something must be left."));
    }
    if *residual && (hidden.len() < 2 || hidden.windows(2).any(|two| two[0] != two[1])) {
        return Err(
            "residual needs two layers at least, all with as many units, so that one adds to the other.".to_owned()
        );
    }
    Ok(())
}

/// What can be told wrong before any data is read.
pub(crate) fn check(spec: &TrainSpec) -> Result<(), UserError> {
    let wrong = |field: &str, why: String| {
        UserError::new(format!("The run cannot start: {field} is unusable."), why, "Change it and start again.")
    };
    if spec.steps == 0 {
        return Err(wrong("steps", "There must be at least one step.".to_owned()));
    }
    if spec.batch_size == 0 {
        return Err(wrong("batch_size", "A batch holds at least one example.".to_owned()));
    }
    if spec.accumulate == 0 {
        return Err(wrong("accumulate", "A step learns from at least one batch.".to_owned()));
    }
    if spec.patience > 0 && spec.validation_share == 0.0 {
        let why = "Whether a run has settled shows on held-out data, and nothing is held out.".to_owned();
        return Err(wrong("patience", why));
    }
    if spec.eval_every == 0 {
        return Err(wrong("eval_every", "There must be at least one step between validations.".to_owned()));
    }
    if !spec.learning_rate.is_finite() || spec.learning_rate <= 0.0 {
        return Err(wrong("learning_rate", format!("{} is not a positive number.", spec.learning_rate)));
    }
    if !(0.0..1.0).contains(&spec.validation_share) {
        let why = format!("{} is not a share from 0 up to, but not including, 1.", spec.validation_share);
        return Err(wrong("validation_share", why));
    }
    if !(spec.learn_from > 0.0 && spec.learn_from <= 1.0) {
        let why = format!("{} is not a share above 0 and up to 1.", spec.learn_from);
        return Err(wrong("learn_from", why));
    }
    if spec.learn_from < 1.0 && matches!(spec.task, TrainTask::FewShot(_) | TrainTask::Memory(_)) {
        let why = "Its data is drawn anew for each step, so there is no share of it. Leave learn_from out.".to_owned();
        return Err(wrong("learn_from", why));
    }
    if !spec.weight_decay.is_finite() || spec.weight_decay < 0.0 {
        return Err(wrong("weight_decay", format!("{} is not zero or a positive number.", spec.weight_decay)));
    }
    if !spec.clip_norm.is_finite() || spec.clip_norm < 0.0 {
        return Err(wrong("clip_norm", format!("{} is not zero or a positive number.", spec.clip_norm)));
    }
    if let Some(lora) = &spec.lora {
        if lora.rank == 0 {
            return Err(wrong("the rank of lora", "A change has at least rank 1.".to_owned()));
        }
        if !lora.alpha.is_finite() || lora.alpha <= 0.0 {
            return Err(wrong("the alpha of lora", format!("{} is not a positive number.", lora.alpha)));
        }
        if lora.targets.is_empty() {
            return Err(wrong("lora", "It names no targets, so nothing would be learned.".to_owned()));
        }
        match &spec.task {
            TrainTask::Digits(_) => {
                let why = "A digit network is so small that all of it learns.".to_owned();
                return Err(wrong("lora", why));
            }
            TrainTask::Classify(task) if task.learns == Learns::Head => {
                let why = "The head is to learn alone, so that no matrix of the body is changed. Leave out learns, or name last layers.";
                return Err(wrong("lora", why.to_owned()));
            }
            TrainTask::Masked(_) | TrainTask::Contrastive(_) => {
                let why = "Pre-training changes all weights of an encoder. Leave [lora] out.";
                return Err(wrong("lora", why.to_owned()));
            }
            TrainTask::Classify(_) | TrainTask::Text(_) | TrainTask::FewShot(_) | TrainTask::Memory(_) => {}
        }
        if spec.start == StartFrom::Scratch {
            return Err(wrong("lora", "Changes of random weights are of no use; start from a model.".to_owned()));
        }
    }
    if let TrainTask::Digits(DigitTask { layers: Some(layers), network, .. }) = &spec.task {
        check_digit_layers(layers, *network).map_err(|why| wrong("layers", why))?;
    }
    if let TrainTask::Masked(MaskedTask { blanks, .. }) | TrainTask::Contrastive(ContrastiveTask { blanks, .. }) =
        &spec.task
        && !(*blanks > 0.0 && *blanks <= 0.9)
    {
        return Err(wrong("blanks", format!("{blanks} is not a share above 0 and up to 0.9.")));
    }
    if let TrainTask::Contrastive(task) = &spec.task {
        if !task.temperature.is_finite() || task.temperature <= 0.0 {
            return Err(wrong("temperature", format!("{} is not a positive number.", task.temperature)));
        }
        for (name, share) in [("neighbours", task.neighbours), ("deletion", task.deletion)] {
            if !(0.0..=1.0).contains(&share) || (name == "deletion" && share > 0.9) {
                return Err(wrong(
                    name,
                    format!("{share} is not a share from 0 to {}.", if name == "deletion" { 0.9 } else { 1.0 }),
                ));
            }
        }
        if task.deletion == 0.0 && task.neighbours < 1.0 {
            let why = "The same text twice, with nothing left out, is told from others without learning anything. Leave words out, or pair \
                       neighbouring sentences alone.";
            return Err(wrong("deletion", why.to_owned()));
        }
        if !task.masked.is_finite() || task.masked < 0.0 {
            return Err(wrong("masked", format!("{} is not zero or a positive number.", task.masked)));
        }
        if task.masked > 0.0 && task.masked_sequences == 0 {
            return Err(wrong("masked_sequences", "Blanks need at least one sequence.".to_owned()));
        }
        if spec.batch_size < 2 {
            return Err(wrong(
                "batch_size",
                "A text is told from the others of its batch, so there are at least two.".to_owned(),
            ));
        }
    }
    if let TrainTask::Classify(ClassifyTask { words: Some(words), learns, data, .. }) = &spec.task {
        let places = ["{input}", "{output}"].map(|place| words.template.find(place));
        if !matches!(places, [Some(input), Some(output)] if input < output) {
            let why = format!("{:?} does not have {{input}} with {{output}} behind it.", words.template);
            return Err(wrong("the template of words", why));
        }
        if *learns == Learns::Head {
            let why =
                "Labels that are said as words need no head for classes, and nothing else would learn.".to_owned();
            return Err(wrong("learns", why));
        }
        if data.is_dir() {
            return Err(wrong("words", "A decoder reads no pictures.".to_owned()));
        }
    }
    for group in &spec.groups {
        if !group.rate.is_finite() || group.rate < 0.0 {
            let why = format!("{} is not zero or a positive number.", group.rate);
            return Err(wrong(&format!("the rate of {}", group.parameters), why));
        }
    }
    Ok(())
}

pub(super) fn other_network(spec: &TrainSpec) -> UserError {
    let out = spec.out.as_deref().unwrap_or(Path::new(""));
    UserError::new(
        format!("The checkpoint in {} does not fit the network.", out.display()),
        "It holds weights of other shapes: the model the run started from was changed.",
        "Delete the checkpoint folder to train from the beginning.",
    )
}
