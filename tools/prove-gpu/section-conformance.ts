/**
 * The conformance suite on the card, without the test runner: every case is compared with the reference within derived
 * bounds. A case that is skipped has failed; of what the backend declares it lacks, its refusal is examined.
 */
import type { Backend } from "../../src/backends/backend.ts";
import {
  conformanceCases,
  conformanceSample,
  expectationOf,
} from "../../src/backends/conformance/all-cases.ts";
import type { ConformanceCase, Gap } from "../../src/backends/conformance/case.ts";
import { checkCase } from "../../src/backends/conformance/check-case.ts";
import { webgpuGaps } from "../../src/backends/conformance/webgpu-gaps.ts";
import { floatArithmetic } from "../../src/backends/tolerance.ts";
import { UnsupportedError } from "../../src/core/errors.ts";
import { openCard, type Report, type Section } from "./section.ts";

/** Of the short form: a software driver compiles the kernels of a type for seconds, and the tests run them all there. */
const shortTypes: readonly (string | undefined)[] = [undefined, "F16", "Q4_0"];

export const conformanceSection: Section = {
  name: "conformance",
  title: "Conformance of every op",
  deadline: { full: 150, short: 240 },
  run: async (context, report) => {
    const all = conformanceCases();
    const isShort = context.mode === "short";
    const short = conformanceSample().filter(({ traits }) =>
      shortTypes.includes(traits.weightType),
    );
    const cases = isShort ? short : all;
    if (isShort)
      report.note(
        `short form: each op with F16, Q4_0, each method and cache type once, ${cases.length} of ${all.length} cases`,
      );
    using backend = await openCard(context);
    await proveConformance(backend, { cases, gaps: webgpuGaps }, report);
  },
};

/** What became of one case. */
interface Outcome {
  readonly op: string;
  readonly problem?: string;
  readonly isRefused: boolean;
  /** The largest share of its bound that an element used up. */
  readonly worst: number;
}

/** One check for each op; a backend that refuses a case it does not declare fails it. */
export async function proveConformance(
  backend: Backend,
  { cases, gaps }: { readonly cases: readonly ConformanceCase[]; readonly gaps: readonly Gap[] },
  report: Report,
): Promise<void> {
  const outcomes: Outcome[] = [];
  const left = new Map<string, number>();
  for (const { traits } of cases) left.set(traits.op, (left.get(traits.op) ?? 0) + 1);
  for (const [index, candidate] of cases.entries()) {
    const gap = gaps.find((one) => one.cases(candidate));
    const outcome = await outcomeOf(backend, candidate, gap);
    outcomes.push(outcome);
    const { op } = outcome;
    left.set(op, (left.get(op) ?? 0) - 1);
    // At once, so that a deadline leaves what was found.
    if (left.get(op) === 0) reportOp(op, outcomes, report);
    if ((index + 1) % 50 === 0) report.progress(`${index + 1} of ${cases.length} cases`);
  }
  for (const { reason } of gaps) report.note(`declared: ${reason}`);
  const isWhole = outcomes.length > 0 && outcomes.length === cases.length;
  report.check("every case was run", isWhole, `${outcomes.length} cases`);
}

function reportOp(op: string, outcomes: readonly Outcome[], report: Report): void {
  const ofOp = outcomes.filter((outcome) => outcome.op === op);
  const problems = ofOp.flatMap(({ problem }) => problem ?? []);
  const worst = Math.max(...ofOp.map((outcome) => outcome.worst));
  const refused = ofOp.filter(({ isRefused }) => isRefused).length;
  const computed = `${ofOp.length - refused} cases, at most ${worst.toFixed(2)} of a bound`;
  const detail = refused === 0 ? computed : `${computed}; ${refused} refused as declared`;
  report.check(op, problems.length === 0, problems.length > 0 ? listed(problems) : detail);
}

async function outcomeOf(
  backend: Backend,
  candidate: ConformanceCase,
  gap: Gap | undefined,
): Promise<Outcome> {
  const { op } = candidate.traits;
  const failed = (problem: string): Outcome => ({
    op,
    problem: `${candidate.name}: ${problem}`,
    isRefused: false,
    worst: Number.POSITIVE_INFINITY,
  });
  try {
    const script = candidate.build();
    const expected = await expectationOf(script, floatArithmetic);
    const { problems, compared, worst } = await checkCase(backend, script, expected);
    if (gap !== undefined) return failed(`it ran, although it is declared that ${gap.reason}`);
    if (problems.length > 0) return failed(problems.join("; "));
    return compared === 0 ? failed("nothing was compared") : { op, isRefused: false, worst };
  } catch (error) {
    const isRefused = gap !== undefined && error instanceof UnsupportedError;
    if (isRefused) return { op, isRefused, worst: 0 };
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function listed(problems: readonly string[]): string {
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  return `${problems.slice(0, 3).join("; ")}${more}`;
}
