// The three answers and the refusals, counted anew from leaves that hold, in the words that the page came with: so that the
// two can be compared.
"use strict";

const MOST_ROWS = 6;

const row = (text, note = "", under = []) => ({ text, note, under });
const group = (title, all, rows) => ({ title, rows: rows.slice(0, MOST_ROWS), rest: Math.max(0, all - Math.min(rows.length, MOST_ROWS)) });
const often = count => count > 1 ? `${count} ×` : "";
const by = (...keys) => (one, other) => keys.map(key => key(one) - key(other)).find(order => order) || 0;

function cardsOf(all, home, seen) {
  const lines = [...all.objects.values()], name = text => nameOf(text, home);
  return [touched(lines, name, seen.files), approved(all, name), moved(lines, all.open, name, seen.network), refused(all, lines, name)];
}

function touched(lines, name, seen) {
  const files = lines.filter(line => line.kind === "file" && line.seen > 0);
  const count = (...words) => files.filter(line => hasAct(line.acts.seen, ...words)).length;
  const named = (title, which) => {
    const of = lines.filter(which).sort(by(line => -(line.seen + line.granted), line => line.first));
    return group(title, of.length, of.map(line => row(name(line.name), often(line.seen + line.granted))));
  };
  const groups = [
    named("Sensitive", line => line.label && line.seen + line.granted > 0 && ["file", "device"].includes(line.kind)),
    named("Given", line => line.granted > 0 && ["file", "program", "device"].includes(line.kind)),
    named("Programs started", line => line.seen > 0 && line.kind === "program"),
  ];
  return {
    title: "What was touched",
    facts: [[`${count("read")}`, "read"], [`${count("append", "overwrite", "create")}`, "changed"], [`${count("delete")}`, "deleted"],
      [`${files.filter(line => line.label).length}`, "sensitive"]],
    groups: groups.filter(one => one.rows.length), none: "Nothing that the record saw", seen,
  };
}

function approved(all, name) {
  const groups = new Map();
  for (const record of all.grants) {
    const by = record.facts.by, key = record.object ? record.object.kind + " " + record.object.name : "";
    if (!groups.has(by)) groups.set(by, { by, count: 0, objects: new Map() });
    const of = groups.get(by), object = of.objects.get(key) || { record, count: 0, key };
    of.count += 1; object.count += 1;
    of.objects.set(key, object);
  }
  const sorted = [...groups.values()].sort((one, other) => (one.by < other.by ? -1 : 1)).sort(by(of => isPerson(of.by) ? 0 : 1, of => -of.count));
  const persons = all.grants.filter(record => isPerson(record.facts.by)).length;
  return {
    title: "Who approved it",
    facts: [[`${persons}`, "by a person"], [`${all.grants.length - persons}`, "by a rule"]],
    groups: sorted.slice(0, MOST_ROWS).map(of => {
      const objects = [...of.objects.values()].sort(by(object => -object.count, object => object.record.index)).slice(0, MOST_ROWS);
      const rows = objects.map(({ record, key, count }) => {
        const line = all.objects.get(key), words = line ? actsWords(line.acts.granted) : "";
        return row(`${words} ${line ? name(line.name) : ""}`.trim(), often(count));
      });
      return { title: `${of.count} by ${decider(of.by)}`, rows, rest: of.count - objects.reduce((sum, object) => sum + object.count, 0) };
    }),
    none: "Nothing was asked for and given", seen: "",
  };
}

function moved(lines, open, name, seen) {
  const hosts = lines.filter(line => line.kind === "host").sort(by(line => -line.sent, line => -line.denied, line => line.first));
  const sum = what => hosts.reduce((all, line) => all + line[what], 0);
  const told = hosts.slice(0, MOST_ROWS).filter(line => line.sent > 0 || line.rule || line.content);
  const rows = told.map(line => {
    const found = [...line.found].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1)).slice(0, 32);
    const under = found.length ? [`found in it: ${found.map(([kind, count]) => `${count} × ${name(kind)}`).join(", ")}`] : [];
    if (line.content) under.push("the content of something known was in it");
    for (const near of nearTo(line, open)) {
      const when = near.seconds === 0 ? "while it was open" : `${many(near.seconds, "second", "seconds")} after it was open`;
      under.push(`near in time: ${name(near.name)} [${name(near.label)}], ${when}`);
    }
    return row(name(line.name), `${amount(line.sent)} out, ${amount(line.received)} in${line.denied ? `, ${line.denied} refused` : ""}`, under);
  });
  return {
    title: "How data moved", facts: [[amount(sum("sent")), "out"], [amount(sum("received")), "in"], [`${hosts.length}`, hosts.length === 1 ? "host" : "hosts"]],
    groups: told.length ? [group("Sent to", hosts.length, rows)] : [], none: "No data left, as far as the record saw", seen,
  };
}

function refused(all, lines, name) {
  const denied = lines.filter(line => line.denied > 0 && ["file", "host", "program", "device"].includes(line.kind))
    .sort(by(line => -line.denied, line => line.first));
  const rows = denied.slice(0, MOST_ROWS).map(line => row(`${actsWords(line.acts.denied)} ${name(line.name)}`, often(line.denied)));
  return {
    title: "What was refused", facts: [[`${all.denials}`, all.denials === 1 ? "refusal" : "refusals"]],
    groups: rows.length ? [group("Most often", denied.length, rows)] : [], none: "Nothing", seen: "",
  };
}
