//! Classifier: how much a value after a name, or a token that stands alone, looks like a secret.
//!
//! Never decides: it gives a number, and the engine acts from [`threshold`] on. A logistic regression over letters,
//! words and shape (`classify/feature.rs`); its weights are made by `cargo run --release --example train`. Never
//! allocates, and gives the same number for the same bytes.

mod count;
mod feature;

pub use feature::{SLOTS, features};

/// Bytes before the weights: a mark of eight, then four numbers of four bytes, little-endian.
pub const HEADER_BYTES: usize = 24;
/// The first bytes of a file of weights.
pub const MARK: &[u8; 8] = b"AISBDLP1";

/// A file of another length does not compile.
const FILE: &[u8; HEADER_BYTES + 2 * SLOTS] = include_bytes!("classify/weights.bin");
const HEADER: Header = Header::read(FILE);

struct Header {
    /// Value of one unit of a weight.
    unit: f32,
    bias: f32,
    threshold: f32,
    /// The day on which the threshold was frozen, as yyyymmdd.
    frozen: u32,
}

impl Header {
    const fn read(file: &[u8; HEADER_BYTES + 2 * SLOTS]) -> Self {
        let (mark, rest) = file.split_at(MARK.len());
        let mut place = 0;
        while let (Some((expected, _)), Some((found, _))) =
            (MARK.split_at(place).1.split_first(), mark.split_at(place).1.split_first())
        {
            assert!(*expected == *found, "this is no file of weights");
            place += 1;
        }
        Self {
            unit: f32::from_bits(number(rest, 0)),
            bias: f32::from_bits(number(rest, 1)),
            threshold: f32::from_bits(number(rest, 2)),
            frozen: number(rest, 3),
        }
    }
}

/// The number at a place of four bytes. Runs while compiling alone.
const fn number(bytes: &[u8], place: usize) -> u32 {
    match bytes.split_at(4 * place).1.first_chunk::<4>() {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => 0,
    }
}

/// From 0 to 1: whether the candidate, which stands after these bytes, is a secret.
pub fn score(candidate: &[u8], before: &[u8]) -> f32 {
    let (weights, _) = FILE.split_at(HEADER_BYTES).1.as_chunks::<2>();
    let mut sum = 0.0;
    features(candidate, before, |slot, value| {
        let weight = weights.get(slot).copied().map_or(0, i16::from_le_bytes);
        sum += f32::from(weight) * value;
    });
    1.0 / (1.0 + (-(sum * HEADER.unit + HEADER.bias)).exp())
}

/// The score from which on a candidate is taken for a secret. Frozen before the weights were evaluated.
pub fn threshold() -> f32 {
    HEADER.threshold
}

/// The day on which the threshold was frozen, as yyyymmdd.
pub fn frozen() -> u32 {
    HEADER.frozen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_secret((before, candidate): &(&str, &str)) -> bool {
        score(candidate.as_bytes(), before.as_bytes()) >= threshold()
    }

    #[test]
    fn values_that_are_secrets_are_told_from_values_that_stand_for_one() {
        let secrets = [
            ("DB_PASSWORD=", "Tr4vel!Blue_88"),
            ("\"client_secret\": \"", "9tQZ0xR4mKc7VdP2sLw8YhJb3Nf6GuEa"),
            ("export STRIPE_KEY='", "sk_prod_81Hq0ZbTn4XcVw9LrKpYd27M"),
            ("  encryption_key: ", "f3b09a7d51c84e62a0d9b7f4c1385e6d"),
            ("Authorization: Bearer ", "Zx81kQpW0vLt5NsYbR3eHj7CmGd2AfUo94Ti"),
        ];
        let harmless = [
            ("password = ", "getpass.getpass()"),
            ("api_key: \"", "<your-api-key>"),
            ("token=", "${GITHUB_TOKEN}"),
            (
                "\"integrity\": \"",
                "sha512-Z9yVtq0uYw1Wq5Vx8m3kS0c7fJ6bN2aR4tLhPgXoEdKiUy+/QwAeTzMnBvCxSsDd==",
            ),
            ("commit ", "5f1c0e9a7b3d2846f0a1c2b3d4e5f60718293a4b"),
            ("\"password\": \"", "Enter your password"),
            ("private_key: ", "/etc/ssl/private/server.key"),
            ("max_tokens: ", "4096"),
            ("id: ", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
            ("let session_token: ", "Option<String>"),
        ];
        let missed: Vec<_> = secrets.iter().filter(|pair| !is_secret(pair)).collect();
        let alarms: Vec<_> = harmless.iter().filter(|pair| is_secret(pair)).collect();
        assert!(missed.is_empty() && alarms.is_empty(), "missed {missed:?}, false alarms {alarms:?}");
    }

    #[test]
    fn the_same_bytes_have_the_same_score_wherever_they_lie() {
        let text = b"token=9tQZ0xR4mKc7VdP2sLw8YhJb3Nf6GuEa".repeat(3);
        let scores: Vec<u32> = text.chunks(38).map(|line| score(&line[6..], &line[..6]).to_bits()).collect();
        assert_eq!(scores.len(), 3);
        assert!(scores.iter().all(|one| *one == scores[0]));
    }

    #[test]
    fn the_name_before_a_value_counts() {
        let value = b"5f1c0e9a7b3d2846f0a1c2b3d4e5f60718293a4b";
        assert!(score(value, b"client_secret=") > 0.5);
        assert!(score(value, b"sha1=") < 0.1);
    }

    #[test]
    fn any_bytes_have_a_score_between_0_and_1() {
        let bytes: Vec<u8> = (0..5000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
        for length in [0, 1, 2, 63, 64, 65, 127, 128, 129, 4000] {
            let score = score(&bytes[..length], &bytes[length..]);
            assert!((0.0..=1.0).contains(&score), "{length}: {score}");
        }
    }

    #[test]
    fn the_weights_say_when_the_threshold_was_frozen() {
        assert!((0.5..1.0).contains(&threshold()), "{}", threshold());
        assert!((20_260_000..21_000_000).contains(&frozen()), "{}", frozen());
        let (weights, rest) = FILE.split_at(HEADER_BYTES).1.as_chunks::<2>();
        assert_eq!((weights.len(), rest.len()), (SLOTS, 0));
        assert!(FILE.len() <= 128 << 10);
        assert!(weights.iter().filter(|weight| **weight != [0, 0]).count() > SLOTS / 4);
    }
}
