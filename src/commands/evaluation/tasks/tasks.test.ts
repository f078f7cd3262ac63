/** Each task against prompts written out by hand from the harness's definition, on records made up for this test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FileFormatError } from "../../../core/errors.ts";
import { accuracyOf, differenceOf, scoreQuestion } from "./score.ts";
import { findTask, selectQuestions } from "./tasks.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-eval-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const load = (name: string, fewShot = 0) => findTask(name).load(folder, fewShot);

describe("piqa", () => {
  it("asks for a goal and scores both solutions, by likelihood and by likelihood per character", () => {
    put(
      "piqa/valid.jsonl",
      '{"goal":"Open a jar.","sol1":"Twist","sol2":"Twist the lid"}\n{"goal":"Boil","sol1":"a","sol2":"bé"}\n',
    );
    put("piqa/valid-labels.lst", "1\n0\n");
    const [first, second] = load("piqa");
    expect(first?.choices).toEqual([
      { context: "Question: Open a jar.\nAnswer:", continuation: " Twist", characters: 5 },
      { context: "Question: Open a jar.\nAnswer:", continuation: " Twist the lid", characters: 13 },
    ]);
    expect(second?.choices[1]?.characters).toBe(2);
    // −5 beats −6.5, but −6.5/13 = −0.5 beats −5/5 = −1.
    expect(scoreQuestion(first!, [-5, -6.5], "acc")).toBe(0);
    expect(scoreQuestion(first!, [-5, -6.5], "acc_norm")).toBe(1);
    // −1/1 = −1.0 ties with −2/2: the first counts, which is the right one here.
    expect(scoreQuestion(second!, [-1, -2], "acc_norm")).toBe(1);
  });

  it("says how many labels are missing, and on which line one is none", () => {
    put("piqa/valid-labels.lst", "1\n");
    expect(() => load("piqa")).toThrow("line 2: found 1 labels, expected 2");
    put("piqa/valid-labels.lst", "1\n7\n");
    expect(() => load("piqa")).toThrow(/line 2, label: found "7", expected one of 0, 1/);
    put("piqa/valid.jsonl", '{"goal":"g","sol1":"a","sol2":"b"}\n{"goal": \n');
    expect(() => load("piqa")).toThrow(FileFormatError);
    expect(() => load("piqa")).toThrow("line 2");
  });
});

describe("winogrande", () => {
  const contexts = [
    "The cup fell off the shelf because the cup",
    "The cup fell off the shelf because the shelf",
  ];
  const check = (): void => {
    const [question] = load("winogrande");
    expect(question?.choices.map(({ context }) => context)).toEqual(contexts);
    expect(question?.choices.map(({ continuation }) => continuation)).toEqual([
      " was round.",
      " was round.",
    ]);
    expect(question?.gold).toBe(0);
    expect(scoreQuestion(question!, [-3, -4], "acc")).toBe(1);
  };

  it("fills the blank into the context and scores what follows it", () => {
    put(
      "winogrande/dev.jsonl",
      '{"sentence":"The cup fell off the shelf because the _ was round.","option1":"cup","option2":"shelf","answer":"1"}\n',
    );
    check();
    rmSync(join(folder, "winogrande/dev.jsonl"));
  });

  it("reads the same from the instruction form, and refuses a sentence without a blank", () => {
    const item = (blank: string): string =>
      JSON.stringify([
        {
          instruction: `Please choose the correct answer to fill in the blank to complete the given sentence: The cup fell off the shelf because the ${blank} was round.\n\nOption1: cup Option2: shelf Answer format: option1/option2`,
          answer: "option1",
        },
      ]);
    put("winogrande/dev.json", item("_"));
    check();
    put("winogrande/dev.json", item("cup"));
    expect(() => load("winogrande")).toThrow('line 1, sentence: found "The cup');
  });
});

describe("rte", () => {
  it("asks True or False; True is entailment", () => {
    put(
      "rte/dev.csv",
      'premise,hypothesis,label\n"Rain fell, all day.",It rained.,entailment\nSun.,It rained.,not_entailment\n',
    );
    const [first, second] = load("rte");
    expect(first?.choices).toEqual([
      {
        context: "Rain fell, all day.\nQuestion: It rained. True or False?\nAnswer:",
        continuation: " True",
        characters: 4,
      },
      {
        context: "Rain fell, all day.\nQuestion: It rained. True or False?\nAnswer:",
        continuation: " False",
        characters: 5,
      },
    ]);
    expect([first?.gold, second?.gold]).toEqual([0, 1]);
    expect(scoreQuestion(second!, [-0.7, -0.6], "acc")).toBe(1);
    put("rte/dev.csv", 'premise,hypothesis,label\n"Two\nlines",b,entailment\na,b\n');
    expect(() => load("rte")).toThrow("line 4: found 2 fields, expected 3");
    put("rte/dev.csv", "premise,hypothesis,label\na,b,maybe\n");
    expect(() => load("rte")).toThrow('line 2, label: found "maybe"');
  });
});

describe("copa", () => {
  const item = (id: number, asks: string, best: number): string =>
    `<item id="${id}" asks-for="${asks}" most-plausible-alternative="${best}">\n<p>Tom &amp; I slept.</p>\n<a1>It was night.</a1>\n<a2>We woke.</a2>\n</item>\n`;

  it("joins premise and alternative with because or therefore, and leaves mirrored items out", () => {
    put(
      "copa/balanced-copa-dev-all.xml",
      item(1, "cause", 1) + item(1001, "cause", 2) + item(2, "effect", 2),
    );
    const questions = load("copa");
    expect(questions.map(({ id, gold }) => [id, gold])).toEqual([
      ["1", 0],
      ["2", 1],
    ]);
    expect(questions[0]?.choices[0]).toEqual({
      context: "Tom & I slept because",
      continuation: "  it was night.",
      characters: 14,
    });
    expect(questions[1]?.choices[1]?.context).toBe("Tom & I slept therefore");
    expect(scoreQuestion(questions[1]!, [-9, -8], "acc")).toBe(1);
  });

  it("names the line of an item that is none", () => {
    put("copa/balanced-copa-dev-all.xml", `${item(1, "cause", 1)}<item id="2">\n`);
    expect(() => load("copa")).toThrow("line 6, item");
  });
});

describe("arc", () => {
  it("scores the texts of all answers, from either form", () => {
    const expected = [" a hat", " two. shoes", " a sock"];
    put(
      "arc/easy.json",
      JSON.stringify([
        {
          instruction:
            "Please choose the correct answer to the question: What goes on a head?\n\nAnswer1: a hat Answer2: two. shoes Answer3: a sock\n\nAnswer format: answer1/answer2/answer3",
          answer: "answer1",
        },
      ]),
    );
    put(
      "arc/ARC-Challenge-Test.jsonl",
      '{"id":"x","question":{"stem":"What goes on a head?","choices":[{"text":"a hat","label":"1"},{"text":"two. shoes","label":"2"},{"text":"a sock","label":"3"}]},"answerKey":"1"}\n',
    );
    for (const name of ["arc_easy", "arc_challenge"]) {
      const [question] = load(name);
      expect(question?.choices.map(({ continuation }) => continuation)).toEqual(expected);
      expect(question?.choices[0]?.context).toBe("Question: What goes on a head?\nAnswer:");
      // Characters 5, 10, 6: −4/5 = −0.8, −9/10 = −0.9, −3/6 = −0.5.
      expect(scoreQuestion(question!, [-4, -9, -3], "acc_norm")).toBe(0);
      expect(scoreQuestion(question!, [-2, -9, -3], "acc_norm")).toBe(1);
      expect(scoreQuestion(question!, [-2, -9, -3], "acc")).toBe(1);
    }
  });

  it("names the line in a JSON array on which a record is wrong", () => {
    put("arc/easy.json", '[\n  {"instruction": "nothing",\n   "answer": "answer1"}\n]');
    expect(() => load("arc_easy")).toThrow('line 2, instruction: found "nothing"');
    put("arc/easy.json", '[\n  {"instruction": "x"},\n  oops\n]');
    expect(() => load("arc_easy")).toThrow("line 3");
  });
});

describe("mmlu", () => {
  const header = "question,choice0,choice1,choice2,choice3,answer\n";
  const asked = "Two and two?\nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:";

  it("puts solved examples of the subject before the question and scores the letters", () => {
    put("mmlu/test/high_school_sums_test.csv", `${header}Two and two? ,3,4,5,6,1\n`);
    put("mmlu/dev/high_school_sums_dev.csv", "One and one?,1,2,3,4,B\nOne and two?,1,2,3,4,C\n");
    const title =
      "The following are multiple choice questions (with answers) about high school sums.\n\n";
    const [zero] = load("mmlu");
    expect(zero?.choices.map(({ context }) => context)).toEqual(Array(4).fill(title + asked));
    expect(zero?.choices.map(({ continuation }) => continuation)).toEqual([" A", " B", " C", " D"]);
    const example = "One and one?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B\n\n";
    expect(load("mmlu", 1)[0]?.choices[0]?.context).toBe(title + example + asked);
    expect(scoreQuestion(zero!, [-1.5, -1.4, -1.6, -3], "acc")).toBe(1);
    expect(() => load("mmlu", 3)).toThrow("found 2 examples, expected at least 3");
  });

  it("is limited by subject, in the data's order, and drawn by a seed", () => {
    const rows = Array.from({ length: 20 }, (_, i) => `q${i},1,2,3,4,0\n`).join("");
    put("mmlu/test/high_school_sums_test.csv", header + rows);
    put("mmlu/test/law_test.csv", `${header}q,1,2,3,4,9\n`);
    expect(() => load("mmlu")).toThrow('line 2, answer: found "9"');
    put("mmlu/test/law_test.csv", `${header}q,1,2,3,4,0\nr,1,2,3,4,0\n`);
    const questions = load("mmlu");
    const ids = (seed?: number): readonly string[] =>
      selectQuestions(questions, { limit: 3, ...(seed !== undefined && { seed }) }).map(
        (q) => q.id,
      );
    const sums = ["high_school_sums/0", "high_school_sums/1", "high_school_sums/2"];
    expect(ids()).toEqual([...sums, "law/0", "law/1"]);
    expect(ids(7)).toHaveLength(5);
    expect(ids(7)).toEqual(ids(7));
    expect(ids(7)).not.toEqual(ids(8));
    rmSync(join(folder, "mmlu"), { recursive: true });
    expect(() => load("mmlu")).toThrow("_test.csv");
  });
});

describe("many answers", () => {
  it("have the mean and the sample's standard error", () => {
    // Mean 3/4; Σ(x − mean)² = 3·(1/16) + 9/16 = 3/4; √(3/4 / 3 / 4) = 1/4.
    expect(accuracyOf([1, 1, 0, 1])).toEqual({ mean: 0.75, standardError: 0.25, questions: 4 });
  });

  it("are compared question by question", () => {
    // Differences 0, −1, 0, 1, −1: mean −1/5, Σ(d − mean)² = 3 − 5/25 = 2.8, √(2.8 / 4 / 5) = √0.14.
    const difference = differenceOf([1, 0, 0, 1, 0], [1, 1, 0, 0, 1]);
    expect(difference.mean).toBeCloseTo(-0.2, 12);
    expect(difference.standardError).toBeCloseTo(Math.sqrt(0.14), 12);
    expect([difference.gained, difference.lost]).toEqual([1, 2]);
  });
});
