/** One answer in a chat: shown as it comes; the functions that it calls are run where the person allows it. */
import {
  type ChatGeneration,
  type ChatMessage,
  type ChatResult,
  replyMessage,
  type Tool,
  type ToolCall,
} from "../index.ts";
import { commandLine, runCommand } from "./run-tool.ts";
import type { DeclaredTool } from "./tool-file.ts";

export interface AnswerParts {
  /** Begins an answer to these messages. */
  readonly begin: (messages: readonly ChatMessage[], tools: readonly Tool[]) => ChatGeneration;
  readonly tools: readonly DeclaredTool[];
  readonly show: (text: string, kind: "content" | "reasoning") => void;
  /** Asks the person; undefined where nobody answers. */
  readonly ask: (question: string) => Promise<string | undefined>;
  readonly remark: (sentence: string) => void;
}

export interface ShownAnswer {
  readonly result: ChatResult;
  /** Calls and their results, between the question and the answer. */
  readonly between: readonly ChatMessage[];
}

/** A model that calls without end is stopped here. */
const maxRounds = 16;

export async function writeAnswer(
  messages: readonly ChatMessage[],
  parts: AnswerParts,
): Promise<ShownAnswer> {
  const between: ChatMessage[] = [];
  const tools = parts.tools.map(({ command: _, ...tool }): Tool => tool);
  for (let round = 1; ; round++) {
    const generation = parts.begin([...messages, ...between], tools);
    for await (const { events } of generation) {
      for (const event of events) {
        if (event.kind === "content" || event.kind === "reasoning") {
          parts.show(event.text, event.kind);
        }
      }
    }
    const result = await generation.result;
    const { toolCalls, notices } = result.reply;
    for (const notice of notices) parts.remark(notice);
    if (toolCalls.length === 0 || result.finishReason === "abort") return { result, between };
    if (round === maxRounds) {
      parts.remark(
        `the model has called functions ${maxRounds} times in a row: the answer ends here`,
      );
      return { result, between };
    }
    parts.show("\n", "content");
    between.push(replyMessage(result.reply));
    for (const call of toolCalls) between.push(await answerCall(call, parts));
  }
}

async function answerCall(
  call: ToolCall,
  { tools, ask }: Pick<AnswerParts, "tools" | "ask">,
): Promise<ChatMessage> {
  const message = { role: "tool", tool_call_id: call.id, name: call.name };
  const tool = tools.find(({ name }) => name === call.name);
  if (tool === undefined) {
    return { ...message, content: `error: there is no function ${call.name}` };
  }
  const line = commandLine(tool, call.arguments);
  const answer = await ask(`${call.name}(${call.arguments}): run ${JSON.stringify(line)}? [y/N] `);
  if (!/^y(es)?$/i.test(answer?.trim() ?? "")) {
    return { ...message, content: "error: the user does not allow this call" };
  }
  return { ...message, content: await runCommand(line, call.arguments) };
}
