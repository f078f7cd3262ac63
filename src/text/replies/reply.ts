/** What an answer is made of once its marks are read: reasoning, content and calls of tools. */

export interface ToolCall {
  /** The model's own where its form has one, else made for it. */
  readonly id: string;
  readonly name: string;
  /** JSON text of an object, as the model wrote it: numbers keep their digits. */
  readonly arguments: string;
}

/**
 * What became certain while an answer is written. Nothing is taken back: a call is given out when it is whole and
 * parses (docs/decisions/0020-tool-calls.md). The arguments of a call come between its "call" and its "call-end".
 */
export type ReplyEvent =
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "call"; readonly index: number; readonly id: string; readonly name: string }
  | { readonly kind: "arguments"; readonly index: number; readonly text: string }
  | { readonly kind: "call-end"; readonly index: number }
  /** For the user: something that looked like a call and is none. One sentence. */
  | { readonly kind: "notice"; readonly text: string };

export interface Reply {
  /** Without marks, reasoning and calls. */
  readonly content: string;
  /** What the model thought before it answered; "" where it did not. */
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly notices: readonly string[];
}

/** Reads an answer piece by piece, wherever it is cut. */
export interface ReplyParser {
  /** `text`: the next piece, with control tokens written out. */
  push(text: string): readonly ReplyEvent[];
  /** What was held back. */
  end(): readonly ReplyEvent[];
}

/** All events of an answer as one value. */
export function collectReply(events: Iterable<ReplyEvent>): Reply {
  let content = "";
  let reasoning = "";
  const toolCalls: { id: string; name: string; arguments: string }[] = [];
  const notices: string[] = [];
  for (const event of events) {
    switch (event.kind) {
      case "content":
        content += event.text;
        break;
      case "reasoning":
        reasoning += event.text;
        break;
      case "call":
        toolCalls[event.index] = { id: event.id, name: event.name, arguments: "" };
        break;
      case "arguments": {
        const call = toolCalls[event.index];
        if (call !== undefined) call.arguments += event.text;
        break;
      }
      case "notice":
        notices.push(event.text);
        break;
      case "call-end":
        break;
      default:
        event satisfies never;
    }
  }
  return { content, reasoning, toolCalls, notices };
}
