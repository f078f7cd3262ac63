/**
 * Forms that answers of one engine promise: compiled once for a form that is asked for again, over a trie of the
 * vocabulary that is made with the first of them. And what `Generation.value` makes of the text.
 */
import { FormError, OptionError } from "../core/errors.ts";
import { runWithPauses } from "../core/pausable.ts";
import { Form, type FormSource, type FormVocabulary } from "../forms/form.ts";
import type { JsonSchema, JsonSchemaType, StandardSchema } from "../forms/json-schema-type.ts";
import type { GenerationResult } from "../runtime/generation.ts";
import type { TokenConstraint } from "../runtime/sampling/constraint.ts";
import { controlBytes, makeTokenTrie, type TokenTrie } from "../text/token-trie.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** At most one of them. The answer's whole text has that form, or `Generation.value` rejects. */
export interface FormOptions {
  /**
   * JSON that is valid against a JSON schema (draft 2020-12), or against a schema of zod or another library that follows
   * standardschema.dev and can say itself as a JSON schema. Keywords that cannot be kept are refused: docs/forms.md.
   */
  readonly schema?: FormSchema;
  /** The whole text matches. Flags of a RegExp: u and s. */
  readonly regex?: string | RegExp;
  /** GBNF, as llama.cpp has it, with a rule named root. */
  readonly grammar?: string;
}

export type FormSchema = JsonSchema | StandardSchema;

/** What `Generation.value` gives for a schema. */
export type SchemaValue<Schema> =
  Schema extends StandardSchema<infer Value> ? Value : JsonSchemaType<Schema>;

/** Compiled forms that are kept: each holds up to some 20 MB of masks. */
const maxForms = 8;

/** The value of an answer. @throws FormError where the text was cut before its form was complete */
export type ReadValue = (result: GenerationResult) => unknown;

const plainText = { parseSpecial: false, addBos: "never", addEos: "never" } as const;

type AskedForm = Exclude<FormSource, { readonly kind: "outline" }>;

/** An answer that has thoughts or calls of tools beside its form. */
export interface BoundAnswer {
  readonly source: FormSource;
  /** The content of a whole answer; undefined where it calls a tool. */
  readonly read: (result: GenerationResult) => string | undefined;
}

/** A form as one answer needs it. */
export interface PromisedForm {
  /** Undefined for an answer that promises none. */
  readonly form: Form | undefined;
  readonly read: ReadValue;
}

const noForm: PromisedForm = { form: undefined, read: ({ text }) => text };

export class Forms {
  readonly #tokenizer: Tokenizer;
  /** By what was asked for; the one that was used last is the last. */
  readonly #compiled: Map<string, Form> = new Map();
  readonly #vocabulary: FormVocabulary = {
    trie: () => this.#loadedTrie,
    spellingsOf: (text) => this.#spellingsOf(text),
  };
  #trie: TokenTrie | undefined;
  #loading: Promise<void> | undefined;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** @throws OptionError for several forms at once */
  asked({ schema, regex, grammar }: FormOptions): AskedForm | undefined {
    const sources: AskedForm[] = [];
    if (schema !== undefined) sources.push({ kind: "schema", schema: jsonSchemaOf(schema) });
    if (regex !== undefined) sources.push({ kind: "regex", regex });
    if (grammar !== undefined) sources.push({ kind: "grammar", grammar });
    const [source, other] = sources;
    if (other === undefined) return source;
    throw new OptionError(
      other.kind,
      `beside ${source?.kind}`,
      "one form: schema, regex or grammar",
    );
  }

  /**
   * `bound`: what the whole answer is bound to, where that is more than what the options ask for.
   * @throws OptionError for several forms at once, FormError for one that cannot be kept.
   */
  of(options: FormOptions, bound?: BoundAnswer): PromisedForm {
    const asked = this.asked(options);
    const source = bound?.source ?? asked;
    if (source === undefined) return noForm;
    const form = this.#compile(source);
    if (asked === undefined) return { ...noForm, form };
    const parse = (text: string): unknown =>
      asked.kind === "schema" ? checkedValue(JSON.parse(text), options.schema) : text;
    if (bound === undefined) return { form, read: (result) => parse(wholeText(result, form)) };
    return { form, read: (result) => parse(contentOf(result, bound)) };
  }

  /** Makes the trie of the vocabulary and prepares the form, with pauses. Undefined when both is done. */
  load(form: Form): Promise<void> | undefined {
    if (this.#trie !== undefined && form.isPrepared) return undefined;
    this.#loading ??= runWithPauses(makeTokenTrie(this.#tokenizer)).then((trie) => {
      this.#trie = trie;
    });
    return this.#loading.then(() => runWithPauses(form.prepare()));
  }

  /** For one answer. `previous`: the last token of its prompt, known when the first of the answer is chosen. */
  constrain(
    form: Form,
    answer: { readonly endTokens: Iterable<number>; readonly previous: () => number | undefined },
  ): TokenConstraint {
    const { endTokens, previous } = answer;
    return form.constrain({
      endTokens,
      dropsSpaceAfter: (token) => this.#dropsSpaceAfter(token ?? previous()),
      encode: (text) => this.#tokenizer.encode(text, plainText),
    });
  }

  #compile(source: FormSource): Form {
    const key = keyOf(source);
    if (key === undefined) return new Form(source, this.#vocabulary);
    const form = this.#compiled.get(key) ?? new Form(source, this.#vocabulary);
    this.#compiled.delete(key);
    this.#compiled.set(key, form);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > maxForms && oldest !== undefined) this.#compiled.delete(oldest);
    return form;
  }

  /** With control tokens where the text names them, and in letters. */
  #spellingsOf(text: string): readonly Uint8Array[] {
    const letters = Buffer.from(text, "utf8");
    const { pieces } = this.#tokenizer;
    const ids = this.#tokenizer.encode(text, { ...plainText, parseSpecial: true });
    if (!ids.some((id) => pieces.isHidden(id))) return [letters];
    let isAfterSpecial = true;
    const parts = ids.map((id) => {
      const bytes = pieces.bytesOf(id);
      const dropsSpace = pieces.addsSpacePrefix && isAfterSpecial && bytes[0] === 0x20;
      isAfterSpecial = pieces.isSpecial(id);
      if (pieces.isHidden(id)) return controlBytes(bytes);
      return bytes.subarray(dropsSpace && !isAfterSpecial ? 1 : 0);
    });
    return [Buffer.concat(parts), letters];
  }

  get #loadedTrie(): TokenTrie {
    if (this.#trie === undefined)
      throw new Error("the trie of the vocabulary is used before it is made");
    return this.#trie;
  }

  /** As the detokenizer does: SentencePiece's space at the beginning of a text is none. */
  #dropsSpaceAfter(token: number | undefined): boolean {
    const { pieces } = this.#tokenizer;
    return pieces.addsSpacePrefix && (token === undefined || pieces.isSpecial(token));
  }
}

