//! Charts as SVG that fits any width: texts stand at shares of it and keep their size, lines are drawn in a frame of their
//! own that is stretched. Axes have a unit, the vertical one begins at zero, and where a bucket has no row the line is broken.

use jobspec::value::Time;
use maud::{Markup, html};

use crate::output::columns::Unit;
use crate::output::digest::{Line, MEASURES, Points};
use crate::output::shown::{day, duration, short_number};

/// Lines of a chart, and columns that it is drawn in: of more points the greatest of each column is drawn.
const LINES: usize = 6;
const COLUMNS: usize = 300;
/// Height of the plot, and what stands below it.
const HEIGHT: u32 = 150;
const TOP: u32 = 18;
const BOTTOM: u32 = 22;

/// A line's points in one measure: seconds and values.
type Drawn = Vec<(f64, f64)>;

/// The lines that a section draws, in all its charts the same, each in its colour: those that are greatest in any measure,
/// by index, in the order of their rows.
pub fn chosen(points: &Points) -> Vec<usize> {
    let peak = |line: &Line, measure: usize| {
        let values = line.points.iter().map(|point| point.values[measure]);
        values.filter(|value| value.is_finite()).fold(0.0, f64::max)
    };
    let mut ranked: Vec<(f64, usize)> = (0..points.lines.len()).map(|line| (0.0, line)).collect();
    for measure in 0..points.measures.len() {
        let peaks: Vec<f64> = points
            .lines
            .iter()
            .map(|line| peak(line, measure))
            .collect();
        let most = peaks.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (rank, peak) in ranked.iter_mut().zip(&peaks) {
            rank.0 = f64::max(rank.0, peak / most);
        }
    }
    // Stable: of equal ones the first.
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut chosen: Vec<usize> = ranked
        .into_iter()
        .map(|(_, line)| line)
        .take(LINES)
        .collect();
    chosen.sort_unstable();
    chosen
}

/// One chart: the measure with this index over time, of the chosen lines.
pub fn over_time(
    points: &Points,
    chosen: &[usize],
    measure: usize,
    title: &str,
    unit: Unit,
    id: &str,
) -> Option<Markup> {
    let lines = chosen.iter().map(|index| &points.lines[*index]);
    let lines: Vec<(&Line, Drawn)> = lines.map(|line| (line, drawn(line, measure))).collect();
    let more = points.lines.len() - lines.len();
    let every = || lines.iter().flat_map(|(_, drawn)| drawn);
    let first = every().map(|point| point.0).reduce(f64::min)?;
    let last = every().map(|point| point.0).reduce(f64::max)?;
    let most = every().map(|point| point.1).fold(0.0, f64::max);
    let least = every().map(|point| point.1).fold(0.0, f64::min);
    let (least, most, step) = scale(least, most);
    let width = (last - first).max(1e-9);
    let bucket = bucket_seconds(&lines, width);
    let names: Vec<&str> = lines.iter().map(|(line, _)| line.name.as_str()).collect();
    let peak = lines.iter().filter_map(|(line, drawn)| {
        let points = drawn.iter().copied();
        let (at, value) =
            points.reduce(|left, right| if right.1 > left.1 { right } else { left })?;
        Some(format!(
            "{} at most {} at {}",
            if line.name.is_empty() {
                "all"
            } else {
                &line.name
            },
            amount(value, unit),
            clock(at, 1.0)
        ))
    });
    let description = peak.collect::<Vec<_>>().join("; ");
    Some(html! {
        figure {
            figcaption { (title) @if unit != Unit::None { span.dim { " (" (unit.name()) ")" } } }
            @if !(lines.len() == 1 && names[0].is_empty()) {
                ul.legend {
                    @for (index, name) in names.iter().enumerate() {
                        li {
                            svg aria-hidden="true" { line.path.{ "s" (index) } x1="0" y1="50%" x2="100%" y2="50%" {} }
                            (name)
                        }
                    }
                    @if more > 0 { li.dim { (more) " more in the rows" } }
                }
            }
            svg role="img" aria-labelledby={ (id) "-title " (id) "-text" } width="100%" height=(TOP + HEIGHT + BOTTOM) {
                title id={ (id) "-title" } { (title) }
                desc id={ (id) "-text" } { (description) }
                (axis(least, most, step, unit))
                @for (at, label) in ticks(first, last) {
                    text x={ (percent((at - first) / width)) } y=(TOP + HEIGHT + 15) text-anchor=(anchor((at - first) / width)) { (label) }
                }
                svg x="0" y=(TOP) width="100%" height=(HEIGHT) viewBox="0 0 1000 100" preserveAspectRatio="none" overflow="visible" {
                    @for (index, (_, drawn)) in lines.iter().enumerate() {
                        @let (path, dots) = path(drawn, first, width, bucket, least, most);
                        @if !path.is_empty() { path.path.{ "s" (index) } d=(path) {} }
                        @if !dots.is_empty() { path.dots.{ "s" (index) } d=(dots) {} }
                    }
                }
            }
        }
    })
}

