/** The evaluation tasks by name, and which of their questions are asked. */
import { UnsupportedError } from "../../../core/errors.ts";
import { createRandom } from "../../../core/random.ts";
import { arcChallenge, arcEasy } from "./arc.ts";
import { mmlu } from "./mmlu.ts";
import type { EvalTask, Question, TaskName } from "./question.ts";
import { copa, piqa, rte } from "./two-choice-tasks.ts";
import { winogrande } from "./winogrande.ts";

const tasks: readonly EvalTask[] = [piqa, winogrande, rte, copa, arcEasy, arcChallenge, mmlu];

export const taskNames: readonly TaskName[] = tasks.map(({ name }) => name);

/** @throws UnsupportedError naming the tasks there are. */
export function findTask(name: string): EvalTask {
  const task = tasks.find((candidate) => candidate.name === name);
  if (task === undefined) throw new UnsupportedError(`task ${name}`, taskNames);
  return task;
}

export interface QuestionChoice {
  /** At most this many questions of each group, as the harness does: of each subject of mmlu, of any other task as a whole. */
  readonly limit?: number;
  /** Draws them; without a seed they are the first. Their order stays that of the data. */
  readonly seed?: number;
}

export function selectQuestions(
  questions: readonly Question[],
  { limit, seed }: QuestionChoice,
): readonly Question[] {
  if (limit === undefined) return questions;
  const groups = [...new Set(questions.map(({ group }) => group))];
  return groups.flatMap((name) => {
    const group = questions.filter(({ group }) => group === name);
    return selectOf(group, limit, seed);
  });
}

function selectOf(
  group: readonly Question[],
  limit: number,
  seed: number | undefined,
): readonly Question[] {
  if (seed === undefined || limit >= group.length) return group.slice(0, limit);
  const random = createRandom(seed);
  const keyed = group.map((question, place) => ({ question, place, key: random.uniform() }));
  const drawn = keyed.toSorted((a, b) => a.key - b.key).slice(0, limit);
  return drawn.toSorted((a, b) => a.place - b.place).map(({ question }) => question);
}
