/**
 * The properties of an object as rules: one for each place among those that have names, each count that may be there
 * before it, and each case of the choices that are open there. A choice opens at the first property that it names and
 * closes behind the last one, so that a condition costs rules between its own properties alone.
 */
import { isRecord } from "../../core/check-options.ts";
import { FormError } from "../../core/errors.ts";
import { choice, type Expression, emptyText, nothing, repeat, sequence } from "../expression.ts";
import { type Case, type Choice, isListValue, isTextValue, valuesOf } from "./cases.ts";
import { type SchemaNode, step } from "./document.ts";
import type { Translation } from "./translate.ts";

/** Properties times counts of minProperties or maxProperties. */
const maxCounted = 100_000;
/** Rules of an object whose choices are open at once, and combinations of them at one place: 0.2 s. */
const maxConditioned = 5000;

/** A property that has a name. */
export interface Member {
  readonly name: string;
  /** What must hold for its value in every case. */
  readonly own: readonly SchemaNode[];
  readonly isRequired: boolean;
  /** Its name and its value. `more`: what must hold besides. */
  write(more: readonly SchemaNode[]): Expression;
}

export interface Members {
  readonly named: readonly Member[];
  readonly choices: readonly Choice[];
  readonly others: Expression;
  readonly least: number;
  readonly most: number;
  readonly between: Expression;
}

/** Per choice the case that was taken, or one of these. */
type Picks = readonly number[];
const notYet = -1;
const spent = -2;

/** Between two members. */
interface Place {
  readonly place: number;
  readonly count: number;
  readonly picks: Picks;
}

/** What the cases that are taken say of one property. */
interface Said {
  readonly nodes: readonly SchemaNode[];
  readonly isRequired: boolean;
  /** It cannot be there. */
  readonly isNever: boolean;
}

export class MemberRules {
  readonly #members: Members;
  readonly #use: Translation;
  readonly #where: string;
  /** Per choice the place of the first property that it names; per case of it that of the last one. */
  readonly #firstPlaces: readonly number[];
  readonly #lastPlaces: readonly (readonly number[])[];
  readonly #rules: Map<string, number> = new Map();
  readonly #waiting: { readonly rule: number; readonly at: Place }[] = [];
  readonly #bodies: Map<string, Expression> = new Map();

  constructor(members: Members, use: Translation, where: string) {
    this.#members = members;
    this.#use = use;
    this.#where = where;
    const placeOf = new Map(members.named.map(({ name }, place) => [name, place]));
    const places = members.choices.map((cases) =>
      cases.map((of) => [...namesIn(of)].map((name) => placeOf.get(name) ?? 0)),
    );
    this.#firstPlaces = places.map((cases) => Math.min(...cases.flat()));
    this.#lastPlaces = places.map((cases) => cases.map((each) => Math.max(notYet, ...each)));
  }

  /** @throws FormError for too many counts, and choices that are open at once in too many ways */
  expression(): Expression {
    const { named, choices } = this.#members;
    if (named.length * (this.#highestCount + 1) > maxCounted) {
      throw new FormError(
        this.#where,
        "has too many properties to count them",
        "leave out their count",
      );
    }
    const start = this.#from({ place: 0, count: 0, picks: choices.map(() => notYet) });
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#use.builder.define(next.rule, this.#body(next.at));
    }
    return start;
  }

