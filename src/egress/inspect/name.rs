//! The name of a host below a wildcard, which the agent chose: it is looked up outside, so it is sent as a request is.
//!
//! Never lets such a name be looked up before it was read, whether what follows it is read or not.

use super::super::reason::{DLP, UNSCANNABLE};
use super::super::tell::Shown;
use super::refuse::Refusal;
use super::scan::{Scanner, Unread};
use super::way::Way;
use crate::wire::dlp::{Act, Finding};
use crate::wire::egress::{Host, Rule};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Names that are remembered, and their bytes: a secret of which each has a part is in none of them.
const MOST: usize = 64;
const MOST_BYTES: usize = 4 << 10;

/// What the last names below wildcards said, in the order in which they went out.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<VecDeque<String>>);

/// Lets role `dlp` read the name, before it is looked up.
/// # Errors
/// 403 `dlp` or `dlp-unscannable`.
pub(super) async fn read(way: &dyn Way, scanner: Option<&Arc<Scanner>>, said: &Said) -> Result<(), Refusal> {
    let read = read_of(way.host(), &way.rules(), scanner, said).await;
    read.map_err(|Unsaid { refusal, hide }| {
        hide.iter().for_each(|host| way.hide_name(host));
        refusal
    })
}

/// A name that does not go out.
#[derive(Debug)]
pub(super) struct Unsaid {
    /// Why, and how that is told.
    pub refusal: Refusal,
    /// The name is the secret, or a part of it: this stands for it.
    pub hide: Option<Host>,
}

/// The same for a name by these rules, which nobody connects to yet.
/// # Errors
/// As [`read`].
pub(super) async fn read_of(
    host: &str,
    rules: &[Arc<Rule>],
    scanner: Option<&Arc<Scanner>>,
    Said(said): &Said,
) -> Result<(), Unsaid> {
    let chosen = |rule: &&Arc<Rule>| rule.dlp && matches!(rule.host, Host::Below { .. });
    let Some(rule) = rules.iter().find(chosen) else { return Ok(()) };
    let nobody = || {
        let refusal = Refusal::new(403, UNSCANNABLE, "nobody is there to read the name of the host").by(rule);
        Unsaid { refusal, hide: None }
    };
    let scanner = scanner.ok_or_else(nobody)?;
    let word = host.strip_suffix(&below(&rule.host)).unwrap_or(host).replace('.', "");
    // Held while it is read: of two names at one time the second knows the first.
    let mut said = said.lock().await;
    if said.contains(&word) {
        return Ok(());
    }
    let found = scan(host, scanner, &said, &word).await.map_err(|_| nobody())?;
    match held(&found) {
        None => {
            let bytes = |said: &VecDeque<String>| said.iter().map(String::len).sum::<usize>();
            while said.len() >= MOST || bytes(&said) > MOST_BYTES {
                said.pop_front();
            }
            said.push_back(word);
            Ok(())
        }
        Some(found) => {
            let refused =
                Refusal::new(403, DLP, "the name of the host holds something that must not leave").by(rule);
            let refusal = if found.critical { refused.alarming() } else { refused };
            Err(Unsaid { refusal, hide: Some(rule.host.clone()) })
        }
    }
}

/// A shorter name says nothing that is looked for.
const LEAST: usize = 8;

/// What is told in place of a name that no rule allows, when it holds what must not be told: nobody outside hears of it, and
/// whoever reads the record need not either. `None`: it is told as it is.
pub(super) async fn shown(host: &str, scanner: &Arc<Scanner>) -> Option<Shown> {
    let word = host.replace('.', "");
    if word.len() < LEAST || host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let found = scan(host, scanner, &VecDeque::new(), &word).await;
    let alert = match &found {
        Ok(found) => held(found)?.critical,
        Err(_) => false,
    };
    // The end of a name says whose it is; what was found can stand there too.
    let end = host.rmatch_indices('.').nth(1).map_or(host, |(at, _)| host.get(at + 1..).unwrap_or(host));
    let before = (host.len() - end.len(), word.len() - end.replace('.', "").len());
    let is_before = |found: &Finding| {
        let at = usize::try_from(found.end).unwrap_or(usize::MAX);
        match at.checked_sub(host.len() + 2) {
            None => at <= before.0,
            // Each further line is the name without its dots.
            Some(at) => at % (word.len() + 1) < before.1,
        }
    };
    // A known secret stands where it was found; rules can take what is behind one for a part of it.
    let plain = found.is_ok_and(|found| found.iter().filter(|one| one.critical == alert).all(is_before));
    Some(Shown { host: if plain { format!("*.{end}") } else { "*".to_owned() }, alert })
}

/// The first that must not go out; of those, one that is critical.
fn held(found: &[Finding]) -> Option<&Finding> {
    let is_held = |found: &&Finding| found.critical || !matches!(found.act, Act::Allow | Act::Log);
    found.iter().filter(is_held).max_by_key(|found| found.critical)
}

/// What every name of this rule ends in.
fn below(host: &Host) -> String {
    match host {
        Host::Below { name } => format!(".{name}"),
        _ => String::new(),
    }
}

/// What is found in a name, with and without its dots, and what is critical in it together with those before. Names are in
/// lower case, and base32 is read in capitals.
async fn scan(
    host: &str,
    scanner: &Arc<Scanner>,
    said: &VecDeque<String>,
    word: &str,
) -> Result<Vec<Finding>, Unread> {
    let own = format!("{host}\n{word}\n{}\n", word.to_ascii_uppercase());
    let joined: String = said.iter().map(String::as_str).chain([word]).collect();
    let text = format!("{own}{joined}\n{}\n", joined.to_ascii_uppercase());
    let mut scan = scanner.open(host, "text/plain", false).await?;
    let step = scan.feed(text.as_bytes(), true).await?;
    if step.unscannable.is_some() {
        return Err(Unread::Gone);
    }
    let border = own.len() as u64;
    Ok(step.findings.into_iter().filter(|found| found.critical || found.start < border).collect())
}
