/** The digits of numbers of at least 0 between two limits, as rules that compare each digit with those of the limits. */
import { FormError } from "../../core/errors.ts";
import {
  byteRange,
  choice,
  type Expression,
  emptyText,
  type GrammarBuilder,
  optional,
  repeat,
  sequence,
  text,
} from "../expression.ts";
import type { Decimal } from "./decimals.ts";

interface Magnitudes {
  readonly low: Decimal;
  /** Whether `low` itself is left out. Only of 0. */
  readonly isAboveLow: boolean;
  readonly high: Decimal | undefined;
}

interface DigitsUse {
  readonly builder: GrammarBuilder;
  readonly where: string;
  /** The numbers are whole multiples of `multiple` / 10^`decimals`. Without decimals, 1 for all. */
  readonly multiple: number;
  readonly decimals: number;
  readonly isWhole: boolean;
}

/** Digits of a whole number without limits: more would not be finite as a double (1e308). */
export const maxDigits = 300;
/** Zeros behind the point of a number that must be above 0: with more, a double would be 0 (5e-324). */
const maxZeros = 300;
/** Rules of one number: 0.1 s. A multiple of 100 needs 4500. */
const maxRules = 50_000;

/** Where a number stands among its limits, as far as it is read: −1 below, 0 the same so far, 1 above. */
interface Place {
  readonly kind: "whole" | "fraction";
  /** Digits read of this part; not counted on where that says no more. */
  readonly digits: number;
  readonly againstLow: number;
  readonly againstHigh: number;
  readonly remainder: number;
  /** The whole part is "0", which no digit follows. */
  readonly isZero: boolean;
}

/** @throws FormError with `where` for multiples that need too many rules. */
export function magnitudes(limits: Magnitudes, use: DigitsUse): Expression {
  return new DigitRules(limits, use).from({
    kind: "whole",
    digits: 0,
    againstLow: 0,
    againstHigh: limits.high === undefined ? -1 : 0,
    remainder: 0,
    isZero: false,
  });
}

class DigitRules {
  readonly #limits: Magnitudes;
  readonly #use: DigitsUse;
  readonly #rules: Map<string, number> = new Map();
  readonly #waiting: { readonly place: Place; readonly rule: number }[] = [];
  /** From so many digits of a fraction on, all limits have but zeros. */
  readonly #lastFractionDigit: number;

