// What leaves say: read anew in the page, by the rules of `aisandbox audit last` and `audit report`, so that what is shown
// is counted from what was checked. Draws nothing.
"use strict";

const MOST_TEXT = 4096, MOST_COUNT = 2 ** 48, MOST_LISTED = 32, NEAR = 60e6, MOST_NEAR = 4, MOST_EVENTS = 20000;
const ACTIONS = ["read", "append", "overwrite", "create", "delete", "execute", "connect", "use", "upload"];
const OTHER = 1 << ACTIONS.length;
const LETTERS = /[^ -~]/gu;
const MISLEADS = /[\p{C}\p{Z}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]/u;

/** Text of others as it may be shown: what a reader cannot see, or sees in another order, stands as an escape. */
function shown(text) {
  const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  const letter = one => {
    if (!MISLEADS.test(one)) return one;
    const code = one.codePointAt(0).toString(16);
    return named[one] || (one < "\x80" ? "\\x" + code.padStart(2, "0") : `\\u{${code}}`);
  };
  return String(text).replaceAll("\\", "\\\\").replace(LETTERS, letter);
}

/** A name in one line, with the home as `~`, and no longer than a few lines. */
function nameOf(text, home) {
  const below = home && text.startsWith(home + "/") ? "~" + text.slice(home.length) : text;
  const letters = Array.from(shown(below));
  return letters.length > 300 ? letters.slice(0, 300).join("") + "…" : letters.join("");
}

function kept(text) {
  if (3 * text.length <= MOST_TEXT) return text;
  const bytes = ascii(text);
  if (bytes.length <= MOST_TEXT) return text;
  let end = MOST_TEXT;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end -= 1;
  return `${utf8(bytes.subarray(0, end))}… [sha256 ${hex(sha256(bytes))}]`;
}

function amount(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  let unit = 0, scale = 1;
  while (Math.floor(count / scale) >= 1000 && unit + 1 < units.length) { scale *= 1000; unit += 1; }
  const whole = Math.floor(count / scale);
  return unit === 0 || whole >= 100 ? `${whole} ${units[unit]}` : `${whole}.${Math.floor((count % scale) * 10 / scale)} ${units[unit]}`;
}

const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;
const moment = micros => new Date(micros / 1000).toISOString().slice(0, 19).replace("T", " ") + "Z";

const isPerson = by => ["terminal", "notification", "notify", "ui", "approve", "deny", "grant", "person"].includes(by);

function decider(by) {
  if (by === "") return "nobody that the record names";
  if (["approve", "deny", "grant"].includes(by)) return `a person (aisandbox ${by})`;
  if (isPerson(by)) return `a person (${shown(by)})`;
  return by === "always" ? "a standing answer of the person's" : shown(by);
}

const WAYS = new Map();

