//! What the figure of the steps shows, that nothing in it is cut, and its numbers.

use super::super::{ArrayFormat, steps_arrays};
use super::*;
use crate::types::{AddedByBlock, Candidate, PromptToken, Site, StepValues};

const SEEN: usize = 40;
const LONG: &str = " Donaudampfschifffahrtsgesellschaftskapitänsmütze";

/// The last of 40 tokens but one, which may not see the last.
fn report() -> StepsReport {
    let token = |i: usize| {
        let text = if i == 7 { LONG.to_owned() } else { format!(" w{i}") };
        PromptToken { id: i as u32, text, span: 0..0 }
    };
    let query = SEEN - 2;
    let wave = |kind: StepKind, count: usize| (0..count).map(|i| ((i * 7 + kind as usize) as f32).sin()).collect();
    let weight = |key: usize| if key > query { 0.0 } else { (key + 1) as f32 / 780.0 };
    let step = |kind: StepKind, site: Option<Site>, values: Vec<f32>| StepValues { kind, site, values: values.into() };
    StepsReport {
        tokens: (0..SEEN).map(token).collect(),
        layer: 1,
        head: 2,
        kv_head: 1,
        group: 2,
        layers: 3,
        query,
        key: 7,
        steps: vec![
            step(StepKind::Embed, Some(Site::Embed), wave(StepKind::Embed, 64)),
            step(StepKind::QueryProjected, None, wave(StepKind::QueryProjected, 16)),
            step(StepKind::Query, Some(Site::Q(1)), wave(StepKind::Query, 16)),
            step(StepKind::Key, Some(Site::K(1)), wave(StepKind::Key, 16)),
            step(StepKind::Product, None, wave(StepKind::Product, SEEN)),
            step(StepKind::Scaled, None, wave(StepKind::Scaled, SEEN)),
            step(
                StepKind::Scores,
                Some(Site::Scores(1)),
                (0..SEEN).map(|k| if k > query { f32::MIN } else { 0.5 }).collect(),
            ),
            step(StepKind::Pattern, Some(Site::Pattern(1)), (0..SEEN).map(weight).collect()),
            step(StepKind::Logits, Some(Site::Logits), vec![3.0, 2.0, -1.0]),
        ],
        absent: vec![(StepKind::Position, "No learned positions: queries and keys are rotated by theirs.")],
        keys: vec![0.5; SEEN * 16].into(),
        values: vec![0.25; SEEN * 16].into(),
        z: vec![0.5; 64].into(),
        added: vec![AddedByBlock { attn: vec![0.1; 64], mlp: vec![0.2; 64], mid: Vec::new() }; 3],
        rotated_by: None,
        frequencies: Vec::new(),
        positions: Vec::new().into(),
        scale: 0.25,
        top: [(0, LONG, 0.7), (1, " cat", 0.2)]
            .map(|(id, text, probability)| Candidate { id, text: text.into(), probability })
            .to_vec(),
    }
}

fn figure(report: StepsReport) -> StepsFigure {
    let part = |name: &'static str, kinds: &[StepKind]| StepsPart {
        name,
        words: format!("What happens in {name}, of which there is rather a lot to tell, so that it takes some lines."),
        kinds: kinds.to_vec(),
        nothing: "This family has nothing here.",
    };
    StepsFigure {
        title: "tiny, layer 1, head 2".into(),
        captions: vec!["“w0 w1”, 40 tokens".into()],
        words: "Layer 1, head 2 gives 5 %.".into(),
        parts: vec![
            part("Token", &[StepKind::Embed, StepKind::Position]),
            part("q, k", &[StepKind::QueryProjected, StepKind::Query, StepKind::Key]),
            part("Weights", &[StepKind::Pattern, StepKind::Product, StepKind::Scaled, StepKind::Scores]),
            part("MLP", &[StepKind::MlpPre]),
            part("Next", &[StepKind::Logits]),
            part("More", &[StepKind::Embed]),
        ],
        answers: Some("next token"),
        report: Arc::new(report),
    }
}

fn svg(figure: &StepsFigure) -> String {
    String::from_utf8(steps_figure(figure, Format::Svg).unwrap()).unwrap()
}

fn says(svg: &str, words: &str) -> bool {
    svg.contains(&format!(">\n{words}\n<"))
}

#[test]
fn every_part_has_its_name_its_numbers_and_what_it_lacks() {
    let svg = svg(&figure(report()));
    for words in
        ["1  Token", "4  MLP", "Token embedding", "64 · ±1", "Query, projected", "This family has nothing here."]
    {
        assert!(says(&svg, words), "{words}: {svg}");
    }
    assert!(svg.contains("No learned positions: queries and"), "what is absent is told");
    let first = report().values_of(StepKind::Query)[..2].iter().map(|v| number(f64::from(*v))).collect::<Vec<_>>();
    assert!(svg.contains(&format!("\n{}   {}", first[0], first[1])), "its first numbers: {first:?}");
    assert!(svg.contains("<desc>Layer 1, head 2 gives 5 %. “w0 w1”, 40 tokens</desc>"), "{svg}");
    for words in ["next token, score and share", "70.0 %", "all others: 10.0 %"] {
        assert!(says(&svg, words), "{words}");
    }
}

