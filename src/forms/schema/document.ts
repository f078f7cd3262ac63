/**
 * A JSON schema's text or object as nodes: each schema in it with its place, checked keyword by keyword, and what its
 * references mean. Nothing is fetched: a reference leads to a place in the same document.
 */
import { describeValue, isPlainObject, isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { enforcedKeywords, isVendorKeyword, refusedKeywords, silentKeywords } from "./keywords.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

export interface SchemaNode {
  readonly id: number;
  /** As a JSON pointer: "#/properties/name". */
  readonly path: string;
  readonly keywords: Readonly<Record<string, unknown>>;
  /** The schema false: no value is valid. */
  readonly isFalse: boolean;
  /** As it stands in the document; keywords of older drafts are said in today's in `keywords`. */
  readonly source: unknown;
  /** Says when another schema does not hold: what it looks at counts as looked at by nobody. */
  readonly isNegation: boolean;
}

/** Schemas, lists and values in each other. Real ones have 20; every level takes room on the stack. */
const maxDepth = 400;
/** Objects, lists and values: a schema of some 2 MB, which takes about a second; an event loop waits for it. */
const maxValues = 60_000;
/** Of names and texts, but for what is said to people: an answer may have to be one of them. */
const maxCharacters = 2_000_000;
/** Characters of schemas that are compared by what they say. */
const maxMeaning = 500;
const saysNothing: ReadonlySet<string> = new Set([
  "title",
  "description",
  "$comment",
  "markdownDescription",
]);

export class SchemaDocument {
  readonly root: SchemaNode;
  readonly #source: unknown;
  readonly #nodes: Map<unknown, SchemaNode> = new Map();
  /** Schemas without others in them that say the same are one: of 1000 properties many do. */
  readonly #byMeaning: Map<string, SchemaNode> = new Map();
  readonly #never: SchemaNode;
  readonly #always: SchemaNode;
  #anchors: ReadonlyMap<string, unknown> | undefined;
  #looksAtUnevaluated: boolean | undefined;
  #hasReferences: boolean | undefined;

  /** @throws FormError where it is too deep or too large, or its root is no schema. */
  constructor(source: unknown) {
    checkSize(source);
    this.#source = source;
    const constant = { path: "#", keywords: {}, isNegation: false };
    this.#always = { ...constant, id: 0, isFalse: false, source: true };
    this.#never = { ...constant, id: 1, isFalse: true, source: false };
    if (typeof source !== "boolean" && !isPlainObject(source)) {
      throw new FormError(
        "schema",
        `is ${describeValue(source)}`,
        "give an object, or true or false",
      );
    }
    this.root = this.node(source, "#");
  }

  /** @throws FormError for a keyword that is refused, or of a wrong value. */
  node(schema: unknown, path: string): SchemaNode {
    if (schema === true) return this.#always;
    if (schema === false) return this.#never;
    const known = this.#nodes.get(schema);
    if (known !== undefined) return known;
    if (!isRecord(schema))
      throw new FormError(at(path), "is no schema", "give an object, or true or false");
    const isRoot = this.#nodes.size === 0;
    const meaning = isRoot ? undefined : meaningOf(schema);
    const alike = meaning === undefined ? undefined : this.#byMeaning.get(meaning);
    if (alike !== undefined) return alike;
    for (const [keyword, value] of Object.entries(schema))
      checkKeyword(keyword, value, {
        path,
        mayHaveId: isRoot || !this.#refers,
        type: schema["type"],
      });
    checkLimits(schema, path);
    const node = this.#add(schema, path, { isNegation: false });
    if (meaning !== undefined) this.#byMeaning.set(meaning, node);
    return node;
  }

  /** A schema that hearth made of those of the document: its own keywords need no check. */
  made(
    schema: unknown,
    path: string,
    { isNegation = false }: { readonly isNegation?: boolean } = {},
  ): SchemaNode {
    if (!isRecord(schema)) return this.node(schema, path);
    return this.#nodes.get(schema) ?? this.#add(schema, path, { isNegation });
  }

  #add(
    source: Readonly<Record<string, unknown>>,
    path: string,
    { isNegation }: { readonly isNegation: boolean },
  ): SchemaNode {
    const id = this.#nodes.size + 2;
    const node = { id, path, keywords: inToday(source), isFalse: false, source, isNegation };
    this.#nodes.set(source, node);
    return node;
  }

  /** The schema that a `$ref` of a node means. */
  resolve(reference: string, from: Pick<SchemaNode, "path">): SchemaNode {
    const place = `${from.path}/$ref`;
    const rootId = isRecord(this.#source) ? (this.#source["$id"] ?? this.#source["id"]) : undefined;
    const local =
      typeof rootId === "string" && reference.startsWith(`${rootId}#`)
        ? reference.slice(rootId.length)
        : reference === rootId
          ? "#"
          : reference;
    if (!local.startsWith("#")) {
      throw new FormError(
        at(place),
        `leads out of the schema (${reference})`,
        "put that schema into $defs",
      );
    }
    const pointer = decodePointer(local.slice(1));
    const target =
      pointer === undefined || (pointer !== "" && !pointer.startsWith("/"))
        ? this.#anchored(pointer ?? "")
        : this.#pointed(pointer);
    if (target === undefined) {
      throw new FormError(
        at(place),
        `leads nowhere (${reference})`,
        "define it, for example in $defs",
      );
    }
    return this.node(target, `#${pointer ?? ""}`);
  }

  /** Whether some schema says what holds for properties or items that no other one has looked at. */
  get looksAtUnevaluated(): boolean {
    this.#looksAtUnevaluated ??= hasKeyword(this.#source, (keyword) =>
      keyword.startsWith("unevaluated"),
    );
    return this.#looksAtUnevaluated;
  }

  /** Names of inner schemas say nothing where none refers to another. */
  get #refers(): boolean {
    this.#hasReferences ??= hasKeyword(this.#source, (keyword) =>
      ["$ref", "$dynamicRef"].includes(keyword),
    );
    return this.#hasReferences;
  }

  #pointed(pointer: string): unknown {
    let value: unknown = this.#source;
    for (const part of pointer.split("/").slice(1)) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key))
        return undefined;
      value = Reflect.get(value, key);
    }
    return value;
  }

  #anchored(name: string): unknown {
    this.#anchors ??= findAnchors(this.#source);
    return this.#anchors.get(name);
  }
}

