//! A vision transformer as a folder in Hugging Face layout.

use crate::load::adapter::classes::AdapterClasses;
use crate::load::adapter::{Adapter, Attached};
use crate::load::classifier::drawing::Drawing;
use crate::load::error::LoadError;
use crate::load::source::source;
use crate::load::tensors::weights::Weights;
use crate::load::text::config::architecture;
use crate::load::vision::preprocessor::Preprocessor;
use crate::load::vision::vision_config::{self, VisionSettings};
use crate::load::vision::vision_weights;
use crate::nn::{Vit, VitConfig, in_full_precision, redrawn};
use crate::types::{Blocks, ModelId, ModelInfo, Shape, VisionInfo};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::{Map, Value};
use std::path::Path;

/// Standard deviation of the weights of a vision transformer that has learned nothing.
const FIRST_STD: f64 = 0.02;

const NO_HEAD: &str = "the adapter is for classes, and its head is neither in it nor in the model";

/// A vision transformer, ready to use.
#[derive(Clone, Debug)]
pub struct VisionModel {
    /// What is shown of it.
    pub info: ModelInfo,
    /// Its shape.
    pub config: VitConfig,
    /// The network.
    pub vit: Vit,
    /// How pictures are prepared.
    pub preprocessor: Preprocessor,
    /// Names of the classes; empty without a head.
    pub labels: Vec<String>,
    /// The adapter that belongs to it, and the network without it; [`Self::vit`] is what both are together.
    pub adapter: Option<Box<Attached<Vit>>>,
    /// The head, where there is one, is in its folder; else it was drawn, or is an adapter's.
    pub head_is_stored: bool,
    /// What preprocessor_config.json says.
    pub(in crate::load) picture_settings: Map<String, Value>,
}

impl VisionModel {
    /// The same with a new head for other classes, as transformers draws it, on the first token. A pooler is dropped.
    ///
    /// # Errors
    /// When the folder's config.json cannot be read.
    pub fn with_new_head(mut self, labels: Vec<String>, seed: u64, device: &Device) -> Result<Self, LoadError> {
        let settings = source(&self.info.path).config()?;
        let head = Drawing::new(Some(&settings), seed, device)?.linear([labels.len(), self.config.hidden], true);
        (self.vit.pooler, self.vit.heads) = (None, vec![head]);
        self.info.parameters = self.vit.num_params() as u64;
        if let Shape::Vision { sees, .. } = &mut self.info.shape {
            sees.labels.clone_from(&labels);
        }
        (self.labels, self.head_is_stored) = (labels, false);
        Ok(self)
    }

    /// Weights that have learned nothing, in the same shape, as transformers begins: N(0, 0.02²), biases of zeros.
    #[must_use]
    pub fn from_scratch(mut self, seed: u64) -> Self {
        self.vit = redrawn(in_full_precision(self.vit), FIRST_STD, seed);
        self
    }

    /// A network without a head with the one that an adapter holds, which is to be put on it. The second value is true where the classes
    /// have numbers, since nobody names them.
    ///
    /// # Errors
    /// When the adapter holds no head, or a part of it is missing.
    pub fn with_head_of(self, adapter: &Adapter, device: &Device) -> Result<(Self, bool), LoadError> {
        let Some(classes) = adapter.head_classes(self.info.architecture) else {
            return Err(adapter.lacks("classifier.weight", NO_HEAD));
        };
        if !adapter.holds_whole("classifier.bias") {
            return Err(adapter.lacks("classifier.bias", NO_HEAD));
        }
        let (settings, folder) = (source(&self.info.path).config()?, adapter.info.path.clone());
        let (told, has_numbers) = AdapterClasses::of(adapter.classes.as_ref(), classes, Some(&settings), &folder)?;
        Ok((self.with_new_head(told.labels, 0, device)?, has_numbers))
    }

    /// Prepared pixels beside the weights, `[1, U, H, W]`.
    ///
    /// # Panics
    /// When there are not U·H·W.
    #[must_use]
    pub fn input(&self, pixels: Vec<f32>) -> Tensor<4> {
        self.preprocessor.batch(&[pixels], &self.vit.device())
    }
}

/// Opens a folder. `progress` is told the bytes of weights read and their total. A model without a head opens too: it can
/// be looked into.
///
/// # Errors
/// Anything wrong with the folder, naming the file and the field or tensor: see [`LoadError`].
pub fn open_vision_model(
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VisionModel, LoadError> {
    let source = source(dir);
    let fields = source.config()?;
    let architecture = architecture(&fields)?;
    let settings = vision_config::read_settings(&fields, architecture)?;
    let pictures = source.preprocessor()?;
    let preprocessor = Preprocessor::read(&pictures, &settings.config)?;
    let files = source.weights()?;
    let mut weights = Weights::new(&files, device, progress)?;
    let vit = vision_weights::read(&settings, &mut weights)?;
    let kept = weights.finish(vision_weights::is_harmless)?;
    let VisionSettings { config, labels, .. } = settings;
    let (rows, columns) = config.grid();
    let info = ModelInfo {
        id: ModelId::next(),
        name: source.name(),
        path: dir.to_owned(),
        architecture,
        precision: kept.precision,
        parameters: vit.num_params() as u64,
        shape: Shape::Vision {
            blocks: Blocks {
                layers: config.layers,
                heads: config.heads,
                kv_heads: config.heads,
                hidden: config.hidden,
            },
            tokens: config.tokens(),
            sees: VisionInfo { size: [config.height, config.width], grid: [rows, columns], labels: labels.clone() },
        },
        held_out: None,
        own_sampling: None,
        quantised: kept.quantised,
        adapter: None,
        modified: false,
        trained_steps: 0,
    };
    let picture_settings = pictures.entries().map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(VisionModel { info, config, vit, preprocessor, labels, adapter: None, head_is_stored: true, picture_settings })
}
