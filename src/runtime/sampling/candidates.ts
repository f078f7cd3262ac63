/**
 * The tokens still in the race while one token is sampled. At first these are all, by id, with logits that stages change;
 * the first question of likelihood makes a list of them, sorted by falling logit, which each filter shortens.
 * Buffers are made once, for as many tokens as such a list can have.
 */
import { selectLargest } from "../../core/largest-elements.ts";
import { indexOfLargest } from "../../core/numbers.ts";
import { FallingSorter } from "../../core/sort-falling.ts";
import type { TokenLogprob } from "./logprobs.ts";

/** The row of candidates that were loaded as a list. */
const noRow = new Float32Array(0);

export class Candidates {
  readonly #capacity: number;
  readonly #ids: Int32Array;
  readonly #logits: Float32Array;
  readonly #probabilities: Float64Array;
  #row: Float32Array = noRow;
  #isList = false;
  #count = 0;
  #largest: number = Number.NaN;
  #temperature = 1;
  #sorter: FallingSorter | undefined;
  #surprise: Float32Array | undefined;
  #isKept: Uint8Array | undefined;

  /** `capacity`: the longest list; the vocabulary, unless `keepLargest` is always the first question. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#ids = new Int32Array(capacity);
    this.#logits = new Float32Array(capacity);
    this.#probabilities = new Float64Array(capacity);
  }

  /** Takes all tokens. `row` [vocabulary] is kept, and changed by stages. */
  load(row: Float32Array): void {
    this.#row = row;
    this.#isList = false;
    this.#temperature = 1;
  }

