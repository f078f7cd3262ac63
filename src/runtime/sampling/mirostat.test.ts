/** Mirostat, by hand, and that it does what it is for: the mean surprise of an answer is the one that is aimed at. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../core/random.ts";
import { Candidates } from "./candidates.ts";
import { MirostatStage } from "./mirostat.ts";
import { Sampler } from "./sampler.ts";
import { resolveSampling } from "./sampling-options.ts";

/** Probabilities 1/2, 1/4, 1/8, 1/16, 1/16: surprises of 1, 2, 3, 4 and 4 bits. */
const row = (): Float32Array => Float32Array.from([8, 4, 2, 1, 1], Math.log);

describe("Mirostat", () => {
  it("2 keeps tokens of at most mu bits, and learns from the surprise of the token that was drawn", () => {
    const stage = new MirostatStage({ mirostat: 2, mirostatTau: 1.25, mirostatEta: 0.5 }, 5);
    stage.accept(3);
    const candidates = new Candidates(5);
    const kept = (): number => {
      candidates.load(row());
      stage.apply(candidates);
      return candidates.count;
    };
    // mu is 2.5 at first, whatever the prompt has.
    expect(kept()).toBe(2);
    expect(candidates.draw(0.9)).toBe(1);
    // Of two tokens, 2/3 and 1/3, the second has log2(3) bits: mu = 2.5 − (1.585 − 1.25) / 2 = 2.33.
    stage.accept(1);
    expect(kept()).toBe(2);
    candidates.draw(0);
    // The first has 0.585 bits: mu = 2.33 + 0.3325 = 2.665.
    stage.accept(0);
    expect(kept()).toBe(2);
    candidates.draw(0);
    // mu = 2.9975
    stage.accept(0);
    expect(kept()).toBe(2);
    candidates.draw(0);
    // mu = 3.33
    stage.accept(0);
    expect(kept()).toBe(3);
  });

  it.each([1, 2] as const)("%i holds the mean surprise near its target", (mirostat) => {
    const vocabulary = 500;
    const random = createRandom(2);
    for (const mirostatTau of [2, 4]) {
      const options = { mirostat, mirostatTau, mirostatEta: 0.1, temperature: 1, seed: 3 };
      const sampler = new Sampler(resolveSampling(options, vocabulary), vocabulary);
      const candidates = new Candidates(vocabulary);
      let surprise = 0;
      const steps = 800;
      for (let step = 0; step < steps; step++) {
        // Zipf's law with some noise: about 6 bits of entropy.
        const logits = Float32Array.from(
          { length: vocabulary },
          (_, rank) => -1.2 * Math.log(rank + 1) + 0.1 * random.normal(),
        );
        candidates.load(logits.slice());
        candidates.draw(0);
        const token = sampler.sample(logits)!;
        surprise -= Math.log2(candidates.probabilityOf(token)) / steps;
        sampler.accept(token);
      }
      // Surprise is controlled among what is kept; among all tokens it is higher by what was cut off.
      expect(surprise).toBeGreaterThan(mirostatTau - 0.2);
      expect(surprise).toBeLessThan(mirostatTau + 1.6);
    }
  });
});
