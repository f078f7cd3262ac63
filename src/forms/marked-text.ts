/**
 * Any bytes, until one of several marks has come: an automaton over the beginnings of marks that a text ends with
 * (Aho and Corasick 1975), as rules of a grammar, one for each state.
 */
import {
  type ByteSet,
  choice,
  type Expression,
  emptyText,
  type GrammarBuilder,
  sequence,
} from "./expression.ts";

export interface Opening {
  readonly mark: Uint8Array;
  /** It counts at the beginning of the text alone. */
  readonly isFirst: boolean;
  /** What comes behind the mark. */
  readonly body: Expression;
}

/** Of an opening, how many bytes of its mark have been read. */
interface Begun {
  readonly opening: Opening;
  readonly length: number;
}

/** `mayEnd`: the text may end without a mark. */
export function markedText(
  openings: readonly Opening[],
  builder: GrammarBuilder,
  { mayEnd }: { readonly mayEnd: boolean },
): Expression {
  const anywhere = openings.filter(({ isFirst }) => !isFirst);
  const begins = (list: readonly Opening[]): readonly Begun[] =>
    list.map((opening) => ({ opening, length: 0 }));
  const keyOf = (begun: readonly Begun[]): string =>
    begun.map(({ opening, length }) => `${openings.indexOf(opening)}:${length}`).join();
  const rules = new Map<string, number>();
  const waiting: { readonly rule: number; readonly begun: readonly Begun[] }[] = [];
  const stateOf = (begun: readonly Begun[]): Expression => {
    const key = keyOf(begun);
    const known = rules.get(key);
    const rule = known ?? builder.declare("text");
    if (known === undefined) {
      rules.set(key, rule);
      waiting.push({ rule, begun });
    }
    return { kind: "rule", rule };
  };
  const start = stateOf(begins(openings));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { begun } = next;
    const options: Expression[] = mayEnd ? [emptyText] : [];
    const special = new Set(begun.map(({ opening, length }) => opening.mark[length] ?? 0));
    for (const byte of special) {
      const grown = begun.flatMap(({ opening, length }) =>
        opening.mark[length] === byte ? [{ opening, length: length + 1 }] : [],
      );
      const whole = grown.filter(({ opening, length }) => length === opening.mark.length);
      const after =
        whole.length > 0
          ? choice(whole.map(({ opening }) => opening.body))
          : stateOf([...grown, ...begins(anywhere)]);
      options.push(sequence({ kind: "bytes", set: bytesBut([], byte) }, after));
    }
    const others = { kind: "bytes", set: bytesBut([...special]) } as const;
    options.push(sequence(others, stateOf(begins(anywhere))));
    builder.define(next.rule, choice(options));
  }
  return start;
}

/** All bytes but these; or one alone. */
function bytesBut(left: readonly number[], only?: number): ByteSet {
  const set = new Uint32Array(8).fill(only === undefined ? 0xffff_ffff : 0);
  if (only !== undefined) set[only >> 5] = 1 << (only & 31);
  for (const byte of left) set[byte >> 5] = (set[byte >> 5] ?? 0) & ~(1 << (byte & 31));
  return set;
}
