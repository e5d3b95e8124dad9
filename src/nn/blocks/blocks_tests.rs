//! Values of blocks beside gguf-py's (`tests/golden/make_gguf.py`), and what a block of eights loses.

use super::{BlockType, encode_q8_0};
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::path::Path;

fn golden() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf/blocks.safetensors")).unwrap()
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

#[test]
fn values_of_random_blocks_are_those_of_gguf_py_to_the_last_bit() {
    let bytes = golden();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    for kind in BlockType::ALL {
        let blocks = golden.tensor(&format!("{kind}.blocks")).unwrap();
        let expected = f32s(golden.tensor(&format!("{kind}.values")).unwrap().data());
        assert_eq!(blocks.data().len() / kind.bytes() * kind.elements(), expected.len(), "{kind}");
        let mut values = vec![f32::NAN; expected.len()];
        kind.dequantise(blocks.data(), &mut values);
        let wrong = values.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(wrong, None, "{kind}: {:?}", wrong.map(|place| (values[place], expected[place])));
    }
}

#[test]
fn eights_are_written_as_gguf_py_writes_them() {
    let bytes = golden();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let mut blocks = Vec::new();
    encode_q8_0(&f32s(golden.tensor("encode.values").unwrap().data()), &mut blocks);
    assert_eq!(blocks, golden.tensor("encode.blocks").unwrap().data());
}

#[test]
fn a_type_is_found_again_by_its_number() {
    for kind in BlockType::ALL {
        assert_eq!(BlockType::of_ggml_type(kind.ggml_type()), Some(kind));
        assert_eq!(kind.row_bytes(3 * kind.elements()), Some(3 * kind.bytes()));
        assert_eq!(kind.row_bytes(kind.elements() + 1), None);
    }
    // F32, F16, a K type that is not read, BF16.
    assert!([0, 1, 10, 30].iter().all(|number| BlockType::of_ggml_type(*number).is_none()));
}

proptest! {
    #[test]
    fn an_eight_is_off_by_half_a_step_and_the_rounding_of_its_scale(
        values in proptest::collection::vec(-50.0f32..50.0, BlockType::Q8_0.elements()),
    ) {
        let mut blocks = Vec::new();
        encode_q8_0(&values, &mut blocks);
        let mut back = vec![0.0; values.len()];
        BlockType::Q8_0.dequantise(&blocks, &mut back);
        let largest = values.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        // Half a step of largest / 127, and F16 rounds the scale by at most 2⁻¹¹ of it (or of its smallest normal number).
        let bound = largest / 254.0 + largest / 2048.0 + 1e-5;
        for (x, y) in values.iter().zip(&back) {
            prop_assert!((x - y).abs() <= bound, "{x} became {y}");
        }
    }

    #[test]
    fn each_block_stands_for_itself(bytes in proptest::collection::vec(any::<u8>(), 2 * 210)) {
        for kind in BlockType::ALL {
            let both = &bytes[..2 * kind.bytes()];
            let mut together = vec![0.0; 2 * kind.elements()];
            kind.dequantise(both, &mut together);
            let mut alone = vec![0.0; kind.elements()];
            kind.dequantise(&both[kind.bytes()..], &mut alone);
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&together[kind.elements()..]), bits(&alone));
        }
    }
}
