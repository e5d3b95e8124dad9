//! A PNG, JPEG or WebP picture of a digit as the networks read it.

use super::paper::{Shades, take_out_frame};
use crate::analysis::Ink;
use crate::load::data::data_error::DataError;
use crate::load::vision::picture_file::decoded_picture;
use crate::types::{DIGIT_SIDE, DigitImage};
use image::{DynamicImage, GrayImage, Luma};
use std::path::Path;

/// Pictures are reduced to at most this many pixels on their longer side before anything else: a digit needs no more.
const LONGEST_SIDE: u32 = 560;
/// Ink must stand out from the paper by at least this much, of 255.
const LEAST_CONTRAST: u8 = 40;

/// Reads a picture of one digit.
///
/// A camera's note of how it was held is followed. A 28×28 picture whose border is black is taken as MNIST-like and used as it
/// is. Any other is made gray (transparent is paper), cut to the paper where a frame is round it, inverted when the paper is
/// bright, cleaned of uneven light, of what reaches in from the sides and of everything closer to the paper's shade than to
/// the ink's, and then centred and scaled as MNIST's digits were.
///
/// # Errors
///
/// When the file cannot be read or decoded, or has too little contrast to show a digit.
pub fn from_file(path: &Path) -> Result<DigitImage, DataError> {
    let picture = decoded_picture(path)?;
    digit_from_picture(&picture).ok_or_else(|| DataError::BlankImage {
        path: path.to_owned(),
        why: "Everything in it has nearly the same brightness.".to_owned(),
    })
}

fn digit_from_picture(picture: &DynamicImage) -> Option<DigitImage> {
    let side = DIGIT_SIDE as u32;
    if (picture.width(), picture.height()) == (side, side) && !picture.color().has_alpha() {
        let gray = picture.to_luma8();
        let shades = Shades { width: DIGIT_SIDE, height: DIGIT_SIDE, values: gray.into_raw() };
        if shades.border().iter().all(|&v| v < 32) && shades.values.iter().any(|&v| v >= 128) {
            return Some(DigitImage(shades.values.iter().map(|&v| f32::from(v) / 255.0).collect()));
        }
    }
    let picture = if picture.width().max(picture.height()) > LONGEST_SIDE {
        picture.thumbnail(LONGEST_SIDE, LONGEST_SIDE)
    } else {
        picture.clone()
    };
    let gray = flatten(&picture);
    let shades = Shades { width: gray.width() as usize, height: gray.height() as usize, values: gray.into_raw() };
    let middle = ink_threshold(shades.values.iter().copied());
    let shades = shades.inside_frame(|shade| shade <= middle).unwrap_or(shades);
    let paper = median(&mut shades.border());
    let farthest = shades.values.iter().map(|shade| shade.abs_diff(paper)).max()?;
    if farthest < LEAST_CONTRAST {
        return None;
    }
    // Ink lies on one side of the paper's shade: the side with the stronger difference.
    let darkest = *shades.values.iter().min()?;
    let brightest = *shades.values.iter().max()?;
    let ink_is_dark = paper.abs_diff(darkest) >= paper.abs_diff(brightest) || shades.is_lit_paper();
    let from_paper = |&shade: &u8| if ink_is_dark { paper.saturating_sub(shade) } else { shade.saturating_sub(paper) };
    let mut strengths =
        shades.in_even_light(ink_is_dark).unwrap_or_else(|| shades.values.iter().map(from_paper).collect());
    let mut threshold = ink_threshold(strengths.iter().copied());
    if take_out_frame(&mut strengths, shades.width, threshold) {
        threshold = ink_threshold(strengths.iter().copied());
    }
    // Full ink is what the darkest tenth of the ink reaches, so that one speck does not make the rest pale.
    let mut ink: Vec<u8> = strengths.iter().copied().filter(|&v| v > threshold).collect();
    ink.sort_unstable();
    let full = f32::from(*ink.get(ink.len() * 9 / 10)?);
    let floor = f32::from(threshold) / 2.0;
    let values = strengths.iter().map(|&v| ((f32::from(v) - floor) / (full - floor)).clamp(0.0, 1.0)).collect();
    Ink::new(shades.width, shades.height, values).centred()
}

/// Gray, transparent pixels laid on white; on black when what can be seen is bright.
fn flatten(picture: &DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.to_luma8();
    }
    let pixels = picture.to_luma_alpha8();
    let (mut shade, mut weight) = (0.0, 0.0);
    for p in pixels.pixels() {
        shade += f32::from(p.0[0]) * f32::from(p.0[1]);
        weight += f32::from(p.0[1]);
    }
    let seen_is_bright = weight > 0.0 && shade / weight > 127.0;
    let mostly_transparent = weight < 0.5 * 255.0 * (pixels.width() * pixels.height()) as f32;
    let paper = if seen_is_bright && mostly_transparent { 0.0 } else { 255.0 };
    GrayImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [gray, alpha] = pixels.get_pixel(x, y).0;
        let alpha = f32::from(alpha) / 255.0;
        Luma([(f32::from(gray) * alpha + paper * (1.0 - alpha)).round() as u8])
    })
}

