//! A digit network as a folder: config.json beside model.safetensors, opened as strictly as a text model.

use crate::load::classifier::drawing::Drawing;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::hidden_fields::{dropout_share, nonlinearity};
use crate::load::source::{CONFIG_FILE, ModelSource, source};
use crate::load::tensors::weights::{StoredTensor, Weights, write_weights};
use crate::load::text::config::architecture;
use crate::nn::{DigitCnnConfig, DigitConfig, DigitMlpConfig, DigitNet};
use crate::types::{Architecture, DIGIT_SIDE, DigitLayers, LayerWeights, ModelId, ModelInfo, Precision, Shape};
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// More neurons or maps in one layer than this are a mistake in config.json, not a network for 784 pixels.
const WIDEST_LAYER: usize = 4096;

/// A digit network, ready to use.
#[derive(Clone, Debug)]
pub struct DigitModel {
    /// What is shown of it.
    pub info: ModelInfo,
    /// Its sizes.
    pub config: DigitConfig,
    /// The network.
    pub net: DigitNet,
}

impl DigitModel {
    /// A model that was not read from a folder.
    #[must_use]
    pub fn new(name: &str, config: DigitConfig, net: DigitNet) -> Self {
        let info = ModelInfo {
            id: ModelId::next(),
            name: name.to_owned(),
            path: PathBuf::new(),
            architecture: config.architecture(),
            precision: Precision::F32,
            parameters: config.parameters(),
            shape: Shape::Digits { layers: config.layers().len(), classes: config.classes() },
            held_out: None,
            own_sampling: None,
            quantised: None,
            adapter: None,
            modified: false,
            trained_steps: 0,
        };
        Self { info, config, net }
    }

    /// The same with a new output layer for so many classes, drawn as the heads of all models are: what other layers learned is large, and
    /// a new network's output layer would begin with scores that are far apart.
    #[must_use]
    pub fn with_new_head(self, classes: usize, seed: u64, device: &Device) -> Self {
        let config = self.config.with_classes(classes);
        let mut weights = self.net.layer_weights();
        if let (Some(output), Some((_, shape))) = (weights.last_mut(), config.layers().pop()) {
            let values = Drawing::usual(seed, device).values(shape.iter().product());
            (output.values, output.bias) = (values.into(), vec![0.0; shape[0]].into());
            output.shape = shape;
        }
        let net = config.with_weights(&weights, device).with_norms(&self.net.norms(), device);
        self.with(config, net)
    }

    /// A network of the same layers for so many classes that has learned nothing.
    #[must_use]
    pub fn from_scratch(self, classes: usize, seed: u64, device: &Device) -> Self {
        let config = self.config.with_classes(classes);
        let net = config.init(seed, device);
        self.with(config, net)
    }

    fn with(self, config: DigitConfig, net: DigitNet) -> Self {
        let shape = Shape::Digits { layers: config.layers().len(), classes: config.classes() };
        Self { info: ModelInfo { parameters: config.parameters(), shape, ..self.info }, config, net }
    }
}

/// Opens a folder with a digit network.
///
/// # Errors
/// Anything wrong with the folder, naming the file and the field or tensor: see [`LoadError`].
pub fn open_digit_model(dir: &Path, device: &Device) -> Result<DigitModel, LoadError> {
    let source = source(dir);
    let config = read_config(&*source)?;
    let files = source.weights()?;
    let ignore_progress = &mut |_, _| {};
    let mut weights = Weights::new(&files, device, ignore_progress)?;
    let mut layers = Vec::new();
    for (name, shape) in config.layers() {
        let values = weights.values(&format!("{name}.weight"), &shape)?.into();
        let bias = weights.values(&format!("{name}.bias"), &shape[..1])?.into();
        layers.push(LayerWeights { name, shape, values, bias });
    }
    let mut norms = Vec::new();
    for (name, width) in config.norms() {
        let mut read = |part: &str| weights.values(&format!("{name}.{part}"), &[width]);
        norms.push([read("weight")?, read("bias")?]);
    }
    let kept = weights.finish(|_| false)?;
    let net = config.with_weights(&layers, device).with_norms(&norms, device);
    let mut model = DigitModel::new(&source.name(), config, net);
    model.info.path = dir.to_owned();
    model.info.precision = kept.precision;
    model.info.quantised = kept.quantised;
    Ok(model)
}

/// Writes config.json and model.safetensors (PyTorch's layout, every weight in `precision`). The folder is made if it is not
/// there.
///
/// # Errors
/// When the folder cannot be made, a file cannot be written, or a weight is too large for `precision`.
pub fn save_digit_model(model: &DigitModel, dir: &Path, precision: Precision) -> Result<(), LoadError> {
    std::fs::create_dir_all(dir).map_err(|source| LoadError::Write { path: dir.to_owned(), source })?;
    write_weights(&stored_tensors(&model.config, &model.net), precision, dir)?;
    let mut config = json!({
        "architectures": [model.config.architecture().config_name()],
        "image_size": DIGIT_SIDE,
        "num_labels": model.config.classes(),
        "torch_dtype": precision.torch_name(),
    });
    match &model.config {
        DigitConfig::Mlp(mlp) => write_layers(&mlp.layers, &mut config),
        DigitConfig::Cnn(cnn) => {
            config["channels"] = json!(cnn.channels);
            config["hidden_size"] = json!(cnn.hidden);
        }
    }
    crate::load::write_json(&dir.join(CONFIG_FILE), &config)
}