/// Upright bars over numbers: one for each row.
pub fn histogram(
    bars: &[(f64, f64)],
    title: &str,
    unit: Unit,
    of: &str,
    id: &str,
) -> Option<Markup> {
    let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    let (first, last) = (bars.first()?.0, bars.last()?.0);
    let (least, most, step) = scale(0.0, most);
    let gaps = bars.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let gap = gaps.filter(|gap| *gap > 0.0).fold(f64::MAX, f64::min);
    let gap = if gap == f64::MAX { 1.0 } else { gap };
    let width = last - first + gap;
    let share = |at: f64| (at - first) / width;
    // A dozen labels at most.
    let every = bars.len().div_ceil(12);
    Some(html! {
        figure {
            figcaption { (title) " by " (of) @if unit != Unit::None { span.dim { " (" (unit.name()) ")" } } }
            svg role="img" aria-labelledby={ (id) "-title" } width="100%" height=(TOP + HEIGHT + BOTTOM) {
                title id={ (id) "-title" } { (title) " by " (of) }
                (axis(least, most, step, unit))
                @for (index, (at, value)) in bars.iter().enumerate() {
                    @let height = (value / most).clamp(0.0, 1.0) * f64::from(HEIGHT);
                    rect.bar x=(percent(share(*at + gap * 0.1))) width=(percent(gap * 0.8 / width))
                        y=(number(f64::from(TOP + HEIGHT) - height)) height=(number(height)) {
                        title { (short_number(*at)) ": " (amount(*value, unit)) }
                    }
                    @if index % every == 0 {
                        text x=(percent(share(*at + gap * 0.5))) y=(TOP + HEIGHT + 15) text-anchor="middle" { (short_number(*at)) }
                    }
                }
            }
        }
    })
}

/// Level bars, one below the other, each with its name: for groups that are no numbers.
pub fn bars(bars: &[(String, f64)], title: &str, unit: Unit, id: &str) -> Option<Markup> {
    let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    Some(html! {
        figure {
            figcaption { (title) @if unit != Unit::None { span.dim { " (" (unit.name()) ")" } } }
            svg role="img" aria-labelledby={ (id) "-title" } width="100%" height=(bars.len() * 30) {
                title id={ (id) "-title" } { (title) }
                @for (index, (name, value)) in bars.iter().enumerate() {
                    text.name x="0" y=(index * 30 + 14) { (name) }
                    text x="100%" y=(index * 30 + 14) text-anchor="end" { (amount(*value, unit)) }
                    rect.bar x="0" y=(index * 30 + 19) height="6" rx="2" width=(percent((value / most).clamp(0.002, 1.0))) {}
                }
            }
        }
    })
}

