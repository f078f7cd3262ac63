/** `hearth chat`: a conversation in the terminal. Ctrl-C stops the answer, not the program; twice when idle leaves. */
import { createInterface, type Interface } from "node:readline/promises";
import type { Command } from "commander";
import {
  type ChatMessage,
  checkGenerateOptions,
  type Engine,
  HearthError,
  LimitError,
} from "../index.ts";
import { bundledRemark } from "./bundled-model.ts";
import {
  addEngineOptions,
  addLearnOption,
  addSamplingOptions,
  closeEngine,
  type EngineFlags,
  generateOptions,
  modelOption,
  openEngine,
  type SamplingFlags,
} from "./model-options.ts";
import { say } from "./output.ts";
import { answerWriter } from "./terminal-text.ts";
import { showRemarks } from "./voice.ts";

interface ChatFlags extends EngineFlags, SamplingFlags {
  readonly model: string;
  readonly system?: string;
}

const examples = `
Examples:
  $ hearth chat -m model.gguf
  $ hearth chat -m model.gguf --context-shift                forgets the oldest turns when the context is full
  $ hearth chat -m model.gguf --system "Answer in one sentence." --temp 0.3`;

const help = "/clear forgets the conversation, /exit or Ctrl-D leaves, Ctrl-C stops an answer.";
/** One word behind a slash is meant as a command, not for the model. */
const commandForm = /^\/\w+$/;
const tooLong = "/clear begins anew, --context-shift forgets the oldest turns";

export function addChatCommand(program: Command): void {
  const command = program
    .command("chat")
    .description("talk with a model")
    .addOption(modelOption())
    .option("--system <text>", "a system message to begin with")
    .addHelpText("after", `\nIn the chat: ${help}\n${examples}`);
  addSamplingOptions(addLearnOption(addEngineOptions(command))).action(chat);
}

async function chat(flags: ChatFlags): Promise<void> {
  checkGenerateOptions(generateOptions(flags));
  const engine = await openEngine(flags.model, flags);
  try {
    const notices = [...engine.notices, ...chatNotices(engine, flags)];
    showRemarks({ notices, details: engine.details }, flags);
    if (process.stdin.isTTY && !flags.quiet) process.stderr.write(`${help}\n`);
    await converse(engine, flags);
  } finally {
    await closeEngine(engine, flags);
  }
}

function chatNotices(engine: Engine, { model }: ChatFlags): readonly string[] {
  const notices = [bundledRemark(model, engine, "chat"), engine.chatAnnouncement];
  return notices.filter((notice) => notice !== undefined);
}

interface Conversation {
  readonly engine: Engine;
  readonly flags: ChatFlags;
  /** What it begins with, never forgotten. */
  readonly opening: readonly ChatMessage[];
  /** Present while an answer is written. */
  stop?: () => void;
}

async function converse(engine: Engine, flags: ChatFlags): Promise<void> {
  const opening: readonly ChatMessage[] =
    flags.system === undefined ? [] : [{ role: "system", content: flags.system }];
  const conversation: Conversation = { engine, flags, opening };
  let messages = opening;
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: "> " });
  stopOnInterrupt(lines, conversation);
  prompt(lines);
  try {
    for await (const line of lines) {
      const said = line.trim();
      if (said === "/exit") break;
      if (said === "/clear") messages = opening;
      else if (commandForm.test(said)) say(`no command ${said}. ${help}`);
      else if (said !== "") messages = await takeTurn(conversation, messages, said);
      prompt(lines);
    }
  } finally {
    // Leaving the loop leaves stdin open, which would keep the process.
    lines.close();
  }
}

/** Ctrl-C: stops an answer; else forgets what was typed; else leaves when it comes twice, since an answer may just have ended. */
function stopOnInterrupt(lines: Interface, conversation: Conversation): void {
  let isAskedToLeave = false;
  lines.on("line", () => {
    isAskedToLeave = false;
  });
  lines.on("SIGINT", () => {
    if (conversation.stop !== undefined) {
      conversation.stop();
    } else if (lines.line !== "") {
      isAskedToLeave = false;
      lines.write(null, { ctrl: true, name: "e" });
      lines.write(null, { ctrl: true, name: "u" });
    } else if (isAskedToLeave) {
      lines.close();
    } else {
      isAskedToLeave = true;
      process.stderr.write("\nCtrl-C again leaves.\n");
      lines.prompt();
    }
  });
}

function prompt(lines: Interface): void {
  if (process.stdin.isTTY) lines.prompt();
}

/** The messages after it; as they were when the turn failed, and the conversation goes on without it. */
async function takeTurn(
  conversation: Conversation,
  before: readonly ChatMessage[],
  said: string,
): Promise<readonly ChatMessage[]> {
  const { opening, flags } = conversation;
  let asked: readonly ChatMessage[] = [...before, { role: "user", content: said }];
  for (;;) {
    try {
      const content = await answer(conversation, asked);
      return [...asked, { role: "assistant", content }];
    } catch (error) {
      if (!(error instanceof HearthError)) throw error;
      const isTooLong = error instanceof LimitError && asked.length > opening.length + 1;
      if (!isTooLong || !flags.contextShift) {
        say(`${error.message}${isTooLong ? `; ${tooLong}` : ""}`);
        return before;
      }
      asked = [...opening, ...asked.slice(opening.length + 2)];
      say("the context is full: the oldest turn is forgotten");
    }
  }
}

async function answer(conversation: Conversation, asked: readonly ChatMessage[]): Promise<string> {
  const generation = conversation.engine.chat(asked, generateOptions(conversation.flags));
  conversation.stop = () => generation.abort();
  try {
    const write = answerWriter();
    for await (const { text } of generation) write(text);
    process.stdout.write("\n");
    return (await generation.result).text;
  } finally {
    delete conversation.stop;
  }
}
