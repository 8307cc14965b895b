//! Lines that no operator can want, told apart without parsing them.
//!
//! From the predicates of all operators that read a log come a few texts (needles) of which the line of any entry that
//! satisfies one of them must hold at least one. Lines that hold none are counted and passed over. A needle is a
//! necessary condition and no more: what holds one is parsed, and the predicate decides.

mod levels;
mod needles;
mod pattern;
mod search;
#[cfg(test)]
mod tests;

use jobspec::plan::{LogPlan, OperatorKind, OperatorPlan, Plan, Reach};

use crate::format::Format;
use levels::Levels;
use multiversion::multiversion;
use search::Part;

/// What rules lines of one log out.
#[derive(Debug)]
pub struct Prefilter {
    /// A line may be wanted where any of them says so.
    parts: Vec<Part>,
    is_object_a_line: bool,
    /// Where lines beside a wanted one are wanted too.
    beside: Option<Beside>,
}

/// So many entries before and after each line that may be wanted are read, and as many at both ends of a segment, which
/// a neighbour's may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    pub before: u64,
    pub after: u64,
}

/// What a search has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    /// A place in the first line that is not ruled out.
    pub hit: Option<usize>,
    /// How many lines are before that one, where all of them were seen to be as `plain_lines` wants them.
    pub plain_lines: Option<u64>,
}

impl Prefilter {
    /// None where some line could be wanted whatever it holds, or where the format does not let one tell.
    pub fn new<'a>(
        plan: &Plan,
        log: &LogPlan,
        operators: impl Iterator<Item = &'a OperatorPlan>,
        format: &dyn Format,
    ) -> Option<Prefilter> {
        if format.is_multiline() || format.wraps() || !format.splittable() {
            return None;
        }
        // What is dropped is counted, so it has to be seen.
        if log.drop.is_some() {
            return None;
        }
        let scope = needles::Scope {
            plan,
            log,
            holds_values: format.holds_values(),
        };
        let mut beside: Option<Beside> = None;
        let mut predicates = Vec::new();
        for operator in operators {
            match &operator.kind {
                // It reads rows, no entries.
                OperatorKind::Anomaly(_) => {}
                OperatorKind::Context(context) => {
                    // How far a duration reaches, only parsed times tell.
                    let (Reach::Entries(before), Reach::Entries(after)) =
                        (context.before, context.after)
                    else {
                        return None;
                    };
                    let beside = beside.get_or_insert_default();
                    beside.before = beside.before.max(before.into());
                    beside.after = beside.after.max(after.into());
                    predicates.push(&context.predicate);
                }
                OperatorKind::Sequence(sequence) => {
                    // How far the log reaches makes an absence certain.
                    if sequence.steps.iter().any(|step| step.absent) {
                        return None;
                    }
                    predicates.extend(sequence.steps.iter().map(|step| &step.predicate));
                    predicates.extend(&sequence.until);
                }
                kind => predicates.push(kind.predicate()?),
            }
        }
        let parts = match needles::of_any(predicates.iter().copied(), &scope) {
            Some(needles) => Part::of_needles(needles.into_texts())?,
            None if format.glances_at_level() => {
                vec![Part::Levels(Levels::of_any(predicates.into_iter())?)]
            }
            None => return None,
        };
        Some(Prefilter {
            parts,
            is_object_a_line: format.is_object_a_line(),
            beside,
        })
    }

    pub fn beside(&self) -> Option<Beside> {
        self.beside
    }

    /// How many searches it is made of.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Looks with one of the searches for a line that it does not rule out, in a text of whole lines.
    pub fn find(&self, part: usize, text: &[u8], format: &dyn Format) -> Searched {
        self.parts[part].find(text, format)
    }

    /// The lines at the head of a text that can be judged by their shape, as bytes and lines: entries of one line, as
    /// far as one sees without parsing. What follows is a line of another shape, or nothing. The text ends at a line
    /// end; its lines are whole.
    pub fn plain_lines(&self, text: &[u8]) -> (usize, u64) {
        let (mut at, mut lines) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            if !self.is_plain_start(rest[0]) {
                break;
            }
            // Block by block, so that one odd line does not make the rest slow.
            let block = &rest[..rest.len().min(BLOCK_BYTES)];
            match self.line_ends(block) {
                Some(count) => {
                    let Some(last) = memchr::memrchr(b'\n', block) else {
                        // A line longer than a block.
                        let Some(end) = self.plain_line(rest) else {
                            break;
                        };
                        at += end;
                        lines += 1;
                        continue;
                    };
                    at += last + 1;
                    lines += count;
                }
                None => {
                    let block_end = at + block.len();
                    while at < block_end {
                        let Some(end) = self.plain_line(&text[at..]) else {
                            return (at, lines);
                        };
                        at += end;
                        lines += 1;
                    }
                }
            }
        }
        (at, lines)
    }

    /// The length of the first line if it is plain.
    fn plain_line(&self, text: &[u8]) -> Option<usize> {
        let end = memchr::memchr(b'\n', text)?;
        let line = &text[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_plain = match line {
            [] => false,
            [first, .., last] if self.is_object_a_line => *first == b'{' && *last == b'}',
            [first, ..] => !self.is_object_a_line && self.is_plain_start(*first),
        };
        is_plain.then_some(end + 1)
    }

    fn is_plain_start(&self, byte: u8) -> bool {
        match self.is_object_a_line {
            true => byte == b'{',
            false => byte > b' ',
        }
    }

    /// How many lines end in a block that begins as a plain line does; None where one of them, or the one after, may
    /// not be plain. Two numbers a byte and no branches, so that the compiler makes wide instructions of it.
    fn line_ends(&self, block: &[u8]) -> Option<u64> {
        match self.is_object_a_line {
            true => object_ends(block),
            false => text_ends(block),
        }
    }
}

