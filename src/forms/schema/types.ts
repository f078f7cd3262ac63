/** Which types a case allows, and what it says about numbers. */
import { type Case, isNumberValue, isTextValue, isTrue, type OpenCase, valuesOf } from "./cases.ts";
import { numberFormats } from "./formats.ts";
import { isTypeName, type TypeName, typeNames } from "./keywords.ts";
import { isFraction } from "./negations.ts";
import { type NumberLimits, noLimits } from "./numbers.ts";

/** Where "number" is among them, "integer" is too. */
export function typesOf(of: Case): ReadonlySet<TypeName> {
  let types: ReadonlySet<TypeName> = new Set(typeNames);
  for (const { keywords } of of) {
    if (!Object.hasOwn(keywords, "type")) continue;
    const listed = new Set([keywords["type"]].flat().filter(isTypeName));
    if (listed.has("number")) listed.add("integer");
    types = new Set([...types].filter((type) => listed.has(type)));
  }
  return types;
}

/** Those that some case of each choice allows too. */
export function typesOfOpen({ of, choices }: OpenCase): ReadonlySet<TypeName> {
  let types = typesOf(of);
  for (const choice of choices) {
    const allowed = choice.map(typesOf);
    types = new Set([...types].filter((type) => allowed.some((each) => each.has(type))));
  }
  return types;
}

export function numberLimits(of: Case, types: ReadonlySet<TypeName>): NumberLimits {
  const all = (keyword: string): readonly number[] =>
    valuesOf(of, keyword, isNumberValue).map(({ value }) => value);
  const formats = valuesOf(of, "format", isTextValue).flatMap(({ value }) =>
    Object.hasOwn(numberFormats, value) ? [numberFormats[value] ?? []] : [],
  );
  return {
    minimum: Math.max(noLimits.minimum, ...all("minimum"), ...formats.map(([least = 0]) => least)),
    maximum: Math.min(noLimits.maximum, ...all("maximum"), ...formats.map(([, most = 0]) => most)),
    exclusiveMinimum: Math.max(noLimits.exclusiveMinimum, ...all("exclusiveMinimum")),
    exclusiveMaximum: Math.min(noLimits.exclusiveMaximum, ...all("exclusiveMaximum")),
    multiples: all("multipleOf"),
    isWhole: !types.has("number") || formats.length > 0,
    isFraction: valuesOf(of, isFraction, isTrue).length > 0,
  };
}
