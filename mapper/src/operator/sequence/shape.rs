//! What a match looks like, from the plan: the steps that take entries, and the silences before, between and after them.

use jobspec::plan::{Pick, SequencePlan};

/// What an entry is a candidate for: one bit a step of the plan, the highest for `until`.
pub type Bits = u64;

pub const UNTIL: Bits = 1 << 63;

/// Steps that have a bit.
pub const MOST_STEPS: usize = 63;

/// As many further entries as come.
pub const UNBOUNDED: usize = usize::MAX;

#[derive(Clone, Debug)]
pub struct Shape {
    /// Those that take entries, in order; at least one.
    pub steps: Vec<Step>,
    /// Last entry minus first.
    pub within_ns: Option<i64>,
    /// Absent first steps: silent so long before the first entry.
    pub before: Vec<Silence>,
    /// Absent last steps without a `within` of their own: silent after the match up to `within_ns` from its first entry.
    pub after_first: Bits,
    /// Absent last steps with one: silent so long after the last entry.
    pub after_last: Vec<Silence>,
    pub pick: Pick,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub bit: Bits,
    pub takes: Takes,
    /// Its first entry minus the last of the step before.
    pub within_ns: Option<i64>,
    /// Absent steps between the step before and this one.
    pub silent: Bits,
}

/// How many entries: `min` that may be chosen, and up to `spare` more that may not be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    pub min: usize,
    pub spare: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Silence {
    pub bits: Bits,
    pub within_ns: i64,
}

impl Shape {
    /// None where no step takes an entry, or there are too many steps: the job language refuses both.
    pub fn new(plan: &SequencePlan) -> Option<Shape> {
        if plan.steps.len() > MOST_STEPS {
            return None;
        }
        let mut shape = Shape {
            steps: Vec::new(),
            within_ns: plan.within_ns,
            before: Vec::new(),
            after_first: 0,
            after_last: Vec::new(),
            pick: plan.pick,
        };
        let last = plan.steps.iter().rposition(|step| !step.absent)?;
        let mut silent = 0;
        for (index, step) in plan.steps.iter().enumerate() {
            let bit = 1 << index;
            let within_ns = step.within_ns.or(plan.within_ns).unwrap_or(i64::MAX);
            let silence = Silence {
                bits: bit,
                within_ns,
            };
            match step.absent {
                true if shape.steps.is_empty() => shape.before.push(silence),
                true if index < last => silent |= bit,
                true if step.within_ns.is_none() => shape.after_first |= bit,
                true => shape.after_last.push(silence),
                false => {
                    let min = step.min.max(1) as usize;
                    let spare = |max: u32| (max as usize).saturating_sub(min);
                    shape.steps.push(Step {
                        name: step.name.clone(),
                        bit,
                        takes: Takes {
                            min,
                            spare: step.max.map_or(UNBOUNDED, spare),
                        },
                        within_ns: step.within_ns,
                        silent: std::mem::take(&mut silent),
                    });
                }
            }
        }
        Some(shape)
    }

    /// The steps whose entries a row shows.
    pub fn shown(&self) -> Bits {
        self.steps.iter().fold(0, |bits, step| bits | step.bit)
    }

    /// How long a silence lasts before the first entry, and after the first and the last, where any must.
    pub fn silences_ns(&self) -> (Option<i64>, Option<i64>, Option<i64>) {
        let longest = |silences: &[Silence]| silences.iter().map(|silence| silence.within_ns).max();
        let after_first = (self.after_first != 0).then(|| self.within_ns.unwrap_or(i64::MAX));
        (
            longest(&self.before),
            after_first,
            longest(&self.after_last),
        )
    }
}
