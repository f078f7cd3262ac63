/**
 * Log-likelihoods of choices by a session. Questions share steps; what all questions of a group begin with (solved
 * examples) is computed once, and what the choices of a question have in common once more. Which rows share a step
 * does not depend on what is already known, so an evaluation that goes on gives the bits of one that never stopped.
 */

import { finiteLogSumExp } from "../../../runtime/sampling/logprobs.ts";
import type { Session } from "../../../runtime/session.ts";
import type { Tokenizer } from "../../../text/tokenizer.ts";
import { type EncodedQuestion, encodeQuestion, sharedLength } from "./encode-question.ts";
import type { Question } from "./question.ts";

export interface ScoredQuestion {
  readonly logLikelihoods: readonly number[];
  /** Its beginning did not fit into the context and was left out, as in the harness. */
  readonly truncated: boolean;
}

export interface ScoringModel {
  /** With a sequence for each choice of a question, and one more. */
  readonly session: Session;
  readonly tokenizer: Tokenizer;
}

export interface QuestionQueue {
  readonly questions: readonly Question[];
  readonly isKnown: (question: Question) => boolean;
  /** Called for each question that is not known, as soon as its batch is done. */
  readonly onScored: (question: Question, scored: ScoredQuestion) => void;
}

export async function scoreQuestions(model: ScoringModel, queue: QuestionQueue): Promise<void> {
  const groups = [...new Set(queue.questions.map(({ group }) => group))];
  for (const name of groups) {
    const questions = queue.questions.filter(({ group }) => group === name);
    if (!questions.every(queue.isKnown)) await scoreGroup(model, { ...queue, questions });
  }
}

interface QueuedQuestion {
  readonly question: Question;
  readonly encoded: EncodedQuestion;
}

/** Holds what all questions of the group begin with; the others are for lanes. */
const home = 0;

async function scoreGroup(model: ScoringModel, queue: QuestionQueue): Promise<void> {
  const { session, tokenizer } = model;
  const { contextLength, sequences } = session.cache;
  const queued = queue.questions.map((question): QueuedQuestion => {
    return { question, encoded: encodeQuestion(question, tokenizer, contextLength) };
  });
  const shared = sharedLength(queued.flatMap(({ encoded }) => encoded.lanes));
  session.cache.truncate(home, 0);
  const runner = new StepRunner(session);
  const beginning = queued[0]?.encoded.lanes[0]?.inputs.slice(0, shared) ?? [];
  for (const token of beginning) await runner.add(home, token);
  await runner.flush();
  for (const batch of batchesOf(queued, sequences - 1)) {
    if (batch.every(({ question }) => queue.isKnown(question))) continue;
    const scores = await scoreBatch(session, shared, batch);
    batch.forEach(({ question, encoded: { truncated } }, i) => {
      if (queue.isKnown(question)) return;
      queue.onScored(question, { logLikelihoods: scores[i] ?? [], truncated });
    });
  }
}

function batchesOf(
  queued: readonly QueuedQuestion[],
  laneRoom: number,
): readonly (readonly QueuedQuestion[])[] {
  const batches: QueuedQuestion[][] = [];
  let lanes = laneRoom;
  for (const one of queued) {
    lanes += one.encoded.lanes.length;
    if (lanes > laneRoom) {
      batches.push([]);
      lanes = one.encoded.lanes.length;
    }
    batches.at(-1)?.push(one);
  }
  return batches;
}

interface SeatedQuestion {
  readonly encoded: EncodedQuestion;
  readonly firstSequence: number;
  /** Tokens that all its lanes begin with. */
  readonly shared: number;
  readonly scores: number[];
}

/** `held`: tokens of the home sequence that all lanes begin with. */
async function scoreBatch(
  session: Session,
  held: number,
  batch: readonly QueuedQuestion[],
): Promise<readonly (readonly number[])[]> {
  const seated: SeatedQuestion[] = [];
  let next = home + 1;
  for (const { encoded } of batch) {
    const scores = encoded.choices.map(() => 0);
    const shared = encoded.lanes.length === 1 ? held : sharedLength(encoded.lanes);
    seated.push({ encoded, firstSequence: next, shared, scores });
    next += encoded.lanes.length;
  }
  await runSharedBeginnings(session, held, seated);
  const runner = new StepRunner(session);
  for (const { encoded, firstSequence, shared, scores } of seated) {
    for (const [lane, { inputs, firstOutput }] of encoded.lanes.entries()) {
      for (const [at, token] of inputs.entries()) {
        if (at < shared) continue;
        const visit = (logits: Float32Array): void =>
          addScores(logits, { encoded, lane, at, scores });
        await runner.add(firstSequence + lane, token, at < firstOutput ? undefined : visit);
      }
    }
  }
  await runner.flush();
  return seated.map(({ scores }) => scores);
}

/** Computes each question's shared beginning in its first sequence and hands it to its others. */
async function runSharedBeginnings(
  session: Session,
  held: number,
  seated: readonly SeatedQuestion[],
): Promise<void> {
  for (const { firstSequence } of seated) await session.copyPrefix(home, firstSequence, held);
  const runner = new StepRunner(session);
  for (const { encoded, firstSequence, shared } of seated) {
    const inputs = encoded.lanes[0]?.inputs ?? [];
    for (let at = held; at < shared; at++) await runner.add(firstSequence, inputs[at] ?? 0);
  }
  await runner.flush();
  for (const { encoded, firstSequence, shared } of seated) {
    for (let lane = 1; lane < encoded.lanes.length; lane++) {
      await session.copyPrefix(firstSequence, firstSequence + lane, shared);
    }
  }
}

/** The row at `at` foretells the token after it, for every choice of the lane that has one there. */
function addScores(
  logits: Float32Array,
  row: {
    readonly encoded: EncodedQuestion;
    readonly lane: number;
    readonly at: number;
    readonly scores: number[];
  },
): void {
  const { encoded, lane, at, scores } = row;
  const total = finiteLogSumExp(logits, at + 1);
  encoded.choices.forEach(({ tokens }, choice) => {
    if (encoded.laneOf[choice] !== lane) return;
    scores[choice] = (scores[choice] ?? 0) + (logits[tokens[at + 1] ?? 0] ?? 0) - total;
  });
}

type VisitLogits = (logits: Float32Array) => void;

/** Fills steps, runs them when they are full, and shows the logits that were wanted. */
class StepRunner {
  readonly #session: Session;
  #waiting: { readonly output: number; readonly visit: VisitLogits }[] = [];

  constructor(session: Session) {
    this.#session = session;
  }

  async add(sequence: number, token: number, visit?: VisitLogits): Promise<void> {
    const session = this.#session;
    if (session.room === 0 || session.outputRoom === 0) await this.flush();
    if (visit === undefined) session.add(sequence, token);
    else this.#waiting.push({ output: session.addForOutput(sequence, token, "prompt"), visit });
  }

  async flush(): Promise<void> {
    await this.#session.run();
    for (const { output, visit } of this.#waiting) visit(this.#session.logits(output));
    this.#waiting = [];
  }
}