/// Every tensor under its name in the file.
pub(in crate::load) fn stored_tensors(config: &DigitConfig, net: &DigitNet) -> Vec<(String, StoredTensor)> {
    let mut tensors = Vec::new();
    for layer in net.layer_weights() {
        let outputs = layer.bias.len();
        let weight = StoredTensor { shape: layer.shape, values: layer.values.to_vec() };
        let bias = StoredTensor { shape: vec![outputs], values: layer.bias.to_vec() };
        tensors.push((format!("{}.weight", layer.name), weight));
        tensors.push((format!("{}.bias", layer.name), bias));
    }
    for ((name, width), norm) in config.norms().into_iter().zip(net.norms()) {
        for (part, values) in ["weight", "bias"].into_iter().zip(norm) {
            tensors.push((format!("{name}.{part}"), StoredTensor { shape: vec![width], values }));
        }
    }
    tensors
}

/// Settings of hidden layers; those that a perceptron usually has are not written, as they were not before there were others.
fn write_layers(layers: &DigitLayers, config: &mut Value) {
    let usual = DigitLayers::default();
    config["hidden_sizes"] = json!(layers.hidden);
    if layers.activation != usual.activation {
        config["hidden_act"] = json!(layers.activation.name());
    }
    if layers.dropout != usual.dropout {
        config["hidden_dropout_prob"] = json!(layers.dropout);
    }
    for (name, flag) in [("layer_norm", layers.norm), ("residual_connections", layers.residual)] {
        if flag {
            config[name] = json!(true);
        }
    }
}

fn read_layers(fields: &Fields) -> Result<DigitLayers, LoadError> {
    let (hidden, usual) = (widths(fields, "hidden_sizes")?, DigitLayers::default());
    let residual = fields.flag("residual_connections", usual.residual)?;
    if residual && hidden.windows(2).any(|two| two[0] != two[1]) {
        return Err(fields.wrong("hidden_sizes", "must be alike where layers add what they read"));
    }
    Ok(DigitLayers {
        hidden,
        activation: nonlinearity(fields, usual.activation)?,
        dropout: dropout_share(fields)?,
        norm: fields.flag("layer_norm", usual.norm)?,
        residual,
    })
}

fn read_config(source: &dyn ModelSource) -> Result<DigitConfig, LoadError> {
    let fields = source.config()?;
    let architecture = architecture(&fields)?;
    let side = fields.count("image_size")?;
    if side != DIGIT_SIDE {
        return Err(fields.unsupported("image_size", &side, DIGIT_SIDE.to_string()));
    }
    let classes = width(&fields, "num_labels", fields.count("num_labels")?)?;
    match architecture {
        Architecture::DigitMlp => Ok(DigitConfig::Mlp(DigitMlpConfig { layers: read_layers(&fields)?, classes })),
        Architecture::DigitCnn => {
            let hidden = width(&fields, "hidden_size", fields.count("hidden_size")?)?;
            let config = DigitCnnConfig { channels: widths(&fields, "channels")?, hidden, classes };
            if config.channels.is_empty() || config.final_side() == 0 {
                return Err(fields.wrong("channels", "must list one to four convolutions: each halves the image"));
            }
            Ok(DigitConfig::Cnn(config))
        }
        other => Err(fields.unsupported("architectures", &other.config_name(), "a digit network here")),
    }
}

fn widths(fields: &Fields, name: &str) -> Result<Vec<usize>, LoadError> {
    let list = fields.value(name).ok_or_else(|| fields.wrong(name, "is missing"))?;
    let list = list.as_array().ok_or_else(|| fields.wrong(name, format!("is {list}, not a list")))?;
    list.iter()
        .map(|value| match value.as_u64() {
            Some(n) if n > 0 => width(fields, name, usize::try_from(n).unwrap_or(usize::MAX)),
            _ => Err(fields.wrong(name, format!("holds {value}, not a positive whole number"))),
        })
        .collect()
}

