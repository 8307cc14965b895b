//! What comes from elsewhere: records of other keys or plans, and bytes that anybody may have written.

use super::*;

#[test]
fn a_record_of_another_key_or_plan_is_refused() {
    let (mut of_keys, mut of_plans) = (0, 0);
    // Whether a record says itself of which key it is.
    let makers: [(Maker, Caser, bool); 3] = [
        (|random| Corpus::random(random, 12), session::case, false),
        (
            |random| Corpus::random(random, 12),
            session::linked_case,
            true,
        ),
        (sequence::corpus, sequence::leftmost, true),
    ];
    for (seed, (corpus, case, names_key)) in
        (1..=60).flat_map(|seed| makers.map(|maker| (seed, maker)))
    {
        let mut random = Random::new(seed);
        let corpus = corpus(&mut random);
        let operators = [(); 2].map(|_| operator(&case(&mut random)));
        let [(mut core, records), (_, others)] = operators.each_ref().map(|operator| {
            let (mut core, mut run) = (absorbed_whole(operator, &corpus), Run::default());
            let taken = operator.take_last_records(&mut core, &mut run);
            taken.expect("its own partial");
            (core, records_of(run))
        });
        let operator = &operators[0];
        if operator.is_regrouped() {
            let learnt = records
                .iter()
                .try_for_each(|(key, _)| operator.learn(&mut core, key));
            assert_eq!(learnt, Ok(()), "its own keys");
        }
        let mut is_taken = |key: &[u8], value: &[u8]| match operator.is_regrouped() {
            true => operator.regroup(&mut core, key, value).is_ok(),
            false => operator.join_values(key, &[value]).is_ok(),
        };
        for (key, value) in &records {
            for (other, _) in &records {
                let taken = is_taken(other, value);
                assert!(taken || key != other, "seed {seed}");
                assert!(!taken || key == other || !names_key, "seed {seed}");
                of_keys += u32::from(!taken);
            }
            let others = others.iter().filter(|(other, _)| other == key);
            of_plans += others.filter(|(_, value)| !is_taken(key, value)).count();
        }
    }
    assert!(of_keys > 500 && of_plans > 50, "{of_keys}, {of_plans}");
}

/// The greatest count, as it travels.
const GREATEST: [u8; 9] = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// Every kind of operator, over a few entries.
const OF_FEW: [(Maker, Caser); 7] = [
    (few, context::case),
    (few, session::case),
    (few, session::linked_case),
    (few, aggregate::case),
    (few, select::case),
    (sequence::corpus, sequence::leftmost),
    (sequence::corpus, sequence::tightest),
];

fn few(random: &mut Random) -> Corpus {
    Corpus::random(random, 6)
}

/// The same with some of its bytes changed.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len());
        let any = random.below(256) as u8;
        match random.one_in(3) {
            // What was a small count is now as large as counts are.
            true => drop(bytes.splice(at..=at, GREATEST)),
            false => bytes[at] = random.pick(&[0, 1, 3, 0x7f, 0xfb, 0xff, any]),
        }
    }
    bytes
}

/// What passes where records arrive is not asked again: it must join and finish, and what does not pass must not.
#[test]
fn a_record_that_passes_is_finished_and_no_other() {
    let (mut passed, mut refused) = (0, 0);
    for seed in 1..=100 {
        let mut random = Random::new(seed);
        let (corpus, case) = random.pick(&OF_FEW);
        let corpus = corpus(&mut random);
        let operator = operator(&case(&mut random));
        let (mut core, mut run) = (absorbed_whole(&operator, &corpus), Run::default());
        let taken = operator.take_last_records(&mut core, &mut run);
        taken.expect("its own partial");
        for (key, value) in records_of(run) {
            for bytes in (0..12).map(|_| damaged(&value, &mut random)) {
                let mut is_known = true;
                let checked = operator.check_record(&key, &bytes, &mut |place| {
                    is_known &= corpus.sources.knows(place);
                });
                let finished = |values: &[&[u8]]| {
                    let (mut rows, sources) = (Lines::of(&operator), &corpus.sources);
                    operator.finish_record(&core, &key, values, sources, &mut rows)
                };
                if checked.is_err() {
                    refused += 1;
                    // A linked record is finished under another key than its own.
                    let is_refused =
                        operator.is_regrouped() || finished(&[&bytes]) == Err(Mismatch);
                    assert!(is_refused, "seed {seed}");
                } else if is_known {
                    passed += 1;
                    assert_eq!(finished(&[&bytes]), Ok(()), "seed {seed}");
                    let both: [&[u8]; 2] = [&bytes, &value];
                    let joined = operator.join_values(&key, &both);
                    assert_eq!(finished(&[&joined.expect("both passed")]), Ok(()));
                    assert_eq!(finished(&both), Ok(()));
                }
            }
        }
    }
    assert!(passed > 500 && refused > 500, "{passed} {refused}");
}

/// Bytes of a frame are anybody's: what decodes, is accepted and names places that are known must merge and finish.
#[test]
fn hostile_bytes_are_refused_or_harmless() {
    let (mut decoded, mut accepted) = (0, 0);
    for seed in 1..=300 {
        let mut random = Random::new(seed);
        let (corpus, case) = random.pick(&OF_FEW);
        let corpus = corpus(&mut random);
        let operator = operator(&case(&mut random));
        let whole = absorbed_whole(&operator, &corpus);
        let bytes = frame::to_bytes(&whole);
        for _ in 0..40 {
            let bytes = damaged(&bytes, &mut random);
            let Ok(partial) = frame::from_bytes::<AnyPartial>(&bytes) else {
                continue;
            };
            decoded += 1;
            let mut is_known = operator.accepts(&partial);
            operator.places(&partial, &mut |place| {
                is_known &= corpus.sources.knows(place)
            });
            if is_known {
                accepted += 1;
                let both = merged(&operator, whole.clone(), partial.clone());
                let twice = merged(&operator, both.clone(), partial.clone());
                finished(&operator, &corpus, both);
                finished(&operator, &corpus, twice);
                reduced(&operator, &corpus, vec![partial.clone(); 4]);
                finished(&operator, &corpus, partial);
            }
        }
    }
    assert!(
        decoded > accepted && accepted > 1000,
        "{decoded} decoded, {accepted} accepted"
    );
}
