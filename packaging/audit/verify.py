#!/usr/bin/env python3
"""Checks the log of a run, or a proof of one event, with nothing but Python. Written from aisandbox-audit(7) alone.

    verify.py [--root HEX] [--leaves] FOLDER | FILE.tlog-proof

Exit status: 0 sealed or proven, 1 tampered with or not proven, 2 truncated, 3 open. --leaves prints what was hashed, and
behind a tab the personal fields that are not in the leaf but committed to.
"""
import argparse, base64, binascii, hashlib, json, os, struct, sys

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
FAN, LEVELS = 16, 3
unhex, sha = bytes.fromhex, lambda data: hashlib.sha256(data).digest()

def need(holds, why):
    if not holds: raise ValueError(why)

def decode(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 of another form")
    return data

def add(p, q):  # Ed25519 (RFC 8032), in extended coordinates
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P

def times(k, p):
    q = (0, 1, 1, 0)
    while k:
        q, p, k = add(q, p) if k & 1 else q, add(p, p), k >> 1
    return q

def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P; x = pow(xx, (P + 3) // 8, P)
    x = x if (x * x - xx) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    need(y < P and (x * x - xx) % P == 0 and not (x == 0 and sign), "a key or signature is no point")
    return (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, (P - x) * y % P)

BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed(key, text, signature, why):
    need(len(key) == 32 and len(signature) == 64, why)
    s, h = int.from_bytes(signature[32:], "little"), hashlib.sha512(signature[:32] + key + text).digest()
    a, b = times(s, BASE), add(point(signature[:32]), times(int.from_bytes(h, "little") % L, point(key)))
    need(s < L and (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0, why)

def push(peaks, size, hashed):  # the tree (RFC 6962): the roots of its whole subtrees
    while size & 1:
        hashed, size = sha(b"\1" + peaks.pop() + hashed), size >> 1
    peaks.append(hashed)

def root_of(peaks):
    root = peaks[-1]
    for left in peaks[-2::-1]:
        root = sha(b"\1" + left + root)
    return root

def root_by_path(leaf, at, size, path):
    root, last = sha(b"\0" + leaf), size - 1
    need(0 <= at < size, "the index is not in the tree")
    for beside in path:
        need(last, "the path is too long")
        left = at & 1 or at == last
        root = sha(b"\1" + beside + root) if left else sha(b"\1" + root + beside)
        while left and not at & 1 and at:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    need(last == 0, "the path is too short")
    return root

def note(data, origin):
    text, lines = data.decode().split("\n\n")
    name, size, root = text.split("\n")
    need(name == origin and str(int(size)) == size and lines[-1:] == "\n", "the note is of another log")
    keys = {}
    for dash, name, code in (line.split(" ") for line in lines[:-1].split("\n")):
        need(dash == "\u2014" and name == origin, "a line of the note is no signature of the log")
        keys[decode(code)[:4]] = decode(code)[4:]
    return int(size), decode(root), text.encode() + b"\n", keys

def check_note(found, origin, key, why):
    signed(key, found[2], found[3].get(sha(origin.encode() + b"\n\1" + key)[:4], b""), why)

def identity(of):
    place, below = of["cert"]["place"], None
    steps, links = place["steps"], place.get("links", [])
    turn = [link["index"] for link in links] == [FAN - 1] * len(links) and steps[-1]["index"] != FAN - 1
    number = sum(step["index"] * FAN**level for level, step in enumerate(steps)) + len(links) * (FAN - 1) * FAN**2
    need(len(steps) == LEVELS and turn and number == place["number"], "the device's key has no right place")
    for step in steps + links[::-1]:
        if below:
            text = "aisandbox device tree v1\n%s\n" % below.hex()
            signed(unhex(step["key"]), text.encode(), unhex(step["signed"]), "a tree of the device is not signed")
        below = root_by_path(unhex(step["key"]), step["index"], FAN, [unhex(one) for one in step["path"]])
    text = b"aisandbox run v1\n%s\n%s\n%s\n" % tuple(of[one].encode() for one in ("run", "key", "stable"))
    signed(unhex(steps[0]["key"]), text, unhex(of["cert"]["signature"]), "no device signed the keys")
    return below.hex()

def opens(leaf, opening):  # the personal fields of a leaf, if they are those that it is committed to
    text = leaf[-46:-3].decode()
    if not leaf.endswith(b'"}}') or leaf[-61:-46] != b',"sd":{"data":"' : return ""
    if opening is None: return None
    digest = sha(b"ais.sd.v1\0" + opening[:16] + b"\0\4data" + opening[16:])
    need(base64.urlsafe_b64encode(digest).decode() == text + "=", "what opens the event does not fit its commitment")
    return opening[16:].decode()

def openings(folder):  # index of the leaf: salt and value, or nothing where a redaction took them
    found = {}
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".openings")):
        data, at = open(os.path.join(folder, name), "rb").read(), 0
        while at < len(data):
            index, kind, length = struct.unpack_from(">QBH", data.ljust(at + 11, b"\0"), at)
            body = data[at + 11:at + 11 + length]
            whole = len(body) == length and (length == 8 if kind == 0 else kind == 1 and length >= 16)
            if not whole or index in found: return dict(found, **{"torn": 1})
            found[index], at = (body if kind else b""), at + 11 + length
    return found

def blocks(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".seg"))
    need(names == ["%08d.seg" % number for number in range(len(names))], "a segment is missing")
    for name in names:
        data, at = open(os.path.join(folder, name), "rb").read(), 0
        while at < len(data):
            magic, first, count, size, length, crc = struct.unpack_from(">4sQIIII", data.ljust(at + 28, b"\0"), at)
            body, note = at + 28, at + 28 + size
            whole = magic == b"ASB1" and note + length <= len(data)
            if not whole or binascii.crc32(data[body:note + length], binascii.crc32(data[at:at + 24])) != crc:
                need(name == names[-1] and b"ASB1" not in data[at + 1:], "%s: byte %d: no whole block" % (name, at))
                return (yield None)
            yield first, count, data[body:note], data[note:note + length], "%s: byte %d: " % (name, at)
            at = note + length

