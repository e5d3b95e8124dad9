//! From a picture to the numbers a vision transformer reads, as preprocessor_config.json says: resized, cropped, scaled,
//! normalised.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::vision::resize::{Filter, resize};
use crate::nn::VitConfig;
use crate::types::Picture;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

/// The file that says so.
pub(in crate::load) const FILE: &str = "preprocessor_config.json";

/// How pictures are prepared for one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessor {
    /// Height, width and filter to resize with; `None` takes pictures as they are.
    resize: Option<([usize; 2], Filter)>,
    /// Height and width that are cut out of the middle.
    crop: Option<[usize; 2]>,
    /// What an intensity of `0..=255` is multiplied with.
    factor: f32,
    /// Mean and standard deviation of each colour.
    normal: Option<([f32; 3], [f32; 3])>,
    /// Height and width of what comes out.
    size: [usize; 2],
    /// Colour channels U of what comes out: 3, or 1 of grays.
    channels: usize,
}

impl Preprocessor {
    /// Reads preprocessor_config.json for a model of this shape.
    ///
    /// # Errors
    /// When it holds something else than a picture's settings, asks for what is not computed, or makes
    /// pictures of another size.
    pub(in crate::load) fn read(fields: &Fields, model: &VitConfig) -> Result<Self, LoadError> {
        let (size, channels) = ([model.height, model.width], model.channels);
        const KNOWN: [&str; 6] = [
            "ViTImageProcessor",
            "ViTImageProcessorFast",
            "ViTFeatureExtractor",
            "DeiTImageProcessor",
            "DeiTImageProcessorFast",
            "DeiTFeatureExtractor",
        ];
        for name in ["image_processor_type", "feature_extractor_type"] {
            if let Some(kind) = fields.text_if_any(name)?.filter(|kind| !KNOWN.contains(kind)) {
                return Err(fields.unsupported(name, &kind, KNOWN.join(", ")));
            }
        }
        // What a processor does that the file says nothing of.
        let kind = match fields.text_if_any("image_processor_type")? {
            Some(kind) => Some(kind),
            None => fields.text_if_any("feature_extractor_type")?,
        };
        let is_deit = kind.map_or(model.distillation, |kind| kind.starts_with("DeiT"));
        let (usual_side, usual_filter) = if is_deit { (256, 3) } else { (224, 2) };
        if channels == 1 && fields.flag("do_convert_rgb", false)? {
            return Err(fields.unsupported("do_convert_rgb", &true, "false where config.json has num_channels 1"));
        }
        let resize = if fields.flag("do_resize", true)? {
            Some((extent(fields, "size", usual_side)?, filter(fields, usual_filter)?))
        } else {
            None
        };
        let crop = if fields.flag("do_center_crop", is_deit)? { Some(extent(fields, "crop_size", 224)?) } else { None };
        let rescale = fields.flag("do_rescale", true)?;
        let factor = if rescale { fields.number_if_any("rescale_factor")?.unwrap_or(1.0 / 255.0) } else { 1.0 };
        let normal = if fields.flag("do_normalize", true)? {
            let mean = of_colours(fields, "image_mean", channels)?;
            let deviation = of_colours(fields, "image_std", channels)?;
            if deviation.iter().any(|x| *x <= 0.0) {
                return Err(fields.wrong("image_std", "holds a number that is not positive"));
            }
            Some((mean, deviation))
        } else {
            None
        };
        if let (Some(([height, width], _)), Some([rows, columns])) = (resize, crop)
            && (rows > height || columns > width)
        {
            return Err(fields.wrong("crop_size", format!("is {rows} × {columns}, larger than size")));
        }
        match crop.or(resize.map(|(size, _)| size)) {
            Some(made) if made != size => {
                let (name, [height, width]) = (if crop.is_some() { "crop_size" } else { "size" }, made);
                let problem =
                    format!("is {height} × {width}, but config.json has image_size {} × {}", size[0], size[1]);
                Err(fields.wrong(name, problem))
            }
            Some(_) => Ok(Self { resize, crop, factor: factor as f32, normal, size, channels }),
            None => Err(fields.unsupported("do_resize", &false, "true, so that pictures of any size can be read")),
        }
    }

