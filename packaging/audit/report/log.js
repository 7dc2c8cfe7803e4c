// Follows a log block by block, as `aisandbox audit verify` does, and gives the leaves that hold.
"use strict";

function parseNote(bytes) {
  let whole;
  try { whole = utf8(bytes); } catch { throw new Wrong("a note is no text"); }
  const cut = whole.indexOf("\n\n");
  need(cut > 0 && whole.length <= 16384 && whole.endsWith("\n"), "a note cannot be read");
  const text = whole.slice(0, cut + 1), head = text.split("\n");
  need(head.length === 4 && head[0] && !/[\s+]/.test(head[0]) && /^(0|[1-9][0-9]{0,15})$/.test(head[1]), "a note has another form");
  const root = base64(head[2]);
  need(root.length === 32, "a note has no root");
  const lines = whole.slice(cut + 2, -1).split("\n").map(line => {
    const [dash, name, code, ...more] = line.split(" ");
    need(dash === "\u2014" && name && code && !more.length, "a line of a note is no signature");
    const bytes = base64(code);
    need(bytes.length === 68, "a signature has another length");
    return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
  need(lines.length <= 16, "a note has too many signatures");
  return { origin: head[0], size: Number(head[1]), root, text: ascii(text), lines };
}

/** The signature of a note by this key, to be checked; null where no line is by it. */
function lineOf(note, key) {
  const id = sha256(ascii(note.origin + "\n\x01"), key).subarray(0, 4);
  const line = note.lines.find(line => line.name === note.origin && same(line.id, id));
  return line ? [key, note.text, line.signature] : null;
}

/** The device that signed the first keys of a run: its identity, and the signatures that say so. */
function device(start) {
  const { place, signature } = start.cert, steps = place.steps, links = place.links || [], checks = [];
  need(steps.length === LEVELS && links.length <= 64, "the device's key has no place");
  const turn = links.every(link => link.index === FAN - 1) && steps[LEVELS - 1].index !== FAN - 1;
  const number = steps.reduce((sum, step, level) => sum + step.index * FAN ** level, links.length * (FAN - 1) * FAN ** 2);
  need(turn && number === place.number, "the device's key has no right place");
  let below = null;
  for (const step of [...steps, ...links.slice().reverse()]) {
    const key = unhex(step.key, 32);
    need((below === null) === (step.signed === undefined), "a tree of the device is not signed");
    if (below) checks.push([key, ascii(`aisandbox device tree v1\n${hex(below)}\n`), unhex(step.signed, 64)]);
    below = rootByPath(leafHash(key), step.index, FAN, step.path.map(one => unhex(one, 32)));
  }
  const text = `aisandbox run v1\n${start.run}\n${start.key}\n${start.stable}\n`;
  checks.push([unhex(steps[0].key, 32), ascii(text), unhex(signature, 64)]);
  return { identity: hex(below), checks };
}

/** The first leaf: whose log it is. */
function startOf(leaf, run) {
  try {
    const first = JSON.parse(utf8(leaf));
    need(first.event === "log.start", "the log does not begin with its start");
    const start = first.data;
    need(start.run === run, "this is the log of another run");
    const { identity, checks } = device(start);
    return { identity, checks, origin: "aisandbox.run/" + run, key: unhex(start.key, 32), stable: unhex(start.stable, 32) };
  } catch (wrong) {
    if (wrong instanceof Wrong) throw wrong;
    throw new Wrong("the first leaf is none that a log begins with");
  }
}

function* leavesOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    need(at + 2 <= bytes.length && at + 2 + view.getUint16(at) <= bytes.length, "leaves have impossible lengths");
    yield bytes.subarray(at + 2, at += 2 + view.getUint16(at));
  }
}

function blockAt(bytes, at) {
  if (bytes.length - at < HEAD) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at), number = place => view.getUint32(place);
  const [count, leaves, note, sum] = [number(12), number(16), number(20), number(24)], end = at + HEAD + leaves + note;
  if (isMagic(bytes, at) && end <= bytes.length && crc32(bytes.subarray(at, at + 24), bytes.subarray(at + HEAD, end)) === sum) {
    const body = at + HEAD + leaves;
    return { at, end, first: Number(view.getBigUint64(4)), count, leaves: bytes.subarray(at + HEAD, body), note: bytes.subarray(body, end) };
  }
  return null;
}

const isMagic = (bytes, at) => bytes[at] === 0x41 && bytes[at + 1] === 0x53 && bytes[at + 2] === 0x42 && bytes[at + 3] === 0x31;

