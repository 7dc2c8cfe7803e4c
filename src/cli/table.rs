//! Tables for people: columns that line up, in the width of the terminal, without colour.
//!
//! Never prints a cell unescaped: cells are made with `consent::plain`. A cell that does not fit loses its middle, and says so.

use crate::consent::columns;
use crate::sys::terminal;
use std::os::fd::AsFd;

/// Columns between two cells.
const GAP: usize = 2;
/// The least a cell keeps.
const LEAST: usize = 12;
/// The last column of a table takes what is left; where nothing says how wide the screen is, all is printed.
const UNBOUNDED: usize = usize::MAX / 2;

/// The table: a line for the heads, one for each row. `cut`: the column that is shortened when a line is too long.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>], cut: usize) -> String {
    lay_out(heads, rows, cut, screen().unwrap_or(UNBOUNDED))
}

/// Columns of the terminal that stdout is; `None` when it is none.
pub(super) fn screen() -> Option<usize> {
    let size = terminal::window_size(std::io::stdout().as_fd()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn lay_out(heads: &[&str], rows: &[Vec<String>], cut: usize, screen: usize) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| width(head)).collect();
    for row in rows {
        for (most, cell) in widths.iter_mut().zip(row) {
            *most = (*most).max(width(cell));
        }
    }
    let whole: usize = widths.iter().map(|width| width + GAP).sum::<usize>().saturating_sub(GAP);
    let over = whole.saturating_sub(screen);
    if let Some(width) = widths.get_mut(cut) {
        *width = width.saturating_sub(over).max(LEAST.min(*width));
    }
    let mut text = line(&heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>(), &widths);
    for row in rows {
        text.push_str(&line(row, &widths));
    }
    text
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, most) in cells.iter().zip(widths) {
        let shown = shortened(cell, *most);
        let pad = (most + GAP).saturating_sub(width(&shown));
        text.push_str(&shown);
        text.push_str(&" ".repeat(pad));
    }
    format!("{}\n", text.trim_end())
}

/// At most so many columns: the beginning, `…`, the end.
fn shortened(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(1);
    let head = taken(text.chars(), room.div_ceil(2));
    let tail = taken(text.chars().rev(), room - width(&head));
    format!("{head}…{}", tail.chars().rev().collect::<String>())
}

fn taken(letters: impl Iterator<Item = char>, most: usize) -> String {
    let mut used = 0;
    letters
        .take_while(|letter| {
            used += columns(*letter);
            used <= most
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[[&str; 3]]) -> Vec<Vec<String>> {
        cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn columns_line_up_by_width_and_not_by_letters() {
        let text = lay_out(
            &["ID", "PATH", "BY"],
            &rows(&[["1", "\u{4f60}\u{597d}", "me"], ["22", "ab", "you"]]),
            1,
            80,
        );
        assert_eq!(text, "ID  PATH  BY\n1   \u{4f60}\u{597d}  me\n22  ab    you\n");
    }

    #[test]
    fn what_does_not_fit_the_screen_loses_its_middle() {
        let path = "/home/u/Documents/2026/november/report.pdf";
        let text = lay_out(&["ID", "PATH", "BY"], &rows(&[["1", path, "me"]]), 1, 30);
        assert!(text.lines().all(|line| width(line) <= 30), "{text}");
        assert!(text.contains('…') && text.contains("/home/u/Do") && text.contains("report.pdf"), "{text}");
        let whole = lay_out(&["ID", "PATH", "BY"], &rows(&[["1", path, "me"]]), 1, UNBOUNDED);
        assert!(whole.contains(path));
    }

    #[test]
    fn a_very_narrow_screen_still_shows_something_of_each_cell() {
        let text = lay_out(&["ID", "PATH", "BY"], &rows(&[["1", "/a/long/path/to/a/file", "me"]]), 1, 3);
        assert!(width(text.lines().nth(1).unwrap()) >= LEAST, "{text}");
    }
}
