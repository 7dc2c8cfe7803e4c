//! What `aisandbox ui` shows and what its keys mean, as data: questions, leases and refusals of all runs.
//!
//! Never draws and never sends: `ui` draws, and the command sends what [`Turn::Send`] says. No key answers a question
//! that came under the cursor less than a second ago, and every answer is confirmed.

use super::plain;
use super::text::{alert_text, lines, resource, summary};
use super::words::{actions, lasting};
use crate::wire::consent::{Answer, Question};
use crate::wire::denial::Denial;
use crate::wire::session::{AlertState, Command, GrantState, RunState};
use crate::wire::subject::Scope;
use std::time::Duration;

/// A question must have been under the cursor this long before a key answers it.
pub const KEYS_COUNT_AFTER: Duration = Duration::from_secs(1);
/// What `h` and `e` give.
const HOUR_S: u64 = 3600;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// A letter.
    Letter(char),
    /// Escape, or Ctrl-C.
    Leave,
}

/// What a key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Draw again.
    Draw,
    /// Leave the screen.
    Quit,
    /// Send this to the Guardian of a run.
    Send {
        /// The run.
        run: String,
        /// The command.
        command: Command,
    },
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A question that waits.
    Question(Box<Question>),
    /// A lease, and its run.
    Grant(String, GrantState),
    /// What a rule found, and its run.
    Alert(String, AlertState),
    /// A refusal, and its run.
    Denial(String, Denial),
}

/// The screen as data.
#[derive(Debug, Default)]
pub struct Board {
    rows: Vec<Row>,
    runs: usize,
    cursor: usize,
    under_since: Duration,
    confirm: Option<(String, String, Command)>,
    note: String,
}

impl Row {
    fn id(&self) -> &str {
        match self {
            Self::Question(question) => &question.id,
            Self::Grant(_, grant) => &grant.id,
            Self::Denial(_, denial) => &denial.id,
            Self::Alert(_, alert) => &alert.id,
        }
    }

    /// The line in the list, printable. `now`: seconds since 1970.
    pub fn line(&self, now: u64) -> String {
        match self {
            Self::Question(question) => {
                let left = lasting(question.until.saturating_sub(now));
                format!("ASKS    {}  {} ({left} left)", plain(&question.id), summary(question))
            }
            Self::Grant(_, grant) => {
                let left = grant
                    .until
                    .map_or_else(|| "until its end".into(), |end| lasting(end.saturating_sub(now)));
                let what = format!("{}: {}", actions(&grant.actions), resource(&grant.resource));
                format!("LEASE   {}  {what} ({left})", plain(&grant.id))
            }
            Self::Alert(_, alert) => format!("ALERT   {}  {}", plain(&alert.id), alert_text(alert)),
            Self::Denial(_, denial) => {
                format!("REFUSED {}  {}: {}", plain(&denial.id), plain(&denial.what), denial.reason.text())
            }
        }
    }

    /// More about it, printable, in lines of at most this width.
    pub fn details(&self, width: usize, now: u64) -> Vec<String> {
        match self {
            Self::Question(question) => {
                lines(question, width, now).into_iter().map(|line| line.text).collect()
            }
            Self::Grant(run, grant) => vec![
                format!(" Run     {}", plain(run)),
                format!(" Host    {}", grant.path.as_deref().map_or_else(|| "-".into(), plain)),
                format!(" Said by {}", plain(&grant.approved_by)),
                match grant.revocable {
                    true => " Taking it back takes everything back.".into(),
                    false => " A file that is open stays open when it is taken back.".into(),
                },
            ],
            Self::Alert(run, alert) => {
                vec![format!(" Run     {}", plain(run)), format!(" Found   {} times", alert.count)]
            }
            Self::Denial(run, denial) => {
                vec![format!(" Run     {}", plain(run)), format!(" Detail  {}", plain(&denial.detail))]
            }
        }
    }
}

impl Board {
    /// Takes the state of all runs. The cursor stays on what it was on.
    pub fn take(&mut self, runs: &[RunState], now: Duration) {
        let before = self.selected().map(|row| row.id().to_owned());
        let questions = runs
            .iter()
            .flat_map(|run| run.requests.iter().cloned().map(|asked| Row::Question(Box::new(asked))));
        let grants = runs
            .iter()
            .flat_map(|run| run.grants.iter().map(|grant| Row::Grant(run.run.clone(), grant.clone())));
        let denials = runs.iter().flat_map(|run| {
            run.denials.iter().rev().map(|denial| Row::Denial(run.run.clone(), denial.clone()))
        });
        let alerts = runs
            .iter()
            .flat_map(|run| run.alerts.iter().rev().map(|alert| Row::Alert(run.run.clone(), alert.clone())));
        self.rows = questions.chain(alerts).chain(grants).chain(denials).collect();
        self.runs = runs.len();
        let same = before.as_deref().and_then(|id| self.rows.iter().position(|row| row.id() == id));
        self.cursor = same.unwrap_or(self.cursor).min(self.rows.len().saturating_sub(1));
        if same.is_none() {
            self.came_under(now);
        }
    }

