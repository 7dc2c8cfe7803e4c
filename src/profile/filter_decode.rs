//! From the tree of a filter file to its rules, every error at once.
//!
//! Never reads a file: `filter_shipped` finds the text and puts parents before children.

use super::calls::{call_names, known_call};
use super::filter_file::{FilterAction, FilterRule};
use super::filter_reader::Reader;
use super::nearest::{nearest, suggestion};
use super::parse::{Node, Value, parse};
use super::{Named, ProfileError};
use crate::base::Source;
use crate::sys::Errno;
use std::collections::BTreeMap;

/// One file, before its parent is put in front.
pub(super) struct Decoded {
    pub(super) description: String,
    pub(super) extends: Option<Named>,
    pub(super) default: FilterAction,
    pub(super) rules: Vec<FilterRule>,
}

/// Decodes one file; `name` is what errors call it.
/// # Errors
/// All that is wrong with it.
pub(super) fn decode(name: &str, text: &str) -> Result<Decoded, Vec<ProfileError>> {
    let root = parse(name, text)?;
    let mut reader = Reader::new(name);
    let decoded = reader.file(&root);
    match decoded {
        Some(decoded) if reader.errors.is_empty() => Ok(decoded),
        _ => Err(reader.errors),
    }
}

/// Words a file may use for an answer besides `allow`, `ok` and `kill`.
const ERRNOS: &[(&str, Errno)] = &[
    ("EPERM", Errno::EPERM),
    ("ENOSYS", Errno::ENOSYS),
    ("EACCES", Errno::EACCES),
    ("EINVAL", Errno::EINVAL),
    ("ENOENT", Errno::ENOENT),
    ("EOPNOTSUPP", Errno::EOPNOTSUPP),
    ("EAFNOSUPPORT", Errno::EAFNOSUPPORT),
    ("EPROTONOSUPPORT", Errno::EPROTONOSUPPORT),
];

