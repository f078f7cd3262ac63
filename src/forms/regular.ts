/**
 * Regular languages over code points, with intersection and complement: patterns, lengths, formats and names that are
 * not to be used, all in one. Equal languages that are written alike are one object. Derivatives: Brzozowski 1964,
 * Owens, Reppy and Turon 2009.
 */
import { type CodePoints, complement, hasCodePoint, intersection, union } from "./code-points.ts";

interface Language {
  readonly id: number;
  readonly isNullable: boolean;
}

export type Regular = Language &
  (
    | { readonly kind: "nothing" }
    | { readonly kind: "empty" }
    | { readonly kind: "class"; readonly set: CodePoints }
    | { readonly kind: "sequence"; readonly first: Regular; readonly rest: Regular }
    | { readonly kind: "choice"; readonly options: readonly Regular[] }
    | { readonly kind: "all"; readonly parts: readonly Regular[] }
    | { readonly kind: "not"; readonly body: Regular }
    | {
        readonly kind: "repeat";
        readonly body: Regular;
        readonly least: number;
        readonly most: number;
      }
  );

type Shape = Regular extends infer Kind
  ? Kind extends Regular
    ? Omit<Kind, keyof Language>
    : never
  : never;

/** Branches of texts in each other: each takes room on the stack. */
const maxBranches = 500;

/** Makes languages; those of two makers must not be mixed. */
export class RegularMaker {
  readonly #known: Map<string, Regular> = new Map();
  readonly nothing: Regular = this.#intern("0", { kind: "nothing" }, false);
  /** States of automata that may still be made. */
  #statesLeft = 15_000;
  readonly #unions: Map<string, CodePoints> = new Map();
  readonly empty: Regular = this.#intern("1", { kind: "empty" }, true);

  /** Counts one more state of an automaton; false where a form has too many. */
  spendState(): boolean {
    return this.#statesLeft-- > 0;
  }

  /** Sets in one: equal ones are one object. */
  union(sets: readonly CodePoints[]): CodePoints {
    const found = union(sets);
    const key = found.join();
    const known = this.#unions.get(key) ?? found;
    this.#unions.set(key, known);
    return known;
  }

  class(set: CodePoints): Regular {
    if (set.length === 0) return this.nothing;
    return this.#intern(`[${set.join()}`, { kind: "class", set }, false);
  }

  /** One of several texts. Those that begin alike share their beginning, so that a step looks at few of them. */
  texts(values: readonly string[]): Regular {
    const words = values.map((value) => Array.from(value, (each) => each.codePointAt(0) ?? 0));
    return this.#among(words, { at: 0, depth: 0 });
  }

  sequence(first: Regular, rest: Regular): Regular {
    if (first === this.nothing || rest === this.nothing) return this.nothing;
    if (first === this.empty) return rest;
    if (rest === this.empty) return first;
    if (first.kind === "sequence") {
      return this.sequence(first.first, this.sequence(first.rest, rest));
    }
    const nullable = first.isNullable && rest.isNullable;
    return this.#intern(`.${first.id},${rest.id}`, { kind: "sequence", first, rest }, nullable);
  }

  choice(options: readonly Regular[]): Regular {
    const found = this.#flat(options, "choice").filter((option) => option !== this.nothing);
    const sets = found.flatMap((option) => (option.kind === "class" ? [option.set] : []));
    const rest: Regular[] = found.filter((option) => option.kind !== "class");
    if (sets.length > 0) rest.push(this.class(union(sets)));
    const list = this.#distinct(rest);
    const [only] = list;
    if (only === undefined) return this.nothing;
    if (list.length === 1) return only;
    const key = `|${list.map(({ id }) => id).join()}`;
    const nullable = list.some((option) => option.isNullable);
    return this.#intern(key, { kind: "choice", options: list }, nullable);
  }

  /** Texts of all parts at once. */
  all(parts: readonly Regular[]): Regular {
    const list = this.#distinct(this.#mergeRepeats(this.#flat(parts, "all")));
    if (list.includes(this.nothing)) return this.nothing;
    const [only] = list;
    if (only === undefined) throw new RangeError("an intersection of nothing");
    if (list.length === 1) return only;
    const key = `&${list.map(({ id }) => id).join()}`;
    const nullable = list.every((part) => part.isNullable);
    return this.#intern(key, { kind: "all", parts: list }, nullable);
  }

  not(body: Regular): Regular {
    if (body.kind === "not") return body.body;
    return this.#intern(`!${body.id}`, { kind: "not", body }, !body.isNullable);
  }

  repeat(body: Regular, least: number, most: number): Regular {
    if (most === 0 || body === this.empty) return this.empty;
    if (body === this.nothing) return least === 0 ? this.empty : this.nothing;
    if (least === 1 && most === 1) return body;
    const nullable = least === 0 || body.isNullable;
    const shape = { kind: "repeat", body, least: body.isNullable ? 0 : least, most } as const;
    return this.#intern(`*${body.id},${shape.least},${most}`, shape, nullable);
  }

