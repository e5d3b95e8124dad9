//! What needs no model.

use super::*;
use crate::engine::PromptInput;
use crate::types::{Architecture, Blocks, Precision, Shape};

fn spec(token: usize, swap: Option<[usize; 2]>, order: &[usize]) -> WordOrderSpec {
    WordOrderSpec { prompt: PromptInput::Ids(Vec::new()), token, swap, order: order.to_vec() }
}

fn info(layers: usize, heads: usize) -> ModelInfo {
    let blocks = Blocks { layers, heads, kv_heads: heads, hidden: 576 };
    ModelInfo {
        id: ModelId::next(),
        name: "made".into(),
        path: "".into(),
        architecture: Architecture::Llama,
        precision: Precision::F32,
        parameters: 1,
        shape: Shape::Decoder { blocks: blocks.into(), vocabulary: 100, context: 1 << 17 },
        held_out: None,
        own_sampling: None,
        quantised: None,
        adapter: None,
        modified: false,
        trained_steps: 0,
    }
}

#[test]
fn an_order_has_every_token_once() {
    assert_eq!(places(&spec(2, Some([0, 1]), &[2, 0, 1]), 3), Ok(vec![1, 2, 0]), "where each token went");
    let why = |spec: &WordOrderSpec| places(spec, 3).unwrap_err().why;
    assert!(why(&spec(0, None, &[0, 1, 1])).contains("token 1 twice"));
    assert!(why(&spec(0, None, &[0, 3, 1])).contains("names 3"));
    assert!(why(&spec(0, None, &[0, 1])).contains("2 of 3 tokens"));
    assert!(why(&spec(3, None, &[0, 1, 2])).contains("none at 3"));
    assert!(why(&spec(0, Some([1, 4]), &[0, 1, 2])).contains("none at 4"));
}

#[test]
fn patterns_that_do_not_fit_at_once_are_read_a_few_layers_at_a_time_and_too_many_not_at_all() {
    let (few, left_out) = stretches(&info(30, 9), 24);
    assert_eq!((few.len(), few[0].clone(), left_out), (1, 0..30, None));
    let (several, left_out) = stretches(&info(30, 9), 1000);
    assert_eq!((several.iter().map(Range::len).sum::<usize>(), several.len(), left_out), (30, 3, None));
    let (none, left_out) = stretches(&info(30, 9), 2000);
    assert_eq!((none.len(), none[0].len()), (1, 0), "the text is read once all the same");
    let most: usize = left_out.unwrap().rsplit_once(" tokens.").unwrap().0.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(stretches(&info(30, 9), most).1, None, "{most} tokens are promised");
    assert!(stretches(&info(30, 9), most + 200).1.is_some());
}

#[test]
fn a_model_without_positions_has_none_to_switch_off() {
    assert_eq!(position_site(&[Site::Embed, Site::Rotary, Site::ResidPre(0)]), Some(Site::Rotary));
    assert_eq!(position_site(&[Site::Embed, Site::PosEmbed]), Some(Site::PosEmbed));
    assert_eq!(position_site(&[Site::Embed, Site::ResidPre(0)]), None);
}

#[test]
fn the_divergence_is_that_of_the_text_as_written() {
    let logs = |shares: &[f64]| shares.iter().map(|share| share.ln()).collect::<Vec<_>>();
    let (a, b) = (logs(&[0.75, 0.25]), logs(&[0.5, 0.5]));
    let expected = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
    assert!((divergence(&a, &b) - expected).abs() < 1e-12);
    assert!(divergence(&b, &a) > divergence(&a, &b) + 0.01, "it is not the same the other way round");
    assert_eq!(divergence(&a, &a), 0.0);
    assert_eq!(divergence(&logs(&[1.0, 0.0]), &logs(&[1.0, 0.0])), 0.0, "what was impossible counts nothing");
}
