// Who started whom, and what went from where to where: from records that hold, bounded whatever they say.
"use strict";

const MOST_PROCESSES = 600, MOST_ENDS = 8;

function processesOf(records) {
  const all = new Map(), key = one => `${one.pid} ${one.program}`;
  const known = value => value && typeof value === "object" && typeof value.program === "string" && value.program
    ? { pid: Number.isInteger(value.pid) ? value.pid : 0, program: kept(value.program) } : null;
  const isBelow = (one, other) => {
    for (let steps = 0; one && steps < MOST_PROCESSES; steps++, one = one.above) if (one === other) return true;
    return false;
  };
  const place = (one, above) => {
    if (!all.has(key(one)) && all.size >= MOST_PROCESSES) return null;
    if (!all.has(key(one))) all.set(key(one), { ...one, above, events: [], denied: 0, started: [] });
    const found = all.get(key(one));
    if (!found.above && above && !isBelow(above, found)) found.above = above;
    return found;
  };
  let crowded = 0;
  for (const record of records) {
    const who = at(record.data, "/who/process") !== undefined ? at(record.data, "/who/process") : at(record.data, "/process"), one = known(who);
    if (!one) continue;
    let above = null;
    for (const parent of record.facts.parents.map(known).filter(Boolean).reverse()) above = place(parent, above) || above;
    const found = place(one, above);
    if (!found) { crowded += 1; continue; }
    found.events.push(record);
    found.denied += record.facts.said === "denied" ? 1 : 0;
    if (record.event === "agent_start") found.started.push(text(record.data, "/run") ?? "");
  }
  return { all: [...all.values()], crowded };
}

function processTree(view) {
  const { all, crowded } = processesOf(view.records), below = new Map();
  for (const one of all) below.set(one.above, [...(below.get(one.above) || []), one]);
  const branch = (one, depth) => {
    const counts = [one.events.length ? el("span", "note", many(one.events.length, "event", "events")) : null,
      one.denied ? el("span", "pill refused", `${one.denied} refused`) : null, ...one.started.slice(0, 8).map(run => el("span", "note", `started run ${nameOf(run)}`))];
    const line = el("div", "process", mono(nameOf(one.program, view.home)), one.pid ? el("span", "note", `pid ${one.pid}`) : null, ...counts);
    const kids = (below.get(one) || []).map(kid => branch(kid, depth + 1));
    const own = one.events.length ? el("details", "", el("summary", "", line)) : line;
    if (one.events.length) own.addEventListener("toggle", () => {
      if (own.open && own.children.length === 1) own.append(pages(one.events, record => eventRow(record, view), ""));
    });
    return el("li", "", own, kids.length ? el("ul", depth < 12 ? "tree" : "tree flat", ...kids) : null);
  };
  const roots = below.get(null) || [];
  return el("div", "", el("p", "lead", "Processes that asked for something or reached out, below the processes that started them. Others are not in the record."),
    roots.length ? el("ul", "tree", ...roots.map(root => branch(root, 0))) : el("p", "none", "The record names none."),
    crowded ? el("p", "note", `${crowded} events of further processes are not drawn.`) : null);
}

const STRENGTHS = { given: "given; use not seen", seen: "seen", near: "near in time to something sensitive", rule: "a rule found something in it", content: "content of something known was in it", stopped: "refused" };
const RANKS = Object.keys(STRENGTHS);