  /** Takes (id, logit) pairs that are sorted already, as many as fit. */
  loadSorted(pairs: Float32Array): void {
    const count = Math.min(this.#capacity, pairs.length / 2);
    for (let i = 0; i < count; i++) {
      this.#ids[i] = pairs[2 * i] ?? 0;
      this.#logits[i] = pairs[2 * i + 1] ?? 0;
    }
    this.#row = noRow;
    this.#temperature = 1;
    this.#becomeList(count);
  }

  /** Logits by id, as long as no question of likelihood was asked. */
  get row(): Float32Array {
    return this.#row;
  }

  /** The likeliest token, the lowest id on a tie; undefined if a logit is NaN or the largest infinite. */
  get best(): number | undefined {
    if (!this.#isList) return indexOfLargest(this.#row);
    return Number.isFinite(this.#largest) ? this.#ids[0] : undefined;
  }

  /** Whether the tokens could be told apart: no logit is NaN, and the largest one is finite. */
  get isSound(): boolean {
    return this.#isList && Number.isFinite(this.#largest);
  }

  /** Gives tokens without a bit in `mask` a logit of −Infinity. */
  keepMasked(mask: Uint32Array): void {
    const row = this.#row;
    for (let word = 0; word < mask.length; word++) {
      const bits = mask[word] ?? 0;
      if (bits === 0xffff_ffff) continue;
      const end = Math.min(row.length, 32 * (word + 1));
      for (let id = 32 * word; id < end; id++) {
        if (((bits >>> (id & 31)) & 1) === 0) row[id] = Number.NEGATIVE_INFINITY;
      }
    }
  }

  /** Keeps the `count` largest logits; ties go to the lower id. */
  keepLargest(count: number): void {
    if (this.#isList) {
      this.#count = Math.min(count, this.#count);
    } else if (count >= this.#row.length) {
      this.sort();
    } else {
      selectLargest(this.#row, count, { indices: this.#ids, values: this.#logits });
      this.#becomeList(count);
    }
  }

  /** Makes the list, if it is none yet. */
  sort(): void {
    if (this.#isList) return;
    const row = this.#row;
    const order = this.#sorted(row, row.length);
    for (let i = 0; i < row.length; i++) {
      const id = order[i] ?? 0;
      this.#ids[i] = id;
      this.#logits[i] = row[id] ?? 0;
    }
    this.#becomeList(row.length);
  }

  /** Keeps the smallest set of likeliest tokens whose probability reaches `p`, at least one. */
  keepTopP(p: number): void {
    this.#softmax();
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
    this.sort();
    const floor = (this.#logits[0] ?? 0) + Math.log(p) * this.#temperature;
    let kept = 1;
    while (kept < this.#count && (this.#logits[kept] ?? floor) >= floor) kept++;
    this.#count = Math.min(kept, this.#count);
  }

  /** Keeps the tokens whose surprise is nearest to the entropy until their probability exceeds `p`. Source: arXiv 2202.00666. */
  keepTypical(p: number): void {
    this.#surprise ??= new Float32Array(this.#capacity);
    this.#isKept ??= new Uint8Array(this.#capacity);
    const { entropy } = this;
    for (let i = 0; i < this.#count; i++) {
      this.#surprise[i] = -Math.abs(-Math.log(this.#probabilities[i] ?? 0) - entropy);
    }
    const order = this.#sorted(this.#surprise, this.#count);
    this.#isKept.fill(0, 0, this.#count);
    let sum = 0;
    for (let i = 0; i < this.#count && sum <= p; i++) {
      const place = order[i] ?? 0;
      this.#isKept[place] = 1;
      sum += this.#probabilities[place] ?? 0;
    }
    let kept = 0;
    for (let i = 0; i < this.#count; i++) if (this.#isKept[i] === 1) this.#move(i, kept++);
    this.#count = kept;
  }

  /** Keeps tokens at most `deviations` standard deviations below the largest logit; impossible ones do not count. */
  keepNearLargest(deviations: number): void {
    const row = this.#row;
    let largest = Number.NEGATIVE_INFINITY;
    let sum = 0;
    let count = 0;
    for (let id = 0; id < row.length; id++) {
      const logit = row[id] ?? 0;
      if (logit === Number.NEGATIVE_INFINITY) continue;
      if (logit > largest) largest = logit;
      sum += logit;
      count++;
    }
    const mean = sum / count;
    let squares = 0;
    for (let id = 0; id < row.length; id++) {
      const logit = row[id] ?? 0;
      if (logit !== Number.NEGATIVE_INFINITY) squares += (logit - mean) ** 2;
    }
    const floor = largest - deviations * Math.sqrt(squares / count);
    for (let id = 0; id < row.length; id++) {
      if ((row[id] ?? 0) < floor) row[id] = Number.NEGATIVE_INFINITY;
    }
  }

  /** Leaves out the tokens whose probability reaches `threshold`, except for the least likely of them. */
  dropAllButLastOver(threshold: number): void {
    this.#softmax();
    let over = 0;
    while (over < this.#count && (this.#probabilities[over] ?? 0) >= threshold) over++;
    const dropped = Math.max(0, over - 1);
    this.#ids.copyWithin(0, dropped, this.#count);
    this.#logits.copyWithin(0, dropped, this.#count);
    this.#count -= dropped;
  }

  /** Keeps tokens of at most so many bits of surprise, at least one. */
  keepSurprise(bits: number): void {
    this.#softmax();
    let kept = 1;
    while (kept < this.#count && -Math.log2(this.#probabilities[kept] ?? 0) <= bits) kept++;
    this.#count = Math.min(kept, this.#count);
  }

  /** Divides logits by `temperature`; 0 keeps the likeliest. */
  heat(temperature: number): void {
    if (temperature > 0) this.#temperature *= temperature;
    else this.keepLargest(1);
  }

  /** How many there are. */
  get count(): number {
    this.sort();
    return this.#count;
  }

  /** In nats. */
  get entropy(): number {
    this.#softmax();
    let entropy = 0;
    for (let i = 0; i < this.#count; i++) {
      const probability = this.#probabilities[i] ?? 0;
      if (probability > 0) entropy -= probability * Math.log(probability);
    }
    return entropy;
  }

  /** How quickly the `count` likeliest tokens get less likely: the exponent of the power law through them. */
  zipfExponent(count: number): number {
    this.sort();
    let products = 0;
    let squares = 0;
    for (let i = 0; i < Math.min(count, this.#count) - 1; i++) {
      const rank = Math.log((i + 2) / (i + 1));
      const fall = ((this.#logits[i] ?? 0) - (this.#logits[i + 1] ?? 0)) / this.#temperature;
      products += rank * fall;
      squares += rank * rank;
    }
    return products / squares;
  }

  /** Of a token in the draw that was made last. */
  probabilityOf(token: number): number {
    for (let i = 0; i < this.#count; i++) {
      if (this.#ids[i] === token) return this.#probabilities[i] ?? 0;
    }
    return 0;
  }

  /** The `count` likeliest of the draw that was made last, falling, without those that had no chance. */
  likeliest(count: number): readonly TokenLogprob[] {
    const tokens: TokenLogprob[] = [];
    for (let i = 0; i < Math.min(count, this.#count); i++) {
      const probability = this.#probabilities[i] ?? 0;
      if (probability === 0) break;
      tokens.push({ token: this.#ids[i] ?? 0, logprob: Math.log(probability) });
    }
    return tokens;
  }

  /** Draws by softmax, `uniform` in [0, 1). */
  draw(uniform: number): number {
    this.#softmax();
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      sum += this.#probabilities[i] ?? 0;
      if (uniform < sum) return this.#ids[i] ?? 0;
    }
    return this.#ids[this.#count - 1] ?? 0;
  }

  /** What is impossible is not in the race. */
  #becomeList(count: number): void {
    let possible = count;
    while (possible > 0 && this.#logits[possible - 1] === Number.NEGATIVE_INFINITY) possible--;
    this.#isList = true;
    this.#count = possible;
    this.#largest = possible === 0 ? Number.NaN : (this.#logits[0] ?? Number.NaN);
  }

  #softmax(): void {
    this.sort();
    const largest = this.#logits[0] ?? 0;
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      const weight = Math.exp(((this.#logits[i] ?? 0) - largest) / this.#temperature);
      this.#probabilities[i] = weight;
      sum += weight;
    }
    for (let i = 0; i < this.#count; i++) {
      this.#probabilities[i] = (this.#probabilities[i] ?? 0) / sum;
    }
  }

  #sorted(values: Float32Array, count: number): Int32Array {
    this.#sorter ??= new FallingSorter(this.#capacity);
    return this.#sorter.order(values, count);
  }

  #move(from: number, to: number): void {
    this.#ids[to] = this.#ids[from] ?? 0;
    this.#logits[to] = this.#logits[from] ?? 0;
  }
}