  #from(at: Place): Expression {
    const key = `${at.place},${at.count},${at.picks.join()}`;
    const known = this.#rules.get(key);
    if (known !== undefined) return { kind: "rule", rule: known };
    if (this.#members.choices.length > 0 && this.#rules.size > maxConditioned) {
      throw this.#tooManyWays();
    }
    const rule = this.#use.builder.declare(this.#where);
    this.#rules.set(key, rule);
    this.#waiting.push({ rule, at });
    return { kind: "rule", rule };
  }

  #body({ place, count, picks }: Place): Expression {
    const { named, most, between } = this.#members;
    const member = named[place];
    if (member === undefined) return this.#others(count);
    const options = new Map<string, Expression>();
    for (const open of this.#opened(picks, place, member)) {
      const { nodes, isRequired, isNever } = this.#said(open, member);
      const then = open.map((pick, i) =>
        pick !== notYet && (this.#lastPlaces[i]?.[pick] ?? spent) <= place ? spent : pick,
      );
      if (count < most && !isNever) {
        const more = Math.min(count + 1, this.#highestCount);
        const following = this.#from({ place: place + 1, count: more, picks: then });
        const body = this.#written(member, place, nodes);
        const parts = [...(count === 0 ? [] : [between]), body, following];
        options.set(`${keyOf(nodes)} ${then.join()}`, sequence(...parts));
      }
      if (!isRequired) {
        options.set(then.join(), this.#from({ place: place + 1, count, picks: then }));
      }
    }
    return choice([...options.values()]);
  }

  /** The ways to take cases of the choices that open here, without those that contradict each other here. */
  #opened(picks: Picks, place: number, member: Member): readonly Picks[] {
    let ways: readonly Picks[] = [picks];
    for (const [i, cases] of this.#members.choices.entries()) {
      if (picks[i] !== notYet || this.#firstPlaces[i] !== place) continue;
      ways = ways
        .flatMap((way) => cases.map((_, pick) => way.with(i, pick)))
        .filter((way) => {
          const { isRequired, isNever } = this.#said(way, member);
          return !(isRequired && isNever);
        });
      if (ways.length > maxConditioned) throw this.#tooManyWays();
    }
    return ways;
  }

  #said(picks: Picks, { name, own, isRequired: isAlways }: Member): Said {
    const taken = this.#members.choices.flatMap((cases, i) => cases[picks[i] ?? spent] ?? []);
    const isRequired = isAlways || requiredIn(taken).has(name);
    const { document } = this.#use;
    const said = taken.flatMap(({ keywords, path }) => {
      const properties = recordOf(keywords["properties"]);
      return Object.hasOwn(properties, name)
        ? [document.node(properties[name], step(step(path, "properties"), name))]
        : [];
    });
    const nodes = [...new Set(said)];
    return {
      nodes,
      isRequired,
      isNever: nodes.length > 0 && this.#use.isEmpty([...own, ...nodes]),
    };
  }

  /** Of what is said alike in several places one expression. */
  #written(member: Member, place: number, nodes: readonly SchemaNode[]): Expression {
    const key = `${place} ${keyOf(nodes)}`;
    const written = this.#bodies.get(key) ?? member.write(nodes);
    this.#bodies.set(key, written);
    return written;
  }

  /** Counts above it are as good as it. */
  get #highestCount(): number {
    const { named, least, most } = this.#members;
    const limit = Number.isFinite(most) ? most : least;
    return Math.max(1, Math.min(limit, named.length + 1));
  }

  #others(count: number): Expression {
    const { others, least, most, between } = this.#members;
    const missing = Math.max(0, least - count);
    if (others === nothing) return missing === 0 ? emptyText : nothing;
    const more = (there: number): Expression =>
      repeat(sequence(between, others), Math.max(0, least - there), Math.max(0, most - there));
    if (count > 0) return more(count);
    const list = most === 0 ? nothing : sequence(others, more(1));
    return missing === 0 ? choice([list, emptyText]) : list;
  }

  #tooManyWays(): FormError {
    return new FormError(
      this.#where,
      "has conditions that depend on each other in too many ways",
      "let properties that depend on each other follow each other, or use fewer conditions",
    );
  }
}

function keyOf(nodes: readonly SchemaNode[]): string {
  return nodes.map(({ id }) => id).join();
}

function namesIn(of: Case): ReadonlySet<string> {
  const properties = of.flatMap(({ keywords }) => Object.keys(recordOf(keywords["properties"])));
  return new Set([...properties, ...requiredIn(of)]);
}

export function requiredIn(of: Case): ReadonlySet<string> {
  return new Set(
    valuesOf(of, "required", isListValue).flatMap(({ value }) => value.filter(isTextValue)),
  );
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}