def placed(where, step, *of):
    try: return step(*of)
    except ValueError as wrong: raise ValueError(where + str(wrong)) from None

def check_each(unsigned, origin, key):
    for found, where in unsigned: placed(where, check_note, found, origin, key, "not signed by the key whose turn it is")

def check_log(folder, show):
    beside, took, missing = openings(folder), 0, 0
    alone = not any(name.endswith(".openings") for name in os.listdir(folder))  # a copy of the leaves
    peaks, size, epoch, state, who, origin, key, notes, unsigned = [], 0, 0, 3, None, "", b"", b"", []
    for block in blocks(folder):
        need(state, "something follows the end")
        if block is None:
            check_each(unsigned, origin, key)
            return 2, size, who, took, missing
        first, count, data, text, where = block
        at, begin = 0, size
        while at < len(data):
            leaf = data[at + 2:at + 2 + struct.unpack_from(">H", data, at)[0]]
            push(peaks, size, sha(b"\0" + leaf))
            at, size = at + 2 + len(leaf), size + 1
            if size == 1:
                start = json.loads(leaf)["data"]
                who, key, origin = identity(start), unhex(start["key"]), "aisandbox.run/" + start["run"]
            opening = beside.pop(size - 1, None)
            hidden = placed(where, opens, leaf, opening or None)
            took, missing = took + (opening == b""), missing + (hidden is None and opening is None)
            need(hidden != "" or opening is None, where + "something opens a leaf that is not closed")
            if show: print(leaf.decode(), hidden or "", sep="\t" if hidden else "")
        found = placed(where, note, text, origin)
        need((first, count) == (begin, size - begin) and at == len(data), where + "the block has another place")
        need(found[:2] == (size, root_of(peaks)), where + "the root that was signed is another")
        if len(found[3]) > 1: placed(where, check_note, found, origin, unhex(start["stable"]), "not signed by the stable key")
        unsigned.append((found, where))
        last = json.loads(leaf) if b'"event":"log.' in leaf else {"event": ""}
        if last["event"] not in ("log.key", "log.end", "log.suspended"):
            notes = sha(notes + text)
            continue
        # The last signature of an epoch is over its leaf, which has a digest over the notes of the blocks before.
        try:
            check_each(unsigned[-1:], origin, key)
            need(unhex(last["data"].get("notes", "")) == notes, where + "the notes before are not those that were signed")
        except ValueError:
            check_each(unsigned, origin, key)  # names the first that is wrong
            raise
        notes, unsigned, state = b"", [], 3 if last["event"] == "log.key" else 0
        if state:
            need(last["data"]["epoch"] == epoch + 1, where + "a key is missing")
            epoch, key = epoch + 1, unhex(last["data"]["key"])
    check_each(unsigned, origin, key)
    need(state or not beside, "something opens no leaf")
    return 2 if missing and not alone else state, size, who, took, missing

def check_proof(text, show):
    head, end = text.split("\n\n", 1)
    magic, extra, index, *path = head.split("\n")
    of = json.loads(decode(extra.removeprefix("extra ")))
    found = note(end.encode(), "aisandbox.run/" + of["run"])
    check_note(found, "aisandbox.run/" + of["run"], unhex(of["stable"]), "not signed by the log's stable key")
    root = root_by_path(of["leaf"].encode(), int(index.removeprefix("index ")), found[0], map(decode, path))
    need(magic == "c2sp.org/tlog-proof@v1" and root == found[1], "the event is not in the log")
    hidden = opens(of["leaf"].encode(), unhex(of["salt"]) + of["value"].encode() if "salt" in of else None)
    if show: print(of["leaf"], hidden or "", sep="\t" if hidden else "")
    return 0, found[0], identity(of), hidden is None, 0

if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--root"), words.add_argument("--leaves", action="store_true"), words.add_argument("what")
    asked = words.parse_args()
    proof = os.path.isfile(asked.what)
    try:
        state, size, who, took, missing = check_proof(open(asked.what).read(), asked.leaves) if proof else check_log(asked.what, asked.leaves)
        need(asked.root in (None, who), "it is of another device than the one that was named")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, NameError, struct.error) as wrong:
        sys.exit(print("NOT PROVEN:" if proof else "TAMPERED:", wrong) or 1)
    print("PROVEN, of" if proof else {0: "SEALED,", 2: "TRUNCATED,", 3: "OPEN,"}[state], size, "leaves")
    if took: print("values withheld, commitments intact:", int(took))
    if missing: print("personal fields are missing, and no redaction took them:", missing)
    print("signed by device", who, "" if asked.root else "(say with --root which one it should be)")
    sys.exit(state)
