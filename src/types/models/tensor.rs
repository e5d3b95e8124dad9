//! A tensor in a file of weights, and the distribution of its values.

use serde::Serialize;

/// One tensor, by the header of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorEntry {
    /// Its name in the file.
    pub name: String,
    /// Its dimensions; empty for a single number.
    pub shape: Vec<usize>,
    /// Element type as the file format writes it, such as `F32` or `BF16`.
    pub dtype: String,
    /// Bytes in the file.
    pub bytes: u64,
    /// Which file of the folder it is in.
    pub file: String,
}

/// The distribution of a tensor's values. Values that are no finite numbers are counted and left out of the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorStats {
    /// Number of finite values.
    pub count: u64,
    /// Values that are not a number.
    pub nan: u64,
    /// Values that are infinite.
    pub infinite: u64,
    /// Smallest finite value; 0 when there is none.
    pub min: f64,
    /// Largest finite value; 0 when there is none.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, of the values as they are (divided by their number).
    pub std: f64,
    /// Values in each of the equal intervals from `min` to `max`; the last one includes `max`.
    pub histogram: Vec<u64>,
}
