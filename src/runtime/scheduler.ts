/**
 * The step loop: gives every generation a sequence of the session and runs them together, step after step. Who waits how
 * long is decided by waiting-queue.ts, who gets which rows of a step by share-out.ts.
 */
import {
  HearthError,
  type LimitError,
  PromptTooLongError,
  QueueFullError,
} from "../core/errors.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { type Activity, TurnTimes } from "./activity.ts";
import { checkpointsOf } from "./checkpoints.ts";
import { EmbeddedRows } from "./embedded-rows.ts";
import { makeRoomInContext } from "./full-context.ts";
import type { Found } from "./prefix/page-tree.ts";
import type { PrefixCache } from "./prefix/prefix-cache.ts";
import { Remembering } from "./prefix/remembering.ts";
import { Seat, type SequenceWork } from "./seat.ts";
import { chooseSeating, freshSeating, type Seating } from "./seating.ts";
import type { Session } from "./session.ts";
import { type Policy, type Share, type StepRoom, shareOut } from "./share-out.ts";
import { nextShown } from "./shown-tokens.ts";
import { StepOutputs } from "./step-outputs.ts";
import { WaitingQueue } from "./waiting-queue.ts";

interface BetweenSteps {
  readonly run: () => Promise<void>;
  readonly reject: (error: unknown) => void;
}

/** What work between steps finds. */
export interface SequencesInUse {
  /** The sequence of the last answer, which may still be written; undefined before the first. */
  readonly recent: number | undefined;
  /** Whether it is written no more. */
  readonly isRecentFree: boolean;
  /** Without an answer, left longest ago; undefined where all are being written in. */
  readonly oldestFree: number | undefined;
}

export interface SchedulerOptions {
  /** Answers that may wait for a sequence. Default: any number. */
  readonly maxQueue?: number;
  /** Default: prompts fill each step. */
  readonly policy?: Policy;
  /** Remembers conversations that left their sequences. Default: they are forgotten. */
  readonly prefixes?: PrefixCache;
  /** Bytes that are copied to and from there between two steps. Default: what takes less time than a slice of a prompt. */
  readonly copySlice?: Bytes;
}

export class Scheduler {
  readonly #session: Session;
  readonly #maxQueue: number;
  readonly #policy: Policy;
  readonly #waiting = new WaitingQueue();
  #seats: Seat[] = [];
  /** How many seats were ever given. */
  #seated = 0;
  /** Sequences without an answer, the one that was left longest ago first. */
  readonly #free: number[];
  readonly #outputs: StepOutputs;
  readonly #embeddedRows: EmbeddedRows;
  /** What each seat gets of the step. */
  readonly #shares: Share[] = [];
  readonly #room: { -readonly [Key in keyof StepRoom]: StepRoom[Key] };
  /** Work to be done between two steps. */
  readonly #between: BetweenSteps[] = [];
  /** The sequence that was given to an answer last. */
  #recent: number | undefined;
  readonly #remembering: Remembering | undefined;
  /** The answer whose beginning is being copied into its sequence. */
  #bringing: SequenceWork | undefined;
  #isRunning = false;
  #failure: unknown;
  readonly #turns = new TurnTimes();
  /** Whose token the step shows, where somebody looks. */
  #watched: Seat | undefined;

  constructor(session: Session, options: SchedulerOptions = {}) {
    const { maxRows } = session.program;
    this.#session = session;
    this.#outputs = new StepOutputs(session);
    this.#embeddedRows = new EmbeddedRows(session);
    this.#maxQueue = options.maxQueue ?? Number.POSITIVE_INFINITY;
    this.#remembering =
      options.prefixes && new Remembering(session, options.prefixes, options.copySlice);
    this.#policy = options.policy ?? { slice: maxRows };
    this.#room = { rows: maxRows, outputs: session.program.maxOutputs, turn: 0 };
    this.#free = Array.from({ length: session.cache.sequences }, (_, i) => i);
  }

  /** Why no step can run any more: the error of the step that failed. Undefined while steps can run. */
  get failure(): unknown {
    return this.#failure;
  }

  get activity(): Activity {
    const { sequences } = this.#session.cache;
    const free = this.#freePlaces;
    const waiting = this.#waiting.length;
    return {
      running: sequences - free,
      waiting,
      expectedWait: this.#turns.expectedWait(waiting + 1 - free, sequences),
      rememberedBytes: this.#remembering?.bytes ?? 0,
    };
  }

  /**
   * Queues an answer or an embedding; it starts as soon as a sequence is free. It fails with LimitError for a prompt longer than the
   * context, QueueFullError, or `failure`: all that stands in an answer's way comes through its own door.
   */
  submit(generation: SequenceWork): void {
    const refusal = this.#failure ?? this.tooLong(generation) ?? this.#queueFull();
    if (refusal !== undefined) {
      generation.fail(refusal);
      return;
    }
    this.#waiting.add(generation);
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
          const recent = this.#recent;
          const isRecentFree = recent !== undefined && this.#free.includes(recent);
          resolve(await work({ recent, isRecentFree, oldestFree: this.#free[0] }));
        } catch (error) {
          reject(error);
        }
      };
      this.#between.push({ run, reject });
      if (!this.#isRunning) void this.#loop();
    });
  }

