/** `hearth chat`: a conversation in the terminal. Ctrl-C stops the answer, not the program; twice when idle leaves. */
import { createInterface, type Interface } from "node:readline/promises";
import type { Command } from "commander";
import { type ChatMessage, type Engine, HearthError } from "../index.ts";
import {
  addEngineOptions,
  addLearnOption,
  addSamplingOptions,
  bundledModel,
  closeEngine,
  type EngineFlags,
  generateOptions,
  openEngine,
  type SamplingFlags,
  showNotices,
} from "./model-options.ts";

interface ChatFlags extends EngineFlags, SamplingFlags {
  readonly model: string;
  readonly system?: string;
}

const examples = `
Examples:
  $ hearth chat -m model.gguf
  $ hearth chat -m model.gguf --system "Answer in one sentence." --temp 0.3`;

const help = "/clear forgets the conversation, /exit or Ctrl-D leaves, Ctrl-C stops an answer.";

export function addChatCommand(program: Command): void {
  const command = program
    .command("chat")
    .description("talk with a model")
    .option("-m, --model <file>", "a GGUF model", bundledModel)
    .option("--system <text>", "a system message to begin with")
    .addHelpText("after", `\nIn the chat: ${help}\n${examples}`);
  addSamplingOptions(addLearnOption(addEngineOptions(command))).action(chat);
}

async function chat(flags: ChatFlags): Promise<void> {
  const engine = await openEngine(flags.model, flags);
  try {
    showNotices(engine);
    if (engine.chatAnnouncement) process.stderr.write(`hearth: ${engine.chatAnnouncement}\n`);
    if (process.stdin.isTTY) process.stderr.write(`${help}\n`);
    await converse(engine, flags);
  } finally {
    await closeEngine(engine);
  }
}

async function converse(engine: Engine, flags: ChatFlags): Promise<void> {
  const opening: readonly ChatMessage[] =
    flags.system === undefined ? [] : [{ role: "system", content: flags.system }];
  let messages: readonly ChatMessage[] = opening;
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: "> " });
  const answering: { stop?: () => void } = {};
  lines.on("SIGINT", () => {
    if (answering.stop === undefined) lines.close();
    else answering.stop();
  });
  prompt(lines);
  for await (const line of lines) {
    const said = line.trim();
    if (said === "/exit") break;
    if (said === "/clear") messages = opening;
    else if (said !== "") {
      const asked = [...messages, { role: "user", content: said }];
      const answer = await tryAnswer(engine, asked, { flags, answering });
      if (answer !== undefined) messages = [...asked, { role: "assistant", content: answer }];
    }
    prompt(lines);
  }
}

function prompt(lines: Interface): void {
  if (process.stdin.isTTY) lines.prompt();
}

/** Undefined when this turn failed; the conversation goes on without it. */
async function tryAnswer(
  engine: Engine,
  messages: readonly ChatMessage[],
  use: { readonly flags: ChatFlags; readonly answering: { stop?: () => void } },
): Promise<string | undefined> {
  try {
    const generation = engine.chat(messages, generateOptions(use.flags));
    use.answering.stop = () => generation.abort();
    for await (const { text } of generation) process.stdout.write(text);
    process.stdout.write("\n");
    return (await generation.result).text;
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    process.stderr.write(`hearth: ${error.message}\n`);
    return undefined;
  } finally {
    delete use.answering.stop;
  }
}
