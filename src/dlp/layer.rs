//! Applies the rules to one layer of bytes, and to every layer that is encoded in it.

use super::carve::{self, Decoded};
use super::containers::{self, End, Packed};
use super::context;
use super::engine::Engine;
use super::exact::What;
use super::finding::Unscannable;
use super::looking::Looking;
use super::map::Map;
use super::settle::{best, settle};
use super::work::{self, Work};
use super::{escapes, letters, mail, numbers, separated, wide};

/// Layers inside each other that are looked into.
pub(super) const DEEPEST: usize = 4;
/// The most hits of one layer; more is no text that anybody reads.
pub(super) const MOST_HITS: usize = 20_000;
/// Bytes of what unpacks to too much that are looked into: it stays unscannable, and may have come by mistake.
const MOST_OF_BOMB: usize = 1 << 20;
/// Bytes of the longest layer that is also read from its end.
const MOST_BACKWARDS: usize = 4 << 10;
/// What that is called.
pub(super) const BACKWARDS: &str = "backwards";
/// Bytes of the shortest layer that is looked into.
const SHORTEST: usize = 8;

/// What a rule found, in places of the layer.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The number of the rule; of no matter for what is known.
    pub(super) rule: usize,
    pub(super) known: Option<What>,
    pub(super) confidence: f32,
    pub(super) chain: Vec<&'static str>,
    pub(super) value: Vec<u8>,
    /// The place is that of all that was packed with it.
    pub(super) whole: bool,
}

/// Bytes to look into.
pub(super) struct Layer<'a> {
    pub(super) text: &'a [u8],
    pub(super) depth: usize,
    /// Packed things that start before this place were looked into already.
    pub(super) from: usize,
    /// The text goes on: what is packed and not whole is to be waited for.
    pub(super) goes_on: bool,
    /// The first byte is the first of a stream or of what was decoded.
    pub(super) at_start: bool,
    /// It may be packed with brotli, which has no mark.
    pub(super) guess: bool,
    /// It may be written from its end.
    pub(super) backwards: bool,
    /// Nothing in it is decoded.
    pub(super) leaf: bool,
}

/// What one layer has.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    /// Where something packed starts that is not whole yet.
    pub(super) open: Option<usize>,
}

impl Engine {
    /// Everything in a layer and in those inside it. Hits are in order and do not overlap, unless they come from the same
    /// packed bytes.
    pub(super) fn look(&self, layer: &Layer<'_>, work: &Work) -> Found {
        let text = layer.text;
        if !work.take(text.len()) {
            return Found::default();
        }
        let mut looking =
            Looking { engine: self, work, text, own: Vec::new(), marks: Vec::new(), read_to: Vec::new() };
        self.prefilter.find(text, |id, start, end| looking.word(id, start, end));
        numbers::find(text, work, |number| looking.number(number));
        memchr::memchr_iter(b'@', text).take_while(|_| work.take(work::SIGN)).for_each(|at| {
            if let Some(number) = mail::address(text, at) {
                looking.number(number);
            }
        });
        looking.known();
        looking.wallet();
        let Looking { own, mut marks, .. } = looking;
        // Words come by where they are rarest, not by where they start.
        marks.sort_by_key(|(_, start)| *start);
        if layer.leaf {
            return Found { hits: best(own), open: None };
        }
        let mut kids = Kids { engine: self, layer, work, hits: Vec::new(), open: None };
        kids.packed(&marks);
        escapes::find(text, work, |plain| {
            let decoded = Decoded { bytes: plain.bytes, map: plain.map, name: plain.name };
            kids.look(decoded, true, false);
        });
        carve::runs(text, |run| {
            if !work.take(work::RUN + (run.end - run.start) / 4) {
                return false;
            }
            for decoded in carve::decode(text, &run, work) {
                let guess = !context::is_sum(text, run.start);
                kids.look(decoded, true, guess);
            }
            true
        });
        wide::find(text, work, |decoded| kids.look(decoded, true, false));
        separated::find(text, work, |decoded| kids.look(decoded, true, false));
        if layer.backwards && text.len() <= MOST_BACKWARDS {
            let bytes: Vec<u8> = text.iter().rev().copied().collect();
            // No depth: nothing in it is decoded.
            kids.within(
                Decoded { bytes, map: Map::Whole(0, text.len()), name: BACKWARDS },
                true,
                false,
                true,
            );
        }
        let (open, hits) = (kids.open, kids.hits);
        Found { hits: settle(best(own), hits, work), open }
    }
}

