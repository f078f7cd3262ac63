/**
 * Facts about rules that hold for the whole grammar: which match the empty text, which match any text at all, and
 * which begin with themselves. Each is computed in time linear in the grammar, for a rule again only where one that it
 * names has changed.
 */
import type { Expression, Grammar } from "./expression.ts";

/** Per rule 1 or 0. */
export type RuleFlags = Uint8Array;

export function isNullable(expression: Expression, nullable: RuleFlags): boolean {
  switch (expression.kind) {
    case "bytes":
    case "code":
      return false;
    case "text":
      return expression.bytes.length === 0;
    case "rule":
      return nullable[expression.rule] === 1;
    case "sequence":
      for (const part of expression.parts) if (!isNullable(part, nullable)) return false;
      return true;
    case "choice":
      for (const option of expression.options) if (isNullable(option, nullable)) return true;
      return false;
    case "repeat":
      return expression.least === 0 || isNullable(expression.body, nullable);
    default:
      return expression satisfies never;
  }
}

/** Whether some text matches. Loops, as in all of these: closures take three times as long before they are compiled. */
export function isProductive(expression: Expression, productive: RuleFlags): boolean {
  switch (expression.kind) {
    case "bytes":
      return expression.set.some((word) => word !== 0);
    case "code":
      return isProductive(expression.body, productive);
    case "text":
      return true;
    case "rule":
      return productive[expression.rule] === 1;
    case "sequence":
      for (const part of expression.parts) if (!isProductive(part, productive)) return false;
      return true;
    case "choice":
      for (const option of expression.options) if (isProductive(option, productive)) return true;
      return false;
    case "repeat":
      return expression.least === 0 || isProductive(expression.body, productive);
    default:
      return expression satisfies never;
  }
}

/** Of rules: which match a text at all, and which one that is not empty. */
export interface TextFlags {
  readonly productive: RuleFlags;
  readonly withBytes: RuleFlags;
}

/** Whether some text that is not empty matches an expression that is productive. */
export function hasBytes(expression: Expression, flags: TextFlags): boolean {
  switch (expression.kind) {
    case "bytes":
    case "code":
      return true;
    case "text":
      return expression.bytes.length > 0;
    case "rule":
      return flags.withBytes[expression.rule] === 1;
    case "sequence":
      for (const part of expression.parts) if (hasBytes(part, flags)) return true;
      return false;
    case "choice":
      for (const option of expression.options) {
        if (isProductive(option, flags.productive) && hasBytes(option, flags)) return true;
      }
      return false;
    case "repeat": {
      const { body, most } = expression;
      return most > 0 && isProductive(body, flags.productive) && hasBytes(body, flags);
    }
    default:
      return expression satisfies never;
  }
}

/** Per rule those that name it. */
export function ruleUsers(grammar: Grammar): readonly (readonly number[])[] {
  const users: number[][] = grammar.rules.map(() => []);
  for (const [rule, { body }] of grammar.rules.entries()) {
    eachNamedRule(body, (named) => {
      const known = users[named];
      if (known !== undefined && known.at(-1) !== rule) known.push(rule);
    });
  }
  return users;
}

/** Which rules that are productive match a text that is not empty; `users`: those of `ruleUsers`. */
export function rulesWithBytes(
  grammar: Grammar,
  users: readonly (readonly number[])[],
  productive: RuleFlags,
): RuleFlags {
  const flags: TextFlags = { productive, withBytes: new Uint8Array(grammar.rules.length) };
  const holds = (body: Expression): boolean =>
    isProductive(body, productive) && hasBytes(body, flags);
  return leastFlags(grammar, users, holds, flags.withBytes);
}

/** The least set of rules that `holds` is true of; `users`: those of `ruleUsers`. `flags`: none are set. */
export function leastFlags(
  grammar: Grammar,
  users: readonly (readonly number[])[],
  holds: (body: Expression, flags: RuleFlags) => boolean,
  flags: RuleFlags = new Uint8Array(grammar.rules.length),
): RuleFlags {
  const waiting = grammar.rules.map((_, rule) => rule).reverse();
  for (let rule = waiting.pop(); rule !== undefined; rule = waiting.pop()) {
    const body = grammar.rules[rule]?.body;
    if (body === undefined || flags[rule] === 1 || !holds(body, flags)) continue;
    flags[rule] = 1;
    for (const user of users[rule] ?? []) if (flags[user] === 0) waiting.push(user);
  }
  return flags;
}

/** The names of rules that begin with one another in a circle; undefined where none do. */
export function leftRecursion(
  grammar: Grammar,
  nullable: RuleFlags,
): readonly string[] | undefined {
  const state = new Uint8Array(grammar.rules.length);
  const inWork = 1;
  const done = 2;
  for (let start = 0; start < grammar.rules.length; start++) {
    const path: { rule: number; next: number[] }[] = [];
    const enter = (rule: number): void => {
      state[rule] = inWork;
      const first = new Set<number>();
      const body = grammar.rules[rule]?.body;
      if (body !== undefined) addFirstRules(body, nullable, first);
      path.push({ rule, next: [...first] });
    };
    if (state[start] === 0) enter(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.next.pop();
      if (next === undefined) {
        state[top.rule] = done;
        path.pop();
      } else if (state[next] === inWork) {
        const from = path.findIndex(({ rule }) => rule === next);
        return path.slice(from).map(({ rule }) => grammar.rules[rule]?.name ?? "");
      } else if (state[next] === 0) {
        enter(next);
      }
    }
  }
  return undefined;
}

/** Rules that a text of the expression may begin with. */
function addFirstRules(expression: Expression, nullable: RuleFlags, into: Set<number>): void {
  switch (expression.kind) {
    case "bytes":
    case "text":
      return;
    case "code":
    case "repeat":
      addFirstRules(expression.body, nullable, into);
      return;
    case "rule":
      into.add(expression.rule);
      return;
    case "choice":
      for (const option of expression.options) addFirstRules(option, nullable, into);
      return;
    case "sequence":
      for (const part of expression.parts) {
        addFirstRules(part, nullable, into);
        if (!isNullable(part, nullable)) return;
      }
      return;
    default:
      expression satisfies never;
  }
}

function eachNamedRule(expression: Expression, visit: (rule: number) => void): void {
  switch (expression.kind) {
    case "bytes":
    case "text":
      break;
    case "code":
    case "repeat":
      eachNamedRule(expression.body, visit);
      break;
    case "rule":
      visit(expression.rule);
      break;
    case "choice":
      for (const option of expression.options) eachNamedRule(option, visit);
      break;
    case "sequence":
      for (const part of expression.parts) eachNamedRule(part, visit);
      break;
    default:
      expression satisfies never;
  }
}
