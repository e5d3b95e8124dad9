//! Photographs of digits as people take them, and what the shipped networks make of them.

use crate::load::digit::digit_image::from_file;
use crate::load::{DigitModel, open_digit_model};
use crate::nn::Hooks;
use crate::types::{DIGIT_SIDE, DigitImage};
use burn::tensor::{Device, Tensor, TensorData};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, Luma};
use std::path::{Path, PathBuf};

fn fault(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/faults/images").join(name)
}

fn network(name: &str) -> DigitModel {
    open_digit_model(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name), &Device::flex()).unwrap()
}

fn read_as(model: &DigitModel, image: &DigitImage) -> usize {
    let pixels = TensorData::new(image.0.to_vec(), [1, DIGIT_SIDE * DIGIT_SIDE]);
    let scores = model.net.forward(Tensor::from_data(pixels, &Device::flex()), &mut Hooks::off());
    let scores: Vec<f32> = scores.into_data().try_to_vec().unwrap();
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
}

fn difference(a: &DigitImage, b: &DigitImage) -> f32 {
    a.0.iter().zip(b.0.iter()).map(|(a, b)| (a - b).abs()).sum::<f32>() / 784.0
}

#[test]
fn what_photographs_show_is_read() {
    let model = network("digits-cnn");
    let pictures = [
        ("up-2.jpg", 2),
        ("exif3-2.jpg", 2),
        ("exif6-7.jpg", 7),
        ("frame-7.png", 7),
        ("shade-4.png", 4),
        // WebP, whatever its name says.
        ("webp-7.jpg", 7),
    ];
    for (name, digit) in pictures {
        assert_eq!(read_as(&model, &from_file(&fault(name)).unwrap()), digit, "{name}");
    }
}

/// A JPEG file with a camera's note of its orientation.
fn with_note(picture: &DynamicImage, orientation: u8) -> Vec<u8> {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let mut note = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    note.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = (note.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &note, &jpeg[2..]].concat()
}

#[test]
fn every_way_a_camera_can_be_held_gives_the_same_digit() {
    let model = network("digits-cnn");
    let upright = image::open(fault("up-2.jpg")).unwrap();
    let expected = from_file(&fault("up-2.jpg")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (orientation, undone_by) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
        let mut held = upright.clone();
        held.apply_orientation(Orientation::from_exif(undone_by).unwrap());
        let path = dir.path().join("held.jpg");
        std::fs::write(&path, with_note(&held, orientation)).unwrap();
        let digit = from_file(&path).unwrap();
        // JPEG twice.
        assert!(difference(&digit, &expected) < 0.01, "{orientation}: {}", difference(&digit, &expected));
        assert_eq!(read_as(&model, &digit), 2, "{orientation}");
    }
}

/// A seven, its bar at the top, on `paper`, which gives the shade at a place.
fn seven(width: u32, height: u32, at: (u32, u32), paper: impl Fn(u32, u32) -> u8) -> GrayImage {
    let is_ink = |x: u32, y: u32| {
        let (Some(x), Some(y)) = (x.checked_sub(at.0), y.checked_sub(at.1)) else { return false };
        (y < 14 && x < 80) || (y < 120 && x + y / 3 >= 64 && x + y / 3 < 80)
    };
    GrayImage::from_fn(width, height, |x, y| Luma([if is_ink(x, y) { paper(x, y) / 8 } else { paper(x, y) }]))
}

fn digit(picture: &GrayImage) -> DigitImage {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("digit.png");
    picture.save(&path).unwrap();
    from_file(&path).unwrap()
}

/// The shade at a place.
type Paper<'a> = &'a dyn Fn(u32, u32) -> u8;

#[test]
fn light_frames_and_tables_do_not_change_the_digit() {
    let clean = digit(&seven(200, 240, (50, 60), |_, _| 240));
    let frame = |x: u32, y: u32| x < 9 || y < 9 || x > 190 || y > 230;
    let slanted = |x: u32, y: u32| x + y / 12 < 26 || x + y / 12 > 200 || y + 18 < 12 + (200 - x) / 6;
    let cases: [(&str, Paper<'_>); 8] = [
        ("a dark frame", &|x, y| if frame(x, y) { 20 } else { 240 }),
        ("a gray frame", &|x, y| if frame(x, y) { 120 } else { 240 }),
        ("a table at one side", &|x, _| if x < 20 { 15 } else { 240 }),
        ("slanted paper on a table", &|x, y| if slanted(x, y) { 30 } else { 240 }),
        ("light from the right", &|x, _| (100 + x * 150 / 200) as u8),
        ("light from a corner", &|x, y| (110 + (x + y) * 130 / 440) as u8),
        ("light in the middle", &|x, y| (245.0 - (f64::from(x) - 100.0).hypot(f64::from(y) - 120.0)) as u8),
        ("a hand's shadow", &|x, y| if x + y / 2 > 230 { 120 } else { 240 }),
    ];
    for (what, paper) in cases {
        let found = digit(&seven(200, 240, (50, 60), paper));
        assert!(difference(&found, &clean) < 0.02, "{what}: {}", difference(&found, &clean));
    }
}

#[test]
fn a_digit_cut_out_tightly_is_whole() {
    let tight = digit(&seven(80, 120, (0, 0), |_, _| 240));
    let clean = digit(&seven(200, 240, (50, 60), |_, _| 240));
    assert!(difference(&tight, &clean) < 0.02, "{}", difference(&tight, &clean));
    // A ring of chalk encloses board, and is no frame.
    let ring = |inner: f64| {
        GrayImage::from_fn(160, 200, |x, y| {
            let far = ((f64::from(x) - 80.0) / 70.0).hypot((f64::from(y) - 100.0) / 90.0);
            Luma([if (inner..1.0).contains(&far) { 230 } else { 20 }])
        })
    };
    for inner in [0.4, 0.7] {
        let found = digit(&ring(inner));
        let middle = found.0[14 * DIGIT_SIDE + 14];
        assert!(middle < 0.2 && found.0.iter().sum::<f32>() > 50.0, "{inner}: {middle}");
    }
}
