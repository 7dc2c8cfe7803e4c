//! `detection:`: rules over the events of a run, and what is done about what they find.
//!
//! Never opens a rule: whether it is there and is right is found out when a run starts.

use super::context::Context;
use super::decode::{At, Decode, Decoder, words};
use super::entry::{expand, host_path};
use super::parse::Node;
use super::written::DetectionKeys;
use crate::base::Source;
use crate::profile::{Named, ProfileError};
use serde_json::{Map, Value, json};

words! {
    /// What is done about a finding. Each does what those before it do, too.
    ActionWord, "action" {
        "log" => Log,
        "alert" => Alert,
        "ask" => Ask,
        "tighten" => Tighten,
        "freeze" => Freeze,
        "stop" => Stop,
    }
}

/// What is done about a finding, the mildest first. Each does what those before it do, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum DetectAction {
    /// It is in the record.
    #[default]
    Log,
    /// A person is told.
    Alert,
    /// The next request of each kind goes to a person.
    Ask,
    /// Every lease ends, and nothing more is granted.
    Tighten,
    /// Nothing in the sandbox runs on until a person says so.
    Freeze,
    /// The run ends.
    Stop,
}

const ACTIONS: [(ActionWord, DetectAction); 6] = [
    (ActionWord::Log, DetectAction::Log),
    (ActionWord::Alert, DetectAction::Alert),
    (ActionWord::Ask, DetectAction::Ask),
    (ActionWord::Tighten, DetectAction::Tighten),
    (ActionWord::Freeze, DetectAction::Freeze),
    (ActionWord::Stop, DetectAction::Stop),
];

impl DetectAction {
    /// Its word.
    pub fn word(self) -> &'static str {
        let written = ACTIONS.iter().find(|(_, action)| *action == self).map(|(word, _)| *word);
        ActionWord::WORDS.iter().find(|(_, word)| Some(*word) == written).map_or("", |(word, _)| word)
    }

    fn of(word: ActionWord) -> Self {
        ACTIONS.iter().find(|(written, _)| *written == word).map_or(Self::Stop, |(_, action)| *action)
    }
}

/// `detection:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detection {
    /// `shipped`, or absolute paths of folders with rules.
    pub rules: Vec<Named>,
    /// What is done, by the name of a rule or of a level.
    pub actions: Vec<(Named, DetectAction)>,
    /// What is done when rules cannot be asked any more.
    pub lost: Option<DetectAction>,
}

impl Detection {
    /// What is done about a finding of this rule of this level.
    pub fn action(&self, rule: &str, level: &str) -> DetectAction {
        let said = |name: &str| {
            self.actions.iter().find(|(known, _)| known.value == name).map(|(_, action)| *action)
        };
        said(rule).or_else(|| said(level)).unwrap_or_default()
    }

    /// What is done when rules cannot be asked any more; a person is told where nothing is said.
    pub fn when_lost(&self) -> DetectAction {
        self.lost.unwrap_or(DetectAction::Alert)
    }
}

/// Actions by the name of a rule or of a level.
#[derive(Debug, Default)]
pub(crate) struct Actions(Vec<(At<String>, ActionWord)>);

impl Decode for Actions {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        decoder.by_name(node, &[], ("the name of a rule or a level", None)).map(Self)
    }
}

impl schemars::JsonSchema for Actions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Actions".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let word = <ActionWord as schemars::JsonSchema>::json_schema(generator);
        schemars::json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-z0-9-]+$" },
            "additionalProperties": word,
        })
    }
}

/// Puts the keys of a file on top of what came before. Rules add up; the action of a name takes the place of the one before.
pub(super) fn add(
    detection: &mut Detection,
    keys: DetectionKeys,
    context: &Context,
    errors: &mut Vec<ProfileError>,
) {
    for At { value, asked } in keys.rules.unwrap_or_default() {
        match place(At { value, asked: asked.clone() }, context) {
            Ok(value) if detection.rules.iter().any(|known| known.value == value) => {}
            Ok(value) => detection.rules.push(Named { value, asked }),
            Err(wrong) => errors.extend(wrong),
        }
    }
    for (At { value, asked }, word) in keys.actions.unwrap_or_default().0 {
        detection.actions.retain(|(known, _)| known.value != value);
        detection.actions.push((Named { value, asked }, DetectAction::of(word)));
    }
    detection.lost = keys.lost.map(DetectAction::of).or(detection.lost);
}

/// The word for the rules that are built in.
pub const SHIPPED: &str = "shipped";

fn place(text: At<String>, context: &Context) -> Result<String, Vec<ProfileError>> {
    if text.value == SHIPPED {
        return Ok(text.value);
    }
    let hint = |asked: &Source| {
        let message = format!("not rules: `{}`", text.value);
        vec![ProfileError::new(asked.clone(), message).hint("`shipped`, or the path of a folder")]
    };
    let path = host_path(&text, context).map_err(|_| hint(&text.asked))?;
    expand(&text, context).map(|_| path.as_path().to_string_lossy().into_owned())
}

/// The keys that come to this.
pub(super) fn shown(detection: &Detection) -> Value {
    let plain = |text: &str| Value::from(text.replace('$', "$$"));
    let mut keys = Map::new();
    keys.insert("rules".into(), detection.rules.iter().map(|rules| plain(&rules.value)).collect());
    let actions = detection.actions.iter().map(|(name, action)| (name.value.clone(), json!(action.word())));
    keys.insert("actions".into(), Value::Object(actions.collect()));
    if let Some(lost) = detection.lost {
        keys.insert("lost".into(), lost.word().into());
    }
    keys.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::context::tests::person;
    use crate::profile::{load_str, to_text};

    const TEXT: &str = "version: 1\ndetection:\n  rules: [shipped, $PWD/rules]\n  actions: { high: alert, decoy-taken: stop }\n  lost: freeze\n";

    #[test]
    fn a_rule_has_its_own_action_or_that_of_its_level_or_is_in_the_record() {
        let detection = load_str("x.yaml", TEXT, &person()).unwrap().detection;
        assert_eq!(detection.action("decoy-taken", "high"), DetectAction::Stop);
        assert_eq!(detection.action("other", "high"), DetectAction::Alert);
        assert_eq!(detection.action("other", "low"), DetectAction::Log);
        assert_eq!(
            (detection.when_lost(), Detection::default().when_lost()),
            (DetectAction::Freeze, DetectAction::Alert)
        );
        assert!(ACTIONS.iter().map(|(_, action)| action).is_sorted());
    }

    #[test]
    fn what_is_shown_of_detection_means_the_same_again() {
        let first = load_str("x.yaml", TEXT, &person()).unwrap();
        let again = load_str("again.yaml", &to_text(&first), &person()).unwrap();
        assert_eq!(shown(&again.detection), shown(&first.detection));
        assert_eq!(first.detection.rules[1].value, "/home/u/project/rules");
        assert!(first.guarded());
    }

    #[test]
    fn what_is_no_rule_no_action_and_no_level_is_refused() {
        for wrong in [
            "rules: [rules]",
            "rules: [shipped]\n  actions: { high: kill }",
            "rules: [shipped]\n  actions: { High: stop }",
            "rules: [shipped]\n  actions: { high: stop, high: log }",
            "lost: never",
        ] {
            assert!(
                load_str("x.yaml", &format!("version: 1\ndetection:\n  {wrong}\n"), &person()).is_err(),
                "{wrong}"
            );
        }
    }
}
