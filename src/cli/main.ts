#!/usr/bin/env node
/** `hearth`: takes the command line to one of its commands (commands.ts). */
import "./check-node.ts";
import { Command } from "commander";
import { ownVersion } from "../core/version.ts";
import { commands } from "./commands.ts";
import { replaceModelNames } from "./model-names.ts";
import { reportError, usageLine, watchOutput } from "./report-error.ts";
import { addModelFlag, readableArguments } from "./typed-arguments.ts";

const examples = `
Examples:
  $ hearth run "Once upon a time"     the bundled model
  $ hearth chat -m model.gguf
  $ hearth run --help                 options and examples of a command`;

async function main(): Promise<void> {
  const program = new Command("hearth")
    .description("Run large language models on your own PC.")
    .version(ownVersion())
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

watchOutput();
await main();
