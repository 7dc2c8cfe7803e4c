//! Which known word a misspelt one was meant to be.
//!
//! Never changes what was written: the answer is a hint for a person.

/// The known word closest to `word`: at most a third of its letters (and at least one) may differ. `None` when
/// nothing is close, or `word` is so long that looking would only cost time.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    if letters == 0 || letters > 64 {
        return None;
    }
    let most = (letters / 3).max(1);
    let word = word.to_lowercase();
    let scored = known.into_iter().map(|other| (distance(&word, &other.to_lowercase()), other));
    scored.filter(|(apart, _)| *apart <= most).min_by_key(|(apart, _)| *apart).map(|(_, other)| other)
}

/// `did you mean X?`, or all known words when nothing is close.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(other) => format!("did you mean `{other}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// Edits from one word to the other: one letter put in, left out, changed, or swapped with its neighbour.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut last = None;
    for (line, letter) in from.chars().enumerate() {
        let mut next = vec![line + 1];
        for (column, other) in to.iter().enumerate() {
            let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX / 2);
            let change = cell(&row, column) + usize::from(letter != *other);
            let gap = cell(&row, column + 1).min(cell(&next, column)) + 1;
            let neighbour = column.checked_sub(1).and_then(|left| to.get(left));
            let swapped = neighbour == Some(&letter) && last == Some(*other);
            let swap = if swapped { cell(&before, column.saturating_sub(1)) + 1 } else { usize::MAX };
            next.push(change.min(gap).min(swap));
        }
        before = std::mem::replace(&mut row, next);
        last = Some(letter);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_too_few_or_swapped_is_found() {
        let known = ["access", "optional", "noexec"];
        assert_eq!(nearest("acess", known), Some("access"));
        assert_eq!(nearest("acecss", known), Some("access"));
        assert_eq!(nearest("Optinal", known), Some("optional"));
    }

    #[test]
    fn another_word_is_not_guessed() {
        assert_eq!(nearest("colour", ["access", "optional"]), None);
        assert_eq!(suggestion("colour", &["ro", "rw"]), "known here: ro, rw");
    }

    #[test]
    fn two_swapped_letters_count_once() {
        assert_eq!(distance("acecss", "access"), 1);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
