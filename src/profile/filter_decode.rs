//! From the keys of a filter file to its rules, every error at once.
//!
//! Never reads a file: `filter_shipped` finds the text and puts parents before children.

use super::decode::{At, Decode, Decoder};
use super::filter_file::{Compare, Condition, FilterAction, FilterRule, Width};
use super::filter_keys::{Call, CompareWord, ConditionKeys, FilterKeys, RuleKeys};
use super::parse::parse;
use super::{Named, ProfileError};
use crate::base::Source;
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
    let mut decoder = Decoder::new(name);
    let keys = FilterKeys::decode(root, &mut decoder);
    let mut errors = decoder.into_errors();
    let decoded = keys.and_then(|keys| file(keys, &mut errors));
    match decoded {
        Some(decoded) if errors.is_empty() => Ok(decoded),
        _ => Err(errors),
    }
}

/// The most alternatives that lists of values may stand for in one rule.
const MAX_ALTERNATIVES: usize = 128;

fn file(keys: FilterKeys, errors: &mut Vec<ProfileError>) -> Option<Decoded> {
    let rules: Vec<FilterRule> =
        keys.rules?.into_iter().filter_map(|rule_keys| rule(rule_keys, errors)).collect();
    check_order(&rules, errors);
    Some(Decoded {
        description: keys.description.unwrap_or_default(),
        extends: keys.extends.map(|At { value, asked }| Named { value, asked }),
        default: keys.default?.action(),
        rules,
    })
}

/// `None` for a rule that was refused already, or is here.
fn rule(At { value: keys, asked }: At<RuleKeys>, errors: &mut Vec<ProfileError>) -> Option<FilterRule> {
    if let (Some(otherwise), None) = (&keys.otherwise, &keys.when) {
        let error = ProfileError::new(otherwise.asked.clone(), "`otherwise` without `when`");
        errors.push(error.hint("leave it out: the action always holds"));
    }
    if keys.comment.as_ref().is_some_and(|comment| comment.trim().is_empty()) {
        errors.push(
            ProfileError::new(asked.clone(), "`comment` is empty").hint("say why, and who makes these calls"),
        );
    }
    let when = match keys.when {
        Some(alternatives) => Some(when(alternatives, errors)).filter(|when| !when.is_empty()),
        None => Some(Vec::new()),
    };
    let calls = keys.calls.map(|named| calls(named, errors));
    Some(FilterRule {
        calls: calls?,
        action: keys.action?.action(),
        when: when?,
        otherwise: keys.otherwise.map(|word| word.value.action()),
        comment: keys.comment?,
        asked,
    })
}

fn calls(named: At<Vec<At<Call>>>, errors: &mut Vec<ProfileError>) -> Vec<&'static str> {
    let mut calls: Vec<&'static str> = Vec::new();
    for At { value: Call(call), asked } in named.value {
        if calls.contains(&call) {
            errors.push(ProfileError::new(asked, format!("`{call}` stands twice in this rule")));
        }
        calls.push(call);
    }
    if calls.is_empty() && errors.is_empty() {
        errors.push(ProfileError::new(named.asked, "`calls` names no system call"));
    }
    calls
}

/// The alternatives, with lists of values written out.
fn when(written: At<Vec<At<Vec<At<ConditionKeys>>>>>, errors: &mut Vec<ProfileError>) -> Vec<Vec<Condition>> {
    let mut alternatives = Vec::new();
    let none = written.value.is_empty();
    for At { value: all, asked } in written.value {
        if all.is_empty() {
            let error = ProfileError::new(asked, "an empty alternative always holds");
            errors.push(error.hint("leave `when` out"));
        }
        alternatives.extend(alternative(all, errors));
    }
    if none {
        errors.push(ProfileError::new(written.asked, "`when` has no alternative that can hold"));
    } else if alternatives.len() > MAX_ALTERNATIVES {
        let message = format!("`when` stands for more than {MAX_ALTERNATIVES} alternatives");
        errors.push(ProfileError::new(written.asked, message));
    }
    alternatives
}

