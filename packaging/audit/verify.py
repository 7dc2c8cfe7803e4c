#!/usr/bin/env python3
"""Checks the log of a run, or a proof of one event, with nothing but Python. Written from aisandbox-audit(7) alone.

    verify.py [--root HEX] FOLDER | FILE.tlog-proof

Exit status: 0 sealed or proven, 1 tampered with or not proven, 2 truncated, 3 open. Prints no event: `--leaves` does,
one line of JSON each, exactly as they were hashed (they hold no control characters).
"""
import base64, binascii, hashlib, json, os, struct, sys

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
L = 2**252 + 27742317777372353535851937790883648493
FAN, LEVELS = 16, 3


class Bad(Exception):
    pass


def need(holds, why):
    if not holds:
        raise Bad(why)


# --- Ed25519 (RFC 8032), in extended coordinates ---
def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(k, p):
    q = (0, 1, 1, 0)
    while k:
        if k & 1:
            q = add(q, p)
        p, k = add(p, p), k >> 1
    return q


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    need(y < P, "a key or signature is no point")
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - xx) % P == 0 and not (x == 0 and sign), "a key or signature is no point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, text, signature, why):
    need(len(key) == 32 and len(signature) == 64, why)
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    left, right = times(s, BASE), add(point(signature[:32]), times(h, point(key)))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0
    need(s < L and same, why)


# --- the tree (RFC 6962) ---
def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def push(peaks, size, leaf):
    while size & 1:
        leaf, size = node(peaks.pop(), leaf), size >> 1
    peaks.append(leaf)


def root_of(peaks):
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node(left, root)
    return root


def root_by_path(leaf, at, size, path):
    need(at < size, "the index is not in the tree")
    last = size - 1
    for beside in path:
        need(last, "the path is too long")
        if at & 1 or at == last:
            leaf = node(beside, leaf)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            leaf = node(leaf, beside)
        at, last = at >> 1, last >> 1
    need(last == 0, "the path is too short")
    return leaf


# --- notes, and the device's word ---
def note(data):
    text, lines = data.decode().split("\n\n")
    origin, size, root = text.split("\n")
    keys = {}
    for line in lines.rstrip("\n").split("\n"):
        dash, name, code = line.split(" ")
        need(dash == "\u2014" and name == origin, "the note has a line that is no signature of the log")
        code = base64.b64decode(code, validate=True)
        keys[code[:4]] = code[4:]
    return origin, int(size), base64.b64decode(root, validate=True), text.encode() + b"\n", keys


def check_note(found, key, why):
    number = hashlib.sha256(found[0].encode() + b"\n\x01" + key).digest()[:4]
    signed(key, found[3], found[4].get(number, b""), why)


def identity(run, key, stable, cert):
    place, unhex, below, number = cert["place"], bytes.fromhex, None, 0
    steps, links = place["steps"], place.get("links", [])
    need(len(steps) == LEVELS and steps[-1]["index"] != FAN - 1, "the device's key has no right place")
    need(all(link["index"] == FAN - 1 for link in links), "the device's key has no right place")
    for step in steps + links[::-1]:
        mine = unhex(step["key"])
        if below:
            text = b"aisandbox device tree v1\n%s\n" % below.hex().encode()
            signed(mine, text, unhex(step["signed"]), "a tree of the device is not signed")
        below = root_by_path(leaf_hash(mine), step["index"], FAN, [unhex(one) for one in step["path"]])
    number = sum(step["index"] * FAN**level for level, step in enumerate(steps))
    need(number + len(links) * (FAN - 1) * FAN ** (LEVELS - 1) == place["number"], "the device's key has another number")
    text = "aisandbox run v1\n%s\n%s\n%s\n" % (run, key, stable)
    signed(unhex(steps[0]["key"]), text.encode(), unhex(cert["signature"]), "no device signed the keys of the log")
    return below.hex()


