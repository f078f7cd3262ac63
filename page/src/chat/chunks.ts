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
  return {
    ...message,
    ...(typeof content === "string" && { text: message.text + content }),
    ...(typeof thought === "string" && { reasoning: (message.reasoning ?? "") + thought }),
    ...(Array.isArray(calls) && { calls: calls.reduce(addCall, message.calls ?? []) }),
    ...(reason === "length" && { state: { kind: "cut" } as const }),
    ...(numbers && { numbers }),
  };
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

function numbersIn(chunk: unknown): AnswerNumbers | undefined {
  const usage = recordIn(chunk, "usage");
  if (usage === undefined) return undefined;
  const timings = recordIn(chunk, "timings") ?? {};
  const count = (value: unknown): number => (typeof value === "number" ? value : 0);
  return {
    prompt: count(usage["prompt_tokens"]),
    cached: count(recordIn(usage, "prompt_tokens_details")?.["cached_tokens"]),
    completion: count(usage["completion_tokens"]),
    promptSpeed: count(timings["prompt_per_second"]),
    speed: count(timings["predicted_per_second"]),
  };
}
