/** The values of enum and const in a case that its other keywords allow. */
import { isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { type Case, isListValue, valuesOf } from "./cases.ts";
import { at, type Json } from "./document.ts";
import { jsonKey } from "./json-key.ts";
import type { TypeName } from "./keywords.ts";
import { keepsLimits } from "./numbers.ts";
import type { StringLanguages } from "./strings.ts";
import { numberLimits, typesOf } from "./types.ts";

/** Keywords that say something about the inside of an array or object. */
const insideKeywords = [
  "minItems",
  "maxItems",
  "uniqueItems",
  "prefixItems",
  "items",
  "minProperties",
  "maxProperties",
  "required",
  "properties",
  "patternProperties",
  "additionalProperties",
  "propertyNames",
  "contains",
  "unevaluatedItems",
  "unevaluatedProperties",
];

/** Undefined where the case has neither enum nor const. @throws FormError for lists and objects beside other keywords. */
export function enumOf(
  of: Case,
  use: { readonly languages: StringLanguages },
): readonly Json[] | undefined {
  const lists = [
    ...valuesOf(of, "enum", isListValue).map(({ value }) => value),
    ...of
      .filter(({ keywords }) => Object.hasOwn(keywords, "const"))
      .map(({ keywords }) => [keywords["const"]]),
  ];
  const [first, ...others] = lists;
  if (first === undefined) return undefined;
  const keysOfOthers = others.map((list) => new Set(list.map(jsonKey)));
  const values = new Map<string, Json>();
  for (const value of first) {
    const key = jsonKey(value);
    const isInAll = keysOfOthers.every((keys) => keys.has(key));
    if (isInAll && isJson(value) && isAllowed(value, of, use.languages)) values.set(key, value);
  }
  return [...values.values()];
}

function typeOfValue(value: Json): TypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "boolean":
      return "boolean";
    case "number":
      return Number.isInteger(value) ? "integer" : "number";
    case "string":
      return "string";
    default:
      return "object";
  }
}

function isAllowed(value: Json, of: Case, languages: StringLanguages): boolean {
  const types = typesOf(of);
  if (!types.has(typeOfValue(value))) return false;
  if (typeof value === "number") return keepsLimits(value, numberLimits(of, types));
  if (typeof value === "string") return languages.has(languages.of(of), value);
  if (typeof value !== "object" || value === null) return true;
  for (const { keywords, path } of of) {
    const other = insideKeywords.find((keyword) => Object.hasOwn(keywords, keyword));
    if (other === undefined) continue;
    throw new FormError(
      at(path),
      `has ${other} beside an enum or const of lists or objects`,
      "leave out the values that it forbids",
    );
  }
  return true;
}

/** What JSON can hold; a program's object may hold more. */
function isJson(value: unknown): value is Json {
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  return isRecord(value) && Object.values(value).every(isJson);
}