impl Reader<'_> {
    fn file(&mut self, root: &Node) -> Option<Decoded> {
        let fields = self.fields(root, &["version", "description", "extends", "default", "rules"])?;
        match fields.get("version").map(|node| &node.value) {
            Some(Value::Int(1)) => {}
            Some(_) => {
                self.fail(root.line, "`version` must be 1", "this build reads version 1 of the format")
            }
            None => self.fail(root.line, "`version` is missing", "write `version: 1`"),
        }
        let description = fields.get("description").and_then(|node| self.text(node, "description"));
        let extends = fields.get("extends").and_then(|node| {
            Some(Named { value: self.text(node, "extends")?, asked: Source::line(self.name, node.line) })
        });
        let default = self.required(&fields, root, "default").and_then(|node| self.action(node));
        let list = self.required(&fields, root, "rules").and_then(|node| self.list(node, "rules"))?;
        let rules: Vec<FilterRule> = list.iter().filter_map(|node| self.rule(node)).collect();
        self.check_order(&rules);
        Some(Decoded { description: description.unwrap_or_default(), extends, default: default?, rules })
    }

    fn rule(&mut self, node: &Node) -> Option<FilterRule> {
        let fields = self.fields(node, &["calls", "action", "when", "otherwise", "comment"])?;
        let calls = self.required(&fields, node, "calls").map(|node| self.calls(node));
        let action = self.required(&fields, node, "action").and_then(|node| self.action(node));
        let comment = self.required(&fields, node, "comment").and_then(|node| self.text(node, "comment"));
        let when = fields.get("when").map(|node| self.when(node)).unwrap_or_default();
        let otherwise = fields.get("otherwise").and_then(|node| self.action(node));
        if let (Some(node), None) = (fields.get("otherwise"), fields.get("when")) {
            self.fail(node.line, "`otherwise` without `when`", "leave it out: the action always holds");
        }
        let asked = Source::line(self.name, node.line);
        Some(FilterRule { calls: calls?, action: action?, when, otherwise, comment: comment?, asked })
    }

    fn calls(&mut self, node: &Node) -> Vec<&'static str> {
        let mut calls: Vec<&'static str> = Vec::new();
        let items = self.list(node, "calls").unwrap_or_default();
        for item in items {
            let Some(word) = self.text(item, "calls") else { continue };
            match known_call(&word) {
                Some(call) if calls.contains(&call) => {
                    self.error(item.line, format!("`{word}` stands twice in this rule"))
                }
                Some(call) => calls.push(call),
                None => {
                    let hint = nearest(&word, call_names()).map_or_else(
                        || "syscalls(2) lists them".to_owned(),
                        |other| format!("did you mean `{other}`?"),
                    );
                    self.fail(item.line, format!("unknown system call `{word}`"), hint);
                }
            }
        }
        if items.is_empty() {
            self.error(node.line, "`calls` names no system call");
        }
        calls
    }

    fn action(&mut self, node: &Node) -> Option<FilterAction> {
        let word = self.text(node, "an action")?;
        let errno = || ERRNOS.iter().find(|known| known.0 == word).map(|known| FilterAction::Errno(known.1));
        let action = match word.as_str() {
            "allow" => Some(FilterAction::Allow),
            "ok" => Some(FilterAction::Succeed),
            "kill" => Some(FilterAction::Kill),
            _ => errno(),
        };
        if action.is_none() {
            let known: Vec<&str> =
                ["allow", "ok", "kill"].into_iter().chain(ERRNOS.iter().map(|known| known.0)).collect();
            self.fail(node.line, format!("unknown action `{word}`"), suggestion(&word, &known));
        }
        action
    }

    /// Every call must be answered whatever its arguments are, and no rule may stand where it is never reached.
    fn check_order(&mut self, rules: &[FilterRule]) {
        let mut before: BTreeMap<&'static str, &FilterRule> = BTreeMap::new();
        for rule in rules {
            for call in &rule.calls {
                if let Some(earlier) = before.insert(call, rule).filter(|earlier| earlier.is_final()) {
                    let message = format!(
                        "`{call}` is answered for good at {}: this rule is never reached",
                        earlier.asked
                    );
                    self.errors.push(ProfileError::new(rule.asked.clone(), message));
                }
            }
        }
        for (call, rule) in before.into_iter().filter(|(_, rule)| !rule.is_final()) {
            let error = ProfileError::new(
                rule.asked.clone(),
                format!("nothing says what `{call}` gets when this does not hold"),
            );
            self.errors.push(error.hint("add `otherwise:`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter_file::{Compare, Condition, Width};
    use super::*;

    const START: &str = "version: 1\ndescription: x\ndefault: ENOSYS\nrules:\n";

    fn errors(rules: &str) -> Vec<String> {
        let Err(errors) = decode("x.yaml", &format!("{START}{rules}")) else { return Vec::new() };
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_line() {
        let found = errors(concat!(
            "  - { calls: [reed], action: allow, comment: c }\n",
            "  - { calls: [write], action: alow, comment: c }\n",
            "  - { calls: [open], actoin: allow, action: allow, comment: c }\n",
            "  - { calls: [ioctl], action: EPERM, when: [[{ arg: 1, op: eq, value: TIOCSTY, width: 32 }]], otherwise: allow, comment: c }\n",
            "  - { calls: [stat], action: allow }\n",
        ));
        let starts = [
            "x.yaml:5: unknown system call `reed`\nhint: did you mean `read`?",
            "x.yaml:6: unknown action `alow`\nhint: did you mean `allow`?",
            "x.yaml:7: unknown key `actoin`\nhint: did you mean `action`?",
            "x.yaml:8: `TIOCSTY` is no number this format knows\nhint: did you mean `TIOCSTI`?",
            "x.yaml:9: `comment` is missing",
        ];
        assert_eq!(found, starts);
    }

    #[test]
    fn a_condition_without_its_width_is_refused() {
        let found = errors(
            "  - { calls: [ioctl], action: EPERM, when: [[{ arg: 1, op: eq, value: 1 }]], otherwise: allow, comment: c }\n",
        );
        assert!(found[0].contains("`width` is missing"), "{found:?}");
    }

    #[test]
    fn a_call_that_some_argument_leaves_without_an_answer_is_refused() {
        let when = "when: [[{ arg: 0, op: eq, value: 1, width: 32 }]]";
        let open = format!("  - {{ calls: [prctl], action: EPERM, {when}, comment: c }}\n");
        assert!(errors(&open)[0].contains("nothing says what `prctl` gets"));
        let closed = format!("{open}  - {{ calls: [prctl], action: allow, comment: c }}\n");
        assert_eq!(errors(&closed), Vec::<String>::new());
        let late = format!("{closed}  - {{ calls: [prctl], action: kill, comment: c }}\n");
        assert!(
            errors(&late)[0].starts_with("x.yaml:7: `prctl` is answered for good at x.yaml:6"),
            "{:?}",
            errors(&late)
        );
    }

    #[test]
    fn a_comparison_that_can_never_hold_is_refused() {
        for condition in [
            "{ arg: 0, op: eq, value: 0x100000000, width: 32 }",
            "{ arg: 0, op: masked_eq, mask: 2, value: 1, width: 32 }",
            "{ arg: 0, op: masked_eq, mask: 0, value: 0, width: 32 }",
            "{ arg: 6, op: eq, value: 0, width: 32 }",
            "{ arg: 0, op: eq, value: -1, width: 64 }",
            "{ arg: 0, op: ne, value: [1, 2], width: 64 }",
            "{ arg: 0, op: eq, mask: 2, value: 1, width: 64 }",
        ] {
            let rule = format!(
                "  - {{ calls: [prctl], action: EPERM, when: [[{condition}]], otherwise: allow, comment: c }}\n"
            );
            assert!(!errors(&rule).is_empty(), "{condition}");
        }
    }

    #[test]
    fn lists_of_values_are_alternatives_and_lists_of_bits_one_mask() {
        let rule = concat!(
            "  - { calls: [socket], action: EPERM, when: [[{ arg: 0, op: eq, value: [1, 0xffffffff], width: 32 }, ",
            "{ arg: 1, op: masked_eq, mask: [1, 4], value: [0, 4], width: 64 }]], otherwise: allow, comment: c }\n",
        );
        let decoded = decode("x", &format!("{START}{rule}")).ok().unwrap();
        let when = &decoded.rules[0].when;
        assert_eq!(when.len(), 4);
        assert_eq!(
            when[2][0],
            Condition { arg: 0, op: Compare::Eq, value: 0xFFFF_FFFF, width: Width::Low32 }
        );
        assert_eq!(
            when[2][1],
            Condition { arg: 1, op: Compare::MaskedEq(5), value: 0, width: Width::Full64 }
        );
    }

    #[test]
    fn alternatives_are_bounded() {
        let list = (0..20).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
        let condition = |arg| format!("{{ arg: {arg}, op: eq, value: [{list}], width: 32 }}");
        let rule = format!(
            "  - {{ calls: [socket], action: EPERM, when: [[{}, {}]], otherwise: allow, comment: c }}\n",
            condition(0),
            condition(1)
        );
        assert!(errors(&rule)[0].contains("more than 128 alternatives"));
    }
}
