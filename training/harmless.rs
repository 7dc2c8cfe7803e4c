//! Made-up values that look like secrets and are none: hashes and ids, and what stands for a secret in code and texts.

use crate::dice::{ALNUM, DIGITS, Dice, HEX, LOWER, LOWER_DIGITS, UPPER_DIGITS, base64, uuid};
use crate::secrets::{capital, styled};
use crate::words::{CODE, HASH_NAMES, PLAIN};

/// A maker of harmless values.
type Shape = fn(&mut Dice) -> String;

/// What a name of hashes and ids has as its value, or what stands alone.
pub(crate) const HASHES: &[Shape] = &[
    |dice| hex(dice, 64),
    |dice| hex(dice, 40),
    |dice| hex(dice, 32),
    |dice| {
        let length = dice.one_of(&[&7, &8, &10, &12, &16, &20, &24, &56, &96, &128]);
        hex(dice, *length)
    },
    uuid,
    |dice| format!("sha512-{}", base64(&dice.bytes(64), false)),
    |dice| format!("sha256-{}", base64(&dice.bytes(32), false)),
    |dice| format!("sha256:{}", hex(dice, 64)),
    |dice| format!("h1:{}", base64(&dice.bytes(32), false)),
    |dice| format!("{}.{}", dice.between(0, 30), dice.between(0, 99)),
    |dice| format!("{}@{}.{}.{}", word(dice), dice.between(0, 30), dice.between(0, 99), dice.between(0, 9)),
    |dice| format!("{}.{}.js", identifier(dice), hex(dice, 8)),
    |dice| {
        format!(
            "{}-{}.{}",
            word(dice),
            dice.text(ALNUM, 8),
            dice.one_of(&["js", "css", "woff2", "map", "png"])
        )
    },
    |dice| format!("{}-{}-{}", word(dice), dice.text(LOWER_DIGITS, 10), dice.text(LOWER_DIGITS, 5)),
    |dice| format!("i-0{}", hex(dice, 16)),
    |dice| format!("subnet-0{}", hex(dice, 16)),
    |dice| format!("01{}", dice.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24)),
    |dice| {
        let length = dice.between(120, 128);
        base64(&dice.bytes(length), false)
    },
    |dice| format!("AAAAB3NzaC1yc2EAAAADAQABAAAB{}", base64(&dice.bytes(60), false)),
    |dice| format!("MII{}", base64(&dice.bytes(45), false)),
    |dice| format!("iVBORw0KGgoAAAANSUhEUg{}", base64(&dice.bytes(60), false)),
    |dice| {
        let length = dice.between(8, 22);
        dice.text(DIGITS, length)
    },
    |dice| (0..6).map(|_| hex(dice, 2)).collect::<Vec<_>>().join(":"),
    |dice| (0..20).map(|_| hex(dice, 2).to_uppercase()).collect::<Vec<_>>().join(":"),
    |dice| {
        format!(
            "2{}-{}-{}T{}:{}:{}Z",
            dice.text(DIGITS, 3),
            two(dice),
            two(dice),
            two(dice),
            two(dice),
            two(dice)
        )
    },
    |dice| (0..8).map(|_| hex(dice, 4)).collect::<Vec<_>>().join(":"),
    |dice| format!("ORD-{}-{}", dice.between(2015, 2030), dice.text(DIGITS, 8)),
    |dice| format!("{}_{}", identifier(dice), dice.text(ALNUM, 5)),
    |dice| format!("0x{}", hex(dice, 16)),
    |dice| format!("{}/{}/{}", word(dice), word(dice), identifier(dice)),
    |dice| format!("W/\"{}\"", hex(dice, 16)),
    |dice| format!("arn:aws:iam::{}:role/{}", dice.text(DIGITS, 12), identifier(dice)),
    |dice| dice.text(UPPER_DIGITS, 10),
    |dice| "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[dice.below(20)..].to_owned(),
    |dice| format!("Qm{}", dice.text(ALNUM, 44)),
    symbol,
    |dice| uuid(dice).to_uppercase(),
    |dice| {
        format!(
            "{}_{}-{}.{}",
            upper(dice),
            dice.text(UPPER_DIGITS, 4),
            dice.text(DIGITS, 4),
            dice.text(DIGITS, 3)
        )
    },
    |dice| {
        format!(
            "v{}h{}v{}H{}",
            dice.text(DIGITS, 3),
            dice.text(DIGITS, 2),
            dice.text(DIGITS, 3),
            dice.text(DIGITS, 3)
        )
    },
];

