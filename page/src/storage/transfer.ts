/** Conversations as a file: what is exported, and what of a file can be taken. A file may come from anywhere. */
import { isRecord } from "../api/failures.ts";
import type { Attachment, Conversation, Message, ToolCall } from "../chat/conversation.ts";
import { judgeSetting, type Settings, settingsTable } from "../chat/settings.ts";

export interface Exported {
  readonly conversation: Conversation;
  readonly messages: readonly Message[];
}

const format = "hearth-conversations";

export function exportText(all: readonly Exported[]): string {
  const conversations = all.map(({ conversation, messages }) => ({ ...conversation, messages }));
  return `${JSON.stringify({ format, version: 1, conversations }, null, 1)}\n`;
}

/**
 * The conversations of a file with ids that are new, so that nothing of the browser's is overwritten.
 * @returns undefined where it is no such file
 */
export function importText(text: string, newId: () => string): readonly Exported[] | undefined {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(file) || file["format"] !== format) return undefined;
  const list = Array.isArray(file["conversations"]) ? file["conversations"] : [];
  const read = list.map((one: unknown) => (isRecord(one) ? imported(one, newId) : undefined));
  return read.every((one) => one !== undefined) ? read : undefined;
}

function imported(one: Record<string, unknown>, newId: () => string): Exported | undefined {
  const listed: readonly unknown[] = Array.isArray(one["messages"]) ? one["messages"] : [];
  const given = listed.filter(isRecord);
  const ids = new Map(given.map(({ id }) => [String(id), newId()]));
  const conversation: Conversation = {
    id: newId(),
    title: textIn(one, "title"),
    createdAt: numberIn(one, "createdAt"),
    updatedAt: numberIn(one, "updatedAt"),
    ...(typeof one["model"] === "string" && { model: one["model"] }),
    system: textIn(one, "system"),
    settings: settingsIn(one["settings"]),
    shown: shownIn(one["shown"], ids),
  };
  const messages = given.map((message) => messageIn(message, conversation.id, ids));
  return messages.every((message) => message !== undefined)
    ? { conversation, messages }
    : undefined;
}

function messageIn(
  one: Record<string, unknown>,
  conversation: string,
  ids: ReadonlyMap<string, string>,
): Message | undefined {
  const { id, parent, role } = one;
  if (role !== "user" && role !== "assistant" && role !== "tool") return undefined;
  const own = ids.get(String(id));
  const before = parent === null ? null : ids.get(String(parent));
  if (own === undefined || before === undefined || before === own) return undefined;
  return {
    id: own,
    conversation,
    parent: before,
    role,
    createdAt: numberIn(one, "createdAt"),
    text: textIn(one, "text"),
    ...(Array.isArray(one["attachments"]) && { attachments: attachmentsIn(one["attachments"]) }),
    ...(typeof one["reasoning"] === "string" && { reasoning: one["reasoning"] }),
    ...(Array.isArray(one["calls"]) && { calls: callsIn(one["calls"]) }),
    ...(typeof one["callId"] === "string" && { callId: one["callId"] }),
    ...(typeof one["model"] === "string" && { model: one["model"] }),
    // How an answer ended belongs to the day on which it was written; that it is not whole still counts.
    state: isRecord(one["state"]) && one["state"]["kind"] === "whole" ? whole : stopped,
    ...(isRecord(one["numbers"]) && { numbers: numbersIn(one["numbers"]) }),
  };
}

const whole = { kind: "whole" } as const;
const stopped = { kind: "stopped" } as const;

function numbersIn(one: Record<string, unknown>): NonNullable<Message["numbers"]> {
  return {
    prompt: numberIn(one, "prompt"),
    cached: numberIn(one, "cached"),
    completion: numberIn(one, "completion"),
    ...(typeof one["earlier"] === "number" && { earlier: numberIn(one, "earlier") }),
    promptSpeed: numberIn(one, "promptSpeed"),
    speed: numberIn(one, "speed"),
  };
}

function attachmentsIn(list: readonly unknown[]): readonly Attachment[] {
  return list
    .filter(isRecord)
    .map((one) => ({ name: textIn(one, "name"), text: textIn(one, "text") }));
}

function callsIn(list: readonly unknown[]): readonly ToolCall[] {
  return list.filter(isRecord).map((one) => ({
    id: textIn(one, "id"),
    name: textIn(one, "name"),
    arguments: textIn(one, "arguments"),
  }));
}

function settingsIn(value: unknown): Settings {
  const given = isRecord(value) ? value : {};
  const known = settingsTable.flatMap((setting) => {
    const own = given[setting.field];
    const judged = own === undefined ? undefined : judgeSetting(setting, String(own));
    return judged?.kind === "good" ? [[setting.field, judged.value] as const] : [];
  });
  return Object.fromEntries(known);
}

function shownIn(value: unknown, ids: ReadonlyMap<string, string>): Conversation["shown"] {
  const pairs = Object.entries(isRecord(value) ? value : {}).flatMap(([parent, child]) => {
    const before = parent === "" ? "" : ids.get(parent);
    const after = ids.get(String(child));
    return before === undefined || after === undefined ? [] : [[before, after] as const];
  });
  return Object.fromEntries(pairs);
}

function textIn(one: Record<string, unknown>, name: string): string {
  const value = one[name];
  return typeof value === "string" ? value : "";
}

function numberIn(one: Record<string, unknown>, name: string): number {
  const value = one[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
