//! Applies rules to the bytes of one layer, from each word that the prefilter finds.

use super::check::Verdict;
use super::containers::{Packed, packed_at_start};
use super::context;
use super::engine::{Engine, Target};
use super::layer::{Hit, MOST_HITS};
use super::rule::{Expression, How, Rule, WINDOW};
use super::work::{self, Work};
use super::{letters, mnemonic, numbers, pairs, person, secrets};
use std::sync::PoisonError;

/// Collects what rules find in the layer itself.
pub(super) struct Looking<'a> {
    pub(super) engine: &'a Engine,
    pub(super) work: &'a Work,
    pub(super) text: &'a [u8],
    pub(super) own: Vec<Hit>,
    pub(super) marks: Vec<(Packed, usize)>,
    /// By rule: how far an expression that is looked for was looked for.
    pub(super) read_to: Vec<(usize, usize)>,
}

impl Looking<'_> {
    /// Looks at a word; says whether to go on.
    pub(super) fn word(&mut self, id: u32, start: usize, end: usize) -> bool {
        if self.own.len() < MOST_HITS && self.work.take(work::WORD) {
            self.target(id, start, end);
        }
        !self.work.is_spent()
    }

    fn target(&mut self, id: u32, start: usize, end: usize) {
        match self.engine.targets.get(id as usize).copied() {
            Some(Target::Rule(number)) => self.rule(number, start, end),
            Some(Target::Name { password }) => self.name(password, start, end),
            Some(Target::Jwt) => self.jwt(start),
            Some(Target::Pem) => {
                if self.work.take(work::EXPRESSION)
                    && let Some((end, confidence)) = secrets::private_key(self.text, start)
                {
                    self.hit("private-key", start, end, confidence);
                }
            }
            Some(Target::Url) => self.url(end),
            Some(Target::Born) => {
                if self.work.take(work::EXPRESSION)
                    && let Some((start, end)) = person::birth(self.text, start, end)
                {
                    self.hit("birth-date", start, end, 0.8);
                }
            }
            Some(Target::Street) => {
                if self.work.take(work::ADDRESSES)
                    && let Some((start, end)) = person::address(self.text, start, end)
                {
                    self.hit("postal-address", start, end, 0.8);
                }
            }
            Some(Target::Wallet) => {
                if self.work.take(work::WALLET)
                    && let Some((start, end)) = mnemonic::behind(self.text, end)
                {
                    self.hit("wallet-phrase", start, end, 0.95);
                }
            }
            Some(Target::PdfStream) => {
                let behind = self.text.get(end..).unwrap_or_default();
                if packed_at_start(behind) == Some(Packed::Zlib) {
                    self.marks.push((Packed::Zlib, end));
                }
            }
            Some(Target::Packed(packed)) => self.marks.push((packed, start)),
            None => {}
        }
    }

    fn rule(&mut self, number: usize, start: usize, end: usize) {
        let Some(rule) = self.engine.rules.get(number) else { return };
        let Some(regex) = &rule.regex else { return };
        let Some(regex) = regex.get() else { return self.push(number, start, end, rule.confidence) };
        match rule.how {
            How::Start(_) => {
                let before = start.checked_sub(1).and_then(|at| self.text.get(at));
                let joined = letters::is_word_at(self.text, start)
                    && before.is_some_and(u8::is_ascii_alphanumeric)
                    && !context::stands_alone(self.text, start, start);
                let window = self.text.get(start..(start + WINDOW).min(self.text.len())).unwrap_or_default();
                let tried = !joined && self.work.take(work::EXPRESSION);
                let found = if tried { group(regex.captures_at(window, 0), rule.group) } else { None };
                if let Some((from, to)) = found {
                    self.matched(number, rule, start + from, start + to);
                }
            }
            How::Near(_) => {
                if !self.work.take(work::PAIR) {
                    return;
                }
                let Some(pair) = pairs::value_near(self.text, start, end) else { return };
                let value = self.text.get(pair.start..pair.end).unwrap_or_default();
                if self.work.take(work::EXPRESSION)
                    && let Some((from, to)) = group(regex.captures_at(value, 0), rule.group)
                {
                    self.matched(number, rule, pair.start + from, pair.start + to);
                }
            }
            How::Around(_) => self.around(number, rule, start, end),
            How::Built => {}
        }
    }

    /// Looks for an expression around a word, each byte once.
    fn around(&mut self, number: usize, rule: &Rule, start: usize, end: usize) {
        let Some(regex) = rule.regex.as_ref().and_then(Expression::get) else { return };
        let read = self.read_to.iter().find(|(other, _)| *other == number).map_or(0, |(_, to)| *to);
        let from = start.saturating_sub(96).max(read.min(start));
        let to = (end + WINDOW).min(self.text.len());
        let window = self.text.get(from..to).unwrap_or_default();
        let mut at = 0;
        let mut last = read;
        for _ in 0..16 {
            if !self.work.take(work::EXPRESSION) {
                break;
            }
            let Some((first, past)) = group(regex.captures_at(window, at), rule.group) else { break };
            if from + past > read {
                self.matched(number, rule, from + first, from + past);
                last = last.max(from + past);
            }
            at = past.max(at + 1);
            if at >= window.len() {
                break;
            }
        }
        self.read_to.retain(|(other, _)| *other != number);
        self.read_to.push((number, last));
    }

    fn matched(&mut self, number: usize, rule: &Rule, start: usize, end: usize) {
        let value = self.text.get(start..end).unwrap_or_default();
        let verdict = rule.check.map_or(Verdict::Right, |check| check.of(value));
        let doubt = match verdict {
            Verdict::Right => 1.0,
            Verdict::Doubtful => 0.7,
            Verdict::Wrong => return,
        };
        if matches!(rule.how, How::Start(_)) && letters::is_word_at(self.text, end) || end <= start {
            return;
        }
        if letters::entropy(value) < rule.entropy || context::is_placeholder(value) {
            return;
        }
        let stopped = |word: &String| context::contains(&value.to_ascii_lowercase(), word.as_bytes());
        if rule.but_not.iter().any(|regex| regex.is_match(value)) || rule.stop_words.iter().any(stopped) {
            return;
        }
        self.push(number, start, end, rule.confidence * doubt);
    }

    fn name(&mut self, password: bool, start: usize, end: usize) {
        let rule = if password { "generic-password" } else { "generic-secret" };
        let Some(number) = self.engine.built(rule) else { return };
        if !self.work.take(work::PAIR) {
            return;
        }
        let Some(pair) = pairs::value_behind(self.text, start, end) else { return };
        let value = self.text.get(pair.start..pair.end).unwrap_or_default();
        let shortest = if password { 6 } else { 10 };
        if value.len() < shortest || pairs::is_code(self.text, &pair) || context::is_placeholder(value) {
            return;
        }
        let before = context::before(self.text, pair.start);
        if !self.work.take(work::JUDGEMENT) {
            return;
        }
        let score = (self.engine.options.classifier)(value, before);
        let score = if pair.loose { score * 0.8 } else { score };
        self.push(number, pair.start, pair.end, score.min(0.89));
    }

    fn jwt(&mut self, start: usize) {
        let before = start.checked_sub(1).and_then(|at| self.text.get(at));
        if before.is_some_and(|byte| letters::is(*byte, letters::BASE64))
            && !context::stands_alone(self.text, start, start)
        {
            return;
        }
        let Some(end) = secrets::jwt(self.text, start) else { return };
        if !self.work.take(work::JUDGEMENT + 2 * (end - start)) {
            return;
        }
        let value = self.text.get(start..end).unwrap_or_default();
        if super::check::Check::Jwt.of(value) == Verdict::Right {
            self.hit("jwt", start, end, 0.97);
        }
    }

    fn url(&mut self, behind: usize) {
        if !self.work.take(work::AUTHORITY) {
            return;
        }
        let Some((start, end)) = secrets::url_password(self.text, behind) else { return };
        let value = self.text.get(start..end).unwrap_or_default();
        if secrets::is_url_password(value) {
            self.hit("url-password", start, end, 0.85);
        }
    }

    pub(super) fn number(&mut self, number: numbers::Number) {
        if self.own.len() < MOST_HITS {
            self.hit(number.rule, number.start, number.end, number.confidence);
        }
    }

    /// A text that is the words of a wallet, and little else.
    pub(super) fn wallet(&mut self) {
        if let Some((start, end)) = mnemonic::alone(self.text) {
            self.hit("wallet-phrase", start, end, 0.8);
        }
    }

    pub(super) fn known(&mut self) {
        let Some(known) = &self.engine.options.known else { return };
        let known = known.read().unwrap_or_else(PoisonError::into_inner);
        for hit in known.find_within(self.text, |bytes| self.work.take(bytes)).into_iter().take(MOST_HITS) {
            let value = self.text.get(hit.start..hit.end).unwrap_or_default().to_vec();
            self.own.push(Hit {
                start: hit.start,
                end: hit.end,
                rule: 0,
                known: Some(hit.what),
                confidence: 1.0,
                chain: Vec::new(),
                value,
                whole: false,
            });
        }
    }

    fn hit(&mut self, rule: &str, start: usize, end: usize, confidence: f32) {
        if let Some(number) = self.engine.built(rule) {
            self.push(number, start, end, confidence);
        }
    }

    fn push(&mut self, rule: usize, start: usize, end: usize, confidence: f32) {
        if confidence < self.engine.options.threshold || !self.work.take(work::HIT) {
            return;
        }
        let value = self.text.get(start..end).unwrap_or_default().to_vec();
        self.own.push(Hit {
            start,
            end,
            rule,
            known: None,
            confidence,
            chain: Vec::new(),
            value,
            whole: false,
        });
    }
}

fn group(captures: Option<regex::bytes::Captures<'_>>, group: usize) -> Option<(usize, usize)> {
    let captures = captures?;
    let found = captures.get(group).or_else(|| captures.get(0))?;
    Some((found.start(), found.end()))
}
