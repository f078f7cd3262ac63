/**
 * What a promised form costs: the trie of a vocabulary, compiling, and the mask before each token of an answer that is
 * forced along, with no mask found before ("first") and again ("then"). Needs npm run build; no weights are read:
 *   node bench/forms/masks.mjs MODEL.gguf
 *   node bench/forms/masks.mjs --vocabulary FILE.json     a list of tokens' bytes in hexadecimal
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runAtOnce } from "../../dist/core/pausable.js";
import { Form } from "../../dist/forms/form.js";
import { openTokenizer } from "../../dist/index.js";
import { makeTokenTrie } from "../../dist/text/token-trie.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { vocabulary: { type: "string" } },
});

const person = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 100 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    email: { type: "string", format: "email" },
    tags: { type: "array", items: { type: "string" }, maxItems: 10 },
    kind: { enum: ["red", "green", "blue"] },
  },
  required: ["name", "age", "email", "tags", "kind"],
  additionalProperties: false,
};
const answer = JSON.stringify({
  name: "Anna Müller von der Höhe",
  age: 42,
  email: "anna.mueller@example.com",
  tags: ["alpha beta", "gamma delta epsilon", "a longer tag with many words in it, and a comma"],
  kind: "green",
});
const forms = [
  ["any JSON", { kind: "schema", schema: true }, answer],
  ["a person", { kind: "schema", schema: person }, answer],
  [
    "a person, other keys",
    { kind: "schema", schema: { ...person, additionalProperties: true } },
    answer,
  ],
  [
    "regex",
    { kind: "regex", regex: "\\d{4}-\\d{2}-\\d{2}( [\\p{L}]+)+" },
    "2026-11-30 une belle journée de novembre",
  ],
  [
    "grammar",
    { kind: "grammar", grammar: 'root ::= (line "\\n")+\nline ::= [^\\n]{1,80}' },
    "The quick brown fox\njumps over the lazy dog\n",
  ],
];

const tokens = await tokensOf(values.vocabulary, positionals[0]);
const startedAt = performance.now();
const trie = runAtOnce(makeTokenTrie(tokens));
console.log(
  `${tokens.vocabularySize} tokens; trie of ${trie.bytes.length} nodes in ${since(startedAt)} ms`,
);
// A first form warms the program up: its code is compiled by then.
measure(forms[1]);
console.log(
  "form | compile ms | prepare: all, longest turn ms | tokens | first: median, p99 ms | then: median, p99 ms | accept: median ms",
);
for (const form of forms) console.log(measure(form));

function measure([name, source, text]) {
  const begun = performance.now();
  const form = new Form(source, { trie: () => trie, spellingsOf: (text) => [Buffer.from(text)] });
  const compile = since(begun);
  const { prepare, turn } = prepared(form);
  const ids = split(text);
  const [first, then] = [forced(form, ids), forced(form, ids)];
  const masks = [first, then].map(
    ({ masks }) => `${quantile(masks, 0.5)}, ${quantile(masks, 0.99)}`,
  );
  return [
    name,
    compile,
    `${prepare}, ${turn}`,
    ids.length,
    ...masks,
    quantile(then.accepts, 0.5),
  ].join(" | ");
}

/** Once for each form, with pauses. */
function prepared(form) {
  const begun = performance.now();
  const work = form.prepare();
  let turn = 0;
  for (let isDone = false; !isDone; ) {
    const from = performance.now();
    isDone = work.next().done;
    turn = Math.max(turn, performance.now() - from);
  }
  return { prepare: since(begun), turn: turn.toFixed(1) };
}

function forced(form, ids) {
  const constraint = form.constrain({
    endTokens: [],
    dropsSpaceAfter: () => false,
    encode: () => [],
  });
  const mask = new Uint32Array(Math.ceil(tokens.vocabularySize / 32));
  const masks = [];
  const accepts = [];
  for (const id of ids) {
    const from = performance.now();
    constraint.mask(mask);
    const between = performance.now();
    if (((mask[id >> 5] >>> (id & 31)) & 1) === 0)
      throw new Error(`token ${id} is not in the mask`);
    const before = performance.now();
    if (!constraint.accept(id)) throw new Error(`token ${id} is refused`);
    accepts.push(performance.now() - before);
    masks.push(between - from);
  }
  if (!constraint.isComplete) throw new Error("the answer is not complete");
  return { masks, accepts };
}

/** The longest token that fits, again and again. */
function split(text) {
  const bytes = Buffer.from(text).toString("latin1");
  const ids = [];
  for (let at = 0; at < bytes.length; ) {
    let length = Math.min(40, bytes.length - at);
    while (!tokens.idOf.has(bytes.slice(at, at + length))) length--;
    ids.push(tokens.idOf.get(bytes.slice(at, at + length)));
    at += length;
  }
  return ids;
}

async function tokensOf(vocabulary, model) {
  const { vocabularySize, pieces } =
    vocabulary === undefined ? await openTokenizer(model) : listed(vocabulary);
  const idOf = new Map();
  for (let id = 0; id < vocabularySize; id++) {
    if (!pieces.isHidden(id)) idOf.set(Buffer.from(pieces.bytesOf(id)).toString("latin1"), id);
  }
  return { vocabularySize, pieces, idOf };
}

function listed(file) {
  const bytes = JSON.parse(readFileSync(file, "utf8")).map((hex) => Buffer.from(hex ?? "", "hex"));
  return {
    vocabularySize: bytes.length,
    pieces: { bytesOf: (id) => bytes[id], isHidden: () => false },
  };
}

function quantile(list, share) {
  const sorted = list.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(4);
}

function since(from) {
  return (performance.now() - from).toFixed(1);
}
