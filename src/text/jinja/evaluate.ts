/** The values of expressions. */
import { calculate, negate, plus } from "./arithmetic.ts";
import type { CallArguments, ComparisonOperator, Expression, FilterExpression } from "./ast.ts";
import { contains, equal, hashKey, isLess } from "./compare.ts";
import type { Frame } from "./context.ts";
import { fail, TemplateError } from "./errors.ts";
import { iterate } from "./iterate.ts";
import { toText } from "./represent.ts";
import { slice } from "./slices.ts";
import { isAtMost } from "./tests.ts";
import {
  type Call,
  Dict,
  type HashKey,
  isTrue,
  List,
  numberOf,
  orElse,
  type Run,
  Tuple,
  textOf,
  Undefined,
  type Value,
} from "./values.ts";
import { visitExpressions } from "./walk.ts";

export class Evaluator {
  readonly #run: Run;
  /** A constant is evaluated, which calls nothing. */
  #isFolding = false;

  constructor(run: Run) {
    this.#run = run;
  }

  evaluate(expression: Expression, frame: Frame): Value {
    this.#run.budget.enter();
    const value = this.#evaluate(expression, frame);
    this.#run.budget.leave();
    return value;
  }

  /** Jinja calculates what is constant before the template runs, and by other rules: see #slice. */
  evaluateConstant(expression: Expression, frame: Frame): Value {
    this.#isFolding = true;
    const value = this.evaluate(expression, frame);
    this.#isFolding = false;
    return value;
  }

  isTrue(expression: Expression, frame: Frame): boolean {
    return isTrue(this.evaluate(expression, frame), this.#run);
  }

  /** `input`: what the innermost filter of a block gets. */
  filter({ input, name, args }: FilterExpression, frame: Frame, block: Value): Value {
    const value = this.#filterInput(input, frame, block);
    return this.#run.filter(name, value, this.arguments(args, frame));
  }

  #filterInput(input: Expression | undefined, frame: Frame, block: Value): Value {
    if (input === undefined) return block;
    if (input.kind === "filter") return this.filter(input, frame, block);
    return this.evaluate(input, frame);
  }

  /** In Python's order: a list after * comes before named arguments. */
  arguments(args: CallArguments, frame: Frame): Call {
    const positional = args.positional.map((argument) => this.evaluate(argument, frame));
    if (args.spread !== undefined) {
      for (const item of iterate(this.evaluate(args.spread, frame), this.#run))
        positional.push(item);
    }
    const named = new Map<string, Value>();
    for (const [name, argument] of args.named) named.set(name, this.evaluate(argument, frame));
    if (args.spreadNamed !== undefined) this.#spreadNamed(args.spreadNamed, frame, named);
    return { positional, named };
  }

  #spreadNamed(expression: Expression, frame: Frame, named: Map<string, Value>): void {
    const dict = this.evaluate(expression, frame);
    if (!(dict instanceof Dict)) fail("type", "what stands after ** is no dict");
    for (const [key, value] of dict.entries.values()) {
      const name = textOf(key) ?? fail("type", "the name of an argument is a text");
      if (named.has(name)) fail("type", `there are two values for the argument "${name}"`);
      named.set(name, value);
    }
  }

  #evaluate(expression: Expression, frame: Frame): Value {
    const run = this.#run;
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "name":
        return orElse(frame.get(expression.name), () => {
          return new Undefined(`'${expression.name}' is undefined`);
        });
      case "list":
        return new List(this.#all(expression.items, frame));
      case "tuple":
        return new Tuple(this.#all(expression.items, frame));
      case "dict":
        return this.#dict(expression.pairs, frame);
      case "concat":
        return this.#concat(expression.items, frame);
      case "binary":
        return this.#binary(expression, frame);
      case "and":
      case "or": {
        const left = this.evaluate(expression.left, frame);
        const isDecided = isTrue(left, run) === (expression.kind === "or");
        return isDecided ? left : this.evaluate(expression.right, frame);
      }
      case "not":
        return !this.isTrue(expression.operand, frame);
      case "negative":
        return negate(this.evaluate(expression.operand, frame));
      case "positive":
        return plus(this.evaluate(expression.operand, frame));
      case "compare":
        return this.#compare(expression, frame);
      case "attribute":
        return run.attribute(this.evaluate(expression.object, frame), expression.name);
      case "item": {
        const object = this.evaluate(expression.object, frame);
        return run.item(object, this.evaluate(expression.index, frame));
      }
      case "slice":
        return this.#slice(expression, frame);
      case "call": {
        const callee = this.evaluate(expression.callee, frame);
        return run.call(callee, this.arguments(expression.args, frame));
      }
      case "filter":
        return this.filter(expression, frame, null);
      case "test": {
        const value = this.evaluate(expression.input, frame);
        return run.test(expression.name, value, this.arguments(expression.args, frame));
      }
      case "conditional":
        return this.#conditional(expression, frame);
      default:
        return expression satisfies never;
    }
  }

  #all(expressions: readonly Expression[], frame: Frame): readonly Value[] {
    this.#run.budget.makeItems(expressions.length);
    return expressions.map((expression) => this.evaluate(expression, frame));
  }

