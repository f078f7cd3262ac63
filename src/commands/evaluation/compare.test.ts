/** The comparison of two models against its definition, on tiny random models and the reference backend. */
import { describe, expect, it } from "vitest";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { openModelFile } from "../../engine/open.ts";
import { compareWithDense } from "../compare.ts";
import { compareSessions } from "./compare.ts";
import { visitScoredTargets } from "./perplexity.ts";

const ids = Array.from({ length: 48 }, (_, i) => 3 + ((i * 61) % 290));
const windows = { window: 16, bos: 1 };

function softmax(logits: Float32Array): readonly number[] {
  const weights = Array.from(logits, (logit) => Math.exp(logit));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

describe("compareSessions", () => {
  it("gives Σ p ln(p/q), the share of equal top tokens and both perplexities", async () => {
    using one = await makeTinyModel(["--seed", "1"]);
    using other = await makeTinyModel(["--seed", "2"]);
    const options = { device: "reference", sparsity: "dense" } as const;
    const candidate = await openModelFile(one.path, options, "per row");
    const reference = await openModelFile(other.path, options, "per row");
    const collect = async (session: typeof candidate.session): Promise<Float32Array[]> => {
      const rows: Float32Array[] = [];
      await visitScoredTargets([session], ids, windows, ([logits]) => rows.push(logits!.slice()));
      return rows;
    };
    const q = (await collect(candidate.session)).map(softmax);
    const p = (await collect(reference.session)).map(softmax);
    const sessions = { candidate: candidate.session, reference: reference.session };
    const compared = await compareSessions(sessions, ids, windows);
    const divergences = p.map((row, i) =>
      row.reduce((sum, value, token) => sum + value * Math.log(value / q[i]![token]!), 0),
    );
    const same = p.filter((row, i) => {
      const best = (values: readonly number[]): number => values.indexOf(Math.max(...values));
      return best(row) === best(q[i]!);
    });
    // Three windows of 16, targets 9 … 15 of each.
    expect(p).toHaveLength(21);
    expect(compared.candidate.tokens).toBe(21);
    const mean = divergences.reduce((sum, value) => sum + value, 0) / 21;
    const squares = divergences.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    expect(compared.klDivergence.mean).toBeCloseTo(mean, 9);
    expect(compared.klDivergence.standardError).toBeCloseTo(Math.sqrt(squares / 20 / 21), 9);
    expect(compared.klDivergence.largest).toBeCloseTo(Math.max(...divergences), 9);
    expect(compared.klDivergence.median).toBeCloseTo(divergences.toSorted((a, b) => a - b)[10]!, 9);
    expect(compared.topAgreement.mean).toBeCloseTo(same.length / 21, 12);
    const ratio = compared.candidate.perplexity / compared.reference.perplexity;
    expect(compared.logRatio.mean).toBeCloseTo(Math.log(ratio), 9);
    candidate[Symbol.dispose]();
    reference[Symbol.dispose]();
  });
});

describe("compareWithDense", () => {
  it("finds nothing between dense and dense, and next to nothing between dense and an exact method", async () => {
    using model = await makeTinyModel(["--arch", "arcee"]);
    const options = { device: "reference", window: 16 } as const;
    const same = await compareWithDense(model.path, ids, { ...options, sparsity: "dense" });
    expect(same.klDivergence.largest).toBe(0);
    expect(same.topAgreement).toEqual({ mean: 1, standardError: 0 });
    const exact = await compareWithDense(model.path, ids, { ...options, sparsity: "gate" });
    expect(exact.sparsity.method).toBe("gate");
    expect(exact.sparsity.activeShare).toBeLessThan(1);
    // Transposed down rows are stored as f16 (2⁻¹¹ relative), logits are of order 1: KL is of order (2⁻¹¹)².
    expect(exact.klDivergence.mean).toBeLessThan(1e-6);
    expect(exact.topAgreement.mean).toBe(1);
  });
});
