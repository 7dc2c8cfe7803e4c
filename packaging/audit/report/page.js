// Checks the record in this page, then shows what holds of it.
"use strict";

const $ = id => document.getElementById(id);
const WORDS = { sealed: "SEALED", open: "OPEN", truncated: "TRUNCATED", tampered: "TAMPERED" };

function badge(kind, title, more) {
  $("badge").className = `badge ${kind}`;
  $("badge").replaceChildren(el("b", "", title), el("span", "", more));
}

function notice(kind, ...texts) {
  const told = texts.filter(Boolean);
  $("notice").className = `notice ${kind}`;
  $("notice").replaceChildren(...told.map(one => el("p", "", one)));
}

/** What is to be said of the record: how sure, in which words, and what the page cannot know itself. */
function judge(meta, found) {
  const numbers = `${many(found.leaves.length, "leaf", "leaves")}${found.epochs.length ? `, ${many(found.epochs.length, "key", "keys")}` : ""}`;
  const warnings = [], { wrong, withheld, missing } = found.open;
  if (wrong !== null) return ["bad", "Tampered with", `The personal fields of leaf ${wrong} are not those that it is committed to. They are not shown.`, warnings];
  if (withheld) warnings.push(`Personal fields of ${many(withheld, "event", "events")} were withheld by a redaction. That they were there, and which they were, stays committed to.`);
  if (missing) warnings.push(`Personal fields of ${many(missing, "event", "events")} are missing.`);
  if (meta.excerpt) {
    warnings.push(`This page holds ${found.leaves.length} of the ${meta.leaves} leaves of the record: every decision that had room, and the first and last of the rest. The answers were counted over all of them by aisandbox when the page was made; in this browser, only the leaves that are here were checked.`);
    const gone = Object.entries(meta.left_out).map(([name, count]) => `${count} ${shown(name)}`);
    if (gone.length) warnings.push(`Events that are not in it: ${gone.join(", ")}.`);
    const other = found.root !== meta.root || found.size !== meta.leaves;
    if (other && meta.state === "sealed") return ["bad", "Does not verify", "The head in this page is not that of the record it names.", warnings];
    if (["tampered", "truncated"].includes(meta.state)) return ["bad", meta.state === "tampered" ? "Tampered with" : "Truncated", `Where the page was made: ${shown(meta.why ?? "")}. What is here stands before the damage.`, warnings];
    return ["part", "Verified in part", `${numbers} of ${meta.leaves}, each under a signed head`, warnings];
  }
  if (found.state === "tampered") return ["bad", "Tampered with", `From byte ${found.at}: ${found.why}. Only the ${numbers} before it are shown.`, warnings];
  if (found.root !== meta.root || found.size !== meta.leaves || found.identity !== meta.identity)
    return ["bad", "Does not verify", "What holds of the record in this page is not what the page was made of.", [`The page speaks of ${meta.leaves} leaves; ${found.size} hold here.`]];
  if (found.state === "truncated") return ["bad", "Truncated", `Byte ${found.at}: ${found.why}. ${numbers} hold.`, warnings];
  if (WORDS[meta.state] !== WORDS[found.state]) warnings.push(`By itself the record holds. Where the page was made, more was known: ${WORDS[meta.state]}; ${shown(meta.why ?? "")}.`);
  if (["tampered", "truncated"].includes(meta.state)) return ["bad", WORDS[meta.state] === "TAMPERED" ? "Tampered with" : "Truncated", shown(meta.why ?? ""), warnings];
  if (found.state === "open") return ["part", "Verified as far as it goes", `${numbers}. The record has no end: ${shown(meta.why ?? "what stood behind may be cut off")}.`, warnings];
  if (found.why) warnings.push(shown(found.why));
  return ["good", "Verified in this browser", `${numbers}, sealed: nothing was changed, cut off or added`, warnings];
}

