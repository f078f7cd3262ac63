/** The thread that plans for the server: one question after the other, so that no answer waits for a plan. */
import { parentPort } from "node:worker_threads";
import { failureOf } from "../errors.ts";
import { answerPlanQuestion, type PlanQuestion, type PlanReply } from "./plan-question.ts";

const port = parentPort;
if (port === null) throw new Error("server/hearth/plan-worker.ts runs as a worker thread only");
port.on("message", (question: PlanQuestion) => {
  const reply = (message: PlanReply): void => port.postMessage(message);
  answerPlanQuestion(question).then(
    (value) => reply({ kind: "answer", value }),
    (error: unknown) => reply({ kind: "failure", failure: failureOf(error) }),
  );
});
