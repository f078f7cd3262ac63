/**
 * All that `/v1/chat/completions` takes besides the messages, as a table: the panel is drawn from it, requests are filled
 * from it. test/page/settings.test.ts compares it with the server's fields and the engine's defaults.
 */

type SettingValue = number | boolean | string;
/** By field; what is not there is left to the server. */
export type Settings = Readonly<Record<string, SettingValue>>;

export type SettingGroup = "answer" | "sampling" | "repetition" | "other" | "form";

type SettingKind =
  | { readonly kind: "number"; readonly min?: number; readonly max?: number; readonly step: number }
  | { readonly kind: "whole"; readonly min?: number; readonly max?: number }
  | { readonly kind: "flag" }
  /** The field's values; a number where the field takes one. */
  | { readonly kind: "choice"; readonly values: readonly (string | number)[] }
  | { readonly kind: "word" }
  | { readonly kind: "text" }
  /** One to a line; backslashes as in JSON. */
  | { readonly kind: "lines" }
  | { readonly kind: "json" };

export interface Setting {
  readonly field: string;
  readonly group: SettingGroup;
  readonly form: SettingKind;
  /** The server's default, where it is a number. */
  readonly usual?: number;
}

const number = (min: number, max: number, step: number): SettingKind => ({
  kind: "number",
  min,
  max,
  step,
});
const share = number(0, 1, 0.01);
const whole = (min?: number): SettingKind => ({ kind: "whole", ...(min !== undefined && { min }) });

export const settingsTable: readonly Setting[] = [
  { field: "max_tokens", group: "answer", form: whole(1) },
  { field: "seed", group: "answer", form: whole(-1) },
  { field: "stop", group: "answer", form: { kind: "lines" } },
  { field: "reasoning_effort", group: "answer", form: { kind: "word" } },
  { field: "temperature", group: "sampling", form: number(0, 5, 0.05), usual: 0.8 },
  { field: "top_k", group: "sampling", form: whole(0), usual: 40 },
  { field: "top_p", group: "sampling", form: share, usual: 0.95 },
  { field: "min_p", group: "sampling", form: share, usual: 0.05 },
  { field: "typical_p", group: "sampling", form: share, usual: 1 },
  { field: "top_n_sigma", group: "sampling", form: number(0, 10, 0.1), usual: 0 },
  { field: "dynatemp_range", group: "sampling", form: number(0, 5, 0.05), usual: 0 },
  { field: "dynatemp_exponent", group: "sampling", form: number(0, 10, 0.1), usual: 1 },
  { field: "xtc_probability", group: "sampling", form: share, usual: 0 },
  { field: "xtc_threshold", group: "sampling", form: share, usual: 0.1 },
  { field: "mirostat", group: "sampling", form: { kind: "choice", values: [0, 1, 2] }, usual: 0 },
  { field: "mirostat_tau", group: "sampling", form: number(0, 20, 0.1), usual: 5 },
  { field: "mirostat_eta", group: "sampling", form: share, usual: 0.1 },
  { field: "repeat_penalty", group: "repetition", form: number(0.01, 5, 0.01), usual: 1 },
  { field: "repeat_last_n", group: "repetition", form: whole(-1), usual: 64 },
  { field: "presence_penalty", group: "repetition", form: number(-2, 2, 0.05), usual: 0 },
  { field: "frequency_penalty", group: "repetition", form: number(-2, 2, 0.05), usual: 0 },
  { field: "dry_multiplier", group: "repetition", form: number(0, 5, 0.05), usual: 0 },
  { field: "dry_base", group: "repetition", form: number(0, 5, 0.05), usual: 1.75 },
  { field: "dry_allowed_length", group: "repetition", form: whole(0), usual: 2 },
  { field: "dry_penalty_last_n", group: "repetition", form: whole(-1), usual: 64 },
  { field: "dry_sequence_breakers", group: "repetition", form: { kind: "lines" } },
  { field: "response_format", group: "form", form: { kind: "json" } },
  { field: "grammar", group: "form", form: { kind: "text" } },
  { field: "tools", group: "form", form: { kind: "json" } },
  {
    field: "tool_choice",
    group: "form",
    form: { kind: "choice", values: ["auto", "none", "required"] },
  },
  { field: "parallel_tool_calls", group: "form", form: { kind: "flag" } },
  { field: "logit_bias", group: "other", form: { kind: "json" } },
  { field: "ignore_eos", group: "other", form: { kind: "flag" } },
  { field: "cache_prompt", group: "other", form: { kind: "flag" } },
  { field: "chat_template_kwargs", group: "other", form: { kind: "json" } },
];

export type Judged =
  | { readonly kind: "empty" }
  | { readonly kind: "good"; readonly value: SettingValue }
  | { readonly kind: "bad"; readonly why: "number" | "whole" | "range" | "json" };

/** What was typed into a field, as it is kept. */
export function judgeSetting({ form }: Setting, typed: string): Judged {
  if (typed.trim() === "") return { kind: "empty" };
  if (form.kind === "json") return isJson(typed) ? good(typed) : { kind: "bad", why: "json" };
  if (form.kind === "lines") return isLines(typed) ? good(typed) : { kind: "bad", why: "json" };
  if (form.kind === "flag") return good(typed === "true");
  if (form.kind === "choice")
    return good(form.values.find((one) => String(one) === typed) ?? typed);
  if (form.kind === "text") return good(typed);
  if (form.kind === "word") return good(typed.trim());
  const value = Number(typed.replace(",", "."));
  if (!Number.isFinite(value)) return { kind: "bad", why: form.kind };
  if (form.kind === "whole" && !Number.isSafeInteger(value)) return { kind: "bad", why: "whole" };
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = form;
  return value < min || value > max ? { kind: "bad", why: "range" } : good(value);
}

/** The fields of a request. Texts that hold JSON or lines are read; the panel keeps none that cannot be. */
export function requestFields(settings: Settings): Readonly<Record<string, unknown>> {
  const given = settingsTable.filter(({ field }) => settings[field] !== undefined);
  return Object.fromEntries(
    given.map(({ field, form }) => [field, fieldValue(form, settings[field] ?? "")]),
  );
}

function fieldValue({ kind }: SettingKind, value: SettingValue): unknown {
  if (kind === "json") return JSON.parse(String(value));
  return kind === "lines" ? linesOf(String(value)) : value;
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(`"${line.replaceAll('"', '\\"')}"`));
}

function isLines(text: string): boolean {
  try {
    linesOf(text);
    return true;
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function good(value: SettingValue): Judged {
  return { kind: "good", value };
}