function proof(view) {
  const { meta, found, sign } = view, pin = el("input", "pin mono"), answer = el("span", "note");
  const line = (good, title, ...more) => el("li", good === null ? "unknown" : good ? "good" : "bad", el("b", "", title), el("div", "", ...more));
  pin.placeholder = "64 hex digits"; pin.setAttribute("aria-label", "Identity you expect"); pin.spellcheck = false; pin.autocomplete = "off";
  pin.addEventListener("input", () => {
    const given = pin.value.trim().toLowerCase();
    answer.className = given.length !== 64 ? "note" : given === found.identity ? "match good" : "match bad";
    answer.textContent = given.length !== 64 ? "" : given === found.identity ? "It is this device." : "It is another device.";
  });
  const whole = !meta.excerpt, held = found.at === null;
  const steps = [
    line(held, whole ? `${many(found.blocks, "block", "blocks")}: the root of each was computed from its leaves` : `${many(found.leaves.length, "leaf", "leaves")}: each leads to the signed root`, held ? "RFC 6962, SHA-256." : `From byte ${found.at}: ${found.why}.`),
    whole ? line(held, `${many(found.epochs.length, "epoch", "epochs")}: the last block of each is signed by the key whose turn it was`, `A key signs for at most 250 ms, names the next, and is gone. The last signature of an epoch covers all of its blocks. Ed25519 by ${sign.name}.`)
      : line(true, "The head is signed by the log's stable key", `Ed25519 by ${sign.name}. The keys of epochs cannot be followed in a part of a log.`),
    line(found.identity !== null, "A device signed the first keys", "Its identity: ", mono(found.identity ?? "none"), `. ${meta.known ? "Where this page was made, the log of that device has the run. " : ""}A page cannot know which device it should be. Compare it with the one you have from elsewhere: `, pin, " ", answer),
    line(whole ? found.state === "sealed" : null, found.state === "sealed" ? "The log is sealed" : whole ? "The log is not sealed" : "Whether the log is sealed is not shown by a part of it",
      found.state === "sealed" ? "Its last leaf says that nothing follows, under its last key." : "What stood behind may have been cut off, or the run went on."),
    line(view.recount === "differs" ? false : view.recount === "same" ? true : null, view.recount === "same" ? "The answers above were counted anew from these leaves, and are the same" : view.recount === "differs" ? "The answers that this page came with are others than its leaves give; those of the leaves are shown" : "The answers above were counted when the page was made, and not here", ""),
  ];
  const facts = [["Run", meta.run], ["Leaves", String(found.size)], ["Root", found.root], ["Device", found.identity ?? "none"], ["Page made", meta.made], ["By", `aisandbox ${meta.version}`]];
  const epochs = found.epochs.slice(0, 500).map(one => el("tr", "", el("td", "number", String(one.number)), el("td", "number", String(one.blocks)), el("td", "number", `${one.from}–${one.to}`), el("td", "", mono(one.key)), el("td", "", one.ended ? "ended" : "not ended: every block's signature was checked")));
  return el("div", "proof", el("ul", "steps", ...steps), el("dl", "facts", ...facts.flatMap(([name, value]) => [el("dt", "", name), el("dd", "mono", shown(value))])),
    el("h3", "", "What this does not show"), el("ul", "plain",
      el("li", "", "Seen of files: ", meta.seen.files), el("li", "", "Seen of the network: ", meta.seen.network),
      covered(view.records),
      el("li", "", "Whether the Guardian told the truth at the time: what is proven is that nobody changed its word later."),
      el("li", "", "Whether this page is honest: who made it could have changed its checks. Check the record itself with ", el("code", "", `aisandbox audit verify ${meta.run}`), " or, from ", el("code", "", "aisandbox audit bundle"), ", with ", el("code", "", "verify.py"), ".")),
    epochs.length ? el("details", "epochs", el("summary", "", `Epochs and their keys${found.epochs.length > 500 ? `, the first 500 of ${found.epochs.length}` : ""}`), el("div", "scroll", el("table", "", el("thead", "", el("tr", "", ...["Epoch", "Blocks", "Leaves", "Key", ""].map(head => el("th", "", head)))), el("tbody", "", ...epochs)))) : null);
}