  constructor(limits: Magnitudes, use: DigitsUse) {
    this.#limits = limits;
    this.#use = use;
    this.#lastFractionDigit = Math.max(
      use.decimals,
      limits.low.fraction.length,
      limits.high?.fraction.length ?? 0,
      limits.isAboveLow ? maxZeros : 0,
    );
  }

  from(start: Place): Expression {
    const expression = this.#ruleOf(start);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#use.builder.define(next.rule, this.#body(next.place));
    }
    return expression;
  }

  #ruleOf(place: Place): Expression {
    const { kind, digits, againstLow, againstHigh, remainder, isZero } = place;
    const key = `${kind},${digits},${againstLow},${againstHigh},${remainder},${isZero}`;
    const known = this.#rules.get(key);
    if (known !== undefined) return { kind: "rule", rule: known };
    const { builder, where, multiple } = this.#use;
    if (this.#rules.size >= maxRules) {
      throw new FormError(
        where,
        `multiples of ${multiple}${this.#use.decimals > 0 ? `e-${this.#use.decimals}` : ""} are too many to tell apart`,
        "use a smaller one",
      );
    }
    const rule = builder.declare(where);
    this.#rules.set(key, rule);
    this.#waiting.push({ place, rule });
    return { kind: "rule", rule };
  }

  #body(place: Place): Expression {
    return place.kind === "whole" ? this.#wholeBody(place) : this.#fractionBody(place);
  }

  #wholeBody(place: Place): Expression {
    const { low, high } = this.#limits;
    const { isWhole } = this.#use;
    const isFree = high === undefined && !this.#hasMultiple && place.digits > low.whole.length;
    if (isFree) {
      const rest = repeat(digit, 0, maxDigits - place.digits);
      return isWhole
        ? rest
        : sequence(rest, optional(sequence(text("."), repeat(digit, 1, maxDigits))));
    }
    const options = this.#digits((value) => this.#afterWhole(place, value));
    if (place.digits === 0) return choice(options);
    const whole: Place = {
      ...place,
      kind: "fraction",
      digits: 0,
      againstLow: place.digits < low.whole.length ? -1 : place.againstLow,
      againstHigh: high !== undefined && place.digits < high.whole.length ? -1 : place.againstHigh,
    };
    if (this.#mayEnd(whole)) options.push(emptyText);
    if (!isWhole && whole.againstLow >= 0 && whole.againstHigh <= 0) {
      options.push(sequence(text("."), ...this.#oneDigit(whole)));
    }
    return choice(options);
  }

  #fractionBody(place: Place): Expression {
    const options = this.#digits((value) => this.#afterFraction(place, value));
    if (this.#mayEnd(place)) options.push(emptyText);
    return choice(options);
  }

  /** A fraction has at least one digit. */
  #oneDigit(place: Place): readonly Expression[] {
    return [choice(this.#digits((value) => this.#afterFraction(place, value)))];
  }

  #afterWhole(place: Place, value: number): Place | undefined {
    const { low, high } = this.#limits;
    const digits = place.digits + 1;
    if (place.isZero || digits > maxDigits) return undefined;
    if (high !== undefined && digits > high.whole.length) return undefined;
    const isLonger = digits > low.whole.length;
    return {
      kind: "whole",
      digits,
      againstLow: isLonger ? 1 : compared(place.againstLow, value, low.whole[place.digits]),
      againstHigh: compared(place.againstHigh, value, high?.whole[place.digits]),
      remainder: (place.remainder * 10 + value) % this.#use.multiple,
      isZero: value === 0 && place.digits === 0,
    };
  }

  #afterFraction(place: Place, value: number): Place | undefined {
    const { low, high, isAboveLow } = this.#limits;
    const isBehindLimits = place.digits >= this.#lastFractionDigit;
    const againstLow = compared(place.againstLow, value, low.fraction[place.digits]);
    const againstHigh = compared(place.againstHigh, value, high?.fraction[place.digits]);
    if (againstLow < 0 || againstHigh > 0) return undefined;
    const { multiple, decimals } = this.#use;
    if (decimals > 0 && place.digits >= decimals) return undefined;
    if (isBehindLimits && isAboveLow && againstLow === 0) return undefined;
    const isFree = againstLow > 0 && againstHigh < 0 && decimals === 0;
    const remainder = decimals === 0 ? place.remainder : (place.remainder * 10 + value) % multiple;
    const digits = isFree || isBehindLimits ? this.#lastFractionDigit : place.digits + 1;
    return { kind: "fraction", digits, againstLow, againstHigh, remainder, isZero: false };
  }

  /** One way for the digits that lead to the same place. */
  #digits(after: (value: number) => Place | undefined): Expression[] {
    const groups: { readonly key: string; readonly next: Place; first: number; last: number }[] =
      [];
    for (let value = 0; value <= 9; value++) {
      const next = after(value);
      if (next === undefined) continue;
      const key = JSON.stringify(next);
      const group = groups.find((each) => each.key === key && each.last === value - 1);
      if (group === undefined) groups.push({ key, next, first: value, last: value });
      else group.last = value;
    }
    return groups.map(({ next, first, last }) =>
      sequence(byteRange(0x30 + first, 0x30 + last), this.#ruleOf(next)),
    );
  }

  /** Of a place whose whole part has ended. */
  #mayEnd(place: Place): boolean {
    const { low, high, isAboveLow } = this.#limits;
    const isSameAsLow = place.againstLow === 0 && place.digits >= low.fraction.length;
    const isLowKept = place.againstLow > 0 || (isSameAsLow && !isAboveLow);
    const isHighKept = high === undefined || place.againstHigh <= 0;
    return isLowKept && isHighKept && this.#isMultiple(place);
  }

  /** With zeros for the decimals that are not there. */
  #isMultiple({ digits, remainder }: Place): boolean {
    const { multiple, decimals } = this.#use;
    let rest = remainder;
    for (let digit = digits; digit < decimals; digit++) rest = (rest * 10) % multiple;
    return rest === 0;
  }

  get #hasMultiple(): boolean {
    return this.#use.multiple > 1 || this.#use.decimals > 0;
  }
}

const digit = byteRange(0x30, 0x39);

/** `so far`, or by this digit if the earlier ones are the same. A limit that has no such digit has a 0. */
function compared(soFar: number, value: number, limit: string | undefined): number {
  return soFar !== 0 ? soFar : Math.sign(value - Number(limit ?? 0));
}
