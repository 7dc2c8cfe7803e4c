// Checks the log of a run, or single leaves of one, from their bytes alone (aisandbox-audit(7)). Draws nothing, asks nobody,
// and takes every byte for hostile. What it gives as a leaf was checked; what stands behind a damage is never given.
"use strict";

const FAN = 16, LEVELS = 3, HEAD = 28;
const TAMPERED = "tampered", TRUNCATED = "truncated", OPEN = "open", SEALED = "sealed";

class Wrong extends Error {}
function need(holds, why) { if (!holds) throw new Wrong(why); }

// Bytes.

const ENCODER = new TextEncoder(), DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ascii = text => ENCODER.encode(text);
const utf8 = bytes => DECODER.decode(bytes);
const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

function unhex(text, length) {
  need(typeof text === "string" && text.length === 2 * length && /^[0-9a-f]*$/.test(text), "a value is no hex of its length");
  return Uint8Array.from(text.match(/../g), pair => parseInt(pair, 16));
}

function base64(text) {
  let raw;
  try { raw = atob(text); } catch { throw new Wrong("a value is no base64"); }
  need(btoa(raw) === text, "base64 of another form");
  return Uint8Array.from(raw, letter => letter.charCodeAt(0));
}

function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}

async function inflate(bytes, most) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts = [];
  for (let sum = 0;;) {
    const { done, value } = await reader.read();
    if (done) return join(...parts);
    sum += value.length;
    need(sum <= most, "the page holds more than it says");
    parts.push(value);
  }
}

const CRC = Uint32Array.from({ length: 256 }, (_, at) => {
  for (let bit = 0; bit < 8; bit++) at = at & 1 ? 0xedb88320 ^ (at >>> 1) : at >>> 1;
  return at >>> 0;
});

function crc32(...parts) {
  let sum = 0xffffffff;
  for (const part of parts) for (let at = 0; at < part.length; at++) sum = CRC[(sum ^ part[at]) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

// Hashes (FIPS 180-4). The browser's own would have to be waited for at each of thousands of leaves.

const PRIMES = [];
for (let number = 2; PRIMES.length < 80; number++) if (PRIMES.every(prime => number % prime)) PRIMES.push(number);

function rootBits(number, power) { // 64 bits behind the point of the root
  const wanted = BigInt(number) << BigInt(64 * power);
  let low = 0n, high = 1n << 80n;
  while (high - low > 1n) { const half = (low + high) >> 1n; if (half ** BigInt(power) <= wanted) low = half; else high = half; }
  return low & 0xffffffffffffffffn;
}

const K512 = PRIMES.map(prime => rootBits(prime, 3)), H512 = PRIMES.slice(0, 8).map(prime => rootBits(prime, 2));
const K256 = Int32Array.from(K512.slice(0, 64), bits => Number(bits >> 32n) | 0);
const H256 = Int32Array.from(H512, bits => Number(bits >> 32n) | 0);
const W = new Int32Array(64);

function sha256(...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0), all = new Uint8Array((length + 72) >> 6 << 6);
  let from = 0;
  for (const part of parts) { all.set(part, from); from += part.length; }
  all[length] = 0x80;
  const view = new DataView(all.buffer), h = H256.slice();
  view.setBigUint64(all.length - 8, BigInt(length) * 8n);
  for (let at = 0; at < all.length; at += 64) {
    for (let t = 0; t < 16; t++) W[t] = view.getInt32(at + 4 * t);
    for (let t = 16; t < 64; t++) {
      const x = W[t - 15], y = W[t - 2];
      const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3, s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
      W[t] = W[t - 16] + s0 + W[t - 7] + s1 | 0;
    }
    let a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], i = h[7];
    for (let t = 0; t < 64; t++) {
      const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
      const one = i + s1 + (e & f ^ ~e & g) + K256[t] + W[t] | 0;
      const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
      const two = s0 + (a & b ^ a & c ^ b & c) | 0;
      i = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += i;
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let t = 0; t < 8; t++) out.setInt32(4 * t, h[t]);
  return new Uint8Array(out.buffer);
}

function sha512(bytes) {
  const M = (1n << 64n) - 1n, turn = (x, n) => (x >> BigInt(n) | x << BigInt(64 - n)) & M;
  const all = new Uint8Array((bytes.length + 144) >> 7 << 7), view = new DataView(all.buffer), h = H512.slice();
  all.set(bytes);
  all[bytes.length] = 0x80;
  view.setBigUint64(all.length - 8, BigInt(bytes.length) * 8n);
  for (let at = 0; at < all.length; at += 128) {
    const w = Array.from({ length: 16 }, (_, t) => view.getBigUint64(at + 8 * t));
    for (let t = 16; t < 80; t++) {
      const s0 = turn(w[t - 15], 1) ^ turn(w[t - 15], 8) ^ w[t - 15] >> 7n, s1 = turn(w[t - 2], 19) ^ turn(w[t - 2], 61) ^ w[t - 2] >> 6n;
      w.push(w[t - 16] + s0 + w[t - 7] + s1 & M);
    }
    let [a, b, c, d, e, f, g, i] = h;
    for (let t = 0; t < 80; t++) {
      const one = i + (turn(e, 14) ^ turn(e, 18) ^ turn(e, 41)) + (e & f ^ (M ^ e) & g) + K512[t] + w[t];
      const two = (turn(a, 28) ^ turn(a, 34) ^ turn(a, 39)) + (a & b ^ a & c ^ b & c);
      i = g; g = f; f = e; e = d + one & M; d = c; c = b; b = a; a = one + two & M;
    }
    [a, b, c, d, e, f, g, i].forEach((value, t) => { h[t] = h[t] + value & M; });
  }
  const out = new DataView(new ArrayBuffer(64));
  h.forEach((value, t) => out.setBigUint64(8 * t, value));
  return new Uint8Array(out.buffer);
}

// Ed25519 (RFC 8032), for browsers that have none: slow, and right.

const P = 2n ** 255n - 19n, L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = number => { const rest = number % P; return rest < 0n ? rest + P : rest; };
const little = bytes => BigInt("0x" + hex(Uint8Array.from(bytes).reverse()));

function power(base, exponent) {
  let result = 1n;
  for (base = mod(base); exponent; exponent >>= 1n, base = base * base % P) if (exponent & 1n) result = result * base % P;
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));