/// Conditions that hold together; one list of them for each choice of values.
fn alternative(all: Vec<At<ConditionKeys>>, errors: &mut Vec<ProfileError>) -> Vec<Vec<Condition>> {
    let mut choices: Vec<Vec<Condition>> = vec![Vec::new()];
    for At { value: keys, asked } in all {
        let conditions = condition(keys, &asked, errors).unwrap_or_default();
        let longer = choices
            .iter()
            .flat_map(|start| conditions.iter().map(|last| [start.as_slice(), &[*last]].concat()));
        choices = longer.take(MAX_ALTERNATIVES + 1).collect();
    }
    choices
}

/// One condition for each value it lists. `None` for one that was refused.
fn condition(keys: ConditionKeys, asked: &Source, errors: &mut Vec<ProfileError>) -> Option<Vec<Condition>> {
    let mask = keys.mask.map(|bits| bits.0.iter().fold(0, |all, bit| all | bit));
    let (arg, width, values, word) = (keys.arg?.0, keys.width?, keys.value?.0, keys.op?);
    let mut refuse = |message: &str| {
        errors.push(ProfileError::new(asked.clone(), message));
        None
    };
    let op = match (word, mask) {
        (CompareWord::MaskedEq, None | Some(0)) => {
            return refuse("`masked_eq` needs the bits to compare in `mask`");
        }
        (CompareWord::MaskedEq, Some(mask)) => Compare::MaskedEq(mask),
        (_, Some(_)) => return refuse("`mask` belongs to `op: masked_eq`"),
        (CompareWord::Eq, None) => Compare::Eq,
        (CompareWord::Ne, None) => Compare::Ne,
        (CompareWord::Lt, None) => Compare::Lt,
        (CompareWord::Le, None) => Compare::Le,
        (CompareWord::Gt, None) => Compare::Gt,
        (CompareWord::Ge, None) => Compare::Ge,
    };
    if values.len() != 1 && !matches!(op, Compare::Eq | Compare::MaskedEq(_)) {
        return refuse("only `eq` and `masked_eq` take a list of values");
    }
    let most = if width == Width::Low32 { u64::from(u32::MAX) } else { u64::MAX };
    let seen = if let Compare::MaskedEq(mask) = op { mask } else { most };
    if seen & !most != 0 || values.iter().any(|value| value & !seen != 0) {
        return refuse("a value or mask has bits outside what is compared");
    }
    Some(values.into_iter().map(|value| Condition { arg, op, value, width }).collect())
}

/// Every call must be answered whatever its arguments are, and no rule may stand where it is never reached.
fn check_order(rules: &[FilterRule], errors: &mut Vec<ProfileError>) {
    let mut before: BTreeMap<&'static str, &FilterRule> = BTreeMap::new();
    for rule in rules {
        for call in &rule.calls {
            if let Some(earlier) = before.insert(call, rule).filter(|earlier| earlier.is_final()) {
                let message =
                    format!("`{call}` is answered for good at {}: this rule is never reached", earlier.asked);
                errors.push(ProfileError::new(rule.asked.clone(), message));
            }
        }
    }
    for (call, rule) in before.into_iter().filter(|(_, rule)| !rule.is_final()) {
        let message = format!("nothing says what `{call}` gets when this does not hold");
        errors.push(ProfileError::new(rule.asked.clone(), message).hint("add `otherwise:`"));
    }
}

#[cfg(test)]
mod tests {
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
    fn a_rule_without_a_reason_is_refused() {
        let found = errors("  - { calls: [read], action: allow, comment: ' ' }\n");
        assert!(found[0].starts_with("x.yaml:5: `comment` is empty"), "{found:?}");
    }

    #[test]
    fn a_wrong_condition_is_not_taken_for_a_rule_that_always_holds() {
        let found = errors(concat!(
            "  - { calls: [prctl], action: ok, when: [[{ arg: 0, op: eq, value: NOPE, width: 32 }]], comment: c }\n",
            "  - { calls: [prctl], action: allow, comment: c }\n",
        ));
        assert_eq!(found.len(), 1, "{found:?}");
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
