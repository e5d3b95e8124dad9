//! Pictures by the names that labelled data has for them: the path of a file, or an image's place in a file in MNIST's format.

use crate::load::data::data_error::DataError;
use crate::load::digit::{digit_image, idx};
use crate::load::vision::picture_file::{decoded_picture, read_picture};
use crate::types::{DIGIT_SIDE, DigitImage, Picture};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const PIXELS: usize = DIGIT_SIDE * DIGIT_SIDE;

/// The name of an image in a file of many, counted from 0.
pub(super) fn name_of(file: &Path, image: usize) -> String {
    format!("{}#{image}", file.display())
}

/// File and place of an image, where a name tells such. A picture in a file of its own has the ending of a picture, so it is none.
fn place_of(name: &str) -> Option<(&Path, usize)> {
    let (file, image) = name.rsplit_once('#')?;
    Some((Path::new(file), image.parse().ok()?))
}

/// What reads them. Files of many images are held in memory, as bytes.
#[derive(Clone, Debug, Default)]
pub struct NamedPictures {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl NamedPictures {
    /// Of those with some names.
    ///
    /// # Errors
    /// When a file of many images cannot be read.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, DataError> {
        let mut files = BTreeMap::new();
        for (file, _) in names.into_iter().filter_map(place_of) {
            if !files.contains_key(file) {
                files.insert(file.to_owned(), idx::read_images(file)?);
            }
        }
        Ok(Self { files })
    }

    /// One in colour.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn picture(&self, name: &str) -> Result<Picture, DataError> {
        match self.image(name)? {
            Some(pixels) => {
                let rgb = pixels.iter().flat_map(|shade| [*shade; 3]).collect();
                Ok(Picture { width: DIGIT_SIDE, height: DIGIT_SIDE, rgb })
            }
            None => read_picture(Path::new(name)),
        }
    }

    /// One as a digit network reads it.
    ///
    /// # Errors
    /// When it cannot be read, or shows nothing.
    pub fn digit(&self, name: &str) -> Result<DigitImage, DataError> {
        match self.image(name)? {
            Some(pixels) => Ok(DigitImage(pixels.iter().map(|shade| f32::from(*shade) / 255.0).collect())),
            None => digit_image::from_file(Path::new(name)),
        }
    }

    /// One in colour, no larger than `side` pixels on its longer side.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn thumbnail(&self, name: &str, side: u32) -> Result<Picture, DataError> {
        if self.image(name)?.is_some() {
            return self.picture(name);
        }
        let picture = decoded_picture(Path::new(name))?;
        let picture =
            if picture.width().max(picture.height()) > side { picture.thumbnail(side, side) } else { picture };
        let rgb = picture.into_rgb8();
        Ok(Picture { width: rgb.width() as usize, height: rgb.height() as usize, rgb: rgb.into_raw().into() })
    }

    /// The pixels of an image among many.
    fn image(&self, name: &str) -> Result<Option<&[u8]>, DataError> {
        let Some((file, image)) = place_of(name) else { return Ok(None) };
        let Some(pixels) = self.files.get(file) else { return Ok(None) };
        let found = pixels.chunks_exact(PIXELS).nth(image);
        let too_few =
            || DataError::bad_idx(file, format!("it has {} images, and none of number {image}", pixels.len() / PIXELS));
        found.map(Some).ok_or_else(too_few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_their_own_are_read_from_their_files_whatever_they_are_called() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a#7.png");
        image::RgbImage::from_pixel(40, 20, image::Rgb([9, 8, 7])).save(&path).unwrap();
        let name = path.display().to_string();
        let pictures = NamedPictures::of([name.as_str()]).unwrap();
        let whole = pictures.picture(&name).unwrap();
        assert_eq!((whole.width, whole.height, &whole.rgb[..3]), (40, 20, &[9, 8, 7][..]));
        let small = pictures.thumbnail(&name, 10).unwrap();
        assert_eq!((small.width, small.height, &small.rgb[..3]), (10, 5, &[9, 8, 7][..]));
        assert!(pictures.digit(&name).unwrap_err().to_string().contains("shows no digit"));
        let gone = dir.path().join("images#7").display().to_string();
        assert!(NamedPictures::of([gone.as_str()]).is_err());
    }
}