function add(p, q) {
  const a = mod((p[1] - p[0]) * (q[1] - q[0])), b = mod((p[1] + p[0]) * (q[1] + q[0]));
  const c = mod(2n * p[3] * q[3] * D), d = mod(2n * p[2] * q[2]), e = b - a, f = d - c, g = d + c, h = b + a;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(factor, point) {
  let sum = [0n, 1n, 1n, 0n];
  for (; factor; factor >>= 1n, point = add(point, point)) if (factor & 1n) sum = add(sum, point);
  return sum;
}

function point(bytes) {
  let y = little(bytes);
  const sign = y >> 255n;
  y &= (1n << 255n) - 1n;
  const xx = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n));
  let x = power(xx, (P + 3n) / 8n);
  if (mod(x * x - xx)) x = mod(x * power(2n, (P - 1n) / 4n));
  if (y >= P || mod(x * x - xx) || (x === 0n && sign)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

const BASE = point(unhex("58" + "66".repeat(31), 32));

function ownSigned(key, text, signature) {
  const s = little(signature.subarray(32)), r = point(signature.subarray(0, 32)), of = point(key);
  if (s >= L || !r || !of) return false;
  const h = little(sha512(join(signature.subarray(0, 32), key, text))) % L;
  const a = times(s, BASE), b = add(r, times(h, of));
  return mod(a[0] * b[2] - b[0] * a[2]) === 0n && mod(a[1] * b[2] - b[1] * a[2]) === 0n;
}

// The first vector of RFC 8032: only a browser that knows right from wrong is asked.
const VECTOR = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"];

async function browsersOwn(key, text, signature) {
  const subtle = globalThis.crypto.subtle, known = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return subtle.verify({ name: "Ed25519" }, known, signature, text);
}

async function signer() {
  const [key, good] = [unhex(VECTOR[0], 32), unhex(VECTOR[1], 64)], none = new Uint8Array(0), bad = good.slice();
  bad[5] ^= 1;
  try {
    if (await browsersOwn(key, none, good) && !await browsersOwn(key, none, bad)) {
      return { name: "this browser (WebCrypto)", signed: (...of) => browsersOwn(...of).catch(() => false) };
    }
  } catch { /* it has no Ed25519 */ }
  return { name: "the page's own arithmetic: this browser has no Ed25519", signed: async (...of) => {
    await new Promise(go => setTimeout(go)); // the page stays alive between two of them
    return ownSigned(...of);
  } };
}

// The tree (RFC 6962).

const leafHash = leaf => sha256(Uint8Array.of(0), leaf);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

class Tree {
  constructor(size = 0, peaks = []) { this.size = size; this.peaks = peaks; }
  copy() { return new Tree(this.size, this.peaks.slice()); }
  push(leaf) {
    let hash = leafHash(leaf);
    for (let above = this.size; above % 2 === 1; above = Math.floor(above / 2)) hash = nodeHash(this.peaks.pop(), hash);
    this.peaks.push(hash);
    this.size += 1;
  }
  root() { return this.size ? this.peaks.reduceRight((right, left) => nodeHash(left, right)) : sha256(new Uint8Array(0)); }
}

function rootByPath(hash, at, size, path) {
  need(Number.isSafeInteger(at) && at >= 0 && at < size, "an index is not in its tree");
  let last = size - 1;
  const half = number => Math.floor(number / 2);
  for (const beside of path) {
    need(last > 0, "a path is too long");
    const left = at % 2 === 1 || at === last;
    hash = left ? nodeHash(beside, hash) : nodeHash(hash, beside);
    while (left && at % 2 === 0 && at) { at = half(at); last = half(last); }
    at = half(at); last = half(last);
  }
  need(last === 0, "a path is too short");
  return hash;
}
