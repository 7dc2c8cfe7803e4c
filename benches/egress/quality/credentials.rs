//! Credentials of many issuers, made up in their forms, and the texts that they are met in.

use super::dice::{ALNUM, DIGITS, Dice, HEX, LOWER_DIGITS, base64};
use super::fill::fill;

/// A kind of credential: its name, how it is made, and the texts it stands in: those for tuning, those held back.
pub(crate) type Kind = (&'static str, fn(&mut Dice) -> String, Texts);

/// Where a value can stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    /// Its form says what it is, so it may stand anywhere.
    Anywhere,
    /// Only a name for a secret says what it is.
    Named,
    /// As a password of a person or a service.
    Password,
    /// It is a text of its own.
    Whole,
}

pub(crate) const KINDS: &[Kind] = &[
    ("github", |dice| with_sum(dice.one_of(&["ghp_", "gho_", "ghs_", "ghu_"]), dice), Texts::Anywhere),
    ("github fine-grained", |dice| f("github_pat_{a:22}_{a:59}", dice), Texts::Anywhere),
    ("gitlab", |dice| f("glpat-{a:20}", dice), Texts::Anywhere),
    ("npm", |dice| with_sum("npm_", dice), Texts::Anywhere),
    ("pypi", |dice| f("pypi-AgEIcHlwaS5vcmc{bu:90}", dice), Texts::Anywhere),
    (
        "aws secret",
        |dice| dice.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40),
        Texts::Named,
    ),
    ("aws id", aws_id, Texts::Anywhere),
    ("google api", |dice| f("AIza{bu:26}", dice)[..39].to_owned(), Texts::Anywhere),
    ("google oauth", |dice| f("GOCSPX-{bu:21}", dice), Texts::Anywhere),
    ("slack bot", |dice| f("xoxb-{D:12}-{D:12}-{a:24}", dice), Texts::Anywhere),
    (
        "slack webhook",
        |dice| f("https://hooks.slack.com/services/T{ud:8}/B{ud:10}/{a:24}", dice),
        Texts::Anywhere,
    ),
    (
        "stripe",
        |dice| format!("{}{}", dice.one_of(&["sk_live_", "rk_live_"]), dice.text(ALNUM, 24)),
        Texts::Anywhere,
    ),
    ("openai", |dice| f("sk-proj-{a:58}T3BlbkFJ{a:58}", dice), Texts::Anywhere),
    ("anthropic", |dice| format!("sk-ant-api03-{}AA", &base64(&dice.bytes(70), true)[..93]), Texts::Anywhere),
    ("hugging face", |dice| format!("hf_{}", dice.text(&ALNUM[..52], 34)), Texts::Anywhere),
    (
        "sendgrid",
        |dice| {
            format!("SG.{}.{}", &base64(&dice.bytes(17), true)[..22], &base64(&dice.bytes(33), true)[..43])
        },
        Texts::Anywhere,
    ),
    ("digitalocean", |dice| f("dop_v1_{h:64}", dice), Texts::Anywhere),
    ("shopify", |dice| f("shpat_{h:32}", dice), Texts::Anywhere),
    ("databricks", |dice| f("dapi{h:32}", dice), Texts::Anywhere),
    ("vault", |dice| f("hvs.CAESI{bu:66}", dice), Texts::Anywhere),
    ("linear", |dice| f("lin_api_{a:40}", dice), Texts::Anywhere),
    ("grafana", |dice| f("glsa_{a:32}_{h:8}", dice), Texts::Anywhere),
    ("doppler", |dice| f("dp.pt.{a:43}", dice), Texts::Anywhere),
    (
        "telegram",
        |dice| format!("{}:AA{}", dice.text("123456789", 10), &base64(&dice.bytes(26), true)[..33]),
        Texts::Anywhere,
    ),
    (
        "discord bot",
        |dice| {
            let id = format!("{}{}", dice.one_of(&["7", "8", "9"]), dice.text(DIGITS, 17));
            format!(
                "{}.G{}.{}",
                base64(id.as_bytes(), true),
                dice.text(ALNUM, 5),
                base64(&dice.bytes(28), true)
            )
        },
        Texts::Anywhere,
    ),
    ("mailgun", |dice| f("key-{h:32}", dice), Texts::Named),
    ("twilio", |dice| f("SK{h:32}", dice), Texts::Named),
    ("jwt", jwt, Texts::Anywhere),
    ("private key", pem, Texts::Whole),
    (
        "age key",
        |dice| format!("AGE-SECRET-KEY-1{}", dice.text("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
        Texts::Anywhere,
    ),
    ("azure storage", |dice| f("{b:64}", dice), Texts::Named),
    (
        "opaque token",
        |dice| {
            let length = dice.between(24, 64);
            dice.text(ALNUM, length)
        },
        Texts::Named,
    ),
    (
        "opaque base64",
        |dice| {
            let length = dice.one_of(&[&24, &30, &32, &48]);
            base64(&dice.bytes(*length), dice.once_in(2))
        },
        Texts::Named,
    ),
    (
        "opaque hex",
        |dice| {
            let length = dice.one_of(&[&32, &40, &64]);
            dice.text(HEX, *length)
        },
        Texts::Named,
    ),
    (
        "opaque lower",
        |dice| {
            let length = dice.between(20, 40);
            dice.text(LOWER_DIGITS, length)
        },
        Texts::Named,
    ),
    ("password", password, Texts::Password),
    ("password", password, Texts::Password),
    (
        "password",
        |dice| {
            let length = dice.between(10, 20);
            dice.text("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!#%*+-=?@_", length)
        },
        Texts::Password,
    ),
];

pub(crate) const ANYWHERE: [&[&str]; 2] = [
    &[
        "{W}_TOKEN={V}\n",
        "token: \"{V}\"\n",
        "curl -H 'Authorization: Bearer {V}' https://{w}.internal/v1/{w}\n",
        "// TODO remove before merge\nconst client = connect('{V}');\n",
        "| {w} | {V} | active |\n",
        "{first}: can you try with {V} and tell me if it works?\n",
        "{\"service\":\"{w}\",\"credential\":\"{V}\",\"ttl\":{n}}\n",
        "20{d:2}-{m}-{day} 10:{d:2}:07 DEBUG {w} - using {V}\n",
        "https://api.{w}.dev/v2/{w}?access_token={V}&page={n}\n",
        "git remote set-url origin https://x:{V}@git.{w}.dev/{w}/{w}.git\n",
        "{w},{V},{n}\n",
        "-   old: {V}\n+   new: vault\n",
    ],
    &[
        "[{w}]\nregion = eu-{n}\nkey = {V}\n",
        "    headers.set(\"x-{w}-auth\", \"{V}\");\n",
        "<property name=\"{w}\">{V}</property>\n",
        "docker run -e {W}_AUTH={V} -p {n}:80 {w}/{w}:latest\n",
        "Hi {first},\nhere is what you need for {w}: {V}\nPlease keep it safe.\nBest, {first}\n",
        "INSERT INTO integrations (id, name, secret_value) VALUES ({n}, '{w}', '{V}');\n",
        "  - name: {W}_ACCESS\n    value: {V}\n",
        "$ echo {V} | {w} login --stdin\nLogin succeeded\n",
        "{\"cells\":[{\"source\":[\"import {w}\\n\",\"{w}.init(\\\"{V}\\\")\\n\"]}]}\n",
        "resource \"{w}_provider\" \"main\" {\n  endpoint = \"https://{w}.example\"\n  auth     = \"{V}\"\n}\n",
        "---------- Forwarded message\nSubject: access for {w}\n> {V}\n",
        "--- a/{w}.py\n+++ b/{w}.py\n@@ -{n},3 +{n},4 @@\n+    session = {w}.Session(\"{V}\")\n",
    ],
];

pub(crate) const NAMED: [&[&str]; 2] = [
    &[
        "{W}_SECRET_KEY={V}\n",
        "{w}_api_key: {V}\n",
        "\"clientSecret\": \"{V}\",\n",
        "export {W}_AUTH_TOKEN='{V}'\n",
        "app.config['SECRET_KEY'] = '{V}'\n",
        "X-Api-Key: {V}\n",
        "<apiKey>{V}</apiKey>\n",
        "--auth-token {V} --region {w}\n",
        "spring.{w}.secret={V}\n",
        "the access token for {w} is {V}\n",
        "var accessKey = \"{V}\";\n",
    ],
    &[
        "{w}:\n  credentials:\n    id: {w}-{n}\n    signing_key: \"{V}\"\n",
        "private static final String {W}_API_SECRET = \"{V}\";\n",
        "define( 'AUTH_KEY', '{V}' );\n",
        "$ {w} config set token {V}\n",
        "{\"{w}\":{\"refreshToken\":\"{V}\",\"expires\":{n}}}\n",
        "webhookSecret => '{V}',\n",
        "ENCRYPTION_KEY=\"{V}\" # rotated by {first}\n",
        "DefaultEndpointsProtocol=https;AccountName={w};AccountKey={V};EndpointSuffix=core.windows.net\n",
        "POST /{w} HTTP/1.1\r\nHost: {w}.dev\r\nAuthorization: Token {V}\r\nContent-Length: {n}\r\n\r\n",
        "let master_key = b\"{V}\";\n",
        "hmac_secret = {V}\n",
        "apikey for staging ({w}): {V}\n",
    ],
];

pub(crate) const PASSWORDS: [&[&str]; 2] = [
    &[
        "DB_PASSWORD={V}\n",
        "password: {V}\n",
        "postgresql://{w}:{V}@db.{w}.internal:5432/{w}\n",
        "\"passwd\": \"{V}\"\n",
        "user={w} password={V} host={w}\n",
        "login: {w}\npass: {V}\n",
        "mysql -u root -p'{V}' {w}\n",
        "smtp_password = \"{V}\"\n",
    ],
    &[
        "spring.datasource.password={V}\n",
        "mongodb://{w}:{V}@{w}-{n}.{w}.net/admin\n",
        "machine {w}.dev login {w} password {V}\n",
        "ALTER ROLE {w} WITH PASSWORD '{V}';\n",
        "  ADMIN_PASSWORD: '{V}'\n",
        "sshpass -p '{V}' ssh {w}@{w}\n",
        "{first} the new wifi password is {V}\n",
        "<connectionString>Server={w};User Id={w};Password={V};</connectionString>\n",
        "redis://:{V}@cache.{w}:6379/0\n",
        "ansible_become_pass: {V}\n",
        "Das Passwort lautet: {V}\n",
        "{\"username\":\"{w}\",\"password\":\"{V}\"}\n",
    ],
];

pub(crate) fn f(template: &str, dice: &mut Dice) -> String {
    fill(template, "", dice)
}

/// Thirty letters and their CRC-32 in base 62, as GitHub and npm do.
pub(crate) fn with_sum(prefix: &str, dice: &mut Dice) -> String {
    let body = dice.text(ALNUM, 30);
    let mut sum = super::encode::crc32(body.as_bytes());
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(char::from(alphabet[(sum % 62) as usize]));
        sum /= 62;
    }
    let sum: String = digits.iter().rev().collect();
    format!("{prefix}{body}{sum}")
}

