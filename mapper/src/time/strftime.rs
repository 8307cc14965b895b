//! A timestamp by a format of the job: chrono's strftime, its items made once.

use chrono::Timelike;
use chrono::format::{Item, ParseErrorKind, Parsed, StrftimeItems, parse_and_remainder};
use jobspec::value::Time;

use super::shape::{Civil, Moment};

/// Timestamps longer than this are none: what a person would write down as a time has an end.
const LONGEST: usize = 256;

/// `time = "%Y-%m-%d %H:%M:%S%.f"`, compiled.
#[derive(Clone, Debug)]
pub struct TimeFormat {
    items: Vec<Item<'static>>,
}

impl TimeFormat {
    /// The format, or what is wrong with it.
    pub fn new(format: &str) -> Result<TimeFormat, String> {
        match StrftimeItems::new(format).parse_to_owned() {
            Ok(items) => Ok(TimeFormat { items }),
            Err(_) => Err(format!(
                "`{format}` is no time format; chrono's strftime is what is read, as in `%Y-%m-%d %H:%M:%S%.f`"
            )),
        }
    }

    pub(super) fn read(&self, text: &[u8]) -> Option<Moment> {
        let (moment, length) = self.leading(text)?;
        (length == text.len() || moment == Moment::Impossible).then_some(moment)
    }

    pub(super) fn leading(&self, line: &[u8]) -> Option<(Moment, usize)> {
        let head = &line[..line.len().min(LONGEST)];
        let head = match std::str::from_utf8(head) {
            Ok(head) => head,
            Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
        };
        let mut parsed = Parsed::new();
        match parse_and_remainder(&mut parsed, head, self.items.iter()) {
            Ok(rest) => {
                let length = head.len() - rest.len();
                Some((self.moment(&parsed, &line[..length])?, length))
            }
            Err(error) => matches!(
                error.kind(),
                ParseErrorKind::OutOfRange | ParseErrorKind::Impossible
            )
            // chrono does not say how far it came.
            .then_some((Moment::Impossible, 0)),
        }
    }

    fn moment(&self, parsed: &Parsed, text: &[u8]) -> Option<Moment> {
        if let Some(seconds) = parsed.timestamp() {
            let nanos = parsed.nanosecond().unwrap_or(0);
            let ns = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            return Some(match i64::try_from(ns) {
                Ok(ns) if ns != i64::MAX => Moment::Epoch(Time::new(ns, digits_of(nanos, text))),
                _ => Moment::Impossible,
            });
        }
        let clock = match parsed.to_naive_time() {
            Ok(clock) => clock,
            Err(error)
                if error.kind() == ParseErrorKind::NotEnough && parsed.hour_mod_12().is_none() =>
            {
                chrono::NaiveTime::MIN
            }
            Err(error) if error.kind() == ParseErrorKind::NotEnough => {
                chrono::NaiveTime::from_hms_opt(
                    parsed.hour_mod_12()? + 12 * parsed.hour_div_12()?,
                    0,
                    0,
                )?
            }
            Err(_) => return Some(Moment::Impossible),
        };
        let has_year = parsed.year().is_some()
            || parsed.year_mod_100().is_some()
            || parsed.isoyear().is_some()
            || parsed.isoyear_mod_100().is_some();
        let (year, month, day) = if has_year {
            match parsed.to_naive_date() {
                Ok(date) => {
                    use chrono::Datelike;
                    (Some(date.year()), date.month() as u8, date.day() as u8)
                }
                Err(error) if error.kind() == ParseErrorKind::NotEnough => return None,
                Err(_) => return Some(Moment::Impossible),
            }
        } else {
            match (parsed.month(), parsed.day()) {
                (Some(month), Some(day)) => (None, month as u8, day as u8),
                (None, None) => return Some(Moment::Clock),
                _ => return None,
            }
        };
        // chrono's second 60 is 59 and a billion nanoseconds more.
        let nanos = clock.nanosecond();
        Some(Moment::Civil(Civil {
            year,
            month,
            day,
            hour: clock.hour() as u8,
            minute: clock.minute() as u8,
            second: clock.second() as u8,
            nanos,
            digits: digits_of(nanos % 1_000_000_000, text),
            offset_seconds: parsed.offset(),
        }))
    }
}

/// How many digits of the second the text gave. chrono does not say, so it is the longest run of digits that is this
/// fraction, else as few as the value needs.
fn digits_of(nanos: u32, text: &[u8]) -> u8 {
    let mut best = None;
    for run in
        text.chunk_by(|left, right| left.is_ascii_digit() == right.is_ascii_digit())
            .zip(std::iter::once(&b""[..]).chain(
                text.chunk_by(|left, right| left.is_ascii_digit() == right.is_ascii_digit()),
            ))
            .filter(|(run, before)| {
                run[0].is_ascii_digit() && matches!(before.last(), Some(b'.' | b',' | b':'))
            })
            .map(|(run, _)| &run[..run.len().min(9)])
    {
        let value = run
            .iter()
            .chain(std::iter::repeat_n(&b'0', 9 - run.len()))
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        if value == nanos && (nanos > 0 || run.len() > 2) {
            best = best.max(Some(run.len() as u8));
        }
    }
    best.unwrap_or_else(|| Time::from_ns(nanos.into()).digits)
}
