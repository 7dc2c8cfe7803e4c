// Draws what was checked. Text of a record becomes text nodes alone, after `shown`; nothing of it becomes markup.
"use strict";

function el(tag, name, ...kids) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...kids.filter(kid => kid !== null && kid !== undefined && kid !== ""));
  return made;
}

function svg(tag, attributes, ...kids) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...kids);
  return made;
}

const mono = text => el("bdi", "mono", text);

function button(text, name, act) {
  const made = el("button", name, text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

function cardOf(card) {
  const figures = card.facts.map(([figure, word]) => el("div", "figure", el("b", "", figure), el("span", "", word)));
  const groups = card.groups.map(one => el("div", "group", one.title && el("h3", "", one.title),
    el("ul", "", ...one.rows.map(line => el("li", "", mono(line.text), line.note && el("span", "note", line.note),
      ...line.under.map(under => el("div", "under", under)))),
    one.rest ? el("li", "rest", `and ${one.rest} more`) : null)));
  return el("article", "card", el("h2", "", card.title), el("div", "figures", ...figures), ...groups,
    groups.length ? null : el("p", "none", card.none), card.seen ? el("p", "seen", `Seen: ${card.seen}`) : null);
}

// What an event is, for its colour and its filter.
const SORTS = { approved: "Approvals", refused: "Refusals", network: "Network", file: "Files", other: "Other" };

function sortOf({ event, facts }) {
  if (facts.said === "denied") return "refused";
  if (facts.said === "granted") return "approved";
  if (event === "network" || event === "network_start") return "network";
  if (["transfer", "access", "known_files", "file"].includes(event)) return "file";
  return "other";
}

function sentence(record, home) {
  const { data, facts, event, object } = record, name = object ? nameOf(object.name, home) : "", acts = actsWords(facts.acts);
  const quoted = path => { const said = text(data, path); return said ? ` — “${nameOf(said, home)}”` : ""; };
  switch (event) {
    case "grant": return `Approved by ${decider(facts.by)}: ${acts} ${name}${number(data, "/lease_s") === undefined ? " until the run ends" : ` for ${number(data, "/lease_s")} s`}`;
    case "denial": return `Refused (${nameOf(facts.reason)}): ${acts} ${name}${facts.count > 1 ? `, ${facts.count} times` : ""}`;
    case "repeat": return `Refused, told together: ${acts} ${name}, ${facts.count} times${text(data, "/last") ? `, the last on ${nameOf(text(data, "/last"), home)}` : ""}`;
    case "protected_denied": return `Refused, a protected name: ${nameOf(text(data, "/call") ?? "")} ${name}${facts.count > 1 ? `, ${facts.count} times` : ""}`;
    case "request": return `Asked: ${acts} ${name}${quoted("/why")}`;
    case "reason_given": return `The agent gave a reason${quoted("/why")}`;
    case "decision": return `Policy ${nameOf(facts.by)} said ${nameOf(text(data, "/outcome") ?? "")}${facts.reason ? `: ${nameOf(facts.reason)}` : ""}`;
    case "program_check": return `Program ${name}: ${nameOf(text(data, "/answer") ?? "")} by ${decider(facts.by)}`;
    case "revoke": return `Lease over (${nameOf(facts.reason)}): ${name || nameOf(text(data, "/grant") ?? "")}`;
    case "transfer": return `${acts || "moved"} ${name}${facts.received ? `, ${amount(facts.received)} read` : ""}${facts.sent ? `, ${amount(facts.sent)} written` : ""}`;
    case "access": return `${facts.reason ? `Not done (${nameOf(facts.reason)}): ` : ""}${acts || nameOf(text(data, "/call") ?? "")} ${name}${facts.count > 1 ? `, ${facts.count} times` : ""}`;
    case "agent_start": return `Started ${name}, run ${nameOf(text(data, "/run") ?? "")}`;
    case "run_start": return `Started: ${list(data, "/command/argv").map(one => nameOf(one)).join(" ").slice(0, 300)}`;
    case "run_end": return `Ended: ${["code", "signal"].filter(way => at(data, "/exit/" + way) !== undefined).map(way => `${way === "code" ? "exit" : way} ${at(data, "/exit/" + way)}`).join()}, after ${number(data, "/duration_ms") ?? "?"} ms`;
    case "network": return networkSentence(record, name, home);
    case "log.start": return "The log begins, under keys that the device signed";
    case "log.end": return "The log is sealed: nothing follows";
    default: return [name && `${acts} ${name}`.trim(), facts.reason && nameOf(facts.reason)].filter(Boolean).join(": ") || brief(data);
  }
}

/** The first fields of an event that has no words of its own. */
function brief(data) {
  const short = value => {
    let said = "…";
    try { said = typeof value === "string" ? value : JSON.stringify(value) ?? ""; } catch { /* too deep */ }
    return said.length > 80 ? said.slice(0, 80) + "…" : said;
  };
  const fields = data && typeof data === "object" ? Object.entries(data) : [];
  return fields.filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length)).slice(0, 4).map(([name, value]) => `${shown(name)} ${shown(short(value))}`).join(", ");
}

