/** Programs as text, one line for each slot and op, for snapshots: everything but the values of weights. */

import type { AddonProgram } from "../../src/backends/addon.ts";
import { listRecords, methodRecords, opRecords } from "../../src/backends/cpu/program-records.ts";
import type { Op } from "../../src/ops/op.ts";
import type { Program } from "../../src/ops/program.ts";

export function programText({ slots, kv, segments, maxRows, maxOutputs }: Program): string {
  const { layers, ...cache } = kv;
  const lines = [
    `program of at most ${maxRows} rows, ${maxOutputs} outputs`,
    `cache ${fieldsText(cache)}`,
    ...layers.map((layer, at) => `cache layer ${at} ${fieldsText(layer)}`),
    ...slots.map(({ id, name, width, rows }) => `slot ${id} "${name}" [${rows}, ${width}]`),
  ];
  for (const { name, ops, outputs, layers = [] } of segments) {
    lines.push(`segment "${name}" puts out ${outputs.map(({ name: slot }) => slot).join(", ")}`);
    for (const [at, op] of ops.entries()) {
      const layer = layers.findIndex(({ first }) => first === at);
      if (layer >= 0) lines.push(`  layer ${layer}`);
      lines.push(`  ${opText(op)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function opText({ kind, ...fields }: Op): string {
  return `${kind} ${fieldsText(fields)}`;
}

function fieldsText(fields: object): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(" ");
}

function valueText(value: unknown): string {
  if (typeof value === "number") return `${Number(value.toPrecision(6))}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}[${value.byteLength} bytes]`;
  if ("columns" in value && "type" in value) {
    const { name, type, rows, columns } = value as Record<string, unknown>;
    return `${name}:${type}[${rows}, ${columns}]`;
  }
  if ("width" in value && "name" in value) return `"${value.name}"`;
  return `{${fieldsText(value)}}`;
}

/** What native code gets, read back by the names of the records. */
export function loweredText(program: AddonProgram): string {
  const lines = [
    ...listText("kv", program.kv),
    ...listText("kvLayer", program.kvLayers),
    ...listText("stateLayer", program.stateLayers).filter((line) => !line.includes(" states=0 ")),
    ...listText("slot", program.slots),
    ...listText("weight", fromFirst(program.weights)),
    ...program.arrays.map((array, at) => `array ${at} ${valueText(array)}`),
  ];
  for (const [at, numbers] of program.segments.entries()) {
    lines.push(`segment ${at}`, ...segmentText([...numbers]));
  }
  return `${lines.join("\n")}\n`;
}

/** Offsets from the source's first weight on: what else a file holds is of no concern. */
function fromFirst(weights: Float64Array): Float64Array {
  const fields: readonly string[] = listRecords.weight;
  const [source, offset] = [fields.indexOf("source"), fields.indexOf("offset")];
  const own = weights.slice();
  const first = new Map<number, number>();
  for (let at = 0; at < own.length; at += fields.length) {
    const begin = own[at + offset] ?? 0;
    const known = first.get(own[at + source] ?? 0) ?? begin;
    first.set(own[at + source] ?? 0, known);
    own[at + offset] = begin - known;
  }
  return own;
}

function listText(name: keyof typeof listRecords, numbers: Float64Array): readonly string[] {
  const fields = listRecords[name];
  const count = numbers.length / fields.length;
  return Array.from({ length: count }, (_, at) => {
    const own = numbers.subarray(at * fields.length, (at + 1) * fields.length);
    return `${name} ${at} ${named(fields, [...own])}`;
  });
}

function segmentText(numbers: number[]): readonly string[] {
  const lines: string[] = [];
  while (numbers.length > 0) {
    const op = take(opRecords, numbers);
    const method = op.name === "ffn" ? ` method ${take(methodRecords, numbers).text}` : "";
    lines.push(`  ${op.text}${method}`);
  }
  return lines;
}

/** The next record, taken off the front. */
function take(
  records: Readonly<Record<string, readonly string[]>>,
  numbers: number[],
): { readonly name: string; readonly text: string } {
  const [code = -1] = numbers.splice(0, 1);
  const entry = Object.entries(records)[code];
  if (entry === undefined) throw new RangeError(`no record has the code ${code}`);
  const [name, fields] = entry;
  return { name, text: `${name} ${named(fields, numbers.splice(0, fields.length))}`.trimEnd() };
}

function named(fields: readonly string[], numbers: readonly number[]): string {
  if (numbers.length !== fields.length) throw new RangeError("a record ends too early");
  return fields.map((field, i) => `${field}=${valueText(numbers[i])}`).join(" ");
}
