/** The variable `loop`: jinja2's LoopContext. It reads one item ahead where it is asked for the last or the next one. */
import { matchArguments } from "./arguments.ts";
import { equal } from "./compare.ts";
import { fail } from "./errors.ts";
import { iterate } from "./iterate.ts";
import {
  type Call,
  Callable,
  Instance,
  Iteration,
  type Run,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

const recursionArguments = matchArguments("loop", "iterable");

/** Renders the loop once more, over other items, one level deeper. */
export type Recurse = (items: Value, depth: number) => Value;

export class Loop extends Instance {
  override readonly type = "LoopContext";
  readonly #iterable: Value;
  readonly #run: Run;
  readonly #depth: number;
  readonly #recurse: Recurse | undefined;
  #items: Iterator<Value>;
  #index = -1;
  #known: number | undefined;
  #ahead: IteratorResult<Value, unknown> | undefined;
  #current: Value | undefined;
  #previous: Value | undefined;
  #changedValue: Value | undefined;

  /** `depth`: from 0 on. `recurse`: absent where the loop is not marked as recursive. */
  constructor(
    iterable: Value,
    run: Run,
    { depth, recurse }: { readonly depth: number; readonly recurse: Recurse | undefined },
  ) {
    super();
    this.#iterable = iterable;
    this.#run = run;
    this.#depth = depth;
    this.#recurse = recurse;
    this.#items = iterate(iterable, run)[Symbol.iterator]();
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const next = this.#ahead ?? this.#items.next();
    this.#ahead = undefined;
    if (next.done === true) return undefined;
    this.#index++;
    this.#previous = this.#current;
    this.#current = next.value;
    return next.value;
  }

  override readonly call = (call: Call, run: Run): Value => {
    const items = recursionArguments(call, run).at(0);
    if (this.#recurse === undefined)
      fail("type", "a loop that is called must be marked as recursive");
    return this.#recurse(items, this.#depth + 1);
  };

  override readonly describe = (): string => `<LoopContext ${this.#index + 1}/${this.#length()}>`;

  override readonly length = (): number => this.#length();

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "index":
        return BigInt(this.#index + 1);
      case "index0":
        return BigInt(this.#index);
      case "length":
        return BigInt(this.#length());
      case "revindex":
        return BigInt(this.#length() - this.#index);
      case "revindex0":
        return BigInt(this.#length() - this.#index - 1);
      case "depth":
        return BigInt(this.#depth + 1);
      case "depth0":
        return BigInt(this.#depth);
      case "first":
        return this.#index === 0;
      case "last":
        return this.#peek().done === true;
      case "previtem":
        return this.#index === 0 ? missing("previous") : this.#previous;
      case "nextitem": {
        const next = this.#peek();
        return next.done === true ? missing("next") : next.value;
      }
      case "cycle":
        return new Callable(name, (call) => this.#cycle(call));
      case "changed":
        return new Callable(name, (call, run) => this.#changed(call, run));
      default:
        return undefined;
    }
  }

  #peek(): IteratorResult<Value, unknown> {
    this.#ahead ??= this.#items.next();
    return this.#ahead;
  }

  /** Of a generator, all the rest is read to count it. */
  #length(): number {
    if (this.#known !== undefined) return this.#known;
    const length = this.#sizeOfIterable();
    if (length !== undefined) {
      this.#known = length;
      return length;
    }
    const rest: Value[] = [];
    for (let next = this.#items.next(); next.done !== true; next = this.#items.next()) {
      this.#run.budget.makeItems(1);
      rest.push(next.value);
    }
    this.#items = rest[Symbol.iterator]();
    const isAhead = this.#ahead !== undefined && this.#ahead.done !== true;
    this.#known = rest.length + this.#index + 1 + (isAhead ? 1 : 0);
    return this.#known;
  }

  #sizeOfIterable(): number | undefined {
    if (this.#iterable instanceof Iteration) return undefined;
    const count = this.#run.filter("length", this.#iterable, { positional: [], named: new Map() });
    return typeof count === "bigint" ? Number(count) : undefined;
  }

  #cycle({ positional, named }: Call): Value {
    if (named.size > 0) fail("type", "cycle() takes no named arguments");
    if (positional.length === 0) fail("type", "cycle() wants at least one item");
    return positional[this.#index % positional.length] ?? null;
  }

  /** True if the values are others than at the last call. */
  #changed({ positional, named }: Call, run: Run): boolean {
    if (named.size > 0) fail("type", "changed() takes no named arguments");
    const value = new Tuple(positional);
    if (this.#changedValue !== undefined && equal(this.#changedValue, value, run)) return false;
    this.#changedValue = value;
    return true;
  }
}

function missing(which: string): Undefined {
  return new Undefined(`there is no ${which} item`);
}
