/** What `hearth prepare` says about the text that it checked on. */
import { describe, expect, it } from "vitest";
import type { MethodReport, PrepareReport } from "../index.ts";
import { prepareJson, prepareText } from "./prepare.ts";

const dense: MethodReport = {
  method: "dense",
  variant: "",
  activeShare: 1,
  bytesPerToken: 1000,
  perplexity: 12,
  perplexityError: 0.2,
  perplexityLoss: 0,
  lossError: 0,
  agreement: 1,
  judgedTokens: 640,
  tokensPerSecond: 10,
  predictedSpeedup: 1,
  measuredSpeedup: 1,
  skippedShare: 0,
};

const report: PrepareReport = {
  sidecar: "m.sparsity.gguf",
  corpora: ["book.txt", "chats.jsonl", "short.txt"],
  checkedOn: ["book.txt", "chats\u001b[2J.jsonl"],
  trained: [],
  notices: [],
  signs: [],
  methods: [dense],
  decodedTokens: 640,
  maxPerplexityLoss: 0.01,
  comparedMatrices: "feed-forward",
  recommendation: { method: "dense", reason: "nothing else", measured: [] },
  plot: () => "",
};

describe("the report of prepare", () => {
  it("names the text that its error bars hold for, and says that they hold for no other", () => {
    const text = prepareText(report);
    expect(text).toContain("640 held-out tokens of book.txt, chats");
    expect(text).not.toContain("\u001b");
    expect(text).toContain("Other kinds of text may differ by more than the errors shown");
    expect(prepareJson(report)).toMatchObject({ checked_on: report.checkedOn });
  });
});
