/** The C++ header of src/backends/cpu/program-records.ts: codes as enums, records as structs of doubles. */
import {
  choiceCodes,
  listRecords,
  methodRecords,
  opRecords,
} from "../../src/backends/cpu/program-records.ts";
import { tensorType, weightTypes } from "../../src/core/dtype.ts";

export const headerPath = "native/runtime/program-records.h";

type Records = Readonly<Record<string, readonly string[]>>;

/** The enums of kernels.h that hold the codes of a choice. */
const choiceEnums: Readonly<Record<keyof typeof choiceCodes, string | undefined>> = {
  normForm: undefined,
  ropePairing: "RopePairing",
  gating: "Gating",
  activation: "Activation",
  kvType: "KvType",
  routerScores: undefined,
};

/** Formatted as clang-format leaves it. */
export function programRecordsHeader(): string {
  return `// Made by \`npm run program-records\` of src/backends/cpu/program-records.ts, which says what the fields
// mean: change the table there. A program's numbers are read into these structs, field by field.
#pragma once

#include <cstdint>

#include "../kernels/kernels.h"

namespace hearth {

${enumOf("OpCode", codesOf(opRecords))}
${enumOf("FfnMethod", codesOf(methodRecords))}
${enumOf("NormForm", choiceCodes.normForm)}
${enumOf("RouterScores", choiceCodes.routerScores)}
${structsOf(opRecords, "Record")}
${structsOf(methodRecords, "MethodRecord")}
${structsOf(listRecords, "Record")}
// The codes of choices whose enums belong to the kernels.
${assertions().join("\n")}

}  // namespace hearth
`;
}

function codesOf(records: Records): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.keys(records).map((name, code) => [name, code]));
}

function enumOf(name: string, codes: Readonly<Record<string, number>>): string {
  const lines = Object.entries(codes).map(([choice, code]) => `  ${constant(choice)} = ${code},\n`);
  return `enum class ${name} : uint32_t {\n${lines.join("")}};\n`;
}

/** A record without fields needs no struct. */
function structsOf(records: Records, suffix: string): string {
  return Object.entries(records)
    .filter(([, fields]) => fields.length > 0)
    .map(([name, fields]) => {
      const lines = fields.map((field) => `  double ${snake(field)};\n`);
      return `struct ${pascal(name)}${suffix} {\n${lines.join("")}};\n`;
    })
    .join("\n");
}

function assertions(): readonly string[] {
  const choices = Object.entries(choiceEnums).flatMap(([choice, name]) => {
    if (name === undefined) return [];
    const codes: Readonly<Record<string, number>> = choiceCodes[choice as keyof typeof choiceCodes];
    return Object.entries(codes).map(([kind, code]) => assertion(name, constant(kind), code));
  });
  const types = weightTypes.map((type) => assertion("WeightType", `k${type}`, tensorType(type).id));
  return [...choices, ...types];
}

function assertion(name: string, value: string, code: number): string {
  return `static_assert(static_cast<uint32_t>(${name}::${value}) == ${code});`;
}

function constant(name: string): string {
  return `k${pascal(name)}`;
}

/** "store-kv" → "StoreKv", "fatrelu" → "FatRelu" as kernels.h spells it, "q8_0" → "Q8_0". */
function pascal(name: string): string {
  return name
    .replace(/relu/, "Relu")
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
