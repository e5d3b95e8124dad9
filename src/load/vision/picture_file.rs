//! Pictures from PNG, JPEG and WebP files, in colour and the right way up.

use crate::load::data::data_error::DataError;
use crate::types::Picture;
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Pixel};
use std::io::Cursor;
use std::path::Path;

/// Reads a picture. A camera's note of how it was held is followed, transparency is dropped, gray becomes equal parts of
/// each colour: as transformers reads pictures.
///
/// # Errors
/// When the file cannot be read or decoded.
pub fn read_picture(path: &Path) -> Result<Picture, DataError> {
    let picture = decoded_picture(path)?.into_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Ok(Picture { width, height, rgb: picture.into_raw().into() })
}

/// A picture from a PNG, JPEG or WebP file, the right way up. What a file is follows from its content, not from its name.
///
/// # Errors
/// When the file cannot be read or decoded, is of another kind, or has no pixels.
pub(in crate::load) fn decoded_picture(path: &Path) -> Result<DynamicImage, DataError> {
    let bad = |error: image::ImageError| DataError::BadImage { path: path.to_owned(), why: error.to_string() };
    let bytes = std::fs::read(path).map_err(|source| DataError::read(path, source))?;
    if let Some(kind) = other_kind(&bytes) {
        return Err(DataError::OtherPicture { path: path.to_owned(), kind });
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|source| DataError::read(path, source))?;
    let mut decoder = reader.into_decoder().map_err(bad)?;
    // A note that cannot be read is no reason not to show the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = in_eight_bits(DynamicImage::from_decoder(decoder).map_err(bad)?);
    picture.apply_orientation(orientation);
    if picture.width() == 0 || picture.height() == 0 {
        let why = "It has no pixels.".to_owned();
        return Err(DataError::BadImage { path: path.to_owned(), why });
    }
    Ok(picture)
}

/// A picture of 16 bits a colour by their upper eight, as Pillow reads one. (Grays of 16 bits, which Pillow cuts off at 255, are read so, too.)
fn in_eight_bits(picture: DynamicImage) -> DynamicImage {
    fn upper<P, Q>(picture: ImageBuffer<P, Vec<u16>>) -> ImageBuffer<Q, Vec<u8>>
    where
        P: Pixel<Subpixel = u16>,
        Q: Pixel<Subpixel = u8>,
    {
        let (width, height) = picture.dimensions();
        let values = picture.into_raw().into_iter().map(|value| (value >> 8) as u8).collect();
        ImageBuffer::from_raw(width, height, values).expect("as many values as before")
    }
    match picture {
        DynamicImage::ImageLuma16(gray) => DynamicImage::ImageLuma8(upper(gray)),
        DynamicImage::ImageLumaA16(gray) => DynamicImage::ImageLumaA8(upper(gray)),
        DynamicImage::ImageRgb16(colours) => DynamicImage::ImageRgb8(upper(colours)),
        DynamicImage::ImageRgba16(colours) => DynamicImage::ImageRgba8(upper(colours)),
        other => other,
    }
}

/// The name of a kind of picture that is not read.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    // What phones take has a box `ftyp` first, with a brand.
    if let Some([b'f', b't', b'y', b'p', brand @ ..]) = bytes.get(4..12) {
        return Some(if brand == b"avif" { "AVIF" } else { "HEIF" });
    }
    Some(match image::guess_format(bytes).ok()? {
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP => return None,
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, Rgba, RgbaImage};

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
    fn of_sixteen_bits_the_upper_eight_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep.png");
        let colour = Rgb([0x80ffu16, 0x00ff, 0xffff]);
        ImageBuffer::from_pixel(1, 1, colour).save(&path).unwrap();
        assert_eq!(read_picture(&path).unwrap().rgb[..], [0x80, 0x00, 0xff], "Pillow's values");
        ImageBuffer::from_pixel(1, 1, Luma([0x7fffu16])).save(&path).unwrap();
        assert_eq!(read_picture(&path).unwrap().rgb[..], [0x7f; 3]);
    }

    #[test]
    fn other_pictures_are_called_what_they_are_whatever_their_names_say() {
        let told = |path: &Path| crate::types::UserError::from(read_picture(path).unwrap_err());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        for (bytes, kind) in [(&b"GIF89a......"[..], "GIF"), (b"\0\0\0\x18ftypheic....", "HEIF")] {
            std::fs::write(&path, bytes).unwrap();
            assert!(told(&path).what.contains(kind), "{}", told(&path));
        }
        let png = dir.path().join("b.png");
        GrayImage::from_pixel(2, 2, Luma([9])).save(&png).unwrap();
        std::fs::rename(&png, dir.path().join("b.jpg")).unwrap();
        assert_eq!(read_picture(&dir.path().join("b.jpg")).unwrap().rgb[..], [9; 12]);
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
