//! What a recurrent model keeps of a text: gates, cells and what is handed on, of each layer at each token.

use super::embed::unreadable;
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{Outcome, PromptInput};
use crate::load::TextModel;
use crate::nn::{CausalLm, LayerValues, Recurrent, RecurrentLayer};
use crate::types::{LayerStates, ModelId, ModelInfo, PromptToken, RecurrentCell, StatePart, StatesReport, UserError};
use std::sync::Arc;

/// Reads a text and keeps what its layers have.
pub(crate) struct WatchStates {
    model: ModelId,
    prompt: PromptInput,
    reading: prompt::Reading,
}

/// Values may take this much.
const BUDGET_BYTES: usize = 512 << 20;

impl WatchStates {
    /// To keep what the layers of `model` have while it reads a prompt.
    pub(crate) fn new(model: ModelId, prompt: PromptInput) -> Self {
        Self { model, prompt, reading: prompt::Reading::default() }
    }
}

impl Task for WatchStates {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        let CausalLm::Recurrent(net) = &model.lm else { return Err(no_state(&model.info)) };
        let Some(tokens) = self.reading.read(model, &self.prompt)? else { return Ok(Step::More) };
        Ok(Step::Done(Outcome::StatesWatched(Arc::new(watch(model, net, tokens)?))))
    }
}

fn watch(model: &TextModel, net: &Recurrent, tokens: Vec<PromptToken>) -> Result<StatesReport, UserError> {
    let parts: &[StatePart] = match net.cell() {
        RecurrentCell::Lstm => {
            use StatePart::{Candidate, Cell, ForgetGate, Hidden, InputGate, OutputGate};
            &[InputGate, ForgetGate, Candidate, OutputGate, Cell, Hidden]
        }
        RecurrentCell::Tanh => &[StatePart::Hidden],
    };
    let units: usize = net.blocks.iter().map(RecurrentLayer::units).sum();
    let bytes = [units, parts.len(), tokens.len(), size_of::<f32>()].into_iter().fold(1, usize::saturating_mul);
    if bytes > BUDGET_BYTES {
        return Err(UserError::new(
            format!("What {} keeps of this text does not fit.", model.info.name),
            format!("{} tokens of {units} units take {}.", tokens.len(), crate::types::bytes_in_words(bytes as u64)),
            "Take a shorter text.",
        ));
    }
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let layers = net.layer_values(model.lm.ids(&ids)).into_iter();
    let layers = layers.map(|values| read(values, parts, ids.len())).collect::<Result<_, _>>()?;
    Ok(StatesReport { tokens, layers })
}

fn read(
    LayerValues { gates, cells, hidden }: LayerValues,
    parts: &[StatePart],
    tokens: usize,
) -> Result<LayerStates, UserError> {
    let [_, _, units] = hidden.dims();
    let gates = gates.try_to_vec_as::<f32>().map_err(unreadable)?;
    let gate = |place: usize| -> Vec<f32> {
        let rows = gates.chunks_exact(gates.len() / tokens);
        rows.flat_map(|row| &row[place * units..(place + 1) * units]).copied().collect()
    };
    let mut found = Vec::with_capacity(parts.len());
    for part in parts {
        let values = match part {
            StatePart::InputGate => gate(0),
            StatePart::ForgetGate => gate(1),
            StatePart::Candidate => gate(2),
            StatePart::OutputGate => gate(3),
            StatePart::Cell => match &cells {
                Some(cells) => cells.try_to_vec_as::<f32>().map_err(unreadable)?,
                None => continue,
            },
            StatePart::Hidden => hidden.try_to_vec_as::<f32>().map_err(unreadable)?,
        };
        found.push((*part, values));
    }
    Ok(LayerStates { units, parts: found })
}

fn no_state(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} keeps no state from token to token.", info.name),
        format!(
            "It is no recurrent network ({}): what it knows of earlier tokens it reads again at each.",
            info.architecture.family()
        ),
        "Choose an LSTM or RNN, such as one trained with architecture = \"lstm\"; of a transformer, look at its attention.",
    )
}
