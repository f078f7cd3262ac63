/**
 * Objects of a case: the properties that it names, in the order of the schema, then others. A name is written once; of
 * the others one may come twice, as nothing remembers them (a reader of JSON takes the last).
 */
import { FormError } from "../../core/errors.ts";
import { isEmptyLanguage } from "../automaton.ts";
import { choice, type Expression, nothing, sequence, text } from "../expression.ts";
import type { Regular } from "../regular.ts";
import {
  type Case,
  type Choice,
  countsOf,
  isSchemaValue,
  isTextValue,
  type OpenCase,
  valuesOf,
} from "./cases.ts";
import { at, type SchemaNode, step } from "./document.ts";
import { enumOf } from "./enums.ts";
import { type Member, MemberRules, recordOf, requiredIn } from "./members.ts";
import { colon, comma } from "./spelling.ts";
import type { StringLanguages } from "./strings.ts";
import type { Translation } from "./translate.ts";
import { typesOf, typesOfOpen } from "./types.ts";

/** Ways in which the patterns of an object part its names: n that overlap make 2^n of them, n that do not n + 1. */
const maxKindsOfNames = 64;

/** Names that match these patterns and no others. */
interface NameKind {
  readonly matched: ReadonlySet<string>;
  readonly language: Regular;
}

/** How a named property is written: in JSON, or otherwise. `nodes`: what must hold for its value. */
export type WriteMember = (name: string, nodes: readonly SchemaNode[]) => Expression;

/** @throws FormError for minProperties that other properties than the named ones would have to make up, and too many patterns. */
export function objectExpression(open: OpenCase, use: Translation): Expression {
  const { of } = open;
  const choices = objectChoices(open);
  const schemas = new PropertySchemas({ of, choices }, use);
  const others = schemas.others();
  const named = schemas.named((name, nodes) =>
    sequence(use.spelling.name(name), colon, use.valueOf(nodes)),
  );
  const { least, most } = countsOf(of, "minProperties", "maxProperties");
  const path = of[0]?.path ?? "#";
  const required = named.filter(({ isRequired }) => isRequired).length;
  if (others !== nothing && least > required + 1) {
    throw new FormError(
      at(step(path, "minProperties")),
      `${least} can only be kept where all properties have names`,
      "name them in properties, or in required",
    );
  }
  const list = { named, choices, others, least, most, between: comma };
  const members = new MemberRules(list, use, at(path));
  return sequence(text("{"), members.expression(), text("}"));
}

/** The named properties of an object without braces, and no others. */
export function memberList(
  open: OpenCase,
  use: Translation,
  between: Expression,
  write: WriteMember,
): Expression {
  const { of } = open;
  const choices = objectChoices(open);
  const named = new PropertySchemas({ of, choices }, use).named(write);
  const { least, most } = countsOf(of, "minProperties", "maxProperties");
  const members = { named, choices, others: nothing, least, most, between };
  return new MemberRules(members, use, at(of[0]?.path ?? "#")).expression();
}

const isPythonName = /^[A-Za-z_]\w*$/;

/** name=value, as Python has it: of the properties that have names. */
export function keywordMembers(root: SchemaNode, use: Translation): Expression {
  const cases = use.openCasesOf([root]).filter((each) => typesOfOpen(each).has("object"));
  return choice(
    cases.map((open) =>
      memberList(open, use, comma, (name, nodes) =>
        isPythonName.test(name) ? sequence(text(`${name}=`), use.valueOf(nodes)) : nothing,
      ),
    ),
  );
}

/** What must hold for the value of a property, by its name. */
export function propertySchemas(
  of: Case,
  use: Translation,
): (name: string) => readonly SchemaNode[] {
  const schemas = new PropertySchemas({ of, choices: [] }, use);
  return (name) => schemas.schemasOf(name);
}

/** Without the cases that objects are not of. */
function objectChoices({ choices }: OpenCase): readonly Choice[] {
  return choices.map((choice) => choice.filter((of) => typesOf(of).has("object")));
}

/** What must hold for the properties of a case, by their names. */
class PropertySchemas {
  readonly #of: Case;
  readonly #use: Translation;
  readonly #names: readonly string[];
  readonly #required: ReadonlySet<string>;
  /** Every pattern of some patternProperties, with its language. */
  readonly #patterns: ReadonlyMap<string, Regular>;
  readonly #nameLanguage: Regular;

