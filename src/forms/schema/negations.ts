/**
 * What holds where a schema does not: for each of its keywords the values that break it, as schemas of their own. So
 * `not`, `if`, and a oneOf whose branches overlap are alternatives like those of anyOf.
 */
import { isNumber, isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { at, type SchemaDocument, type SchemaNode, step } from "./document.ts";
import { formatPatterns, silentFormats } from "./formats.ts";
import { isTypeName, type TypeName, typeNames } from "./keywords.ts";

type Schema = boolean | Readonly<Record<string, unknown>>;

/** Keywords that no schema of a user's has: spaces in them. */
export const notPattern = "not pattern";
export const notFormat = "not format";
export const notTexts = "not texts";
/** Numbers that are not whole. */
export const isFraction = "is fraction";

/** Numbers that are left out: each parts the others in one more range. */
const maxNumbers = 64;

/** The same schema object for the same schema: a document's nodes are known by their objects. */
const negated = new WeakMap<object, Schema>();

export function notOf(schema: unknown): Schema {
  if (typeof schema === "boolean") return !schema;
  if (!isRecord(schema)) return false;
  const known = negated.get(schema);
  if (known !== undefined) return known;
  const made = { not: schema };
  negated.set(schema, made);
  return made;
}

/**
 * Schemas of which one holds wherever `node` does not, and none where it does.
 * @throws FormError for a keyword whose contrary cannot be written
 */
export function negationsOf(node: SchemaNode, document: SchemaDocument): readonly SchemaNode[] {
  if (node.isFalse) return [document.node(true, node.path)];
  const schemas = Object.entries(node.keywords).flatMap(([keyword, value]) =>
    contrary(keyword, value, node, document),
  );
  return schemas
    .filter((schema) => schema !== false)
    .map((schema) => document.made(schema, node.path, { isNegation: true }));
}

function contrary(
  keyword: string,
  value: unknown,
  { keywords, path }: SchemaNode,
  document: SchemaDocument,
): readonly Schema[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const members = isRecord(value) ? Object.entries(value) : [];
  const count = isNumber(value) ? value : 0;
  const refuse = (): FormError =>
    new FormError(
      at(step(path, keyword)),
      "has no contrary that can be enforced (it stands in a not, an if or a oneOf)",
      "say what is allowed instead, or give each branch of a oneOf a const of its own",
    );
  switch (keyword) {
    case "type":
      return otherTypes([value].flat().filter(isTypeName));
    case "const":
      return otherValues([value], refuse);
    case "enum":
      return otherValues(list, refuse);
    case "minimum":
      return [{ type: "number", exclusiveMaximum: value }];
    case "maximum":
      return [{ type: "number", exclusiveMinimum: value }];
    case "exclusiveMinimum":
      return [{ type: "number", maximum: value }];
    case "exclusiveMaximum":
      return [{ type: "number", minimum: value }];
    case "minLength":
      return count > 0 ? [{ type: "string", maxLength: count - 1 }] : [];
    case "maxLength":
      return [{ type: "string", minLength: count + 1 }];
    case "pattern":
      return [{ type: "string", [notPattern]: value }];
    case "format":
      if (silentFormats.has(String(value))) return [];
      if (!Object.hasOwn(formatPatterns, String(value))) throw refuse();
      return [{ type: "string", [notFormat]: value }];
    case "minItems":
      return count > 0 ? [{ type: "array", maxItems: count - 1 }] : [];
    case "maxItems":
      return [{ type: "array", minItems: count + 1 }];
    case "items":
      if (value === true) return [];
      if (Object.hasOwn(keywords, "prefixItems")) throw refuse();
      return [{ type: "array", contains: notOf(value) }];
    case "prefixItems":
      return list.map((schema, place) => ({
        type: "array",
        minItems: place + 1,
        prefixItems: [...Array.from({ length: place }, () => true), notOf(schema)],
      }));
    case "contains": {
      const { minContains: least = 1, maxContains: most } = keywords;
      const fewer = {
        type: "array",
        contains: value,
        minContains: 0,
        maxContains: Number(least) - 1,
      };
      const more = { type: "array", contains: value, minContains: Number(most) + 1 };
      return [...(Number(least) > 0 ? [fewer] : []), ...(most === undefined ? [] : [more])];
    }
    case "required":
      return list.map((name) => ({ type: "object", properties: { [String(name)]: false } }));
    case "properties":
      return members.map(([name, schema]) => ({
        type: "object",
        required: [name],
        properties: { [name]: notOf(schema) },
      }));
    case "minProperties":
      return count > 0 ? [{ type: "object", maxProperties: count - 1 }] : [];
    case "maxProperties":
      return [{ type: "object", minProperties: count + 1 }];
    case "dependentRequired":
    case "dependentSchemas":
    case "dependencies":
      return members.map(([name, needed]) => ({
        type: "object",
        required: [name],
        ...(Array.isArray(needed) ? notOfRequired(needed) : { allOf: [notOf(needed)] }),
      }));
    case "$ref":
    case "$dynamicRef":
      return [notOf(document.resolve(String(value), { path }).source)];
    case "allOf":
      return list.map(notOf);
    case "anyOf":
      return [{ allOf: list.map(notOf) }];
    case "oneOf":
      return [
        { allOf: list.map(notOf) },
        ...list.flatMap((one, i) => list.slice(i + 1).map((other) => ({ allOf: [one, other] }))),
      ];
    case "not":
      return isRecord(value) || typeof value === "boolean" ? [value] : [];
    case "if":
      return [
        { allOf: [value, notOf(keywords["then"] ?? true)] },
        { allOf: [notOf(value), notOf(keywords["else"] ?? true)] },
      ];
    case "uniqueItems":
      if (value === true) throw refuse();
      return [];
    case "additionalProperties":
    case "unevaluatedProperties":
    case "unevaluatedItems":
    case "propertyNames":
      if (value === true) return [];
      throw refuse();
    case "multipleOf":
    case "patternProperties":
      throw refuse();
    default:
      return [];
  }
}

function notOfRequired(names: readonly unknown[]): Readonly<Record<string, unknown>> {
  return { anyOf: [false, ...names.map((name) => ({ properties: { [String(name)]: false } }))] };
}

function otherTypes(types: readonly TypeName[]): readonly Schema[] {
  const isNumeric = types.includes("number") || types.includes("integer");
  const others = typeNames.filter(
    (type) => !types.includes(type) && !(isNumeric && (type === "number" || type === "integer")),
  );
  const fractions = { type: "number", [isFraction]: true };
  return [
    ...(others.length > 0 ? [{ type: others }] : []),
    ...(types.includes("integer") && !types.includes("number") ? [fractions] : []),
  ];
}

/** Of each type that is among the values, the others; and all other types. */
function otherValues(values: readonly unknown[], refuse: () => FormError): readonly Schema[] {
  const texts = values.filter((value) => typeof value === "string");
  const numbers = [...new Set(values.filter(isNumber))].sort((one, other) => one - other);
  if (numbers.length > maxNumbers) throw refuse();
  const flags = [true, false].filter((flag) => !values.includes(flag));
  const lists = values.filter((value) => Array.isArray(value));
  const objects = values.filter(isRecord);
  if (lists.some(({ length }) => length > 0)) throw refuse();
  if (objects.some((object) => Object.keys(object).length > 0)) throw refuse();
  const types = new Set<TypeName>(["null", "boolean", "number", "string", "array", "object"]);
  const options: Schema[] = [];
  const instead = (type: TypeName, isThere: boolean, ...others: readonly Schema[]): void => {
    if (!isThere || !types.delete(type)) return;
    options.push(...others);
  };
  instead("null", values.includes(null));
  instead("boolean", flags.length < 2, ...flags.map((flag) => ({ const: flag })));
  instead("string", texts.length > 0, { type: "string", [notTexts]: texts });
  instead("number", numbers.length > 0, ...rangesBeside(numbers));
  instead("array", lists.length > 0, { type: "array", minItems: 1 });
  instead("object", objects.length > 0, { type: "object", minProperties: 1 });
  return types.size > 0 ? [{ type: [...types] }, ...options] : options;
}

function rangesBeside(numbers: readonly number[]): readonly Schema[] {
  return [...numbers, undefined].map((number, i) => {
    const before = numbers[i - 1];
    return {
      type: "number",
      ...(before !== undefined && { exclusiveMinimum: before }),
      ...(number !== undefined && { exclusiveMaximum: number }),
    };
  });
}
