//! Pictures from PNG and JPEG files, in colour and the right way up.

use crate::load::data::data_error::DataError;
use crate::types::Picture;
use image::{DynamicImage, ImageDecoder, ImageReader};
use std::path::Path;

/// Reads a picture. A camera's note of how it was held is followed, transparency is dropped, gray becomes equal parts of
/// each colour: as transformers reads pictures.
///
/// # Errors
/// When the file cannot be read or decoded.
pub fn read_picture(path: &Path) -> Result<Picture, DataError> {
    let bad = |error: image::ImageError| DataError::BadImage { path: path.to_owned(), why: error.to_string() };
    let reader = ImageReader::open(path).map_err(|source| DataError::read(path, source))?;
    let reader = reader.with_guessed_format().map_err(|source| DataError::read(path, source))?;
    let mut decoder = reader.into_decoder().map_err(bad)?;
    let orientation = decoder.orientation().map_err(bad)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(bad)?;
    picture.apply_orientation(orientation);
    let picture = picture.into_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if width == 0 || height == 0 {
        let why = "It has no pixels.".to_owned();
        return Err(DataError::BadImage { path: path.to_owned(), why });
    }
    Ok(Picture { width, height, rgb: picture.into_raw().into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgba, RgbaImage};

    #[test]
    fn gray_and_transparent_pictures_become_colour() {
        let dir = tempfile::tempdir().unwrap();
        let gray = dir.path().join("gray.png");
        GrayImage::from_pixel(3, 2, Luma([77])).save(&gray).unwrap();
        assert_eq!(read_picture(&gray).unwrap(), Picture { width: 3, height: 2, rgb: [77; 18].into() });
        let clear = dir.path().join("clear.png");
        RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 0])).save(&clear).unwrap();
        assert_eq!(read_picture(&clear).unwrap().rgb[..], [1, 2, 3]);
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.png");
        std::fs::write(&path, "<html>").unwrap();
        assert!(read_picture(&path).unwrap_err().to_string().contains("page.png"));
        assert!(read_picture(&dir.path().join("none.png")).is_err());
    }
}
