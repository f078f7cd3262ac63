/** The functions that a template finds: those of Jinja, and raise_exception and strftime_now of transformers. */
import { matchArguments } from "./arguments.ts";
import { hashKey } from "./compare.ts";
import { fail } from "./errors.ts";
import { iterate, listItems } from "./iterate.ts";
import { toText } from "./represent.ts";
import { formatTime } from "./strftime.ts";
import {
  type Call,
  Callable,
  Dict,
  defined,
  type HashKey,
  Instance,
  integerOf,
  Namespace,
  Range,
  type Run,
  Tuple,
  textOf,
  typeName,
  type Value,
} from "./values.ts";

const raiseArguments = matchArguments("raise_exception", "message");
const timeArguments = matchArguments("strftime_now", "format");
const joinerArguments = matchArguments("joiner", "sep?");
const noArguments = matchArguments("function", "");

export const globals: ReadonlyMap<string, Value> = new Map<string, Value>([
  ["cycler", classOf("cycler", "jinja2.utils.Cycler", makeCycler)],
  ["dict", classOf("dict", "dict", (call, run) => makeDict(call, run))],
  [
    "joiner",
    classOf("joiner", "jinja2.utils.Joiner", (call, run) => {
      return new Joiner(joinerArguments(call, run).at(0, ", "));
    }),
  ],
  [
    "lipsum",
    new Callable("lipsum", () =>
      fail("unsupported", "lipsum() is not supported: its text is random"),
    ),
  ],
  ["namespace", classOf("namespace", "jinja2.utils.Namespace", makeNamespace)],
  ["range", new Callable("range", makeRange)],
  [
    "raise_exception",
    new Callable("raise_exception", (call, run) => {
      return fail("raised", toText(raiseArguments(call, run).at(0), run));
    }),
  ],
  [
    "strftime_now",
    new Callable("strftime_now", (call, run) => {
      const format = timeArguments(call, run).text(0);
      run.budget.make(format.length * 32);
      return formatTime(run.now, format);
    }),
  ],
]);

function classOf(name: string, qualified: string, make: (call: Call, run: Run) => Value): Callable {
  return new Callable(name, make, { type: "type", text: `<class '${qualified}'>` });
}

/** The sandbox of Jinja allows no longer ones. */
const maxRange = 100_000n;

function makeRange({ positional, named }: Call): Value {
  if (named.size > 0 || positional.length === 0 || positional.length > 3) {
    fail("type", "range() takes one to three integers");
  }
  const [first = 0n, second, step = 1n] = positional.map((value) => {
    return integerOf(defined(value)) ?? fail("type", `range() takes no ${typeName(value)}`);
  });
  const [start, stop] = second === undefined ? [0n, first] : [first, second];
  if (step === 0n) fail("value", "range() cannot have step 0");
  const distance = step > 0n ? stop - start : start - stop;
  const size = step > 0n ? step : -step;
  const length = distance > 0n ? (distance + size - 1n) / size : 0n;
  if (length > maxRange) fail("limit", `range() gives at most ${maxRange} numbers`);
  return new Range(start, stop, step, Number(length));
}

type Entries = Map<HashKey, readonly [Value, Value]>;

function entriesOf({ positional, named }: Call, run: Run): Entries {
  if (positional.length > 1) fail("type", "dict() takes one argument without a name at most");
  const [source] = positional;
  const entries: Entries = new Map(source instanceof Dict ? source.entries : []);
  const pairs = source === undefined || source instanceof Dict ? [] : iterate(source, run);
  for (const pair of pairs) {
    const [key, value, more] = listItems(pair, run);
    if (key === undefined || value === undefined || more !== undefined) {
      return fail("value", "dict() takes pairs");
    }
    entries.set(hashKey(key, run), [key, value]);
  }
  for (const [name, value] of named) entries.set(hashKey(name, run), [name, value]);
  run.budget.makeItems(entries.size);
  return entries;
}

function makeDict(call: Call, run: Run): Dict {
  return new Dict(entriesOf(call, run));
}

function makeNamespace(call: Call, run: Run): Value {
  const attributes = new Map<string, Value>();
  for (const [key, value] of entriesOf(call, run).values()) {
    attributes.set(
      textOf(key) ?? fail("unsupported", "a namespace with a key that is no text"),
      value,
    );
  }
  return new Namespace(attributes);
}

function makeCycler({ positional, named }: Call): Value {
  if (named.size > 0) fail("type", "cycler() takes no named arguments");
  if (positional.length === 0) fail("value", "cycler() wants at least one item");
  return new Cycler(positional);
}

class Cycler extends Instance {
  override readonly type = "Cycler";
  readonly #items: readonly Value[];
  #position = 0;

  constructor(items: readonly Value[]) {
    super();
    this.#items = items;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "items":
        return new Tuple(this.#items);
      case "pos":
        return BigInt(this.#position);
      case "current":
        return this.#current;
      case "next":
        return this.#method(name, () => this.#next());
      case "reset":
        return this.#method(name, () => {
          this.#position = 0;
          return null;
        });
      default:
        return undefined;
    }
  }

  get #current(): Value {
    return this.#items[this.#position] ?? null;
  }

  #next(): Value {
    const current = this.#current;
    this.#position = (this.#position + 1) % this.#items.length;
    return current;
  }

  #method(name: string, apply: () => Value): Callable {
    return new Callable(name, (call, run) => {
      noArguments(call, run);
      return apply();
    });
  }
}

/** Empty when it is called first, then the separator. */
class Joiner extends Instance {
  override readonly type = "Joiner";
  readonly #separator: Value;
  #isUsed = false;

  constructor(separator: Value) {
    super();
    this.#separator = separator;
  }

  override readonly call = (call: Call, run: Run): Value => {
    noArguments(call, run);
    if (this.#isUsed) return this.#separator;
    this.#isUsed = true;
    return "";
  };

  override attribute(name: string): Value | undefined {
    if (name === "sep") return this.#separator;
    return name === "used" ? this.#isUsed : undefined;
  }
}
