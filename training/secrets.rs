//! Made-up secrets of the shapes that are met in the world, and the ways they are written down.

use crate::dice::{
    ALNUM, BASE32, DIGITS, Dice, HEX, LOWER, LOWER_DIGITS, PRINTABLE, UPPER_DIGITS, base64, uuid,
};
use crate::words::{PLAIN, SECRET_NAMES};

/// A maker of secrets: whether it needs a name beside it to be known for one, and how it is made.
type Shape = (bool, fn(&mut Dice) -> String);

pub(crate) const SHAPES: &[Shape] = &[
    (false, |dice| with_length(dice, ALNUM, &[20, 24, 32, 40, 48, 64])),
    (false, |dice| {
        let length = dice.between(16, 72);
        dice.text(ALNUM, length)
    }),
    (false, |dice| {
        let length = dice.one_of(&[&16, &20, &24, &30, &32, &48, &64]);
        base64(&dice.bytes(*length), false)
    }),
    (false, |dice| {
        let length = dice.one_of(&[&16, &20, &24, &32, &48, &64]);
        base64(&dice.bytes(*length), true)
    }),
    (true, |dice| with_length(dice, HEX, &[32, 40, 64])),
    (true, |dice| with_length(dice, HEX, &[16, 24, 32, 48, 56, 64, 128])),
    (true, |dice| {
        let length = dice.between(20, 64);
        dice.text(HEX, length)
    }),
    (true, |dice| with_length(dice, HEX, &[32, 40, 64]).to_uppercase()),
    (false, prefixed),
    (false, prefixed),
    (true, uuid),
    (true, |dice| with_length(dice, BASE32, &[16, 20, 26, 32, 52])),
    (true, |dice| {
        let length = dice.between(12, 40);
        dice.text(UPPER_DIGITS, length)
    }),
    (true, |dice| {
        let length = dice.between(12, 40);
        dice.text(LOWER_DIGITS, length)
    }),
    (true, human),
    (true, human),
    (true, human),
    (true, |dice| {
        let length = dice.between(8, 14);
        dice.text(PRINTABLE, length)
    }),
    (true, |dice| {
        let length = dice.between(12, 28);
        dice.text(PRINTABLE, length)
    }),
    (true, |dice| {
        let length = dice.between(8, 16);
        dice.text(ALNUM, length)
    }),
    (true, phrase),
    (true, phrase),
    (false, |dice| {
        format!("{}.{}.{}", base64(&dice.bytes(18), true), dice.text(ALNUM, 6), base64(&dice.bytes(27), true))
    }),
    (false, |dice| format!("{}:{}", dice.text(DIGITS, 10), base64(&dice.bytes(26), true))),
    (false, |dice| {
        let length = dice.between(40, 80);
        format!("{}.{}", dice.text(ALNUM, 12), base64(&dice.bytes(length), true))
    }),
    (false, |dice| base64(&dice.bytes(30), false)),
    (true, |dice| {
        let groups = dice.between(3, 6);
        grouped(dice, groups)
    }),
];

fn with_length(dice: &mut Dice, alphabet: &str, lengths: &[usize]) -> String {
    let length = lengths[dice.below(lengths.len())];
    dice.text(alphabet, length)
}

fn prefixed(dice: &mut Dice) -> String {
    let (first, second) = (dice.between(1, 5), dice.between(2, 5));
    let (mut prefix, sign) = (dice.text(LOWER, first), dice.one_of(&["_", "-", "."]));
    if dice.once_in(3) {
        prefix = format!(
            "{prefix}{sign}{}",
            dice.one_of(&["live", "prod", "test", "v1", "v2", "sec", "key", "pat", "app"])
        );
    } else if dice.once_in(3) {
        prefix = format!("{prefix}{sign}{}", dice.text(LOWER_DIGITS, second));
    }
    let length = dice.between(18, 64);
    let alphabet = dice.one_of(&[ALNUM, ALNUM, ALNUM, LOWER_DIGITS, HEX]);
    format!("{prefix}{sign}{}", dice.text(alphabet, length))
}

