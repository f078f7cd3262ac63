/** `hearth doctor`: what this machine offers. */
import type { Command } from "commander";
import { visibleJson } from "../core/visible-text.ts";
import { type Diagnosis, diagnose, formatBytes, measureMachine, OptionError } from "../index.ts";
import { wholeNumber } from "./option-values.ts";
import { print, say } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { table } from "./table.ts";

interface DoctorFlags {
  readonly json?: true;
  readonly measure?: true;
  readonly gpu?: string;
  readonly threads?: number;
  readonly output?: string;
}

const examples = `
Examples:
  $ hearth doctor
  $ hearth doctor --json | jq .adapters
  $ hearth doctor --measure -o my-machine.json      for plan and run --hardware`;

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("show what this machine offers: processor, memory, graphics adapters")
    .option("--json", "print one JSON object")
    .option("--measure", "measure both devices and the link for the planner, and keep the result")
    .option(
      "--gpu <n|name|low-power>",
      "measure this adapter (default: the first hardware adapter)",
    )
    .option(
      "--threads <n>",
      "measure with this many threads (default: physical cores)",
      wholeNumber,
    )
    .option("-o, --output <file>", "write what was measured to this file (default: stdout)")
    .addHelpText("after", examples)
    .action(doctor);
}

async function doctor(flags: DoctorFlags): Promise<void> {
  if (flags.measure) return measure(flags);
  for (const name of ["gpu", "threads", "output"] as const) {
    const value = flags[name];
    if (value === undefined) continue;
    throw new OptionError(`--${name}`, `"${value}"`, "--measure beside it, which it is for");
  }
  const diagnosis = await diagnose();
  const text = flags.json ? visibleJson(asJson(diagnosis)) : asText(diagnosis);
  print(text);
}

async function measure({ gpu, threads, output }: DoctorFlags): Promise<void> {
  checkOutputFile(output, "--output");
  const profile = await measureMachine({
    onNotice: say,
    ...(gpu !== undefined && { gpu }),
    ...(threads !== undefined && { threads }),
  });
  if (output === undefined) process.stdout.write(profile);
  else await writeOutput(output, profile);
}

type Adapter = Diagnosis["adapters"][number];

function asJson(diagnosis: Diagnosis): object {
  const { version, node, system, cpu, addon, adapters, gpuProblem } = diagnosis;
  return {
    version,
    node,
    system,
    cpu: {
      name: cpu.name,
      physical_cores: cpu.physicalCores ?? null,
      performance_cores: cpu.performanceCores ?? null,
      usable_cores: cpu.usableCores,
      memory_bytes: cpu.memoryBytes,
      available_bytes: cpu.availableBytes ?? null,
    },
    addon:
      addon.kind === "missing"
        ? { loaded: false, reason: addon.reason }
        : {
            loaded: true,
            origin: addon.origin,
            instruction_set: addon.instructionSet,
            instruction_sets: addon.instructionSets,
            features: addon.features.split(" "),
            read_bytes_per_second: addon.readBytesPerSecond,
          },
    adapters: adapters.map(adapterJson),
    gpu_problem: gpuProblem ?? null,
  };
}

function adapterJson(adapter: Adapter): object {
  return {
    index: adapter.index,
    name: adapter.name,
    vendor: adapter.vendor,
    backend: adapter.backend,
    kind: adapter.kind,
    driver: adapter.driver ?? null,
    cards_of_this_name: adapter.cards,
    memory_bytes: adapter.memory ?? null,
    free_bytes: adapter.free ?? null,
    found_by: {
      kind: adapter.found.kind,
      memory: adapter.found.memory ?? null,
      free: adapter.found.free ?? null,
    },
    max_buffer_bytes: adapter.maxBufferBytes,
    max_binding_bytes: adapter.maxBindingBytes,
    features: adapter.features,
  };
}

/** Said where a processor has two kinds of cores. */
function ofKinds({
  physicalCores = 0,
  performanceCores = physicalCores,
}: Diagnosis["cpu"]): string {
  if (performanceCores === physicalCores) return "";
  return ` (${performanceCores} fast ones, which threads run on by default, ${physicalCores - performanceCores} of efficiency)`;
}

function asText(diagnosis: Diagnosis): string {
  const { version, node, system, cpu, addon, adapters, gpuProblem } = diagnosis;
  const cores =
    cpu.physicalCores === undefined
      ? `${cpu.usableCores} logical cores`
      : `${cpu.physicalCores} physical cores${ofKinds(cpu)}, ${cpu.usableCores} usable`;
  const available = cpu.availableBytes && `, ${formatBytes(cpu.availableBytes)} available`;
  const rows = [
    ["hearth", `${version}, Node ${node}, ${system}`],
    ["processor", `${cpu.name}, ${cores}`],
    ["memory", `${formatBytes(cpu.memoryBytes)}${available ?? ""}`],
    ...(addon.kind === "missing"
      ? [["native addon", `missing: ${addon.reason}`]]
      : [
          [
            "native addon",
            `${addon.instructionSet} (this processor has ${addon.instructionSets.join(", ")}), ${addon.origin}`,
          ],
          ["memory read", `${(addon.readBytesPerSecond / 1e9).toFixed(1)} GB/s`],
        ]),
    ...adapters.map((adapter) => [`gpu ${adapter.index}`, adapterText(adapter)]),
    ...(gpuProblem === undefined ? [] : [["gpu", `none: ${gpuProblem}`]]),
  ];
  return table(rows);
}

/** The features that hearth's fast paths use. */
const notable = ["shader-f16", "subgroups"];

function adapterText(adapter: Adapter): string {
  const { found, driver, cards } = adapter;
  const features = notable.filter((feature) => adapter.features.includes(feature));
  const parts = [
    `${adapter.name} (${adapter.kind} by ${found.kind}, ${adapter.backend})`,
    ...(driver === undefined ? [] : [`driver ${driver}`]),
    ...(cards === 1 ? [] : [`${cards} cards of this name, which cannot be told apart: not used`]),
    ...memoryText(adapter),
    `buffers up to ${formatBytes(adapter.maxBufferBytes)}, bindings up to ${formatBytes(adapter.maxBindingBytes)}`,
    features.length === 0 ? "no optional features" : features.join(", "),
  ];
  return parts.join("; ");
}

function memoryText({ kind, memory, free, found }: Adapter): readonly string[] {
  if (kind === "software") return ["the memory of the machine"];
  if (memory === undefined) return ["memory unknown (give --vram-budget)"];
  const total = `${formatBytes(memory)} memory by ${found.memory}`;
  return free === undefined ? [total] : [total, `${formatBytes(free)} of it free by ${found.free}`];
}