fn width(fields: &Fields, name: &str, n: usize) -> Result<usize, LoadError> {
    if n <= WIDEST_LAYER { Ok(n) } else { Err(fields.wrong(name, format!("holds {n}, more than {WIDEST_LAYER}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DigitNetwork, Nonlinearity};

    fn saved(network: DigitNetwork) -> (tempfile::TempDir, DigitModel) {
        let config = DigitConfig::of(network);
        let net = config.init(7, &Device::flex());
        written(config, net)
    }

    fn written(config: DigitConfig, net: DigitNet) -> (tempfile::TempDir, DigitModel) {
        let model = DigitModel::new("test", config, net);
        let dir = tempfile::tempdir().unwrap();
        save_digit_model(&model, dir.path(), Precision::F32).unwrap();
        (dir, model)
    }

    #[test]
    fn a_saved_network_opens_with_the_same_weights() {
        for network in [DigitNetwork::Mlp, DigitNetwork::Cnn] {
            let (dir, model) = saved(network);
            let opened = open_digit_model(dir.path(), &Device::flex()).unwrap();
            assert_eq!(opened.config, model.config);
            assert_eq!(opened.net.layer_weights(), model.net.layer_weights());
            assert_eq!(opened.info.parameters, model.info.parameters);
        }
    }

    #[test]
    fn layers_of_a_recipe_are_saved_and_have_a_new_head() {
        let device = Device::flex();
        let layers = DigitLayers {
            hidden: vec![6, 6],
            activation: Nonlinearity::Tanh,
            dropout: 0.25,
            norm: true,
            residual: true,
        };
        let config = DigitConfig::perceptron(layers);
        let norms = [1.5, 0.5].map(|gain| [vec![gain; 6], vec![0.25 * gain; 6]]);
        let net = config.init(7, &device).with_norms(&norms, &device);
        let (dir, model) = written(config, net);
        let opened = open_digit_model(dir.path(), &device).unwrap();
        assert_eq!((&opened.config, opened.net.norms()), (&model.config, norms.to_vec()));
        assert_eq!(opened.net.layer_weights(), model.net.layer_weights());
        assert_eq!(opened.with_new_head(3, 1, &device).net.norms(), norms);

        let path = dir.path().join(CONFIG_FILE);
        let config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((&config["hidden_act"], &config["layer_norm"]), (&json!("tanh"), &json!(true)));
        for (field, value) in [
            ("hidden_act", json!("gelu")),
            ("hidden_dropout_prob", json!(1)),
            ("hidden_sizes", json!([6, 7])),
            ("layer_norm", json!("yes")),
        ] {
            let mut config = config.clone();
            config[field] = value;
            std::fs::write(&path, config.to_string()).unwrap();
            let message = open_digit_model(dir.path(), &device).unwrap_err().to_string();
            assert!(message.contains(field), "{message:?} does not name {field}");
        }
    }

    /// Saves the network with one tensor changed, and gives the error of opening it.
    fn error_after(change: impl Fn(&mut Vec<(String, StoredTensor)>)) -> LoadError {
        let (dir, model) = saved(DigitNetwork::Mlp);
        let mut tensors = Vec::new();
        for layer in model.net.layer_weights() {
            let bias = StoredTensor { shape: vec![layer.bias.len()], values: layer.bias.to_vec() };
            tensors.push((format!("{}.bias", layer.name), bias));
            let weight = StoredTensor { shape: layer.shape, values: layer.values.to_vec() };
            tensors.push((format!("{}.weight", layer.name), weight));
        }
        change(&mut tensors);
        write_weights(&tensors, Precision::F32, dir.path()).unwrap();
        open_digit_model(dir.path(), &Device::flex()).unwrap_err()
    }

    #[test]
    fn bad_tensors_are_named() {
        let missing = error_after(|tensors| tensors.retain(|(name, _)| name != "fc2.bias"));
        assert!(matches!(missing, LoadError::MissingTensor { name, .. } if name == "fc2.bias"));
        let misshapen = error_after(|tensors| tensors[1].1.shape = vec![784, 16]);
        assert!(matches!(
            misshapen,
            LoadError::WrongShape { name, expected, found, .. }
                if name == "fc1.weight" && expected == [16, 784] && found == [784, 16]
        ));
        let nan = error_after(|tensors| tensors[3].1.values[5] = f32::NAN);
        assert!(matches!(nan, LoadError::NotFinite { name, index: 5, .. } if name == "fc2.weight"));
        let unexpected = error_after(|tensors| {
            tensors.push(("fc9.bias".into(), StoredTensor { shape: vec![1], values: vec![0.0] }));
        });
        assert!(matches!(unexpected, LoadError::UnexpectedTensors { names, .. } if names == ["fc9.bias"]));
    }

    #[test]
    fn bad_configurations_are_named() {
        for (field, value) in [
            ("hidden_sizes", json!([16, 0])),
            ("hidden_sizes", json!("16")),
            ("hidden_sizes", json!([1_000_000])),
            ("num_labels", json!(null)),
            ("image_size", json!(32)),
        ] {
            let (dir, _) = saved(DigitNetwork::Mlp);
            let path = dir.path().join(CONFIG_FILE);
            let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            config[field] = value;
            std::fs::write(&path, config.to_string()).unwrap();
            let message = open_digit_model(dir.path(), &Device::flex()).unwrap_err().to_string();
            assert!(message.contains(field), "{message:?} does not name {field}");
        }
    }
}