    /// What a command came to, for the line of notes.
    pub fn tell(&mut self, note: &str) {
        self.note = plain(note);
    }

    /// Every line.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The place of the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// What the cursor is on.
    pub fn selected(&self) -> Option<&Row> {
        self.rows.get(self.cursor)
    }

    /// The first line of the screen.
    pub fn title(&self) -> String {
        let waiting = self.rows.iter().filter(|row| matches!(row, Row::Question(_))).count();
        let ending = |count: usize| if count == 1 { "" } else { "s" };
        let waits = if waiting == 1 { "waits" } else { "wait" };
        let (runs, more) = (self.runs, ending(self.runs));
        format!("aisandbox: {runs} run{more}, {waiting} question{} {waits}", ending(waiting))
    }

    /// The last line of the screen: what is to be confirmed, what came of it, or which keys there are.
    pub fn help(&self) -> String {
        if let Some((_, words, _)) = &self.confirm {
            return format!("{words}? y: yes, any other key: no");
        }
        if !self.note.is_empty() {
            return self.note.clone();
        }
        let keys = match self.selected() {
            Some(Row::Question(_)) => "o once  s this run  h one hour  A always  d deny  N never  ",
            Some(Row::Grant(..)) => "r take back  e one hour from now  ",
            _ => "",
        };
        format!("{keys}j k move  q leave")
    }

    /// Takes a key. Times count from any one moment.
    pub fn key(&mut self, key: Key, now: Duration) -> Turn {
        self.note.clear();
        if let Some((run, _, command)) = self.confirm.take() {
            return if key == Key::Letter('y') { Turn::Send { run, command } } else { Turn::Draw };
        }
        match key {
            Key::Up | Key::Letter('k') => self.go(self.cursor.saturating_sub(1), now),
            Key::Down | Key::Letter('j') => self.go(self.cursor + 1, now),
            Key::Leave | Key::Letter('q') => return Turn::Quit,
            Key::Letter(letter) => self.wish(letter, now),
        }
        Turn::Draw
    }

    fn go(&mut self, place: usize, now: Duration) {
        let place = place.min(self.rows.len().saturating_sub(1));
        if place != self.cursor {
            self.cursor = place;
            self.came_under(now);
        }
    }

    fn came_under(&mut self, now: Duration) {
        self.under_since = now;
        self.confirm = None;
    }

    fn wish(&mut self, letter: char, now: Duration) {
        let wish = match self.selected() {
            Some(Row::Question(question)) => answer(letter).map(|(answer, words)| {
                let id = question.id.clone();
                let what = format!("{words} {}", plain(&id));
                (question.run.clone(), what, Command::Answer { id, answer })
            }),
            Some(Row::Grant(run, grant)) => {
                lease(letter, grant).map(|(words, command)| (run.clone(), words, command))
            }
            _ => None,
        };
        if wish.is_some() && now.saturating_sub(self.under_since) < KEYS_COUNT_AFTER {
            self.note = "It came under the cursor just now: read it first.".into();
            return;
        }
        self.confirm = wish;
    }
}

fn answer(letter: char) -> Option<(Answer, &'static str)> {
    let allow = |scope| Answer::Allow { scope };
    Some(match letter {
        'o' => (allow(Scope::Once {}), "Allow once"),
        's' => (allow(Scope::Session {}), "Allow for this run"),
        'h' => (allow(Scope::For { seconds: HOUR_S }), "Allow for one hour"),
        'A' => (allow(Scope::Always {}), "Allow always"),
        'd' => (Answer::Deny {}, "Deny"),
        'N' => (Answer::Never {}, "Deny for good"),
        _ => return None,
    })
}

