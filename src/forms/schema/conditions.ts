/** Keywords that say what holds if something else does, as alternatives. */
import { isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { at, type SchemaDocument, type SchemaNode } from "./document.ts";
import { negationsOf, notOf } from "./negations.ts";

/** Branches of an anyOf of which every set is a case of its own. */
const maxCombined = 4;

/** Of not, if, dependentRequired and dependentSchemas of a schema: each a list of which one holds. */
export function conditionsOf(
  node: SchemaNode,
  document: SchemaDocument,
): readonly (readonly SchemaNode[])[] {
  const { keywords, path } = node;
  const made = (schema: unknown): SchemaNode => document.made(schema, path);
  const found: (readonly SchemaNode[])[] = [];
  if (keywords["not"] !== undefined) {
    const negations = negationsOf(document.node(keywords["not"], `${path}/not`), document);
    found.push(negations.length > 0 ? negations : [made(false)]);
  }
  const condition = keywords["if"];
  if (condition !== undefined) {
    const { then: consequence = true, else: otherwise = true } = keywords;
    const both = { allOf: [condition, consequence] };
    found.push([made(both), made({ allOf: [notOf(condition), otherwise] })]);
  }
  for (const keyword of ["dependentRequired", "dependentSchemas", "dependencies"]) {
    const dependent = keywords[keyword];
    for (const [name, needed] of isRecord(dependent) ? Object.entries(dependent) : []) {
      const isList = Array.isArray(needed);
      const present = {
        type: "object",
        required: [name, ...(isList ? needed : [])],
        ...(!isList && { allOf: [needed] }),
      };
      found.push([made({ properties: { [name]: false } }), made(present)]);
    }
  }
  return found;
}

/** Every set of branches that hold while the others do not: for keywords that must know all that hold. */
export function combinationsOf(
  branches: readonly SchemaNode[],
  document: SchemaDocument,
  path: string,
): readonly SchemaNode[] {
  if (branches.length === 1) return branches;
  if (branches.length > maxCombined) {
    throw new FormError(
      at(path),
      `has more than ${maxCombined} branches beside unevaluatedProperties or unevaluatedItems`,
      "use additionalProperties or items",
    );
  }
  const sets = Array.from({ length: (1 << branches.length) - 1 }, (_, i) => i + 1);
  return sets.map((set) =>
    document.made(
      {
        allOf: branches.map(({ source }, i) => (((set >> i) & 1) === 1 ? source : notOf(source))),
      },
      path,
    ),
  );
}
