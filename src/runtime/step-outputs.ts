/**
 * The outputs of a step: whose they are, what is read of them, and who takes them. Answers whose prompts are read together
 * begin together: a first output waits, while nobody writes, for prompts that take about as long to read as its own did.
 * Else each answer would go through its first tokens beside the others' prompts, in steps many times as long as an answer's.
 */
import type { Tokens } from "../core/units.ts";
import type { ActiveGeneration } from "./generation.ts";
import type { Seat } from "./seat.ts";
import type { ReadKind, Session } from "./session.ts";

/** An output that is taken after the step behind it has run: its own copy. */
export type Output =
  | { readonly read: "best"; readonly token: number | undefined }
  | { readonly read: "largest"; readonly pairs: Float32Array }
  | { readonly read: "logits"; readonly logits: Float32Array };

/** A prompt is waited for that has at most so many times the tokens to read; or that a single step reads. */
const longerAtMost = 2;

export class StepOutputs {
  readonly #session: Session;
  /** Whose each output of the step is. */
  readonly #seats: Seat[] = [];
  #read: ReadKind = "best";

  constructor(session: Session) {
    this.#session = session;
  }

  /** The output that was added to the step last. */
  add(seat: Seat): void {
    this.#seats.push(seat);
  }

  /** The cheapest read that decides every output. */
  chooseRead(): ReadKind {
    let deciding = 1;
    for (const { generation } of this.#seats) {
      if (generation.kind === "answer") deciding = Math.max(deciding, generation.decidingLogits);
    }
    this.#read = this.#session.cheapestRead(deciding);
    return this.#read;
  }

  /** When the step has run: each answer takes its output, or keeps it until those beside it, `seats`, can begin too. */
  accept(seats: readonly Seat[]): void {
    const isKept = this.#beginLater(seats);
    for (let output = 0; output < this.#seats.length; output++) {
      const seat = this.#seats[output];
      if (seat === undefined || seat.hasEnded || seat.generation.kind !== "answer") continue;
      if (isKept && !seat.generation.hasBegun) seat.kept = this.#copy(output);
      else this.#accept(seat, output);
    }
    this.#seats.length = 0;
    if (isKept) return;
    for (const seat of seats) if (seat.kept !== undefined && !seat.hasEnded) this.#accept(seat, 0);
  }

  /** Whether nobody writes, and each answer that could begin has a prompt to wait for. */
  #beginLater(seats: readonly Seat[]): boolean {
    for (const { hasEnded, generation } of seats) {
      if (generation.kind === "answer" && generation.hasBegun && !hasEnded) return false;
    }
    for (const seat of seats) {
      const couldBegin = !seat.hasEnded && seat.pending === 0 && seat.generation.kind === "answer";
      if (couldBegin && !seats.some((other) => this.#isNear(seat, other))) return false;
    }
    return true;
  }

  /**
   * Whether an answer waits for another one's prompt, which never has a lower priority. Of those that were seated after it
   * only as many count as there are sequences: who comes and goes before beginning must not hold it up for ever.
   */
  #isNear(seat: Seat, other: Seat): boolean {
    const { sequences } = this.#session.cache;
    const longest: Tokens = Math.max(longerAtMost * seat.toRead, this.#session.program.maxRows);
    const isReading = other.pending > 0 && other.generation.kind === "answer";
    if (other.priority < seat.priority) return false;
    return isReading && other.number < seat.number + sequences && other.toRead <= longest;
  }

  /** An error of one answer (its sampler, its detokenizer, its stop texts) ends that answer alone. */
  #accept(seat: Seat, output: number): void {
    const { generation, kept } = seat;
    seat.kept = undefined;
    if (generation.kind === "embedding") return;
    try {
      if (kept !== undefined) takeKept(generation, kept);
      else this.#take(generation, output);
    } catch (error) {
      this.#session.cache.truncate(seat.sequence, 0);
      generation.fail(error);
    }
  }

  #take(generation: ActiveGeneration, output: number): void {
    const session = this.#session;
    if (this.#read === "best") generation.acceptBest(session.best(output));
    else if (this.#read === "largest") generation.acceptLargest(session.largest(output));
    else generation.accept(session.logits(output));
  }

  #copy(output: number): Output {
    const session = this.#session;
    const read = this.#read;
    if (read === "best") return { read, token: session.best(output) };
    if (read === "largest") return { read, pairs: session.largest(output).slice() };
    return { read, logits: session.logits(output).slice() };
  }
}

function takeKept(generation: ActiveGeneration, output: Output): void {
  if (output.read === "best") generation.acceptBest(output.token);
  else if (output.read === "largest") generation.acceptLargest(output.pairs);
  else generation.accept(output.logits);
}