/// As a person thinks one up.
pub(crate) fn human(dice: &mut Dice) -> String {
    let words: Vec<&str> = PLAIN.split(' ').collect();
    let usual = [
        "password", "secret", "admin", "welcome", "super", "secure", "login", "pass", "root", "master", "my",
        "prod",
    ];
    let mut word = if dice.once_in(4) { dice.one_of(&usual) } else { dice.one_of(&words) }.to_owned();
    if !dice.once_in(3) {
        word = capital(&word);
    }
    if dice.once_in(3) {
        let second = if dice.once_in(4) { dice.one_of(&usual) } else { dice.one_of(&words) };
        word.push_str(dice.one_of(&["", "", "", "_", "-", ".", "!", "@", "+", "*", "#"]));
        word.push_str(&if dice.once_in(3) { second.to_owned() } else { capital(second) });
    }
    if dice.once_in(2) {
        word = leet(&word, dice);
    }
    let number = match dice.below(4) {
        0 => format!("{}", dice.between(1950, 2030)),
        1 => dice.text(DIGITS, 2),
        2 => dice.text(DIGITS, 3),
        _ => dice.text(DIGITS, 4),
    };
    let sign = dice.one_of(&["!", "!!", "#", "$", "@", "*", "?", "&", "%", "_", "-", "."]);
    match dice.below(5) {
        0 => format!("{word}{sign}{number}"),
        1 => format!("{word}{number}{sign}"),
        2 => format!("{number}{sign}{word}"),
        3 => format!("{sign}{word}{number}"),
        _ => format!("{word}{number}"),
    }
}

/// Some letters as signs that look like them.
fn leet(word: &str, dice: &mut Dice) -> String {
    let swaps =
        [('a', '@'), ('a', '4'), ('o', '0'), ('e', '3'), ('i', '1'), ('s', '$'), ('s', '5'), ('t', '7')];
    (0..2).fold(word.to_owned(), |word, _| {
        let (from, to) = swaps[dice.below(swaps.len())];
        word.replace(from, &to.to_string())
    })
}

/// Words with a sign between; with few words, letters are swapped or a number follows, or it would be a plain name.
fn phrase(dice: &mut Dice) -> String {
    let words: Vec<&str> = PLAIN.split(' ').collect();
    let sign = dice.one_of(&["-", ".", "_", "-", "+", " ", "-"]);
    let count = dice.between(2, 6);
    let mut words: Vec<String> = (0..count).map(|_| dice.one_of(&words).to_owned()).collect();
    if dice.once_in(3) {
        words = words.iter().map(|word| capital(word)).collect();
    }
    if count < 4 || dice.once_in(3) {
        let length = dice.between(2, 4);
        words.push(dice.text(DIGITS, length));
    }
    if dice.once_in(2) {
        let place = dice.below(count);
        words[place] = leet(&words[place], dice);
    }
    let text = words.join(sign);
    if dice.once_in(4) { text + dice.one_of(&["!", "?", "#", "*"]) } else { text }
}

fn grouped(dice: &mut Dice, groups: usize) -> String {
    let length = dice.between(4, 6);
    (0..groups).map(|_| dice.text(UPPER_DIGITS, length)).collect::<Vec<_>>().join("-")
}

pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// A name in one of the ways of writing names, with a word before it now and then.
pub(crate) fn styled(dice: &mut Dice, name: &str) -> String {
    let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
    if dice.once_in(3) {
        let code: Vec<&str> = crate::words::CODE.split(' ').collect();
        words.insert(0, dice.one_of(&code).to_owned());
    } else if dice.once_in(4) {
        words.insert(
            0,
            dice.one_of(&["prod", "stage", "dev", "my", "app", "aws", "gcp", "main", "web", "the", "new"])
                .to_owned(),
        );
    }
    match dice.below(7) {
        0 => words.join("_"),
        1 | 2 => words.join("_").to_uppercase(),
        3 => words[..1].iter().cloned().chain(words[1..].iter().map(|word| capital(word))).collect(),
        4 => words.join("-"),
        5 => words.iter().map(|word| capital(word)).collect(),
        _ => words.join("."),
    }
}

