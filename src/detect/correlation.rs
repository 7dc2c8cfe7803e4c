//! Correlations: so many events, so many different values, or events of several rules, within a time and a group.
//!
//! Never grows without end: groups and what is kept of them are bounded, and what goes beyond is one more group that all
//! share, so a flood of groups hides nothing. Needs nothing of an event but when and where it was.

use super::fields::{FieldId, Fields, Names};
use super::read::{Map, Read, number, wrong};
use crate::profile::parse_duration;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// The most groups of one correlation.
const MOST_GROUPS: usize = 1024;
/// The most of what is kept of one correlation: an event or a value of a group.
const MOST_KEPT: usize = 16_384;
/// The most events or values that a correlation can wait for.
const MOST_COUNT: u64 = 1000;
/// The most rules of one.
const MOST_RULES: usize = 16;
/// After so many events that found no room, what is over is looked for again.
const LOOK_AGAIN: u32 = 256;
/// The most letters that are kept of a value of a group.
const MOST_SHOWN: usize = 128;

/// What a correlation is, as it was written.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) rules: Vec<String>,
    /// Its rules tell of their own findings too.
    pub(super) generate: bool,
    pub(super) group_by: Vec<FieldId>,
    pub(super) value: Option<FieldId>,
    kind: Kind,
    span_ns: u64,
    count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count,
    Values,
    AllOf,
    InOrder,
}

impl Wish {
    pub(super) fn read(file: &str, node: crate::profile::parse::Node, names: &mut Names) -> Read<Self> {
        let mut map = Map::of(file, node, "`correlation`")?;
        let line = map.line;
        let kind = match map.needed_text("type")?.as_str() {
            "event_count" => Kind::Count,
            "value_count" => Kind::Values,
            "temporal" => Kind::AllOf,
            "temporal_ordered" => Kind::InOrder,
            other => return wrong(file, line, format!("the correlation `{other}` is not known here")),
        };
        let rules = map.texts("rules")?;
        if rules.is_empty() || rules.len() > MOST_RULES {
            return wrong(file, line, format!("`rules` has 1 to {MOST_RULES} names"));
        }
        let mut group_by = Vec::new();
        for name in map.texts("group-by")? {
            match names.number(&name) {
                Some(id) => group_by.push(id),
                None => return wrong(file, line, format!("`group-by`: no event has a field `{name}`")),
            }
        }
        let span = map.needed_text("timespan")?;
        let Some(span) = parse_duration(&span) else {
            return wrong(file, line, format!("`{span}` is no time, such as 90s, 5m or 1h"));
        };
        let generate = match map.take("generate").map(|node| (node.line, node.value)) {
            None => false,
            Some((_, crate::profile::parse::Value::Bool(generate))) => generate,
            Some((line, _)) => return wrong(file, line, "`generate` is true or false"),
        };
        let (count, value) = condition(&mut map, kind, names)?;
        map.finish("`correlation`")?;
        let span_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Ok(Self { rules, generate, group_by, value, kind, span_ns, count })
    }
}

/// How many it takes, and of which field.
fn condition(map: &mut Map<'_>, kind: Kind, names: &mut Names) -> Read<(usize, Option<FieldId>)> {
    let (file, line) = (map.file, map.line);
    let node = match (kind, map.take("condition")) {
        (Kind::AllOf | Kind::InOrder, None) => return Ok((0, None)),
        (Kind::AllOf | Kind::InOrder, Some(node)) => {
            return wrong(
                file,
                node.line,
                "a temporal correlation has no `condition` here: all rules must hold",
            );
        }
        (_, None) => return wrong(file, line, "`condition` is missing"),
        (_, Some(node)) => node,
    };
    let mut condition = Map::of(file, node, "`condition`")?;
    let line = condition.line;
    let bound = match (condition.take("gte"), condition.take("gt")) {
        (Some(node), None) => number(file, &node, "gte")?,
        (None, Some(node)) => number(file, &node, "gt")?.saturating_add(1),
        _ => return wrong(file, line, "`condition` has either `gte` or `gt`"),
    };
    if !(1..=MOST_COUNT).contains(&bound) {
        return wrong(file, line, format!("a correlation waits for 1 to {MOST_COUNT} here"));
    }
    let value = condition.text("field")?;
    let value = match (kind, value) {
        (Kind::Values, Some(name)) => match names.number(&name) {
            Some(id) => Some(id),
            None => return wrong(file, line, format!("`field`: no event has a field `{name}`")),
        },
        (Kind::Values, None) => return wrong(file, line, "`field` is missing"),
        (_, Some(_)) => return wrong(file, line, "`field` goes with value_count"),
        (_, None) => None,
    };
    condition.finish("`condition`")?;
    Ok((usize::try_from(bound).unwrap_or(usize::MAX), value))
}

/// When and where something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// Nanoseconds.
    pub(super) time: u64,
    /// The run, by its number among those that were seen.
    pub(super) run: u32,
    pub(super) seq: u64,
}

/// What a correlation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Correlated {
    /// The values of its group.
    pub(super) group: Vec<String>,
    pub(super) first: At,
}

