//! What an `ask` entry would allow: from keys as written to one wish, with what makes no sense together refused.
//!
//! Never looks at the host: whether it is a file or a folder is for `plan` to find out.

use super::ProfileError;
use super::decode::At;
use super::entry::missing;
use super::show::{size, time};
use super::written_entry::{ActionWord, EntryKeys, RevokeWord};
use crate::base::{Action, Source};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What an `ask` entry would allow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskWish {
    /// The actions a person may be asked for, each once, in the order of [`Action::ALL`].
    pub actions: Vec<Action>,
    /// How long a yes lasts; `None`: until the run ends.
    pub lease: Option<Duration>,
    /// How often a yes can be used.
    pub uses: Option<u64>,
    /// The most bytes read and written under one yes.
    pub bytes: Option<u64>,
    /// What is read goes through these regular expressions first; a built-in table when there is none.
    pub redact: Option<Vec<String>>,
    /// Lower-case hex of SHA-256: only programs of these can be read and executed. Empty: no such limit.
    pub programs: Vec<String>,
    /// What becomes of processes that still hold it when a yes ends.
    pub on_revoke: OnRevoke,
    /// Taking a yes back takes open files back too.
    pub revocable: bool,
}

/// What becomes of processes that hold what was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRevoke {
    /// Nothing.
    #[default]
    Leave,
    /// They are stopped (SIGSTOP).
    Stop,
    /// They are ended (SIGKILL).
    Kill,
}

impl OnRevoke {
    /// The word of profiles and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Stop => "stop",
            Self::Kill => "kill",
        }
    }
}

/// The most rules of one entry, and the longest rule, bytes.
const MOST_RULES: usize = 64;
const LONGEST_RULE: usize = 1024;

/// The wish of an entry whose access is `ask`, or everything that is wrong with it.
pub(super) fn read(keys: EntryKeys, asked: &Source) -> Result<AskWish, Vec<ProfileError>> {
    let mut errors = senseless(&keys);
    let EntryKeys { actions, lease, uses, bytes, transform, rules, programs, on_revoke, revocable, .. } =
        keys;
    let words = actions.map(|actions| actions.value).unwrap_or_default();
    if words.is_empty() {
        errors.extend(missing(asked, "actions", "such as [read]"));
    }
    let rules: Vec<At<String>> = rules.map(|rules| rules.value).unwrap_or_default();
    for rule in rules.iter().filter(|rule| rule.value.is_empty() || rule.value.len() > LONGEST_RULE) {
        errors.push(ProfileError::new(rule.asked.clone(), "a rule has 1 to 1024 bytes"));
    }
    if let Some(bytes) = bytes.as_ref().filter(|bytes| bytes.value.0 == 0) {
        errors.push(ProfileError::new(bytes.asked.clone(), "nothing can be read or written in 0 bytes"));
    }
    if let Some(rule) = rules.get(MOST_RULES) {
        errors.push(ProfileError::new(rule.asked.clone(), "more than 64 rules"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let has = |action: &Action| words.iter().any(|word| word.action() == Some(*action));
    Ok(AskWish {
        actions: Action::ALL.iter().map(|(action, _)| *action).filter(has).collect(),
        lease: lease.map(|lease| lease.value.0),
        uses: uses.map(|uses| uses.value.0),
        bytes: bytes.map(|bytes| bytes.value.0),
        redact: transform.map(|_| rules.into_iter().map(|rule| rule.value).collect()),
        programs: programs.into_iter().flat_map(|list| list.value).map(|digest| digest.0).collect(),
        on_revoke: on_revoke.map(|word| word.value.meaning()).unwrap_or_default(),
        revocable: revocable.is_some_and(|revocable| revocable.value),
    })
}

impl ActionWord {
    /// The action of this word.
    pub(super) fn action(self) -> Option<Action> {
        let word = Self::WORDS.iter().find(|(_, other)| *other == self)?.0;
        Action::ALL.iter().find(|(_, other)| *other == word).map(|(action, _)| *action)
    }
}

impl RevokeWord {
    fn meaning(self) -> OnRevoke {
        match self {
            Self::Leave => OnRevoke::Leave,
            Self::Stop => OnRevoke::Stop,
            Self::Kill => OnRevoke::Kill,
        }
    }
}

/// Keys that cannot mean anything beside each other.
fn senseless(keys: &EntryKeys) -> Vec<ProfileError> {
    let actions = keys.actions.as_ref();
    let has = |word: &ActionWord| actions.is_some_and(|actions| actions.value.contains(word));
    let changes = [ActionWord::Append, ActionWord::Overwrite, ActionWord::Create, ActionWord::Delete];
    let changes = changes.iter().any(has);
    let noexec = keys.noexec.as_ref().filter(|noexec| noexec.value);
    let place = |asked: Option<&Source>| asked.cloned();
    let transform = place(keys.transform.as_ref().map(|key| &key.asked));
    let programs = place(keys.programs.as_ref().map(|key| &key.asked));
    let rows = [
        (
            transform.clone().filter(|_| changes || !has(&ActionWord::Read)),
            "`transform: redact` is about reading: what is redacted cannot be changed",
            "actions: [read]",
        ),
        (
            place(keys.rules.as_ref().map(|key| &key.asked)).filter(|_| transform.is_none()),
            "`rules` without `transform`",
            "add `transform: redact`",
        ),
        (
            programs.clone().filter(|_| changes || !has(&ActionWord::Execute)),
            "`programs` is about what can be executed: its content must stay as it is",
            "actions: [read, execute]",
        ),
        (
            programs.clone().filter(|_| transform.is_some()),
            "`programs` and `transform` together: a redacted program has another digest",
            "make two entries",
        ),
        (
            programs.filter(|_| keys.programs.as_ref().is_some_and(|list| list.value.is_empty())),
            "`programs` lists none",
            "leave it out, or list digests",
        ),
        (
            noexec.map(|key| key.asked.clone()).filter(|_| has(&ActionWord::Execute)),
            "`noexec` with the action execute",
            "keep one",
        ),
    ];
    let wrong = rows.into_iter().filter_map(|(asked, message, hint)| Some((asked?, message, hint)));
    wrong.map(|(asked, message, hint)| ProfileError::new(asked, message).hint(hint)).collect()
}

/// The keys of the format that make this wish.
pub(super) fn show(wish: &AskWish, keys: &mut Map<String, Value>) {
    keys.insert("actions".into(), json!(wish.actions));
    keys.extend(wish.lease.map(|lease| ("lease".to_owned(), time(lease).into())));
    keys.extend(wish.uses.map(|uses| ("uses".to_owned(), uses.into())));
    keys.extend(wish.bytes.map(|bytes| ("bytes".to_owned(), size(bytes).into())));
    if let Some(rules) = &wish.redact {
        keys.insert("transform".into(), "redact".into());
        if !rules.is_empty() {
            keys.insert("rules".into(), json!(rules));
        }
    }
    if !wish.programs.is_empty() {
        keys.insert("programs".into(), json!(wish.programs));
    }
    if wish.on_revoke != OnRevoke::Leave {
        keys.insert("on_revoke".into(), wish.on_revoke.word().into());
    }
    if wish.revocable {
        keys.insert("revocable".into(), true.into());
    }
}