fn median(values: &mut [u8]) -> u8 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// The strength that best parts paper from ink: the greatest variance between the two classes (Otsu 1979).
fn ink_threshold(strengths: impl Iterator<Item = u8>) -> u8 {
    let mut histogram = [0_u64; 256];
    for v in strengths {
        histogram[usize::from(v)] += 1;
    }
    let total = histogram.iter().sum::<u64>() as f64;
    let sum: f64 = histogram.iter().enumerate().map(|(v, &n)| v as f64 * n as f64).sum();
    let (mut below, mut sum_below) = (0.0, 0.0);
    let (mut best, mut best_variance) = (0, -1.0);
    for (v, &n) in histogram.iter().enumerate().take(255) {
        below += n as f64;
        sum_below += v as f64 * n as f64;
        let above = total - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let difference = sum_below / below - (sum - sum_below) / above;
        let variance = below * above * difference * difference;
        if variance > best_variance {
            (best, best_variance) = (v as u8, variance);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{LumaA, Rgb};

    /// A slanted bar with a foot, in a 120×160 picture.
    fn is_ink(x: u32, y: u32) -> bool {
        let slant = 40 + (140 - y.min(140)) / 4;
        ((30..130).contains(&y) && (slant..slant + 14).contains(&x))
            || ((116..130).contains(&y) && (30..90).contains(&x))
    }

    fn assert_centred(image: &DigitImage) {
        let (x, y) = image.centre_of_mass().unwrap();
        assert!((x - 14.0).abs() <= 0.5 && (y - 14.0).abs() <= 0.5, "centre of mass at {x}, {y}");
    }

    fn difference(a: &DigitImage, b: &DigitImage) -> f32 {
        a.0.iter().zip(b.0.iter()).map(|(a, b)| (a - b).abs()).sum::<f32>() / 784.0
    }

    #[test]
    fn dark_on_light_and_light_on_dark_and_transparent_give_the_same_digit() {
        let dark = GrayImage::from_fn(120, 160, |x, y| Luma([if is_ink(x, y) { 20 } else { 235 }]));
        let light = GrayImage::from_fn(120, 160, |x, y| Luma([if is_ink(x, y) { 250 } else { 10 }]));
        let clear = image::ImageBuffer::from_fn(120, 160, |x, y| LumaA([0, if is_ink(x, y) { 255_u8 } else { 0 }]));
        let chalk = image::ImageBuffer::from_fn(120, 160, |x, y| LumaA([255, if is_ink(x, y) { 255_u8 } else { 0 }]));
        let pictures: [DynamicImage; 4] = [dark.into(), light.into(), clear.into(), chalk.into()];
        let digits: Vec<_> = pictures.iter().map(|p| digit_from_picture(p).unwrap()).collect();
        for digit in &digits {
            assert_centred(digit);
            assert!(difference(&digits[0], digit) < 0.01);
        }
    }

    #[test]
    fn uneven_paper_is_no_ink() {
        let photo = image::RgbImage::from_fn(120, 160, |x, y| {
            let paper = 200 + (x / 6) as u8 + (y % 3) as u8;
            if is_ink(x, y) { Rgb([30, 30, 80]) } else { Rgb([paper, paper, paper - 10]) }
        });
        let clean = GrayImage::from_fn(120, 160, |x, y| Luma([if is_ink(x, y) { 0 } else { 255 }]));
        let photo = digit_from_picture(&photo.into()).unwrap();
        assert!(difference(&photo, &digit_from_picture(&clean.into()).unwrap()) < 0.02);
    }

    #[test]
    fn an_mnist_like_picture_is_used_as_it_is() {
        let picture = GrayImage::from_fn(28, 28, |x, y| {
            Luma([if (3..7).contains(&x) && (4..24).contains(&y) { 200 } else { 0 }])
        });
        let digit = digit_from_picture(&picture.clone().into()).unwrap();
        assert_eq!(digit.0[10 * 28 + 5], 200.0 / 255.0);
        assert!(digit.centre_of_mass().unwrap().0 < 6.0, "it was moved");
    }

    #[test]
    fn blank_and_broken_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let blank = dir.path().join("blank.png");
        GrayImage::from_pixel(50, 50, Luma([240])).save(&blank).unwrap();
        assert!(from_file(&blank).unwrap_err().to_string().contains("blank.png"));
        let broken = dir.path().join("broken.png");
        std::fs::write(&broken, b"\x89PNG\r\n\x1a\nbroken").unwrap();
        assert!(matches!(from_file(&broken), Err(DataError::BadImage { .. })));
        let text = dir.path().join("digits.csv");
        std::fs::write(&text, "1,2,3").unwrap();
        assert!(matches!(from_file(&text), Err(DataError::BadImage { .. })));
        assert!(matches!(from_file(&dir.path().join("none.png")), Err(DataError::Read { .. })));
    }

    #[test]
    fn png_and_jpeg_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let picture = GrayImage::from_fn(120, 160, |x, y| Luma([if is_ink(x, y) { 20 } else { 235 }]));
        for name in ["digit.png", "digit.jpg"] {
            picture.save(dir.path().join(name)).unwrap();
            assert_centred(&from_file(&dir.path().join(name)).unwrap());
        }
    }
}
