//! The name of a host below a wildcard, which the agent chose: it is looked up outside, so it is sent as a request is.
//!
//! Never lets such a name be looked up before it was read, whether what follows it is read or not.

use super::super::reason::{DLP, UNSCANNABLE};
use super::refuse::Refusal;
use super::scan::{Scanner, Unread};
use super::way::Way;
use crate::wire::dlp::{Act, Finding};
use crate::wire::egress::{Host, Rule};
use std::collections::VecDeque;
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
pub(super) async fn read(
    way: &dyn Way,
    scanner: Option<&Arc<Scanner>>,
    Said(said): &Said,
) -> Result<(), Refusal> {
    let rules = way.rules();
    let chosen = |rule: &&Arc<Rule>| rule.dlp && matches!(rule.host, Host::Below { .. });
    let Some(rule) = rules.iter().find(chosen) else { return Ok(()) };
    let nobody = || Refusal::new(403, UNSCANNABLE, "nobody is there to read the name of the host").by(rule);
    let scanner = scanner.ok_or_else(nobody)?;
    let word = way.host().strip_suffix(&below(&rule.host)).unwrap_or(way.host()).replace('.', "");
    // Held while it is read: of two names at one time the second knows the first.
    let mut said = said.lock().await;
    if said.contains(&word) {
        return Ok(());
    }
    let found = scan(way.host(), scanner, &said, &word).await.map_err(|_| nobody())?;
    let held = |act: Act| !matches!(act, Act::Allow | Act::Log);
    match found.iter().find(|found| found.critical || held(found.act)) {
        None => {
            let bytes = |said: &VecDeque<String>| said.iter().map(String::len).sum::<usize>();
            while said.len() >= MOST || bytes(&said) > MOST_BYTES {
                said.pop_front();
            }
            said.push_back(word);
            Ok(())
        }
        Some(found) => {
            // The name is the secret, or a part of it.
            way.hide_name(&rule.host);
            let refused =
                Refusal::new(403, DLP, "the name of the host holds something that must not leave").by(rule);
            Err(if found.critical { refused.alarming() } else { refused })
        }
    }
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
