//! Takes what is personal out of an event while it is written as JSON.
//!
//! Pure. Every value has one of two places: in the leaf, or aside. What the schema does not know goes aside.

use crate::audit::json::Harmless;
use crate::audit::schema::{self, Class, EventSchema};
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::LazyLock;

/// An event in two parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Its JSON without what is personal.
    pub(super) shown: Vec<u8>,
    /// What is personal: an object of JSON pointers into `data` and their values. Empty where nothing is.
    pub(super) hidden: Vec<u8>,
    aside: bool,
}

impl Parts {
    fn target(&mut self) -> &mut Vec<u8> {
        if self.aside { &mut self.hidden } else { &mut self.shown }
    }
}

/// Writes an event of this name behind what `shown` has already. What has no name has nothing that is personal.
pub(super) fn split(
    name: Option<&str>,
    event: &impl Serialize,
    shown: Vec<u8>,
) -> Result<Parts, serde_json::Error> {
    let parts = RefCell::new(Parts { shown, ..Parts::default() });
    let next = name.map_or(&Node::Shown, |name| ROOTS.get(name).unwrap_or(&UNKNOWN));
    let splitter = Splitter { parts: &parts, frames: Vec::with_capacity(8), next, pending: false, cut: None };
    event.serialize(&mut Serializer::with_formatter(Sink(&parts), splitter))?;
    let mut parts = parts.into_inner();
    if !parts.hidden.is_empty() {
        parts.hidden.push(b'}');
    }
    Ok(parts)
}

/// What the schema says of a value.
#[derive(Debug)]
enum Node {
    /// All of it may be in the leaf.
    Shown,
    /// Nothing of it may.
    Personal,
    /// That depends on what is in it.
    Tree(Vec<(&'static str, Node)>),
    /// That depends on what its elements are.
    Each(Box<Node>),
}

static UNKNOWN: LazyLock<Node> = LazyLock::new(|| whole(Node::Tree(Vec::new())));
static ROOTS: LazyLock<HashMap<&'static str, Node>> =
    LazyLock::new(|| schema::events().iter().map(|event| (event.name, whole(of_event(event)))).collect());

/// The node of an event whose `data` this is.
fn whole(data: Node) -> Node {
    Node::Tree(vec![("data", data), ("event", Node::Shown), ("cut", Node::Shown)])
}

fn of_event(event: &'static EventSchema) -> Node {
    let mut root = Node::Tree(Vec::new());
    for field in &event.fields {
        add(&mut root, &field.path, field.class);
    }
    settled(root)
}

fn add(to: &mut Node, path: &'static str, class: Class) {
    let leaf = || if class >= Class::Personal { Node::Personal } else { Node::Shown };
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = step.trim_end_matches("[]");
    let inner = if name == "*" {
        each(to)
    } else {
        let Node::Tree(children) = to else { return };
        let at = children.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            children.push((name, Node::Tree(Vec::new())));
            children.len() - 1
        });
        let Some((_, inner)) = children.get_mut(at) else { return };
        inner
    };
    let inner = (0..(step.len() - name.len()) / 2).fold(inner, |inner, _| each(inner));
    if rest.is_empty() { *inner = leaf() } else { add(inner, rest, class) }
}

/// The elements of a value.
fn each(of: &mut Node) -> &mut Node {
    if !matches!(of, Node::Each(_)) {
        *of = Node::Each(Box::new(Node::Tree(Vec::new())));
    }
    match of {
        Node::Each(inner) => inner,
        other => other,
    }
}

/// Elements that are all alike make their list so.
fn settled(node: Node) -> Node {
    match node {
        Node::Tree(children) => {
            Node::Tree(children.into_iter().map(|(name, child)| (name, settled(child))).collect())
        }
        Node::Each(inner) => match settled(*inner) {
            alike @ (Node::Shown | Node::Personal) => alike,
            mixed => Node::Each(Box::new(mixed)),
        },
        leaf => leaf,
    }
}

/// Where a value is.
#[derive(Debug, Clone, Copy)]
enum Step {
    Name(&'static str),
    Index(usize),
}

/// An object or list that is being written to the leaf.
struct Frame {
    node: &'static Node,
    /// Members so far that are in the leaf, or elements so far.
    count: usize,
    step: Step,
}

/// A value that is being written aside.
struct Aside {
    /// Its name, where the schema knows it.
    name: Option<&'static str>,
    /// Where its member begins, and its value.
    begin: usize,
    value: usize,
    /// Objects and lists of it that are open.
    depth: usize,
}

struct Splitter<'a> {
    parts: &'a RefCell<Parts>,
    frames: Vec<Frame>,
    /// What the schema says of the value that comes.
    next: &'static Node,
    /// A key comes, and nothing of it is written yet.
    pending: bool,
    cut: Option<Aside>,
}

