/** Times as Ollama writes them: Go's durations, and counts of nanoseconds. */
import { z } from "zod";
import type { Milliseconds } from "../../core/units.ts";

const unitMilliseconds: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g;
const whole = new RegExp(`^[+-]?(?:${part.source})+$`);

/** "1h30m"; undefined for what is no duration of Go's. */
export function parseDuration(text: string): Milliseconds | undefined {
  if (text === "0") return 0;
  if (!whole.test(text)) return undefined;
  const parts = [...text.matchAll(part)];
  const sum = parts.reduce(
    (total, [, count, unit = ""]) => total + Number(count) * (unitMilliseconds[unit] ?? 0),
    0,
  );
  return text.startsWith("-") ? -sum : sum;
}

/** How long a model stays loaded: seconds, or a duration; a negative one is for ever. */
export const keepAliveField: z.ZodType<Milliseconds | undefined, number | string | undefined> = z
  .union([z.number(), z.string()])
  .optional()
  .transform((value, context) => {
    if (value === undefined) return undefined;
    const given = typeof value === "number" ? value * 1000 : parseDuration(value);
    if (given === undefined) {
      context.addIssue(`expected a number of seconds, or a duration as "5m", not "${value}"`);
      return z.NEVER;
    }
    return given < 0 ? Number.POSITIVE_INFINITY : given;
  })
  .describe('Seconds, or a duration as "5m"; 0 unloads, a negative one keeps for ever');

export function nanoseconds(milliseconds: Milliseconds): number {
  return Math.round(milliseconds * 1e6);
}
