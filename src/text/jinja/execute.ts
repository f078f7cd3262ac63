/** Statements: what jinja2/compiler.py makes Python functions of. */
import type { Expression, Statement, Target } from "./ast.ts";
import { type Context, Frame } from "./context.ts";
import { fail } from "./errors.ts";
import type { Evaluator } from "./evaluate.ts";
import { iterate, lazily } from "./iterate.ts";
import { Loop } from "./loop.ts";
import { Macro } from "./macro.ts";
import type { Prepared } from "./prepare.ts";
import { toText } from "./represent.ts";
import type { LoopScopes, MacroScope } from "./scopes.ts";
import {
  Callable,
  Instance,
  Namespace,
  type Run,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Where the text goes: the result, or the text of a macro or a block. */
export interface Output {
  write(text: string): void;
}

type Signal = "break" | "continue" | undefined;

type Of<Kind extends Statement["kind"]> = Extract<Statement, { readonly kind: Kind }>;

export class Executor {
  readonly #prepared: Prepared;
  readonly #evaluator: Evaluator;
  readonly #run: Run;

  constructor(prepared: Prepared, evaluator: Evaluator, run: Run) {
    this.#prepared = prepared;
    this.#evaluator = evaluator;
    this.#run = run;
  }

  render(context: Context, output: Output): void {
    const { body, symbols } = this.#prepared;
    const frame = new Frame(symbols, undefined, context, true);
    frame.enter();
    if (symbols.loads.get("self")?.kind === "parameter") {
      frame.setParameter("self", this.#makeSelf(context));
    }
    this.#executeBody(body, frame, output);
  }

  #executeBody(body: readonly Statement[], frame: Frame, output: Output): Signal {
    this.#run.budget.enter();
    let signal: Signal;
    for (const statement of body) {
      signal = this.#execute(statement, frame, output);
      if (signal !== undefined) break;
    }
    this.#run.budget.leave();
    return signal;
  }

  #execute(statement: Statement, frame: Frame, output: Output): Signal {
    this.#run.budget.step();
    switch (statement.kind) {
      case "text":
        output.write(statement.text);
        return undefined;
      case "output":
        for (const expression of statement.expressions) {
          output.write(toText(this.#evaluateOutput(expression, frame), this.#run));
        }
        return undefined;
      case "if":
        return this.#executeIf(statement, frame, output);
      case "for":
        return this.#executeFor(statement, frame, output);
      case "set":
        this.#checkNamespaces(statement.target, frame);
        this.#assign(statement.target, this.#evaluator.evaluate(statement.value, frame), frame);
        return undefined;
      case "set-block":
        return this.#executeSetBlock(statement, frame);
      case "filter-block":
        return this.#executeFilterBlock(statement, frame, output);
      case "with":
        return this.#executeWith(statement, frame, output);
      case "macro":
        frame.set(statement.name, this.#makeMacro(statement, statement.name, frame));
        return undefined;
      case "call-block":
        this.#executeCallBlock(statement, frame, output);
        return undefined;
      case "generation": {
        const caller = this.#makeMacro(statement, undefined, frame);
        output.write(toText(this.#run.call(caller, noArguments), this.#run));
        return undefined;
      }
      case "block":
        this.#executeBlock(statement, frame, output);
        return undefined;
      case "break":
      case "continue":
        return statement.kind;
      case "load":
        return fail("unsupported", `{% ${statement.tag} %}: there are no other templates to load`);
      default:
        return statement satisfies never;
    }
  }

  #evaluateOutput(expression: Expression, frame: Frame): Value {
    if (!this.#prepared.constantSlices.has(expression)) {
      return this.#evaluator.evaluate(expression, frame);
    }
    return this.#evaluator.evaluateConstant(expression, frame);
  }

  #executeIf(statement: Of<"if">, frame: Frame, output: Output): Signal {
    for (const { test, body } of statement.branches) {
      if (this.#evaluator.isTrue(test, frame)) return this.#executeBody(body, frame, output);
    }
    return this.#executeBody(statement.otherwise, frame, output);
  }

  #executeFor(statement: Of<"for">, frame: Frame, output: Output): Signal {
    const scopes = this.#loopScopes(statement);
    const items = this.#evaluator.evaluate(statement.iterable, frame);
    if (!statement.isRecursive) return this.#loop({ statement, scopes, frame }, items, 0, output);
    const recurse = (inner: Value, depth: number): Value => {
      return this.#capture((text) => this.#loop({ statement, scopes, frame }, inner, depth, text));
    };
    output.write(toText(recurse(items, 0), this.#run));
    return undefined;
  }

  /** An `else` runs too where the last round was left by `break` or `continue`: so does the Python of Jinja. */
  #loop(within: LoopContext, items: Value, depth: number, output: Output): Signal {
    const { statement, scopes, frame } = within;
    const recurse = statement.isRecursive
      ? (inner: Value, innerDepth: number): Value =>
          this.#capture((text) => this.#loop(within, inner, innerDepth, text))
      : undefined;
    const filtered = statement.test === undefined ? items : this.#filterItems(within, items);
    const loop = new Loop(filtered, this.#run, { depth, recurse });
    const inner = new Frame(scopes.body, frame, frame.context);
    let isUntouched = true;
    for (let item = loop.next(); item !== undefined; item = loop.next()) {
      inner.enter();
      this.#bindParameters(statement.target, item, inner);
      if (scopes.hasLoop) inner.setParameter("loop", loop);
      const signal = this.#executeBody(statement.body, inner, output);
      if (signal === "break") break;
      if (signal === undefined) isUntouched = false;
    }
    inner.leave();
    if (!isUntouched || statement.otherwise.length === 0) return undefined;
    const otherwise = new Frame(scopes.otherwise, frame, frame.context);
    otherwise.enter();
    return this.#executeBody(statement.otherwise, otherwise, output);
  }

  /** The items that pass the test after `if`: each is tested when the loop comes to it. */
  #filterItems({ statement, scopes, frame }: LoopContext, items: Value): Value {
    const { target, test } = statement;
    const checked = iterate(items, this.#run);
    const inner = new Frame(scopes.test, frame, frame.context);
    const evaluator = this.#evaluator;
    const bind = (item: Value): Value => this.#bindParameters(target, item, inner);
    return lazily(function* () {
      inner.enter();
      for (const item of checked) {
        const bound = bind(item);
        if (test === undefined || evaluator.isTrue(test, inner)) yield bound;
      }
    });
  }

  #executeSetBlock(statement: Of<"set-block">, frame: Frame): Signal {
    const inner = new Frame(this.#bodySymbols(statement), frame, frame.context);
    inner.enter();
    let signal: Signal;
    const text = this.#capture((output) => {
      signal = this.#executeBody(statement.body, inner, output);
      return signal;
    });
    if (signal !== undefined) return signal;
    const { filter } = statement;
    const value = filter === undefined ? text : this.#evaluator.filter(filter, inner, text);
    this.#assign(statement.target, value, frame);
    inner.leave();
    return undefined;
  }

  #executeFilterBlock(statement: Of<"filter-block">, frame: Frame, output: Output): Signal {
    const inner = new Frame(this.#bodySymbols(statement), frame, frame.context);
    inner.enter();
    let signal: Signal;
    const text = this.#capture((captured) => {
      signal = this.#executeBody(statement.body, inner, captured);
      return signal;
    });
    if (signal !== undefined) return signal;
    writeText(this.#evaluator.filter(statement.filter, inner, text), output);
    inner.leave();
    return undefined;
  }

  #executeWith(statement: Of<"with">, frame: Frame, output: Output): Signal {
    const inner = new Frame(this.#bodySymbols(statement), frame, frame.context);
    inner.enter();
    for (const [target, expression] of statement.pairs) {
      this.#bindParameters(target, this.#evaluator.evaluate(expression, frame), inner);
    }
    const signal = this.#executeBody(statement.body, inner, output);
    inner.leave();
    return signal;
  }

  #makeMacro(
    statement: Of<"macro" | "call-block" | "generation">,
    name: string | undefined,
    frame: Frame,
  ): Macro {
    const scope = this.#macroScope(statement);
    const parameters = statement.parameters.map((parameter) => parameter.name);
    return new Macro({ name, parameters, uses: scope.uses }, (values) => {
      const inner = new Frame(scope.symbols, frame, frame.context);
      inner.enter();
      for (const [parameter, value] of values) inner.setParameter(parameter, value);
      for (const parameter of statement.parameters) {
        if (values.has(parameter.name)) continue;
        const { fallback } = parameter;
        const value =
          fallback === undefined
            ? new Undefined(`parameter '${parameter.name}' was not provided`)
            : this.#evaluator.evaluate(fallback, inner);
        inner.setParameter(parameter.name, value);
      }
      return this.#capture((text) => this.#executeBody(statement.body, inner, text));
    });
  }

  #executeCallBlock(statement: Of<"call-block">, frame: Frame, output: Output): void {
    const caller = this.#makeMacro(statement, undefined, frame);
    const { callee, args } = statement.call;
    const macro = this.#evaluator.evaluate(callee, frame);
    const { positional, named } = this.#evaluator.arguments(args, frame);
    if (named.has("caller")) fail("type", 'a call block has two values for "caller"');
    const call = { positional, named: new Map([...named, ["caller", caller] as const]) };
    writeText(this.#run.call(macro, call), output);
  }

  #executeBlock(statement: Of<"block">, frame: Frame, output: Output): void {
    if (statement.isRequired) fail("value", `the required block ${statement.name} is not filled`);
    const context = statement.isScoped ? frame.context.derive(frame.stored()) : frame.context;
    this.#renderBlock(statement, context, output);
  }

  #renderBlock(statement: Of<"block">, context: Context, output: Output): void {
    const symbols = this.#bodySymbols(statement);
    const frame = new Frame(symbols, undefined, context);
    frame.enter();
    const isUsed = (name: string): boolean => symbols.loads.get(name)?.kind === "parameter";
    if (isUsed("self")) frame.setParameter("self", this.#makeSelf(context));
    if (isUsed("super")) {
      frame.setParameter(
        "super",
        new Undefined(`there is no parent block called ${statement.name}`),
      );
    }
    this.#executeBody(statement.body, frame, output);
  }

  /** The variable `self`: its attributes are the blocks, as functions. */
  #makeSelf(context: Context): Value {
    return new Self((name) => {
      const block = this.#prepared.blocks.get(name);
      if (block === undefined) return undefined;
      return new Callable(name, () => {
        return this.#capture((text) => {
          this.#renderBlock(block, context, text);
          return undefined;
        });
      });
    });
  }

  /** The text that is written meanwhile. */
  #capture(execute: (output: Output) => Signal): string {
    const { budget } = this.#run;
    let text = "";
    execute({
      write: (part) => {
        budget.concatenate(text.length + part.length);
        text += part;
      },
    });
    budget.make(text.length);
    return text;
  }

  /** All namespaces of a target are checked before its value is calculated. */
  #checkNamespaces(target: Target, frame: Frame): void {
    if (target.kind === "tuple") {
      for (const item of target.items) this.#checkNamespaces(item, frame);
    }
    if (target.kind === "namespace") namespaceOf(target.name, frame);
  }

  #assign(target: Target, value: Value, frame: Frame): void {
    if (target.kind === "name") {
      frame.set(target.name, value);
    } else if (target.kind === "namespace") {
      namespaceOf(target.name, frame).attributes.set(target.attribute, value);
    } else {
      for (const [item, part] of this.#unpack(target.items, value)) this.#assign(item, part, frame);
    }
  }

  /** Returns the value, with tuples where the target has them. */
  #bindParameters(target: Target, value: Value, frame: Frame): Value {
    if (target.kind === "name") {
      frame.setParameter(target.name, value);
      return value;
    }
    if (target.kind === "namespace") return fail("syntax", "a loop cannot assign to a namespace");
    const parts = this.#unpack(target.items, value);
    return new Tuple(parts.map(([item, part]) => this.#bindParameters(item, part, frame)));
  }

  #unpack(targets: readonly Target[], value: Value): readonly (readonly [Target, Value])[] {
    const values: Value[] = [];
    for (const item of iterate(value, this.#run)) {
      values.push(item);
      if (values.length > targets.length) break;
    }
    if (values.length !== targets.length) {
      fail("value", `there are not ${targets.length} values to assign`);
    }
    return targets.map((target, index) => [target, values[index] ?? null] as const);
  }

  #loopScopes(statement: Of<"for">): LoopScopes {
    return this.#prepared.loops.get(statement) ?? unprepared();
  }

  #macroScope(statement: Statement): MacroScope {
    return this.#prepared.macros.get(statement) ?? unprepared();
  }

  #bodySymbols(statement: Statement): Frame["symbols"] {
    return this.#prepared.bodies.get(statement) ?? unprepared();
  }
}

interface LoopContext {
  readonly statement: Of<"for">;
  readonly scopes: LoopScopes;
  readonly frame: Frame;
}

/** What a filter block or a call block makes goes out as it is: Python can join texts only. */
function writeText(value: Value, output: Output): void {
  output.write(textOf(value) ?? fail("type", `a block makes a ${typeName(value)}, not a text`));
}

const noArguments = { positional: [], named: new Map<string, Value>() };

function unprepared(): never {
  throw new TypeError("a statement was not prepared");
}

function namespaceOf(name: string, frame: Frame): Namespace {
  const value = frame.get(name);
  return value instanceof Namespace ? value : fail("value", `${name} is no namespace to assign to`);
}

class Self extends Instance {
  override readonly type = "TemplateReference";
  readonly #find: (name: string) => Value | undefined;
  constructor(find: (name: string) => Value | undefined) {
    super();
    this.#find = find;
  }
  override readonly describe = (): string => "<TemplateReference None>";
  override attribute(name: string): Value | undefined {
    return this.#find(name);
  }
}
