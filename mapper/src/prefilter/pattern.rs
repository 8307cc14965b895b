//! The texts of which every match of a regex holds at least one.

use jobspec::expr::Pattern;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, HirKind};

/// Texts of one part of a pattern: more say little each.
const MOST: usize = 16;
/// Longer texts are not rarer.
const LONGEST: usize = 32;

/// None where a match may hold any text.
pub(super) fn literals(pattern: &Pattern) -> Option<Vec<Vec<u8>>> {
    let hir = ParserBuilder::new()
        .utf8(false)
        .case_insensitive(pattern.any_case())
        .nest_limit(100)
        .build()
        .parse(pattern.source())
        .ok()?;
    of(&hir)
}

fn of(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let inner = match hir.kind() {
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub),
        HirKind::Concat(parts) => {
            // A run of parts that are texts is longer than any of them; so from each part on what begins there.
            let runs = (0..parts.len())
                .filter_map(|first| of_prefix(&Hir::concat(parts[first..].to_vec())));
            let nested = parts.iter().filter_map(of);
            runs.chain(nested).max_by_key(|texts| worth(texts))
        }
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(of(branch)?);
            }
            (all.len() <= MOST).then_some(all)
        }
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_) => None,
    };
    [inner, of_prefix(hir)]
        .into_iter()
        .flatten()
        .max_by_key(|texts| worth(texts))
}

/// The texts that what matches begins with.
fn of_prefix(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut extractor = Extractor::new();
    extractor
        .kind(ExtractKind::Prefix)
        .limit_class(4)
        .limit_repeat(8)
        .limit_literal_len(LONGEST)
        .limit_total(MOST);
    let seq = extractor.extract(hir);
    let texts: Vec<Vec<u8>> = seq
        .literals()?
        .iter()
        .map(|literal| literal.as_bytes().to_vec())
        .collect();
    (!texts.is_empty() && texts.iter().all(|text| !text.is_empty())).then_some(texts)
}

/// Few and long ones are worth most.
fn worth(texts: &[Vec<u8>]) -> usize {
    let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
    shortest.min(16) * 16 / (15 + texts.len())
}