/// Ways to write a name `N` and a value `V`: what stands before the value, with the name's place.
pub(crate) const NAMED: &[&str] = &[
    "N=",
    "N=\"",
    "N = \"",
    "\"N\": \"",
    "N: ",
    "export N=\"",
    "export N=",
    "<N>",
    "--N ",
    "--N=",
    "-DN=",
    "N => '",
    "'N': '",
    "'N' => '",
    "let N = \"",
    "const N: &str = \"",
    "N := \"",
    "?N=",
    "&N=",
    "\"name\": \"N\", \"value\": \"",
    "N: \"",
    "N: '",
    "  N: ",
    "set N ",
    "var N = '",
    "private static final String N = \"",
    "define('N', '",
    "N | ",
    "N\t",
    "{\"N\":\"",
    "self.N = \"",
    "os.environ[\"N\"] = \"",
    "ENV N=",
    "ENV N ",
    "-e N=",
    "N='",
    "- N=",
    "- name: N\n  value: \"",
    "- name: N\n    value: ",
    "add key=\"N\" value=\"",
    "<entry key=\"N\">",
    "setN(\"",
    "the N is ",
    "N is: ",
    "N - ",
    "my N: ",
    "use N ",
    "N ->",
    "\"N\" \"",
    "$N = '",
    "N(\"",
    "#define N \"",
    ":N => \"",
    "N == \"",
    "N != ",
    "N=%22",
    "\\\"N\\\": \\\"",
    "N (",
    "N = b\"",
    "N = r'",
    "SET N TO '",
    "N;",
    "N ... ",
    "N to ",
    "changed the N to ",
    "N for the server is ",
    "N (prod): ",
    "N value: ",
    "N was ",
    "N will be \"",
    "N should be `",
    "with N ",
    "N of ",
    "N für den Server: ",
    "N lautet ",
    "le N est ",
    "el N es ",
    "N=`",
    "N: `",
    "N is now ",
    "log in, N: ",
    "user bob N ",
    "N **",
    "N] ",
    "[N: ",
    "(N=",
    "N='\"'",
    "N <- '",
    "N <- ",
    "N=$'",
    "N=(",
    "\\\"N\\\":\\\"",
    "&quot;N&quot;:&quot;",
    "<input name=\"N\" value=\"",
    "<N value=\"",
    "<string name=\"N\">",
    "<key>N</key>\n<string>",
    "name=\"N\"\r\n\r\n",
    "\"N\", \"",
    "N,",
    "N, ",
    "[\"N\"] = \"",
    "['N'] = '",
    ".N('",
    "put(\"N\", \"",
    "insert(\"N\".into(), \"",
    "N:\n  ",
    "N\n",
];

/// Ways to write a secret with no name of its own.
pub(crate) const UNNAMED: &[&str] = &[
    "Authorization: Bearer ",
    "Authorization: Token ",
    "-H \"Authorization: Bearer ",
    "authorization: Basic ",
    "'Authorization': 'Bearer ",
    "X-Api-Key: ",
    "x-api-key: ",
    "X-Auth-Token: ",
    "curl -u admin:",
    "curl -u ",
    "https://deploy:",
    "postgres://app:",
    "mysql://root:",
    "redis://:",
    "amqp://guest:",
    "mongodb+srv://admin:",
    "login admin password ",
    "machine example.org login ci password ",
    "sshpass -p ",
    "echo ",
    "admin,",
    "here you go: ",
    "PRIVATE-TOKEN: ",
    "Cookie: session=",
    "Set-Cookie: auth=",
    "client = Client(\"",
    "connect(\"db\", \"root\", \"",
    "docker login -p ",
    "--password-stdin <<< ",
    "//registry.npmjs.org/:_authToken=",
    "new Client('",
    "key ",
    "paste: ",
    "Api-Token ",
    "Proxy-Authorization: Basic ",
    "wss://bot:",
    "ftp://backup:",
    "smtps://mailer:",
    "jdbc:mysql://app:",
    "git clone https://oauth2:",
    "https://",
    "auth=(\"ops\", \"",
    "http --auth ops:",
    "wget --password=",
    "bearer_auth(\"",
    "Basic ",
    "access: ",
    "credentials: admin / ",
    "user: root pw: ",
    "echo -n '",
    "| ",
    "IDENTIFIED BY '",
    "new Stripe('",
    "Bearer ",
];

pub(crate) fn secret_name(dice: &mut Dice) -> String {
    let name = dice.one_of(SECRET_NAMES);
    styled(dice, name)
}
