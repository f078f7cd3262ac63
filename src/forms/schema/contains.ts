/** Arrays of which some items must hold for a schema of their own: what may follow depends on how many there were. */
import { FormError } from "../../core/errors.ts";
import { choice, type Expression, emptyText, sequence } from "../expression.ts";
import type { ItemSchemas } from "./arrays.ts";
import { type Case, type Counts, isNumberValue, isSchemaValue, valuesOf } from "./cases.ts";
import { at, type SchemaNode, step } from "./document.ts";
import { notOf } from "./negations.ts";
import { comma } from "./spelling.ts";
import type { Translation } from "./translate.ts";

export interface Contained {
  readonly schema: SchemaNode;
  readonly counts: Counts;
}

/** Items there are times items that match: each pair is a rule. */
const maxPairs = 20_000;

/** Undefined where every array will do. @throws FormError for two of them at once */
export function containedItems(of: Case, use: Translation): Contained | undefined {
  const found = valuesOf(of, "contains", isSchemaValue).flatMap(({ node, value }) => {
    const { minContains = 1, maxContains = Number.POSITIVE_INFINITY } = node.keywords;
    const least = isNumberValue(minContains) ? minContains : 1;
    const most = isNumberValue(maxContains) ? maxContains : Number.POSITIVE_INFINITY;
    if (least === 0 && most === Number.POSITIVE_INFINITY) return [];
    return [{ node, schema: use.document.node(value, step(node.path, "contains")), least, most }];
  });
  const [first, second] = found;
  if (first === undefined) return undefined;
  if (second !== undefined) {
    throw new FormError(
      at(step(second.node.path, "contains")),
      "cannot be enforced beside another contains",
      "describe the items by prefixItems and items",
    );
  }
  const { schema, least, most } = first;
  return { schema, counts: { least, most } };
}

export function listWith(
  { schema, counts: matches }: Contained,
  { items, counts }: { readonly items: ItemSchemas; readonly counts: Counts },
  use: Translation,
): Expression {
  const where = at(step(schema.path, ""));
  const other = use.document.made(notOf(schema.source), schema.path);
  const isCounted = Number.isFinite(matches.most);
  const lastCount = Number.isFinite(counts.most)
    ? counts.most
    : Math.max(counts.least, items.places, 1);
  const lastMatch = isCounted ? matches.most : matches.least;
  if ((lastCount + 1) * (lastMatch + 1) > maxPairs) {
    throw new FormError(where, "has too many items to count", "use smaller counts");
  }
  const rules = new Map<number, number>();
  const from = (count: number, matched: number): Expression => {
    const key = count * (lastMatch + 1) + matched;
    const known = rules.get(key);
    if (known !== undefined) return { kind: "rule", rule: known };
    const rule = use.builder.declare(where);
    rules.set(key, rule);
    waiting.push({ rule, count, matched });
    return { kind: "rule", rule };
  };
  const waiting: { rule: number; count: number; matched: number }[] = [];
  const start = from(0, 0);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { rule, count, matched } = next;
    const options: Expression[] = [];
    if (count >= counts.least && matched >= matches.least) options.push(emptyText);
    const isFull = count >= counts.most;
    const own = items.at(count);
    const item = (nodes: readonly SchemaNode[], matchedThen: number): Expression =>
      sequence(
        ...(count === 0 ? [] : [comma]),
        use.valueOf(nodes),
        from(Math.min(count + 1, lastCount), matchedThen),
      );
    if (!isFull && matched < matches.most) {
      options.push(item([...own, schema], Math.min(matched + 1, lastMatch)));
    }
    // Where matches are not bounded from above, one that is not counted does no harm.
    if (!isFull) options.push(item(isCounted ? [...own, other] : own, matched));
    use.builder.define(rule, choice(options));
  }
  return start;
}