    /// The picture as the model sees it: without its colours where there is one channel, resized and cropped.
    #[must_use]
    pub fn seen(&self, picture: &Picture) -> Picture {
        let picture = if self.channels == 1 { picture.without_colours() } else { picture.clone() };
        let resized = match self.resize {
            Some(([height, width], filter)) => resize(&picture, width, height, filter),
            None => picture,
        };
        match self.crop {
            Some([height, width]) => crop(&resized, width, height),
            None => resized,
        }
    }

    /// Its numbers, `[U, H, W]` row-major.
    #[must_use]
    pub fn pixels(&self, seen: &Picture) -> Vec<f32> {
        let colour = |c: usize| {
            let values = seen.rgb.iter().skip(c).step_by(3).map(move |&v| f32::from(v) * self.factor);
            values.map(move |v| self.normal.map_or(v, |(mean, deviation)| (v - mean[c]) / deviation[c]))
        };
        (0..self.channels).flat_map(colour).collect()
    }

    /// The numbers of several pictures, as a network takes them: `[B, U, H, W]`.
    ///
    /// # Panics
    /// When one of them has not U·H·W.
    #[must_use]
    pub fn batch(&self, pixels: &[Vec<f32>], device: &Device) -> Tensor<4> {
        let [height, width] = self.size;
        Tensor::from_data(TensorData::new(pixels.concat(), [pixels.len(), self.channels, height, width]), device)
    }

    /// Height and width of what the model reads.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        self.size
    }
}

/// A side, or `height` and `width`.
fn extent(fields: &Fields, name: &str, usual: usize) -> Result<[usize; 2], LoadError> {
    match fields.value(name) {
        Some(Value::Object(_)) => {
            let object = fields.object(name)?.ok_or_else(|| fields.wrong(name, "is missing"))?;
            if let Some(other) = object.names().find(|key| !matches!(*key, "height" | "width")) {
                return Err(object.unsupported(other, &"set", "height and width"));
            }
            Ok([object.count("height")?, object.count("width")?])
        }
        _ => Ok([fields.count_if_any(name)?.unwrap_or(usual); 2]),
    }
}

/// Pillow's numbers for its filters.
fn filter(fields: &Fields, usual: u64) -> Result<Filter, LoadError> {
    match fields.value("resample").map_or(Some(usual), Value::as_u64) {
        Some(2) => Ok(Filter::Bilinear),
        Some(3) => Ok(Filter::Bicubic),
        _ => {
            let value = fields.value("resample").map(ToString::to_string).unwrap_or_default();
            Err(fields.unsupported("resample", &value, "2 (bilinear) and 3 (bicubic)"))
        }
    }
}

/// One number a colour; a half for each where the file says nothing, as in transformers. One number is for every colour. Three for grays,
/// which a file has whose author never wrote it, are followed where they are the same.
fn of_colours(fields: &Fields, name: &str, channels: usize) -> Result<[f32; 3], LoadError> {
    let Some(value) = fields.value(name) else { return Ok([0.5; 3]) };
    let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let numbers: Option<Vec<f32>> =
        list.iter().map(|x| x.as_f64().map(|x| x as f32).filter(|x| x.is_finite())).collect();
    let is_list = value.is_array();
    match numbers.as_deref() {
        Some([all]) if channels == 1 || !is_list => Ok([*all; 3]),
        Some([first, rest @ ..]) if channels == 1 && rest.len() == 2 && rest.iter().all(|x| x == first) => {
            Ok([*first; 3])
        }
        Some([red, green, blue]) if channels == 3 => Ok([*red, *green, *blue]),
        _ => {
            let wanted = if channels == 1 { "one number, as num_channels is 1" } else { "three numbers" };
            Err(fields.wrong(name, format!("is {value}, not {wanted}")))
        }
    }
}

/// The middle of a picture that is at least as large. Half a pixel goes to the upper left, as in transformers.
fn crop(picture: &Picture, width: usize, height: usize) -> Picture {
    let (top, left) = ((picture.height - height) / 2, (picture.width - width) / 2);
    let rows = (top..top + height).flat_map(|y| {
        let start = 3 * (y * picture.width + left);
        picture.rgb[start..start + 3 * width].iter().copied()
    });
    Picture { width, height, rgb: rows.collect() }
}
