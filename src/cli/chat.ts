/** `hearth chat`: a conversation in the terminal. Ctrl-C stops the answer, not the program; twice when idle leaves. */
import type { Command } from "commander";
import { checkGenerateOptions, type Engine } from "../index.ts";
import { bundledRemark } from "./bundled-model.ts";
import { writeAnswer } from "./chat-answer.ts";
import { ChatInput } from "./chat-input.ts";
import { openSession, saveSession } from "./chat-session.ts";
import { ChatTurns, type WriteAnswer } from "./chat-turns.ts";
import {
  addAnswerOptions,
  addEngineOptions,
  addSamplingOptions,
  closeEngine,
  type EngineFlags,
  generateOptions,
  modelOption,
  openEngine,
  type SamplingFlags,
} from "./model-options.ts";
import { say } from "./output.ts";
import { replyWriter } from "./terminal-text.ts";
import { type DeclaredTool, readToolFile } from "./tool-file.ts";
import { showRemarks } from "./voice.ts";

interface ChatFlags extends EngineFlags, SamplingFlags {
  readonly model: string;
  readonly system?: string;
  readonly session?: string;
  readonly tools?: string;
}

const examples = `
Examples:
  $ hearth chat -m model.gguf
  $ hearth chat -m model.gguf -c 8192                        remembers more; when that is full, the oldest turns are forgotten
  $ hearth chat -m model.gguf --session chat.state             goes on where the last one ended, without reading it again
  $ hearth chat -m model.gguf --system "Answer in one sentence." --temp 0.3`;

const help = `/clear   forgets the conversation
/help    shows this
/exit    leaves, as Ctrl-D does
Ctrl-C   stops an answer
"""      begins a message of several lines, and ends it; pasted text is one message`;
const shortHelp = "/help shows what can be typed, /exit or Ctrl-D leaves, Ctrl-C stops an answer";
/** One word behind a slash is meant as a command, not for the model. */
const commandForm = /^\/\w+$/;

export function addChatCommand(program: Command): void {
  const command = program
    .command("chat")
    .description("talk with a model")
    .usage("[options] [model]")
    .addOption(modelOption())
    .option("--system <text>", "a system message to begin with (default: none)")
    .option(
      "--session <file>",
      "go on with the chat in this file, and save it there at the end (default: none)",
    )
    .option(
      "--tools <file>",
      "functions that the model may call, as JSON; each call is run only after you allow it (default: none)",
    )
    .addHelpText("after", `\nIn the chat:\n${help.replaceAll(/^/gm, "  ")}\n${examples}`);
  addSamplingOptions(addAnswerOptions(addEngineOptions(command))).action(chat);
}

async function chat(flags: ChatFlags): Promise<void> {
  checkGenerateOptions(generateOptions(flags));
  const tools = flags.tools === undefined ? [] : readToolFile(flags.tools);
  const engine = await openEngine(flags.model, flags);
  try {
    const notices = [...engine.notices, ...chatNotices(engine, flags)];
    showRemarks({ notices, details: engine.details }, flags);
    await converse(engine, flags, tools);
  } finally {
    await closeEngine(engine, flags);
  }
}

function chatNotices(engine: Engine, { model }: ChatFlags): readonly string[] {
  const notices = [bundledRemark(model, engine, "chat"), engine.chatAnnouncement];
  return notices.filter((notice) => notice !== undefined);
}

async function converse(
  engine: Engine,
  flags: ChatFlags,
  tools: readonly DeclaredTool[],
): Promise<void> {
  let stop: (() => void) | undefined;
  using input = new ChatInput(() => {
    stop?.();
    return stop !== undefined;
  });
  const remark = (sentence: string): void => showRemarks({ notices: [sentence] }, flags);
  const write: WriteAnswer = async (messages) => {
    try {
      const { result, between } = await writeAnswer(messages, {
        begin: (prompt, declared) => {
          const options = { ...generateOptions(flags), tools: declared };
          const generation = engine.chat(prompt, options);
          stop = () => generation.abort();
          return generation;
        },
        tools,
        show: replyWriter(),
        ask: (question) => {
          // Nothing is being written: Ctrl-C is not for an answer.
          stop = undefined;
          return input.ask(question);
        },
        remark,
      });
      process.stdout.write("\n");
      return { result, text: result.reply.content, between };
    } finally {
      stop = undefined;
    }
  };
  const session = await openSession(engine, flags);
  if (session.remark !== undefined) showRemarks({ notices: [session.remark] }, flags);
  const turns = new ChatTurns({
    engine,
    system: session.system,
    before: session.turns,
    maxTokens: flags.maxTokens,
    remark,
    say,
  });
  if (input.isTerminal && !flags.quiet) input.tell(shortHelp);
  input.prompt();
  for await (const message of input.messages()) {
    if (message === "/exit") break;
    if (message === "/clear") turns.clear();
    else if (message === "/help") input.tell(help);
    else if (commandForm.test(message)) say(`no command ${message}; ${shortHelp}`);
    else if (message !== "") await turns.take(message, write);
    input.prompt();
  }
  if (flags.session !== undefined && turns.turns !== session.turns && turns.turns.length > 0) {
    await saveSession(engine, flags.session, { system: session.system, turns: turns.turns });
  }
}