/** Undefined for what cannot be written as a text (too deep, a circle): to compile it says why. */
function keyOf(source: FormSource): string | undefined {
  try {
    return JSON.stringify(source, (_, value: unknown) =>
      value instanceof RegExp ? String(value) : value,
    );
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

function isStandardSchema(schema: FormSchema): schema is StandardSchema {
  return typeof schema !== "boolean" && "~standard" in schema;
}

/** Of what comes out of the schema; where that cannot be said (a transformation), of what goes in. */
function jsonSchemaOf(schema: FormSchema): unknown {
  if (!isStandardSchema(schema)) return schema;
  const { vendor, jsonSchema } = schema["~standard"];
  const options = { target: "draft-2020-12" } as const;
  if (jsonSchema === undefined) {
    throw new OptionError(
      "schema",
      `a schema of ${vendor}, which cannot say itself as a JSON schema`,
      "a JSON schema, or zod 4.2 and later",
    );
  }
  try {
    return jsonSchema.output(options);
  } catch {
    return inputOf(() => jsonSchema.input(options), vendor);
  }
}

function inputOf(read: () => unknown, vendor: string): unknown {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OptionError(
      "schema",
      `a schema of ${vendor} that is no JSON schema (${reason})`,
      "another one",
    );
  }
}

/** A schema of a library may check and change more than a JSON schema can say. */
function checkedValue(value: unknown, schema: FormOptions["schema"]): unknown {
  if (schema === undefined || !isStandardSchema(schema)) return value;
  const { validate, vendor } = schema["~standard"];
  return Promise.resolve(validate(value)).then((result) => {
    if (result.issues === undefined) return result.value;
    const [issue] = result.issues;
    throw new FormError("answer", `${vendor} refuses it (${issue?.message})`, "ask again");
  });
}

function contentOf(result: GenerationResult, { read }: BoundAnswer): string {
  checkEnded(result);
  const content = result.stopText === undefined ? read(result) : undefined;
  if (content !== undefined) return content;
  throw new FormError(
    "answer",
    result.stopText === undefined ? "calls a tool" : "a stop text ended it early",
    result.stopText === undefined ? "see reply.toolCalls of its result" : "use other stop texts",
  );
}

function checkEnded({ finishReason }: GenerationResult): void {
  if (finishReason === "stop") return;
  throw new FormError(
    "answer",
    `ended (${finishReason}) before its form was complete`,
    "give it more tokens (maxTokens, contextLength), or ask for less",
  );
}

function wholeText(result: GenerationResult, form: Form): string {
  checkEnded(result);
  if (form.accepts(result.text)) return result.text;
  throw new FormError(
    "answer",
    "a stop text ended it before its form was complete",
    "use other stop texts",
  );
}