/// A small line without axes: figures of one run after the other.
pub fn spark(values: &[f64], label: &str) -> Markup {
    let most = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    let last = (values.len().max(2) - 1) as f64;
    let drawn: Drawn = values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_finite())
        .map(|(index, value)| (index as f64, *value))
        .collect();
    html! {
        span.spark {
            svg role="img" aria-label=(label) width="140" height="28" viewBox="-20 -8 1040 116" preserveAspectRatio="none" {
                @let (path, dots) = path(&drawn, 0.0, last, 1.0, 0.0, most.max(1e-9));
                @if !path.is_empty() { path.path d=(path) {} }
                @if !dots.is_empty() { path.path d=(dots) {} }
            }
        }
    }
}

/// The grid with its figures, each above its line.
fn axis(least: f64, most: f64, step: f64, unit: Unit) -> Markup {
    let steps = ((most - least) / step).round() as usize;
    html! {
        @for index in 0..=steps {
            @let value = least + step * index as f64;
            @let y = f64::from(TOP + HEIGHT) - f64::from(HEIGHT) * (value - least) / (most - least);
            line.grid x1="0" x2="100%" y1=(number(y)) y2=(number(y)) {}
            // At the very bottom the lines would run through it, and everybody knows where zero is.
            @if index > 0 || value != 0.0 {
                text x="0" y=(number(y - 4.0)) { (amount(value, unit)) }
            }
        }
    }
}

/// From where to where an axis goes, and the step between two figures: at most five.
fn scale(least: f64, most: f64) -> (f64, f64, f64) {
    let span = (most - least).max(f64::MIN_POSITIVE);
    if !(most - least).is_normal() {
        return (least, least + 1.0, 1.0);
    }
    let power = 10_f64.powf((span / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| span / step <= 4.0)
        .unwrap_or(10.0 * power);
    (
        (least / step).floor() * step,
        (most / step).ceil() * step,
        step,
    )
}

fn drawn(line: &Line, measure: usize) -> Drawn {
    debug_assert!(measure < MEASURES);
    let mut drawn: Drawn = line
        .points
        .iter()
        .map(|point| (point.ns as f64 / 1e9, point.values[measure]))
        .filter(|point| point.1.is_finite())
        .collect();
    drawn.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (Some(first), Some(last)) = (drawn.first(), drawn.last()) else {
        return drawn;
    };
    if drawn.len() <= COLUMNS {
        return drawn;
    }
    let (first, width) = (first.0, (last.0 - first.0).max(1e-9));
    let column = |at: f64| ((at - first) / width * COLUMNS as f64) as usize;
    let mut peaks: Drawn = Vec::with_capacity(COLUMNS + 1);
    for point in drawn {
        match peaks.last_mut() {
            Some(peak) if column(peak.0) == column(point.0) => {
                if point.1 > peak.1 {
                    *peak = (peak.0, point.1);
                }
            }
            _ => peaks.push(point),
        }
    }
    peaks
}

/// How far apart two neighbouring points are where nothing is missing.
fn bucket_seconds(lines: &[(&Line, Drawn)], width: f64) -> f64 {
    let mut gaps: Vec<f64> = lines
        .iter()
        .flat_map(|(_, drawn)| drawn.windows(2).map(|pair| pair[1].0 - pair[0].0))
        .filter(|gap| *gap > 0.0)
        .collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 10).copied().unwrap_or(width)
}

/// The lines between neighbours, and the points that have none.
fn path(
    drawn: &Drawn,
    first: f64,
    width: f64,
    bucket: f64,
    least: f64,
    most: f64,
) -> (String, String) {
    let (mut path, mut dots) = (String::new(), String::new());
    let is_gap = |left: f64, right: f64| right - left > bucket * 1.6;
    for (index, (at, value)) in drawn.iter().enumerate() {
        let x = number((at - first) / width * 1000.0);
        let y = number(100.0 - (value - least) / (most - least) * 100.0);
        let is_first = index == 0 || is_gap(drawn[index - 1].0, *at);
        let is_last = drawn.get(index + 1).is_none_or(|next| is_gap(*at, next.0));
        let (to, sign) = match (is_first, is_last) {
            (true, true) => (&mut dots, 'M'),
            (true, false) => (&mut path, 'M'),
            (false, _) => (&mut path, 'L'),
        };
        to.push(sign);
        to.push_str(&x);
        to.push(' ');
        to.push_str(&y);
        if is_first && is_last {
            to.push_str("h0");
        }
    }
    (path, dots)
}

