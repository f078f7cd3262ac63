/** `hearth quantize`: write a model again in a smaller type. */
import { type Command, Option } from "commander";
import { formatBytes, type QuantisedType, quantisedTypes, quantizeModel } from "../index.ts";
import { createBar } from "./progress.ts";
import { table } from "./table.ts";

const examples = `
Examples:
  $ hearth quantize model-f16.gguf model-q8_0.gguf Q8_0
  $ hearth quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M`;

export function addQuantizeCommand(program: Command): void {
  const argument = program.createArgument("<type>", "weight type to write");
  program
    .command("quantize")
    .description("write a model again in another weight type")
    .argument("<input>", "a GGUF file")
    .argument("<output>", "the file to write")
    .addArgument(argument.choices([...quantisedTypes]))
    .addOption(new Option("--json", "print one JSON object"))
    .addHelpText("after", examples)
    .action(quantize);
}

async function quantize(
  input: string,
  output: string,
  type: QuantisedType,
  flags: { readonly json?: true },
): Promise<void> {
  const bar = createBar("quantizing", "bytes");
  try {
    const result = await quantizeModel({
      input,
      output,
      type,
      onProgress: ({ bytesDone, bytesTotal }) => bar.update(bytesDone, bytesTotal),
    });
    bar.stop();
    if (flags.json) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
      return;
    }
    const noted = result.tensors.filter((tensor) => tensor.reason !== undefined);
    const rows = noted.map(({ name, from, to, reason }) => [name, `${from} → ${to}`, reason ?? ""]);
    if (rows.length > 0) process.stdout.write(`${table(rows)}\n`);
    process.stdout.write(
      `${output}: ${formatBytes(result.bytesBefore)} → ${formatBytes(result.bytesAfter)} of tensors\n`,
    );
  } finally {
    bar.stop();
  }
}
