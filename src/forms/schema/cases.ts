/**
 * Schemas that must hold at once, taken apart into cases: in each, a value keeps the own keywords of a list of schemas,
 * and no reference or alternative is left.
 */
import { isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { combinationsOf, conditionsOf } from "./conditions.ts";
import { at, type SchemaDocument, type SchemaNode, step } from "./document.ts";
import { speaksOfPropertiesAlone } from "./keywords.ts";
import { anyValue, both, type Outlook, outlookOf } from "./value-kinds.ts";

/** Schemas whose own keywords must hold; their references, alternatives and conditions have been seen to. */
export type Case = readonly SchemaNode[];

/** Cases of which one holds. They speak of properties alone. */
export type Choice = readonly Case[];

/** A case with choices that are left open: which of a choice's cases holds is told by the first property that it names. */
export interface OpenCase {
  readonly of: Case;
  readonly choices: readonly Choice[];
}

/** Alternatives times alternatives: more are a mistake or an attack. */
const maxCases = 4000;

/** Cases of a choice. */
const maxChoice = 64;

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
  /** They may name properties that no other schema has. */
  readonly isCondition: boolean;
  readonly branches: readonly SchemaNode[];
}

interface LeftOpen {
  readonly from: Alternatives;
  readonly branches: readonly SchemaNode[];
  readonly choice: Choice;
}

interface Search {
  readonly seen: ReadonlySet<SchemaNode>;
  readonly outlook: Outlook;
  readonly alternatives: readonly Alternatives[];
  readonly leftOpen: readonly LeftOpen[];
  /** Whence each schema came, but for those that came from nowhere. */
  readonly parents: readonly (readonly [child: SchemaNode, parent: SchemaNode])[];
}

/** The branches of a oneOf as alternatives of which only one holds. */
export type Exclusive = (found: OneOf) => readonly SchemaNode[];

export class CaseFinder {
  readonly #document: SchemaDocument;
  readonly #withoutCircle: Set<SchemaNode> = new Set();
  readonly #alternatives: Map<SchemaNode, readonly Alternatives[]> = new Map();
  readonly #parents: WeakMap<Case, Search["parents"]> = new WeakMap();
  readonly #outlooks: Map<SchemaNode, Outlook> = new Map();
  readonly #plain: Map<SchemaNode, { readonly cases: readonly Case[] | undefined }> = new Map();

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  /**
   * The cases of `nodes` and a case at once. `exclusive`: without it, the branches of a oneOf may overlap.
   * @throws FormError for a schema that refers to itself without end, and too many cases.
   */
  casesOf(nodes: readonly SchemaNode[], beside: Case = [], exclusive?: Exclusive): readonly Case[] {
    return this.#search(nodes, { beside, exclusive, leavesOpen: false }).map(({ of }) => of);
  }

  /** The same, with choices left open where they can be. @throws FormError as `casesOf` */
  openCasesOf(nodes: readonly SchemaNode[], exclusive: Exclusive): readonly OpenCase[] {
    const leavesOpen = !this.#document.looksAtUnevaluated;
    return this.#search(nodes, { beside: [], exclusive, leavesOpen });
  }