/// Where an axis of time has labels: at whole minutes, hours or days, six at most.
pub fn ticks(first: f64, last: f64) -> Vec<(f64, String)> {
    const STEPS: [f64; 20] = [
        0.001,
        0.01,
        0.1,
        0.5,
        1.0,
        5.0,
        15.0,
        30.0,
        60.0,
        300.0,
        600.0,
        900.0,
        1800.0,
        3600.0,
        10_800.0,
        21_600.0,
        43_200.0,
        86_400.0,
        604_800.0,
        2_592_000.0,
    ];
    let width = last - first;
    let step = STEPS.into_iter().find(|step| width / step <= 5.0);
    let step = step.unwrap_or((width / 5.0).max(1.0));
    let mut ticks = Vec::new();
    let mut at = (first / step).ceil() * step;
    while at <= last && ticks.len() < 8 {
        ticks.push((at, clock(at, step)));
        at += step;
    }
    if ticks.is_empty() {
        ticks.push((first, clock(first, 1.0)));
    }
    ticks
}

/// A moment, as exact as steps of so many seconds need.
fn clock(seconds: f64, step: f64) -> String {
    let time = Time::new((seconds * 1e9).round() as i64, 3);
    let text = time.to_string();
    if step >= 86_400.0 {
        day(&time)
    } else if step >= 60.0 {
        text[11..16].to_owned()
    } else if step >= 1.0 {
        text[11..19].to_owned()
    } else {
        text[11..23].to_owned()
    }
}

/// A text near an edge stays inside.
pub fn anchor(share: f64) -> &'static str {
    match share {
        share if share < 0.06 => "start",
        share if share > 0.94 => "end",
        _ => "middle",
    }
}

pub fn percent(share: f64) -> String {
    format!("{}%", number(share * 100.0))
}

pub fn number(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A figure with its unit.
pub fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::None => short_number(value),
        Unit::Milliseconds => duration(value),
        Unit::Seconds => duration(value * 1e3),
        Unit::Share => format!("{} %", short_number(value * 100.0)),
        Unit::Bytes | Unit::Nanoseconds | Unit::Microseconds => {
            format!("{} {}", short_number(value), unit.name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_its_values_in_a_few_round_steps() {
        for (least, most) in [
            (0.0, 1.0),
            (0.0, 7.0),
            (0.0, 5237.0),
            (-3.0, 11.0),
            (0.0, 0.003),
            (0.0, 1e300),
        ] {
            let (low, high, step) = scale(least, most);
            assert!(low <= least && high >= most, "{least} {most}: {low} {high}");
            let steps = (high - low) / step;
            assert!((1.0..=6.5).contains(&steps), "{least} {most}: {steps}");
        }
        assert_eq!(scale(0.0, 0.0), (0.0, 1.0, 1.0));
    }

    #[test]
    fn a_line_is_broken_where_a_bucket_is_missing() {
        let drawn = vec![(0.0, 0.0), (60.0, 5.0), (300.0, 10.0)];
        assert_eq!(
            path(&drawn, 0.0, 300.0, 60.0, 0.0, 10.0),
            ("M0 100L200 50".to_owned(), "M1000 0h0".to_owned())
        );
    }

    #[test]
    fn labels_of_time_stand_at_round_moments() {
        let labels = |first, last| -> Vec<String> {
            ticks(first, last).into_iter().map(|tick| tick.1).collect()
        };
        assert_eq!(labels(30.0, 200.0), ["00:01", "00:02", "00:03"]);
        assert_eq!(
            labels(0.0, 3600.0),
            ["00:00", "00:15", "00:30", "00:45", "01:00"]
        );
        assert_eq!(
            labels(0.0, 86_400.0 * 3.0),
            ["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"]
        );
        assert_eq!(labels(5.0, 5.0), ["00:00:05.000"]);
        assert!(labels(0.0, 1e12).len() <= 8);
    }
}
