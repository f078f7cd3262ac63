/** Arrays of a case: items by their places, counts, and distinct items where there are but a few values. */
import { FormError } from "../../core/errors.ts";
import {
  choice,
  type Expression,
  emptyText,
  nothing,
  repeat,
  sequence,
  text,
} from "../expression.ts";
import {
  type Case,
  type Counts,
  countsOf,
  isListValue,
  isSchemaValue,
  isTrue,
  valuesOf,
} from "./cases.ts";
import { containedItems, listWith } from "./contains.ts";
import { at, type Json, type SchemaNode, step } from "./document.ts";
import { enumOf } from "./enums.ts";
import { comma } from "./spelling.ts";
import type { Translation } from "./translate.ts";
import { typesOf } from "./types.ts";

/** Sets of values that may be there at once: each is a rule. All sets of 10 values, or pairs of 30. */
const maxSets = 1024;
/** Bits of a set of values. */
const maxDistinctValues = 30;

/** @throws FormError for uniqueItems of items that have too many values. */
export function arrayExpression(of: Case, use: Translation): Expression {
  const counts = countsOf(of, "minItems", "maxItems");
  const items = new ItemSchemas(of, use);
  return sequence(text("["), itemsExpression(of, { items, counts }, use), text("]"));
}

function itemsExpression(
  of: Case,
  { items, counts }: { readonly items: ItemSchemas; readonly counts: Counts },
  use: Translation,
): Expression {
  const [unique] = valuesOf(of, "uniqueItems", isTrue);
  const contained = containedItems(of, use);
  const isDistinct = unique !== undefined && counts.most > 1;
  if (contained !== undefined && isDistinct) {
    const where = at(step(unique.node.path, "uniqueItems"));
    throw new FormError(where, "cannot be enforced beside contains", "leave one of them out");
  }
  if (contained !== undefined) return listWith(contained, { items, counts }, use);
  return isDistinct
    ? distinctItems(items, counts, { use, where: at(step(unique.node.path, "uniqueItems")) })
    : itemList(items, counts, use);
}

/** What must hold for the items of a case. */
export class ItemSchemas {
  /** Places that have a schema of their own in some prefixItems. */
  readonly places: number;
  readonly #of: Case;
  readonly #use: Translation;

  constructor(of: Case, use: Translation) {
    this.#of = of;
    this.#use = use;
    this.places = Math.max(
      0,
      ...valuesOf(of, "prefixItems", isListValue).map(({ value }) => value.length),
    );
  }

  /** Place `places` stands for all later ones. */
  at(place: number): readonly SchemaNode[] {
    const own = this.#of.flatMap(({ keywords, path }) => {
      const prefix = isListValue(keywords["prefixItems"]) ? keywords["prefixItems"] : [];
      if (place < prefix.length) {
        return [this.#use.document.node(prefix[place], step(step(path, "prefixItems"), place))];
      }
      const items = keywords["items"];
      return isSchemaValue(items) ? [this.#use.document.node(items, step(path, "items"))] : [];
    });
    const unevaluated = this.#of.flatMap((node) => {
      const rest = node.keywords["unevaluatedItems"];
      if (!isSchemaValue(rest) || this.#isEvaluated(node, place)) return [];
      return [this.#use.document.node(rest, step(node.path, "unevaluatedItems"))];
    });
    return [...unevaluated, ...own];
  }

  /** Whether a schema, or one that holds because of it, has looked at the item. @throws FormError beside contains */
  #isEvaluated(node: SchemaNode, place: number): boolean {
    return [...this.#use.finder.partsOf(node, this.#of)].some((part) => {
      const { prefixItems, items, unevaluatedItems, contains } = part.keywords;
      if (contains !== undefined) {
        throw new FormError(
          at(step(node.path, "unevaluatedItems")),
          "cannot be enforced beside contains",
          "use items",
        );
      }
      const isListed = isListValue(prefixItems) && place < prefixItems.length;
      return isListed || items !== undefined || (part !== node && unevaluatedItems !== undefined);
    });
  }

  value(place: number): Expression {
    return this.#use.valueOf(this.at(place));
  }
}

function itemList(items: ItemSchemas, { least, most }: Counts, use: Translation): Expression {
  const { places } = items;
  const after = (count: number): Expression =>
    repeat(
      sequence(comma, items.value(places)),
      Math.max(0, least - count),
      Math.max(0, most - count),
    );
  if (places === 0) {
    if (most === 0) return least === 0 ? emptyText : nothing;
    const list = sequence(items.value(0), after(1));
    return least === 0 ? choice([list, emptyText]) : list;
  }
  // From the last place to the first: what may follow when so many items are there.
  let rest = after(places);
  for (let place = places - 1; place >= 0; place--) {
    const item = place >= most ? nothing : items.value(place);
    const more = sequence(...(place === 0 ? [] : [comma]), item, rest);
    rest = use.builder.add("items", place >= least ? choice([more, emptyText]) : more);
  }
  return rest;
}

function distinctItems(
  items: ItemSchemas,
  { least, most }: Counts,
  { use, where }: { readonly use: Translation; readonly where: string },
): Expression {
  const values = items.places === 0 ? fewValues(items.at(0), use) : undefined;
  if (values === undefined || setCount(values.length, most) > maxSets) {
    throw new FormError(
      where,
      "cannot be enforced for items of many values",
      "it can for an enum of at most 10 values, or of 18 with maxItems 3, or 30 with maxItems 2",
    );
  }
  const rules = new Map<number, number>();
  /** Bit i of `used`: whether value i is there. */
  const from = (used: number, count: number): Expression => {
    const known = rules.get(used);
    if (known !== undefined) return { kind: "rule", rule: known };
    const rule = use.builder.declare(where);
    rules.set(used, rule);
    const options: Expression[] = count >= least ? [emptyText] : [];
    for (const [index, value] of values.entries()) {
      if (count >= most || ((used >> index) & 1) === 1) continue;
      const item = sequence(...(count === 0 ? [] : [comma]), use.spelling.literal(value));
      options.push(sequence(item, from(used | (1 << index), count + 1)));
    }
    use.builder.define(rule, choice(options));
    return { kind: "rule", rule };
  };
  return from(0, 0);
}

/** How many sets of at most `most` there are out of so many values. */
function setCount(values: number, most: number): number {
  let ofSize = 1;
  let sets = 1;
  for (let size = 1; size <= Math.min(values, most); size++) {
    ofSize = (ofSize * (values - size + 1)) / size;
    sets += ofSize;
  }
  return sets;
}

function fewValues(nodes: readonly SchemaNode[], use: Translation): readonly Json[] | undefined {
  const values = new Map<string, Json>();
  for (const each of use.casesOf(nodes)) {
    const listed = enumOf(each, use) ?? valuesOfTypes(each);
    for (const value of listed ?? [undefined]) {
      if (value === undefined) return undefined;
      values.set(JSON.stringify(value), value);
    }
  }
  return values.size <= maxDistinctValues ? [...values.values()] : undefined;
}

function valuesOfTypes(of: Case): readonly Json[] | undefined {
  const types = [...typesOf(of)];
  if (types.some((type) => type !== "null" && type !== "boolean")) return undefined;
  return types.flatMap((type): readonly Json[] => (type === "null" ? [null] : [true, false]));
}
