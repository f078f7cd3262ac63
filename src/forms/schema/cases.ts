/**
 * Schemas that must hold at once, taken apart into cases: in each, a value keeps the own keywords of a list of schemas,
 * and no reference or alternative is left.
 */
import { isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { combinationsOf, conditionsOf } from "./conditions.ts";
import { at, type SchemaDocument, type SchemaNode, step } from "./document.ts";

/** Schemas whose own keywords must hold; their references, alternatives and conditions have been seen to. */
export type Case = readonly SchemaNode[];

/** Alternatives times alternatives: more are a mistake or an attack. */
const maxCases = 4000;

/** A oneOf that was met, with the schemas that hold beside it. */
export interface OneOf {
  readonly path: string;
  readonly beside: Case;
  readonly branches: readonly SchemaNode[];
}

interface Alternatives {
  readonly path: string;
  readonly parent: SchemaNode;
  readonly isExclusive: boolean;
  readonly branches: readonly SchemaNode[];
}

interface OpenCase {
  readonly seen: ReadonlySet<SchemaNode>;
  readonly alternatives: readonly Alternatives[];
  /** Whence each schema came, but for those that came from nowhere. */
  readonly parents: readonly (readonly [child: SchemaNode, parent: SchemaNode])[];
}

/** The branches of a oneOf as alternatives of which only one holds. */
export type Exclusive = (found: OneOf) => readonly SchemaNode[];

export class CaseFinder {
  readonly #document: SchemaDocument;
  readonly #withoutCircle: Set<SchemaNode> = new Set();
  readonly #alternatives: Map<SchemaNode, readonly Alternatives[]> = new Map();
  readonly #parents: WeakMap<Case, OpenCase["parents"]> = new WeakMap();

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  /**
   * The cases of `nodes` and a case at once. `exclusive`: without it, the branches of a oneOf may overlap.
   * @throws FormError for a schema that refers to itself without end, and too many cases.
   */
  casesOf(nodes: readonly SchemaNode[], beside: Case = [], exclusive?: Exclusive): readonly Case[] {
    for (const node of nodes) this.#checkCircles(node);
    const cases: Case[] = [];
    const waiting: OpenCase[] = [];
    const open = (from: OpenCase, more: readonly SchemaNode[], parent?: SchemaNode): void => {
      const added = this.#add(from, more, parent);
      if (added !== undefined) waiting.push(added);
    };
    open({ seen: new Set(beside), alternatives: [], parents: [] }, nodes);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [first, ...others] = next.alternatives;
      if (first === undefined) {
        const found = [...next.seen];
        this.#parents.set(found, next.parents);
        cases.push(found);
      } else {
        const { path, parent } = first;
        const found = { path, branches: first.branches, beside: [...next.seen] };
        const branches = first.isExclusive && exclusive ? exclusive(found) : first.branches;
        const rest = { ...next, alternatives: others };
        for (const branch of branches.toReversed()) open(rest, [branch], parent);
      }
      if (cases.length + waiting.length <= maxCases) continue;
      const where = at(nodes[0]?.path ?? "#");
      throw new FormError(
        where,
        `has more than ${maxCases} cases`,
        "use fewer alternatives at once",
      );
    }
    return cases;
  }

  /** A schema of a case and all that hold because of it, whose properties and items it has looked at. */
  partsOf(node: SchemaNode, of: Case): ReadonlySet<SchemaNode> {
    const parents = this.#parents.get(of) ?? [];
    const parts = new Set([node]);
    for (const part of parts) {
      for (const [child, parent] of parents) {
        if (parent === part && !child.isNegation) parts.add(child);
      }
    }
    return parts;
  }

  /** With more schemas and all that must hold with them; undefined where one is the schema false. */
  #add(
    from: OpenCase,
    more: readonly SchemaNode[],
    parent: SchemaNode | undefined,
  ): OpenCase | undefined {
    const added = new Set(more.filter((node) => !from.seen.has(node)));
    const alternatives = [...from.alternatives];
    const parents = [...from.parents];
    if (parent !== undefined) for (const node of more) parents.push([node, parent]);
    for (const node of added) {
      if (node.isFalse) return undefined;
      for (const next of this.#conjuncts(node)) {
        parents.push([next, node]);
        if (!from.seen.has(next)) added.add(next);
      }
      alternatives.push(...this.#alternativesOf(node));
    }
    return { seen: new Set([...from.seen, ...added]), alternatives, parents };
  }

  /** What $ref and allOf lead to. */
  #conjuncts(node: SchemaNode): readonly SchemaNode[] {
    const references = [node.keywords["$ref"], node.keywords["$dynamicRef"]];
    const named = references
      .filter(isTextValue)
      .map((reference) => this.#document.resolve(reference, node));
    return [...named, ...this.#list(node, "allOf")];
  }

  #alternativesOf(node: SchemaNode): readonly Alternatives[] {
    const known = this.#alternatives.get(node);
    if (known !== undefined) return known;
    const found = [
      ...(["anyOf", "oneOf"] as const).flatMap((keyword) => this.#listed(node, keyword)),
      ...conditionsOf(node, this.#document).map((branches) => {
        return { path: node.path, parent: node, isExclusive: false, branches };
      }),
    ];
    this.#alternatives.set(node, found);
    return found;
  }

  #listed(parent: SchemaNode, keyword: "anyOf" | "oneOf"): readonly Alternatives[] {
    const listed = this.#list(parent, keyword);
    if (listed.length === 0) return [];
    const isExclusive = keyword === "oneOf" && listed.length > 1;
    const looksOn = keyword === "anyOf" && this.#document.looksAtUnevaluated;
    const path = step(parent.path, keyword);
    const branches = looksOn ? combinationsOf(listed, this.#document, path) : listed;
    return [{ path, parent, isExclusive, branches }];
  }

  #list(node: SchemaNode, keyword: string): readonly SchemaNode[] {
    const list = node.keywords[keyword];
    if (!Array.isArray(list)) return [];
    return list.map((each, index) =>
      this.#document.node(each, step(step(node.path, keyword), index)),
    );
  }

  /** A schema that holds only if it holds says nothing, and would be followed for ever. */
  #checkCircles(start: SchemaNode): void {
    const path: { node: SchemaNode; next: SchemaNode[] }[] = [];
    const open = new Set<SchemaNode>();
    const enter = (node: SchemaNode): void => {
      const next = [
        ...this.#conjuncts(node),
        ...this.#alternativesOf(node).flatMap(({ branches }) => branches),
      ];
      open.add(node);
      path.push({ node, next });
    };
    if (!this.#withoutCircle.has(start)) enter(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.next.pop();
      if (next === undefined) {
        this.#withoutCircle.add(top.node);
        open.delete(top.node);
        path.pop();
      } else if (open.has(next)) {
        throw new FormError(
          at(next.path),
          "refers to itself without end",
          "put a property or item between",
        );
      } else if (!this.#withoutCircle.has(next)) {
        enter(next);
      }
    }
  }
}

