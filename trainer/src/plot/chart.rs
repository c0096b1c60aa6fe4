//! A chart of curves, and several charts in one picture.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::error::{Error, Result};

/// Okabe and Ito's colours, which colour-blind people tell apart.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// The backend places points at whole units; so many to a pixel keep lines smooth.
const UNITS: u32 = 4;

/// Width and height of a chart in pixels.
const SIZE: (u32, u32) = (560, 400);

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; the range must be above 0.
    Logarithmic,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is written beside it.
    pub label: String,
    /// From where to where.
    pub range: Range<f64>,
    /// How.
    pub scale: Scale,
}

impl Axis {
    /// Evenly spaced values.
    pub fn linear(label: &str, range: Range<f64>) -> Self {
        Axis { label: label.into(), range: wide(range), scale: Scale::Linear }
    }

    /// Values by their logarithm.
    pub fn logarithmic(label: &str, range: Range<f64>) -> Self {
        let least = range.start.max(1e-12);
        let most = if range.end > least { range.end } else { 10.0 * least };
        Axis { label: label.into(), range: least..most, scale: Scale::Logarithmic }
    }
}

/// An empty range would draw nothing.
fn wide(range: Range<f64>) -> Range<f64> {
    if range.end > range.start { range } else { range.start - 0.5..range.start + 0.5 }
}

/// Points joined by straight lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// For the legend.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
    /// Whether the area down to the axis is tinted.
    pub filled: bool,
}

impl Curve {
    /// A line.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Curve { name: name.into(), points, filled: false }
    }

    /// Steps of a histogram, from `from` on, each `width` wide.
    pub fn steps(name: impl Into<String>, from: f64, width: f64, heights: &[f64]) -> Self {
        let mut points = vec![(from, 0.0)];
        for (place, &height) in heights.iter().enumerate() {
            let left = from + width * place as f64;
            points.extend([(left, height), (left + width, height)]);
        }
        points.push((from + width * heights.len() as f64, 0.0));
        Curve { name: name.into(), points, filled: true }
    }
}

/// Curves over common axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The heading.
    pub title: String,
    /// The axis along the bottom.
    pub x: Axis,
    /// The axis up the left side.
    pub y: Axis,
    /// The curves; a legend names them where there are several.
    pub curves: Vec<Curve>,
}

impl Chart {
    /// The chart alone, 560×400.
    pub fn svg(&self) -> Result<String> {
        grid(std::slice::from_ref(self), 1)
    }

    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<()> {
        let [x, y] = [self.x.range.clone(), self.y.range.clone()];
        match (self.x.scale, self.y.scale) {
            (Scale::Linear, Scale::Linear) => self.draw_over(area, x, y),
            (Scale::Linear, Scale::Logarithmic) => self.draw_over(area, x, y.log_scale()),
            (Scale::Logarithmic, Scale::Linear) => self.draw_over(area, x.log_scale(), y),
            (Scale::Logarithmic, Scale::Logarithmic) => self.draw_over(area, x.log_scale(), y.log_scale()),
        }
    }

    fn draw_over<X, Y>(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, x: X, y: Y) -> Result<()>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut builder = ChartBuilder::on(area);
        builder.caption(&self.title, ("sans-serif", 17 * UNITS)).margin(12 * UNITS).margin_right(20 * UNITS);
        builder.x_label_area_size(44 * UNITS).y_label_area_size(64 * UNITS);
        let mut chart = builder.build_cartesian_2d(x, y).map_err(failed)?;
        let [x_scale, y_scale] = [self.x.scale, self.y.scale];
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|value| number(*value, x_scale))
            .y_label_formatter(&|value| number(*value, y_scale))
            .max_light_lines(1)
            .set_all_tick_mark_size(5 * UNITS)
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(226, 226, 226).stroke_width(UNITS))
            .axis_style(RGBColor(120, 120, 120).stroke_width(UNITS))
            .label_style(("sans-serif", 14 * UNITS))
            .axis_desc_style(("sans-serif", 14 * UNITS))
            .draw()
            .map_err(failed)?;
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            let points = self.visible(&curve.points);
            if curve.filled {
                let polygon = Polygon::new(points.clone(), colour.mix(0.18));
                chart.draw_series(std::iter::once(polygon)).map_err(failed)?;
            }
            let series = LineSeries::new(points, colour.stroke_width(2 * UNITS));
            let drawn = chart.draw_series(series).map_err(failed)?;
            if self.curves.len() > 1 {
                let key = move |(x, y)| PathElement::new([(x, y), (x + 18 * UNITS as i32, y)], colour.stroke_width(3 * UNITS));
                drawn.label(curve.name.as_str()).legend(key);
            }
        }
        if self.curves.len() > 1 {
            let mut legend = chart.configure_series_labels();
            legend
                .position(self.free_corner())
                .background_style(WHITE.mix(0.85))
                .border_style(RGBColor(210, 210, 210).stroke_width(UNITS));
            legend
                .legend_area_size(26 * UNITS)
                .margin(10 * UNITS)
                .label_font(("sans-serif", 14 * UNITS))
                .draw()
                .map_err(failed)?;
        }
        Ok(())
    }

    /// The points within the axes; a logarithm has no place for 0, so such a point goes to the axis.
    fn visible(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let clamp = |value: f64, axis: &Axis| value.clamp(axis.range.start, axis.range.end);
        let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        finite.map(|&(x, y)| (clamp(x, &self.x), clamp(y, &self.y))).collect()
    }

    /// The corner that fewest points are in.
    fn free_corner(&self) -> SeriesLabelPosition {
        let place = |value: f64, axis: &Axis| match axis.scale {
            Scale::Linear => (value - axis.range.start) / (axis.range.end - axis.range.start),
            Scale::Logarithmic => (value / axis.range.start).ln() / (axis.range.end / axis.range.start).ln(),
        };
        let points: Vec<(f64, f64)> = self
            .curves
            .iter()
            .flat_map(|curve| resampled(&self.visible(&curve.points), |(x, y)| (place(x, &self.x), place(y, &self.y))))
            .collect();
        let corners = [
            (SeriesLabelPosition::UpperRight, true, true),
            (SeriesLabelPosition::UpperLeft, false, true),
            (SeriesLabelPosition::LowerRight, true, false),
            (SeriesLabelPosition::LowerLeft, false, false),
        ];
        let crowd = |right: bool, up: bool| points.iter().filter(|(x, y)| (*x > 0.55) == right && (*y > 0.6) == up).count();
        let freest = corners.into_iter().min_by_key(|&(_, right, up)| crowd(right, up));
        freest.map_or(SeriesLabelPosition::UpperRight, |(position, ..)| position)
    }
}

