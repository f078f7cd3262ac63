/**
 * The tables of docs/FEATURES.md and README.md that code can state: each stands between `<!-- name -->` and `<!-- /name -->`
 * and is made of the list that the program itself goes by. The text around them is written by hand.
 */
import { Command } from "commander";
import { commands } from "../../src/cli/commands.ts";
import { taskNames } from "../../src/commands/evaluation/tasks/tasks.ts";
import {
  formerTypes,
  isWeightType,
  type TensorType,
  tensorType,
  tensorTypeById,
  weightTypes,
} from "../../src/core/dtype.ts";
import { devices, generateRules } from "../../src/engine/option-rules.ts";
import { quantisedTypes } from "../../src/gguf/quantize-recipe.ts";
import type { Architecture } from "../../src/model/architecture.ts";
import { architectureNames, architectureOf } from "../../src/model/registry.ts";
import type { Activation, Gating } from "../../src/ops/op.ts";
import { samplingRules } from "../../src/runtime/sampling/sampling-options.ts";
import { sparsities } from "../../src/sparsity/method.ts";
import { preTokenizerNames } from "../../src/text/pre-tokenizers.ts";
import { cacheTable } from "./cache-types.ts";
import { platformRow, platformTable } from "./platforms.ts";
import { table } from "./table.ts";

type Sections = Readonly<Record<string, () => string>>;

const ofFeatures: Sections = {
  architectures: architectureTable,
  "weight-types": weightTable,
  "other-weight-types": otherTypes,
  "quantised-types": () => `${quoted(quantisedTypes)}.`,
  "cache-types": cacheTable,
  "pre-tokenizers": preTokenizers,
  sampling: samplingTable,
  devices: () => `${quoted(devices)}.`,
  sparsity: () => `${quoted(sparsities)}.`,
  tasks: () => `${quoted(taskNames)}.`,
  commands: commandTable,
  platforms: platformTable,
};

const ofReadme: Sections = { platforms: platformRow };

/** The text of docs/FEATURES.md with every section made anew. @throws Error for a section whose markers it does not have. */
export function updateFeatures(text: string): string {
  return update("docs/FEATURES.md", text, ofFeatures);
}

/** The same of README.md. */
export function updateReadme(text: string): string {
  return update("README.md", text, ofReadme);
}

function update(page: string, old: string, sections: Sections): string {
  return Object.entries(sections).reduce((text, [name, render]) => {
    const begin = `<!-- ${name} -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf(`<!-- /${name} -->`);
    if (from < 0 || to < from) throw new Error(`${page}: expected the markers ${begin}`);
    return `${text.slice(0, from + begin.length)}\n${render()}\n${text.slice(to)}`;
  }, old);
}

function architectureTable(): string {
  const head = [
    "architecture",
    "norm",
    "positions",
    "feed-forward block",
    "attention and block",
    "",
  ];
  const rows = architectureNames.map((name) => {
    const architecture = architectureOf(name);
    return [
      `\`${name}\``,
      architecture.norm === "rms" ? "RMSNorm" : "LayerNorm",
      positionsOf(architecture),
      blockOf(architecture.gating, architecture.activation),
      architecture.parallelResidual ? "in parallel" : "one after the other",
      "supported",
    ];
  });
  return table(head, rows);
}

function positionsOf({ positions }: Architecture): string {
  if (positions.kind === "learned") return "learnt";
  return positions.pairing === "adjacent" ? "RoPE, adjacent pairs" : "RoPE, halves";
}

const activationNames: Readonly<Record<Activation["kind"], string>> = {
  silu: "SiLU",
  gelu: "GELU",
  "gelu-tanh": "GELU (tanh)",
  relu: "ReLU",
  relu2: "ReLU²",
  fatrelu: "FATReLU",
  "clamped-swish": "clamped swish",
};

const gatingNames: Readonly<Record<Gating, string>> = {
  ungated: "no gate",
  gated: "gated",
  both: "gated, both activated",
  clamped: "gated, clamped",
};

function blockOf(gating: Gating, { kind }: Activation): string {
  return `${activationNames[kind]}, ${gatingNames[gating]}`;
}

function weightTable(): string {
  // A backend whose tables lack one of them does not compile, and the conformance suite runs each on every backend.
  const places = ["supported", "supported", "supported"];
  const rows = weightTypes.map((type) => [type, bitsOf(tensorType(type)), ...places]);
  return table(["type", "bits per weight", "CPU", "GPU", "reference"], rows);
}

function bitsOf({ blockBytes, blockElements }: TensorType): string {
  return `${Number(((8 * blockBytes) / blockElements).toFixed(3))}`;
}

/** Ids of GGUF go up to 42 today; a type above would be listed as soon as the code's table has it. */
const maxTypeId = 255;

function otherTypes(): string {
  const names: string[] = [];
  for (let id = 0; id <= maxTypeId; id++) {
    const type = tensorTypeById(id);
    if (type !== undefined && !isWeightType(type.type)) names.push(type.type);
  }
  const former = [...formerTypes.values()].join(", ");
  return `Not supported, and refused by name: ${names.join(", ")}. Also refused, as ggml itself does: ${former}.`;
}

function preTokenizers(): string {
  const names = preTokenizerNames();
  return `${names.length} pre-tokenizers: ${quoted(names)}.`;
}

function samplingTable(): string {
  const rules = { ...samplingRules, ...generateRules };
  const rows = Object.entries(rules).map(([name, rule]) => [`\`${name}\``, rule.expected]);
  return table(["option", "value"], rows);
}

function commandTable(): string {
  const program = new Command("hearth");
  for (const addCommand of commands) addCommand(program);
  const rows = program.commands.map((command) => [
    `\`hearth ${command.name()}\``,
    command.description(),
  ]);
  return table(["command", ""], rows);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}
