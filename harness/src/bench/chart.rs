//! Charts as one SVG that stands alone: bars on a logarithmic scale, light or dark as the reader's system is.

use std::fmt::Write;

use super::{Measured, percent, time};

/// One chart.
pub struct Panel {
    /// What is shown, and its unit.
    pub title: &'static str,
    /// Whether values are millionths of a whole: on a scale from nothing to all, in place of a logarithmic one.
    pub is_share: bool,
    /// Of each observer its name, its value (none: it has none) and what is written beside the bar.
    pub bars: Vec<(String, Option<f64>, String)>,
}

const WIDTH: usize = 860;
const ROW: usize = 20;
const LEFT: usize = 200;
const BAR: usize = 500;

/// Colours are the page's where there is one.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:var(--ink,#1b1f24)}\
.title{font-weight:600}\
.bar{fill:var(--accent,#0b62c4)}\
.name{text-anchor:end}\
.none{fill:var(--faint,#5b6470)}\
@media (prefers-color-scheme:dark){text{fill:var(--ink,#e6e9ed)}.bar{fill:var(--accent,#6cb0ff)}.none{fill:var(--faint,#9aa4b0)}}";

/// The charts of these observers.
pub fn charts(all: &[Measured]) -> String {
    let panel =
        |title, is_share, value: fn(&Measured) -> Option<f64>, words: fn(&Measured) -> String| {
            let bars = all.iter().map(|each| {
                let value = value(each);
                let words = match value {
                    Some(_) => words(each),
                    None => "-".into(),
                };
                (each.observer.clone(), value, words)
            });
            Panel {
                title,
                is_share,
                bars: bars.collect(),
            }
        };
    draw(&[
        panel(
            "Time on a processor, ns an event (LOG: a packet); logarithmic",
            false,
            |each| Some(each.cpu_ns),
            |each| format!("{:.1}", each.cpu_ns),
        ),
        panel(
            "Bytes that a reader takes over, an event; logarithmic",
            false,
            |each| Some(each.bytes),
            |each| format!("{:.2}", each.bytes),
        ),
        panel(
            "Lost under overload",
            true,
            |each| each.overload_lost_ppm.map(|lost| lost as f64),
            |each| percent(each.overload_lost_ppm.unwrap_or(0)),
        ),
        panel(
            "Until a burst of resets is called; logarithmic",
            false,
            |each| each.detection_delay_us.map(|us| us as f64),
            |each| time(each.detection_delay_us.unwrap_or(0)),
        ),
    ])
}

/// Draws charts one below another.
pub fn draw(panels: &[Panel]) -> String {
    let height: usize = panels
        .iter()
        .map(|panel| (panel.bars.len() + 3) * ROW)
        .sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" role=\"img\" \
         aria-label=\"Observers compared\">\n<style>{STYLE}</style>\n"
    );
    let mut y = ROW;
    let mut add = |line: std::fmt::Arguments<'_>| {
        let written = svg.write_fmt(line).and_then(|()| svg.write_char('\n'));
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    };
    for Panel {
        title,
        is_share,
        bars,
    } in panels
    {
        add(format_args!(
            "<text class=\"title\" x=\"0\" y=\"{y}\">{}</text>",
            escaped(title)
        ));
        let (least, most) = range(bars);
        for (name, value, words) in bars {
            y += ROW;
            add(format_args!(
                "<text class=\"name\" x=\"{}\" y=\"{y}\">{}</text>",
                LEFT - 8,
                escaped(name)
            ));
            let length = match value {
                None => 0.0,
                Some(value) if *is_share => value / 1e6,
                Some(value) => (value.max(least) / least).ln() / (most / least).ln(),
            } * BAR as f64;
            add(format_args!(
                "<rect class=\"bar\" x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/>",
                y - 12
            ));
            let class = if value.is_some() { "value" } else { "none" };
            add(format_args!(
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{y}\">{}</text>",
                LEFT as f64 + length + 6.0,
                escaped(words)
            ));
        }
        y += 3 * ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// What a logarithmic scale begins and ends with: a third of the least that is above zero, and the most.
fn range(bars: &[(String, Option<f64>, String)]) -> (f64, f64) {
    let values = bars.iter().filter_map(|(_, value, _)| *value);
    let positive: Vec<f64> = values.filter(|value| *value > 0.0).collect();
    let least = positive.iter().copied().fold(f64::INFINITY, f64::min);
    let most = positive.iter().copied().fold(0.0, f64::max);
    match least.is_finite() {
        true => (least / 3.0, most),
        false => (1.0, 3.0),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;
    use super::*;

    fn widths(svg: &str) -> Vec<f64> {
        let bars = svg.split("<rect class=\"bar\"").skip(1);
        bars.map(|bar| {
            let width = bar.split("width=\"").nth(1).expect("a width");
            width
                .split('"')
                .next()
                .expect("its end")
                .parse()
                .expect("a number")
        })
        .collect()
    }

    #[test]
    fn longer_bars_are_more_and_none_is_too_long() {
        let dear = Measured {
            cpu_ns: 800.0,
            overload_lost_ppm: Some(0),
            detection_delay_us: Some(40),
            ..measured("dear")
        };
        let svg = charts(&[measured("cheap"), dear]);
        let widths = widths(&svg);
        assert_eq!(widths.len(), 8);
        assert!(widths[0] > 0.0 && widths[0] < widths[1] && widths[1] <= BAR as f64);
        assert_eq!(
            widths[4..6],
            [BAR as f64 / 4.0, 0.0],
            "a quarter is lost, nothing is"
        );
        assert_eq!(widths[6], 0.0, "it was never called");
    }
}