impl Splitter<'_> {
    /// The key of a member is known: its place is decided.
    fn key(&mut self, name: &str) {
        self.pending = false;
        let Some((frame, above)) = self.frames.split_last_mut() else { return };
        let known = match frame.node {
            Node::Tree(children) => children.iter().find(|(known, _)| *known == name),
            _ => None,
        };
        let node = match (frame.node, known) {
            (Node::Shown, _) => &Node::Shown,
            (_, Some((_, node))) => node,
            (Node::Each(inner), None) => &**inner,
            _ => &Node::Personal,
        };
        let mut parts = self.parts.borrow_mut();
        if let Node::Personal = node {
            let begin = parts.hidden.len();
            parts.aside = true;
            parts.hidden.extend(if begin == 0 { b"{\"" } else { b",\"" });
            // The first is the event's, whose member is `data`.
            for frame in above.iter().skip(1) {
                // Writing to a Vec never fails.
                match frame.step {
                    Step::Name(name) => write!(parts.hidden, "/{name}"),
                    Step::Index(index) => write!(parts.hidden, "/{index}"),
                }
                .unwrap_or_default();
            }
            parts.hidden.push(b'/');
            self.cut = Some(Aside { name: known.map(|(name, _)| *name), begin, value: 0, depth: 0 });
            return;
        }
        parts.shown.extend(if frame.count == 0 { &b"\""[..] } else { b",\"" });
        frame.count += 1;
        self.next = node;
        if let Some((name, _)) = known {
            frame.step = Step::Name(name);
        }
    }

    fn begin(&mut self) {
        match &mut self.cut {
            Some(cut) => cut.depth += 1,
            None => self.frames.push(Frame { node: self.next, count: 0, step: Step::Index(0) }),
        }
    }

    fn end(&mut self) {
        match &mut self.cut {
            Some(cut) => cut.depth -= 1,
            None => drop(self.frames.pop()),
        }
    }

    /// A value that was written aside is whole. One that says nothing goes to the leaf after all.
    fn end_aside(&mut self) {
        let Some(cut) = self.cut.take_if(|cut| cut.depth == 0) else { return };
        let mut parts = self.parts.borrow_mut();
        parts.aside = false;
        let value = parts.hidden.get(cut.value..).unwrap_or_default();
        let empty = [&b"null"[..], b"\"\"", b"[]", b"{}"].into_iter().find(|empty| *empty == value);
        if let (Some(empty), Some(name), Some(frame)) = (empty, cut.name, self.frames.last_mut()) {
            parts.hidden.truncate(cut.begin);
            let comma = if frame.count == 0 { "" } else { "," };
            write!(parts.shown, "{comma}\"{name}\":").unwrap_or_default();
            parts.shown.extend(empty);
            frame.count += 1;
        }
    }
}

/// Everything that is not overridden is written by the serializer as usual, to wherever the value belongs.
struct Sink<'a>(&'a RefCell<Parts>);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().target().extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Formatter for Splitter<'_> {
    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin();
        to.write_all(b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.end();
        to.write_all(b"}")
    }

    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin();
        to.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.end();
        to.write_all(b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if self.cut.is_none()
            && let Some(frame) = self.frames.last_mut()
        {
            self.next = match frame.node {
                Node::Each(inner) => inner,
                other => other,
            };
            frame.step = Step::Index(frame.count);
            frame.count += 1;
        }
        if first { Ok(()) } else { to.write_all(b",") }
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if self.cut.is_none() {
            self.pending = true;
            return Ok(());
        }
        if first { Ok(()) } else { to.write_all(b",") }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b":")?;
        if let Some(cut) = self.cut.as_mut().filter(|cut| cut.depth == 0) {
            cut.value = self.parts.borrow().hidden.len();
        }
        Ok(())
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.end_aside();
        Ok(())
    }

    fn begin_string<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        if self.pending { Ok(()) } else { to.write_all(b"\"") }
    }

    fn end_string<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        if self.pending {
            self.key("");
        }
        to.write_all(b"\"")
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, to: &mut W, text: &str) -> io::Result<()> {
        if self.pending {
            self.key(text);
            // The letters that mean something in a pointer.
            if self.cut.as_ref().is_some_and(|cut| cut.name.is_none()) && text.contains(['~', '/']) {
                let text = text.replace('~', "~0").replace('/', "~1");
                return Harmless.write_string_fragment(to, &text);
            }
        }
        Harmless.write_string_fragment(to, text)
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, to: &mut W, letter: CharEscape) -> io::Result<()> {
        if self.pending {
            self.key("");
        }
        Harmless.write_char_escape(to, letter)
    }
}
