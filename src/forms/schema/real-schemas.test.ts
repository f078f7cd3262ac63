/** Schemas as users write and libraries make them: valid values can be written token by token, others cannot. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { runAtOnce } from "../../core/pausable.ts";
import { openTokenizer, type Tokenizer } from "../../index.ts";
import { makeTokenTrie, type TokenTrie } from "../../text/token-trie.ts";
import { Form } from "../form.ts";

interface RealSchema {
  readonly name: string;
  readonly schema: unknown;
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
}

const file = new URL("../../../test/fixtures/real-schemas.json", import.meta.url);
const cases: readonly RealSchema[] = JSON.parse(readFileSync(file, "utf8"));

let tokenizer: Tokenizer;
let trie: TokenTrie;

beforeAll(async () => {
  const bundled = new URL("../../../models/default.gguf", import.meta.url);
  tokenizer = await openTokenizer(fileURLToPath(bundled));
  trie = runAtOnce(makeTokenTrie(tokenizer));
});

/** Whether every token of the value's text stands in its mask, and the text may end behind the last. */
function isWritten(form: Form, value: unknown): boolean {
  const endTokens: readonly number[] = [];
  const constraint = form.constrain({ endTokens, dropsSpaceAfter: () => false, encode: () => [] });
  const mask = new Uint32Array(Math.ceil(tokenizer.vocabularySize / 32));
  let text = Buffer.from(JSON.stringify(value));
  while (text.length > 0) {
    const token = longestToken(text);
    constraint.mask(mask);
    const isMasked = (((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1;
    expect(constraint.accept(token)).toBe(isMasked);
    if (!isMasked) return false;
    text = text.subarray(trie.bytesOf(token).length);
  }
  return constraint.isComplete;
}

function longestToken(text: Uint8Array): number {
  let longest = -1;
  let length = 0;
  for (let token = 0; token < tokenizer.vocabularySize; token++) {
    if (!trie.has(token)) continue;
    const bytes = trie.bytesOf(token);
    if (bytes.length <= length || bytes.length > text.length) continue;
    if (Buffer.compare(bytes, text.subarray(0, bytes.length)) !== 0) continue;
    longest = token;
    length = bytes.length;
  }
  return longest;
}

describe("a schema of the kind that users give", () => {
  it.each(cases)("$name", ({ schema, valid, invalid }) => {
    const source = { kind: "schema", schema } as const;
    const form = new Form(source, { trie: () => trie, spellingsOf: (text) => [Buffer.from(text)] });
    for (const value of valid) expect([value, isWritten(form, value)]).toEqual([value, true]);
    for (const value of invalid) expect([value, isWritten(form, value)]).toEqual([value, false]);
  });

  it("there are sixty of them", () => {
    expect(cases.length).toBeGreaterThanOrEqual(60);
  });
});