fn lease(letter: char, grant: &GrantState) -> Option<(String, Command)> {
    let id = grant.id.clone();
    Some(match letter {
        'r' => (format!("Take {} back", plain(&id)), Command::Revoke { id }),
        'e' => {
            (format!("Let {} last one hour from now", plain(&id)), Command::Extend { id, seconds: HOUR_S })
        }
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::consent::text::tests::question;
    use crate::wire::denial::Reason;
    use crate::wire::session::Given;
    use crate::wire::subject::{Action, Resource};

    const SECOND: Duration = Duration::from_secs(1);

    /// One run with one of everything.
    pub(in crate::consent) fn run() -> RunState {
        let grant = GrantState {
            id: "8F3K-g1".into(),
            actions: vec![Action::Read],
            resource: Resource::File { path: "/work/notes".into() },
            path: Some("/home/u/notes".into()),
            upload: None,
            by: Given::Mount,
            approved_by: "terminal".into(),
            since: 1_000,
            until: Some(4_600),
            uses_left: None,
            bytes_left: None,
            revocable: true,
        };
        let denial = Denial {
            id: "8F3K-d1".into(),
            reason: Reason::Refused,
            detail: String::new(),
            what: "read /etc/\x1b[2Jshadow".into(),
            at: 1_000,
        };
        RunState {
            version: 1,
            run: "01HV8F3K".into(),
            parent: None,
            launcher: 1,
            init: 2,
            profile: "cowork".into(),
            command: vec!["sh".into()],
            since: 1_000,
            guarded: true,
            public_key: None,
            requests: vec![question()],
            grants: vec![grant],
            denials: vec![denial],
            alerts: Vec::new(),
            frozen: None,
        }
    }

    fn board() -> Board {
        let mut board = Board::default();
        board.take(&[run()], Duration::ZERO);
        board
    }

    #[test]
    fn an_answer_takes_a_key_and_a_confirmation() {
        let mut board = board();
        assert_eq!(board.key(Key::Letter('s'), SECOND), Turn::Draw);
        assert_eq!(board.help(), "Allow for this run 8F3K-2? y: yes, any other key: no");
        let command =
            Command::Answer { id: "8F3K-2".into(), answer: Answer::Allow { scope: Scope::Session {} } };
        assert_eq!(board.key(Key::Letter('y'), SECOND), Turn::Send { run: "01HV8F3K".into(), command });
        board.key(Key::Letter('d'), SECOND);
        assert_eq!(board.key(Key::Letter('n'), SECOND), Turn::Draw);
        assert_eq!(board.key(Key::Letter('y'), SECOND), Turn::Draw); // nothing is left to confirm
    }

    #[test]
    fn a_question_that_came_under_the_cursor_just_now_takes_no_answer() {
        let mut board = board();
        board.key(Key::Letter('o'), SECOND);
        let mut other = run();
        other.requests[0].id = "8F3K-3".into();
        board.take(&[other], 5 * SECOND);
        assert_eq!(board.key(Key::Letter('y'), 5 * SECOND), Turn::Draw, "the confirmation was for another");
        board.key(Key::Letter('o'), 5 * SECOND + SECOND / 2);
        assert!(board.help().contains("read it first"));
        assert_eq!(board.key(Key::Letter('y'), 5 * SECOND + SECOND / 2), Turn::Draw);
        board.key(Key::Letter('o'), 6 * SECOND);
        assert!(matches!(board.key(Key::Letter('y'), 6 * SECOND), Turn::Send { .. }));
    }

    #[test]
    fn a_lease_is_taken_back_or_lasts_longer() {
        let mut board = board();
        board.key(Key::Down, Duration::ZERO);
        for (letter, command) in [
            ('r', Command::Revoke { id: "8F3K-g1".into() }),
            ('e', Command::Extend { id: "8F3K-g1".into(), seconds: 3600 }),
        ] {
            board.key(Key::Letter(letter), SECOND);
            let sent = board.key(Key::Letter('y'), SECOND);
            assert_eq!(sent, Turn::Send { run: "01HV8F3K".into(), command });
        }
    }

    #[test]
    fn the_cursor_stays_on_its_line_and_inside_the_list() {
        let mut board = board();
        board.key(Key::Letter('j'), SECOND);
        let mut more = run();
        more.requests.push(Question { id: "8F3K-9".into(), ..question() });
        board.take(&[more], SECOND);
        assert_eq!(board.selected().unwrap().id(), "8F3K-g1");
        for _ in 0..9 {
            board.key(Key::Down, SECOND);
        }
        assert_eq!(board.selected().unwrap().id(), "8F3K-d1");
        board.take(&[], SECOND);
        assert!(board.selected().is_none());
        assert_eq!(board.key(Key::Letter('o'), SECOND), Turn::Draw);
        assert_eq!(board.key(Key::Leave, SECOND), Turn::Quit);
    }
}
