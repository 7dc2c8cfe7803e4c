//! Names as a filesystem that folds case would compare them with an ASCII name (ext4 and f2fs with casefold), or one
//! that drops dots and spaces at the end (vfat, exfat).
//!
//! Pure. Errs on the side of "the same": it only widens what is denied.

/// Says whether `name` could be taken for `watched`, which is compared as ASCII.
pub(super) fn folds_to(name: &[u8], watched: &[u8]) -> bool {
    let end = name.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(name.len(), |last| last + 1);
    let name = name.get(..end).unwrap_or(name);
    if name.is_ascii() || !watched.is_ascii() {
        return name.eq_ignore_ascii_case(watched);
    }
    let Ok(text) = std::str::from_utf8(name) else { return false };
    let mut rest = watched;
    for code in text.chars().filter(|code| !is_ignorable(*code)) {
        let mut own = [0u8; 4];
        let folded = match ascii_fold(code) {
            Some(folded) => folded.as_bytes(),
            None => code.encode_utf8(&mut own).as_bytes(),
        };
        match rest.split_at_checked(folded.len()) {
            Some((head, tail)) if head.eq_ignore_ascii_case(folded) => rest = tail,
            _ => return false,
        }
    }
    rest.is_empty()
}

/// The code points outside ASCII whose full case folding is ASCII (CaseFolding.txt of Unicode).
fn ascii_fold(code: char) -> Option<&'static str> {
    Some(match code {
        '\u{17f}' => "s",
        '\u{212a}' => "k",
        '\u{df}' | '\u{1e9e}' => "ss",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => return None,
    })
}

/// Default_Ignorable_Code_Point of Unicode, which the kernel's utf8 tables drop before they compare.
fn is_ignorable(code: char) -> bool {
    matches!(code,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_make_another_name() {
        assert!(folds_to(b".GIT", b".git"));
        assert!(!folds_to(b".gitx", b".git"));
        assert!(!folds_to(b".gi", b".git"));
    }

    #[test]
    fn invisible_code_points_do_not_make_another_name() {
        assert!(folds_to(".g\u{200c}it".as_bytes(), b".git"));
        assert!(folds_to("hoo\u{212a}\u{17f}".as_bytes(), b"hooks"));
        assert!(folds_to("con\u{fb01}g".as_bytes(), b"config"));
    }

    #[test]
    fn dots_and_spaces_at_the_end_do_not_make_another_name() {
        assert!(folds_to(b".git. .", b".git"));
        assert!(!folds_to(b". .git", b".git"));
        assert!(!folds_to(b"..", b".git"));
    }

    #[test]
    fn names_in_other_scripts_stay_free() {
        assert!(!folds_to("日本".as_bytes(), b".git"));
        assert!(!folds_to("été".as_bytes(), b"t"));
        assert!(!folds_to(&[0xff, b'a'], b"a"));
    }
}
