//! Attention figures, read back: markup, pixels and numbers.

use super::*;
use crate::types::ScaleEnd;

fn figure<'a>(tokens: &[&str], pattern: &'a [f32]) -> AttentionFigure<'a> {
    AttentionFigure {
        title: "tiny <model>, layer 0, head 1".to_owned(),
        caption: "“a & b”".to_owned(),
        tokens: tokens.iter().map(|t| (*t).to_owned()).collect(),
        pattern,
        map: ColorMap::Viridis,
        scale: WeightScale::LINEAR,
    }
}

/// Fails unless every tag of `svg` is closed in order and no bare `&` or `<` is left in text.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        for (i, _) in text.match_indices('&') {
            let entity = text[i..].split_once(';').map(|(e, _)| e);
            assert!(matches!(entity, Some("&lt" | "&gt" | "&amp" | "&quot" | "&apos")), "bare & in {text:?}");
        }
        let end = rest[at..].find('>').expect("a tag without end") + at;
        let tag = &rest[at + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in {tag:?}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes what is not open");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(svg.chars().all(|c| c >= ' ' || c == '\n'), "control characters are not XML");
}

#[test]
fn svg_is_well_formed_whatever_the_tokens() {
    let tokens = [" a", "\n", "<b>", "&amp", "\"q'", "ß", "中", "\u{1}"];
    let pattern: Vec<f32> = (0..64).map(|i| i as f32 / 63.0).collect();
    let svg = String::from_utf8(attention_figure(&figure(&tokens, &pattern), Format::Svg).unwrap()).unwrap();
    assert_well_formed(&svg);
    for text in ["·a", "⏎", "&lt;b&gt;", "&amp;amp", "&quot;q&apos;", "ß", "中", "␁"] {
        let whole = format!(">\n{text}\n<");
        assert_eq!(svg.matches(&whole).count(), 2, "{text} is on both axes");
    }
    assert!(svg.contains("tiny &lt;model&gt;, layer 0, head 1") && svg.contains("“a &amp; b”"));
    for number in ["0.0", "0.2", "0.8", "1.0"] {
        assert!(svg.contains(&format!(">\n{number}\n<")), "the legend lacks {number}");
    }
}

#[test]
fn png_has_two_pixels_a_unit_and_the_colours_of_the_values() {
    let pattern = [1.0, 0.0, 0.25, 0.75];
    let figure = figure(&["a", "b"], &pattern);
    let layout = HeatMap::new(&figure, Format::Png);
    let png = image::load_from_memory(&attention_figure(&figure, Format::Png).unwrap()).unwrap().to_rgb8();
    let (width, height) = layout.size();
    assert_eq!(png.dimensions(), (2 * width, 2 * height));
    for (index, value) in pattern.into_iter().enumerate() {
        let (row, column) = (index / 2, index % 2);
        // Every pixel of a cell, its edges included.
        let x0 = (layout.left + column as f64 * layout.cell) as u32 * 2;
        let y0 = (layout.top + row as f64 * layout.cell) as u32 * 2;
        let side = layout.cell as u32 * 2;
        for (x, y) in [(x0, y0), (x0 + side - 1, y0), (x0 + side / 2, y0 + side / 2), (x0 + side - 1, y0 + side - 1)] {
            assert_eq!(png.get_pixel(x, y).0, ColorMap::Viridis.ink(value, [255; 3]), "row {row}, column {column}");
        }
    }
    assert_eq!(png.get_pixel(0, 0).0, [255; 3]);
}

#[test]
fn csv_round_trips_every_value_and_token() {
    let tokens = ["a,b", "\"", "\n", "ß"];
    let pattern: Vec<f32> = (0..16).map(|i| 1.0 / (i + 3) as f32).collect();
    let csv = attention_figure(&figure(&tokens, &pattern), Format::Csv).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, ["query_index", "query", "a,b", "\"", "\n", "ß"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let read: Vec<f32> = rows.iter().flat_map(|r| r.iter().skip(2).map(|v| v.parse::<f32>().unwrap())).collect();
    assert_eq!(read, pattern);
    assert_eq!(rows.iter().map(|r| r[1].to_owned()).collect::<Vec<_>>(), tokens);
}

#[test]
fn bad_input_is_an_error() {
    assert!(matches!(attention_figure(&figure(&[], &[]), Format::Svg), Err(ChartError::Empty(_))));
    let short = attention_figure(&figure(&["a", "b"], &[1.0]), Format::Png);
    assert!(matches!(short, Err(ChartError::Shape { tokens: 2, expected: 4, found: 1 })));
    for format in Format::ALL {
        let nan = attention_figure(&figure(&["a"], &[f32::NAN]), format);
        assert!(matches!(nan, Err(ChartError::NotFinite { index: 0, .. })));
    }
}

#[test]
fn a_long_sequence_is_pooled_without_hiding_a_spike() {
    let tokens = vec!["t"; 700];
    let mut pattern = vec![0.0; 700 * 700];
    pattern[601 * 700 + 303] = 1.0;
    let figure = figure(&tokens, &pattern);
    let layout = HeatMap::new(&figure, Format::Png);
    assert_eq!((layout.pool, layout.cells), (2, 350));
    assert_eq!(layout.share(300, 151), 1.0);
    let svg = String::from_utf8(attention_figure(&figure, Format::Svg).unwrap()).unwrap();
    assert!(svg.contains("each cell is the highest of 2 × 2 values"));
}

#[test]
fn colours_are_those_of_the_scale_and_a_note_says_what_it_ends_at() {
    let pattern = [0.5, 0.1, 0.02, 0.08];
    let scale = WeightScale { curve: ScaleCurve::SquareRoot, end: ScaleEnd::Row, without_first: true };
    let figure = AttentionFigure { scale, ..figure(&["a", "b"], &pattern) };
    let layout = HeatMap::new(&figure, Format::Png);
    let png = image::load_from_memory(&attention_figure(&figure, Format::Png).unwrap()).unwrap().to_rgb8();
    for (index, share) in [1.0, 1.0, 0.25, 1.0f32].into_iter().enumerate() {
        let middle = |start: f64, place: usize| ((start + (place as f64 + 0.5) * layout.cell) * 2.0) as u32;
        let pixel = png.get_pixel(middle(layout.left, index % 2), middle(layout.top, index / 2)).0;
        assert_eq!(pixel, ColorMap::Viridis.ink(share.sqrt(), [255; 3]), "cell {index}");
    }
    let svg = String::from_utf8(attention_figure(&figure, Format::Svg).unwrap()).unwrap();
    assert!(svg.contains("colours: shares of the largest weight of each row but for the first token"), "{svg}");
    for mark in ["0.1", "0.25"] {
        assert!(svg.contains(&format!(">\n{mark}\n<")), "the legend lacks {mark}");
    }
}