/// Blocks of text that go on for lines: what stands before a line, and the line.
pub(crate) fn block(dice: &mut Dice) -> (String, String) {
    let (before, sign) = (
        dice.one_of(&["\n", "\n", " ", "\n    ", "\\n", "\",\n    \"", "\" \"", "\n#", " \\\n  ", "\r\n"]),
        dice.below(6),
    );
    let line = |dice: &mut Dice| match sign {
        0..=2 => base64(&dice.bytes(48), false),
        3 => hex(dice, 64),
        4 => hex(dice, 64).to_uppercase(),
        _ => hex(dice, 16).to_uppercase(),
    };
    (
        format!("{}{before}", line(dice)),
        if dice.once_in(5) { base64(&dice.bytes(31), false) } else { line(dice) },
    )
}

/// A name as a linker knows it.
fn symbol(dice: &mut Dice) -> String {
    let words: Vec<String> = words(dice).into_iter().map(|word| format!("{}{word}", word.len())).collect();
    format!(
        "_Z{}{}{}",
        dice.one_of(&["N", "NK", "NSt", "St"]),
        words.concat(),
        dice.one_of(&["Ev", "EPKc", "Eiw", "EE", "C2Ev"])
    )
}

/// What stands where a secret would.
pub(crate) const STANDINS: &[Shape] = &[
    |dice| identifier(dice),
    |dice| format!("{}.{}", word(dice), identifier(dice)),
    |dice| format!("{}()", identifier(dice)),
    |dice| format!("process.env.{}", upper(dice)),
    |dice| format!("os.environ[\"{}\"]", upper(dice)),
    |dice| format!("os.getenv('{}')", upper(dice)),
    |dice| format!("${{{}}}", upper(dice)),
    |dice| format!("${}", upper(dice)),
    |dice| format!("${{{{ secrets.{} }}}}", upper(dice)),
    |dice| format!("{{{{ {} }}}}", identifier(dice)),
    |dice| format!("{{{{.Values.{}}}}}", identifier(dice)),
    |dice| format!("<{}>", hyphened(dice)),
    |dice| format!("<your-{}>", hyphened(dice)),
    |dice| format!("[{}]", hyphened(dice)),
    |dice| format!("your-{}", hyphened(dice)),
    |dice| format!("YOUR_{}", upper(dice)),
    |dice| format!("your_{}_here", word(dice)),
    |dice| format!("{}_HERE", upper(dice)),
    |dice| format!("my-{}-key", word(dice)),
    |dice| format!("example-{}", word(dice)),
    |dice| {
        dice.one_of(&[
            "changeme",
            "change-me",
            "CHANGE_ME",
            "changeit",
            "replace-me",
            "REPLACE_ME",
            "placeholder",
            "dummy",
            "example",
            "EXAMPLE",
            "secret",
            "password",
            "test",
            "testing",
            "foobar",
            "foo",
            "bar",
            "xxx",
            "none",
            "None",
            "null",
            "nil",
            "true",
            "false",
            "string",
            "str",
            "required",
            "optional",
            "undefined",
            "todo",
            "TODO",
            "redacted",
            "hidden",
            "REDACTED",
            "[REDACTED]",
            "<redacted>",
            "********",
            "••••••••",
            "...",
            "letmein",
            "admin",
            "root",
            "guest",
            "sample",
            "fake",
            "notasecret",
            "not-a-secret",
            "insecure",
            "default",
            "empty",
            "enter",
            "invalid",
            "expired",
            "missing",
            "pass",
            "file",
            "env",
            "vault",
            "keychain",
            "prompt",
            "bearer",
            "basic",
            "String",
            "&str",
            "Option<String>",
            "bytes",
            "varchar(255)",
            "VARCHAR(64)",
            "text",
            "TEXT",
            "int",
            "Buffer",
            "Secret<String>",
            "SecretString",
            "char*",
            "any",
        ])
        .to_owned()
    },
    |dice| {
        let length = dice.between(4, 40);
        dice.one_of(&["x", "X", "*", "0", ".", "-", "#", "a", "1"]).repeat(length)
    },
    |dice| format!("{}xxxxxxxxxxxxxxxx", dice.one_of(&["sk-", "ghp_", "AKIA", "key-", "pk_test_", ""])),
    |dice| format!("{}...", dice.text(ALNUM, 4)),
    |dice| format!("{}EXAMPLE{}", dice.text(ALNUM, 6), dice.text(ALNUM, 4)),
    |dice| {
        format!(
            "/etc/{}/{}.{}",
            word(dice),
            word(dice),
            dice.one_of(&["key", "pem", "txt", "json", "conf", "crt"])
        )
    },
    |dice| format!("./{}/{}", word(dice), hyphened(dice)),
    |dice| format!("https://{}.example.com/{}/{}", word(dice), word(dice), word(dice)),
    |dice| format!("{}:{}", word(dice), hyphened(dice)),
    |dice| format!("vault:secret/data/{}#{}", word(dice), word(dice)),
    |dice| format!("op://{}/{}/{}", word(dice), word(dice), word(dice)),
    |dice| format!("arn:aws:secretsmanager:us-east-1:{}:secret:{}", dice.text(DIGITS, 12), hyphened(dice)),
    |dice| hyphened(dice),
    |dice| upper(dice),
    |dice| word(dice),
    |dice| dice.between(0, 100_000).to_string(),
    |dice| format!("{}.{}", dice.between(0, 9), dice.between(0, 999)),
    |dice| plain_text(dice),
    |dice| format!("{}-{}-{}-{}", dice.text(LOWER, 3), word(dice), dice.between(1, 9), word(dice)),
    |dice| format!("{}{}", word(dice), dice.between(1, 9)),
    |dice| format!("{}{}{}", word(dice), dice.between(1, 9), capital(&identifier(dice))),
    |dice| format!("{}({}", capital(&word(dice)), identifier(dice)),
    |dice| format!("{}{}", upper(dice), dice.between(1, 512)),
    |dice| format!("%({})s", word(dice)),
    |dice| format!("{}::{}", capital(&word(dice)), identifier(dice)),
    |dice| format!("new {}()", capital(&identifier(dice))),
    |dice| format!("{}[{}]", identifier(dice), word(dice)),
    |dice| format!("{}-{}/{}", word(dice), word(dice), word(dice)),
    |dice| {
        dice.one_of(&[
            "abc123",
            "abcdef",
            "123456",
            "12345678",
            "1234567890",
            "0123456789abcdef",
            "deadbeef",
            "abcdefghijklmnop",
            "password123",
            "test1234",
            "secret123",
            "00000000-0000-0000-0000-000000000000",
            "abcd1234",
            "aaaaaaaa",
            "qwerty",
            "0123456789abcdef0123456789abcdef",
            "my_secret",
            "my-token",
            "token123",
            "test-token",
            "fake-token",
            "some-secret",
        ])
        .to_owned()
    },
    |dice| {
        dice.one_of(&[
            "Passwort",
            "Mot de passe",
            "Contraseña",
            "Enter your password",
            "Show token",
            "Пароль",
            "パスワード",
            "密码",
            "Palavra-passe",
            "Token expired",
            "Password is too short",
            "Choose a strong password",
            "Forgot your password?",
            "Wachtwoord vergeten",
            "Réinitialiser",
            "Schlüssel",
            "Forgot password",
            "Password:",
            "Hasło",
            "Adgangskode",
        ])
        .to_owned()
    },
];