function flowsOf(view) {
  const flows = new Map(), leases = new Map();
  const add = (record, from, to, bytes, strength, sure) => {
    const key = JSON.stringify([from, to]);
    if (!flows.has(key) && flows.size >= 2000) return;
    if (!flows.has(key)) flows.set(key, { from, to, bytes: 0, times: 0, stopped: 0, strength: sure, first: record.index });
    const flow = flows.get(key);
    flow.bytes += bytes; flow.times += 1;
    if (record.facts.said === "denied") flow.stopped += 1;
    if (RANKS.indexOf(strength) > RANKS.indexOf(flow.strength)) flow.strength = strength;
  };
  for (const record of view.records) {
    const { facts, event, object, data } = record, program = { kind: "program", name: facts.actor || "a process that is not known" };
    if (event === "grant" && object && ["file", "device"].includes(object.kind)) {
      const lease = { place: { kind: "place", name: object.name, label: record.label }, program };
      leases.set(text(data, "/grant") ?? "", lease);
      if (hasAct(facts.acts, "read", "use")) add(record, lease.place, program, 0, "given", "given");
    } else if (event === "transfer" && leases.has(facts.lease)) {
      const { place, program } = leases.get(facts.lease);
      if (facts.received || hasAct(facts.acts, "read")) add(record, place, program, facts.received, "seen", "given");
      if (facts.sent || hasAct(facts.acts, "append", "overwrite", "create")) add(record, program, { ...place, kind: "written" }, facts.sent, "seen", "given");
    } else if (event === "network" && object) {
      const found = facts.findings.map(([kind]) => ["known-file", "known-secret", "canary"].includes(kind) ? "content" : "rule");
      const near = facts.sent && view.near.has(object.name) ? "near" : "seen";
      add(record, program, { kind: "host", name: object.name }, facts.sent, found.includes("content") ? "content" : found[0] || near, "given");
    }
  }
  const all = [...flows.values()];
  for (const flow of all) if (flow.stopped && flow.stopped === flow.times && !flow.bytes) flow.strength = "stopped";
  return all.sort(by(flow => -flow.bytes, flow => -RANKS.indexOf(flow.strength), flow => flow.first));
}

function flowGraph(view) {
  const flows = flowsOf(view), name = end => nameOf(end.name, view.home);
  if (!flows.length) return el("div", "", el("p", "none", "The record names no flow of data."));
  const used = [...new Set(flows.map(flow => flow.strength))];
  const legend = el("div", "legend", ...used.map(strength => el("span", "", svgKey(strength), STRENGTHS[strength])));
  const table = el("table", "", el("thead", "", el("tr", "", ...["From", "To", "Bytes", "Evidence"].map(head => el("th", "", head)))),
    el("tbody", "", ...flows.slice(0, 100).map(flow => el("tr", "", el("td", "", mono(name(flow.from)), flow.from.label ? el("span", "pill", nameOf(flow.from.label)) : null),
      el("td", "", mono(name(flow.to))), el("td", "number", flow.bytes ? amount(flow.bytes) : "—"),
      el("td", "", STRENGTHS[flow.strength], flow.stopped && flow.strength !== "stopped" ? `, ${flow.stopped} refused` : "")))));
  const rest = flows.length > 100 ? el("p", "note", `and ${flows.length - 100} more`) : null;
  return el("div", "", el("p", "lead", "What went from places to programs and from programs to hosts. A line says only what a record says: that two lines meet in a program does not mean that the one became the other."),
    legend, drawing(flows, name), el("div", "scroll", table), rest);
}

const svgKey = strength => svg("svg", { width: 22, height: 8, class: "key" }, svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: `flow ${strength}`, "stroke-width": 5 }));