#[test]
fn the_keys_that_matter_most_are_told_with_the_chosen_one_and_the_sum_of_the_rest() {
    let svg = svg(&figure(report()));
    for words in ["38", "37", "26", "7", "0.050", "0.010"] {
        assert!(says(&svg, words), "{words}");
    }
    assert!(!says(&svg, "25") && !says(&svg, "39"), "13 keys and the chosen one, and none that is hidden");
    // Keys 0 to 25 without 7: (351 − 8) / 780.
    assert!(says(&svg, "25 other keys have 44.0 % together; 1 hidden by the mask have none"), "{svg}");
    assert!(says(&svg, "scaled = 0.25 · q·k; weight = exp(score) / Σ exp(score)"));
}

#[test]
fn nothing_is_wider_or_higher_than_its_part() {
    let figure = figure(report());
    for format in [Format::Svg, Format::Png] {
        let steps = Steps::new(&figure, format);
        for card in &steps.cards {
            let inside = across(card.columns) - 2.0 * PAD;
            let lines = card.words.iter().chain(&card.absent).map(|line| width(line, BODY, false));
            let vectors: &[Vector] = if let Content::Vectors(vectors) = &card.content { vectors } else { &[] };
            let heads = vectors.iter().map(|v| width(&v.name, BODY, true) + 8.0 + width(&v.size, BODY, false));
            let numbers = vectors.iter().map(|v| width(&v.numbers, BODY, false));
            for wide in lines.chain(heads).chain(numbers) {
                assert!(wide <= inside + 0.01, "{}: {wide} of {inside}", card.name);
            }
            assert!(card.left() + across(card.columns) <= WIDTH - MARGIN + 0.01, "{} is on the page", card.name);
            assert!(card.height() <= steps.row(card.row).1, "{} is in its row", card.name);
        }
        let places: Vec<(usize, usize)> = steps.cards.iter().map(|card| (card.row, card.column)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2), (0, 4), (0, 5), (1, 0)], "keys take two columns");
    }
    let svg = svg(&figure);
    assert!(svg.contains("·Donau") && !svg.contains("mütze"), "a long token is cut");
}

#[test]
fn a_cell_shows_the_number_furthest_from_zero() {
    let values: Vec<f32> = (0..2 * CELLS).map(|i| if i == 1 { -5.0 } else { 1.0 }).collect();
    let grid = Grid::of(values.len(), 200.0, 0.0);
    assert_eq!((grid.pool, grid.pooled(&values).len(), grid.pooled(&values)[0]), (2, CELLS, -5.0));
    assert_eq!(grid.pooled(&[-5.0, 1.0, 1.0, 2.0]), [-5.0, 2.0]);
}

#[test]
fn room_that_is_left_gives_more_numbers_a_cell_of_their_own() {
    for (count, spare) in [(16, 100.0), (64, 0.0), (576, 0.0), (576, 60.0), (576, 200.0), (4096, 150.0)] {
        let grid = Grid::of(count, 206.0, spare);
        let cells = count.div_ceil(grid.pool);
        let high = cells.div_ceil(grid.columns) as f64 * grid.cell[1];
        assert!(high <= STRIP + spare + 0.01, "{count} with {spare}: {grid:?}");
        assert!(cells.min(grid.columns) as f64 * grid.cell[0] <= 206.01, "{count} with {spare}: {grid:?}");
    }
    assert_eq!(Grid::of(576, 206.0, 200.0).pool, 1, "each of 576 numbers has a cell");
    assert_eq!(Grid::of(576, 206.0, 0.0).pool, 11);
}

#[test]
fn a_model_without_scores_ends_with_words() {
    let mut report = report();
    report.steps.retain(|step| step.kind != StepKind::Logits);
    report.top.clear();
    let svg = svg(&StepsFigure { answers: None, ..figure(report) });
    assert!(!svg.contains("score and share") && says(&svg, "5  Next"), "{svg}");
}

#[test]
fn the_table_is_long_and_full_in_precision() {
    let csv = String::from_utf8(steps_figure(&figure(report()), Format::Csv).unwrap()).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("part,name,index,value"));
    let value = report().values_of(StepKind::Embed)[0];
    assert_eq!(lines.next(), Some(format!("Token,embed,0,{value}").as_str()));
    assert!(csv.contains("\n\"q, k\",key.blocks.1.attn.k,15,") && csv.contains("\nNext,logits,2,-1\n"), "{csv}");
}

#[test]
fn arrays_have_the_names_of_their_sites() {
    let report = report();
    let file = steps_arrays(&report, &[], ArrayFormat::Safetensors).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}")).shape().to_vec();
    assert_eq!(shape("blocks.1.attn.pattern"), [SEEN]);
    assert_eq!(shape("keys"), [SEEN, 16]);
    assert_eq!(shape("blocks.2.mlp_out"), [64]);
    assert_eq!(file.tensor("blocks.1.attn.q").unwrap().data()[..4], report.values_of(StepKind::Query)[0].to_le_bytes());
    assert_eq!(shape("ids"), [SEEN]);
}
