//! The format of filter files as it is written: every key, with the words and numbers its values know.
//!
//! Never puts rules together: `filter_decode` does. The JSON Schema is made from these types.

use super::calls::{call_names, known_call};
use super::decode::{At, Decode, Decoder, mapping, schema, shown, words};
use super::filter_file::{FilterAction, Width};
use super::filter_words::{constant, nearest_constant};
use super::nearest::nearest;
use super::parse::{Node, Value};
use super::values::Version;
use crate::sys::Errno;

mapping! {
    /// A system call filter of aisandbox.
    FilterKeys, required ["version", "default", "rules"] {
        /// The version of the format: 1.
        version: Version,
        /// One line for people.
        description: String,
        /// A filter this one builds on. A rule here replaces all its rules for the same call.
        extends: At<String>,
        /// The answer to every call that no rule names.
        default: ActionWord,
        /// Rules; those that name one call are tried in the order written.
        rules: Vec<At<RuleKeys>>,
    }
}

mapping! {
    /// What some calls get for an answer.
    RuleKeys, required ["calls", "action", "comment"] {
        /// The calls. One that a machine does not have is passed over there.
        calls: At<Vec<At<Call>>>,
        /// The answer when `when` holds, or always without it.
        action: ActionWord,
        /// Alternatives; each is a list of conditions that hold together.
        when: At<Vec<At<Vec<At<ConditionKeys>>>>>,
        /// The answer when `when` does not hold. Without it the next rule for the call answers.
        otherwise: At<ActionWord>,
        /// Why, and who makes these calls.
        comment: String,
    }
}

mapping! {
    /// One comparison of one argument, unsigned.
    ConditionKeys, required ["arg", "op", "value", "width"] {
        /// The argument's place, 0 to 5.
        arg: Place,
        /// How it is compared.
        op: CompareWord,
        /// The bits that count, for masked_eq. A list is all of its bits.
        mask: Numbers,
        /// With what. A list, for eq and masked_eq, is any of them.
        value: Numbers,
        /// How much of the argument counts: 32 for what is an int to the kernel, 64 for a long or a pointer.
        width: Width,
    }
}

words! {
    /// An answer.
    ActionWord, "action" {
        /// The kernel carries the call out.
        "allow" => Allow,
        /// The call returns 0 and does nothing.
        "ok" => Succeed,
        /// The process ends.
        "kill" => Kill,
        /// Not permitted.
        "EPERM" => Eperm,
        /// No such call.
        "ENOSYS" => Enosys,
        /// Access denied.
        "EACCES" => Eacces,
        /// Wrong argument.
        "EINVAL" => Einval,
        /// Not there.
        "ENOENT" => Enoent,
        /// Not supported by this object.
        "EOPNOTSUPP" => Eopnotsupp,
        /// No such family of addresses.
        "EAFNOSUPPORT" => Eafnosupport,
        /// No such protocol.
        "EPROTONOSUPPORT" => Eprotonosupport,
    }
}

words! {
    /// A comparison.
    CompareWord, "comparison" {
        /// Equal.
        "eq" => Eq,
        /// Not equal.
        "ne" => Ne,
        /// Less.
        "lt" => Lt,
        /// Less or equal.
        "le" => Le,
        /// Greater.
        "gt" => Gt,
        /// Greater or equal.
        "ge" => Ge,
        /// Equal in the bits of `mask`.
        "masked_eq" => MaskedEq,
    }
}

impl ActionWord {
    /// The action it stands for.
    pub(super) fn action(self) -> FilterAction {
        let errno = match self {
            Self::Allow => return FilterAction::Allow,
            Self::Succeed => return FilterAction::Succeed,
            Self::Kill => return FilterAction::Kill,
            Self::Eperm => Errno::EPERM,
            Self::Enosys => Errno::ENOSYS,
            Self::Eacces => Errno::EACCES,
            Self::Einval => Errno::EINVAL,
            Self::Enoent => Errno::ENOENT,
            Self::Eopnotsupp => Errno::EOPNOTSUPP,
            Self::Eafnosupport => Errno::EAFNOSUPPORT,
            Self::Eprotonosupport => Errno::EPROTONOSUPPORT,
        };
        FilterAction::Errno(errno)
    }
}

/// The name of a call that some machine has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call(pub(super) &'static str);

/// A number from 0 to 5.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(pub(super) u8);

/// One number or several, each written as such or as a constant's name; never none.
#[derive(Debug, Clone)]
pub(super) struct Numbers(pub(super) Vec<u64>);

impl Decode for Call {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let line = node.line;
        let word = decoder.text(node)?.value;
        if let Some(call) = known_call(&word) {
            return Some(Self(call));
        }
        let hint = nearest(&word, call_names()).map(|other| format!("did you mean `{other}`?"));
        let hint = hint.unwrap_or_else(|| "syscalls(2) lists them".to_owned());
        decoder.refuse(line, format!("unknown system call `{word}`"), Some(hint))
    }
}

impl Decode for Place {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Int(place @ 0..=5) => u8::try_from(place).ok().map(Self),
            other => {
                decoder.refuse(node.line, format!("must be a place from 0 to 5, not {}", shown(&other)), None)
            }
        }
    }
}

impl Decode for Width {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Int(32) => Some(Self::Low32),
            Value::Int(64) => Some(Self::Full64),
            other => {
                let hint = "32 for what is an int to the kernel, 64 for a long or a pointer".to_owned();
                decoder.refuse(node.line, format!("must be 32 or 64, not {}", shown(&other)), Some(hint))
            }
        }
    }
}

impl Decode for Numbers {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let line = node.line;
        let items = match node.value {
            Value::List(items) => items,
            value => vec![Node { line, value }],
        };
        if items.is_empty() {
            return decoder.refuse(line, "names no number", None);
        }
        let count = items.len();
        let numbers: Vec<u64> = items.into_iter().filter_map(|item| number(&item, decoder)).collect();
        (numbers.len() == count).then_some(Self(numbers))
    }
}

fn number(node: &Node, decoder: &mut Decoder) -> Option<u64> {
    let (number, near) = match &node.value {
        Value::Int(number) => (u64::try_from(*number).ok(), None),
        Value::Str(word) => (constant(word).or_else(|| word.parse().ok()), nearest_constant(word)),
        _ => (None, None),
    };
    if number.is_some() {
        return number;
    }
    let hint = near.map_or_else(
        || "write a number from 0, decimal or 0x…, or a constant such as TIOCSTI".to_owned(),
        |other| format!("did you mean `{other}`?"),
    );
    decoder.refuse(node.line, format!("{} is no number this format knows", shown(&node.value)), Some(hint))
}

schema!(Call, { "type": "string" });
schema!(Place, { "type": "integer", "minimum": 0, "maximum": 5 });
schema!(Width, { "enum": [32, 64] });
schema!(Numbers, {
    "type": ["integer", "string", "array"],
    "minimum": 0,
    "minItems": 1,
    "items": { "type": ["integer", "string"], "minimum": 0 }
});

#[cfg(test)]
mod tests {
    use super::super::filter_schema;

    #[test]
    fn the_schema_knows_the_keys_of_a_rule_and_its_conditions() {
        let schema = filter_schema();
        let rule = &schema["properties"]["rules"]["items"];
        assert_eq!(rule["additionalProperties"], false);
        assert_eq!(rule["required"], serde_json::json!(["calls", "action", "comment"]));
        let condition = &rule["properties"]["when"]["items"]["items"]["properties"];
        assert_eq!(condition["width"]["enum"], serde_json::json!([32, 64]));
    }
}
