/** Contents for the stand-in hub: bytes that look random and are the same every time, and their digests. */
import { createHash } from "node:crypto";

/** `length` bytes that depend on `seed`: a xorshift of 32 bits. */
export function madeBytes(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

const digests = new WeakMap<Uint8Array, { readonly sha256: string; readonly git: string }>();

/** Remembered: the hub is asked for them at each request. */
function digestsOf(content: Uint8Array): { readonly sha256: string; readonly git: string } {
  const known = digests.get(content);
  if (known !== undefined) return known;
  const sha256 = createHash("sha256").update(content).digest("hex");
  const blob = createHash("sha1").update(`blob ${content.length}\0`);
  const found = { sha256, git: blob.update(content).digest("hex") };
  digests.set(content, found);
  return found;
}

export function sha256(content: Uint8Array): string {
  return digestsOf(content).sha256;
}

/** Of git's object for the content. */
export function gitDigest(content: Uint8Array): string {
  return digestsOf(content).git;
}

/** Another digest than sha256, as Xet's is; 64 hexadecimal digits too. */
export function xetHash(content: Uint8Array): string {
  return createHash("sha256")
    .update(`xet ${sha256(content)}`)
    .digest("hex");
}
