#!/usr/bin/env node
/** `hearth`: one file per command; this one names them. */
import "./check-node.ts";
import { Command } from "commander";
import { ownVersion } from "../core/version.ts";
import { addBenchCommand } from "./bench.ts";
import { addBuildCommand } from "./build.ts";
import { addChatCommand } from "./chat.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addEvalCommand } from "./eval.ts";
import { addInspectCommand } from "./inspect.ts";
import { addPerplexityCommand } from "./perplexity.ts";
import { addPlanCommand } from "./plan.ts";
import { addPrepareCommand } from "./prepare.ts";
import { addProfileCommand } from "./profile.ts";
import { addQuantizeCommand } from "./quantize.ts";
import { reportError, usageLine, watchOutput } from "./report-error.ts";
import { addRunCommand } from "./run.ts";
import { addTokenizeCommand } from "./tokenize.ts";
import { addTrainPredictorCommand } from "./train-predictor.ts";
import { addModelFlag, readableArguments } from "./typed-arguments.ts";

const commands = [
  addRunCommand,
  addChatCommand,
  addDoctorCommand,
  addInspectCommand,
  addTokenizeCommand,
  addPerplexityCommand,
  addEvalCommand,
  addBenchCommand,
  addPlanCommand,
  addProfileCommand,
  addTrainPredictorCommand,
  addPrepareCommand,
  addQuantizeCommand,
  addBuildCommand,
];

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
  program.hook("preAction", (_, command) => {
    active = command;
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
