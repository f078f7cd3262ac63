/** The server's log: a line for people, or pino's JSON. It never holds what clients wrote or models answered. */
import { type Logger, pino } from "pino";
import { visibleText } from "../core/visible-text.ts";
import type { ResolvedServerOptions } from "./options.ts";

/** To stderr. */
export function createLog({
  log: form,
  verbose,
}: Pick<ResolvedServerOptions, "log" | "verbose">): Logger {
  const level = form === "off" ? "silent" : verbose ? "debug" : "info";
  if (form !== "text") return pino({ level }, pino.destination({ fd: 2, sync: true }));
  return pino({ level }, { write: (line: string) => void process.stderr.write(asText(line)) });
}

const levelNames: Readonly<Record<number, string>> = {
  40: "warning: ",
  50: "error: ",
  60: "fatal: ",
};

/** "12:30:05 POST /v1/chat/completions 200, 412 ms" */
function asText(line: string): string {
  const { level, time, msg, err }: LogLine = JSON.parse(line);
  const clock = new Date(time).toTimeString().slice(0, 8);
  const stack = level >= 50 && err?.stack !== undefined ? ` (${err.stack})` : "";
  return `${clock} ${levelNames[level] ?? ""}${visibleText(`${msg}${stack}`, maxLine)}\n`;
}

const maxLine = 2000;

interface LogLine {
  readonly level: number;
  readonly time: number;
  readonly msg: string;
  readonly err?: { readonly stack?: string };
}
