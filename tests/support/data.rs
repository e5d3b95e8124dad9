//! Small data that scripts write for themselves.

use fovea::types::DigitImage;
use std::fs;
use std::path::{Path, PathBuf};

const SIDE: usize = 28;

/// An image that stands for a digit: a bright bar whose row tells the digit.
pub fn digit_image(digit: usize) -> DigitImage {
    DigitImage(bar(digit).into_iter().map(|pixel| f32::from(pixel) / 255.0).collect())
}

fn bar(digit: usize) -> Vec<u8> {
    let rows = 2 + digit * 2..5 + digit * 2;
    (0..SIDE * SIDE)
        .map(|i| if rows.contains(&(i / SIDE)) && (4..24).contains(&(i % SIDE)) { 255 } else { 0 })
        .collect()
}

/// Writes a folder in MNIST format: 200 training and 50 test images of [`digit_image`].
pub fn one_digit_folder(folder: &Path) {
    for (name, count) in [("train", 200usize), ("t10k", 50)] {
        let mut images = [0, 0, 8, 3].to_vec();
        for length in [count, SIDE, SIDE] {
            images.extend((length as u32).to_be_bytes());
        }
        let mut labels = [0, 0, 8, 1].to_vec();
        labels.extend((count as u32).to_be_bytes());
        for i in 0..count {
            images.extend(bar(i % 10));
            labels.push((i % 10) as u8);
        }
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// Writes a text that is easy to learn, in letters every tokenizer of the tests knows.
pub fn write_lines(folder: &Path) -> PathBuf {
    let path = folder.join("lines.txt");
    fs::write(&path, "abcdefghij".repeat(400)).unwrap();
    path
}

/// Writes a config.json of a model without weights that takes a few milliseconds a token.
pub fn write_shape(folder: &Path) {
    let config = r#"{
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 768,
        "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": 4096,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": true
    }"#;
    fs::write(folder.join("config.json"), config).unwrap();
}
