/**
 * A chat that goes on where it was left: its turns, and what the model's layers remember of them, in one file
 * (`hearth chat --session`). docs/formats/state.md.
 */
import { existsSync } from "node:fs";
import { counted } from "../core/counted.ts";
import { OptionError } from "../core/errors.ts";
import type { Engine } from "../index.ts";
import type { Turn } from "./chat-turns.ts";
import { checkOutputFile } from "./output-file.ts";

export interface ChatSession {
  readonly system: string | undefined;
  readonly turns: readonly Turn[];
  /** What was found in the file; undefined for a new one. */
  readonly remark?: string;
}

const option = "--session";

/** @throws OptionError for a file that cannot be written, or that no chat has saved; what Engine.loadState throws. */
export async function openSession(
  engine: Engine,
  { session: path, system }: { readonly session?: string; readonly system?: string },
): Promise<ChatSession> {
  checkOutputFile(path, option);
  if (path === undefined || !existsSync(path)) return { system, turns: [] };
  const { tokens, note } = await engine.loadState(path);
  const saved = readNote(path, note);
  const turns = counted(saved.turns.length, "turn");
  const remark = `${path}: the chat goes on after ${turns}; ${counted(tokens, "token")} are not read again`;
  return { system: system ?? saved.system, turns: saved.turns, remark };
}

/** Nothing is written where nothing was answered. */
export async function saveSession(
  engine: Engine,
  path: string,
  { system, turns }: Pick<ChatSession, "system" | "turns">,
): Promise<void> {
  await engine.saveState(path, { note: JSON.stringify({ system, turns }) });
}

function readNote(path: string, note: string): Pick<ChatSession, "system" | "turns"> {
  let value: unknown;
  try {
    value = JSON.parse(note);
  } catch {
    throw notOfChat(path);
  }
  if (!isRecord(value) || !Array.isArray(value["turns"])) throw notOfChat(path);
  const turns = value["turns"].map((turn: unknown): Turn => {
    if (!isRecord(turn)) throw notOfChat(path);
    const { question, answer, between } = turn;
    if (typeof question !== "string" || typeof answer !== "string") throw notOfChat(path);
    if (between === undefined) return { question, answer };
    if (!Array.isArray(between)) throw notOfChat(path);
    return { question, answer, between };
  });
  const { system } = value;
  return { system: typeof system === "string" ? system : undefined, turns };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function notOfChat(path: string): OptionError {
  return new OptionError(option, `"${path}"`, "a file that hearth chat saved, or a new one");
}
