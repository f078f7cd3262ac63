/** `hearth tokenize`: text to token ids, with any GGUF that has a vocabulary. */
import type { Command } from "commander";
import { visibleJson } from "../core/visible-text.ts";
import { openTokenizer } from "../index.ts";
import { readStdin } from "./input-text.ts";
import { printJson } from "./output.ts";
import { addQuietOption, showRemarks, type VoiceFlags } from "./voice.ts";

interface TokenizeFlags extends VoiceFlags {
  readonly json?: true;
  readonly bos?: true;
  readonly special?: true;
}

const examples = `
Examples:
  $ hearth tokenize model.gguf "Hello world"
  $ hearth tokenize model.gguf --json --bos < book.txt`;

export function addTokenizeCommand(program: Command): void {
  const command = program
    .command("tokenize")
    .description("show the token ids of a text")
    .argument("<model>", "a GGUF file, with or without weights")
    .argument("[text]", "default: stdin, byte for byte")
    .option("--json", "print an array of ids")
    .option("--bos", "put the begin token first")
    .option("--special", "control tokens written out in the text become those tokens")
    .addHelpText("after", examples);
  addQuietOption(command).action(tokenize);
}

function tokenize(path: string, text: string | undefined, flags: TokenizeFlags): void {
  const tokenizer = openTokenizer(path);
  showRemarks({ notices: tokenizer.notices }, flags);
  const ids = tokenizer.encode(text ?? readStdin(), {
    addBos: flags.bos ? "always" : "never",
    addEos: "never",
    parseSpecial: flags.special ?? false,
  });
  if (flags.json) printJson(ids);
  else {
    const lines = ids.map((id) => `${id}\t${visibleJson(tokenizer.tokenText(id) ?? "")}\n`);
    process.stdout.write(lines.join(""));
  }
}
