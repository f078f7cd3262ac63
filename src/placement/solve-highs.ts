/**
 * The same placement by HiGHS: the paper's integer program (PowerInfer, 2312.12456, section 6) for `paper`, and one
 * binary per layer and choice for `latency`. Independent of solve.ts; slower, and limited in time.
 */
import { createRequire } from "node:module";
import type { Highs } from "highs";
import { DeviceError } from "../core/errors.ts";
import { packagePath } from "../core/package-root.ts";
import type { Bytes } from "../core/units.ts";
import { greatestCommonDivisor } from "./front.ts";
import type { PlacementProblem } from "./problem.ts";
import {
  type Configuration,
  choiceCount,
  choiceOf,
  configurations,
  eligibleConfigurations,
  objectiveValue,
  type PlacementChoice,
  placedChoices,
  type Solution,
  selectionBytes,
  solutionOf,
} from "./solution.ts";

/** The CommonJS build: the package declares its types for that one, and its ES module differs from them. */
function loadHighs(): Promise<Highs> {
  const highs: { default(): Promise<Highs> } = createRequire(packagePath("package.json"))("highs");
  return highs.default();
}

/** Seconds HiGHS may take; then the best found and its honest gap are reported. */
const timeLimitSeconds = 60;

interface LinearProgram {
  readonly text: string;
  /** Rebuilds the selection from the values of the columns. */
  selectionOf(value: (column: string) => number): PlacementChoice;
}

/** @throws DeviceError when HiGHS ends without a placement. */
export async function solveWithHighs(problem: PlacementProblem): Promise<Solution> {
  const start = performance.now();
  const highs = await loadHighs();
  const all = configurations(problem);
  const eligible = eligibleConfigurations(problem, all, problem.budgetBytes);
  const program =
    problem.objective === "paper"
      ? paperProgram(problem, eligible)
      : choiceProgram(problem, eligible);
  const answer = highs.solve(program.text, {
    time_limit: timeLimitSeconds,
    mip_rel_gap: 0,
    mip_abs_gap: 0,
    output_flag: false,
  });
  const selection = program.selectionOf((column) => {
    const entry = answer.Columns[column];
    return entry !== undefined && "Primal" in entry ? entry.Primal : 0;
  });
  if (
    (answer.Status !== "Optimal" && answer.Status !== "Time limit reached") ||
    selectionBytes(problem, selection) > problem.budgetBytes
  ) {
    throw new DeviceError(
      `HiGHS ended with "${answer.Status}" and no placement within the budget; use the exact solver`,
    );
  }
  const objective = objectiveValue(problem, selection);
  const bound = answer.Status === "Optimal" ? objective : trivialBound(problem, objective);
  return solutionOf(problem, selection, {
    bound,
    budgetBytes: problem.budgetBytes,
    solveMs: performance.now() - start,
  });
}

/** HiGHS does not report its bound when it runs out of time: this one is of everything hot, or of no time at all. */
function trivialBound(problem: PlacementProblem, objective: number): number {
  if (problem.objective === "latency") return Math.min(0, objective);
  return problem.layers.reduce((sum, layer) => sum + (layer.hotMass.at(-1) ?? 0), 0);
}

/**
 * max sum f x; bytes within the budget; sum of a layer's hot groups >= C_l y_l and <= G_l y_l; x in {0,1}, y in {0,1}.
 * Groups are hot from the most active down (x_g >= x_{g+1}), as a smaller last group could otherwise be hot alone.
 */
function paperProgram(
  problem: PlacementProblem,
  eligible: readonly Configuration[],
): LinearProgram {
  const [configuration] = eligible;
  const first = configuration?.firstGpuLayer ?? problem.layers.length;
  const terms = {
    objective: [] as string[],
    bytes: [] as Term[],
    rows: [] as string[],
    binaries: [] as string[],
  };
  for (const [l, layer] of problem.layers.entries()) {
    if (l < first) continue;
    const groups = layer.hotBytes.length - 1;
    const columns = Array.from({ length: groups }, (_, g) => `x_${l}_${g}`);
    columns.forEach((column, g) => {
      terms.objective.push(`+ ${decimal(difference(layer.hotMass, g))} ${column}`);
      terms.bytes.push({ column, bytes: difference(layer.hotBytes, g) });
      if (g + 1 < groups) terms.rows.push(`${column} - x_${l}_${g + 1} >= 0`);
    });
    const sum = columns.join(" + ");
    terms.rows.push(
      `${sum} - ${layer.minimumHotGroups} y_${l} >= 0`,
      `${sum} - ${groups} y_${l} <= 0`,
    );
    terms.binaries.push(...columns, `y_${l}`);
  }
  const capacity = problem.budgetBytes - (configuration?.bytes ?? 0);
  return {
    text: programText("Maximize", terms, capacity),
    selectionOf: (value) => ({
      firstGpuLayer: first,
      outputOnGpu: configuration?.outputOnGpu ?? false,
      hotGroups: problem.layers.map((layer, l) =>
        Array.from({ length: layer.hotBytes.length - 1 }, (_, g) =>
          Math.round(value(`x_${l}_${g}`)),
        ).reduce((sum, x) => sum + x, 0),
      ),
    }),
  };
}

