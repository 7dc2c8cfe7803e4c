//! What can be computed about a value: check digits, sums and structure.
//!
//! Never looks at what stands around a value; `context` does.

mod bank;
mod national;
mod token;

/// How a value is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// CRC-32 in base62 at the end (GitHub, npm).
    Crc,
    /// A JSON Web Token whose head is JSON with `alg`.
    Jwt,
    /// An AWS key id: base32 with a number of an account in it.
    AwsId,
    /// At least three sorts of characters, or mixed enough to be made by a machine.
    Random,
    Card,
    Iban,
    Ssn,
    Aba,
    Nhs,
    Dni,
    Pesel,
    Bsn,
    Steuer,
    Aadhaar,
    Nir,
    CodiceFiscale,
    Nino,
    Cpf,
    Sin,
    Tfn,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The sum is right.
    Right,
    /// It is not, and the value may still be one that somebody changed.
    Doubtful,
    /// It is none.
    Wrong,
}

const NAMES: [(&str, Check); 20] = [
    ("crc", Check::Crc),
    ("jwt", Check::Jwt),
    ("aws-id", Check::AwsId),
    ("random", Check::Random),
    ("card", Check::Card),
    ("iban", Check::Iban),
    ("ssn", Check::Ssn),
    ("aba", Check::Aba),
    ("nhs", Check::Nhs),
    ("dni", Check::Dni),
    ("pesel", Check::Pesel),
    ("bsn", Check::Bsn),
    ("steuer", Check::Steuer),
    ("aadhaar", Check::Aadhaar),
    ("nir", Check::Nir),
    ("codice-fiscale", Check::CodiceFiscale),
    ("nino", Check::Nino),
    ("cpf", Check::Cpf),
    ("sin", Check::Sin),
    ("tfn", Check::Tfn),
];

impl Check {
    /// The check of a word in a rule file.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        NAMES.iter().find(|(name, _)| *name == word).map(|(_, check)| *check)
    }

    /// Every word there is.
    pub(super) fn words() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// A value of so many bytes may be one, with or without separators.
    fn may_have(self, bytes: usize) -> bool {
        let digits = match self {
            Self::Card => 13,
            Self::Iban => 15,
            Self::Ssn | Self::Aba | Self::Bsn | Self::Sin | Self::Tfn | Self::Dni | Self::Nino => 9,
            Self::Nhs => 10,
            Self::Pesel | Self::Steuer | Self::Cpf => 11,
            Self::Aadhaar => 12,
            Self::Nir => 15,
            Self::CodiceFiscale => 16,
            Self::Crc | Self::Jwt | Self::AwsId | Self::Random => 0,
        };
        let most = if matches!(self, Self::Card | Self::Iban) { 44 } else { digits + digits / 2 };
        (digits..=most).contains(&bytes)
    }

    /// What it says about a value.
    pub(super) fn of(self, value: &[u8]) -> Verdict {
        let plain: Vec<u8> = match self {
            Self::Crc | Self::Jwt | Self::AwsId | Self::Random => Vec::new(),
            _ if !self.may_have(value.len()) => return Verdict::Wrong,
            _ => {
                value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
            }
        };
        let holds = match self {
            Self::Crc => return token::crc(value),
            Self::AwsId => return token::aws_id(value),
            Self::Jwt => token::jwt(value),
            Self::Random => token::random(value),
            Self::Card => bank::card(&plain),
            Self::Iban => bank::iban(&plain),
            Self::Aba => bank::aba(&plain),
            Self::Ssn => national::ssn(&plain),
            Self::Nhs => national::nhs(&plain),
            Self::Dni => national::dni(&plain),
            Self::Pesel => national::pesel(&plain),
            Self::Bsn => national::bsn(&plain),
            Self::Steuer => national::steuer(&plain),
            Self::Aadhaar => national::aadhaar(&plain),
            Self::Nir => national::nir(&plain),
            Self::CodiceFiscale => national::codice_fiscale(&plain),
            Self::Nino => national::nino(&plain),
            Self::Cpf => national::cpf(&plain),
            Self::Sin => national::sin(&plain),
            Self::Tfn => national::tfn(&plain),
        };
        if holds { Verdict::Right } else { Verdict::Wrong }
    }
}

/// The digits of a text of digits alone; nothing if there is another byte or another count.
fn digits<const COUNT: usize>(text: &[u8]) -> Option<[u32; COUNT]> {
    let text: &[u8; COUNT] = text.try_into().ok()?;
    text.iter().all(u8::is_ascii_digit).then(|| text.map(|byte| u32::from(byte - b'0')))
}

/// The sum of each digit times its weight.
fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The number a text of digits is, modulo another.
fn modulo(text: impl Iterator<Item = u8>, by: u32) -> u32 {
    text.fold(0, |rest, byte| (rest * 10 + u32::from(byte.wrapping_sub(b'0') % 10)) % by)
}

/// The sum of Luhn: every second digit from the right is doubled.
pub(super) fn luhn(text: &[u8]) -> bool {
    let value = |(place, byte): (usize, &u8)| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        let twice = digit * (1 + place as u32 % 2);
        if twice > 9 { twice - 9 } else { twice }
    };
    text.iter().all(u8::is_ascii_digit) && text.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// All the same digit, or each one more than the one before.
fn is_pattern(text: &[u8]) -> bool {
    let same = text.windows(2).all(|pair| pair.first() == pair.last());
    let up = text.windows(2).all(
        |pair| matches!(pair, [one, two] if two.wrapping_sub(*one) == 1 || (*one, *two) == (b'9', b'0')),
    );
    same || up
}
