/** What one chunk of a stream adds to the message that is being written. */
import { isRecord, recordIn } from "../api/failures.ts";
import type { AnswerNumbers, Message, ToolCall } from "./conversation.ts";

export function addChunk(message: Message, chunk: unknown): Message {
  const choices = isRecord(chunk) && Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
  const [choice]: readonly unknown[] = choices;
  const delta = recordIn(choice, "delta") ?? {};
  const reason = isRecord(choice) ? choice["finish_reason"] : undefined;
  const { content, reasoning_content: thought, tool_calls: calls } = delta;
  const numbers = numbersIn(chunk);
  const earlier = message.numbers?.earlier;
  return {
    ...message,
    ...(typeof content === "string" && { text: message.text + content }),
    ...(typeof thought === "string" && { reasoning: (message.reasoning ?? "") + thought }),
    ...(Array.isArray(calls) && { calls: calls.reduce(addCall, message.calls ?? []) }),
    ...(reason === "length" && { state: { kind: "cut" } as const }),
    ...(numbers && { numbers: { ...numbers, ...(earlier !== undefined && { earlier }) } }),
  };
}

/** Of the prompt, while it is read. */
export function readShareIn(chunk: unknown): number | undefined {
  const { total, processed } = recordIn(chunk, "prompt_progress") ?? {};
  if (typeof total !== "number" || typeof processed !== "number" || total === 0) return undefined;
  return processed / total;
}

function addCall(calls: readonly ToolCall[], fragment: unknown): readonly ToolCall[] {
  if (!isRecord(fragment)) return calls;
  const { index = calls.length, id } = fragment;
  const { name, arguments: given } = recordIn(fragment, "function") ?? {};
  const at = Number(index);
  const known = calls[at] ?? { id: "", name: "", arguments: "" };
  const call = {
    id: typeof id === "string" ? id : known.id,
    name: typeof name === "string" ? name : known.name,
    arguments: typeof given === "string" ? known.arguments + given : known.arguments,
  };
  return at < calls.length ? calls.with(at, call) : [...calls, call];
}

/** Each piece has timings, so that what is stopped has its numbers, too; usage is told at the end. */
function numbersIn(chunk: unknown): AnswerNumbers | undefined {
  const timings = recordIn(chunk, "timings");
  if (timings === undefined) return undefined;
  const usage = recordIn(chunk, "usage") ?? {};
  const count = (value: unknown): number => (typeof value === "number" ? value : 0);
  const cached = count(timings["cache_n"]);
  return {
    prompt: count(usage["prompt_tokens"] ?? cached + count(timings["prompt_n"])),
    cached: count(recordIn(usage, "prompt_tokens_details")?.["cached_tokens"] ?? cached),
    completion: count(usage["completion_tokens"] ?? timings["predicted_n"]),
    promptSpeed: count(timings["prompt_per_second"]),
    speed: count(timings["predicted_per_second"]),
  };
}