fn hex(dice: &mut Dice, length: usize) -> String {
    dice.text(HEX, length)
}

fn two(dice: &mut Dice) -> String {
    format!("{:02}", dice.between(1, 12))
}

fn word(dice: &mut Dice) -> String {
    let words: Vec<&str> = PLAIN.split(' ').chain(CODE.split(' ')).collect();
    dice.one_of(&words).to_owned()
}

fn words(dice: &mut Dice) -> Vec<String> {
    (0..dice.between(1, 4)).map(|_| word(dice)).collect()
}

fn hyphened(dice: &mut Dice) -> String {
    words(dice).join("-")
}

fn upper(dice: &mut Dice) -> String {
    words(dice).join("_").to_uppercase()
}

fn plain_text(dice: &mut Dice) -> String {
    (0..dice.between(2, 7)).map(|_| word(dice)).collect::<Vec<_>>().join(" ")
}

pub(crate) fn identifier(dice: &mut Dice) -> String {
    let words = words(dice);
    match dice.below(3) {
        0 => words.join("_"),
        1 => words.iter().map(|word| capital(word)).collect(),
        _ => words[..1].iter().cloned().chain(words[1..].iter().map(|word| capital(word))).collect(),
    }
}

pub(crate) fn harmless_name(dice: &mut Dice) -> String {
    let name = dice.one_of(HASH_NAMES);
    styled(dice, name)
}