  constructor({ of, choices }: OpenCase, use: Translation) {
    this.#of = of;
    this.#use = use;
    this.#required = requiredIn(of);
    const all = [of, ...choices.flat()];
    const properties = all.flatMap((each) =>
      each.flatMap(({ keywords }) => Object.keys(recordOf(keywords["properties"]))),
    );
    this.#names = [...new Set([...properties, ...all.flatMap((each) => [...requiredIn(each)])])];
    this.#patterns = new Map(
      of.flatMap(({ keywords, path }) =>
        Object.keys(recordOf(keywords["patternProperties"])).map((pattern) => [
          pattern,
          use.languages.pattern(pattern, step(step(path, "patternProperties"), pattern)),
        ]),
      ),
    );
    this.#nameLanguage = this.#languageOfNames();
  }

  named(write: WriteMember): readonly Member[] {
    return this.#names.map((name) => {
      const isNameAllowed = this.#use.languages.has(this.#nameLanguage, name);
      const own = this.schemasOf(name);
      return {
        name,
        own,
        write: (more) => (isNameAllowed ? write(name, [...own, ...more]) : nothing),
        isRequired: this.#required.has(name),
      };
    });
  }

  /** Properties that have no name of their own: one way for each set of patterns that a name may match. */
  others(): Expression {
    const where = at(this.#of[0]?.path ?? "#");
    const options: Expression[] = [];
    for (const { matched, language } of this.#kindsOfNames()) {
      const schemas = this.#schemasOfMatches((pattern) => matched.has(pattern));
      if (schemas.some(({ isFalse }) => isFalse)) continue;
      const key = this.#use.nameOf(language, where);
      options.push(sequence(key, colon, this.#use.valueOf(schemas)));
    }
    return options.length === 0 ? nothing : choice(options);
  }

  /** All other names, parted by the patterns that they match; those that no name matches are left out. */
  #kindsOfNames(): readonly NameKind[] {
    const { maker, any } = this.#use.languages;
    const path = this.#of[0]?.path ?? "#";
    const where = at(step(path, "patternProperties"));
    const named = maker.texts(this.#names);
    const all = [
      ...(this.#nameLanguage === any ? [] : [this.#nameLanguage]),
      ...(named === maker.nothing ? [] : [maker.not(named)]),
    ];
    const others = all.length === 0 ? any : maker.all(all);
    let kinds: readonly NameKind[] = [{ matched: new Set<string>(), language: others }];
    // Of one pattern it does no harm if all names match it, or none.
    const isSeveral = this.#patterns.size > 1;
    for (const [pattern, language] of this.#patterns) {
      kinds = kinds.flatMap((kind) => {
        const inside = maker.all([kind.language, language]);
        const outside = maker.all([kind.language, maker.not(language)]);
        const matched = new Set([...kind.matched, pattern]);
        if (isSeveral && isEmptyLanguage(inside, maker, where)) return [kind];
        if (isSeveral && isEmptyLanguage(outside, maker, where)) return [{ ...kind, matched }];
        return [
          { ...kind, language: outside },
          { matched, language: inside },
        ];
      });
      if (kinds.length <= maxKindsOfNames) continue;
      throw new FormError(
        where,
        `has patterns that part the names in more than ${maxKindsOfNames} ways`,
        "use fewer, or ones that no name has in common",
      );
    }
    return kinds.filter(({ language }) => language !== maker.nothing);
  }

  schemasOf(name: string): readonly SchemaNode[] {
    const own = this.#of.flatMap(({ keywords, path }) => {
      const properties = recordOf(keywords["properties"]);
      if (!Object.hasOwn(properties, name)) return [];
      return [this.#use.document.node(properties[name], step(step(path, "properties"), name))];
    });
    const isMatched = (pattern: string): boolean => {
      const language = this.#patterns.get(pattern);
      return language !== undefined && this.#use.languages.has(language, name);
    };
    return [...own, ...this.#schemasOfMatches(isMatched, name)];
  }

  /** What all but properties says of a name that matches some patterns. */
  #schemasOfMatches(isMatched: (pattern: string) => boolean, name?: string): readonly SchemaNode[] {
    const unevaluated = this.#of.flatMap((node) => {
      const rest = node.keywords["unevaluatedProperties"];
      if (!isSchemaValue(rest) || this.#isEvaluated(node, isMatched, name)) return [];
      return [this.#use.document.node(rest, step(node.path, "unevaluatedProperties"))];
    });
    return [...unevaluated, ...this.#schemasBeside(isMatched, name)];
  }

  /** Whether a schema, or one that holds because of it, has looked at such a property. */
  #isEvaluated(
    node: SchemaNode,
    isMatched: (pattern: string) => boolean,
    name: string | undefined,
  ): boolean {
    return [...this.#use.finder.partsOf(node, this.#of)].some((part) => {
      const { properties, patternProperties, additionalProperties, unevaluatedProperties } =
        part.keywords;
      return (
        additionalProperties !== undefined ||
        (part !== node && unevaluatedProperties !== undefined) ||
        (name !== undefined && Object.hasOwn(recordOf(properties), name)) ||
        Object.keys(recordOf(patternProperties)).some(isMatched)
      );
    });
  }

  #schemasBeside(isMatched: (pattern: string) => boolean, name?: string): readonly SchemaNode[] {
    return this.#of.flatMap(({ keywords, path }) => {
      const patterns = Object.entries(recordOf(keywords["patternProperties"]));
      const matched = patterns.filter(([pattern]) => isMatched(pattern));
      const isNamed = name !== undefined && Object.hasOwn(recordOf(keywords["properties"]), name);
      if (matched.length > 0 || isNamed) {
        const place = step(path, "patternProperties");
        return matched.map(([pattern, schema]) =>
          this.#use.document.node(schema, step(place, pattern)),
        );
      }
      const rest = keywords["additionalProperties"];
      if (!isSchemaValue(rest)) return [];
      return [this.#use.document.node(rest, step(path, "additionalProperties"))];
    });
  }

  #languageOfNames(): Regular {
    const { languages, document } = this.#use;
    const schemas = valuesOf(this.#of, "propertyNames", isSchemaValue).map(({ node, value }) =>
      document.node(value, step(node.path, "propertyNames")),
    );
    if (schemas.length === 0) return languages.any;
    const cases = this.#use.casesOf(schemas).filter((each) => typesOf(each).has("string"));
    return languages.maker.choice(cases.map((each) => namesOf(each, languages)));
  }
}

/** The names that a case of propertyNames allows. */
function namesOf(of: Case, languages: StringLanguages): Regular {
  const listed = enumOf(of, { languages });
  if (listed === undefined) return languages.of(of);
  const { maker } = languages;
  return maker.texts(listed.filter(isTextValue));
}