/** A keyword's values in a case, with the schema that each stands in. */
export function valuesOf<Value>(
  of: Case,
  keyword: string,
  accepts: (value: unknown) => value is Value,
): readonly { readonly node: SchemaNode; readonly value: Value }[] {
  return of.flatMap((node) => {
    const value = Object.hasOwn(node.keywords, keyword) ? node.keywords[keyword] : undefined;
    return accepts(value) ? [{ node, value }] : [];
  });
}

/** How many parts a value may have. */
export interface Counts {
  readonly least: number;
  readonly most: number;
}

/** What two keywords bound in a case, one from below and one from above: the narrowest of all its schemas. */
export function countsOf(of: Case, leastKeyword: string, mostKeyword: string): Counts {
  const bounds = (keyword: string): readonly number[] =>
    valuesOf(of, keyword, isNumberValue).map(({ value }) => value);
  return {
    least: Math.max(0, ...bounds(leastKeyword)),
    most: Math.min(Number.POSITIVE_INFINITY, ...bounds(mostKeyword)),
  };
}

export function isNumberValue(value: unknown): value is number {
  return typeof value === "number";
}

export function isTextValue(value: unknown): value is string {
  return typeof value === "string";
}

export function isTrue(value: unknown): value is true {
  return value === true;
}

export function isListValue(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** A schema, or an object of schemas. */
export function isSchemaValue(
  value: unknown,
): value is boolean | Readonly<Record<string, unknown>> {
  return typeof value === "boolean" || isRecord(value);
}
