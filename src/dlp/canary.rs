//! Canaries: decoy credentials for the private home. Nobody has a reason to read them, so one that goes out, in any
//! encoding, says that something gathers credentials.
//!
//! Never valid anywhere, and never told from real ones by form: ids, lengths and checksums are those of the real
//! kinds. The same key gives the same decoys.

use super::exact::{Known, NotAdded};
use crate::crypto::{Secret, base62_crc, mac, public_key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A file of the home that holds decoys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoy {
    /// Where it belongs, below the home.
    pub path: &'static str,
    /// Its mode bits.
    pub mode: u32,
    /// What it holds.
    pub content: String,
}

/// The decoys of a session.
pub struct Decoys {
    files: Vec<Decoy>,
    /// Label and value; what is watched for.
    values: Vec<(&'static str, Vec<u8>)>,
}

impl std::fmt::Debug for Decoys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Decoys({} files)", self.files.len())
    }
}

impl Decoys {
    /// The decoys that follow from this key.
    pub fn new(key: &Secret) -> Self {
        let mut decoys = Self { files: Vec::new(), values: Vec::new() };
        decoys.aws(&mut Draw::new(key, "aws"));
        decoys.github(&mut Draw::new(key, "github"));
        decoys.netrc(&mut Draw::new(key, "netrc"));
        decoys.npm(&mut Draw::new(key, "npm"));
        decoys.pypi(&mut Draw::new(key, "pypi"));
        decoys.ssh(key);
        decoys
    }

    /// The files to put into the home.
    pub fn files(&self) -> &[Decoy] {
        &self.files
    }

    /// Makes every decoy known.
    /// # Errors
    /// [`NotAdded::Full`].
    pub fn register(&self, known: &mut Known) -> Result<(), NotAdded> {
        self.values.iter().try_for_each(|(label, value)| known.add_canary(label, value))
    }

    fn file(&mut self, path: &'static str, mode: u32, content: String) {
        self.files.push(Decoy { path, mode, content });
    }

    fn watch(&mut self, label: &'static str, value: &str) {
        self.values.push((label, value.as_bytes().to_vec()));
    }

    fn aws(&mut self, draw: &mut Draw) {
        let (id, secret) = (aws_id(draw), draw.letters(BASE64, 40));
        let content = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        self.file(".aws/credentials", 0o600, content);
        self.watch("canary-aws-id", &id);
        self.watch("canary-aws-secret", &secret);
    }

    fn github(&mut self, draw: &mut Draw) {
        let token = checked("gho_", draw);
        let content = format!(
            "github.com:\n    oauth_token: {token}\n    git_protocol: https\n    user: build-agent\n"
        );
        self.file(".config/gh/hosts.yml", 0o600, content);
        self.watch("canary-github", &token);
    }

    fn netrc(&mut self, draw: &mut Draw) {
        let (token, password) = (checked("ghp_", draw), draw.letters(ALNUM, 24));
        let content = format!(
            "machine github.com\n  login build-agent\n  password {token}\n\nmachine artifacts.internal\n  login \
             deploy\n  password {password}\n"
        );
        self.file(".netrc", 0o600, content);
        self.watch("canary-netrc-github", &token);
        self.watch("canary-netrc-password", &password);
    }

    fn npm(&mut self, draw: &mut Draw) {
        let token = checked("npm_", draw);
        self.file(".npmrc", 0o600, format!("//registry.npmjs.org/:_authToken={token}\n"));
        self.watch("canary-npm", &token);
    }

    fn pypi(&mut self, draw: &mut Draw) {
        let token = format!("pypi-AgEIcHlwaS5vcmc{}", draw.letters(BASE64_URL, 155));
        let content = format!(
            "[distutils]\nindex-servers = pypi\n\n[pypi]\nusername = __token__\npassword = {token}\n"
        );
        self.file(".pypirc", 0o600, content);
        self.watch("canary-pypi", &token);
    }