/// Points at even steps along each straight line, so that a long one weighs as much as it looks.
fn resampled(points: &[(f64, f64)], place: impl Fn((f64, f64)) -> (f64, f64)) -> Vec<(f64, f64)> {
    let places: Vec<(f64, f64)> = points.iter().map(|&point| place(point)).collect();
    let segments = places.windows(2).flat_map(|ends| {
        let [(x, y), (u, v)] = [ends[0], ends[1]];
        let steps = ((u - x).hypot(v - y) * 50.0).ceil().clamp(1.0, 100.0) as usize;
        (0..steps).map(move |step| {
            let share = step as f64 / steps as f64;
            (x + share * (u - x), y + share * (v - y))
        })
    });
    segments.collect()
}

/// Charts side by side, `columns` in a row, 560×400 each.
pub fn grid(charts: &[Chart], columns: usize) -> Result<String> {
    let columns = columns.clamp(1, charts.len().max(1));
    let rows = charts.len().div_ceil(columns).max(1);
    let (width, height) = (SIZE.0 * columns as u32, SIZE.1 * rows as u32);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (UNITS * width, UNITS * height)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (area, chart) in root.split_evenly((rows, columns)).iter().zip(charts) {
            chart.draw(area)?;
        }
        root.present().map_err(failed)?;
    }
    // The picture's own units stay in its viewBox.
    let drawn = format!("width=\"{}\" height=\"{}\"", UNITS * width, UNITS * height);
    Ok(svg.replacen(&drawn, &format!("width=\"{width}\" height=\"{height}\""), 1))
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Plot(error.to_string())
}

/// A tick's number without needless digits.
fn number(value: f64, scale: Scale) -> String {
    let size = value.abs();
    if scale == Scale::Logarithmic && size > 0.0 && !(0.01..1e5).contains(&size) || size >= 1e7 {
        return format!("{value:e}");
    }
    if size >= 1e4 && (value / 1000.0).fract() == 0.0 {
        return format!("{} k", value / 1000.0);
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').replace("-0", if value == 0.0 { "0" } else { "-0" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        let cases = [(0.5, "0.5"), (-0.25, "-0.25"), (0.0, "0"), (-0.0, "0"), (3.0, "3"), (50_000.0, "50 k"), (1234.5, "1234.5")];
        for (value, text) in cases {
            assert_eq!(number(value, Scale::Linear), text);
        }
        assert_eq!(number(1e-4, Scale::Logarithmic), "1e-4");
        assert_eq!(number(0.1, Scale::Logarithmic), "0.1");
    }

    #[test]
    fn whatever_the_values_there_is_a_picture() {
        let points = vec![(0.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (2.0, 1e-9), (5.0, -3.0)];
        for (x, y) in [
            (Axis::linear("x", 0.0..0.0), Axis::logarithmic("y", 0.0..0.0)),
            (Axis::logarithmic("x", 1e-3..1.0), Axis::linear("y", 1.0..0.0)),
        ] {
            let curves =
                vec![Curve::line("a", points.clone()), Curve::line("b", Vec::new()), Curve::steps("c", 0.0, 1.0, &[2.0])];
            let svg = Chart { title: "a < b".into(), x, y, curves }.svg().expect("a picture");
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
            assert!(svg.contains("a &lt; b"), "text is escaped");
        }
        assert!(grid(&[], 3).expect("an empty picture").starts_with("<svg"));
    }
}