function lastOfEpoch(leaf) {
  let text;
  try { text = utf8(leaf); } catch { return null; }
  if (!text.includes('"event":"log.')) return null;
  try {
    const said = JSON.parse(text);
    return ["log.key", "log.end", "log.suspended"].includes(said.event) ? said : null;
  } catch { return null; }
}

/** All that holds of a segment which is a whole log. Roots are checked on the way, signatures all at once. */
async function checkLog(bytes, run, sign) {
  const found = { leaves: [], epochs: [], blocks: 0, size: 0, root: hex(sha256(new Uint8Array(0))), identity: null, state: OPEN, at: null, why: null };
  const walk = { tree: new Tree(), start: null, key: null, epoch: 0, notes: new Uint8Array(0), ended: null };
  const stop = (state, at, why) => { found.state = state; found.at = at; found.why = why; };
  const over = [];
  let epoch = [], at = 0;
  while (at < bytes.length && found.at === null) {
    const block = blockAt(bytes, at);
    if (!block && !walk.ended) {
      const torn = isTorn(bytes, at);
      stop(torn ? TRUNCATED : TAMPERED, at, torn ? "the last block is not whole" : "no whole block is here");
      break;
    }
    try {
      need(!walk.ended, "something follows the end of the log");
      const last = follow(block, walk, run, epoch);
      if (last) {
        over.push({ blocks: epoch, number: walk.epoch, key: walk.key, good: holds(epoch.slice(-1), walk.key, sign) });
        epoch = [];
        turn(last, walk);
      } else walk.notes = sha256(walk.notes, block.note);
      at = block.end;
    } catch (wrong) {
      stop(TAMPERED, at, wrong instanceof Wrong ? wrong.message : "a block says what none can say");
      // The end of an epoch that says what none can say is no end: its blocks stand for themselves.
      const broken = !epoch.length && over.length && over[over.length - 1].blocks.some(one => one.block.at === at) ? over.pop() : null;
      epoch = (broken ? broken.blocks : epoch).filter(one => one.block.at < at);
      if (broken) walk.key = broken.key;
    }
  }
  over.push({ blocks: epoch, number: walk.epoch, key: walk.key, good: Promise.resolve(epoch.length === 0) });
  for (const { blocks, number, key, good } of over) {
    if (await good) { accept(found, blocks, number, key, true); continue; }
    let held = 0;
    while (held < blocks.length && await holds(blocks.slice(held, held + 1), key, sign)) held += 1;
    accept(found, blocks.slice(0, held), number, key, false);
    if (held < blocks.length) {
      stop(TAMPERED, blocks[held].block.at, "a block is not signed by the key whose turn it is");
      break;
    }
  }
  if (found.at === null && walk.ended) {
    found.state = SEALED;
    found.why = walk.ended === SEALED ? null : "the log could not go on: " + walk.ended;
  }
  found.identity = found.size ? walk.start.identity : null;
  return found;
}

/** Only what is behind everything can be torn: a later block says that this one was whole. */
function isTorn(bytes, at) {
  for (let later = at + 1; later + 4 <= bytes.length; later++) if (isMagic(bytes, later)) return false;
  return true;
}

/** An epoch is over: the next key takes its turn, or the log ends. */
function turn(last, walk) {
  need(hexNotes(last) === hex(walk.notes), "the notes of the epoch are not those that were signed at its end");
  if (last.event === "log.key") {
    need(last.data.epoch === walk.epoch + 1, "a key is missing between two epochs");
    walk.key = unhex(last.data.key, 32);
  } else walk.ended = last.event === "log.end" ? SEALED : String(last.data.reason || "it does not say why");
  walk.epoch += 1;
  walk.notes = new Uint8Array(0);
}

const hexNotes = last => last.data && typeof last.data.notes === "string" ? last.data.notes : "";

/** Takes up a block whose leaves are those of its note; gives what its last leaf says, if it is the last of its epoch. */
function follow(block, walk, run, epoch) {
  need(block.first === walk.tree.size, `the block begins with leaf ${block.first}, not ${walk.tree.size}`);
  const leaves = [...leavesOf(block.leaves)], note = parseNote(block.note), tree = walk.tree.copy();
  need(leaves.length === block.count && leaves.length > 0, "the block has not as many leaves as it says");
  if (!walk.start) {
    walk.start = startOf(leaves[0], run);
    walk.key = walk.start.key;
  }
  for (const leaf of leaves) tree.push(leaf);
  need(note.origin === walk.start.origin && note.size === tree.size, "the note is of another log or another size");
  const root = tree.root();
  need(same(note.root, root), "the root that was signed is not that of the leaves");
  need(note.lines.length <= 2, "the note has a signature that is not by a key of this log");
  const stable = note.lines.length === 2 ? [lineOf(note, walk.start.stable)] : [];
  epoch.push({ block, leaves, note, root, also: [...(block.first === 0 ? walk.start.checks : []), ...stable] });
  walk.tree = tree;
  return lastOfEpoch(leaves[leaves.length - 1]);
}