/** Three columns of ends, and a band for each flow, as wide as its bytes. */
function drawing(flows, name) {
  const columns = [[], [], []], columnOf = end => end.kind === "place" ? 0 : end.kind === "program" ? 1 : 2;
  const keyOf = end => `${columnOf(end)} ${end.name}`, nodes = new Map();
  const node = end => {
    const column = columns[columnOf(end)];
    const crowded = !nodes.has(keyOf(end)) && column.length >= MOST_ENDS, key = crowded ? `${columnOf(end)} …` : keyOf(end);
    if (!nodes.has(key)) { nodes.set(key, { end: crowded ? null : end, load: [0, 0], at: [0, 0] }); column.push(nodes.get(key)); }
    return nodes.get(key);
  };
  const most = flows.reduce((high, flow) => Math.max(high, flow.bytes), 1), bands = new Map();
  for (const flow of flows) {
    const from = node(flow.from), to = node(flow.to), key = JSON.stringify([columnOf(flow.from), columns[columnOf(flow.from)].indexOf(from), columns[columnOf(flow.to)].indexOf(to), columnOf(flow.to)]);
    if (!bands.has(key)) bands.set(key, { from, to, bytes: 0, strength: "given" });
    const band = bands.get(key);
    band.bytes += flow.bytes;
    if (RANKS.indexOf(flow.strength) > RANKS.indexOf(band.strength)) band.strength = flow.strength;
  }
  for (const band of bands.values()) {
    band.width = 2.5 + 22 * Math.sqrt(Math.min(1, band.bytes / most));
    band.from.load[1] += band.width + 3; band.to.load[0] += band.width + 3;
  }
  const X = [0, 400, 800], WIDE = 200, heights = columns.map(column => column.reduce((y, one) => {
    one.high = Math.max(34, ...one.load.map(load => load + 6)); one.y = y;
    return y + one.high + 14;
  }, 26));
  const paths = [...bands.values()].map(({ from, to, width, strength, bytes }) => {
    const y1 = from.y + 5 + from.at[1] + width / 2, y2 = to.y + 5 + to.at[0] + width / 2;
    from.at[1] += width + 3; to.at[0] += width + 3;
    const x1 = X[columns.findIndex(column => column.includes(from))] + WIDE, x2 = X[columns.findIndex(column => column.includes(to))], half = (x1 + x2) / 2;
    const tip = svg("title", {}, `${STRENGTHS[strength]}${bytes ? `, ${amount(bytes)}` : ""}`);
    return svg("path", { d: `M${x1} ${y1}C${half} ${y1} ${half} ${y2} ${x2} ${y2}`, "stroke-width": width.toFixed(1), class: `flow ${strength}` }, tip);
  });
  const boxes = columns.flatMap((column, place) => column.map(({ end, y, high }) => {
    const full = end ? name(end) : "others", letters = Array.from(full), short = letters.length > 27 ? "…" + letters.slice(-26).join("") : full;
    return svg("g", {}, svg("rect", { x: X[place], y, width: WIDE, height: high, rx: 6, class: end && end.label ? "end sealed" : "end" }),
      svg("text", { x: X[place] + 10, y: y + 21, class: "mono" }, short), svg("title", {}, full));
  }));
  const heads = ["Places", "Programs", "Hosts and places written"].map((head, place) => svg("text", { x: X[place], y: 14, class: "head" }, columns[place].length ? head : ""));
  const high = Math.max(...heights);
  return el("div", "graph", svg("svg", { viewBox: `0 0 1000 ${high}`, role: "img", "aria-label": "Flows of data" }, ...heads, ...paths, ...boxes));
}

function refusals(view) {
  const groups = new Map();
  for (const record of view.records.filter(record => record.facts.said === "denied")) {
    const { facts, object } = record, key = JSON.stringify([facts.reason, facts.acts, object && object.name, record.event]);
    if (!groups.has(key)) groups.set(key, { records: [], count: 0 });
    groups.get(key).records.push(record); groups.get(key).count += facts.count;
  }
  const sorted = [...groups.values()].sort(by(one => -one.count, one => one.records[0].index));
  return el("div", "", el("p", "lead", "Each kind of refusal, the most frequent first. ", el("code", "", `aisandbox audit explain ${view.run}`), " says what would change it."),
    pages(sorted, ({ records, count }) => {
      const { facts, object, event } = records[0];
      const line = el("summary", "", el("b", "times", `${count} ×`), el("bdi", "said mono", `${actsWords(facts.acts)} ${object ? nameOf(object.name, view.home) : shown(event)}`.trim()), el("span", "pill refused", nameOf(facts.reason || event)));
      const made = el("details", "event", line);
      made.addEventListener("toggle", () => { if (made.open && made.children.length === 1) made.append(pages(records, record => eventRow(record, view), "")); });
      return made;
    }, "Nothing was refused, as far as the record says."));
}
