/** What a conversation is: a tree of messages, and how the model is asked. Everything here is kept in the browser alone. */
import type { Failure } from "../api/failures.ts";
import type { Settings } from "./settings.ts";

export interface Conversation {
  readonly id: string;
  readonly title: string;
  /** Milliseconds since 1970, as all times. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Undefined: whichever the server has. */
  readonly model?: string;
  readonly system: string;
  readonly settings: Settings;
  /** By the id of a message, or "" for the beginning: which of those that follow it is shown. The newest where it says nothing. */
  readonly shown: Readonly<Record<string, string>>;
}

export interface Message {
  readonly id: string;
  readonly conversation: string;
  /** The message before it; null: it is a first one. */
  readonly parent: string | null;
  readonly role: "user" | "assistant" | "tool";
  readonly createdAt: number;
  readonly text: string;
  readonly attachments?: readonly Attachment[];
  /** What the model thought before it answered. */
  readonly reasoning?: string;
  readonly calls?: readonly ToolCall[];
  /** Of a tool's result: the call that it is the result of. */
  readonly callId?: string;
  readonly model?: string;
  readonly state: MessageState;
  readonly numbers?: AnswerNumbers;
}

export interface Attachment {
  readonly name: string;
  readonly text: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON, as the model wrote it. */
  readonly arguments: string;
}

type MessageState =
  | { readonly kind: "whole" }
  /** `limit`: its own, or the context was full. */
  | { readonly kind: "cut" }
  | { readonly kind: "writing" }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Counts are tokens; speeds tokens per second. While an answer is written they are those of its last piece. */
export interface AnswerNumbers {
  /** Of the last request: where the answer was continued, with what there was of it. */
  readonly prompt: number;
  readonly cached: number;
  /** What the last request has written. */
  readonly completion: number;
  /** What earlier requests have written of this answer. */
  readonly earlier?: number;
  readonly promptSpeed: number;
  readonly speed: number;
}

/** What was written and can be gone on with: calls end an answer. */
export function canContinue({ role, text, reasoning = "", calls = [], state }: Message): boolean {
  const hasBegun = text !== "" || reasoning !== "";
  return role === "assistant" && state.kind !== "whole" && hasBegun && calls.length === 0;
}

/** As it is while it is continued. */
export function continued(message: Message): Message {
  const { numbers } = message;
  if (numbers === undefined) return { ...message, state: { kind: "writing" } };
  const { prompt, completion, earlier = 0 } = numbers;
  return {
    ...message,
    state: { kind: "writing" },
    numbers: {
      ...numbers,
      prompt: prompt + completion,
      completion: 0,
      earlier: earlier + completion,
    },
  };
}

/** Unlike crypto.randomUUID, also on pages that come over plain HTTP from another machine. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const titleLength = 60;

/** The first line of the first message. */
export function titleOf(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length <= titleLength ? line : `${line.slice(0, titleLength - 1).trimEnd()}…`;
}
