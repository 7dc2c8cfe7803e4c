//! Rules put together: which can hold for which event, and what came of those that did.
//!
//! Never reads of an event what no rule for it looks at, and keeps nothing of an event but where it stands.

use super::correlation::{At, Correlated, Correlation, cut};
use super::fields::{FieldId, Fields, Head, Names, RUN, Unreadable, Wanted};
use super::rule::{self, About, Body, Detection, Rule};
use crate::audit::schema;
use crate::base::Source;
use crate::profile::ProfileError;
use std::collections::HashMap;

/// The most rules of an engine.
pub const MOST_RULES: usize = 256;
/// The most correlations among them.
const MOST_CORRELATIONS: usize = 64;
/// The most values that a finding tells of.
const MOST_ABOUT: usize = 16;

/// In place of a name that no event is known by.
const OTHER: &str = "\0";

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule, by its number in [`Engine::rules`].
    pub rule: usize,
    /// What tells most about it: fields and the beginnings of their values.
    pub about: Vec<(String, String)>,
    /// The first event of it: its run and index.
    pub first: (String, u64),
    /// The last.
    pub last: (String, u64),
}

/// Rules, and what they keep of the events so far.
pub struct Engine {
    rules: Vec<About>,
    fields: Vec<Vec<FieldId>>,
    names: Names,
    events: Vec<(usize, Detection)>,
    /// Sorted so that each stands behind those it is made of.
    correlations: Vec<Several>,
    /// Rules that tell of what they find.
    tells: Vec<bool>,
    /// For each name of an event: what is wanted of it, and the detections that can hold.
    by_event: HashMap<&'static str, Bucket>,
    /// For any other name.
    others: Bucket,
    runs: Vec<String>,
}

struct Several {
    rule: usize,
    of: Vec<usize>,
    /// Its time is that of one machine's uptime: it never looks beyond a run.
    within_run: bool,
    group_by: Vec<FieldId>,
    fields: Vec<FieldId>,
    state: Correlation,
}

#[derive(Default)]
struct Bucket {
    wanted: Wanted,
    /// Each with the number of its rule.
    events: Vec<(usize, Detection)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Engine").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// The engine of these files, each a name and its content.
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self, Vec<ProfileError>> {
        let (mut names, mut rules, mut errors) = (Names::default(), Vec::<Rule>::new(), Vec::new());
        for (name, content) in files {
            match rule::read(name, content, &mut names) {
                Ok(read) => rules.extend(read),
                Err(wrong) => errors.extend(wrong),
            }
        }
        errors.extend(twice(&rules));
        if !errors.is_empty() {
            return Err(errors);
        }
        Self::of(rules, names)
    }

    fn of(rules: Vec<Rule>, names: Names) -> Result<Self, Vec<ProfileError>> {
        let references = references(&rules).map_err(|error| vec![error])?;
        let order = order(&rules, &references).map_err(|error| vec![error])?;
        let mut tells = vec![true; rules.len()];
        for (rule, of) in rules.iter().zip(&references) {
            if let Body::Several(wish) = &rule.body
                && !wish.generate
            {
                of.iter().for_each(|of| {
                    if let Some(tells) = tells.get_mut(*of) {
                        *tells = false
                    }
                });
            }
        }
        let (mut events, mut several) = (Vec::new(), Vec::new());
        for number in order {
            let Some(Rule { body, .. }) = rules.get(number) else { continue };
            match body {
                Body::Event(detection) => events.push((number, detection.clone())),
                Body::Several(wish) => several.push(Several {
                    rule: number,
                    of: references.get(number).cloned().unwrap_or_default(),
                    within_run: wish.group_by.contains(&RUN),
                    group_by: wish.group_by.clone(),
                    fields: rules.get(number).map(|rule| rule.fields.clone()).unwrap_or_default(),
                    state: Correlation::new(wish.clone()),
                }),
            }
        }
        let fields = rules.iter().map(|rule| rule.fields.clone()).collect();
        let mut engine = Self {
            fields,
            rules: rules.iter().map(|rule| rule.about.clone()).collect(),
            names,
            events,
            correlations: several,
            tells,
            by_event: HashMap::new(),
            others: Bucket::default(),
            runs: Vec::new(),
        };
        let mut beyond: Vec<FieldId> = Vec::new();
        for rule in &rules {
            if let Body::Several(wish) = &rule.body {
                beyond.extend(wish.group_by.iter().chain(&wish.value).chain(&rule.fields));
            }
        }
        for event in schema::events() {
            let bucket = engine.bucket(event.name, &beyond);
            engine.by_event.insert(event.name, bucket);
        }
        engine.others = engine.bucket(OTHER, &beyond);
        Ok(engine)
    }

