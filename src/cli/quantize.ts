/** `hearth quantize`: write a model again in a smaller type. */
import { type Command, Option } from "commander";
import { visibleText } from "../core/visible-text.ts";
import {
  formatBytes,
  type QuantisedType,
  type QuantizeResult,
  quantisedTypes,
  quantizeModel,
} from "../index.ts";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";
import { threadsOption } from "./model-options.ts";
import { choiceOf } from "./option-values.ts";
import { print, printJson } from "./output.ts";
import { createBar } from "./progress.ts";
import { table } from "./table.ts";
import { addQuietOption, showRemarks, type VoiceFlags } from "./voice.ts";

const examples = `
Examples:
  $ hearth quantize model-f16.gguf model-q8_0.gguf Q8_0
  $ hearth quantize model-f16.gguf model-q4_k_m.gguf q4_k_m
  $ hearth profile model-f16.gguf --corpus books.txt --imatrix model.imatrix.gguf
  $ hearth quantize model-f16.gguf model-iq2_xs.gguf iq2_xs --imatrix model.imatrix.gguf`;

interface QuantizeFlags extends VoiceFlags {
  readonly json?: true;
  readonly pure?: boolean;
  readonly imatrix?: string;
  readonly threads?: number;
}

const quantizeOptions = (): readonly ApiOption<"pure" | "imatrix" | "threads">[] => [
  new ApiOption(
    "imatrix",
    "--imatrix <file>",
    "an importance matrix, of hearth profile --imatrix or of llama-imatrix (default: none)",
  ),
  new ApiOption("pure", "--pure", "all matrices in the same type (default: off)"),
  threadsOption(),
];

export function addQuantizeCommand(program: Command): void {
  const command = program
    .command("quantize")
    .description("write a model again in another weight type")
    .argument("<input>", "a GGUF file")
    .argument("<output>", "the file to write")
    .argument(
      "<type>",
      `weight type to write: ${quantisedTypes.join(", ")}`,
      choiceOf(quantisedTypes),
    )
    .addHelpText("after", examples);
  addApiOptions(command, quantizeOptions()).addOption(
    new Option("--json", "print one JSON object"),
  );
  addQuietOption(command).action(quantize);
}

async function quantize(
  input: string,
  output: string,
  type: QuantisedType,
  flags: QuantizeFlags,
): Promise<void> {
  const bar = createBar("quantizing", "bytes", flags);
  try {
    const result = await quantizeModel({
      input,
      output,
      type,
      ...givenOptions(flags, quantizeOptions()),
      onProgress: ({ bytesDone, bytesTotal }) => bar.update(bytesDone, bytesTotal),
    });
    bar.stop();
    showRemarks(result, flags);
    if (flags.json) {
      printJson(asJson(result));
      return;
    }
    const rows = notedTensors(result);
    if (rows.length > 0) print(table(rows));
    print(
      `${visibleText(output)}: ${formatBytes(result.bytesBefore)} → ${formatBytes(result.bytesAfter)} of tensors`,
    );
  } finally {
    bar.stop();
  }
}

function asJson({ tensors, bytesBefore, bytesAfter }: QuantizeResult): object {
  return { tensors, bytes_before: bytesBefore, bytes_after: bytesAfter };
}

/** What did not get the type asked for, a line for each reason: every norm of every layer says the same. */
function notedTensors({ tensors }: QuantizeResult): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const { name, from, to, reason } of tensors) {
    if (reason === undefined) continue;
    const key = `${from} → ${to}\0${reason}`;
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups].map(([key, [first = "", ...others]]) => {
    const [change = "", reason = ""] = key.split("\0");
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    return [`${first}${more}`, change, reason];
  });
}
