//! Which entry may follow which, step by step, and the earliest way through.
//!
//! The entries of a step are counted from 0 in the total order: ranks. Which ranks of the step before may end it so that
//! a given entry begins this one is a range, and both ends of that range rise with the entry (see `Track::bounds`). So
//! ways never gain by crossing: where one way goes from `u` to `v` and another from `u' > u` to `v' < v`, there are
//! ways from `u` to `v'` and from `u'` to `v` too. Hence of the entries within reach the first that leads on leads to
//! the earliest ends, one choice never has to be taken back, and what is within reach at the end is known for each
//! entry by its earliest and its latest end.
//!
//! A match that is picked from its end is the same in a mirror: ranks counted from the last entry, steps backwards.

use std::ops::Range;

use super::shape::Takes;

/// The ranks of the step before of which one may be its last entry where a given entry is the first of this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub low: usize,
    pub high: usize,
}

/// An entry that can be the first of its step and leads to an end.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Its rank.
    pub to: usize,
    pub bounds: Bounds,
    /// The earliest and the latest first entry of the last step that it leads to, by rank.
    earliest: usize,
    latest: usize,
}

pub struct Chain {
    /// How many entries each step takes but the last.
    takes: Vec<Takes>,
    /// The links into each step but the first, in order.
    layers: Vec<Vec<Link>>,
}

impl Chain {
    /// Of the steps' `takes`, and the bounds of each entry of each step but the first. `is_final` says which entries of
    /// the last step may be its first.
    pub fn new(takes: &[Takes], bounds: &[Vec<Bounds>], is_final: &dyn Fn(usize) -> bool) -> Chain {
        let mut layers: Vec<Vec<Link>> = Vec::with_capacity(bounds.len());
        for (step, bounds) in bounds.iter().enumerate().rev() {
            let next = layers.last();
            let takes = takes[step + 1];
            let mut cursor = 0..0;
            let links = bounds.iter().enumerate().filter_map(|(to, &bounds)| {
                if bounds.low >= bounds.high {
                    return None;
                }
                let (earliest, latest) = match next {
                    None if is_final(to) => (to, to),
                    None => return None,
                    Some(next) => {
                        advance(&mut cursor, next, takes, to);
                        let within = next.get(cursor.clone())?;
                        (within.first()?.earliest, within.last()?.latest)
                    }
                };
                Some(Link {
                    to,
                    bounds,
                    earliest,
                    latest,
                })
            });
            let links = links.collect();
            layers.push(links);
        }
        layers.reverse();
        Chain {
            takes: takes[..layers.len()].to_vec(),
            layers,
        }
    }

    /// The earliest way from an entry of the first step, as the first of it, to an end among the ranks `ends`: the link
    /// into each further step goes to `way`, the rank of the end is given.
    pub fn way(&self, from: usize, ends: Range<usize>, way: &mut Vec<Link>) -> Option<usize> {
        way.clear();
        let mut from = from;
        for (links, takes) in self.layers.iter().zip(&self.takes) {
            let begin = links.partition_point(|link| !is_late_enough(link, *takes, from));
            let end = links.partition_point(|link| is_early_enough(link, *takes, from));
            let links = links.get(begin..end)?;
            // Most that lead nowhere end here.
            if links.first()?.earliest >= ends.end || links.last()?.latest < ends.start {
                return None;
            }
            let link = links.get(links.partition_point(|link| link.latest < ends.start))?;
            way.push(*link);
            from = link.to;
        }
        ends.contains(&from).then_some(from)
    }
}

/// Moves to the links that can follow the entry of rank `from` as the first of its step.
fn advance(cursor: &mut Range<usize>, links: &[Link], takes: Takes, from: usize) {
    while links
        .get(cursor.start)
        .is_some_and(|link| !is_late_enough(link, takes, from))
    {
        cursor.start += 1;
    }
    while links
        .get(cursor.end)
        .is_some_and(|link| is_early_enough(link, takes, from))
    {
        cursor.end += 1;
    }
}

/// It comes after the entries that the step before must have.
fn is_late_enough(link: &Link, takes: Takes, from: usize) -> bool {
    from.saturating_add(takes.min) <= link.bounds.high
}

/// The step before can last until its bounds: the second of two entries or more can be as late as one likes, a single
/// one stands where it stands, and only further ones may come after it.
fn is_early_enough(link: &Link, takes: Takes, from: usize) -> bool {
    takes.min > 1 || link.bounds.low <= from.saturating_add(takes.spare)
}
