import { expect, test } from "vitest";
import { sparsityText } from "./sparsity-report.ts";

test("the shares of layers are whole per cents, in the first layer as in the last", () => {
  const text = sparsityText({
    method: "threshold",
    activeShare: 0.1234,
    activeSharePerLayer: [1 / 3, 1 / 7, 1 / 7, 1 / 7],
    predictorTimeShare: 0.02,
    bytesTouchedPerToken: 1024,
    bytesDensePerToken: 2048,
    tokens: 3,
  });
  expect(text).toMatch(/^by layer +33 %, 14 %, 14 %, 14 %$/m);
});
