import { describe, expect, it } from "vitest";
import { chooseBest, type MethodReport } from "./choose-best.ts";

const dense: MethodReport = {
  method: "dense",
  variant: "",
  activeShare: 1,
  bytesPerToken: 1000,
  perplexity: 10,
  perplexityError: 0.1,
  perplexityLoss: 0,
  lossError: 0,
  agreement: 1,
  judgedTokens: 4000,
  tokensPerSecond: 10,
  predictedSpeedup: 1,
  measuredSpeedup: 1,
  skippedShare: 0,
};
const comparison = {
  maxPerplexityLoss: 0.01,
  matrices: "feed-forward",
  checkedOn: ["a.txt", "b.txt"],
} as const;
const sparse = (changes: Partial<MethodReport>): MethodReport => ({
  ...dense,
  method: "threshold",
  ...changes,
});

describe("the best method", () => {
  it("reads the fewest bytes of those that keep the asked quality, error included", () => {
    const sure = sparse({ variant: "a", bytesPerToken: 900, perplexityLoss: 0.004 });
    const lucky = sparse({ bytesPerToken: 800, perplexityLoss: 0.004, lossError: 0.007 });
    const bad = sparse({ bytesPerToken: 100, perplexityLoss: 0.02 });
    const { best, reason } = chooseBest([dense, sure, lucky, bad], comparison);
    expect(best).toBe(sure);
    expect(reason).toBe(
      "threshold a reads 90 % of the feed-forward bytes and changes perplexity by +0.40 ± 0.00 % on held-out tokens of a.txt, b.txt (at most 1.0 % was asked)",
    );
  });

  it("is none that was not judged by the whole check", () => {
    const half = sparse({ bytesPerToken: 100, judgedTokens: 2000 });
    const whole = sparse({ bytesPerToken: 900 });
    expect(chooseBest([dense, half, whole], comparison).best).toBe(whole);
  });

  it("is none that changes perplexity for the better by more than what was asked", () => {
    const another = sparse({ bytesPerToken: 400, perplexityLoss: -0.078, agreement: 0.76 });
    const { best, reason } = chooseBest([dense, another], comparison);
    expect(best).toBe(dense);
    expect(reason).toMatch(/nothing that was measured .* changes perplexity by at most 1\.0 %/);
  });
});
