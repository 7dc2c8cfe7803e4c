//! What a person means by an id: all of it, or as much of its start or end as names one.
//!
//! Never guesses: more than one that fits is an error that lists them.

use super::Failure;
use crate::consent::plain;
use crate::guardian::session::{Listed, Run};
use crate::wire::consent::Question;
use crate::wire::session::GrantState;

/// Ids that are listed when more than one fits.
const MOST_LISTED: usize = 8;

/// The run.
pub(super) fn run<'a>(listed: &'a Listed, asked: &str) -> Result<&'a Run, Failure> {
    let all = listed.runs.iter().map(|run| (run.state.run.as_str(), run));
    pick("run", "ps", asked, all)
}

/// The request and its run.
pub(super) fn request<'a>(listed: &'a Listed, asked: &str) -> Result<(&'a Run, &'a Question), Failure> {
    let of =
        |run: &'a Run| run.state.requests.iter().map(move |question| (question.id.as_str(), (run, question)));
    pick("request", "requests", asked, listed.runs.iter().flat_map(of))
}

/// The grant and its run.
pub(super) fn grant<'a>(listed: &'a Listed, asked: &str) -> Result<(&'a Run, &'a GrantState), Failure> {
    let of = |run: &'a Run| run.state.grants.iter().map(move |grant| (grant.id.as_str(), (run, grant)));
    pick("grant", "grants", asked, listed.runs.iter().flat_map(of))
}

fn pick<'a, T>(
    kind: &str,
    lists: &str,
    asked: &str,
    all: impl Iterator<Item = (&'a str, T)>,
) -> Result<T, Failure> {
    let wanted = asked.to_ascii_uppercase();
    let fits = |id: &str| {
        let id = id.to_ascii_uppercase();
        !wanted.is_empty() && (id.starts_with(&wanted) || id.ends_with(&wanted))
    };
    let mut meant: Vec<(&str, T)> = all.filter(|(id, _)| fits(id)).collect();
    if let Some(exact) = meant.iter().position(|(id, _)| id.eq_ignore_ascii_case(asked)) {
        // Twice the same id is two runs that claim it: neither is meant for sure.
        if meant.iter().filter(|(id, _)| id.eq_ignore_ascii_case(asked)).count() == 1 {
            return Ok(meant.swap_remove(exact).1);
        }
    }
    match meant.len() {
        0 => {
            let message = format!("there is no {kind} {}", plain(asked));
            Err(Failure::not_done(message, Some(&format!("`aisandbox {lists}` lists them"))))
        }
        1 => Ok(meant.swap_remove(0).1),
        many => {
            let mut ids: Vec<String> = meant.iter().take(MOST_LISTED).map(|(id, _)| plain(id)).collect();
            if many > MOST_LISTED {
                ids.push(format!("and {} more", many - MOST_LISTED));
            }
            let message = format!("{} means {many} {kind}s: {}", plain(asked), ids.join(", "));
            Err(Failure::not_done(message, Some("write more of it")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(asked: &str, ids: &[&'static str]) -> Result<&'static str, String> {
        pick("grant", "grants", asked, ids.iter().map(|id| (*id, *id))).map_err(|failure| failure.message)
    }

    #[test]
    fn an_id_is_named_by_its_start_or_end_in_any_case() {
        let ids = ["8F3K-2", "8F3K-12", "9ABC-g1"];
        for (asked, id) in [
            ("8F3K-2", "8F3K-2"),
            ("8f3k-1", "8F3K-12"),
            ("9", "9ABC-g1"),
            ("G1", "9ABC-g1"),
            ("12", "8F3K-12"),
        ] {
            assert_eq!(found(asked, &ids), Ok(id));
        }
    }

    #[test]
    fn a_whole_id_is_meant_even_where_another_begins_or_ends_so() {
        assert_eq!(found("8F3K-1", &["8F3K-1", "8F3K-12"]), Ok("8F3K-1"));
    }

    #[test]
    fn what_fits_more_than_one_lists_them() {
        assert_eq!(found("8F3K", &["8F3K-1", "8F3K-2"]).unwrap_err(), "8F3K means 2 grants: 8F3K-1, 8F3K-2");
        assert_eq!(found("A-1", &["A-1", "A-1"]).unwrap_err(), "A-1 means 2 grants: A-1, A-1");
        let many = ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-8", "A-9", "A-10"];
        assert!(found("A-", &many).unwrap_err().ends_with("A-8, and 2 more"));
    }

    #[test]
    fn nothing_and_what_is_not_there_name_none() {
        assert!(found("", &["A-1"]).is_err());
        assert_eq!(found("\x1b[2J", &["A-1"]).unwrap_err(), "there is no grant \\u{1b}[2J");
    }
}
