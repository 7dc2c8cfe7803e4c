//! The engine: rules made ready once, and shared by all streams.

use super::containers::{MARKS, Packed};
use super::exact::Known;
use super::finding::{Finding, Unscannable};
use super::layer::Hit;
use super::mnemonic;
use super::person;
use super::prefilter::Prefilter;
use super::rule::{Class, How, Rule, Rules};
use super::stream::{Limits, Stream};
use crate::crypto::{Secret, mac};
use crate::wire::dlp::Act;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};

/// How likely it is that a value is a secret, from 0 to 1, by the value and the bytes before it.
pub type Classifier = fn(&[u8], &[u8]) -> f32;

/// What an engine needs beside rules.
pub struct Options {
    /// The key of value hashes: the same value has the same hash under the same key.
    pub key: Arc<Secret>,
    /// Judges values that no rule knows.
    pub classifier: Classifier,
    /// Known values. More may become known while streams are served.
    pub known: Option<Arc<RwLock<Known>>>,
    /// What is done, if not what the rule says: by the name of a rule, a kind, a class (`credential`, `key`, `personal`), or
    /// `*` for all. The first of these that is there counts.
    pub actions: BTreeMap<String, Act>,
    /// How sure a finding must be to be one.
    pub threshold: f32,
    /// Findings carry their values.
    pub show_values: bool,
}

impl Options {
    /// As the program uses them.
    pub fn new(key: Arc<Secret>, classifier: Classifier) -> Self {
        Self { key, classifier, known: None, actions: BTreeMap::new(), threshold: 0.5, show_values: false }
    }
}

/// What a word of the prefilter leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Rule(usize),
    /// The name of a secret, or of a password.
    Name {
        password: bool,
    },
    Jwt,
    Pem,
    Url,
    /// A word that stands before a date of birth.
    Born,
    /// A word for a street.
    Street,
    /// A word that stands before the words of a wallet.
    Wallet,
    /// A stream of a PDF begins behind it.
    PdfStream,
    Packed(Packed),
}

/// Words in names of secrets, and of passwords.
const SECRET_WORDS: [&str; 27] = [
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "private_key",
    "privatekey",
    "private-key",
    "auth_key",
    "authkey",
    "account_key",
    "accountkey",
    "encryption_key",
    "encryptionkey",
    "signing_key",
    "signingkey",
    "master_key",
    "masterkey",
    "credential",
    "authorization",
    "x-api-key",
    "client_key",
    "license_key",
    "webhook",
];
const PASSWORD_WORDS: [&str; 9] =
    ["password", "passwd", "passphrase", "_pass", "-pass", "pwd", "kennwort", "passwort", "contrase\u{f1}a"];

/// Rules, ready to be applied.
pub struct Engine {
    pub(super) rules: Vec<Rule>,
    pub(super) prefilter: Prefilter,
    pub(super) targets: Vec<Target>,
    pub(super) options: Options,
    built: BTreeMap<Arc<str>, usize>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Engine({} rules)", self.rules.len())
    }
}

/// What a whole text has in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// In the order they stand there.
    pub findings: Vec<Finding>,
    /// Why a part could not be looked into, the first reason.
    pub blocked: Option<Unscannable>,
}

