/**
 * A language as an automaton over code points, and both as rules of a grammar. A language of one pattern is written out
 * as it is; one of several at once (intersection, complement) by its states.
 */
import { FormError } from "../core/errors.ts";
import type { CodePoints } from "./code-points.ts";
import {
  choice,
  type Expression,
  emptyText,
  type GrammarBuilder,
  nothing,
  repeat,
  sequence,
} from "./expression.ts";
import type { Regular, RegularMaker } from "./regular.ts";

/** States of an automaton: 2 s to find in the worst case. A pattern and a length of at most 1000 need some thousands. */
const maxStates = 10_000;

/** States whose characters are written out in each of them: some 50 items a character. */
const maxWrittenOut = 500;

/** How one character out of a set is written: in UTF-8, or as JSON's strings have it. */
export type Spelling = (set: CodePoints) => Expression;

/** @throws FormError with `where` if the language is of too many states. */
export function expressionOf(
  language: Regular,
  context: {
    readonly maker: RegularMaker;
    readonly spelling: Spelling;
    readonly builder: GrammarBuilder;
    readonly where: string;
  },
): Expression {
  const { maker, spelling, builder, where } = context;
  const written = new Map<Regular, Expression>();
  return write(language);

  function write(of: Regular): Expression {
    const known = written.get(of);
    if (known !== undefined) return known;
    const expression = compute(of);
    written.set(of, expression);
    return expression;
  }

  function compute(of: Regular): Expression {
    switch (of.kind) {
      case "nothing":
        return nothing;
      case "empty":
        return emptyText;
      case "class":
        return { kind: "code", body: spelling(of.set) };
      case "sequence":
        return sequence(...sequenceParts(of).map(write));
      case "choice":
        return choice(of.options.map(write));
      case "repeat":
        return repeat(write(of.body), of.least, of.most);
      case "all":
      case "not":
        return automatonRules(of, maker, { spelling, builder, where });
      default:
        return of satisfies never;
    }
  }
}

/** Whether no text is in the language. @throws FormError with `where` if too many states must be looked at. */
export function isEmptyLanguage(language: Regular, maker: RegularMaker, where: string): boolean {
  const seen = new Set([language]);
  for (const state of seen) {
    if (state.isNullable) return false;
    for (const { to } of waysFrom(state, maker)) seen.add(to);
    if (seen.size > maxStates) throw tooManyStates(where);
  }
  return true;
}

function sequenceParts(of: Regular): readonly Regular[] {
  const parts: Regular[] = [];
  let rest = of;
  while (rest.kind === "sequence") {
    parts.push(rest.first);
    rest = rest.rest;
  }
  parts.push(rest);
  return parts;
}

/** One rule per state; those from which no text ends are pruned when the grammar is compiled. */
function automatonRules(
  language: Regular,
  maker: RegularMaker,
  context: {
    readonly spelling: Spelling;
    readonly builder: GrammarBuilder;
    readonly where: string;
  },
): Expression {
  const { spelling, builder, where } = context;
  const rules = new Map([[language, builder.declare(where)]]);
  const ways = new Map<Regular, ReturnType<typeof waysFrom>>();
  for (const state of rules.keys()) {
    const found = waysFrom(state, maker);
    ways.set(state, found);
    for (const { to } of found) if (!rules.has(to)) rules.set(to, builder.declare(where));
    if (rules.size > maxStates || !maker.spendState()) throw tooManyStates(where);
  }
  // Few states have their characters written out, which reads faster; many share them.
  const shared = new Map<CodePoints, Expression>();
  const characterOf = (set: CodePoints): Expression => {
    if (rules.size <= maxWrittenOut) return spelling(set);
    const known = shared.get(set) ?? builder.add(where, spelling(set));
    shared.set(set, known);
    return known;
  };
  for (const [state, rule] of rules) {
    const options: Expression[] = state.isNullable ? [emptyText] : [];
    for (const { set, to } of ways.get(state) ?? []) {
      options.push(sequence(characterOf(set), { kind: "rule", rule: rules.get(to) ?? 0 }));
    }
    builder.define(rule, choice(options));
  }
  return { kind: "rule", rule: rules.get(language) ?? 0 };
}

function waysFrom(
  state: Regular,
  maker: RegularMaker,
): readonly { readonly set: CodePoints; readonly to: Regular }[] {
  const sets = new Map<Regular, CodePoints[]>();
  for (const set of maker.firstClasses(state)) {
    const to = maker.derivative(state, set[0] ?? 0);
    if (to === maker.nothing) continue;
    const others = sets.get(to);
    if (others === undefined) sets.set(to, [set]);
    else others.push(set);
  }
  return [...sets].map(([to, parts]) => ({ to, set: maker.union(parts) }));
}

function tooManyStates(where: string): FormError {
  return new FormError(
    where,
    `its patterns and lengths together need more than ${maxStates} states, or all of the form more than 15,000`,
    "loosen one of them",
  );
}
