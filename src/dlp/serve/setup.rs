//! What the role is told before it serves: rules, what is done about findings, what is known.
//!
//! Never goes on without a part of it: what cannot be used is told at `Start`, and then nothing is served.

use super::teacher::Teacher;
use crate::base::{escape, unhex};
use crate::crypto::{SECRET_BYTES, Secret};
use crate::dlp::canary::Decoys;
use crate::dlp::engine::{Engine, Options};
use crate::dlp::exact::{Known, What};
use crate::dlp::rule::Rules;
use crate::dlp::{classify, rule_file};
use crate::sys::{Errno, Sys, fd, file};
use crate::wire::dlp::{Act, ToDlp};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, RwLock};
use zeroize::Zeroizing;

/// The most bytes of a file with rules.
const RULE_BYTES: usize = 4 << 20;
/// The most bytes of a sensitive file.
pub(super) const FILE_BYTES: usize = 16 << 20;
/// The most actions.
const MOST_ACTIONS: usize = 8192;
/// The most letters of a refusal.
const MOST_LETTERS: usize = 4000;

/// What was told so far.
pub(super) struct Setup {
    rules: Rules,
    known: Known,
    actions: BTreeMap<String, Act>,
    /// Who teaches while streams are served.
    teacher: Option<OwnedFd>,
    /// The first thing that cannot be used.
    wrong: Option<String>,
}

impl Setup {
    pub(super) fn new() -> Sys<Self> {
        // A word for all findings says nothing of these; only their own name does.
        let actions = What::ALL.iter().map(|what| (what.kind().to_owned(), Act::Block)).collect();
        let known = Known::new(Secret::random()?);
        let (rules, wrong) = match Rules::shipped() {
            Ok(rules) => (rules, None),
            Err(errors) => (Rules::default(), Some(format!("the shipped rules: {errors}"))),
        };
        Ok(Self { rules, known, actions, teacher: None, wrong })
    }

    /// Takes one message.
    /// # Errors
    /// `EBADMSG` for one that has no place here.
    pub(super) fn take(&mut self, message: ToDlp, descriptor: Option<OwnedFd>) -> Sys<()> {
        let done = match (message, descriptor) {
            (ToDlp::Rules { name }, Some(file)) => {
                self.rules(&file).map_err(|why| format!("rules {}: {why}", escape(name.as_bytes())))
            }
            (ToDlp::File { label }, Some(file)) => {
                self.file(&label, &file).map_err(|why| format!("file {}: {why}", escape(label.as_bytes())))
            }
            (ToDlp::Known { label, secret, canary }, None) => {
                let secret = Zeroizing::new(secret);
                let added = if canary {
                    self.known.add_canary(&label, secret.as_bytes())
                } else {
                    self.known.add_secret(&label, secret.as_bytes())
                };
                added.map_err(|why| format!("secret {}: {why}", escape(label.as_bytes())))
            }
            (ToDlp::Teacher {}, Some(socket)) if self.teacher.is_none() => {
                self.teacher = Some(socket);
                Ok(())
            }
            (ToDlp::Decoys { key_hex }, None) => self.decoys(&Zeroizing::new(key_hex)),
            (ToDlp::Action { kind, act }, None) => {
                self.actions.insert(kind, act);
                if self.actions.len() > MOST_ACTIONS { Err("too many actions".to_owned()) } else { Ok(()) }
            }
            _ => return Err(Errno::EBADMSG),
        };
        if let Err(why) = done {
            self.wrong.get_or_insert(why);
        }
        Ok(())
    }

    /// Everything, ready.
    /// # Errors
    /// What cannot be used, in words.
    pub(super) fn engine(self) -> Result<(Engine, Teacher), String> {
        if let Some(why) = self.wrong {
            return Err(why);
        }
        if self.rules.is_empty() {
            return Err("there are no rules".to_owned());
        }
        if let Some(kind) = self.actions.keys().find(|kind| !is_kind(&self.rules, kind)) {
            let kind = escape(kind.as_bytes());
            return Err(format!("an action for {kind}: no rule and no kind is called that"));
        }
        let key = Secret::random().map_err(|errno| format!("make a key for hashes: {errno}"))?;
        let mut options = Options::new(Arc::new(key), classify::score);
        options.actions = self.actions;
        let known = Arc::new(RwLock::new(self.known));
        options.known = Some(known.clone());
        Ok((Engine::new(self.rules, options), Teacher::new(self.teacher, known)))
    }

    fn rules(&mut self, file: &OwnedFd) -> Result<(), String> {
        let bytes = read_all(file, RULE_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8".to_owned())?;
        self.rules.add(Rules::read(text).map_err(|errors| errors.to_string())?);
        let most = rule_file::MOST_RULES;
        if self.rules.len() > most { Err(format!("more than {most} rules together")) } else { Ok(()) }
    }

    fn file(&mut self, label: &str, file: &OwnedFd) -> Result<(), String> {
        let bytes = read_all(file, FILE_BYTES)?;
        self.known.add_file(label, &bytes).map_err(|why| why.to_string())
    }

    fn decoys(&mut self, key_hex: &str) -> Result<(), String> {
        let failed = |why: &str| format!("decoys: {why}");
        let bytes = Zeroizing::new(unhex(key_hex).unwrap_or_default());
        let none = |_| failed("the key is none");
        let mut bytes = Zeroizing::new(<[u8; SECRET_BYTES]>::try_from(bytes.as_slice()).map_err(none)?);
        let key = Secret::take(&mut bytes).map_err(|errno| failed(errno.desc()))?;
        Decoys::new(&key).register(&mut self.known).map_err(|why| failed(&why.to_string()))
    }
}

/// Whether an action can be said for this name.
fn is_kind(rules: &Rules, name: &str) -> bool {
    name == "*"
        || What::is_kind(name)
        || rules.iter().any(|rule| *rule.id == *name || *rule.kind == *name || rule.class.word() == name)
}

/// The bytes of a regular file, from where it stands.
fn read_all(file: &OwnedFd, most: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |errno: Errno| format!("cannot be read: {}", errno.desc());
    let kind = file::kind_and_identity(file.as_fd()).map_err(failed)?.mode & libc::S_IFMT;
    if kind != libc::S_IFREG {
        return Err("is no plain file".into());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let mut part = Zeroizing::new(vec![0; 1 << 16]);
    while bytes.len() <= most {
        match fd::read(file.as_fd(), &mut part).map_err(failed)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
        }
    }
    Err(format!("has more than {most} bytes"))
}

/// So much of it as a message holds.
pub(super) fn cut(why: &str) -> String {
    why.chars().take(MOST_LETTERS).collect()
}
