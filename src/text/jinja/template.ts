/**
 * Jinja templates of chat models, rendered as Python's jinja2 3.1 does with the settings of transformers
 * (chat_template_utils.py), or refused: never another text. See docs/decisions/0014-jinja.md.
 */
import { attribute, item } from "./attributes.ts";
import { Context } from "./context.ts";
import { fail, TemplateError } from "./errors.ts";
import { Evaluator } from "./evaluate.ts";
import { Executor } from "./execute.ts";
import { filters } from "./filters.ts";
import { globals } from "./globals.ts";
import { type Input, readVariables } from "./input.ts";
import { Budget, maxTemplateLength } from "./limits.ts";
import { parse } from "./parser.ts";
import { failUnknown, prepare } from "./prepare.ts";
import { tests } from "./tests.ts";
import { type Call, defined, Instance, type Run, textOf, typeName, type Value } from "./values.ts";

interface RenderOptions {
  /** For strftime_now. Default: the current time. */
  readonly now?: Date;
}

export interface Template {
  /**
   * Names without a value (undefined) are undefined in the template.
   * @throws TemplateError for what the template refuses, for what Python refuses, and for a limit of limits.ts.
   */
  render(
    variables: { readonly [name: string]: Input | undefined },
    options?: RenderOptions,
  ): string;
}

/** @throws TemplateError of kind "syntax" or "limit" */
export function compileTemplate(source: string): Template {
  if (source.length > maxTemplateLength) {
    fail("limit", `it has ${source.length} characters, more than ${maxTemplateLength}`);
  }
  const prepared = withinStack(() => prepare(parse(source)));
  return {
    render(input, { now = new Date() } = {}) {
      return withinStack(() => {
        const { variables, size } = readVariables(input);
        const run = new Rendering(new Budget(size), now);
        const context = new Context(new Map([...globals, ...variables]));
        const parts: string[] = [];
        const output = {
          write(text: string): void {
            run.budget.write(text.length);
            parts.push(text);
          },
        };
        new Executor(prepared, new Evaluator(run), run).render(context, output);
        return parts.join("");
      });
    },
  };
}

/** Limits keep far from the ends of the stack; this is for a caller that has used most of it already. */
function withinStack<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TemplateError("limit", `it is beyond what JavaScript can hold (${error.message})`);
  }
}

class Rendering implements Run {
  readonly budget: Budget;
  readonly now: Date;

  constructor(budget: Budget, now: Date) {
    this.budget = budget;
    this.now = now;
  }

  attribute(object: Value, name: string): Value {
    return attribute(object, name, this);
  }

  item(object: Value, index: Value): Value {
    return item(object, index, this);
  }

  call(callee: Value, call: Call): Value {
    const value = defined(callee);
    const apply = value instanceof Instance ? value.call : undefined;
    if (apply === undefined) return fail("type", `a ${typeName(value)} cannot be called`);
    this.budget.enterCall();
    const result = apply(call, this);
    this.budget.leaveCall();
    return result;
  }

  filter(name: Value, input: Value, call: Call): Value {
    const text = textOf(name) ?? "";
    const apply = filters.get(text) ?? failUnknown("filter", text);
    return apply(input, call, this);
  }

  test(name: Value, input: Value, call: Call): Value {
    const text = textOf(name) ?? "";
    const apply = tests.get(text) ?? failUnknown("test", text);
    return apply(input, call, this);
  }

  isFilter(name: string): boolean {
    return filters.has(name);
  }

  isTest(name: string): boolean {
    return tests.has(name);
  }
}
