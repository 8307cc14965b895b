//! Records of which all keys together say what meets: the operator learns every key first, then each record goes under
//! the key that it gives, sorted again within the budget.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use mapper::operator::{AnyOperator, AnyPartial, append_record};

use crate::Error;
use crate::merge::{Fault, each_key};
use crate::spill::{Run, Spill};

/// What a record takes beside its bytes while it waits.
const RECORD_COST: u64 = 96;

/// The same records as runs of their other keys.
pub fn regroup(
    operator: &AnyOperator,
    core: &mut AnyPartial,
    runs: Vec<Run>,
    memory_bytes: u64,
    spill: &mut Spill,
) -> Result<Vec<Run>, Error> {
    each_key(runs.clone(), &mut |key, _| {
        operator.learn(core, key)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut waiting = Waiting::new();
    let mut waiting_bytes = 0;
    let mut regrouped = Vec::new();
    each_key(runs, &mut |key, values| {
        let value = match values {
            [value] => value.to_vec(),
            values => operator.join_values(key, values)?,
        };
        let key = operator.regroup(core, key, &value)?;
        waiting_bytes += (key.len() + value.len()) as u64 + RECORD_COST;
        waiting.entry(key).or_default().push(value);
        if waiting_bytes > memory_bytes {
            let mut writer = spill.begin()?;
            drain(operator, &mut waiting, &mut |key, value| {
                Ok(writer.push(key, value)?)
            })?;
            regrouped.push(writer.end()?);
            waiting_bytes = 0;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut last = Vec::new();
    let drained = drain(operator, &mut waiting, &mut |key, value| {
        append_record(key, value, &mut last);
        Ok(())
    });
    drained.map_err(|fault| match fault {
        Fault::Error(error) => error,
        Fault::Mismatch => Error::Other("a record that is not of its operator".to_owned()),
    })?;
    if !last.is_empty() {
        regrouped.push(Run::of_bytes(last));
    }
    Ok(regrouped)
}

/// Takes a record.
type Push<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Fault> + 'a;

/// The values of each key.
type Waiting = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

fn drain(operator: &AnyOperator, waiting: &mut Waiting, push: &mut Push<'_>) -> Result<(), Fault> {
    for (key, values) in std::mem::take(waiting) {
        match values.as_slice() {
            [value] => push(&key, value)?,
            values => {
                let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
                push(&key, &operator.join_values(&key, &values)?)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
