/** What was proved of weight types, as rows for the terminal and as docs/measurements/formats.md. */
import type { WeightType } from "../../src/core/dtype.ts";

export interface ProvedFormat {
  readonly type: WeightType;
  /** Perplexity of native llama.cpp: of the file, and of its values in F32. */
  readonly native: {
    readonly file: number;
    readonly decoded: number;
    readonly decodedShort: number;
  };
  /** Perplexity of hearth on the CPU: as it runs, and with unrounded inputs; on the GPU of the first windows. */
  readonly found: { readonly cpu: number; readonly exact: number; readonly gpu?: number };
}

/** Inputs are rounded to eight bits on both sides, in other blocks. */
const roundedBound = 2e-3;
/** Nothing is rounded: the order of sums differs. */
const exactBound = 1e-4;

/** Differences, as shares of the native perplexity. */
function differencesOf({ native, found }: ProvedFormat) {
  return {
    cpu: found.cpu / native.file - 1,
    rounding: found.cpu / native.decoded - 1,
    nativeRounding: native.file / native.decoded - 1,
    exact: found.exact / native.decoded - 1,
    gpu: found.gpu === undefined ? undefined : found.gpu / native.decodedShort - 1,
  };
}

/** What is wrong, one sentence each. */
export function verdictOf(format: ProvedFormat): readonly string[] {
  const { cpu, exact, gpu = 0 } = differencesOf(format);
  return [
    ...(Math.abs(cpu) <= roundedBound ? [] : [`WRONG on cpu: ${share(cpu)}`]),
    ...(Math.abs(exact) <= exactBound ? [] : [`WRONG on cpu, exact: ${share(exact)}`]),
    ...(Math.abs(gpu) <= exactBound ? [] : [`WRONG on gpu: ${share(gpu)}`]),
  ];
}

export function rowOf(format: ProvedFormat): string {
  const { cpu, rounding, nativeRounding, exact, gpu } = differencesOf(format);
  const shares = [nativeRounding, rounding, cpu, exact, gpu];
  const cells = shares.map((part) => (part === undefined ? "" : share(part)));
  return `| ${[format.type, format.native.decoded.toFixed(4), ...cells].join(" | ")} |`;
}

export function pageOf(formats: readonly ProvedFormat[], windows: string): string {
  return `# Weight types against native llama.cpp

\`npm run prove:formats\` writes this page: the bundled model (F16, 5 M parameters), every matrix of its layers quantised by \`llama-quantize\` with an
importance matrix, and read by hearth and by native llama.cpp (0.7.0). Perplexity of ${windows}.
The first figure is native's of the values that ggml decodes, written as F32: nothing is rounded on the way. The others are distances from it. On
the CPU both programs round what a matrix multiplies to eight bits, in blocks of their own, so both differ from it a little, and must be within
${roundedBound.toExponential(0)} of each other; \`--exact\` and the GPU do not round, and must agree with the first figure within ${exactBound.toExponential(0)}.

| type | perplexity, decoded | native as it runs | hearth as it runs | hearth from native, both as they run | hearth, exact | hearth, GPU |
|---|---|---|---|---|---|---|
${formats.map(rowOf).join("\n")}
`;
}

function share(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${Math.abs(difference).toExponential(1)}`;
}
