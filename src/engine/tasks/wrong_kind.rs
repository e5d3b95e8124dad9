//! What is said when a model is asked for what its kind does not do.

use crate::types::{ModelInfo, ModelKind, UserError};

/// `model` was asked for what a model of kind `wanted` does.
pub(super) fn wrong_kind(model: &ModelInfo, wanted: ModelKind) -> UserError {
    use ModelKind::{CausalLm, DigitClassifier, ImageClassifier, TextClassifier, TextEncoder};
    let found = model.kind();
    let what = match (wanted, found) {
        (CausalLm, TextEncoder) => "cannot continue a text",
        (TextEncoder, CausalLm) => "gives neither vectors of texts nor guesses for masks",
        (CausalLm, TextClassifier) => "tells classes, and cannot continue a text",
        (TextEncoder, TextClassifier) => "tells classes, and gives neither vectors of texts nor guesses for masks",
        (TextClassifier, CausalLm | TextEncoder) => "has no head that tells which class a text belongs to",
        (CausalLm | TextEncoder | TextClassifier, _) => "cannot read text",
        (ImageClassifier | DigitClassifier, CausalLm | TextEncoder | TextClassifier) => "cannot read images",
        (ImageClassifier, _) => "reads digits only",
        (DigitClassifier, _) => "is no digit network",
    };
    let why = match found {
        CausalLm => "It is a text model: it takes tokens.",
        TextEncoder => "It is an encoder: it reads a whole text at once and gives a vector for every token.",
        TextClassifier => "It is a classifier of texts: it reads a whole text and scores each class.",
        ImageClassifier => "It is an image classifier: it takes a picture in colour.",
        DigitClassifier => "It is a digit network: it takes a 28×28 image.",
    };
    let next = match (wanted, found) {
        (CausalLm, TextEncoder) => {
            "Use `fovea embed`, `fovea fill` or `fovea inspect` with it, or its own view in the Prompt panel; to continue a text, choose a model such as LlamaForCausalLM or GPT2LMHeadModel."
        }
        (TextClassifier, CausalLm | TextEncoder) => {
            "Train a head on it, or choose a folder with a name such as BertForSequenceClassification in its config.json."
        }
        (TextClassifier, _) => "Choose a folder with a name such as BertForSequenceClassification in its config.json.",
        (CausalLm | TextEncoder, TextClassifier) => {
            "Use `fovea classify --text` with it, or the Prompt panel; the folder that its head was trained on does the rest."
        }
        (CausalLm, _) => {
            "Choose a text model, such as a folder with LlamaForCausalLM or GPT2LMHeadModel in its config.json."
        }
        (TextEncoder, _) => {
            "Choose an encoder, such as a folder with BertModel, RobertaForMaskedLM or DistilBertModel in its config.json."
        }
        (ImageClassifier, _) => {
            "Choose a folder with ViTForImageClassification or DeiTForImageClassification in its config.json."
        }
        (DigitClassifier, _) => "Choose a digit network, such as the shipped digits-mlp or digits-cnn.",
    };
    UserError::new(format!("{} {what}.", model.name), why, next)
}
