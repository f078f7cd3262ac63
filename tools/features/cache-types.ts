/** The types of the KV cache by backend: each backend is asked by compiling a program that has nothing but a cache. */
import { checkLimits } from "../../src/backends/cpu/check-limits.ts";
import { recordProgram } from "../../src/backends/webgpu/recording.ts";
import { UnsupportedError } from "../../src/core/errors.ts";
import { cacheTypes } from "../../src/engine/option-rules.ts";
import type { KvType } from "../../src/ops/kv-shape.ts";
import type { Program } from "../../src/ops/program.ts";
import { table } from "./table.ts";

/** Heads of the usual lengths: q8_0 needs a multiple of 32. */
function programWith(type: KvType): Program {
  const layer = { kind: "full", kvHeads: 1, keyWidth: 64, valueWidth: 64 } as const;
  const kv = { layers: [layer], contextLength: 32, sequences: 1, type };
  return { slots: [], kv, segments: [], maxRows: 1, maxOutputs: 1 };
}

const limits = { maxBinding: 1 << 27, maxBuffer: 1 << 28 };

function accepts(check: () => unknown): string {
  try {
    check();
    return "supported";
  } catch (error) {
    if (error instanceof UnsupportedError) return "not supported";
    throw error;
  }
}

export function cacheTable(): string {
  const rows = cacheTypes.map((type) => {
    const program = programWith(type);
    const cpu = accepts(() => checkLimits(program));
    const gpu = accepts(() => recordProgram(program, limits));
    return [`\`${type}\``, cpu, gpu];
  });
  return table(["type", "CPU", "GPU"], rows);
}
