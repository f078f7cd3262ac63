#!/usr/bin/env node
/** `hearth`: takes the command line to one of its commands (commands.ts). */
import "./check-node.ts";
import { Command } from "commander";
import { commands } from "./commands.ts";
import { replaceModelNames } from "./model-names.ts";
import { print } from "./output.ts";
import { reportError, usageLine, watchOutput } from "./report-error.ts";
import { addModelFlag, readableArguments } from "./typed-arguments.ts";
import { versionText } from "./version.ts";

const examples = `
Examples:
  $ hearth run "Once upon a time"     the bundled model
  $ hearth chat -m model.gguf
  $ hearth run --help                 options and examples of a command`;

async function main(): Promise<void> {
  const program = new Command("hearth")
    .description("Run large language models on your own PC.")
    .option("-V, --version", "print the version, and which native addon is in use")
    .on("option:version", printVersion)
    .addHelpText("after", examples)
    .exitOverride();
  for (const addCommand of commands) addCommand(program);
  for (const command of program.commands) addModelFlag(command);
  let active = program;
  program.hook("preAction", async (_, command) => {
    active = command;
    await replaceModelNames(command);
  });
  for (const command of [program, ...program.commands]) {
    command.configureOutput({
      outputError: (text, write) => write(usageLine(text, command.name())),
    });
  }
  try {
    await program.parseAsync(readableArguments(process.argv.slice(2), program), { from: "user" });
  } catch (error) {
    reportError(error, active);
  }
}

function printVersion(): never {
  print(versionText());
  process.exit();
}

watchOutput();
await main();