impl Engine {
    /// Makes rules ready.
    pub fn new(rules: Rules, options: Options) -> Self {
        let mut engine = Self {
            built: BTreeMap::new(),
            rules: rules.rules,
            prefilter: Prefilter::new(),
            targets: Vec::new(),
            options,
        };
        for (number, rule) in engine.rules.iter().enumerate() {
            if matches!(rule.how, How::Built) {
                engine.built.insert(rule.id.clone(), number);
            }
        }
        for number in 0..engine.rules.len() {
            let Some(rule) = engine.rules.get(number) else { continue };
            let exact = matches!(rule.how, How::Start(_));
            let words: Vec<String> = rule.how.words().to_vec();
            words.iter().for_each(|word| engine.add(word.as_bytes(), exact, Target::Rule(number)));
        }
        SECRET_WORDS
            .iter()
            .for_each(|word| engine.add(word.as_bytes(), false, Target::Name { password: false }));
        PASSWORD_WORDS
            .iter()
            .for_each(|word| engine.add(word.as_bytes(), false, Target::Name { password: true }));
        engine.add(b"eyJ", true, Target::Jwt);
        engine.add(b"-----BEGIN ", true, Target::Pem);
        engine.add(b"://", true, Target::Url);
        person::BORN.iter().for_each(|word| engine.add(word.as_bytes(), false, Target::Born));
        person::STREETS.iter().for_each(|word| engine.add(word.as_bytes(), false, Target::Street));
        mnemonic::NAMES.iter().for_each(|name| engine.add(name.as_bytes(), false, Target::Wallet));
        engine.add(b"stream\n", true, Target::PdfStream);
        engine.add(b"stream\r\n", true, Target::PdfStream);
        MARKS.iter().for_each(|(mark, packed)| engine.add(mark, true, Target::Packed(*packed)));
        engine
    }

    fn add(&mut self, word: &[u8], exact: bool, target: Target) {
        let id = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        self.targets.push(target);
        self.prefilter.add(word, exact, id);
    }

    /// A stream of bytes that leave.
    pub fn stream(&self, limits: Limits) -> Stream<'_> {
        Stream::new(self, limits)
    }

    /// Everything in a whole text. What cannot be looked into is a finding too, of kind `dlp_unscannable`.
    pub fn scan(&self, text: &[u8]) -> Vec<Finding> {
        let Scan { mut findings, blocked } = self.scan_whole(text);
        if let Some(why) = blocked {
            findings.push(Finding {
                kind: "dlp_unscannable".into(),
                rule: why.word().into(),
                value_hash: self.hash(text),
                start: 0,
                end: text.len() as u64,
                decoded_from: Vec::new(),
                action: Act::Block,
                length: text.len(),
                confidence: 1.0,
                value: None,
            });
        }
        findings
    }

    /// Everything in a whole text, and what could not be looked into.
    pub fn scan_whole(&self, text: &[u8]) -> Scan {
        let step = self.stream(Limits::default()).feed(text, true);
        Scan { findings: step.findings, blocked: step.blocked }
    }

    /// The number of a rule that code of ours applies, if the rules have it.
    pub(super) fn built(&self, id: &str) -> Option<usize> {
        self.built.get(id).copied()
    }

    /// The keyed hash of a value.
    pub(super) fn hash(&self, value: &[u8]) -> String {
        let code = mac(&self.options.key, &[value]);
        crate::base::to_hex(code.get(..8).unwrap_or_default())
    }

    /// A finding for what a layer found; `base` is added to its place.
    pub(super) fn finding(&self, hit: Hit, base: u64) -> Option<Finding> {
        let (kind, rule, action): (Arc<str>, Arc<str>, Act) = match (hit.known, self.rules.get(hit.rule)) {
            (Some(what), _) => (what.kind().into(), "known-value".into(), Act::Block),
            (None, Some(rule)) => (rule.kind.clone(), rule.id.clone(), rule.action),
            (None, None) => return None,
        };
        let class = self
            .rules
            .get(hit.rule)
            .filter(|_| hit.known.is_none())
            .map_or("known", |rule| rule.class.word());
        let said = [&*rule, &*kind, class, "*"].into_iter().find_map(|name| self.options.actions.get(name));
        let action = said.copied().unwrap_or(action);
        (action != Act::Allow).then(|| Finding {
            kind,
            rule,
            value_hash: self.hash(&hit.value),
            start: base + hit.start as u64,
            end: base + hit.end as u64,
            decoded_from: hit.chain,
            action,
            length: hit.value.len(),
            confidence: hit.confidence,
            value: self.options.show_values.then_some(hit.value),
        })
    }
}

impl Class {
    /// As it is written in a rule.
    pub fn word(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Key => "key",
            Self::Personal => "personal",
        }
    }
}
