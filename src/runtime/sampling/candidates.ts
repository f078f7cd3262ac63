/**
 * The tokens still in the race while one token is sampled: ids with logits, sorted by falling logit.
 * Buffers are made once for the vocabulary; each filter shortens the list.
 */
import { selectLargest } from "../../core/largest-elements.ts";

export class Candidates {
  readonly #ids: Int32Array;
  readonly #logits: Float32Array;
  readonly #probabilities: Float64Array;
  readonly #surprise: Float64Array;
  #count = 0;

  constructor(vocabulary: number) {
    this.#ids = new Int32Array(vocabulary);
    this.#logits = new Float32Array(vocabulary);
    this.#probabilities = new Float64Array(vocabulary);
    this.#surprise = new Float64Array(vocabulary);
  }

  /** The largest logit; NaN if any of the loaded logits is NaN, or none is loaded. */
  get largest(): number {
    return this.#count === 0 ? Number.NaN : (this.#logits[0] ?? Number.NaN);
  }

  /** Takes the `topK` largest logits (0: all), sorted; ties go to the lower id; NaN comes first. */
  load(logits: Float32Array, topK: number): void {
    const keep = topK === 0 ? logits.length : Math.min(topK, logits.length);
    const into = { indices: this.#ids, values: this.#logits };
    if (keep < logits.length) selectLargest(logits, keep, into);
    else this.#loadAll(logits);
    this.#count = keep;
  }

  /** Takes the first `topK` of (id, logit) pairs that are sorted already. */
  loadSorted(pairs: Float32Array, topK: number): void {
    this.#count = Math.min(topK, pairs.length / 2);
    for (let i = 0; i < this.#count; i++) {
      this.#ids[i] = pairs[2 * i] ?? 0;
      this.#logits[i] = pairs[2 * i + 1] ?? 0;
    }
  }

  /** Keeps the smallest set of likeliest tokens whose probability reaches `p`, at least one. */
  keepTopP(p: number): void {
    if (p >= 1) return;
    this.#softmax(1);
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      sum += this.#probabilities[i] ?? 0;
      if (sum >= p) {
        this.#count = i + 1;
        return;
      }
    }
  }

  /** Keeps tokens at least `p` times as likely as the first, at least one. */
  keepMinP(p: number): void {
    if (p <= 0) return;
    const floor = (this.#logits[0] ?? 0) + Math.log(p);
    let kept = 1;
    while (kept < this.#count && (this.#logits[kept] ?? floor) >= floor) kept++;
    this.#count = kept;
  }

  /** Keeps the tokens whose surprise is nearest to the entropy until their probability reaches `p`. Source: arXiv 2202.00666. */
  keepTypical(p: number): void {
    if (p >= 1) return;
    this.#softmax(1);
    let entropy = 0;
    for (let i = 0; i < this.#count; i++) {
      const probability = this.#probabilities[i] ?? 0;
      if (probability > 0) entropy -= probability * Math.log(probability);
    }
    for (let i = 0; i < this.#count; i++) {
      this.#surprise[i] = Math.abs(-Math.log(this.#probabilities[i] ?? 0) - entropy);
    }
    const order = Array.from({ length: this.#count }, (_, i) => i).sort(
      (a, b) => (this.#surprise[a] ?? 0) - (this.#surprise[b] ?? 0) || a - b,
    );
    let sum = 0;
    let kept = 0;
    while (kept < order.length && sum < p) {
      sum += this.#probabilities[order[kept] ?? 0] ?? 0;
      kept++;
    }
    const survivors = order.slice(0, Math.max(1, kept)).sort((a, b) => a - b);
    survivors.forEach((from, to) => {
      this.#ids[to] = this.#ids[from] ?? 0;
      this.#logits[to] = this.#logits[from] ?? 0;
    });
    this.#count = survivors.length;
  }

  /** Draws by softmax(logits / temperature), `uniform` in [0, 1). */
  draw(temperature: number, uniform: number): number {
    this.#softmax(temperature);
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      sum += this.#probabilities[i] ?? 0;
      if (uniform < sum) return this.#ids[i] ?? 0;
    }
    return this.#ids[this.#count - 1] ?? 0;
  }

  #softmax(temperature: number): void {
    const largest = this.#logits[0] ?? 0;
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      const weight = Math.exp(((this.#logits[i] ?? 0) - largest) / temperature);
      this.#probabilities[i] = weight;
      sum += weight;
    }
    for (let i = 0; i < this.#count; i++) {
      this.#probabilities[i] = (this.#probabilities[i] ?? 0) / sum;
    }
  }

  #loadAll(logits: Float32Array): void {
    this.#ids.forEach((_, i) => {
      this.#ids[i] = i;
    });
    this.#ids.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
    // Comparisons with NaN sort it anywhere.
    const first = logits.findIndex(Number.isNaN);
    if (first >= 0) this.#ids[0] = first;
    for (let i = 0; i < logits.length; i++) this.#logits[i] = logits[this.#ids[i] ?? 0] ?? 0;
  }
}
