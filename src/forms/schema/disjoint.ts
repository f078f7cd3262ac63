/**
 * Whether schemas have no value in common, as far as it can be proved: a oneOf whose branches are so is an anyOf. What
 * cannot be proved is refused.
 */
import { FormError } from "../../core/errors.ts";
import { isEmptyLanguage } from "../automaton.ts";
import { type Case, isListValue, isTextValue, type OneOf, valuesOf } from "./cases.ts";
import { at, type SchemaNode } from "./document.ts";
import { enumOf } from "./enums.ts";
import { isEmptyRange } from "./numbers.ts";
import { propertySchemas } from "./objects.ts";
import type { Translation } from "./translate.ts";
import { numberLimits, typesOf } from "./types.ts";

/** Required properties in each other that are looked into. */
const maxDepth = 6;

export class Disjointness {
  readonly #use: Translation;
  readonly #checked: Set<string> = new Set();

  constructor(use: Translation) {
    this.#use = use;
  }

  /** @throws FormError where two branches may have a value in common. */
  check({ path, beside, branches }: OneOf): void {
    const key = `${path} ${beside.map(({ id }) => id).join()}`;
    if (this.#checked.has(key)) return;
    this.#checked.add(key);
    for (const [index, one] of branches.entries()) {
      for (const [later, other] of branches.slice(index + 1).entries()) {
        if (this.#isEmpty([one, other], beside, 0)) continue;
        throw new FormError(
          at(path),
          `branches ${index} and ${index + 1 + later} may have a value in common`,
          "use anyOf, or give each branch a required property with a const of its own",
        );
      }
    }
  }

  /** Whether no value keeps all schemas, proved. */
  #isEmpty(nodes: readonly SchemaNode[], beside: Case, depth: number): boolean {
    return this.#use.finder.casesOf(nodes, beside).every((each) => this.#isEmptyCase(each, depth));
  }

  #isEmptyCase(of: Case, depth: number): boolean {
    const values = enumOf(of, this.#use);
    if (values !== undefined) return values.length === 0;
    const types = typesOf(of);
    return [...types].every((type) => {
      switch (type) {
        case "number":
        case "integer":
          return isEmptyRange({ ...numberLimits(of, types), isWhole: !types.has("number") });
        case "string": {
          const { languages } = this.#use;
          return isEmptyLanguage(languages.of(of), languages.maker, at(of[0]?.path ?? "#"));
        }
        case "object":
          return depth < maxDepth && this.#isEmptyObject(of, depth);
        default:
          return false;
      }
    });
  }

  /** A required property that has no value. */
  #isEmptyObject(of: Case, depth: number): boolean {
    const required = valuesOf(of, "required", isListValue).flatMap(({ value }) =>
      value.filter(isTextValue),
    );
    const schemas = propertySchemas(of, this.#use);
    return [...new Set(required)].some((name) => this.#isEmpty(schemas(name), [], depth + 1));
  }
}