/// Looks into what is encoded in a layer.
struct Kids<'a> {
    engine: &'a Engine,
    layer: &'a Layer<'a>,
    work: &'a Work,
    hits: Vec<Hit>,
    open: Option<usize>,
}

impl Kids<'_> {
    fn look(&mut self, decoded: Decoded, at_start: bool, guess: bool) {
        if decoded.bytes.len() < SHORTEST {
            return;
        }
        if decoded.bytes.len() > self.work.output() {
            return self.work.block(Unscannable::Bomb);
        }
        self.work.put_out(decoded.bytes.len());
        if self.layer.depth >= DEEPEST {
            return self.work.block(Unscannable::TooDeep);
        }
        self.within(decoded, at_start, guess, false);
    }

    fn within(&mut self, decoded: Decoded, at_start: bool, guess: bool, leaf: bool) {
        let inner = Layer {
            text: &decoded.bytes,
            depth: self.layer.depth + 1,
            from: 0,
            goes_on: false,
            at_start,
            guess,
            backwards: !leaf && decoded.name == "base64",
            leaf,
        };
        let found = self.engine.look(&inner, self.work);
        for mut hit in found.hits {
            (hit.start, hit.end) = decoded.map.outer(hit.start, hit.end);
            hit.chain.insert(0, decoded.name);
            hit.whole |= matches!(decoded.map, Map::Whole(..));
            self.hits.push(hit);
        }
    }

    fn packed(&mut self, marks: &[(Packed, usize)]) {
        let mut done = self.layer.from;
        let first = containers::packed_at_start(self.layer.text).filter(|_| self.layer.at_start);
        if let Some(packed) = first.filter(|packed| *packed == Packed::Zlib) {
            done = self.unpack(packed, 0);
        }
        for (packed, start) in marks {
            if *start >= done {
                done = self.unpack(*packed, *start);
            }
        }
        let text = self.layer.text;
        let brotli = self.layer.guess
            && first.is_none()
            && text.len() >= 16
            && text.len() <= 1 << 20
            && text.first().is_some_and(|first| containers::may_be_brotli(*first))
            && letters::text_share(text.get(..64.min(text.len())).unwrap_or_default()) < 0.8;
        if brotli && self.work.take(work::DECODER) {
            let all = containers::unpack(Packed::Brotli, text, self.work.output());
            // What comes to nothing was work all the same.
            let taken = self.work.take(all.bytes.len());
            if taken && all.end == End::Whole && letters::text_share(&all.bytes) > 0.9 {
                self.inside(Packed::Brotli, 0, text.len(), all.bytes);
            }
        }
    }

    /// Unpacks what starts at a place; where to go on.
    fn unpack(&mut self, packed: Packed, start: usize) -> usize {
        let bytes = self.layer.text.get(start..).unwrap_or_default();
        if !self.work.take(work::DECODER) {
            return usize::MAX;
        }
        let mut all = containers::unpack(packed, bytes, self.work.output());
        // Unpacking is faster than looking.
        if !self.work.take(all.bytes.len() / 2) {
            return usize::MAX;
        }
        if all.end == End::Failed(Unscannable::Bomb) {
            self.work.put_out(all.bytes.len().saturating_sub(MOST_OF_BOMB));
            all.bytes.truncate(MOST_OF_BOMB);
        }
        // What comes to nothing was work all the same.
        if all.bytes.is_empty() && !self.work.take(all.used) {
            return usize::MAX;
        }
        match all.end {
            End::Nothing => return start + 1,
            End::Open if self.layer.goes_on => {
                self.open = Some(self.open.map_or(start, |open| open.min(start)));
                return usize::MAX;
            }
            End::Failed(why) if packed == Packed::Foreign => self.work.block(why),
            // In the middle of other bytes three of them may be a mark by chance; nothing comes out of that.
            End::Failed(Unscannable::Undecodable)
                if all.bytes.is_empty() && !(self.layer.at_start && start == 0) =>
            {
                return start + 1;
            }
            // Two bytes are a mark by chance too often, and what cannot be unpacked here cannot be elsewhere.
            End::Failed(Unscannable::Undecodable) if packed == Packed::Zlib => {}
            End::Failed(why) => self.work.block(why),
            End::Open | End::Whole => {}
        }
        let end = start + all.used.max(1);
        self.inside(packed, start, end, all.bytes);
        end
    }

    fn inside(&mut self, packed: Packed, start: usize, end: usize, bytes: Vec<u8>) {
        let map = Map::Whole(start, end);
        self.look(Decoded { bytes, map, name: packed.name() }, true, false);
    }
}
