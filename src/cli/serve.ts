/** `hearth serve`: models over HTTP, until Ctrl-C or SIGTERM. The server's libraries are loaded here and by no other command. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { HearthServer, LogForm, ServerOptions } from "../server/server.ts";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";
import { addServerEngineOptions, type EngineFlags, engineOptions } from "./model-options.ts";
import { collect, realNumber, wholeNumber } from "./option-values.ts";
import { say } from "./output.ts";

type ServeFlags = EngineFlags &
  Omit<ServerOptions, "engine" | "unknownFields" | "log"> & {
    readonly ignoreUnknown?: true;
    readonly log: LogForm;
  };

const examples = `
Examples:
  $ hearth serve -m qwen3:8b                             one model, for whatever name a client gives
  $ hearth serve                                         every model that hearth list shows, by its name
  $ hearth serve --models ~/models --max-models 2        the files of a folder, two of them in memory at most
  $ hearth serve -m model.gguf --host 0.0.0.0 --api-key "$KEY"
  $ curl http://127.0.0.1:8080/v1/chat/completions -d '{"messages":[{"role":"user","content":"Hello"}]}'

OpenAI's clients take http://127.0.0.1:8080/v1 as their base URL. /openapi.json lists all paths, docs/server.md explains them.`;

const serverOptions = (): readonly ApiOption<keyof ServeFlags & keyof ServerOptions>[] => [
  new ApiOption("models", "--models <folder>", "serve its GGUF files by name (default: none)"),
  new ApiOption("name", "--name <name>", "what clients see of -m (default: the file's name)"),
  new ApiOption("host", "--host <address>", "where to listen (default: 127.0.0.1)"),
  new ApiOption("port", "--port <n>", "0 takes a free one (default: 8080)").argParser(wholeNumber),
  new ApiOption(
    "parallel",
    "--parallel <n>",
    "answers of a model that are written at the same time (default: 4)",
  ).argParser(wholeNumber),
  new ApiOption(
    "maxQueue",
    "--max-queue <n>",
    "answers that may wait; further ones are refused with 429 (default: 256)",
  ).argParser(wholeNumber),
  apiKeyOption(),
  new ApiOption("auth", "--no-auth", "let other machines ask without a key"),
  new ApiOption(
    "cors",
    "--cors <origin>",
    'a web page that may ask, "*" for all; repeatable (default: none)',
  ).argParser(collect),
  new ApiOption(
    "allowedHosts",
    "--allow-host <name>",
    "a name that the server is reached by; repeatable (default: localhost and addresses)",
  ).argParser(collect),
  new ApiOption(
    "maxModels",
    "--max-models <n>",
    "models in memory at most, without -m (default: 4)",
  ).argParser(wholeNumber),
  new ApiOption(
    "slotSavePath",
    "--slot-save-path <folder>",
    "where clients with a key may save conversations (default: nowhere)",
  ),
  new ApiOption(
    "keepAlive",
    "--keep-alive <minutes>",
    "unload a model that nobody asks so long, without -m (default: 5)",
  ).argParser(minutes),
];

function apiKeyOption(): ApiOption<"apiKeys"> {
  const text = "who sends it may ask; repeatable (default: none)";
  const option = new ApiOption("apiKeys", "--api-key <key>", text).argParser(collect);
  // Flags are seen by everybody on the machine, the environment is not.
  option.env("HEARTH_API_KEY");
  return option;
}

export function addServeCommand(program: Command): void {
  const command = program
    .command("serve")
    .description("answer over HTTP as OpenAI, Anthropic, llama-server and Ollama do")
    .usage("[options] [model]")
    .option("-m, --model <file>", "serve this model alone (default: every one of hearth list)")
    .option(
      "--ignore-unknown",
      "take fields of a request that hearth does not know, without effect",
    )
    .addOption(
      new Option("--log <form>", "what is logged on stderr")
        .choices(["text", "json", "off"])
        .default("text"),
    );
  addApiOptions(command, serverOptions());
  addServerEngineOptions(command).addHelpText("after", examples).action(serve);
}

async function serve(flags: ServeFlags): Promise<void> {
  const { createServer } = await import("../server/server.ts");
  const { contextLength, ...engine } = engineOptions(flags);
  const server = await createServer({
    ...givenOptions(flags, serverOptions()),
    ...(flags.model !== undefined && { model: flags.model }),
    ...(typeof contextLength === "number" && { contextLength }),
    ...(flags.ignoreUnknown && { unknownFields: "ignore" as const }),
    log: flags.quiet ? "off" : flags.log,
    verbose: flags.verbose ?? false,
    engine,
  });
  endOnSignals(server);
  await server.listen();
  try {
    await server.ready;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The first lets running answers end, the second ends at once. */
function endOnSignals(server: HearthServer): void {
  let isEnding = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    // 128 + the signal's number: what shells expect of a program that it ended.
    if (isEnding) process.exit(signal === "SIGINT" ? 130 : 143);
    isEnding = true;
    say("running answers are ended first; the same signal again ends at once");
    void server.close();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}

/** As milliseconds. */
function minutes(value: string): number {
  const parsed = realNumber(value);
  if (parsed < 0) throw new InvalidArgumentError("expected a number of minutes of at least 0.");
  return parsed * 60_000;
}
