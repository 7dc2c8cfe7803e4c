//! Judges a value by its letters alone. Stands in where no trained classifier is there.

use super::check::Check;
use super::check::Verdict;
use super::letters::entropy;

/// How likely a value is a secret, from 0 to 1.
pub fn guess(value: &[u8], _before: &[u8]) -> f32 {
    let graphic = value.iter().all(|byte| byte.is_ascii_graphic());
    let spread = entropy(value) / (value.len().max(2) as f32).log2().min(5.5);
    let mixed = Check::Random.of(value) == Verdict::Right;
    let symbol = value.iter().any(u8::is_ascii_punctuation);
    let digit = value.iter().any(u8::is_ascii_digit);
    let letter = value.iter().any(u8::is_ascii_alphabetic);
    match (graphic, mixed) {
        (false, _) => 0.2,
        (true, true) if spread > 0.7 => 0.8,
        (true, _) if digit && letter && symbol && value.len() < 40 => 0.6,
        _ => 0.3,
    }
}