/** What a schema says about values, as a text; undefined where it has another one in it, or is long. */
function meaningOf(schema: Readonly<Record<string, unknown>>): string | undefined {
  let meaning = "";
  for (const [keyword, value] of Object.entries(schema)) {
    if (saysNothing.has(keyword)) continue;
    if (!isPlain(value) && !(Array.isArray(value) && value.every(isPlain))) return undefined;
    meaning += `${JSON.stringify(keyword)}:${JSON.stringify(value)},`;
    if (meaning.length > maxMeaning) return undefined;
  }
  return meaning;
}

function isPlain(value: unknown): boolean {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** Where in a schema something is, as an error says it. */
export function at(path: string): string {
  return `schema at ${path}`;
}

/** One more step of a JSON pointer. */
export function step(path: string, key: string | number): string {
  const name = String(key);
  if (!/[~/]/.test(name)) return `${path}/${name}`;
  return `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Keywords of drafts 4 to 7 and of OpenAPI 3.0 in those of 2020-12: a list of items, limits that are flags, nullable. */
function inToday(source: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { items, additionalItems, exclusiveMinimum, exclusiveMaximum, nullable, ...others } =
    source;
  const today: Record<string, unknown> = { ...others };
  if (nullable === true) today["type"] = [...[today["type"]].flat(), "null"];
  if (Array.isArray(items)) {
    if (items.length > 0) today["prefixItems"] = items;
    if (additionalItems !== undefined) today["items"] = additionalItems;
  } else if (items !== undefined) today["items"] = items;
  for (const [keyword, value, limit] of [
    ["exclusiveMinimum", exclusiveMinimum, source["minimum"]],
    ["exclusiveMaximum", exclusiveMaximum, source["maximum"]],
  ] as const) {
    if (value === true && limit !== undefined) today[keyword] = limit;
    else if (typeof value !== "boolean" && value !== undefined) today[keyword] = value;
  }
  return today;
}

function checkKeyword(
  keyword: string,
  value: unknown,
  place: { readonly path: string; readonly mayHaveId: boolean; readonly type: unknown },
): void {
  const where = (): string => at(step(place.path, keyword));
  if ((keyword === "$id" || keyword === "id") && !place.mayHaveId) {
    throw new FormError(
      where(),
      "gives an inner schema a name of its own, on which references may depend",
      "leave it out, and refer to places (#/$defs/…)",
    );
  }
  if (silentKeywords.has(keyword) || isVendorKeyword(keyword)) return;
  const known = Object.hasOwn(enforcedKeywords, keyword) ? enforcedKeywords[keyword] : undefined;
  if (known === undefined) {
    const remedy = refusedKeywords.get(keyword);
    throw remedy === undefined
      ? new FormError(where(), "is no keyword that is known", "leave it out, or correct its name")
      : new FormError(where(), "cannot be enforced while an answer is written", remedy);
  }
  if (keyword === "nullable" && value === true && place.type === undefined) {
    throw new FormError(where(), "needs a type beside it", 'say "type", or anyOf with null');
  }
  if (!known.accepts(value)) {
    throw new FormError(where(), `is ${describeValue(value)}`, `it needs ${known.expected}`);
  }
}

const limitPairs: readonly (readonly [string, string])[] = [
  ["minimum", "maximum"],
  ["exclusiveMinimum", "maximum"],
  ["minimum", "exclusiveMaximum"],
  ["exclusiveMinimum", "exclusiveMaximum"],
  ["minLength", "maxLength"],
  ["minItems", "maxItems"],
  ["minProperties", "maxProperties"],
];

/** A schema that contradicts itself is a mistake; two that contradict each other may be meant. */
function checkLimits(schema: Readonly<Record<string, unknown>>, path: string): void {
  if (!Object.values(schema).some((value) => typeof value === "number")) return;
  for (const [low, high] of limitPairs) {
    const least = schema[low];
    const most = schema[high];
    if (typeof least !== "number" || typeof most !== "number") continue;
    const isStrict = low.startsWith("exclusive") || high.startsWith("exclusive");
    if (least < most || (least === most && !isStrict)) continue;
    throw new FormError(
      at(path),
      `no value has ${low} ${least} and ${high} ${most}`,
      "correct one of them",
    );
  }
}

function decodePointer(pointer: string): string | undefined {
  try {
    return decodeURIComponent(pointer);
  } catch {
    return undefined;
  }
}

/** In a loop of its own: a schema of any depth must not exhaust the stack before it is refused. */
function checkSize(source: unknown): void {
  let level: unknown[] = [source];
  let values = 1;
  let characters = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) {
      throw new FormError(
        "schema",
        `is more than ${maxDepth} levels deep`,
        "name inner schemas in $defs",
      );
    }
    const inner: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      for (const [key, each] of Object.entries(value)) {
        if (!Array.isArray(value)) characters += key.length;
        if (typeof each !== "string") inner.push(each);
        else if (!saysNothing.has(key)) {
          characters += each.length;
          values++;
        }
      }
    }
    values += inner.length;
    if (characters > maxCharacters) {
      throw new FormError(
        "schema",
        `has more than ${maxCharacters.toLocaleString("en")} characters`,
        "give a smaller one",
      );
    }
    if (values > maxValues) {
      throw new FormError(
        "schema",
        `has more than ${maxValues.toLocaleString("en")} values`,
        "give a smaller one",
      );
    }
    level = inner;
  }
}

/** Keywords whose contents are values, whatever they look like. */
const holdsValues: ReadonlySet<string> = new Set(["enum", "const", "default", "examples"]);

function findAnchors(source: unknown): ReadonlyMap<string, unknown> {
  const anchors = new Map<string, unknown>();
  const waiting: unknown[] = [source];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== "object" || value === null) continue;
    for (const anchor of isRecord(value) ? [value["$anchor"], value["$dynamicAnchor"]] : []) {
      if (typeof anchor === "string") anchors.set(anchor, value);
    }
    for (const [key, each] of Object.entries(value)) if (!holdsValues.has(key)) waiting.push(each);
  }
  return anchors;
}

function hasKeyword(source: unknown, accepts: (keyword: string) => boolean): boolean {
  const waiting: unknown[] = [source];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== "object" || value === null) continue;
    for (const [key, each] of Object.entries(value)) {
      if (!Array.isArray(value) && accepts(key)) return true;
      if (!holdsValues.has(key)) waiting.push(each);
    }
  }
  return false;
}