/// A correlation and what it keeps.
#[derive(Debug)]
pub(super) struct Correlation {
    wish: Wish,
    groups: HashMap<u64, Group>,
    /// What found no room, together.
    rest: Group,
    kept: usize,
    refused: u32,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Group {
    /// Nothing, then the values it is a group by; empty before its first event.
    shown: Vec<String>,
    last: u64,
    times: VecDeque<At>,
    values: VecDeque<(u64, At)>,
    /// For each rule: when what ends with it began.
    steps: BTreeMap<usize, At>,
}

impl Group {
    fn size(&self) -> usize {
        1 + self.times.len() + self.values.len() + self.steps.len()
    }
}

impl Correlation {
    pub(super) fn new(wish: Wish) -> Self {
        let (groups, rest) = (HashMap::new(), Group::default());
        Self { wish, groups, rest, kept: 0, refused: 0, hasher: RandomState::new() }
    }

    /// An event for which rule number `step` of this correlation holds.
    pub(super) fn take(&mut self, step: usize, fields: &Fields<'_>, at: At) -> Option<Correlated> {
        let value = match self.wish.value {
            // Without the value there is nothing to count.
            Some(field) => Some(self.hasher.hash_one(&*fields.values(field).next()?.text())),
            None => None,
        };
        let key = self.key(fields);
        let room = self.has_room(key, at.time);
        let wish = &self.wish;
        let group = if room { self.groups.entry(key).or_default() } else { &mut self.rest };
        let before = if group.shown.is_empty() { 0 } else { group.size() };
        if room && before == 0 {
            group.shown = vec![String::new()];
            group.shown.extend(wish.group_by.iter().map(|field| shown(fields, *field)));
        }
        group.last = group.last.max(at.time);
        let first = match (wish.kind, value) {
            (Kind::Values, Some(value)) => group.value(wish, value, at),
            (Kind::AllOf, _) => group.step(wish, step, at),
            (Kind::InOrder, _) => group.ordered(wish, step, at),
            _ => group.event(wish, at),
        };
        if room {
            self.kept = (self.kept + group.size()).saturating_sub(before);
        }
        first.map(|first| Correlated { group: group.shown.iter().skip(1).cloned().collect(), first })
    }

    fn key(&self, fields: &Fields<'_>) -> u64 {
        let values =
            self.wish.group_by.iter().map(|field| fields.values(*field).next().map(|value| value.text()));
        self.hasher.hash_one(values.collect::<Vec<_>>())
    }

    fn has_room(&mut self, key: u64, now: u64) -> bool {
        let full = |correlation: &Self| {
            correlation.kept >= MOST_KEPT
                || correlation.groups.len() >= MOST_GROUPS && !correlation.groups.contains_key(&key)
        };
        if !full(self) {
            return true;
        }
        self.refused += 1;
        if self.refused % LOOK_AGAIN != 1 {
            return false;
        }
        let span = self.wish.span_ns;
        self.groups.retain(|_, group| now.saturating_sub(group.last) <= span);
        self.kept = self.groups.values().map(Group::size).sum();
        !full(self)
    }

    /// How much it keeps.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.groups.values().map(Group::size).sum::<usize>() + self.rest.size()
    }
}

impl Group {
    /// The last so many: when the first of them is recent enough, they are all.
    fn event(&mut self, wish: &Wish, at: At) -> Option<At> {
        self.times.push_back(at);
        if self.times.len() > wish.count {
            self.times.pop_front();
        }
        let first = *self.times.front()?;
        let enough = self.times.len() >= wish.count && at.time.saturating_sub(first.time) <= wish.span_ns;
        enough.then(|| {
            self.times.clear();
            first
        })
    }

    /// The same of different values, each as it was last seen.
    fn value(&mut self, wish: &Wish, value: u64, at: At) -> Option<At> {
        self.values.retain(|(known, _)| *known != value);
        self.values.push_back((value, at));
        if self.values.len() > wish.count {
            self.values.pop_front();
        }
        let first = self.values.front()?.1;
        let enough = self.values.len() >= wish.count && at.time.saturating_sub(first.time) <= wish.span_ns;
        enough.then(|| {
            self.values.clear();
            first
        })
    }

    /// Every rule has held, the earliest recently enough.
    fn step(&mut self, wish: &Wish, step: usize, at: At) -> Option<At> {
        self.steps.insert(step, at);
        let first = *self.steps.values().min_by_key(|at| at.time)?;
        let enough =
            self.steps.len() >= wish.rules.len() && at.time.saturating_sub(first.time) <= wish.span_ns;
        enough.then(|| {
            self.steps.clear();
            first
        })
    }

    /// A step counts behind the one before it; the latest beginning is the one that lasts longest.
    fn ordered(&mut self, wish: &Wish, step: usize, at: At) -> Option<At> {
        let first = match step.checked_sub(1) {
            None => at,
            Some(before) => *self.steps.get(&before)?,
        };
        if at.time.saturating_sub(first.time) > wish.span_ns {
            return None;
        }
        if step + 1 < wish.rules.len() {
            self.steps.insert(step, first);
            return None;
        }
        self.steps.clear();
        Some(first)
    }
}

/// A value of a group, as far as it is shown.
fn shown(fields: &Fields<'_>, field: FieldId) -> String {
    let value = fields.values(field).next().map(|value| value.text().into_owned()).unwrap_or_default();
    cut(&value)
}

/// The beginning of a value.
pub(super) fn cut(value: &str) -> String {
    cut_at(value, MOST_SHOWN)
}

/// So many letters of a text.
pub(super) fn cut_at(value: &str, most: usize) -> String {
    match value.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

#[cfg(test)]
#[path = "correlation_tests.rs"]
mod tests;
