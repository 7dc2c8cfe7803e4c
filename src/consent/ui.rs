//! The screen of `aisandbox ui`. The only file that names ratatui.
//!
//! Never decides what a key means (`board` does), and prints nothing that did not pass `plain`.

use super::board::{Board, Key};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, List, ListState, Paragraph};
use std::io;
use std::time::Duration;

/// The terminal while the screen is shown; dropped, it is as it was.
pub struct Screen(ratatui::DefaultTerminal);

impl Screen {
    /// Takes the terminal.
    /// # Errors
    /// When stdout is no terminal, or cannot be set.
    pub fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }

    /// Draws everything.
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, board: &Board, unix: u64) -> io::Result<()> {
        self.0.draw(|frame| draw(frame, board, unix)).map(drop)
    }

    /// The next key within this time. A change of size is none: the next drawing heeds it.
    /// # Errors
    /// When the terminal is gone.
    pub fn key(&self, within: Duration) -> io::Result<Option<Key>> {
        if !event::poll(within)? {
            return Ok(None);
        }
        let Event::Key(key) = event::read()? else { return Ok(None) };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        Ok(match key.code {
            _ if key.kind == KeyEventKind::Release => None,
            KeyCode::Up => Some(Key::Up),
            KeyCode::Down => Some(Key::Down),
            KeyCode::Esc => Some(Key::Leave),
            KeyCode::Char('c') if control => Some(Key::Leave),
            KeyCode::Char(letter) if !control => Some(Key::Letter(letter)),
            _ => None,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn draw(frame: &mut Frame<'_>, board: &Board, unix: u64) {
    let details = board
        .selected()
        .map(|row| row.details(usize::from(frame.area().width).saturating_sub(2), unix))
        .unwrap_or_default();
    let height = u16::try_from(details.len() + 2).unwrap_or(u16::MAX).min(frame.area().height * 2 / 3);
    let parts =
        [Constraint::Length(1), Constraint::Min(3), Constraint::Length(height), Constraint::Length(1)];
    let [title, list, more, help] = Layout::vertical(parts).areas(frame.area());
    let turned = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(board.title()).style(turned), title);
    let rows: Vec<Line<'_>> = match board.rows() {
        [] => vec![Line::raw("Nothing asks, nothing is granted, nothing was refused.")],
        rows => rows.iter().map(|row| Line::raw(row.line(unix))).collect(),
    };
    let mut state = ListState::default().with_selected(board.selected().map(|_| board.cursor()));
    let rows =
        List::new(rows).highlight_symbol("> ").highlight_style(Style::new().add_modifier(Modifier::BOLD));
    frame.render_stateful_widget(rows, list, &mut state);
    let details: Vec<Line<'_>> = details.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(details).block(Block::new().borders(Borders::TOP)), more);
    frame.render_widget(Paragraph::new(board.help()).style(turned), help);
}

#[cfg(test)]
mod tests {
    use super::super::board::tests::run;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn shown(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, board, 1_000)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn questions_leases_and_refusals_are_on_the_screen_and_nothing_a_terminal_obeys() {
        let mut board = Board::default();
        board.take(&[run()], Duration::ZERO);
        let screen = shown(&board, 100, 30);
        for part in [
            "1 run, 1 question waits",
            "> ASKS    8F3K-2  read, add to the end: /home/u/Documents/budget.xlsx (5 minutes left)",
            "  LEASE   8F3K-g1  read: /work/notes (1 hour)",
            "  REFUSED 8F3K-d1  read /etc/\\u{1b}[2Jshadow: a person said no",
            " agent > I need the budget",
            "o once  s this run",
        ] {
            assert!(screen.contains(part), "{part:?} is not in\n{screen}");
        }
        assert!(!screen.contains('\u{1b}'));
    }

    #[test]
    fn every_size_can_be_drawn() {
        let mut board = Board::default();
        board.take(&[run()], Duration::ZERO);
        for (width, height) in [(1, 1), (10, 3), (40, 5), (80, 24), (300, 100)] {
            shown(&board, width, height);
        }
        board.take(&[], Duration::ZERO);
        assert!(shown(&board, 80, 24).contains("0 runs, 0 questions wait"));
        assert!(shown(&board, 80, 24).contains("Nothing asks"));
    }
}
