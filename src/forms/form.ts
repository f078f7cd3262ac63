/**
 * A promised form, made ready for one vocabulary: an answer's text keeps to a JSON schema, a regular expression or a
 * grammar. Constraints of many answers share the states and masks that any of them has found.
 */

import { describeValue } from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { Pausable } from "../core/pausable.ts";
import type { Dialect } from "../text/replies/call-grammar.ts";
import type { TokenTrie } from "../text/token-trie.ts";
import { expressionOf } from "./automaton.ts";
import { utf8Of } from "./code-points.ts";
import { type ConstraintUse, FormConstraint } from "./constraint.ts";
import { type Expression, type Grammar, GrammarBuilder } from "./expression.ts";
import { parseGbnf } from "./gbnf.ts";
import { Masks } from "./masks.ts";
import { type Outline, type OutlineUse, outlineGrammar } from "./outline.ts";
import { parsePattern } from "./pattern.ts";
import { Program } from "./program.ts";
import { RegularMaker } from "./regular.ts";
import type { Tags } from "./schema/tagged.ts";
import { dialectGrammar, schemaGrammar, taggedGrammar } from "./schema/translate.ts";
import { type State, States } from "./states.ts";

/** What an answer's whole text must be. */
export type FormSource =
  /** JSON that is valid against a schema of draft 2020-12; docs/forms.md says which keywords are kept. */
  | { readonly kind: "schema"; readonly schema: unknown }
  /** The whole text matches; anchors are allowed. Flags: u and s. */
  | { readonly kind: "regex"; readonly regex: string | RegExp }
  /** The properties of an object of a schema, between tags. */
  | { readonly kind: "tagged"; readonly schema: unknown; readonly tags: Omit<Tags, "write"> }
  /** The arguments of a call of a schema, in a dialect. */
  | { readonly kind: "dialect"; readonly schema: unknown; readonly dialect: Dialect }
  /** GBNF, as llama.cpp has it. */
  | { readonly kind: "grammar"; readonly grammar: string }
  /** Forms, marks and free text. */
  | { readonly kind: "outline"; readonly outline: Outline };

/** What a form must know of a vocabulary. */
export interface FormVocabulary {
  /** Asked for when the first token is chosen. */
  readonly trie: () => TokenTrie;
  /** How a text with marks is written, the best way first. */
  readonly spellingsOf: OutlineUse["spellingsOf"];
}

/** A form that is compiled: it serves any number of answers. */
export class Form {
  readonly states: States;
  readonly #trie: () => TokenTrie;
  #masks: Masks | undefined;
  #isPrepared = false;

  /** @throws FormError for what cannot be kept, or cannot be read; OptionError for flags of a RegExp. */
  constructor(source: FormSource, { trie, spellingsOf }: FormVocabulary) {
    const grammar =
      source.kind === "outline"
        ? outlineGrammar(source.outline, { grammarOf, spellingsOf })
        : grammarOf(source, (value) => ({ kind: "text", bytes: Buffer.from(value) }));
    this.states = new States(new Program(grammar));
    this.#trie = trie;
  }

  /** For one answer, from its first token on. */
  constrain(answer: Omit<ConstraintUse, "masks">): FormConstraint {
    return new FormConstraint(this.states, { ...answer, masks: () => this.#madeMasks });
  }

  /** Whether nothing is left for `prepare`. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** Does beforehand, with pauses, what would hold up the first token that needs it. */
  *prepare(): Pausable<void> {
    yield* this.#madeMasks.prepare();
    this.#isPrepared = true;
  }

  /** Whether a text is of the form. */
  accepts(text: string): boolean {
    return this.#after(text).isComplete;
  }

  /** Whether some text of the form begins with this one. */
  begins(text: string): boolean {
    return this.#after(text) !== this.states.dead;
  }

  get #madeMasks(): Masks {
    this.#masks ??= new Masks(this.states, this.#trie());
    return this.#masks;
  }

  #after(text: string): State {
    this.states.startWork();
    let state = this.states.start;
    for (const byte of Buffer.from(text, "utf8")) state = this.states.afterByte(state, byte);
    return state;
  }
}

/** `write`: a text with marks. */
function grammarOf(
  source: Exclude<FormSource, { readonly kind: "outline" }>,
  write: (text: string) => Expression,
): Grammar {
  switch (source.kind) {
    case "schema":
      return schemaGrammar(source.schema);
    case "tagged":
      return taggedGrammar(source.schema, { ...source.tags, write });
    case "dialect":
      return dialectGrammar(source.schema, source.dialect, write);
    case "regex":
      return regexGrammar(source.regex);
    case "grammar":
      return parseGbnf(source.grammar);
    default:
      return source satisfies never;
  }
}

/** "Whole": a pattern that is anchored, or not, has the same texts. */
function regexGrammar(regex: string | RegExp): Grammar {
  const flags = typeof regex === "string" ? "u" : regex.flags;
  const unknown = [...flags].find((flag) => !"usdg".includes(flag));
  if (unknown !== undefined) {
    throw new OptionError("regex", `the flag ${describeValue(unknown)}`, "no flags but u and s");
  }
  const source = typeof regex === "string" ? regex : regex.source;
  const maker = new RegularMaker();
  const language = parsePattern(source, maker, { covers: "all", dotAll: flags.includes("s") });
  const builder = new GrammarBuilder();
  const root = builder.declare("regex");
  const spelling = utf8Of;
  builder.define(root, expressionOf(language, { maker, builder, spelling, where: "regex" }));
  return builder.build(root);
}