/** What the run itself said that it observes of each kind of thing. */
function covered(records) {
  const first = records.find(record => record.event === "run_start"), said = first && at(first.data, "/coverage");
  const each = said && typeof said === "object" ? Object.entries(said).slice(0, 32).map(([kind, word]) => `${nameOf(kind)} ${nameOf(String(word))}`) : [];
  return each.length ? el("li", "", "In the words of the run's first record: ", each.join(", "), ".") : null;
}

function tabs(view) {
  const all = { Timeline: timeline, Processes: processTree, "Data flow": flowGraph, Refusals: refusals, Proof: proof };
  const made = Object.entries(all).map(([title, draw]) => {
    const tab = button(title, "tab", () => open(tab, draw));
    tab.setAttribute("role", "tab"); tab.setAttribute("aria-controls", "panel");
    return [tab, draw];
  });
  const open = (tab, draw) => {
    for (const [other] of made) { other.setAttribute("aria-selected", other === tab); other.tabIndex = other === tab ? 0 : -1; }
    $("panel").replaceChildren(draw(view));
  };
  $("tabs").addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const now = made.findIndex(([tab]) => tab === document.activeElement), [tab, draw] = made[(now + step + made.length) % made.length];
    open(tab, draw); tab.focus();
  });
  $("tabs").replaceChildren(...made.map(([tab]) => tab));
  $("tabs").hidden = $("panel").hidden = false;
  const wanted = made.find(([tab]) => tab.textContent.toLowerCase().replace(" ", "-") === location.hash.slice(1)) || made[0];
  open(...wanted);
}

async function main() {
  const root = document.documentElement, began = performance.now(), meta = JSON.parse($("meta").textContent);
  badge("busy", "Verifying…", `${meta.leaves} leaves`);
  let found, sign;
  try {
    const all = await inflate(base64($("bytes").textContent.trim()), meta.bytes), bytes = all.subarray(0, all.length - meta.openings);
    sign = await signer();
    found = meta.excerpt ? await checkExcerpt(meta.excerpt, bytes, meta.run, sign) : await checkLog(bytes, meta.run, sign);
    openLeaves(found, all.subarray(bytes.length));
  } catch (wrong) {
    root.dataset.proof = "broken";
    badge("bad", "Does not verify", wrong instanceof Wrong ? `${wrong.message}.` : "The record in this page cannot be read, or this browser is too old.");
    notice("bad", "Nothing of the record is shown. The answers below are the words of whoever made this page, and are not verified.");
    return;
  }
  const [kind, title, more, warnings] = judge(meta, found), all = story(found.leaves);
  const view = { meta, found, sign, run: meta.run, home: meta.home, records: all.records, recount: "none", near: new Set() };
  for (const line of all.objects.values()) if (line.kind === "host" && line.sent && nearTo(line, all.open).length) view.near.add(line.name);
  if (!meta.excerpt) {
    const cards = cardsOf(all, meta.home, meta.seen);
    view.recount = JSON.stringify(cards) === JSON.stringify(meta.cards) ? "same" : "differs";
    $("answers").replaceChildren(...cards.map(cardOf));
    if (view.recount === "differs") warnings.push("The answers that this page came with are others than its records give. Those of the records are shown.");
  }
  badge(view.recount === "differs" && kind === "good" ? "part" : kind, title, more);
  notice(kind, ...warnings);
  tabs(view);
  Object.assign(root.dataset, { proof: meta.excerpt ? "excerpt" : found.state, badge: kind, recount: view.recount, leaves: found.leaves.length, sign: sign.name.split(" ")[0], ms: Math.round(performance.now() - began) });
}

main().catch(() => {
  document.documentElement.dataset.proof = "broken";
  badge("bad", "Does not verify", "The page failed. Nothing that it shows is verified.");
});