/**
 * min sum of chosen costs: z_l_n says that layer l has its attention on the GPU and is placed by its choice n, c_k that
 * configuration k is the one; a layer has a choice exactly when the configuration puts it on the GPU.
 */
function choiceProgram(
  problem: PlacementProblem,
  eligible: readonly Configuration[],
): LinearProgram {
  const terms = {
    objective: [] as string[],
    bytes: [] as Term[],
    rows: [] as string[],
    binaries: [] as string[],
  };
  // Seconds per token are small numbers: in microseconds they are well above the solver's tolerances.
  const microseconds = (seconds: number): number => seconds * 1e6;
  eligible.forEach((configuration, k) => {
    terms.objective.push(`+ ${decimal(microseconds(configuration.seconds))} c_${k}`);
    terms.bytes.push({ column: `c_${k}`, bytes: configuration.bytes });
    terms.binaries.push(`c_${k}`);
  });
  terms.rows.push(`${eligible.map((_, k) => `c_${k}`).join(" + ")} = 1`);
  for (const [l, layer] of problem.layers.entries()) {
    const columns = Array.from({ length: choiceCount(layer) }, (_, n) => `z_${l}_${n}`);
    columns.forEach((column, n) => {
      const { bytes, seconds } = choiceOf(layer, n);
      terms.objective.push(`+ ${decimal(microseconds(seconds))} ${column}`);
      terms.bytes.push({ column, bytes });
    });
    const holding = eligible.flatMap(({ firstGpuLayer }, k) =>
      firstGpuLayer <= l ? [`- c_${k}`] : [],
    );
    terms.rows.push(`${columns.join(" + ")} ${holding.join(" ")} = 0`);
    terms.binaries.push(...columns);
  }
  return {
    text: programText("Minimize", terms, problem.budgetBytes),
    selectionOf: (value) => {
      const chosen = eligible.find((_, k) => value(`c_${k}`) > 0.5);
      return {
        firstGpuLayer: chosen?.firstGpuLayer ?? problem.layers.length,
        outputOnGpu: chosen?.outputOnGpu ?? false,
        ...placedChoices(
          problem.layers,
          problem.layers.map((layer, l) => {
            const chosen = Array.from({ length: choiceCount(layer) }, (_, n) => n);
            return chosen.find((n) => value(`z_${l}_${n}`) > 0.5) ?? 0;
          }),
        ),
      };
    },
  };
}

interface Term {
  readonly column: string;
  readonly bytes: Bytes;
}

/** CPLEX LP text; bytes are counted in their common unit, so that the budget's row has small exact coefficients. */
function programText(
  direction: "Maximize" | "Minimize",
  terms: {
    readonly objective: readonly string[];
    readonly bytes: readonly Term[];
    readonly rows: readonly string[];
    readonly binaries: readonly string[];
  },
  capacity: Bytes,
): string {
  const unit =
    terms.bytes.reduce((common, { bytes }) => greatestCommonDivisor(common, bytes), 0) || 1;
  const memory = terms.bytes.map(({ column, bytes }) => `+ ${bytes / unit} ${column}`);
  const rows = [`${wrap(memory)} <= ${Math.floor(capacity / unit)}`, ...terms.rows];
  return [
    direction,
    ` cost: ${wrap(terms.objective.length > 0 ? terms.objective : ["0 nothing"])}`,
    "Subject To",
    ...(terms.bytes.length > 0 ? rows : ["nothing <= 0"]).map(
      (row, index) => ` r${index}: ${wrap(row.split(" "))}`,
    ),
    "Binaries",
    wrap(terms.binaries.length > 0 ? terms.binaries : ["nothing"]),
    "End",
  ].join("\n");
}

/** LP readers limit a line's length. */
function wrap(words: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += 40) lines.push(words.slice(i, i + 40).join(" "));
  return lines.join("\n  ");
}

/** Without an exponent, which the LP text would read as a name. */
function decimal(value: number): string {
  return value.toFixed(12);
}

/** What group `index` adds to a running sum. */
function difference(sums: Float64Array, index: number): number {
  return (sums[index + 1] ?? 0) - (sums[index] ?? 0);
}
