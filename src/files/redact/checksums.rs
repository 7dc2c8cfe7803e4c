//! Numbers that prove themselves: card numbers by Luhn's digit, bank accounts by ISO 13616.
//!
//! Never allocates and never fails: a text that is no such number is none.

/// Whether the digits of a text (spaces and dashes between them) are 13 to 19 and end in Luhn's check digit.
pub(super) fn is_card(text: &[u8]) -> bool {
    let digits = || text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let count = digits().count();
    if !(13..=19).contains(&count) || digits().all(|digit| digit == 0) {
        return false;
    }
    let sum: u32 = digits()
        .enumerate()
        .map(|(place, digit)| match ((count - place).is_multiple_of(2), digit * 2) {
            (false, _) => digit,
            (true, double) => double / 10 + double % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a text (spaces between its groups) is an IBAN: moved by four places, as a number, it is 1 modulo 97.
pub(super) fn is_account(text: &[u8]) -> bool {
    let letters = || text.iter().copied().filter(u8::is_ascii_alphanumeric);
    if !(15..=34).contains(&letters().count()) {
        return false;
    }
    let turned = letters().skip(4).chain(letters().take(4));
    let rest = turned.fold(0u32, |rest, letter| match letter {
        b'0'..=b'9' => (rest * 10 + u32::from(letter - b'0')) % 97,
        _ => (rest * 100 + u32::from(letter.to_ascii_uppercase().saturating_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_digit_is_no_card_and_no_account() {
        let (card, account) = (b"4111111111111111", b"GB82WEST12345698765432");
        assert!(is_card(card) && is_account(account));
        for place in 0..card.len() {
            let mut wrong = *card;
            wrong[place] = b'0' + (wrong[place] - b'0' + 1) % 10;
            assert!(!is_card(&wrong), "{place}");
        }
        for place in [2, 3, 8, 12, 21] {
            let mut wrong = *account;
            wrong[place] = b'0' + (wrong[place] - b'0' + 1) % 10;
            assert!(!is_account(&wrong), "{place}");
        }
        assert!(!is_card(b"0000000000000000") && !is_card(b"42") && !is_account(b""));
    }
}
