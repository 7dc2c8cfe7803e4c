//! From the tree of a filter file to the comparisons of one rule.
//!
//! Never says what a call gets: that is the rule's.

use super::filter_file::{Compare, Condition, Width};
use super::filter_reader::Reader;
use super::filter_words::{constant, nearest_constant};
use super::nearest::suggestion;
use super::parse::{Node, Value};

/// The most alternatives that lists of values may stand for in one rule.
const MAX_ALTERNATIVES: usize = 128;

impl Reader<'_> {
    /// The alternatives of `when`, with lists of values written out.
    pub(super) fn when(&mut self, node: &Node) -> Vec<Vec<Condition>> {
        let mut alternatives = Vec::new();
        let items = self.list(node, "when").unwrap_or_default();
        for item in items {
            alternatives.extend(self.alternative(item));
        }
        if items.is_empty() {
            self.error(node.line, "`when` has no alternative that can hold");
        }
        if alternatives.len() > MAX_ALTERNATIVES {
            self.error(node.line, format!("`when` stands for more than {MAX_ALTERNATIVES} alternatives"));
        }
        alternatives
    }

    /// Conditions that hold together; one list of them for each choice of values.
    fn alternative(&mut self, node: &Node) -> Vec<Vec<Condition>> {
        let conditions = self.list(node, "each alternative of `when`").unwrap_or_default();
        if conditions.is_empty() {
            self.fail(node.line, "an empty alternative always holds", "leave `when` out");
        }
        let mut choices: Vec<Vec<Condition>> = vec![Vec::new()];
        for condition in conditions {
            let values = self.condition(condition).unwrap_or_default();
            let longer = choices
                .iter()
                .flat_map(|start| values.iter().map(|last| [start.as_slice(), &[*last]].concat()));
            choices = longer.take(MAX_ALTERNATIVES + 1).collect();
        }
        choices
    }

    /// One condition for each value it lists.
    fn condition(&mut self, node: &Node) -> Option<Vec<Condition>> {
        let fields = self.fields(node, &["arg", "op", "mask", "value", "width"])?;
        let arg = self.required(&fields, node, "arg").and_then(|node| self.place(node));
        let width = self.required(&fields, node, "width").and_then(|node| self.width(node));
        let mask = fields
            .get("mask")
            .and_then(|node| self.numbers(node))
            .map(|bits| bits.iter().fold(0, |all, bit| all | bit));
        let op = self.required(&fields, node, "op").and_then(|node| self.compare(node, mask));
        let values = self.required(&fields, node, "value").and_then(|node| self.numbers(node));
        let (arg, width, op, values) = (arg?, width?, op?, values?);
        if values.len() != 1 && !matches!(op, Compare::Eq | Compare::MaskedEq(_)) {
            self.error(node.line, "only `eq` and `masked_eq` take a list of values");
            return None;
        }
        let most = if width == Width::Low32 { u64::from(u32::MAX) } else { u64::MAX };
        let seen = if let Compare::MaskedEq(mask) = op { mask } else { most };
        if values.iter().any(|value| value & !seen != 0) || seen & !most != 0 {
            self.error(node.line, "a value or mask has bits outside what is compared");
            return None;
        }
        Some(values.into_iter().map(|value| Condition { arg, op, value, width }).collect())
    }

    fn compare(&mut self, node: &Node, mask: Option<u64>) -> Option<Compare> {
        let word = self.text(node, "op")?;
        let op = match (word.as_str(), mask) {
            ("masked_eq", Some(0) | None) => {
                self.fail(node.line, "`masked_eq` needs bits to compare", "write `mask: [BIT, …]`");
                return None;
            }
            ("masked_eq", Some(mask)) => Compare::MaskedEq(mask),
            ("eq", None) => Compare::Eq,
            ("ne", None) => Compare::Ne,
            ("lt", None) => Compare::Lt,
            ("le", None) => Compare::Le,
            ("gt", None) => Compare::Gt,
            ("ge", None) => Compare::Ge,
            ("eq" | "ne" | "lt" | "le" | "gt" | "ge", Some(_)) => {
                self.fail(
                    node.line,
                    "`mask` belongs to `op: masked_eq`",
                    "leave it out, or compare with `masked_eq`",
                );
                return None;
            }
            _ => {
                let hint = suggestion(&word, &["eq", "ne", "lt", "le", "gt", "ge", "masked_eq"]);
                self.fail(node.line, format!("unknown comparison `{word}`"), hint);
                return None;
            }
        };
        Some(op)
    }

    fn place(&mut self, node: &Node) -> Option<u8> {
        let place = if let Value::Int(place) = node.value {
            u8::try_from(place).ok().filter(|place| *place < 6)
        } else {
            None
        };
        if place.is_none() {
            self.error(node.line, "`arg` is a number from 0 to 5");
        }
        place
    }

    fn width(&mut self, node: &Node) -> Option<Width> {
        match node.value {
            Value::Int(32) => Some(Width::Low32),
            Value::Int(64) => Some(Width::Full64),
            _ => {
                self.fail(
                    node.line,
                    "`width` is 32 or 64",
                    "32 for what is an int to the kernel, 64 for a long or pointer",
                );
                None
            }
        }
    }

    /// A number or a list of them.
    fn numbers(&mut self, node: &Node) -> Option<Vec<u64>> {
        let Value::List(items) = &node.value else { return Some(vec![self.number(node)?]) };
        let numbers: Vec<u64> = items.iter().filter_map(|item| self.number(item)).collect();
        if items.is_empty() {
            self.error(node.line, "an empty list of numbers");
        }
        (numbers.len() == items.len() && !items.is_empty()).then_some(numbers)
    }

    fn number(&mut self, node: &Node) -> Option<u64> {
        let number = match &node.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Str(word) => constant(word).or_else(|| word.parse().ok()),
            _ => None,
        };
        if number.is_none() {
            let hint = match &node.value {
                Value::Str(word) => nearest_constant(word).map(|other| format!("did you mean `{other}`?")),
                _ => None,
            };
            let hint =
                hint.unwrap_or_else(|| "a number from 0, decimal or 0x…, or a known constant".to_owned());
            let what = if let Value::Str(word) = &node.value {
                format!("`{word}`")
            } else {
                node.value.kind().to_owned()
            };
            self.fail(node.line, format!("{what} is no number this format knows"), hint);
        }
        number
    }
}