function at(data, path) {
  let value = data;
  if (!WAYS.has(path)) WAYS.set(path, path.split("/").slice(1));
  for (const name of WAYS.get(path)) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

const text = (data, path) => { const value = at(data, path); return typeof value === "string" ? value : undefined; };
const keptAt = (data, path) => kept(text(data, path) ?? "");
const list = (data, path) => { const value = at(data, path); return Array.isArray(value) ? value.filter(one => typeof one === "string") : []; };

function number(data, path) {
  const value = at(data, path);
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

function actsOf(words) {
  return words.reduce((all, word) => {
    const place = ACTIONS.indexOf(word === "write" ? "overwrite" : word);
    return all | (place < 0 ? OTHER : 1 << place);
  }, 0);
}

const actsWords = acts => [...ACTIONS, "other"].filter((_, place) => acts & (1 << place)).join(", ");
const hasAct = (acts, ...words) => (acts & actsOf(words)) !== 0;

/** Puts what was beside the leaf back in its place: pointers into its data, and their values. */
function joined(data, hidden) {
  for (const [pointer, value] of Object.entries(JSON.parse(utf8(hidden)))) {
    const names = pointer.split("/").slice(1).map(name => name.replaceAll("~1", "/").replaceAll("~0", "~")), last = names.pop();
    const above = names.length ? at(data, "/" + names.join("/")) : data;
    if (above !== null && typeof above === "object") Object.defineProperty(above, last, { value, enumerable: true, configurable: true, writable: true });
  }
}

/** A leaf as an event; of one that cannot be read, one that says so. */
function recordOf({ index, bytes, hidden }) {
  const none = { index, ts: 0, event: "unreadable", data: null };
  try {
    const leaf = JSON.parse(utf8(bytes));
    if (leaf.v !== 2 || typeof leaf.event !== "string" || typeof leaf.ts !== "number") return none;
    if (hidden) joined(leaf.data, hidden);
    return { index, ts: Math.floor(leaf.ts / 1000), event: leaf.event, data: leaf.data, cut: leaf.cut };
  } catch { return none; }
}

function object(kind, name) { return name ? { kind, name: kept(name) } : null; }

/** A resource in words: what it is, and its name. */
function named(said) {
  const space = said.indexOf(" "), word = space < 0 ? "" : said.slice(0, space);
  let name = space < 0 ? "" : said.slice(space + 1);
  if (word === "upload" && name.startsWith("to ")) name = name.slice(3);
  return { kind: new Map([["host", "host"], ["upload", "host"], ["program", "program"], ["device", "device"]]).get(word) || "file", name };
}

function aboutWhat(data, facts) {
  facts.acts = actsOf(list(data, "/what/actions"));
  facts.label = keptAt(data, "/what/label");
  const { kind, name } = named(text(data, "/what/resource") ?? ""), path = text(data, "/what/path");
  facts.object = object(kind, path && (kind === "file" || kind === "program") ? path : name);
}

const TELLS = {
  run_start(data, facts) { facts.said = "seen"; facts.acts = actsOf(["execute"]); facts.object = object("program", text(data, "/program/path")); },
  request(data, facts) { aboutWhat(data, facts); facts.said = "asked"; },
  grant(data, facts) { aboutWhat(data, facts); facts.said = "granted"; facts.by = keptAt(data, "/approved_by"); },
  denial(data, facts) { aboutWhat(data, facts); facts.said = "denied"; },
  decision(data, facts) { facts.by = keptAt(data, "/policy") || "default"; },
  protected_denied(data, facts) { facts.said = "denied"; facts.acts = actsOf(["create"]); facts.object = object("file", text(data, "/path")); facts.reason = "protected"; },
  program_check(data, facts) {
    const answer = text(data, "/answer");
    facts.said = ["bad", "no"].includes(answer) ? "denied" : ["good", "yes"].includes(answer) ? "granted" : "other";
    facts.acts = actsOf(["execute"]); facts.object = object("program", text(data, "/path"));
  },
  transfer(data, facts) {
    facts.said = "seen"; facts.acts = actsOf([text(data, "/action")].filter(word => word !== undefined));
    facts.object = object("file", text(data, "/path"));
    facts.sent = number(data, "/written") ?? 0; facts.received = number(data, "/read") ?? 0;
  },
  access(data, facts) {
    const outcome = text(data, "/outcome"), action = text(data, "/action");
    facts.said = outcome === "observed" ? "seen" : outcome === "denied" ? "denied" : "other";
    facts.acts = actsOf([action].filter(word => word !== undefined));
    facts.object = object(action === "execute" ? "program" : "file", text(data, "/path"));
    facts.reason = keptAt(data, "/error");
  },
  agent_start(data, facts) {
    facts.said = "seen"; facts.acts = actsOf(["execute"]);
    facts.object = object("program", text(data, "/transition")) || object("program", text(data, "/command/argv/0"));
  },
  network(data, facts) {
    const what = text(data, "/what"), host = text(data, "/host"), port = number(data, "/port");
    facts.said = ["denied", "alert"].includes(what) ? "denied" : ["open", "request"].includes(what) ? "seen" : "other";
    facts.acts = actsOf(["connect"]);
    facts.object = host ? object("host", port ? `${host}:${port}` : host) : null;
    facts.flow = number(data, "/flow") || null;
    facts.sent = number(data, "/sent") ?? 0; facts.received = number(data, "/received") ?? 0;
    facts.by = keptAt(data, "/rule");
    const pairs = at(data, "/findings");
    facts.findings = (Array.isArray(pairs) ? pairs : []).filter(pair => Array.isArray(pair) && typeof pair[0] === "string" && Number.isInteger(pair[1]))
      .slice(0, MOST_LISTED).map(([kind, count]) => [kept(kind), Math.min(count, MOST_COUNT)]);
  },
  repeat(data, facts) {
    const { kind, name } = named(text(data, "/first") ?? "");
    facts.said = "denied"; facts.acts = actsOf(list(data, "/actions")); facts.object = object(kind, name);
  },
  policy_loaded(data, facts) { facts.reason = keptAt(data, "/kind"); },
  token(data, facts) { facts.said = text(data, "/what") === "refused" ? "denied" : "other"; },
  revoke(data, facts) { facts.reason = keptAt(data, "/why"); },
  channel_closed(data, facts) { facts.reason = keptAt(data, "/why"); },
  degraded(data, facts) { facts.reason = keptAt(data, "/layer"); },
  launch_failure(data, facts) { facts.reason = keptAt(data, "/stage"); },
  alert(data, facts) { facts.reason = keptAt(data, "/rule"); },
};

const PLAIN = ["extend", "known_files", "reason_given", "run_end", "guardian_start", "guardian_end", "network_start", "clock_step", "freeze", "unreadable"];

function unknown(data, facts) {
  if (at(data, "/what/resource") !== undefined) aboutWhat(data, facts);
  else {
    facts.object = object("file", text(data, "/path")) || object("host", text(data, "/host")) || object("program", text(data, "/program"));
    facts.acts = actsOf([text(data, "/action"), ...list(data, "/actions")].filter(word => word !== undefined));
  }
  const word = ["/decision", "/verdict", "/outcome", "/answer"].map(name => text(data, name)).find(one => one !== undefined);
  facts.said = ["deny", "denied"].includes(word) ? "denied" : ["allow", "allowed", "observed"].includes(word) ? "seen" : "other";
}

/** What an event says: on what, which actions, what was said of it, by whom, how many bytes. */
function factsOf({ event, data }) {
  const one = at(data, "/who/process") !== undefined ? "/who/process" : "/process", pid = at(data, one + "/pid");
  const facts = {
    said: "other", acts: 0, object: null, actor: keptAt(data, one + "/program"), pid: Number.isInteger(pid) ? pid : 0,
    parents: Array.isArray(at(data, "/who/parents")) ? at(data, "/who/parents").slice(0, 32) : [],
    count: Math.max(1, number(data, "/count") ?? 1), sent: 0, received: 0, flow: null,
    reason: keptAt(data, "/reason"), by: keptAt(data, "/by"), label: "", findings: [], lease: null,
  };
  if (Object.hasOwn(TELLS, event)) TELLS[event](data, facts);
  else if (!event.startsWith("log.") && !PLAIN.includes(event)) unknown(data, facts);
  if (["extend", "revoke", "known_files", "transfer"].includes(event)) facts.lease = text(data, "/grant") ?? null;
  for (const name of ["count", "sent", "received"]) facts[name] = Math.min(facts[name], MOST_COUNT);
  return facts;
}

/** Adds up what all events say of each object, as the index does. */
function story(leaves) {
  const all = { records: [], objects: new Map(), flows: new Map(), leases: new Map(), grants: [], denials: 0, open: [] };
  for (const leaf of leaves) {
    const record = recordOf(leaf), facts = factsOf(record);
    Object.assign(record, { facts });
    all.records.push(record);
    if (facts.flow) {
      const before = all.flows.get(facts.flow) || [0, 0], [sent, received] = [facts.sent, facts.received];
      facts.sent = Math.max(0, sent - before[0]); facts.received = Math.max(0, received - before[1]);
      all.flows.set(facts.flow, [Math.max(before[0], sent), Math.max(before[1], received)]);
    }
    const [of, label] = all.leases.get(facts.lease) || [null, ""];
    record.object = facts.object || of;
    record.label = facts.label || label;
    if (record.event === "grant" && text(record.data, "/grant") !== undefined) all.leases.set(text(record.data, "/grant"), [record.object, record.label]);
    if (facts.said === "denied") all.denials += facts.count;
    if (facts.said === "granted") all.grants.push(record);
    if (record.object) roll(all, record, facts);
  }
  const labelled = all.records.filter(record => record.label && record.object);
  for (const record of labelled.sort((one, other) => one.ts - other.ts).slice(0, MOST_EVENTS)) openOrClose(all.open, record, record.facts);
  return all;
}

function roll(all, record, facts) {
  const key = record.object.kind + " " + record.object.name;
  const fresh = () => ({ ...record.object, first: record.index, refused: null, asked: 0, granted: 0, seen: 0, denied: 0, other: 0,
    acts: { granted: 0, seen: 0, denied: 0 }, sent: 0, received: 0, label: "", found: new Map(), content: false, rule: false, until: 0, sendings: [] });
  if (!all.objects.has(key)) all.objects.set(key, fresh());
  const line = all.objects.get(key);
  line[facts.said] += facts.count;
  if (facts.said in line.acts) line.acts[facts.said] |= facts.acts;
  if (facts.said === "denied" && line.refused === null) line.refused = record.index;
  line.sent += facts.sent; line.received += facts.received;
  line.label = record.label || line.label;
  line.until = Math.max(line.until, record.ts);
  if (facts.sent > 0 && line.sendings.length < MOST_EVENTS) line.sendings.push(record.ts);
  for (const [kind, count] of facts.findings) {
    line.found.set(kind, (line.found.get(kind) || 0) + count);
    if (["known-file", "known-secret", "canary"].includes(kind)) line.content = true; else line.rule = true;
  }
}

/** When sensitive things were open: a lease from its grant to its end, a file when it was touched. */
function openOrClose(open, record, facts) {
  const { name } = record.object;
  if (["granted", "seen"].includes(facts.said)) open.push({ name, label: record.label, from: record.ts, to: facts.said === "granted" ? Infinity : record.ts });
  else if (record.event === "revoke") {
    const lease = open.findLast(one => one.name === name && one.to === Infinity);
    if (lease) lease.to = record.ts;
  }
}

/** What was open near in time when something was sent to a host. */
function nearTo(line, open) {
  const near = [], sendings = line.sendings.slice().sort((one, other) => one - other);
  for (const thing of open) {
    let place = 0;
    for (let end = sendings.length; place < end;) {
      const half = (place + end) >> 1;
      if (sendings[half] < thing.from) place = half + 1; else end = half;
    }
    if (place === sendings.length) continue;
    const sent = sendings[place], after = Math.max(0, sent - thing.to);
    if (after > NEAR) continue;
    const seconds = Math.floor(after / 1e6), known = near.find(one => one.name === thing.name);
    if (known) known.seconds = Math.min(known.seconds, seconds);
    else if (near.length < MOST_NEAR) near.push({ name: thing.name, label: thing.label, seconds });
  }
  return near;
}
