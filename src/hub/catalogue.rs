//! Good small models to begin with, from `assets/catalogue.toml`.

use super::RepoId;
use serde::Deserialize;
use std::sync::LazyLock;

/// What a model of the catalogue is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatalogueTask {
    /// Continues a text.
    Prompting,
    /// Answers in turns.
    Chat,
    /// Reads a text both ways, fills in masked words.
    Encoding,
    /// Turns sentences into vectors.
    Embedding,
    /// Reads pictures.
    Vision,
}

impl CatalogueTask {
    /// One word for the list.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prompting => "prompting",
            Self::Chat => "chat",
            Self::Encoding => "encoder",
            Self::Embedding => "embedding",
            Self::Vision => "vision",
        }
    }
}

/// One model of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogueEntry {
    /// Its name on the hub.
    pub id: RepoId,
    /// What it is good for.
    pub task: CatalogueTask,
    /// Number of weights, tied ones counted once.
    pub parameters: u64,
    /// What is fetched, about, in bytes.
    pub download_bytes: u64,
    /// The licence on the model's page.
    pub licence: String,
    /// One sentence on what it is good for.
    pub purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    task: CatalogueTask,
    parameters: u64,
    download_mb: u64,
    licence: String,
    #[serde(rename = "use")]
    purpose: String,
}

static ENTRIES: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../assets/catalogue.toml")).expect("the catalogue is well-formed");
    let entry = |row: Row| CatalogueEntry {
        id: RepoId::parse(&row.id).expect("the names of the catalogue are well-formed"),
        task: row.task,
        parameters: row.parameters,
        download_bytes: row.download_mb * 1_000_000,
        licence: row.licence,
        purpose: row.purpose,
    };
    file.model.into_iter().map(entry).collect()
});

/// The catalogue, in the order in which it is shown.
#[must_use]
pub fn catalogue() -> &'static [CatalogueEntry] {
    &ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn entries_are_distinct_and_their_figures_belong_together() {
        let ids: BTreeSet<_> = catalogue().iter().map(|entry| &entry.id).collect();
        assert_eq!(ids.len(), catalogue().len());
        for entry in catalogue() {
            // Weights on the hub take two or four bytes each; some files hold a tied matrix twice, or masks.
            let bytes_each = entry.download_bytes as f64 / entry.parameters as f64;
            assert!((1.9..4.6).contains(&bytes_each), "{}: {bytes_each} bytes a parameter", entry.id);
            assert!(entry.purpose.ends_with('.') && entry.purpose.len() < 110, "{}", entry.id);
        }
    }

    #[test]
    fn parameters_follow_from_the_shapes() {
        let of = |id: &str| catalogue().iter().find(|entry| entry.id.as_str() == id).unwrap().parameters;
        // A GPT-2 block has 12 D² + 13 D weights; then token and position embeddings and the last norm.
        let gpt2 = |layers: u64| layers * (12 * 768 * 768 + 13 * 768) + (50_257 + 1024) * 768 + 2 * 768;
        assert_eq!((of("openai-community/gpt2"), of("distilbert/distilgpt2")), (gpt2(12), gpt2(6)));
        // GPT-NeoX: as GPT-2 without positions, with a head of its own.
        let neox = |layers: u64, d: u64| layers * (12 * d * d + 13 * d) + 2 * 50_304 * d + 2 * d;
        assert_eq!((of("EleutherAI/pythia-70m"), of("EleutherAI/pythia-160m")), (neox(6, 512), neox(12, 768)));
        // Llama shapes: q and o, k and v, three MLP matrices, two norms; tied embeddings and the last norm.
        let llama =
            |l: u64, d: u64, kv: u64, mlp: u64, v: u64| l * (2 * d * d + 2 * d * kv + 3 * d * mlp + 2 * d) + v * d + d;
        assert_eq!(of("HuggingFaceTB/SmolLM2-135M"), llama(30, 576, 192, 1536, 49_152));
        assert_eq!(of("HuggingFaceTB/SmolLM2-360M-Instruct"), llama(32, 960, 320, 2560, 49_152));
        // Qwen2 adds biases to q, k and v.
        assert_eq!(of("Qwen/Qwen2.5-0.5B"), llama(24, 896, 128, 4864, 151_936) + 24 * (896 + 2 * 128));
        // Qwen3: heads wider than D / H (16 × 128), and a norm of q and k each.
        let (d, q, kv) = (1024, 16 * 128, 8 * 128);
        let block = 2 * d * q + 2 * d * kv + 3 * d * 3072 + 2 * d + 2 * 128;
        assert_eq!(of("Qwen/Qwen3-0.6B"), 28 * block + 151_936 * d + d);
    }
}