    /// A key pair that ssh-keygen(1) reads: every line of the private half that is not the same in all keys is watched
    /// for, and the seed itself.
    fn ssh(&mut self, key: &Secret) {
        let mut seed = Draw::new(key, "ssh").bytes();
        let number = u32::from_le_bytes(
            Draw::new(key, "ssh number").bytes().first_chunk().copied().unwrap_or_default(),
        );
        self.values.push(("canary-ssh-seed", seed.to_vec()));
        let raw = seed;
        let Some(public) = Secret::take(&mut seed).ok().and_then(|seed| public_key(&seed).ok()) else {
            return;
        };
        let body = STANDARD.encode(openssh(&raw, &public, number));
        let lines: Vec<&str> =
            body.as_bytes().chunks(70).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        for line in lines.iter().skip(1).filter(|line| line.len() >= 16) {
            self.watch("canary-ssh", line);
        }
        let armour = |word| format!("-----{word} OPENSSH PRIVATE KEY-----\n");
        self.file(
            ".ssh/id_ed25519",
            0o600,
            format!("{}{}\n{}", armour("BEGIN"), lines.join("\n"), armour("END")),
        );
        let public = STANDARD.encode([&field(b"ssh-ed25519")[..], &field(&public)].concat());
        self.file(".ssh/id_ed25519.pub", 0o644, format!("ssh-ed25519 {public} build-agent\n"));
    }
}

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Bytes that follow from a key and a word.
struct Draw<'a> {
    key: &'a Secret,
    word: &'static str,
    turn: u32,
}

impl<'a> Draw<'a> {
    fn new(key: &'a Secret, word: &'static str) -> Self {
        Self { key, word, turn: 0 }
    }

    fn bytes(&mut self) -> [u8; 32] {
        self.turn += 1;
        mac(self.key, &[b"canary\0", self.word.as_bytes(), b"\0", &self.turn.to_le_bytes()])
    }

    /// Letters of an alphabet, each as likely as the others.
    fn letters(&mut self, alphabet: &[u8], count: usize) -> String {
        let even = 256 / alphabet.len().max(1) * alphabet.len();
        let mut letters = String::new();
        while letters.len() < count {
            let bytes = self.bytes();
            let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even);
            letters.extend(
                fair.filter_map(|byte| alphabet.get(byte % alphabet.len())).map(|letter| char::from(*letter)),
            );
        }
        letters.truncate(count);
        letters
    }
}

/// The id of a key of Amazon Web Services: its sixteen letters of base32 hold the number of an account, twelve digits, in
/// the first six bytes, one bit from the left.
fn aws_id(draw: &mut Draw<'_>) -> String {
    let bytes = draw.bytes();
    let account = u64::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default()) % 900_000_000_000
        + 100_000_000_000;
    let low =
        bytes.get(8..13).unwrap_or_default().iter().fold(0u128, |held, byte| held << 8 | u128::from(*byte));
    let all = 1 << 79 | u128::from(account) << 39 | low & ((1 << 39) - 1);
    let letter = |place: u32| BASE32.get((all >> (75 - 5 * place) & 31) as usize).copied();
    let letters: String = (0..16).filter_map(letter).map(char::from).collect();
    format!("AKIA{letters}")
}

/// A token of GitHub or npm: thirty letters, and their CRC-32 in six more.
fn checked(prefix: &str, draw: &mut Draw<'_>) -> String {
    let body = draw.letters(ALNUM, 30);
    let sum: String = base62_crc(body.as_bytes()).into_iter().map(char::from).collect();
    format!("{prefix}{body}{sum}")
}

