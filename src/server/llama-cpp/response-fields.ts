/** `response_fields`: the parts of an answer that a client wants alone, by their paths, as llama-server has them. */
import { isRecord } from "../../core/check-options.ts";

/** "timings/predicted_n" becomes a field of that name; what is not there is left out. Without paths all stays. */
export function onlyFields(answer: object, paths: readonly string[] = []): object {
  if (paths.length === 0) return answer;
  const found = paths.map((path) => [path, valueAt(answer, path.split("/"))] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

function valueAt(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value;
  if (Array.isArray(value)) return valueAt(value[Number(name)], rest);
  return isRecord(value) && Object.hasOwn(value, name) ? valueAt(value[name], rest) : undefined;
}
