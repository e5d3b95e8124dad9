//! Figures of a picture, read back: markup, pixels and numbers.

use super::*;

/// Four pixels in a row of two patches over two rows: left dark, right bright.
fn seen() -> Picture {
    Picture::gray(4, &[0.0, 0.2, 0.8, 1.0, 0.0, 0.2, 0.8, 1.0])
}

fn figure<'a>(picture: &'a Picture, weights: &'a [f32]) -> OverlayFigure<'a> {
    OverlayFigure {
        title: "tiny <vit>, layer 0, head 1".to_owned(),
        caption: "from CLS".to_owned(),
        picture,
        grid: [1, 2],
        special: vec![("CLS".to_owned(), 0.5)],
        weights,
        query: None,
        map: ColorMap::Viridis,
        curve: ScaleCurve::SquareRoot,
        strength: 0.5,
    }
}

#[test]
fn pixels_are_the_picture_under_the_colour_of_its_patch() {
    let (picture, weights) = (seen(), [0.1, 0.4]);
    let figure = figure(&picture, &weights);
    let layout = Overlay::new(&figure);
    let png = image::load_from_memory(&overlay_figure(&figure, Format::Png).unwrap()).unwrap().to_rgb8();
    let (width, height) = layout.size();
    assert_eq!(png.dimensions(), (2 * width, 2 * height));
    for (column, gray) in [0u8, 51, 204, 255].into_iter().enumerate() {
        // The place of a quarter of the most is a half, by its square root.
        let (colour, covering) = ColorMap::Viridis.cover(if column < 2 { 0.5 } else { 1.0 });
        let share = 0.5 * covering;
        let expected = colour.map(|c| (f32::from(gray) * (1.0 - share) + f32::from(c) * share).round() as u8);
        for within in [0.0, 0.5, 0.99] {
            let x = (MARGIN + (column as f64 + within) * layout.pixel) * 2.0;
            assert_eq!(png.get_pixel(x as u32, (TOP * 2.0) as u32 + 9).0, expected, "column {column}");
        }
    }
    assert_eq!(png.get_pixel(0, 0).0, [255; 3]);
}

#[test]
fn svg_holds_the_picture_below_its_frame_and_the_numbers_of_the_legend() {
    let (picture, weights) = (seen(), [0.1, 0.4]);
    let figure = OverlayFigure { query: Some(1), ..figure(&picture, &weights) };
    let svg = String::from_utf8(overlay_figure(&figure, Format::Svg).unwrap()).unwrap();
    assert!(svg.contains("tiny &lt;vit&gt;, layer 0, head 1") && svg.contains("row 1, column 2 with 0.4"));
    let (paper, rest) = svg.split_once("<image ").unwrap();
    assert_eq!(paper.matches("<rect ").count(), 1, "the paper alone lies below the picture");
    let (image, above) = rest.split_once("/>").unwrap();
    assert!(image.contains("href=\"data:image/png;base64,iVBORw0KGgo"), "a PNG");
    // A line of the outline, and the numbers at a half and the whole of the scale.
    assert!(above.contains("<polyline ") && above.contains(">\n0.1\n<") && above.contains(">\n0.4\n<"), "{above}");
    let plain = overlay_figure(&OverlayFigure { query: None, ..figure }, Format::Svg).unwrap();
    assert!(plain.len() < svg.len());
}

#[test]
fn csv_has_every_token_and_where_it_is() {
    let (picture, weights) = (seen(), [0.125, 0.375]);
    let csv = String::from_utf8(overlay_figure(&figure(&picture, &weights), Format::Csv).unwrap()).unwrap();
    let expected = "token,name,row,column,weight\n0,CLS,,,0.5\n1,patch,1,1,0.125\n2,patch,1,2,0.375\n";
    assert_eq!(csv, expected);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let picture = seen();
    let too_few = overlay_figure(&figure(&picture, &[0.5]), Format::Png);
    assert!(matches!(too_few, Err(ChartError::Patches { expected: 2, found: 1 })), "{too_few:?}");
    let nan = overlay_figure(&figure(&picture, &[0.5, f32::NAN]), Format::Csv);
    assert!(matches!(nan, Err(ChartError::NotFinite { index: 1, .. })), "{nan:?}");
    let none = Picture::gray(0, &[]);
    assert!(matches!(overlay_figure(&figure(&none, &[0.5, 0.5]), Format::Svg), Err(ChartError::Empty(_))));
}
