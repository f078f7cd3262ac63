/** How much of a prompt is read at once where its cold weights may come to the card: they come once for each step. */
import type { Tokens } from "../core/units.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Plan } from "../placement/plan.ts";
import { mayStream } from "./prompt-rule.ts";
import { streamedBatch } from "./resolve-options.ts";
import type { SparseSetup } from "./resolve-sparsity.ts";

/**
 * Share of the predicted speed of answers that longer steps of prompts must leave: what they remember of each row takes the
 * place of hot neurons. A prompt of 1536 tokens of Falcon-40B in F16 brings 57 GB each time, 2.3 s of a described link: 27 s
 * in steps of 128 rows, 4.6 s in two of 1024, which cost 7 % of an answer (1.3 s of 256 tokens).
 */
const leastSpeed = 0.9;

/** As `make` plans, with the longest steps that pay: the plan then says `promptBatch`. Steps that somebody asked for stay. */
export async function planWithBatch(
  setup: SparseSetup,
  hardware: HardwareProfile,
  make: (setup: SparseSetup) => Promise<Plan>,
): Promise<Plan> {
  const plan = await make(setup);
  const isWhole = plan.layers.every(({ parts }) => parts.length < 2);
  if (setup.isBatchOpen !== true || isWhole) return plan;
  const { batchSize, contextLength } = setup.options;
  for (let rows = Math.min(contextLength, streamedBatch); rows > batchSize; rows >>= 1) {
    const longer = withBatch(setup, rows);
    if (!mayStream(longer, hardware)) return plan;
    const batched = await make(longer);
    const isFast = batched.predictedTokensPerSecond >= leastSpeed * plan.predictedTokensPerSecond;
    if (isFast && batched.streamPromptsFrom !== undefined) return { ...batched, promptBatch: rows };
  }
  return plan;
}

/** With steps of so many rows; of as many as before where a plan says nothing of them. */
export function withBatch(setup: SparseSetup, rows: Tokens | undefined): SparseSetup {
  if (rows === undefined) return setup;
  return { ...setup, options: { ...setup.options, batchSize: rows } };
}
