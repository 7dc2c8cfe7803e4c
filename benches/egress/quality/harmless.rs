//! Text without secrets that looks as if it had some: what a tool must leave alone.

use super::dice::{DIGITS, Dice};
use super::fill::fill;
use super::number;

/// A kind of text, and its templates: for tuning, held back.
pub(crate) const KINDS: &[(&str, [&[&str]; 2])] = &[
    (
        "lockfile",
        [
            &[
                "    \"node_modules/{w}\": {\n      \"version\": \"{v}\",\n      \"resolved\": \"https://registry.npmjs.org/{w}/-/{w}-{v}.tgz\",\n      \"integrity\": \"sha512-{b:64}\"\n    },\n",
                "[[package]]\nname = \"{w}\"\nversion = \"{v}\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{h:64}\"\n\n",
            ],
            &[
                "{w}@^{v}:\n  version \"{v}\"\n  resolved \"https://registry.yarnpkg.com/{w}/-/{w}-{v}.tgz#{h:40}\"\n  integrity sha512-{b:64}\n\n",
                "github.com/{w}/{w} v{v} h1:{b:32}\ngithub.com/{w}/{w} v{v}/go.mod h1:{b:32}\n",
                "{w}=={v} \\\n    --hash=sha256:{h:64} \\\n    --hash=sha256:{h:64}\n",
                "  /{w}@{v}:\n    resolution: {integrity: sha512-{b:64}}\n    engines: {node: '>={n}'}\n",
                "    {file = \"{w}-{v}-py3-none-any.whl\", hash = \"sha256:{h:64}\"},\n",
            ],
        ],
    ),
    (
        "hashes",
        [
            &[
                "commit {h:40}\nAuthor: {first} {last}\n\n    {w}: fix {w}\n\n",
                "{h:64}  {w}-{v}.tar.gz\n",
                "FROM {w}:{v}@sha256:{h:64}\n",
                "index {h:7}..{h:7} 100644\n--- a/{w}.c\n+++ b/{w}.c\n",
            ],
            &[
                "<script src=\"/{w}.js\" integrity=\"sha384-{b:48}\" crossorigin=\"anonymous\"></script>\n",
                "{h:32} *{w}.iso\n",
                "uses: actions/{w}@{h:40} # v{v}\n",
                "\"etag\": \"\\\"{h:32}\\\"\",\n\"lastModified\": \"2024-{m}-{day}T0{d:1}:00:00Z\"\n",
                "sha256 = \"{ld:52}\";\nrev = \"{h:40}\";\n",
                "tree {h:40}\nparent {h:40}\n",
                "SHA1 Fingerprint={H:2}:{H:2}:{H:2}:{H:2}:{H:2}:{H:2}:{H:2}:{H:2}\n",
                "image: registry.{w}.io/{w}/{w}@sha256:{h:64}\n",
                "md5sum: {h:32}\n",
            ],
        ],
    ),
    (
        "ids",
        [
            &[
                "request_id={uuid} trace_id={h:32} span={h:16} took {n}ms\n",
                "{\"id\":\"{uuid}\",\"name\":\"{w}\",\"parent\":\"{uuid}\"}\n",
                "pod/{w}-{h:10}-{ld:5}   1/1   Running   0   {n}h\n",
            ],
            &[
                "arn:aws:ec2:eu-west-1:{D:12}:instance/i-0{h:17}\n",
                "{\"_id\":{\"$oid\":\"{h:24}\"},\"sku\":\"{ud:12}\"}\n",
                "correlationId: {uuid}\n",
                "vpc-0{h:17} subnet-0{h:17} sg-0{h:17}\n",
                "ulid 01H{ud:23}\n",
                "/assets/{w}.{h:8}.chunk.js\n",
                "class=\"css-{ld:6} {w}__{w}--{a:5}\"\n",
                "https://www.youtube.com/watch?v={a:11}\n",
                "doc id 1{a:43}\n",
                "mac {h:2}:{h:2}:{h:2}:{h:2}:{h:2}:{h:2}\n",
            ],
        ],
    ),
    (
        "stand-ins",
        [
            &[
                "API_KEY=your-api-key-here\n",
                "password: changeme\n",
                "token = os.environ[\"{W}_TOKEN\"]\n",
                "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n",
                "secret: ${{W}_SECRET}\n",
                "\"apiKey\": \"<API_KEY>\"\n",
            ],
            &[
                "client_secret: {{ .Values.{w}.clientSecret }}\n",
                "const password = process.env.{W}_PASSWORD;\n",
                "  token: ${{ secrets.{W}_TOKEN }}\n",
                "password=********\n",
                "PASSWORD=\n",
                "api_key = var.{w}_api_key\n",
                "Authorization: Bearer <token>\n",
                "secretKeyRef:\n  name: {w}-secrets\n  key: {w}-password\n",
                "private_key = file(\"~/.ssh/id_rsa\")\n",
                "curl -u username:password https://{w}.example.com\n",
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
                "String password = request.getParameter(\"password\");\n",
                "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
                "passwordResetTokenExpiry: 3600\n",
                "postgres://user:password@localhost:5432/{w}\n",
                "token: vault:secret/data/{w}#token\n",
                "password_hash_algorithm: argon2id\n",
                "if (token == null) throw new TokenExpiredException();\n",
                "mysql://{w}:${DB_PASSWORD}@db/{w}\n",
                "credentials_file: /etc/{w}/credentials.json\n",
                "'token' => env('{W}_TOKEN'),\n",
                "sk-ant-...\n",
                "password = get_password(\"{w}\")\n",
                "op://{w}/{w}/password\n",
            ],
        ],
    ),
    (
        "texts of an interface",
        [
            &[
                "\"login.password\": \"Passwort\",\n\"login.forgot\": \"Passwort vergessen?\",\n",
                "token_expired: Your session has expired\n",
            ],
            &[
                "msgid \"Enter your password\"\nmsgstr \"Entrez votre mot de passe\"\n",
                "\"apiKeyHelp\": \"Create an API key in the settings of {w}\",\n",
                "<label for=\"password\">New password</label>\n",
                "password.too.short=The password must have at least {n} characters\n",
                "\"secretQuestion\": \"Name of your first pet\"\n",
                "'token.invalid' => 'Das Token ist ungültig',\n",
            ],
        ],
    ),
    (
        "code",
        [
            &[
                "fn {w}_{w}(key: &str, value: Option<String>) -> Result<Token, Error> {\n    let token = self.tokens.get(key)?;\n",
                "for (const key of Object.keys({w})) { {w}[key] = {w}Key[key] ?? null; }\n",
            ],
            &[
                "!function(e,t){var n=t(\"{ld:4}\"),r=n.{w}.{w};e.exports={key:r,token:n({n}),a:\"{w}\"}}(this,{n});\n",
                "public class {w}KeyStore extends KeyStoreSpi { private final char[] password; }\n",
                "def test_{w}_password_is_hashed(self):\n    self.assertNotEqual(user.password, password)\n",
                "SELECT key_id, secret_name, token_count FROM {w} WHERE api_key_id = ${n};\n",
                "#define {W}_KEY_SIZE {n}\n#define {W}_TOKEN_MAX 0x{h:8}\n",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b:32} {w}@{w}\n",
                "-----BEGIN CERTIFICATE-----\nMII{b:45}\n{b:48}\n{b:48}\n{b:24}\n-----END CERTIFICATE-----\n",
                "primaryKey: [tenantId, {w}Id]\nforeignKey: {w}_{w}_id\n",
                ".{w}-token-{n} { color: #{h:6}; background: url(data:image/png;base64,iVBORw0KGgo{b:90}); }\n",
                "max_tokens: {n}, tokenizer: \"{w}-base\", pad_token_id: {n}\n",
                "keyboard: {w}, hotkey: ctrl+shift+{l:1}, key: Enter\n",
                "const uint32_t K[] = {0x{h:8}, 0x{h:8}, 0x{h:8}, 0x{h:8}, 0x{h:8}};\n",
            ],
        ],
    ),
    (
        "numbers",
        [
            &["order 4{d:15x}\n", "epoch {D:13} {D:10}\n", "{D:4}-{D:4} {D:3}.{D:3}.{D:2}.{D:2}\n"],
            &[
                "order number {X:card}\n",
                "tracking 1Z{ud:16}\n",
                "ISBN 978-3-16-{d:6}-{d:1}\n",
                "reference {X:iban}\n",
                "part no {X:area}\n",
                "case {D:3}-{D:3}-{D:5}\n",
                "invoice INV-2024-{D:6}, total {D:4}.{d:2}\n",
                "{D:2}.{d:6}, -{D:2}.{d:6}\n",
                "2024-{m}-{day} 1{d:1}:{m}:{day} {D:3}.{D:2}.{D:2}.{D:2} GET /{w}/{D:9} 200 {D:5}\n",
                "build {D:9} of {D:10}\n",
                "EAN {D:13}\n",
                "serial {D:4} {D:4} {D:4} {D:3}\n",
                "score {D:3}-{D:2}\n",
                "pages {D:3}-{D:3}\n",
                "v{D:1}.{D:2}.{D:4}.{D:5}\n",
                "{D:16},{D:16},{D:16}\n",
                "ts=16{d:8}.{d:6} pid={D:5} tid={D:6}\n",
                "0.{d:16} 0.{d:16} 1.{d:15}e-{D:1}\n",
            ],
        ],
    ),
    (
        "plain text",
        [
            &["{first} met {first} in {w}, and they talked about the {w} for {n} minutes.\n"],
            &[
                "The password policy asks for {n} characters; tokens live for {n} days. Secrets belong in the vault.\n",
                "Im Quartal wurden {n} Bestellungen über {w} bearbeitet; siehe Abschnitt {n}.{n}.\n",
                "See RFC {D:4}, section {n}, and CVE-20{d:2}-{D:5}.\n",
                "To rotate keys, run `{w} keys rotate --all` and restart {w}.\n",
                "La clave del éxito es la paciencia.\n",
            ],
        ],
    ),
];

/// A text of this template, with numbers that fail their checksums where it asks for them.
pub(crate) fn made(template: &str, dice: &mut Dice) -> String {
    let broken = |text: String, dice: &mut Dice| -> String {
        let last = text.rfind(|letter: char| letter.is_ascii_digit()).unwrap();
        let digit = text.as_bytes()[last] - b'0';
        let other = (digit + 1 + dice.below(8) as u8) % 10;
        format!("{}{other}{}", &text[..last], &text[last + 1..])
    };
    let template = template.replace("4{d:15x}", "{X:card}");
    let mut text = fill(&template, "", dice);
    if text.contains("{X:card}") {
        let number = number::card(dice);
        text = text.replace("{X:card}", &broken(number, dice));
    }
    if text.contains("{X:iban}") {
        let number = number::iban(dice);
        text = text.replace("{X:iban}", &broken(number, dice));
    }
    let area = format!(
        "{}-{}-{}",
        dice.one_of(&["000", "666", "900", "987"]),
        dice.text(DIGITS, 2),
        dice.text(DIGITS, 4)
    );
    text.replace("{X:area}", &area)
}