  /** Copies all sequences that are remembered nowhere, but those that are written in. */
  remember(): Promise<void> {
    return this.between(async () => {
      await this.#remembering?.finish();
      while (this.#keepOne()) await this.#remembering?.finish();
    });
  }

  /** Work between steps has filled a free sequence: it counts as the last one that was used. */
  noteFilled(sequence: number): void {
    this.#free.splice(this.#free.indexOf(sequence), 1);
    this.#free.push(sequence);
    this.#recent = sequence;
    this.#remembering?.begin(sequence);
  }

  /** Of a prompt that no sequence has room for. */
  tooLong({ prompt: { length } }: Pick<SequenceWork, "prompt">): LimitError | undefined {
    const { contextLength } = this.#session.cache;
    return length > contextLength ? new PromptTooLongError(length, contextLength) : undefined;
  }

  /** Ends everything that is queued or running. */
  abortAll(): void {
    for (const generation of this.#waiting.takeAll()) generation.abort();
    this.#bringing?.abort();
    for (const seat of this.#seats) seat.generation.abort();
  }

  /** Sequences that are free, or will be when the step that runs is over. */
  get #freePlaces(): number {
    return this.#free.length + this.#seats.filter(hasEnded).length;
  }

  /** A free place is as good as one in the queue: the next step gives it away. */
  #queueFull(): QueueFullError | undefined {
    const waiting = this.#waiting.length - this.#freePlaces;
    if (waiting < this.#maxQueue) return undefined;
    return new QueueFullError(waiting, this.activity.expectedWait);
  }

  async #loop(): Promise<void> {
    this.#isRunning = true;
    try {
      for (;;) {
        if (this.#between.length > 0 || this.#waiting.length > 0) this.#remembering?.giveWay();
        while (this.#between.length > 0) await this.#between.shift()?.run();
        this.#seatWaiting();
        this.#waiting.reportPlaces();
        if (this.#remembering?.isCopying) await this.#remembering.advance();
        else if (this.#seats.length === 0 && !this.#keepOne()) break;
        if (this.#seats.length === 0) continue;
        await this.#step();
        if (this.#seats.some(hasEnded)) this.#leave();
      }
    } catch (error) {
      this.#failure = error ?? new HearthError("a step failed without a reason");
      for (const { generation } of this.#seats) generation.fail(error);
      this.#bringing?.fail(error);
      for (const generation of this.#waiting.takeAll()) generation.fail(error);
      for (const { reject } of this.#between.splice(0)) reject(error);
      this.#seats = [];
    } finally {
      this.#isRunning = false;
    }
  }

  /** Makes no objects of its own: arrays, room and shares are the same in every step. */
  async #step(): Promise<void> {
    const session = this.#session;
    const outputs = this.#outputs;
    for (const seat of this.#seats) makeRoomInContext(session, seat);
    this.#watched = nextShown(this.#seats);
    shareOut(this.#seats, this.#room, this.#policy, this.#shares);
    this.#room.turn++;
    // Rows of answers come first in a step.
    for (let i = 0; i < this.#seats.length; i++) this.#addAnswer(this.#seats[i], this.#shares[i]);
    const answers = session.rowCount;
    for (let i = 0; i < this.#seats.length; i++) this.#addPrompt(this.#seats[i], this.#shares[i]);
    const prompts = session.rowCount - answers;
    const startedAt = performance.now();
    await session.run(outputs.chooseRead(), this.#embeddedRows.wanted);
    this.#policy.noteStep?.({ answers, prompts, took: performance.now() - startedAt });
    const step = session.takeShown();
    if (step !== undefined) this.#watched?.shown?.note(step);
    for (const seat of this.#seats) this.#saveWhereDue(seat);
    for (const { generation, kept } of this.#seats) {
      if (generation.kind === "answer" && kept === undefined) generation.reportPromptProgress();
    }
    this.#embeddedRows.accept();
    // Who came meanwhile has a sequence first: answers may begin together with those.
    this.#seatWaiting();
    outputs.accept(this.#seats);
  }

  #addAnswer(seat: Seat | undefined, share: Share | undefined): void {
    if (seat === undefined || share === undefined) return;
    if (!seat.isAnswering || share.rows === 0) return;
    const { generation, sequence } = seat;
    for (let row = share.outputs; row < share.rows; row++) {
      this.#session.add(sequence, generation.takePending(), "answer");
    }
    share.rows = 0;
    if (share.outputs === 0) return;
    this.#session.addForOutput(sequence, generation.takePending(), "answer");
    if (seat === this.#watched) this.#session.showLast();
    this.#outputs.add(seat);
  }

  /** The last row of a prompt wants an output, from which the answer starts. */
  #addPrompt(seat: Seat | undefined, share: Share | undefined): void {
    if (seat === undefined || share === undefined || share.rows === 0) return;
    const { generation, sequence } = seat;
    if (generation.kind === "embedding") {
      this.#embeddedRows.add(generation, sequence, share.rows);
      return;
    }
    for (let row = share.outputs; row < share.rows; row++) {
      this.#session.add(sequence, generation.takePending());
    }
    if (share.outputs === 0) return;
    this.#session.addForOutput(sequence, generation.takePending(), "prompt");
    this.#outputs.add(seat);
  }

  #saveWhereDue(seat: Seat): void {
    const [due] = seat.savedAt;
    if (due === undefined || this.#session.cache.length(seat.sequence) < due) return;
    seat.savedAt = seat.savedAt.slice(1);
    this.#session.saveState(seat.sequence);
  }

  #leave(): void {
    for (const { generation, sequence, since } of this.#seats.filter(hasEnded)) {
      this.#free.push(sequence);
      // Nobody goes on from a text that was embedded.
      if (generation.kind === "embedding") this.#session.keep(sequence, 0);
      this.#turns.note(performance.now() - since);
    }
    this.#seats = this.#seats.filter((seat) => !hasEnded(seat));
  }

  /** False for a generation that failed before its first row. */
  #start(generation: SequenceWork, cached: number): boolean {
    if (generation.kind === "embedding") return true;
    generation.noteQueued(0);
    try {
      generation.start(cached, this.#session.cache.contextLength);
      return true;
    } catch (error) {
      generation.fail(error);
      return false;
    }
  }

  /**
   * Gives free sequences to waiting generations. What any sequence holds of a prompt's beginning is not read again, nor what
   * is remembered of it; a sequence that is remembered nowhere is copied before it goes to another conversation.
   */
  #seatWaiting(): void {
    const { cache } = this.#session;
    for (;;) {
      const generation = this.#waiting.first;
      if (generation === undefined) return;
      const { prompt } = generation;
      const { readsAll } = generation;
      const seating = readsAll
        ? freshSeating(this.#free)
        : chooseSeating(cache, prompt, this.#free);
      if (seating === undefined) return;
      const { sequence, from } = seating;
      const found = readsAll ? undefined : this.#remembering?.better(prompt, seating);
      const kept = found === undefined && from === sequence ? seating.cached : 0;
      const isFirstCopied = this.#remembering?.forgets(sequence, kept) === true;
      if ((isFirstCopied || found !== undefined) && this.#remembering?.isCopying) return;
      if (isFirstCopied) {
        this.#take(sequence);
        this.#remembering?.keep(sequence, false, () => this.#free.unshift(sequence));
        return;
      }
      this.#waiting.remove(generation);
      if (generation.isFinished) continue;
      this.#take(sequence);
      if (found === undefined) this.#goOn(generation, seating);
      else this.#bring(generation, seating, found);
    }
  }

  /** In what the sequences hold. */
  #goOn(generation: SequenceWork, { sequence, from, shared, ...seating }: Seating): void {
    const session = this.#session;
    const cached =
      from === sequence
        ? session.keep(sequence, seating.cached)
        : session.fork(from, sequence, seating.cached);
    this.#begin(generation, { sequence, cached, shared });
  }

  /** In what is remembered: the answer begins when that is copied. */
  #bring(generation: SequenceWork, { sequence, shared }: Seating, found: Found): void {
    this.#bringing = generation;
    this.#remembering?.bring(sequence, found, (cached) => {
      this.#bringing = undefined;
      this.#begin(generation, { sequence, cached, shared: Math.max(shared, found.common) });
    });
  }

  #begin(
    generation: SequenceWork,
    at: { readonly sequence: number; readonly cached: Tokens; readonly shared: Tokens },
  ): void {
    const session = this.#session;
    const { sequence, cached, shared } = at;
    // The end of the turn before: the next one may be asked again in other words.
    if (cached > 0) session.saveState(sequence);
    const { length } = generation.prompt;
    const isRead = generation.kind === "embedding";
    const each = isRead ? 0 : this.#checkpointsEach;
    const savedAt = checkpointsOf({ length, cached, shared }, each);
    if (generation.isFinished || !this.#start(generation, cached)) {
      this.#free.push(sequence);
      return;
    }
    this.#recent = sequence;
    this.#remembering?.begin(sequence);
    const number = this.#seated++;
    this.#seats.push(new Seat(generation, { sequence, number, savedAt, cache: session.cache }));
  }

  #take(sequence: number): void {
    this.#free.splice(this.#free.indexOf(sequence), 1);
  }

  /** While nothing runs: copies a sequence that is remembered nowhere. False where there is none. */
  #keepOne(): boolean {
    const sequence = this.#free.find((free) => this.#remembering?.forgets(free, 0));
    if (sequence === undefined) return false;
    this.#remembering?.keep(sequence, true);
    return true;
  }

  /** How many of a sequence are worth saving while it reads a prompt. */
  get #checkpointsEach(): number {
    const { checkpoints, sequences } = this.#session.cache;
    return Math.ceil(checkpoints / sequences);
  }
}

function hasEnded(seat: Seat): boolean {
  return seat.hasEnded;
}