  #dict(pairs: readonly (readonly [Expression, Expression])[], frame: Frame): Dict {
    this.#run.budget.makeItems(pairs.length);
    const entries = new Map<HashKey, readonly [Value, Value]>();
    for (const [keyExpression, valueExpression] of pairs) {
      const key = this.evaluate(keyExpression, frame);
      const value = this.evaluate(valueExpression, frame);
      const hash = hashKey(key, this.#run);
      entries.set(hash, [entries.get(hash)?.[0] ?? key, value]);
    }
    return new Dict(entries);
  }

  #concat(items: readonly Expression[], frame: Frame): string {
    const values = items.map((item) => this.evaluate(item, frame));
    let text = "";
    for (const value of values) {
      const next = toText(value, this.#run);
      this.#run.budget.concatenate(text.length + next.length);
      text += next;
    }
    return text;
  }

  #binary(expression: Extract<Expression, { readonly kind: "binary" }>, frame: Frame): Value {
    const left = this.evaluate(expression.left, frame);
    const right = this.evaluate(expression.right, frame);
    if (expression.operator === "**" && isBareNegative(expression, left)) {
      return negate(calculate("**", negate(left), right, this.#run));
    }
    return calculate(expression.operator, left, right, this.#run);
  }

  #compare(expression: Extract<Expression, { readonly kind: "compare" }>, frame: Frame): boolean {
    let left = this.evaluate(expression.first, frame);
    for (const { operator, right: rightExpression } of expression.rest) {
      const right = this.evaluate(rightExpression, frame);
      if (!compare(operator, left, right, this.#run)) return false;
      left = right;
    }
    return true;
  }

  /** What cannot be sliced fails, but in a constant: there it is undefined. */
  #slice(expression: Extract<Expression, { readonly kind: "slice" }>, frame: Frame): Value {
    const object = this.evaluate(expression.object, frame);
    const [start = null, stop = null, step = null] = expression.bounds.map((bound) => {
      return bound === undefined ? null : this.evaluate(bound, frame);
    });
    try {
      return slice(object, { start, stop, step }, this.#run);
    } catch (error) {
      const isType = error instanceof TemplateError && error.kind === "type";
      if (!isType || !this.#isFolding) throw error;
      return new Undefined(error.message);
    }
  }

  #conditional(
    { test, then, otherwise }: Extract<Expression, { readonly kind: "conditional" }>,
    frame: Frame,
  ): Value {
    if (this.isTrue(test, frame)) return this.evaluate(then, frame);
    if (otherwise !== undefined) return this.evaluate(otherwise, frame);
    return new Undefined("an inline if without else is false");
  }
}

function compare(operator: ComparisonOperator, left: Value, right: Value, run: Run): boolean {
  switch (operator) {
    case "==":
      return equal(left, right, run);
    case "!=":
      return !equal(left, right, run);
    case "<":
      return isLess(left, right, run);
    case ">":
      return isLess(right, left, run);
    case "<=":
      return isAtMost(left, right, run);
    case ">=":
      return isAtMost(right, left, run);
    case "in":
      return contains(right, left, run);
    case "not in":
      return !contains(right, left, run);
    default:
      return operator satisfies never;
  }
}

/**
 * Jinja writes a constant into its Python code as it is, without brackets: there, -2 ** x is -(2 ** x). A power of
 * constants only is never written, but calculated as it stands.
 */
function isBareNegative(
  { left, right }: Extract<Expression, { readonly kind: "binary" }>,
  value: Value,
): boolean {
  const number = numberOf(value);
  if (number === undefined || typeof value === "boolean") return false;
  if (number > 0 || (number === 0 && !Object.is(number, -0)) || number === 0n) return false;
  return isConstant(left) && !isConstant(right);
}

function isConstant(expression: Expression): boolean {
  return !hasAny(expression, ({ kind }) => kind === "name" || kind === "call");
}

function hasAny(expression: Expression, test: (expression: Expression) => boolean): boolean {
  let isFound = false;
  visitExpressions(expression, (inner) => {
    isFound ||= test(inner);
  });
  return isFound;
}
