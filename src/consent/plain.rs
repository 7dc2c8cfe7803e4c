//! What an agent supplied, made fit to stand in a question: a list of what may be printed, and everything else escaped.
//!
//! Never passes a character that moves the cursor, reorders what stands around it, takes another width than it is
//! counted with, or piles up on its neighbour. Stricter than `base::escape`, which only keeps a terminal unharmed.

use crate::base::misleads;
use unicode_width::UnicodeWidthChar;

/// Marks that may follow one letter, as Vietnamese needs.
const MOST_MARKS: u32 = 2;

/// Signs beyond ASCII that are no letters and may be printed. None of them occurs in our own frames.
const SIGNS: &str = "“”‘’–—«»¿¡§°€£¥©®、。「」『』";

/// Text for a question: letters and digits of scripts that run from left to right, ASCII, and a few signs as they are;
/// everything else as `\u{…}`, a backslash doubled. A space at an end or beside another space is escaped too, so
/// nothing can be pushed to where it looks like a column of ours. A letter of another script inside a Latin word is
/// escaped, since it is there to look like a Latin one.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|letter: char| !belongs_to_word(letter)).unwrap_or(rest.len());
        let length = if word > 0 { word } else { rest.chars().next().map_or(1, char::len_utf8) };
        let (part, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if word > 0 {
            push_word(&mut out, part);
        } else {
            let next_is_space = tail.is_empty() || tail.starts_with(' ');
            part.chars().for_each(|letter| push_sign(&mut out, letter, next_is_space));
        }
        rest = tail;
    }
    out
}

/// Columns a character takes; the greater number where terminals differ.
pub fn columns(letter: char) -> usize {
    letter.width_cjk().unwrap_or(1).max(letter.width().unwrap_or(1))
}

fn belongs_to_word(letter: char) -> bool {
    letter.is_alphanumeric() || (!letter.is_ascii() && letter.width() == Some(0))
}

fn push_word(out: &mut String, word: &str) {
    let latin = word.contains(|letter: char| letter.is_ascii_alphabetic());
    let mut marks = MOST_MARKS; // none may stand first: it would pile on what is ours
    for letter in word.chars() {
        let is_mark = letter.width() == Some(0);
        marks = if is_mark { marks.saturating_add(1) } else { 0 };
        if !is_printable_letter(letter) || marks > MOST_MARKS || (latin && looks_latin(letter)) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
}

fn push_sign(out: &mut String, letter: char, next_is_space: bool) {
    match letter {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        ' ' if next_is_space || out.is_empty() => out.push_str("\\u{20}"),
        ' '..='~' => out.push(letter),
        _ if SIGNS.contains(letter) => out.push(letter),
        _ => out.extend(letter.escape_unicode()),
    }
}

fn is_printable_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || (letter.width().is_some() && !misleads(letter) && !runs_right_to_left(letter) && !is_odd(letter))
}

/// Scripts that turn the order of what stands beside them, in terminals that know how.
fn runs_right_to_left(letter: char) -> bool {
    matches!(
        letter,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
    )
}

/// Letters in another dress (full width, mathematical, enclosed), and scripts whose letters are wider than counted.
fn is_odd(letter: char) -> bool {
    matches!(
        letter,
        '\u{2070}'..='\u{2bff}' | '\u{3200}'..='\u{33ff}' | '\u{fb00}'..='\u{fb1c}' | '\u{ff00}'..='\u{ffef}'
            | '\u{12000}'..='\u{1254f}' | '\u{16fe0}'..='\u{16fff}' | '\u{1d000}'..='\u{1dfff}'
            | '\u{1f000}'..='\u{1ffff}'
    )
}

/// Scripts with letters that cannot be told from Latin ones by eye.
fn looks_latin(letter: char) -> bool {
    matches!(
        letter,
        '\u{250}'..='\u{2af}' | '\u{370}'..='\u{58f}' | '\u{10a0}'..='\u{10ff}' | '\u{13a0}'..='\u{13ff}'
            | '\u{1c80}'..='\u{1cff}' | '\u{1d00}'..='\u{1dbf}' | '\u{1f00}'..='\u{1fff}'
            | '\u{2c60}'..='\u{2dff}' | '\u{a4d0}'..='\u{a4ff}' | '\u{a640}'..='\u{a7ff}'
            | '\u{ab30}'..='\u{abbf}' | '\u{10280}'..='\u{1031f}' | '\u{118a0}'..='\u{118ff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_writing_stays_as_it_is() {
        for text in [
            "/home/u/My Documents/budget (2024).xlsx",
            "na\u{ef}ve caf\u{e9}",
            "e\u{301}t\u{e9}",
            "vie\u{323}\u{302}t",
            "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}",
            "\u{4f60}\u{597d}",
            "\u{d55c}\u{ad6d}",
            "\u{3b3}\u{3b5}\u{3b9}\u{3ac}",
            "it's \"so\" – or not",
        ] {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn what_moves_hides_reorders_or_imitates_is_escaped() {
        let rows = [
            ("\x1b[2J", "\\u{1b}[2J"),
            ("a\nb\tc\rd\x08", "a\\nb\\tc\\u{d}d\\u{8}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("a\u{200b}b\u{200d}c", "a\\u{200b}b\\u{200d}c"),
            ("\u{feff}", "\\u{feff}"),
            ("\u{e0041}\u{e007f}", "\\u{e0041}\\u{e007f}"),
            ("\u{fe0f}\u{e0101}", "\\u{fe0f}\\u{e0101}"),
            ("\u{ad}\u{34f}\u{3164}\u{2800}", "\\u{ad}\\u{34f}\\u{3164}\\u{2800}"),
            ("\u{5e9}\u{5dc}", "\\u{5e9}\\u{5dc}"),
            ("\u{627}", "\\u{627}"),
            ("\u{ff21}\u{ff10}", "\\u{ff21}\\u{ff10}"),
            ("\u{1d400}", "\\u{1d400}"),
            ("\u{2502}\u{2500}\u{2588}", "\\u{2502}\\u{2500}\\u{2588}"),
            ("\u{a0}\u{2003}\u{3000}", "\\u{a0}\\u{2003}\\u{3000}"),
            ("\u{1f600}\u{1f1e6}", "\\u{1f600}\\u{1f1e6}"),
            ("\u{12031}", "\\u{12031}"),
            ("C:\\x", "C:\\\\x"),
        ];
        for (text, shown) in rows {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn a_flood_of_marks_is_escaped_after_the_second() {
        assert_eq!(plain("a\u{301}\u{301}\u{301}"), "a\u{301}\u{301}\\u{301}");
        assert_eq!(plain("\u{301}a"), "\\u{301}a");
        assert_eq!(plain("/\u{301}"), "/\\u{301}");
    }

    #[test]
    fn a_letter_that_imitates_a_latin_one_inside_a_word_is_escaped() {
        assert_eq!(plain("/home/u/Docum\u{435}nts"), "/home/u/Docum\\u{435}nts");
        assert_eq!(plain("\u{391}pple \u{430}\u{43f}"), "\\u{391}pple \u{430}\u{43f}");
    }

    #[test]
    fn spaces_cannot_push_text_into_a_column() {
        assert_eq!(plain("a  b"), "a\\u{20} b");
        assert_eq!(plain(" a "), "\\u{20}a\\u{20}");
        assert_eq!(plain("a b"), "a b");
        assert!(!plain(&" ".repeat(9)).contains("  "));
    }
}
