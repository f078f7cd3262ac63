/**
 * The inner form of every promised form: rules over bytes. GBNF, regular expressions and JSON schemas are turned into
 * it; compile.ts makes a program of it that a matcher runs.
 */

/** Bit b of word b >> 5: whether byte b is in the set. */
export type ByteSet = Uint32Array;

export type Expression =
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  | { readonly kind: "bytes"; readonly set: ByteSet }
  | { readonly kind: "text"; readonly bytes: Uint8Array }
  | {
      readonly kind: "repeat";
      readonly body: Expression;
      readonly least: number;
      readonly most: number;
      /** White space that says nothing: an answer has it everywhere or nowhere, where nothing else is to be chosen. */
      readonly isGap?: boolean;
    }
  /** A code: none of its words begins another one, and none is empty. Repeats of it have fast masks. */
  | { readonly kind: "code"; readonly body: Expression }
  | { readonly kind: "rule"; readonly rule: number };

interface Rule {
  readonly name: string;
  readonly body: Expression;
}

export interface Grammar {
  readonly rules: readonly Rule[];
  /** The first rule of every text. */
  readonly root: number;
}

export const emptyText: Expression = { kind: "sequence", parts: [] };
/** Matches nothing, not even the empty text. */
export const nothing: Expression = { kind: "choice", options: [] };

export function text(value: string): Expression {
  return { kind: "text", bytes: Buffer.from(value, "utf8") };
}

export function sequence(...parts: readonly Expression[]): Expression {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "sequence", parts };
}

export function choice(options: readonly Expression[]): Expression {
  const [only] = options;
  return options.length === 1 && only !== undefined ? only : { kind: "choice", options };
}

export function optional(body: Expression): Expression {
  return { kind: "repeat", body, least: 0, most: 1 };
}

/** `most` may be Infinity; nothing matches where it is below `least`. */
export function repeat(body: Expression, least: number, most: number): Expression {
  if (most < least) return nothing;
  return { kind: "repeat", body, least, most };
}

/** One byte from `first` to `last`. */
export function byteRange(first: number, last: number): Expression {
  const set = new Uint32Array(8);
  for (let byte = first; byte <= last; byte++) addByte(set, byte);
  return { kind: "bytes", set };
}

function addByte(set: ByteSet, byte: number): void {
  set[byte >> 5] = (set[byte >> 5] ?? 0) | (1 << (byte & 31));
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return (((set[byte >> 5] ?? 0) >>> (byte & 31)) & 1) === 1;
}

/** Rules that are named first and defined later, so that they may name each other. */
export class GrammarBuilder {
  readonly #rules: { name: string; body: Expression }[] = [];

  /** A new rule; it matches nothing until it is defined. */
  declare(name: string): number {
    this.#rules.push({ name, body: nothing });
    return this.#rules.length - 1;
  }

  define(rule: number, body: Expression): void {
    const declared = this.#rules[rule];
    if (declared === undefined) throw new RangeError(`no rule ${rule}`);
    declared.body = body;
  }

  /** A rule that is declared and defined at once, as an expression. */
  add(name: string, body: Expression): Expression {
    const rule = this.declare(name);
    this.define(rule, body);
    return { kind: "rule", rule };
  }

  get ruleCount(): number {
    return this.#rules.length;
  }

  build(root: number): Grammar {
    return { rules: this.#rules, root };
  }
}
