/** How much a command says beside its result: warnings always, how it runs with --verbose, nothing with --quiet. */
import type { Command } from "commander";
import { say } from "./output.ts";

export interface VoiceFlags {
  readonly verbose?: true;
  readonly quiet?: true;
}

/** For commands that open a model and choose how it runs. */
export function addVoiceOptions(command: Command): Command {
  return addQuietOption(
    command.option("-v, --verbose", "say how the model runs and why, and what was made at load"),
  );
}

export function addQuietOption(command: Command): Command {
  return command.option("-q, --quiet", "show the result alone; errors are said all the same");
}

/** On stderr. `notices` are warnings, `details` what only --verbose asks for. */
export function showRemarks(
  remarks: { readonly notices: readonly string[]; readonly details?: readonly string[] },
  { verbose, quiet }: VoiceFlags,
): void {
  if (quiet) return;
  const details = verbose ? (remarks.details ?? []) : [];
  for (const remark of [...details, ...remarks.notices]) say(remark);
}