/// Its sixteen letters of base32 hold the number of an account, twelve digits.
fn aws_id(dice: &mut Dice) -> String {
    let account = dice.between(100_000_000_000, 999_999_999_999) as u128;
    let all = 1 << 79 | account << 39 | u128::from(dice.next()) & ((1 << 39) - 1);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters: String =
        (0..16).map(|at| char::from(alphabet[(all >> (75 - 5 * at) & 31) as usize])).collect();
    format!("AKIA{letters}")
}

fn jwt(dice: &mut Dice) -> String {
    let head = dice.one_of(&[
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"kid\":\"k1\"}",
        "{\"typ\":\"JWT\",\"alg\":\"ES256\"}",
    ]);
    let body = fill("[\"sub\":\"{D:8}\",\"scope\":\"{w}\",\"iat\":17{d:8}]", "", dice)
        .replace('[', "{")
        .replace(']', "}");
    format!(
        "{}.{}.{}",
        base64(head.as_bytes(), true),
        base64(body.as_bytes(), true),
        base64(&dice.bytes(32), true)
    )
}

fn pem(dice: &mut Dice) -> String {
    let (word, begin) = dice
        .one_of(&[
            &("RSA ", "MIIEpAIBAAKCAQEA"),
            &("EC ", "MHcCAQEEI"),
            &("", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"),
            &("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAA"),
        ])
        .to_owned();
    let bytes = dice.between(100, 800);
    let body = format!("{begin}{}", base64(&dice.bytes(bytes), false));
    let lines: Vec<String> =
        body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {word}PRIVATE KEY-----\n{}\n-----END {word}PRIVATE KEY-----\n", lines.join("\n"))
}

fn password(dice: &mut Dice) -> String {
    let words = [
        "Harbour", "violet", "Kraken", "mustard", "Sunrise", "pelican", "Granite", "walnut", "Lobster",
        "saffron", "Mammoth", "tornado",
    ];
    let leet = |word: &str, dice: &mut Dice| {
        if dice.once_in(2) { word.replace('a', "4").replace('o', "0") } else { word.to_owned() }
    };
    let word = leet(dice.one_of(&words), dice);
    let sign = dice.one_of(&["!", "#", "_", "*", "-", "?", "+"]);
    match dice.below(4) {
        0 => format!("{word}{sign}{}", dice.between(10, 9999)),
        1 => format!("{word}{}{sign}", dice.between(1960, 2026)),
        2 => format!("{}{sign}{word}{}", dice.one_of(&words), dice.between(1, 99)),
        _ => format!("{}-{}-{}-{}", dice.one_of(&words), word, dice.one_of(&words), dice.between(10, 99))
            .to_lowercase(),
    }
}
