/**
 * The keywords of JSON schemas (draft 2020-12): which are enforced, which say nothing about values, and which are refused
 * by name. A keyword that stands in neither list is refused too: what is not known cannot be kept.
 */
import { isNumber, isRecord } from "../../core/check-options.ts";

interface Keyword {
  /** Ends the sentence "needs …". */
  readonly expected: string;
  accepts(value: unknown): boolean;
}

const count: Keyword = {
  expected: "a whole number of at least 0",
  accepts: (value) => isNumber(value) && Number.isInteger(value) && value >= 0,
};
/** In draft 4 it says that the limit beside it is left out. */
const numberOrFlag: Keyword = {
  expected: "a number",
  accepts: (value) => Number.isFinite(value) || typeof value === "boolean",
};
const number: Keyword = { expected: "a number", accepts: (value) => Number.isFinite(value) };
const string: Keyword = { expected: "a text", accepts: (value) => typeof value === "string" };
const flag: Keyword = { expected: "true or false", accepts: (value) => typeof value === "boolean" };
const schema: Keyword = { expected: "a schema (an object, true or false)", accepts: isSchema };
const schemas: Keyword = {
  expected: "a list of schemas that is not empty",
  accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema),
};
const schemaMap: Keyword = {
  expected: "an object of schemas",
  accepts: (value) => isRecord(value) && Object.values(value).every(isSchema),
};
const strings: Keyword = {
  expected: "a list of texts",
  accepts: (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
};

export const typeNames = [
  "null",
  "boolean",
  "integer",
  "number",
  "string",
  "array",
  "object",
] as const;
export type TypeName = (typeof typeNames)[number];

export function isTypeName(value: unknown): value is TypeName {
  return typeNames.some((name) => name === value);
}

export const enforcedKeywords: Readonly<Record<string, Keyword>> = {
  $ref: string,
  type: {
    expected: `one or several of ${typeNames.join(", ")}`,
    accepts: (value) =>
      isTypeName(value) || (Array.isArray(value) && value.length > 0 && value.every(isTypeName)),
  },
  enum: {
    expected: "a list of values that is not empty",
    accepts: (value) => Array.isArray(value) && value.length > 0,
  },
  const: { expected: "a value", accepts: () => true },
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  minimum: number,
  maximum: number,
  exclusiveMinimum: numberOrFlag,
  exclusiveMaximum: numberOrFlag,
  multipleOf: {
    expected: "a number above 0",
    accepts: (value) => isNumber(value) && Number.isFinite(value) && value > 0,
  },
  minLength: count,
  maxLength: count,
  pattern: string,
  format: string,
  minItems: count,
  maxItems: count,
  uniqueItems: flag,
  prefixItems: schemas,
  items: {
    expected: schema.expected,
    // In draft 7 a list is what prefixItems is now.
    accepts: (value) => isSchema(value) || (Array.isArray(value) && value.every(isSchema)),
  },
  additionalItems: schema,
  contains: schema,
  minContains: count,
  maxContains: count,
  minProperties: count,
  maxProperties: count,
  required: strings,
  properties: schemaMap,
  patternProperties: schemaMap,
  additionalProperties: schema,
  propertyNames: schema,
  unevaluatedItems: schema,
  unevaluatedProperties: schema,
  dependentRequired: {
    expected: "an object of lists of texts",
    accepts: (value) => isRecord(value) && Object.values(value).every(strings.accepts),
  },
  dependentSchemas: schemaMap,
  dependencies: {
    expected: "an object of schemas or lists of texts",
    accepts: (value) =>
      isRecord(value) &&
      Object.values(value).every((each) => isSchema(each) || strings.accepts(each)),
  },
  not: schema,
  if: schema,
  // biome-ignore lint/suspicious/noThenProperty: the keyword's name.
  then: schema,
  else: schema,
  $dynamicRef: string,
  // OpenAPI 3.0: with `type` beside it, null is a value too.
  nullable: flag,
};

/** Where schemas lie that others refer to, and what is said to people: by the drafts, OpenAPI and VS Code's editor. */
export const silentKeywords: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "id",
  "$comment",
  "$defs",
  "definitions",
  "$anchor",
  "$dynamicAnchor",
  "title",
  "description",
  "default",
  "example",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "externalDocs",
  "discriminator",
  "xml",
  "markdownDescription",
  "enumDescriptions",
  "markdownEnumDescriptions",
  "deprecationMessage",
  "defaultSnippets",
  "errorMessage",
  "patternErrorMessage",
  "suggestSortText",
  "doNotSuggest",
  "allowComments",
  "allowTrailingCommas",
]);

/** A note of some program to itself: the standard gives no such name a meaning, and OpenAPI keeps them for that. */
export function isVendorKeyword(keyword: string): boolean {
  return keyword.startsWith("x-");
}

const ofProperties: ReadonlySet<string> = new Set([
  ...["type", "properties", "required", "$ref", "$dynamicRef", "allOf", "anyOf", "not"],
  ...["if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies"],
]);

/** Whether a schema says of objects but which properties they have, and of other values but their types. */
export function speaksOfPropertiesAlone(keywords: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(keywords).every(
    (keyword) =>
      ofProperties.has(keyword) || silentKeywords.has(keyword) || isVendorKeyword(keyword),
  );
}

/** What to do instead of a keyword that is refused. */
export const refusedKeywords: ReadonlyMap<string, string> = new Map([
  ["$recursiveRef", "use $ref"],
  ["$recursiveAnchor", "use $ref and $defs"],
  ["$vocabulary", "leave it out"],
]);

function isSchema(value: unknown): boolean {
  return typeof value === "boolean" || isRecord(value);
}