function networkSentence({ data, facts }, name, home) {
  const what = nameOf(text(data, "/what") ?? ""), request = text(data, "/request"), status = number(data, "/status");
  const parts = [`${what} ${name}`];
  if (request) parts.push(nameOf(request, home) + (status === undefined ? "" : ` → ${status}`));
  if (facts.reason) parts.push(`refused: ${nameOf(facts.reason)}`);
  if (facts.sent || facts.received) parts.push(`${amount(facts.sent)} out, ${amount(facts.received)} in`);
  for (const [kind, count] of facts.findings.slice(0, 4)) parts.push(`found ${count} × ${nameOf(kind)}`);
  return parts.join(", ");
}

/** All of an event, as far as a page should hold it. */
function raw(record) {
  let said;
  try { said = JSON.stringify(record.data, null, 2) ?? "null"; } catch { said = "cannot be shown"; }
  const cut = said.length > 20000 ? `\n… ${said.length - 20000} more letters` : "";
  return el("pre", "raw", said.slice(0, 20000).split("\n").map(line => shown(line).replaceAll("\\\\", "\\")).join("\n") + cut);
}

function eventRow(record, view) {
  const sort = sortOf(record), actor = record.facts.actor;
  const time = new Date(record.ts / 1000).toISOString();
  const head = el("summary", "", el("span", `dot ${sort}`), el("time", "mono", record.ts ? time.slice(11, 23) : "—"),
    el("span", "kind", shown(record.event)), el("bdi", "said", sentence(record, view.home)), actor ? el("bdi", "actor mono", baseOf(actor)) : null);
  const made = el("details", "event", head);
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) {
      const facts = [`${view.run}:${record.index}`, time.replace("T", " "), actor && `${nameOf(actor)} (process ${record.facts.pid})`, record.cut && "cut: the event was too long for its leaf"];
      made.append(el("p", "where mono", facts.filter(Boolean).join(" · ")), raw(record));
    }
  });
  return made;
}

const baseOf = path => nameOf(path.slice(path.lastIndexOf("/") + 1) || path);

/** A list that grows by the page. */
function pages(items, make, none) {
  const list = el("div", "rows"), more = el("div", "more"), whole = el("div", "", list, more);
  let next = 0;
  const grow = () => {
    list.append(...items.slice(next, next + 150).map(make));
    next = Math.min(items.length, next + 150);
    more.replaceChildren(next < items.length ? button(`Show more (${items.length - next} left)`, "plain", grow) : "");
  };
  if (items.length) grow(); else list.append(el("p", "none", none));
  return whole;
}