/// Between objects, a line each.
#[multiversion(targets("x86_64+avx512f+avx512bw", "x86_64+avx2"))]
fn object_ends(block: &[u8]) -> Option<u64> {
    line_ends(block, |before, after| {
        u8::from(before != b'}') | u8::from(after != b'{')
    })
}

#[multiversion(targets("x86_64+avx512f+avx512bw", "x86_64+avx2"))]
fn text_ends(block: &[u8]) -> Option<u64> {
    line_ends(block, |_, after| u8::from(after <= b' '))
}

const BLOCK_BYTES: usize = 8 << 10;
const LANES: usize = 64;

/// Counts the LFs of a block; None where `is_odd` of the bytes beside one is 1. The last byte of a text has nothing
/// after it.
#[inline(always)]
fn line_ends(block: &[u8], is_odd: impl Fn(u8, u8) -> u8) -> Option<u64> {
    let (mut count, mut odd) = (0, 0);
    let inner = block.len().checked_sub(2)?;
    debug_assert_ne!(block[0], b'\n', "it begins as a line does");
    let (befores, afters) = (&block[..inner], &block[2..]);
    let middles = &block[1..=inner];
    // 128 rounds at most, so that a lane's count fits a byte.
    let mut counts = [0_u8; LANES];
    let mut odds = [0_u8; LANES];
    let (befores, befores_rest) = befores.as_chunks::<LANES>();
    let (middles, middles_rest) = middles.as_chunks::<LANES>();
    let (afters, afters_rest) = afters.as_chunks::<LANES>();
    for ((before, middle), after) in befores.iter().zip(middles).zip(afters) {
        for lane in 0..LANES {
            let is_end = u8::from(middle[lane] == b'\n');
            counts[lane] = counts[lane].wrapping_add(is_end);
            odds[lane] |= is_end & is_odd(before[lane], after[lane]);
        }
    }
    for ((before, middle), after) in befores_rest.iter().zip(middles_rest).zip(afters_rest) {
        let is_end = u8::from(*middle == b'\n');
        count += u64::from(is_end);
        odd |= is_end & is_odd(*before, *after);
    }
    count += counts.iter().map(|count| u64::from(*count)).sum::<u64>();
    odd |= odds.iter().fold(0, |all, odd| all | odd);
    if block[inner + 1] == b'\n' {
        // Whatever comes after it is looked at as the next block begins.
        odd |= is_odd(block[inner], b'{');
        count += 1;
    }
    (odd == 0).then_some(count)
}
