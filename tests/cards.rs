//! Model cards, read from headers alone, say what the engine says once it has read the weights.

mod support;

use fovea::engine::read_card;
use fovea::types::{Ability, DeviceChoice};
use support::root;
use support::script::Script;

#[test]
fn every_golden_model_has_the_card_of_what_is_opened() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let mut folders: Vec<_> = std::fs::read_dir(root().join("tests/golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.json").is_file() && path.join("model.safetensors").is_file())
        .chain(
            ["sprout", "seedling", "clover", "digits-mlp", "digits-cnn"].map(|name| root().join("models").join(name)),
        )
        .collect();
    folders.sort();
    assert!(folders.len() > 12, "{folders:?}");
    for folder in folders {
        let card = read_card(&folder).unwrap();
        let info = script.open(&folder);
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(card.architecture, Some(info.architecture), "{name}");
        assert_eq!(card.parameters, Some(info.parameters), "{name}: parameters");
        assert_eq!(card.name, info.name);
        let Some(blocks) = info.shape.blocks() else { continue };
        let context = info.shape.context().unwrap();
        let shape = (blocks.layers as u64, blocks.heads as u64, blocks.hidden as u64, context as u64);
        let read = (card.layers.unwrap(), card.heads.unwrap(), card.hidden.unwrap(), card.context.unwrap());
        assert_eq!(read, shape, "{name}: layers, heads, hidden, context");
        if info.can(Ability::Continue) {
            assert_eq!(
                (card.kv_heads, card.vocabulary),
                (Some(blocks.kv_heads as u64), info.shape.vocabulary().map(|v| v as u64)),
                "{name}"
            );
        }
        assert_eq!(card.is_causal, info.can(Ability::Continue), "{name}");
        assert_eq!(card.kv_cache_bytes(info.precision).is_some(), card.is_causal, "{name}");
        assert!(card.flops_per_token(1).unwrap() < 2 * card.parameters.unwrap() + 4 * shape.0 * shape.2 * 4, "{name}");
    }
}