function timeline(view) {
  const box = el("div", ""), find = el("input", "find"), count = el("span", "note"), chips = el("div", "chips");
  const events = view.records.filter(record => record.event !== "log.key"), on = new Set(Object.keys(SORTS));
  find.type = "search"; find.placeholder = "Filter by text"; find.setAttribute("aria-label", "Filter by text");
  const draw = () => {
    const word = find.value.toLowerCase();
    const told = events.filter(record => on.has(sortOf(record)) && (!word || `${record.event} ${sentence(record, view.home)} ${shown(record.facts.actor)}`.toLowerCase().includes(word)));
    count.textContent = `${many(told.length, "event", "events")} of ${events.length}`;
    box.replaceChildren(pages(told, record => eventRow(record, view), "No event is like that"));
  };
  for (const [sort, title] of Object.entries(SORTS)) {
    const total = events.filter(record => sortOf(record) === sort).length;
    const chip = button(`${title} ${total}`, `chip ${sort}`, () => {
      if (on.has(sort)) on.delete(sort); else on.add(sort);
      chip.setAttribute("aria-pressed", on.has(sort));
      draw();
    });
    chip.setAttribute("aria-pressed", "true");
    chips.append(chip);
  }
  find.addEventListener("input", draw);
  draw();
  return el("div", "", lanes(view, events), el("div", "tools", chips, find, count), box);
}

const MOST_LANES = 10, BINS = 240;

/** Swim-lanes: a process each, time across; a flag for a yes, a bar for a no. */
function lanes(view, events) {
  const timed = events.filter(record => record.ts > 0);
  if (timed.length < 2) return null;
  const from = timed.reduce((low, record) => Math.min(low, record.ts), Infinity), to = timed.reduce((high, record) => Math.max(high, record.ts), 0);
  const byActor = new Map();
  for (const record of timed) {
    const key = record.facts.actor || "the sandbox itself";
    if (!byActor.has(key)) byActor.set(key, []);
    byActor.get(key).push(record);
  }
  const sorted = [...byActor].sort(([, one], [, other]) => other.length - one.length);
  const told = sorted.slice(0, MOST_LANES), rest = sorted.slice(MOST_LANES).flatMap(([, records]) => records);
  if (rest.length) told.push([`${sorted.length - MOST_LANES} more programs`, rest]);
  told.sort(([, one], [, other]) => one[0].ts - other[0].ts);
  const place = ts => to === from ? 50 : 1 + 98 * (ts - from) / (to - from);
  const drawn = told.map(([actor, records]) => el("div", "lane", el("bdi", "mono", byActor.has(actor) ? baseOf(actor) : actor), lane(records, place, view)));
  const clock = ts => new Date(ts / 1000).toISOString().slice(11, 19) + "Z";
  const axis = el("div", "axis", el("span", "", clock(from)), el("span", "", `${((to - from) / 1e6).toFixed(to - from < 1e7 ? 2 : 0)} s`), el("span", "", clock(to)));
  return el("div", "lanes", ...drawn, axis);
}

function lane(records, place, view) {
  const rank = ["other", "file", "network", "approved", "refused"], bins = new Map();
  for (const record of records) {
    const bin = Math.floor(place(record.ts) / 100 * BINS), sort = sortOf(record), before = bins.get(bin);
    if (!before || rank.indexOf(sort) > rank.indexOf(before.sort)) bins.set(bin, { record, sort, count: (before?.count || 0) + 1 });
    else before.count += 1;
  }
  const marks = [...bins.values()].sort((one, other) => rank.indexOf(one.sort) - rank.indexOf(other.sort)).map(({ record, sort, count }) => {
    const x = `${place(record.ts).toFixed(2)}%`, tip = svg("title", {}, sentence(record, view.home) + (count > 1 ? ` (and ${count - 1} more)` : ""));
    if (sort === "approved") return svg("svg", { x, y: 2, overflow: "visible" }, svg("path", { d: "M0 0V20M0 0.5L9 4.5L0 8.5Z", class: "flag" }, tip));
    const tall = sort === "refused" ? [3, 18] : sort === "other" ? [10, 5] : [8, 9];
    return svg("rect", { x, y: tall[0], width: sort === "refused" ? 4 : 3, height: tall[1], rx: 1, class: sort }, tip);
  });
  return svg("svg", { class: "track", role: "img", "aria-label": many(records.length, "event", "events") }, svg("line", { x1: 0, x2: "100%", y1: 12.5, y2: 12.5, class: "rail" }), ...marks);
}