  #search(
    nodes: readonly SchemaNode[],
    use: {
      readonly beside: Case;
      readonly exclusive: Exclusive | undefined;
      readonly leavesOpen: boolean;
    },
  ): readonly OpenCase[] {
    const { beside, exclusive, leavesOpen } = use;
    for (const node of nodes) this.#checkCircles(node);
    const cases: OpenCase[] = [];
    const waiting: Search[] = [];
    const open = (from: Search, more: readonly SchemaNode[], parent?: SchemaNode): void => {
      const added = this.#add(from, more, parent);
      if (added !== undefined) waiting.push(added);
    };
    const expand = (from: Search, branches: readonly SchemaNode[], parent: SchemaNode): void => {
      for (const branch of branches.toReversed()) open(from, [branch], parent);
    };
    const outlook = beside.reduce((found, node) => both(found, this.#outlookOf(node)), anyValue);
    open({ seen: new Set(beside), outlook, alternatives: [], leftOpen: [], parents: [] }, nodes);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [first, ...others] = next.alternatives;
      if (first === undefined) {
        const back = closedAgain(next);
        if (back === undefined) {
          const of = [...next.seen];
          this.#parents.set(of, next.parents);
          cases.push({ of, choices: next.leftOpen.map(({ choice }) => choice) });
        } else {
          const leftOpen = next.leftOpen.filter((each) => each !== back);
          expand({ ...next, leftOpen }, back.branches, back.from.parent);
        }
      } else {
        const found = { path: first.path, branches: first.branches, beside: [...next.seen] };
        const branches = first.isExclusive && exclusive ? exclusive(found) : first.branches;
        const rest = { ...next, alternatives: others };
        const choice = leavesOpen ? this.#choiceOf(branches) : undefined;
        if (choice === undefined) expand(rest, branches, first.parent);
        else {
          const leftOpen = [...next.leftOpen, { from: first, branches, choice }];
          waiting.push({ ...rest, leftOpen });
        }
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

  /** Branches as a choice that can be left open; undefined where they say more than which properties there are. */
  #choiceOf(branches: readonly SchemaNode[]): Choice | undefined {
    const choice: Case[] = [];
    for (const branch of branches) {
      const cases = this.#plainCases(branch);
      if (cases === undefined) return undefined;
      choice.push(...cases);
    }
    const isOfProperties = choice.some(
      (of) => propertiesOf(of).size > 0 || valuesOf(of, "required", isListValue).length > 0,
    );
    return isOfProperties && choice.length <= maxChoice ? choice : undefined;
  }

  #plainCases(branch: SchemaNode): readonly Case[] | undefined {
    const known = this.#plain.get(branch);
    if (known !== undefined) return known.cases;
    const cases = this.#findPlainCases(branch);
    this.#plain.set(branch, { cases });
    return cases;
  }

  #findPlainCases(branch: SchemaNode): readonly Case[] | undefined {
    if (!speaksOfPropertiesAlone(branch.keywords)) return undefined;
    try {
      const cases = this.casesOf([branch]);
      const isPlain = cases.every((of) =>
        of.every(({ keywords }) => speaksOfPropertiesAlone(keywords)),
      );
      return isPlain ? cases : undefined;
    } catch (error) {
      // The search that goes on without a choice says it, or does not come to it.
      if (error instanceof FormError) return undefined;
      throw error;
    }
  }

  #outlookOf(node: SchemaNode): Outlook {
    const known = this.#outlooks.get(node);
    if (known !== undefined) return known;
    const found = outlookOf(node.keywords);
    this.#outlooks.set(node, found);
    return found;
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

  /** With more schemas and all that must hold with them; undefined where at a glance no value does. */
  #add(
    from: Search,
    more: readonly SchemaNode[],
    parent: SchemaNode | undefined,
  ): Search | undefined {
    const added = new Set(more.filter((node) => !from.seen.has(node)));
    const alternatives = [...from.alternatives];
    const parents = [...from.parents];
    if (parent !== undefined) for (const node of more) parents.push([node, parent]);
    let { outlook } = from;
    for (const node of added) {
      outlook = both(outlook, this.#outlookOf(node));
      if (node.isFalse || outlook.kinds === 0) return undefined;
      for (const next of this.#conjuncts(node)) {
        parents.push([next, node]);
        if (!from.seen.has(next)) added.add(next);
      }
      alternatives.push(...this.#alternativesOf(node));
    }
    const seen = new Set([...from.seen, ...added]);
    return { ...from, seen, outlook, alternatives, parents };
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
        const kind = { isExclusive: false, isCondition: true };
        return { path: node.path, parent: node, ...kind, branches };
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
    return [{ path, parent, isExclusive, isCondition: false, branches }];
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

/** A choice that cannot stay open: beside a list of values, or with properties in an order of its own. */
function closedAgain({ outlook, seen, leftOpen }: Search): LeftOpen | undefined {
  const [first] = leftOpen;
  if (first === undefined || outlook.values !== undefined) return first;
  const named = propertiesOf([...seen]);
  return leftOpen.find(
    ({ from, choice }) =>
      !from.isCondition &&
      choice.some((of) => [...propertiesOf(of)].some((name) => !named.has(name))),
  );
}

/** The names of properties that have a schema of their own in a case. */
function propertiesOf(of: Case): ReadonlySet<string> {
  return new Set(
    of.flatMap(({ keywords: { properties } }) =>
      isRecord(properties) ? Object.keys(properties) : [],
    ),
  );
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
