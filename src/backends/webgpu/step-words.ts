/** A step's rows as kernels read them (the struct Step), and what of them the GPU holds already: segments share them. */
import type { Program, Step } from "../../ops/program.ts";
import type { RunShape } from "./run-shape.ts";

export class StepWords {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly #sent: Uint32Array;
  #sentCount = 0;

  constructor({ maxRows, maxOutputs }: Program) {
    this.words = new Uint32Array(4 + 4 * Math.max(maxRows, maxOutputs));
    this.#sent = new Uint32Array(this.words.length);
  }

  /** Fills `words` and returns how many of them must be sent: 0 if the words sent last begin with the same. */
  fill(step: Step, { splits, splitLength }: RunShape): number {
    const { words } = this;
    words[0] = step.rowCount;
    words[1] = step.outputCount;
    words[2] = splits;
    words[3] = splitLength;
    const rows = Math.max(step.rowCount, step.outputCount);
    for (let row = 0; row < rows; row++) {
      words[4 + row * 4] = step.sequence[row] ?? 0;
      words[5 + row * 4] = step.position[row] ?? 0;
      words[6 + row * 4] = step.token[row] ?? 0;
      words[7 + row * 4] = step.outputRow[row] ?? 0;
    }
    const count = 4 + rows * 4;
    if (this.#hasSent(count)) return 0;
    for (let i = 0; i < count; i++) this.#sent[i] = words[i] ?? 0;
    this.#sentCount = count;
    return count;
  }

  #hasSent(count: number): boolean {
    if (count > this.#sentCount) return false;
    for (let i = 0; i < count; i++) if (this.#sent[i] !== this.words[i]) return false;
    return true;
  }
}
