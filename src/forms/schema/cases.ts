/**
 * Schemas that must hold at once, taken apart into cases: in each, a value keeps the own keywords of a list of schemas,
 * and no reference or alternative is left.
 */
import { isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { at, type SchemaDocument, type SchemaNode, step } from "./document.ts";

/** Schemas whose own keywords must hold; their $ref, allOf, anyOf and oneOf have been seen to. */
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
  readonly isExclusive: boolean;
  readonly branches: readonly SchemaNode[];
}

interface OpenCase {
  readonly seen: ReadonlySet<SchemaNode>;
  readonly alternatives: readonly Alternatives[];
}

export class CaseFinder {
  readonly #document: SchemaDocument;
  readonly #withoutCircle: Set<SchemaNode> = new Set();

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  /**
   * The cases of `nodes` and a case at once. `onOneOf` learns of each oneOf: whoever takes its branches for alternatives
   * must know that no value is in two. @throws FormError for a schema that refers to itself without end, and too many cases.
   */
  casesOf(
    nodes: readonly SchemaNode[],
    beside: Case = [],
    onOneOf?: (found: OneOf) => void,
  ): readonly Case[] {
    for (const node of nodes) this.#checkCircles(node);
    const cases: Case[] = [];
    const waiting: OpenCase[] = [];
    const open = (from: OpenCase, more: readonly SchemaNode[]): void => {
      const added = this.#add(from, more);
      if (added !== undefined) waiting.push(added);
    };
    open({ seen: new Set(beside), alternatives: [] }, nodes);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [first, ...others] = next.alternatives;
      if (first === undefined) {
        cases.push([...next.seen]);
      } else {
        const { path, branches } = first;
        if (first.isExclusive) onOneOf?.({ path, branches, beside: [...next.seen] });
        const rest = { seen: next.seen, alternatives: others };
        for (const branch of branches.toReversed()) open(rest, [branch]);
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

  /** With more schemas and all that must hold with them; undefined where one is the schema false. */
  #add(from: OpenCase, more: readonly SchemaNode[]): OpenCase | undefined {
    const added = new Set(more.filter((node) => !from.seen.has(node)));
    const alternatives = [...from.alternatives];
    for (const node of added) {
      if (node.isFalse) return undefined;
      for (const next of this.#conjuncts(node)) if (!from.seen.has(next)) added.add(next);
      alternatives.push(...this.#alternatives(node));
    }
    return { seen: new Set([...from.seen, ...added]), alternatives };
  }

  /** What $ref and allOf lead to. */
  #conjuncts(node: SchemaNode): readonly SchemaNode[] {
    const reference = node.keywords["$ref"];
    const all = this.#list(node, "allOf");
    return typeof reference === "string" ? [this.#document.resolve(reference, node), ...all] : all;
  }

  #alternatives(node: SchemaNode): readonly Alternatives[] {
    return (["anyOf", "oneOf"] as const).flatMap((keyword) => {
      const branches = this.#list(node, keyword);
      const isExclusive = keyword === "oneOf" && branches.length > 1;
      return branches.length === 0
        ? []
        : [{ path: step(node.path, keyword), isExclusive, branches }];
    });
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
        ...this.#alternatives(node).flatMap(({ branches }) => branches),
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