/// A private key that is not encrypted, as OpenSSH keeps it (its PROTOCOL.key).
fn openssh(seed: &[u8; 32], public: &[u8], number: u32) -> Vec<u8> {
    let half = [&field(b"ssh-ed25519")[..], &field(public)].concat();
    let check = number.to_be_bytes();
    let both = [&seed[..], public].concat();
    let mut private = [&check[..], &check, &half, &field(&both), &field(b"build-agent")].concat();
    private.extend((1..8).take((8 - private.len() % 8) % 8));
    let count = 1u32.to_be_bytes();
    [
        b"openssh-key-v1\0",
        &field(b"none")[..],
        &field(b"none"),
        &field(b""),
        &count,
        &field(&half),
        &field(&private),
    ]
    .concat()
}

/// A length of four bytes, and the bytes.
fn field(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::super::check::{Check, Verdict};
    use super::super::exact::What;
    use super::*;

    fn decoys(byte: u8) -> Decoys {
        Decoys::new(&Secret::take(&mut [byte; 32]).unwrap())
    }

    fn content(decoys: &Decoys, path: &str) -> String {
        decoys.files().iter().find(|file| file.path == path).unwrap().content.clone()
    }

    fn token(content: &str, prefix: &str) -> String {
        let at = content.find(prefix).unwrap();
        content[at..].chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
    }

    #[test]
    fn the_same_key_makes_the_same_decoys_and_another_makes_others() {
        let (one, same, other) = (decoys(1), decoys(1), decoys(2));
        assert_eq!((one.files(), &one.values), (same.files(), &same.values));
        for (one, other) in one.files().iter().zip(other.files()) {
            assert_eq!(one.path, other.path);
            assert_ne!(one.content, other.content);
        }
        assert!(one.values.iter().all(|value| !other.values.contains(value)));
    }

    #[test]
    fn tokens_carry_the_checksum_of_their_kind() {
        for byte in 0..40 {
            let decoys = decoys(byte);
            let files = [(".config/gh/hosts.yml", "gho_"), (".netrc", "ghp_"), (".npmrc", "npm_")];
            for (path, prefix) in files {
                let token = token(&content(&decoys, path), prefix);
                assert_eq!(token.len(), 40, "{token}");
                assert_eq!(Check::Crc.of(token.as_bytes()), Verdict::Right, "{token}");
            }
        }
    }

    #[test]
    fn an_aws_id_names_an_account_of_twelve_digits() {
        for byte in 0..40 {
            let id = token(&content(&decoys(byte), ".aws/credentials"), "AKIA");
            assert_eq!(id.len(), 20);
            assert_eq!(Check::AwsId.of(id.as_bytes()), Verdict::Right, "{id}");
            let place = |letter: u8| BASE32.iter().position(|one| *one == letter).unwrap() as u128;
            let all = id.bytes().skip(4).fold(0, |all, letter| all << 5 | place(letter));
            let account = (all >> 32 & 0x7fff_ffff_ff80) >> 7;
            assert_eq!(account.to_string().len(), 12, "{id}");
        }
    }

    #[test]
    fn every_decoy_that_goes_out_is_a_hit() {
        let decoys = decoys(9);
        let mut known = Known::new(Secret::take(&mut [3; 32]).unwrap());
        decoys.register(&mut known).unwrap();
        for file in decoys.files().iter().filter(|file| file.mode == 0o600) {
            let hits = known.find(file.content.as_bytes());
            assert!(!hits.is_empty() && hits.iter().all(|hit| hit.what == What::Canary), "{}", file.path);
            let turned: String = file.content.chars().rev().collect();
            assert!(!known.find(turned.as_bytes()).is_empty(), "{}", file.path);
            for text in [file.content.to_ascii_lowercase(), file.content.to_ascii_uppercase()] {
                assert!(!known.find(text.as_bytes()).is_empty(), "{}", file.path);
            }
            let encoded = STANDARD.encode(&file.content);
            assert!(!known.find(encoded.as_bytes()).is_empty(), "{}", file.path);
        }
        let public = content(&decoys, ".ssh/id_ed25519.pub");
        assert_eq!(known.find(public.as_bytes()), [], "the public half may go out");
    }
}