/** Whether these blocks are signed by the key, and all else about them is. */
async function holds(blocks, key, sign) {
  const checks = blocks.flatMap(one => [lineOf(one.note, key), ...one.also]);
  return checks.every(check => check) && (await Promise.all(checks.map(check => sign.signed(...check)))).every(good => good);
}

function accept(found, blocks, number, key, ended) {
  if (!blocks.length) return;
  const from = found.size;
  for (const { block, leaves, root } of blocks) {
    leaves.forEach((bytes, place) => found.leaves.push({ index: block.first + place, bytes }));
    found.size = block.first + leaves.length;
    found.root = hex(root);
    found.blocks += 1;
  }
  found.epochs.push({ number, key: hex(key), blocks: blocks.length, from, to: found.size - 1, ended });
}

/** Single leaves of a log, each with the path to a head that the log's stable key signed. */
async function checkExcerpt(excerpt, bytes, run, sign) {
  const leaves = [...leavesOf(bytes)];
  need(leaves.length === excerpt.places.length && leaves.length > 0, "leaves and places do not fit");
  const note = parseNote(ascii(excerpt.note)), start = startOf(leaves[0], run);
  need(excerpt.places[0][0] === 0, "the start of the log is not here");
  const line = lineOf(note, start.stable);
  need(note.origin === start.origin && line, "the head is not signed by the log's stable key");
  const signed = await Promise.all([line, ...start.checks].map(check => sign.signed(...check)));
  need(signed.every(good => good), "a signature of the device or of the head is wrong");
  const kept = leaves.map((leaf, place) => {
    const [index, code] = excerpt.places[place], path = base64(code);
    need(path.length % 32 === 0, "a path has another length");
    const hashes = Array.from({ length: path.length / 32 }, (_, at) => path.subarray(32 * at, 32 * at + 32));
    need(same(rootByPath(leafHash(leaf), index, note.size, hashes), note.root), `leaf ${index} is not in the log`);
    return { index, bytes: leaf };
  });
  return { leaves: kept, epochs: [], blocks: 0, size: note.size, root: hex(note.root), identity: start.identity, state: null, at: null, why: null };
}

// Personal fields are not in leaves, but beside them: a leaf has a commitment to them alone.

const COMMITTED = /,"sd":\{"data":"([A-Za-z0-9_-]{43})"\}\}$/;

/** What opens leaves, by their indexes: salt and value, or null where a redaction took them. */
function openingsOf(bytes) {
  const found = new Map(), view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 11 <= bytes.length;) {
    const open = bytes[at + 8] === 1, length = view.getUint16(at + 9), body = bytes.subarray(at + 11, at + 11 + length);
    if (body.length < length || bytes[at + 8] > 1 || (open ? length < 16 : length !== 8)) break;
    found.set(Number(view.getBigUint64(at)), open ? [body.subarray(0, 16), body.subarray(16)] : null);
    at += 11 + length;
  }
  return found;
}

function commitmentTo([salt, value]) {
  const digest = sha256(ascii("ais.sd.v1\0"), salt, Uint8Array.of(0, 4), ascii("data"), value);
  return btoa(String.fromCharCode(...digest)).replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
}

/** Gives the leaves that hold what opens them, if it fits. */
function openLeaves(found, bytes) {
  const openings = openingsOf(bytes);
  found.open = { open: 0, withheld: 0, missing: 0, wrong: null };
  for (const leaf of found.leaves) {
    const committed = COMMITTED.exec(String.fromCharCode(...leaf.bytes.subarray(-61))), opening = openings.get(leaf.index);
    if (!committed) continue;
    if (opening === undefined) found.open.missing += 1;
    else if (opening === null) found.open.withheld += 1;
    else if (commitmentTo(opening) !== committed[1]) found.open.wrong ??= leaf.index;
    else { found.open.open += 1; leaf.hidden = opening[1]; }
  }
}