  /** Texts that remain after a first character. */
  derivative(of: Regular, point: number): Regular {
    switch (of.kind) {
      case "nothing":
      case "empty":
        return this.nothing;
      case "class":
        return hasCodePoint(of.set, point) ? this.empty : this.nothing;
      case "sequence": {
        const through = this.sequence(this.derivative(of.first, point), of.rest);
        return of.first.isNullable
          ? this.choice([through, this.derivative(of.rest, point)])
          : through;
      }
      case "choice":
        return this.choice(of.options.map((option) => this.derivative(option, point)));
      case "all":
        return this.all(of.parts.map((part) => this.derivative(part, point)));
      case "not":
        return this.not(this.derivative(of.body, point));
      case "repeat": {
        const least = Math.max(0, of.least - 1);
        const rest = this.repeat(of.body, least, of.most - 1);
        return this.sequence(this.derivative(of.body, point), rest);
      }
      default:
        return of satisfies never;
    }
  }

  /** All code points in classes within which the derivative is the same; one of each class is in front. */
  firstClasses(of: Regular): readonly CodePoints[] {
    const sets = new Set<CodePoints>();
    collectFirst(of, sets);
    let classes: readonly CodePoints[] = [[0, 0x10ffff]];
    for (const set of sets) {
      const outside = complement(set);
      classes = classes
        .flatMap((each) => [intersection(each, set), intersection(each, outside)])
        .filter((each) => each.length > 0);
    }
    return classes;
  }

  /** What is left of `words` from place `at` on. */
  #among(
    words: readonly (readonly number[])[],
    { at, depth }: { readonly at: number; readonly depth: number },
  ): Regular {
    const [first] = words;
    if (first === undefined) return this.nothing;
    let branch = at;
    while (branch < first.length && words.every((word) => word[branch] === first[branch])) branch++;
    if (branch === first.length && words.every(({ length }) => length === branch)) {
      return this.#points(first.slice(at), this.empty);
    }
    if (depth === maxBranches) {
      return this.choice(words.map((word) => this.#points(word.slice(at), this.empty)));
    }
    const groups = new Map<number | undefined, (readonly number[])[]>();
    for (const word of words) {
      const group = groups.get(word[branch]);
      if (group === undefined) groups.set(word[branch], [word]);
      else group.push(word);
    }
    const options = [...groups].map(([point, group]) =>
      point === undefined ? this.empty : this.#among(group, { at: branch, depth: depth + 1 }),
    );
    return this.#points(first.slice(at, branch), this.choice(options));
  }

  #points(points: readonly number[], rest: Regular): Regular {
    return points.reduceRight<Regular>(
      (after, point) => this.sequence(this.class([point, point]), after),
      rest,
    );
  }

  #flat(list: readonly Regular[], kind: "choice" | "all"): readonly Regular[] {
    return list.flatMap((each) => {
      if (kind === "choice" && each.kind === "choice") return each.options;
      return kind === "all" && each.kind === "all" ? each.parts : [each];
    });
  }

  #distinct(list: readonly Regular[]): readonly Regular[] {
    return [...new Set(list)].sort((one, other) => one.id - other.id);
  }

  /** Repeats of classes become one: [a-z]+ of at most 100,000 characters needs no 100,000 states. */
  #mergeRepeats(parts: readonly Regular[]): readonly Regular[] {
    const others: Regular[] = [];
    let set: CodePoints | undefined;
    let least = 0;
    let most = Number.POSITIVE_INFINITY;
    for (const part of parts) {
      if (part.kind !== "repeat" || part.body.kind !== "class") {
        others.push(part);
        continue;
      }
      set = set === undefined ? part.body.set : intersection(set, part.body.set);
      least = Math.max(least, part.least);
      most = Math.min(most, part.most);
    }
    if (set === undefined) return others;
    const merged = least > most ? this.nothing : this.repeat(this.class(set), least, most);
    return [...others, merged];
  }

  #intern(key: string, shape: Shape, isNullable: boolean): Regular {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made: Regular = { ...shape, id: this.#known.size, isNullable };
    this.#known.set(key, made);
    return made;
  }
}

/** The classes that decide the derivative by a first character. */
function collectFirst(of: Regular, sets: Set<CodePoints>): void {
  switch (of.kind) {
    case "nothing":
    case "empty":
      return;
    case "class":
      sets.add(of.set);
      return;
    case "sequence":
      collectFirst(of.first, sets);
      if (of.first.isNullable) collectFirst(of.rest, sets);
      return;
    case "choice":
      for (const option of of.options) collectFirst(option, sets);
      return;
    case "all":
      for (const part of of.parts) collectFirst(part, sets);
      return;
    case "not":
    case "repeat":
      collectFirst(of.body, sets);
      return;
    default:
      of satisfies never;
  }
}
