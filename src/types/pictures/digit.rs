//! A drawn digit and what a network makes of it.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Side of the images the networks read, in pixels.
pub const DIGIT_SIDE: usize = 28;
/// Side of the drawing canvas in canvas units; ten units are one pixel of a 28×28 image.
pub const CANVAS_SIDE: f32 = 280.0;

/// 28×28 intensities in `0..=1`, row-major, ink is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct DigitImage(pub Arc<[f32]>);

/// One stroke of the pen or the eraser, in canvas units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stroke {
    /// Points as they came from the pointer.
    pub points: Vec<[f32; 2]>,
    /// Diameter in canvas units.
    pub width: f32,
    /// True removes ink.
    pub eraser: bool,
}

/// Everything on the canvas, in the order it was drawn; undo removes the last stroke.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// The strokes.
    pub strokes: Vec<Stroke>,
}

/// What one layer of a digit network holds for one image.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerActivation {
    /// A row of neurons, after the activation function.
    Units {
        /// Layer name, such as `fc1`.
        name: String,
        /// One value a neuron.
        values: Arc<[f32]>,
    },
    /// Feature maps of a convolution, after the activation function.
    Maps {
        /// Layer name, such as `conv1`.
        name: String,
        /// Number of maps.
        channels: usize,
        /// Rows of each map.
        height: usize,
        /// Columns of each map.
        width: usize,
        /// `[channels, height, width]` row-major.
        values: Arc<[f32]>,
    },
}

/// The weights of one layer, as pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// Layer name, such as `fc1`.
    pub name: String,
    /// `[outputs, inputs]` for a linear layer, `[outputs, inputs, rows, columns]` for a convolution.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Arc<[f32]>,
    /// One value an output.
    pub bias: Arc<[f32]>,
}

/// A digit network's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// Probability of each class.
    pub probabilities: Vec<f32>,
    /// The image the network read.
    pub input: DigitImage,
    /// Hidden layers from input to output.
    pub layers: Vec<LayerActivation>,
}
