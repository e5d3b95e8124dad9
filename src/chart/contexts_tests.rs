//! What the figure of a word in two texts shows, and its arrays.

use super::*;
use crate::types::ContextLayer;

fn report() -> ContextsReport {
    let token = |(id, text): (u32, &str)| PromptToken { id, text: text.into(), span: 0..0 };
    let layer = |cosine: f32, near: &str| ContextLayer {
        cosine,
        tokens: [vec![(token((7, near)), 0.53), (token((8, " <b>")), 0.4)], vec![(token((9, " money")), 0.25)]],
        positions: [vec![(1, cosine)], vec![(0, 0.125)]],
    };
    ContextsReport {
        texts: [vec![(1, " river"), (2, " bank")], vec![(3, " cash"), (2, " bank")]]
            .map(|texts| texts.into_iter().map(token).collect()),
        places: [1, 1],
        layers: vec![layer(1.0, " bank"), layer(0.75, " shore"), layer(0.5, " Donaudampfschifffahrtsgesellschaft")],
    }
}

fn figure(report: ContextsReport) -> ContextsFigure {
    ContextsFigure {
        title: "tiny: ‘bank’ in two texts".into(),
        captions: vec!["First: “river bank”".into(), "Second: “cash bank”".into()],
        words: "‘bank’: the cosine falls.".into(),
        report: Arc::new(report),
    }
}

fn svg(figure: &ContextsFigure) -> String {
    String::from_utf8(contexts_figure(figure, Format::Svg).unwrap()).unwrap()
}

/// The places of circles along the axis.
fn across(svg: &str) -> Vec<f64> {
    let circles = svg.split("<circle ").skip(1);
    circles.map(|circle| circle.split("cx=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_state_has_a_point_at_its_cosine_and_its_neighbours_beside_it() {
    let svg = svg(&figure(report()));
    let points = across(&svg);
    assert_eq!(points.len(), 3);
    assert!((points[0] - points[1] - (points[1] - points[2])).abs() <= 2.0, "even steps of the cosine: {points:?}");
    for text in ["embedding", "block 0", "block 1", "0.750", "·shore", "·&lt;b&gt;", "·money", "·river"] {
        assert!(svg.contains(&format!(">\n{text}\n<")), "{text}: {svg}");
    }
    assert!(svg.contains("·Donau") && svg.contains('…') && !svg.contains("gesellschaft"), "a long token is cut");
    assert!(svg.contains("<desc>‘bank’: the cosine falls. First: “river bank” Second: “cash bank”</desc>"), "{svg}");
}

#[test]
fn an_axis_goes_below_zero_where_cosines_do_and_what_is_no_number_has_no_point() {
    let mut low = report();
    (low.layers[1].cosine, low.layers[2].cosine) = (-0.25, f32::NAN);
    let svg = svg(&figure(low));
    let points = across(&svg);
    assert_eq!(points.len(), 2);
    let left = 10.0 * (MARGIN + NAMES);
    assert!(points.iter().all(|x| *x >= left), "{points:?} begin at {left}");
    assert!(svg.contains(">\nNaN\n<"));
}

#[test]
fn numbers_are_written_as_arrays_of_one_shape() {
    let file = contexts_arrays(&report(), &[], ArrayFormat::Safetensors).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let floats = |name: &str| {
        let bytes = file.tensor(name).unwrap().data().to_vec();
        bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>()
    };
    assert_eq!(floats("cosine"), [1.0, 0.75, 0.5]);
    assert_eq!(file.tensor("nearest_tokens").unwrap().shape(), [2, 3, 2]);
    let ids: Vec<i64> = file
        .tensor("nearest_tokens")
        .unwrap()
        .data()
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| i64::from_le_bytes(*b))
        .collect();
    assert_eq!(ids, [7, 8, 7, 8, 7, 8, 9, -1, 9, -1, 9, -1], "the second text has one neighbour, and no other");
    assert!(floats("nearest_tokens_cosine")[7].is_nan());
    assert_eq!(floats("nearest_positions_cosine"), [1.0, 0.75, 0.5, 0.125, 0.125, 0.125]);
}

#[test]
fn texts_that_were_not_compared_make_no_figure() {
    let empty = ContextsReport { layers: Vec::new(), ..report() };
    for format in Format::ALL {
        assert!(matches!(contexts_figure(&figure(empty.clone()), format), Err(ChartError::Empty(_))));
    }
}
