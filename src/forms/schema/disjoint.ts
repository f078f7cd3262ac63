/**
 * Whether schemas have no value in common, as far as it can be proved: a oneOf whose branches are so is an anyOf. From
 * branches for which it cannot be proved, what other branches hold for is taken away.
 */
import { FormError } from "../../core/errors.ts";
import { isEmptyLanguage } from "../automaton.ts";
import { type Case, isListValue, isTextValue, type OneOf, valuesOf } from "./cases.ts";
import { at, type SchemaNode } from "./document.ts";
import { enumOf } from "./enums.ts";
import { notOf } from "./negations.ts";
import { isEmptyRange } from "./numbers.ts";
import { propertySchemas } from "./objects.ts";
import type { Translation } from "./translate.ts";
import { numberLimits, typesOf } from "./types.ts";

/** Required properties in each other that are looked into. */
const maxDepth = 6;

export class Disjointness {
  readonly #use: Translation;
  /** By the oneOf and what holds beside it. */
  readonly #exclusive: Map<string, readonly SchemaNode[]> = new Map();
  readonly #empty: Map<string, boolean> = new Map();

  constructor(use: Translation) {
    this.#use = use;
  }

  /** Branches of which no value is in two. @throws FormError where what is in two cannot be taken away. */
  exclusive({ path, beside, branches }: OneOf): readonly SchemaNode[] {
    const key = `${path} ${beside.map(({ id }) => id).join()}`;
    const known = this.#exclusive.get(key);
    if (known !== undefined) return known;
    const found = branches.map((one, index) => {
      const others = branches.filter(
        (other, place) => place !== index && !this.#isEmpty([one, other], beside, 0),
      );
      return others.length === 0 ? one : this.#without(one, others, path);
    });
    this.#exclusive.set(key, found);
    return found;
  }

  /** Whether no value keeps all schemas, proved; false too where it takes too many cases to say. */
  isEmpty(nodes: readonly SchemaNode[]): boolean {
    const key = nodes
      .map(({ id }) => id)
      .sort((one, other) => one - other)
      .join();
    const known = this.#empty.get(key);
    if (known !== undefined) return known;
    let isEmpty = false;
    try {
      isEmpty = this.#isEmpty(nodes, [], 0);
    } catch (error) {
      if (!(error instanceof FormError)) throw error;
    }
    this.#empty.set(key, isEmpty);
    return isEmpty;
  }

  #without(one: SchemaNode, others: readonly SchemaNode[], path: string): SchemaNode {
    const { document, finder } = this.#use;
    const rest = document.made(
      { allOf: [one.source, ...others.map(({ source }) => notOf(source))] },
      one.path,
    );
    try {
      finder.casesOf([rest]);
    } catch (error) {
      if (!(error instanceof FormError)) throw error;
      throw new FormError(
        at(path),
        `branches may have a value in common, and ${error.where} ${error.problem}`,
        "use anyOf, or give each branch a required property with a const of its own",
      );
    }
    return rest;
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
