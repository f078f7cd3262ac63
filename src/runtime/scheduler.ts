/**
 * The step loop: gives every generation a sequence of the session and runs them together, step after step.
 * Each step first takes one row of every answer that is being written, then fills up with prompts, oldest first.
 */
import { counted } from "../core/counted.ts";
import { HearthError, LimitError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import type { RowPurpose } from "../ops/program.ts";
import { checkpointsOf } from "./checkpoints.ts";
import type { ActiveGeneration } from "./generation.ts";
import { chooseSeating } from "./seating.ts";
import type { ReadKind, Session } from "./session.ts";

interface Seat {
  readonly generation: ActiveGeneration;
  readonly sequence: number;
  /** Lengths at which the sequence is saved while it reads, rising. */
  savedAt: readonly Tokens[];
}

interface BetweenSteps {
  readonly run: () => Promise<void>;
  readonly reject: (error: unknown) => void;
}

/** What work between steps finds. */
export interface SequencesInUse {
  /** The sequence of the last answer, which may still be written; undefined before the first. */
  readonly recent: number | undefined;
  /** Without an answer, left longest ago; undefined where all are being written in. */
  readonly oldestFree: number | undefined;
}

export class Scheduler {
  readonly #session: Session;
  readonly #waiting: ActiveGeneration[] = [];
  #seats: Seat[] = [];
  /** Sequences without an answer, the one that was left longest ago first. */
  readonly #free: number[];
  /** Whose each output of the step is. */
  readonly #outputSeats: Seat[] = [];
  /** Work to be done between two steps. */
  readonly #between: BetweenSteps[] = [];
  /** The sequence that was given to an answer last. */
  #recent: number | undefined;
  #isRunning = false;
  #failure: unknown;

  constructor(session: Session) {
    this.#session = session;
    this.#free = Array.from({ length: session.cache.sequences }, (_, i) => i);
  }

  /** Why no step can run any more: the error of the step that failed. Undefined while steps can run. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Queues a generation; it starts as soon as a sequence is free, or fails with `failure`. */
  submit(generation: ActiveGeneration): void {
    this.checkLength(generation);
    if (this.#failure !== undefined) {
      generation.fail(this.#failure);
      return;
    }
    this.#waiting.push(generation);
    if (!this.#isRunning) void this.#loop();
  }

  /**
   * Does work between two steps, when no rows are on the way: nothing else changes the sequences meanwhile. Rejects with
   * what it throws, which is no failure of the steps.
   */
  between<Result>(work: (sequences: SequencesInUse) => Promise<Result>): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise<Result>((resolve, reject) => {
      const run = async (): Promise<void> => {
        try {
          resolve(await work({ recent: this.#recent, oldestFree: this.#free[0] }));
        } catch (error) {
          reject(error);
        }
      };
      this.#between.push({ run, reject });
      if (!this.#isRunning) void this.#loop();
    });
  }

  /** Work between steps has filled a free sequence: it counts as the last one that was used. */
  noteFilled(sequence: number): void {
    this.#free.splice(this.#free.indexOf(sequence), 1);
    this.#free.push(sequence);
    this.#recent = sequence;
  }

  /** @throws LimitError for a prompt longer than the context. */
  checkLength({ prompt: { length } }: ActiveGeneration): void {
    const { contextLength } = this.#session.cache;
    if (length <= contextLength) return;
    throw new LimitError(
      `the prompt has ${counted(length, "token")}, the context ${contextLength}; raise the context or shorten the prompt`,
    );
  }

  /** Ends everything that is queued or running. */
  abortAll(): void {
    for (const generation of this.#waiting) generation.finish("abort");
    for (const seat of this.#seats) seat.generation.finish("abort");
  }

  async #loop(): Promise<void> {
    this.#isRunning = true;
    try {
      for (;;) {
        while (this.#between.length > 0) await this.#between.shift()?.run();
        this.#seatWaiting();
        if (this.#seats.length === 0) break;
        await this.#step();
        if (this.#seats.some(hasEnded)) this.#leave();
      }
    } catch (error) {
      this.#failure = error ?? new HearthError("a step failed without a reason");
      for (const { generation } of this.#seats) generation.fail(error);
      for (const generation of this.#waiting) generation.fail(error);
      for (const { reject } of this.#between.splice(0)) reject(error);
      this.#seats = [];
      this.#waiting.length = 0;
    } finally {
      this.#isRunning = false;
    }
  }

  /** Makes no objects of its own: `#outputSeats` is the same array in every step. */
  async #step(): Promise<void> {
    const session = this.#session;
    const outputSeats = this.#outputSeats;
    outputSeats.length = 0;
    for (const seat of this.#seats) this.#makeRoomInContext(seat);
    for (const seat of this.#seats) if (seat.generation.isAnswering) this.#addAnswer(seat);
    for (const seat of this.#seats) if (!seat.generation.isAnswering) this.#addPrompt(seat);
    let deciding = 1;
    for (const { generation } of outputSeats) {
      deciding = Math.max(deciding, generation.decidingLogits);
    }
    const read = session.cheapestRead(deciding);
    await session.run(read);
    for (const seat of this.#seats) this.#saveWhereDue(seat);
    for (const { generation } of this.#seats) generation.reportPromptProgress();
    for (const [output, seat] of outputSeats.entries()) {
      if (!hasEnded(seat)) this.#accept(seat, read, output);
    }
  }

  /** An error of one answer (its sampler, its detokenizer, its stop texts) ends that answer alone. */
  #accept({ generation, sequence }: Seat, read: ReadKind, output: number): void {
    const session = this.#session;
    try {
      if (read === "best") generation.acceptBest(session.best(output));
      else if (read === "largest") generation.acceptLargest(session.largest(output));
      else generation.accept(session.logits(output));
    } catch (error) {
      session.cache.truncate(sequence, 0);
      generation.fail(error);
    }
  }

  /** Adds the token that the answer goes on from, if it fits. */
  #addAnswer(seat: Seat): void {
    const session = this.#session;
    if (session.room > 0 && session.outputRoom > 0) this.#addForOutput(seat, "answer");
  }

  /** Adds the rows of a prompt that fit. The last one wants an output, from which the answer starts. */
  #addPrompt(seat: Seat): void {
    const session = this.#session;
    const { generation, sequence } = seat;
    if (generation.isFinished) return;
    const until = seat.savedAt[0] ?? Number.POSITIVE_INFINITY;
    while (
      session.room > 0 &&
      generation.pendingCount > 1 &&
      session.cache.length(sequence) < until
    ) {
      session.add(sequence, generation.takePending());
    }
    if (session.room === 0 || session.outputRoom === 0 || generation.pendingCount !== 1) return;
    this.#addForOutput(seat, "prompt");
  }

  #addForOutput(seat: Seat, purpose: RowPurpose): void {
    this.#session.addForOutput(seat.sequence, seat.generation.takePending(), purpose);
    this.#outputSeats.push(seat);
  }

  /** Ends a generation whose context is full, or makes it read its newer half again. */
  #makeRoomInContext(seat: Seat): void {
    const { generation, sequence } = seat;
    const session = this.#session;
    const { cache } = session;
    if (generation.isFinished) return;
    if (cache.length(sequence) + generation.pendingCount <= cache.contextLength) return;
    if (generation.settings.whenFull === "finish") {
      generation.finish("context");
      return;
    }
    // Keeps the first token (BOS), where there is room for another, and the newer half: that is read again at its new
    // positions.
    const fixed = Math.min(1, cache.contextLength - 1);
    const kept = Math.max(1, Math.floor(cache.contextLength / 2));
    const newer = Array.from(cache.tokens(sequence).slice(-kept));
    const first = Array.from(cache.tokens(sequence).slice(0, fixed));
    while (generation.pendingCount > 0) newer.push(generation.takePending());
    const again = newer.slice(-(cache.contextLength - fixed));
    generation.readAgain([...first.slice(session.keep(sequence, fixed)), ...again]);
    seat.savedAt = [];
  }

  #saveWhereDue(seat: Seat): void {
    const [due] = seat.savedAt;
    if (due === undefined || this.#session.cache.length(seat.sequence) < due) return;
    seat.savedAt = seat.savedAt.slice(1);
    this.#session.saveState(seat.sequence);
  }

  #leave(): void {
    for (const { sequence } of this.#seats.filter(hasEnded)) this.#free.push(sequence);
    this.#seats = this.#seats.filter((seat) => !hasEnded(seat));
  }

  /** False for a generation that failed before its first row. */
  #start(generation: ActiveGeneration, cached: number): boolean {
    try {
      generation.start(cached);
      return true;
    } catch (error) {
      generation.fail(error);
      return false;
    }
  }

  /** Gives free sequences to waiting generations. What any sequence holds of a prompt's beginning is not read again. */
  #seatWaiting(): void {
    const session = this.#session;
    for (;;) {
      while (this.#waiting[0]?.isFinished) this.#waiting.shift();
      const generation = this.#waiting[0];
      if (generation === undefined) return;
      const seating = chooseSeating(session.cache, generation.prompt, this.#free);
      if (seating === undefined) return;
      this.#waiting.shift();
      const { sequence, from, shared } = seating;
      const cached =
        from === sequence
          ? session.keep(sequence, seating.cached)
          : session.fork(from, sequence, seating.cached);
      // The end of the turn before: the next one may be asked again in other words.
      if (cached > 0) session.saveState(sequence);
      const { length } = generation.prompt;
      const savedAt = checkpointsOf({ length, cached, shared }, this.#checkpointsEach);
      if (!this.#start(generation, cached)) continue;
      this.#free.splice(this.#free.indexOf(sequence), 1);
      this.#recent = sequence;
      this.#seats.push({ generation, sequence, savedAt });
    }
  }

  /** How many of a sequence are worth saving while it reads a prompt. */
  get #checkpointsEach(): number {
    const { checkpoints, sequences } = this.#session.cache;
    return Math.ceil(checkpoints / sequences);
  }
}

function hasEnded({ generation }: Seat): boolean {
  return generation.isFinished;
}
