/** A text that is the same for values that are equal: keys of objects in one order. */
import { isRecord } from "../../core/check-options.ts";

export function jsonKey(value: unknown): string {
  return String(
    JSON.stringify(value, (_, inner: unknown) =>
      isRecord(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
        : inner,
    ),
  );
}
