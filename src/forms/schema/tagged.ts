/**
 * The properties of an object between tags, as some families of models write the arguments of a call: texts as they are,
 * other values as JSON (text/replies/tagged-call.ts reads them).
 */
import { isRecord } from "../../core/check-options.ts";
import { expressionOf } from "../automaton.ts";
import { utf8Of } from "../code-points.ts";
import { choice, type Expression, emptyText, nothing, sequence, text } from "../expression.ts";
import type { Regular } from "../regular.ts";
import type { Case } from "./cases.ts";
import { at, type SchemaNode, step } from "./document.ts";
import { enumOf } from "./enums.ts";
import { memberList } from "./objects.ts";
import type { Translation } from "./translate.ts";
import { typesOf, typesOfOpen } from "./types.ts";

export interface Tags {
  /** In front of a property's name, behind it, and behind its value. */
  readonly beforeKey: string;
  readonly afterKey: string;
  readonly afterValue: string;
  /** Behind the name where the value is no text. Default: as `afterKey`. */
  readonly afterKeyOfJson?: string;
  /** No text has it. */
  readonly end: string;
  /** Whether line breaks at the ends of a text are its own, as tags stand on lines of theirs. */
  readonly hasOwnLines: boolean;
  /** How a text with marks is written. */
  readonly write: (text: string) => Expression;
}

/** Names that cannot stand in a tag. */
const noTagName = /[<>"\n]/;

export function taggedMembers(root: SchemaNode, use: Translation, tags: Tags): Expression {
  const cases = use.openCasesOf([root]).filter((each) => typesOfOpen(each).has("object"));
  return choice(
    cases.map((open) =>
      memberList(open, use, emptyText, (name, nodes) => {
        if (noTagName.test(name)) return nothing;
        const { write, beforeKey, afterKey, afterKeyOfJson = afterKey, afterValue } = tags;
        const isText = meansText(schemaIn(root, name));
        const value = isText ? plainText(nodes, use, tags) : use.valueOf(nodes);
        const head = write(beforeKey + name + (isText ? afterKey : afterKeyOfJson));
        return sequence(head, value, write(afterValue));
      }),
    ),
  );
}

/** What the reader of a call goes by: the property's own schema as it stands. */
function schemaIn({ keywords }: SchemaNode, name: string): unknown {
  const { properties } = keywords;
  return isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

function meansText(schema: unknown): boolean {
  if (!isRecord(schema)) return false;
  const { type, enum: values } = schema;
  if (type === undefined) {
    return Array.isArray(values) && values.every((value) => typeof value === "string");
  }
  return [type].flat().every((each) => each === "string" || each === "null");
}

function plainText(nodes: readonly SchemaNode[], use: Translation, tags: Tags): Expression {
  return choice(use.casesOf(nodes).map((of) => textOfCase(of, use, tags)));
}

/** A pattern that this text alone matches. */
export function escapedPattern(text: string): string {
  return text.replaceAll(/[$()*+./?[\\\]^{|}-]/g, "\\$&");
}

function textOfCase(of: Case, use: Translation, { end, hasOwnLines }: Tags): Expression {
  const { languages, builder } = use;
  const { maker } = languages;
  const where = at(of[0]?.path ?? "#");
  const path = step(of[0]?.path ?? "#", "pattern");
  const never = [
    languages.pattern(escapedPattern(end), path),
    languages.pattern("^\\s*null\\s*$", path),
    ...(hasOwnLines ? [] : [languages.pattern("^[\\r\\n]|[\\r\\n]$", path)]),
  ];
  const allowed = (language: Regular): Regular =>
    maker.all([language, ...never.map((each) => maker.not(each))]);
  const types = typesOf(of);
  const listed = enumOf(of, use);
  const hasNull = types.has("null") && (listed?.includes(null) ?? true);
  const options: Expression[] = hasNull && types.size <= 2 ? [text("null")] : [];
  const texts = listed && maker.texts(listed.filter((value) => typeof value === "string"));
  const spoken = allowed(texts ?? languages.of(of));
  if (types.has("string")) {
    options.push(expressionOf(spoken, { maker, builder, spelling: utf8Of, where }));
  }
  return choice(options);
}
