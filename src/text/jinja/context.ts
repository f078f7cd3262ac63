/** Where names get their values: the variables of a template, and the frames of its scopes. */
import type { Symbols } from "./symbols.ts";
import type { Value } from "./values.ts";

/** What is given to a template, and what it sets outside of all scopes. */
export class Context {
  readonly #given: ReadonlyMap<string, Value>;
  readonly #set = new Map<string, Value>();

  constructor(given: ReadonlyMap<string, Value>) {
    this.#given = given;
  }

  get(name: string): Value | undefined {
    return this.#set.has(name) ? this.#set.get(name) : this.#given.get(name);
  }

  set(name: string, value: Value): void {
    this.#set.set(name, value);
  }

  /** For a scoped block: with the names of the scopes around it. */
  derive(names: ReadonlyMap<string, Value>): Context {
    return new Context(new Map([...this.#given, ...this.#set, ...names]));
  }
}

/** The names of one scope while it runs. */
export class Frame {
  readonly symbols: Symbols;
  readonly parent: Frame | undefined;
  readonly context: Context;
  /** The name of a template's own scope is a variable of the template too. */
  readonly isTop: boolean;
  readonly #names = new Map<string, Value>();

  constructor(symbols: Symbols, parent: Frame | undefined, context: Context, isTop = false) {
    this.symbols = symbols;
    this.parent = parent;
    this.context = context;
    this.isTop = isTop;
  }

  /** Gives every name of the scope the value that it starts with. */
  enter(): void {
    this.#names.clear();
    for (const [name, load] of this.symbols.loads) {
      if (load.kind === "parameter" || load.kind === "unset") continue;
      const value = load.kind === "context" ? this.context.get(name) : this.parent?.get(name);
      if (value !== undefined) this.#names.set(name, value);
    }
  }

  leave(): void {
    this.#names.clear();
  }

  get(name: string): Value | undefined {
    for (let frame: Frame | undefined = this; frame !== undefined; frame = frame.parent) {
      if (frame.symbols.loads.has(name)) return frame.#names.get(name);
    }
    return undefined;
  }

  /** For a name of this scope. */
  set(name: string, value: Value): void {
    this.#names.set(name, value);
    if (this.isTop) this.context.set(name, value);
  }

  /** Parameters of macros, loops and `with`: never variables of the template. */
  setParameter(name: string, value: Value): void {
    this.#names.set(name, value);
  }

  /** All names that this scope and those around it set. */
  stored(): ReadonlyMap<string, Value> {
    const names = new Map(this.parent?.stored());
    for (const name of this.symbols.stores) {
      const value = this.get(name);
      if (value !== undefined) names.set(name, value);
    }
    return names;
  }
}