# --- a log, and a proof ---
def blocks(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".seg"))
    need(names == ["%08d.seg" % number for number in range(len(names))], "a segment is missing")
    for name in names:
        data, at = open(os.path.join(folder, name), "rb").read(), 0
        while at < len(data):
            magic, first, count, size, length, crc = struct.unpack_from(">4sQIIII", data.ljust(at + 28, b"\0"), at)
            end = at + 28 + size + length
            if magic != b"ASB1" or end > len(data) or binascii.crc32(data[at + 28:end], binascii.crc32(data[at:at + 24])) != crc:
                need(name == names[-1] and data.find(b"ASB1", at + 1) < 0, "%s: byte %d: no whole block" % (name, at))
                yield None
                return
            yield first, count, data[at + 28:at + 28 + size], data[at + 28 + size:end], "%s: byte %d: " % (name, at)
            at = end


def check_log(folder, show):
    peaks, size, epoch, key, state, who = [], 0, 0, None, 3, None
    for block in blocks(folder):
        need(state, "something follows the end")
        if block is None:
            return 2, size, who
        first, count, data, text, where = block
        need(first == size, where + "the block has another place")
        at = 0
        while at < len(data):
            leaf = data[at + 2:at + 2 + struct.unpack_from(">H", data, at)[0]]
            at, size = at + 2 + len(leaf), size + 1
            push(peaks, size - 1, leaf_hash(leaf))
            if size == 1:
                start = json.loads(leaf)["data"]
                who = identity(start["run"], start["key"], start["stable"], start["cert"])
                key = bytes.fromhex(start["key"])
            if show:
                print(leaf.decode())
        found = note(text)
        need(size - first == count and found[0] == "aisandbox.run/" + start["run"], where + "the note is of another log")
        need((found[1], found[2]) == (size, root_of(peaks)), where + "the root that was signed is another")
        check_note(found, key, where + "not signed by the key whose turn it is")
        last = json.loads(leaf)
        if last["event"] == "log.key":
            need(last["data"]["epoch"] == epoch + 1, where + "a key is missing")
            epoch, key = epoch + 1, bytes.fromhex(last["data"]["key"])
        else:
            need(last["event"] in ("log.end", "log.suspended"), where + "no key for the next block")
            state = 0
    return state, size, who


def check_proof(text, show):
    head, end = text.split("\n\n", 1)
    magic, extra, index, *path = head.split("\n")
    need(magic == "c2sp.org/tlog-proof@v1", "no tlog-proof")
    extra = json.loads(base64.b64decode(extra.removeprefix("extra "), validate=True))
    found = note(end.encode())
    who = identity(extra["run"], extra["key"], extra["stable"], extra["cert"])
    check_note(found, bytes.fromhex(extra["stable"]), "the head is not signed by the log's stable key")
    leaf, path = extra["leaf"].encode(), [base64.b64decode(one, validate=True) for one in path]
    root = root_by_path(leaf_hash(leaf), int(index.removeprefix("index ")), found[1], path)
    need(root == found[2] and found[0] == "aisandbox.run/" + extra["run"], "the event is not in the log")
    if show:
        print(extra["leaf"])
    return 0, found[1], who


def main(words):
    show = "--leaves" in words
    words = [word for word in words if word != "--leaves"]
    pinned = words.pop(words.index("--root") + 1) if "--root" in words else None
    words = [word for word in words if word != "--root"]
    if len(words) != 1:
        sys.exit(__doc__)
    try:
        proof = os.path.isfile(words[0])
        state, size, who = check_proof(open(words[0]).read(), show) if proof else check_log(words[0], show)
        need(pinned in (None, who), "it is of another device than the one that was named")
    except (Bad, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error) as wrong:
        print("NOT PROVEN" if os.path.isfile(words[0]) else "TAMPERED:", wrong)
        return 1
    print("PROVEN" if proof else {0: "SEALED", 2: "TRUNCATED", 3: "OPEN"}[state], "%d leaves" % size)
    print("signed by device", who, "" if pinned else "(say with --root which one it should be)")
    return state


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
