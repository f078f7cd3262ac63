/** markupsafe.escape. */
import { toText } from "./represent.ts";
import { Markup, type Run, type Value } from "./values.ts";

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  ">": "&gt;",
  "<": "&lt;",
  "'": "&#39;",
  '"': "&#34;",
};

export function escapeText(text: string, run: Run): string {
  run.budget.make(text.length);
  const escaped = text.replace(/[&><'"]/g, (character) => entities[character] ?? character);
  run.budget.make(escaped.length - text.length);
  return escaped;
}

/** A Markup stays as it is, everything else is escaped as text. */
export function escapeValue(value: Value, run: Run): string {
  return value instanceof Markup ? value.text : escapeText(toText(value, run), run);
}
