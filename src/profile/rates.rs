//! `consent.rates`: how much may be asked of a person, within bounds that no profile leaves.
//!
//! Never lets a limit be taken away: each has a greatest value.

use super::decode::At;
use super::error::ProfileError;
use super::model::Rates;
use super::show::time;
use super::units::{Count, Lasting};
use super::written::RateKeys;
use serde_json::{Map, Value};
use std::time::Duration;

/// The most questions in a minute: ten in a second are no questions to a person any more.
const MOST_PER_MINUTE: u64 = 600;
/// The most questions that wait: each holds an open file, and a message shows all of them.
const MOST_WAITING: u64 = 64;
/// The longest a refusal that is not for good stands.
pub const LONGEST_REFUSAL: Duration = Duration::from_secs(900);

/// Takes what a file says; the rest stays.
pub(super) fn add(rates: &mut Rates, keys: RateKeys, errors: &mut Vec<ProfileError>) {
    count(&mut rates.per_minute, keys.per_minute, MOST_PER_MINUTE, errors);
    count(&mut rates.per_process, keys.per_process, MOST_PER_MINUTE, errors);
    count(&mut rates.waiting, keys.waiting, MOST_WAITING, errors);
    match keys.refusal {
        Some(At { value: Lasting(time), .. }) if time <= LONGEST_REFUSAL => rates.refusal = Some(time),
        Some(At { asked, .. }) => {
            errors.push(ProfileError::new(asked, "a refusal stands for at most 15 minutes"));
        }
        None => {}
    }
}

fn count(place: &mut Option<u64>, written: Option<At<Count>>, most: u64, errors: &mut Vec<ProfileError>) {
    match written {
        Some(At { value: Count(number), .. }) if number <= most => *place = Some(number),
        Some(At { value: Count(number), asked }) => {
            errors.push(ProfileError::new(asked, format!("{number} questions: at most {most} here")));
        }
        None => {}
    }
}

/// With the keys of the format; `None` when nothing is said.
pub(super) fn to_json(rates: &Rates) -> Option<Value> {
    let count = |name: &str, number: Option<u64>| Some((name.to_owned(), Value::from(number?)));
    let rows = [
        count("per_minute", rates.per_minute),
        count("per_process", rates.per_process),
        count("waiting", rates.waiting),
        rates.refusal.map(|refusal| ("refusal".to_owned(), Value::from(time(refusal)))),
    ];
    let keys: Map<String, Value> = rows.into_iter().flatten().collect();
    (!keys.is_empty()).then(|| keys.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::context::tests::person;
    use crate::profile::{Profile, load_str, to_text};

    fn read(text: &str) -> Result<Profile, String> {
        let text = format!("version: 1\nconsent:\n  rates: {text}\n");
        let read = load_str("x.yaml", &text, &person());
        read.map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
    }

    #[test]
    fn each_rate_is_taken_up_to_its_bound_and_shown_as_it_was_written() {
        let most = "{ per_minute: 600, per_process: 600, waiting: 64, refusal: 15m }";
        let profile = read(most).unwrap();
        let rates = profile.consent.rates;
        assert_eq!((rates.per_minute, rates.per_process, rates.waiting), (Some(600), Some(600), Some(64)));
        assert_eq!(rates.refusal, Some(LONGEST_REFUSAL));
        let again = load_str("y.yaml", &to_text(&profile), &person()).unwrap();
        assert_eq!(again.consent.rates, rates);
        assert_eq!(
            read("{ waiting: 1 }").unwrap().consent.rates,
            Rates { waiting: Some(1), ..Rates::default() }
        );
    }

    #[test]
    fn no_rate_is_none_or_without_end() {
        for (bad, words) in [
            ("{ per_minute: 601 }", "at most 600"),
            ("{ per_process: 601 }", "at most 600"),
            ("{ waiting: 65 }", "at most 64"),
            ("{ refusal: 16m }", "15 minutes"),
            ("{ per_minute: 0 }", "x.yaml:3"),
            ("{ waiting: -1 }", "x.yaml:3"),
            ("{ refusal: 0s }", "x.yaml:3"),
            ("{ per_asker: 1 }", "per_asker"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }
}