    fn bucket(&self, event: &str, beyond: &[FieldId]) -> Bucket {
        let mut bucket = Bucket::default();
        for (rule, detection) in &self.events {
            if !detection.may_hold(event) {
                continue;
            }
            // Of another name it is not known what it is.
            let known = if event == OTHER { detection.clone() } else { detection.of_event(event) };
            bucket.events.push((*rule, known));
            let shown = self.fields.get(*rule).into_iter().flatten().copied();
            for field in detection.fields().chain(shown).chain(beyond.iter().copied()) {
                bucket.wanted.add(&self.names, field);
            }
        }
        bucket
    }

    /// The rules, in the order they were read.
    pub fn rules(&self) -> &[About] {
        &self.rules
    }

    /// Those that tell of what they find: the others are parts of correlations.
    pub fn telling(&self) -> impl Iterator<Item = &About> {
        self.rules.iter().zip(&self.tells).filter(|(_, tells)| **tells).map(|(about, _)| about)
    }

    /// The names of events for which a rule can hold.
    pub fn events(&self) -> impl Iterator<Item = &'static str> {
        self.by_event.iter().filter(|(_, bucket)| !bucket.events.is_empty()).map(|(name, _)| *name)
    }

    /// Takes one event of a run as the leaf of its log and the value that opens it, which is empty where nothing does, and
    /// adds what was found.
    /// # Errors
    /// When it is no leaf of this version.
    pub fn take(
        &mut self,
        run: &str,
        seq: u64,
        (leaf, hidden): (&[u8], &[u8]),
        found: &mut Vec<Finding>,
    ) -> Result<(), Unreadable> {
        let head = Head::of(leaf)?;
        let bucket = self.by_event.get(head.event).unwrap_or(&self.others);
        if bucket.events.is_empty() {
            return Ok(());
        }
        let fields = Fields::of(head.event, run, head.data, &bucket.wanted)?;
        let fields = fields.with_hidden(hidden, &bucket.wanted)?;
        let held: Vec<usize> = bucket
            .events
            .iter()
            .filter(|(_, detection)| detection.holds(&fields))
            .map(|(rule, _)| *rule)
            .collect();
        if !held.is_empty() {
            self.held(held, &fields, run, &head, seq, found);
        }
        Ok(())
    }

    /// What comes of rules that hold for an event: findings of their own, and of correlations they are part of.
    fn held(
        &mut self,
        mut held: Vec<usize>,
        fields: &Fields<'_>,
        run: &str,
        head: &Head<'_>,
        seq: u64,
        found: &mut Vec<Finding>,
    ) {
        let number = self.run_number(run);
        let tells = |rule: usize| self.tells.get(rule).copied().unwrap_or(false);
        for rule in held.iter().copied().filter(|rule| tells(*rule)) {
            let here = (run.to_owned(), seq);
            let shown = self.fields.get(rule).map(Vec::as_slice).unwrap_or_default();
            found.push(Finding {
                rule,
                about: about(&self.names, shown, fields),
                first: here.clone(),
                last: here,
            });
        }
        for several in &mut self.correlations {
            let time = if several.within_run { head.mono } else { head.ts };
            let at = At { time, run: number, seq };
            // From the last step to the first: one event is not two steps of an order.
            for step in (0..several.of.len()).rev() {
                if !several.of.get(step).is_some_and(|of| held.contains(of)) {
                    continue;
                }
                let Some(Correlated { group, first }) = several.state.take(step, fields, at) else {
                    continue;
                };
                held.push(several.rule);
                if !self.tells.get(several.rule).copied().unwrap_or(false) {
                    continue;
                }
                let names = several.group_by.iter().map(|field| self.names.name(*field).to_owned());
                let mut told: Vec<_> = names.zip(group).filter(|(name, _)| name != "run").collect();
                told.extend(about(&self.names, &several.fields, fields));
                let run_of_first = usize::try_from(first.run).ok().and_then(|run| self.runs.get(run));
                found.push(Finding {
                    rule: several.rule,
                    about: told,
                    first: (run_of_first.cloned().unwrap_or_default(), first.seq),
                    last: (run.to_owned(), seq),
                });
            }
        }
    }

    fn run_number(&mut self, run: &str) -> u32 {
        let known = self.runs.iter().rposition(|known| known == run);
        let number = known.unwrap_or_else(|| {
            self.runs.push(run.to_owned());
            self.runs.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

/// The beginnings of what these fields hold.
fn about(names: &Names, shown: &[FieldId], fields: &Fields<'_>) -> Vec<(String, String)> {
    let of = |field: &FieldId| {
        let name = names.name(*field).to_owned();
        fields.values(*field).map(move |value| (name.clone(), cut(&value.text())))
    };
    shown.iter().flat_map(of).take(MOST_ABOUT).collect()
}

/// Rules of one name or id, and too many of them.
fn twice(rules: &[Rule]) -> Vec<ProfileError> {
    let mut errors = Vec::new();
    let at =
        |rule: &Rule, message: String| ProfileError::new(Source::line(&*rule.about.file, rule.line), message);
    for (index, rule) in rules.iter().enumerate() {
        let mut before = rules.iter().take(index).map(|rule| &rule.about);
        if let Some(other) = before.find(|other| other.name == rule.about.name || other.id == rule.about.id) {
            let message = format!("`{}` has the name or the id of a rule in {}", rule.about.name, other.file);
            errors.push(at(rule, message));
        }
        let several =
            rules.iter().take(index + 1).filter(|rule| matches!(rule.body, Body::Several(_))).count();
        if index >= MOST_RULES || several > MOST_CORRELATIONS {
            errors
                .push(at(rule, format!("more than {MOST_RULES} rules, or {MOST_CORRELATIONS} correlations")));
            break;
        }
    }
    errors
}

/// The rules that each correlation is made of, by name or id.
fn references(rules: &[Rule]) -> Result<Vec<Vec<usize>>, ProfileError> {
    let of = |rule: &Rule| {
        let Body::Several(wish) = &rule.body else { return Ok(Vec::new()) };
        let find = |name: &String| {
            rules.iter().position(|rule| rule.about.name == *name || rule.about.id == *name).ok_or_else(
                || {
                    let source = Source::line(&*rule.about.file, rule.line);
                    ProfileError::new(source, format!("no rule is called `{name}`"))
                },
            )
        };
        wish.rules.iter().map(find).collect()
    };
    rules.iter().map(of).collect()
}

/// Rules so that each stands behind those it is made of.
fn order(rules: &[Rule], references: &[Vec<usize>]) -> Result<Vec<usize>, ProfileError> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < rules.len() {
        let before = order.len();
        for (number, of) in references.iter().enumerate() {
            if !order.contains(&number) && of.iter().all(|of| order.contains(of)) {
                order.push(number);
            }
        }
        if order.len() == before {
            let stuck = rules.iter().enumerate().find(|(number, _)| !order.contains(number));
            let source = stuck
                .map_or(Source::line("rules", 1), |(_, rule)| Source::line(&*rule.about.file, rule.line));
            return Err(ProfileError::new(source, "correlations are made of each other"));
        }
    }
    Ok(order)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
