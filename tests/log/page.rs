//! aisandbox-audit(7) has every event as the table has it.

use aisandbox::audit::schema::{self, Class, EventSchema};
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = ".\\\" Made from src/audit/schema by: BLESS=1 cargo test --test log page\n";
const END: &str = ".\\\" End of what is made\n";

fn item(event: &EventSchema) -> String {
    let (low, high) = event.cef.severity;
    let severity = if low == high { low.to_string() } else { format!("{low} to {high}") };
    let types: Vec<String> = event.ocsf.iter().map(ToString::to_string).collect();
    let mut text = format!(".It Cm {}\n{}\n", event.name, event.meaning);
    writeln!(text, "Version {}, {};", event.version, event.durability.word()).unwrap();
    for (last, line) in lines(&types) {
        writeln!(
            text,
            "{}{line}{}",
            if text.contains("OCSF") { "" } else { "OCSF " },
            if last { ";" } else { "," }
        )
        .unwrap();
    }
    writeln!(text, "CEF\n.Dq {} ,\n{severity};", event.cef.name).unwrap();
    writeln!(text, "ECS {}: {}.", event.ecs.category, event.ecs.types.join(", ")).unwrap();
    for class in [Class::Personal, Class::Internal] {
        let fields: Vec<&str> = event
            .fields
            .iter()
            .filter(|field| field.class == class)
            .map(|field| field.path.as_str())
            .collect();
        let Some((last, others)) = fields.split_last() else { continue };
        let mut name = class.word().to_owned();
        name[..1].make_ascii_uppercase();
        writeln!(text, "{name}:").unwrap();
        others.iter().for_each(|field| writeln!(text, ".Ic {field} ,").unwrap());
        writeln!(text, ".Ic {last} .").unwrap();
    }
    text
}

/// Numbers in lines of ten.
fn lines(numbers: &[String]) -> Vec<(bool, String)> {
    let count = numbers.len().div_ceil(10);
    let joined = numbers.chunks(10).map(|some| some.join(", ")).enumerate();
    joined.map(|(at, line)| (at + 1 == count, line)).collect()
}

#[test]
fn the_page_has_every_event_with_its_classes_and_names() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/aisandbox-audit.7");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (told, after) = rest.split_once(END).unwrap();
    let wanted: String = schema::events().iter().map(item).collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert!(told == wanted, "the page is old: BLESS=1 cargo test --test log page");
}

#[test]
fn every_word_of_the_classes_is_in_the_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/aisandbox-audit.7");
    let page = std::fs::read_to_string(path).unwrap();
    for class in Class::ALL {
        assert!(page.contains(&format!("\n.It Cm {}\n", class.word())), "{class}");
    }
}
