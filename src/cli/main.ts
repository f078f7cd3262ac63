#!/usr/bin/env node
/** `hearth`: one file per command; this one names them and turns errors into one line and an exit code. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { HearthError } from "../index.ts";
import { addBenchCommand } from "./bench.ts";
import { addChatCommand } from "./chat.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addEvalCommand } from "./eval.ts";
import { addInspectCommand } from "./inspect.ts";
import { addPerplexityCommand } from "./perplexity.ts";
import { addPlanCommand } from "./plan.ts";
import { addPrepareCommand } from "./prepare.ts";
import { addProfileCommand } from "./profile.ts";
import { addQuantizeCommand } from "./quantize.ts";
import { addRunCommand } from "./run.ts";
import { addTokenizeCommand } from "./tokenize.ts";
import { addTrainPredictorCommand } from "./train-predictor.ts";

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
];

/** 1: the command failed. 2: it was called wrongly. */
const exitCodes = { failed: 1, usage: 2 };

async function main(): Promise<void> {
  const program = new Command("hearth")
    .description("Run large language models on your own PC.")
    .version(readVersion())
    .showHelpAfterError("(hearth --help lists the commands)")
    .exitOverride();
  for (const addCommand of commands) addCommand(program);
  await program.parseAsync();
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}

function report(error: unknown): never {
  if (error instanceof CommanderError) {
    process.exit(error.exitCode === 0 ? 0 : exitCodes.usage);
  }
  const isExpected = error instanceof HearthError || isSystemError(error);
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`hearth: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`);
  if (!isExpected && error instanceof Error && process.env["HEARTH_DEBUG"]) {
    process.stderr.write(`${error.stack}\n`);
  }
  process.exit(exitCodes.failed);
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "code" in error && "syscall" in error;
}

main().catch(report);
