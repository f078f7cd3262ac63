/** Cases of routers: every way to choose experts and to weigh them. */
import type { Router } from "../../ops/op.ts";
import type { CaseScript, ConformanceCase } from "./case.ts";
import { type CaseData, createCaseData } from "./case-data.ts";
import { runsOf } from "./cases-rows.ts";
import { createProgramBuilder, memoryWeight } from "./program-builder.ts";

export function routeCases(): readonly ConformanceCase[] {
  return [...routeShapes.map(routeCase), tiesCase(), ...notFiniteShapes.map(notFiniteCase)];
}

interface RouteShape {
  readonly experts: number;
  readonly used: number;
  readonly scores: Router["scores"];
  readonly has?: readonly ("bias" | "factors" | "groups" | "norm" | "scale")[];
}

const routeShapes: readonly RouteShape[] = [
  { experts: 8, used: 2, scores: "softmax", has: ["norm"] },
  { experts: 60, used: 4, scores: "softmax" },
  { experts: 128, used: 8, scores: "softmax", has: ["norm", "factors"] },
  { experts: 256, used: 8, scores: "sigmoid", has: ["bias", "groups", "norm", "scale"] },
  { experts: 160, used: 6, scores: "softmax", has: ["groups", "scale"] },
  { experts: 64, used: 6, scores: "sigmoid", has: ["bias", "norm"] },
  { experts: 512, used: 10, scores: "softmax", has: ["bias"] },
  { experts: 32, used: 4, scores: "softmax-of-chosen" },
  { experts: 4, used: 4, scores: "softmax-of-chosen", has: ["scale"] },
  { experts: 3, used: 1, scores: "sigmoid" },
];

function routeCase(shape: RouteShape): ConformanceCase {
  const { experts, used, scores, has = [] } = shape;
  const having = has.length === 0 ? "" : `, with ${has.join(", ")}`;
  return {
    name: `chooses ${used} of ${experts} experts by ${scores}${having}`,
    scale: "small",
    traits: { op: "route" },
    build: () => {
      const data = createCaseData(experts + used);
      return routeScript(shape, data, (rows) => distinctLogits(rows, experts, data));
    },
  };
}

function routeScript(
  { experts, used, ...rest }: RouteShape,
  data: CaseData,
  logits: (rows: number) => Float32Array,
): CaseScript {
  const builder = createProgramBuilder();
  const x = builder.slot("x", experts);
  const out = builder.slot("routes", 2 * used);
  const router = makeRouter({ experts, used, ...rest }, data);
  builder.segment([{ kind: "route", x, out, router }], [out]);
  const program = builder.build({ maxRows: 33 });
  const actions = runsOf(program, [1, 2, 33], (rows) => [
    { kind: "write", slot: x, data: logits(rows) },
  ]);
  return { program, actions };
}

function makeRouter({ experts, scores, has = [] }: RouteShape, data: CaseData): Router {
  const vector = (name: string, values: Float32Array) =>
    memoryWeight(name, "F32", [1, experts], values);
  return {
    scores,
    normalise: has.includes("norm"),
    scale: has.includes("scale") ? 2.5 : 1,
    ...(has.includes("bias") && { bias: vector("bias", data.normal(experts, 0.2)) }),
    ...(has.includes("factors") && {
      factors: vector(
        "factors",
        data.normal(experts, 0.2).map((value) => 1 + value),
      ),
    }),
    ...(has.includes("groups") && { groups: { count: 8, used: 3 } }),
  };
}

/** Multiples of 1/16 in a random order: never equal, and never nearly so. */
export function distinctLogits(rows: number, experts: number, { random }: CaseData): Float32Array {
  const logits = new Float32Array(rows * experts);
  for (let row = 0; row < rows; row++) {
    const order = Array.from({ length: experts }, (_, i) => i);
    for (let i = experts - 1; i > 0; i--) {
      const other = random.integer(i + 1);
      [order[i], order[other]] = [order[other]!, order[i]!];
    }
    logits.set(
      order.map((place) => (place - experts / 2) / 16),
      row * experts,
    );
  }
  return logits;
}

function tiesCase(): ConformanceCase {
  return {
    name: "chooses the lower id of experts with equal logits",
    scale: "small",
    traits: { op: "route" },
    build: () => {
      const experts = 70;
      const data = createCaseData(31);
      const shape: RouteShape = { experts, used: 6, scores: "softmax", has: ["norm"] };
      return routeScript(shape, data, (rows) =>
        new Float32Array(rows * experts).map(() => data.random.integer(3)),
      );
    },
  };
}

/** Of sigmoids and of raw logits, those of the first ids are numbers although another is NaN. */
const notFiniteShapes: readonly RouteShape[] = [
  { experts: 40, used: 3, scores: "softmax", has: ["norm"] },
  { experts: 40, used: 3, scores: "sigmoid", has: ["bias", "norm"] },
  { experts: 40, used: 3, scores: "sigmoid" },
  { experts: 40, used: 3, scores: "softmax-of-chosen" },
];

function notFiniteCase(shape: RouteShape): ConformanceCase {
  const { experts, scores, has = [] } = shape;
  const having = has.length === 0 ? "" : `, with ${has.join(", ")}`;
  return {
    name: `weighs by NaN where a logit is NaN or a ${scores} has none, and leaves other rows alone${having}`,
    scale: "small",
    traits: { op: "route" },
    build: () => {
      const data = createCaseData(37);
      return routeScript(shape, data, (rows) => {
        const logits = distinctLogits(rows, experts, data);
        if (rows > 1) logits[experts + 7] = Number.NaN;
        if (rows > 2 && scores === "softmax") logits[2 * experts + 39] = Number.POSITIVE_INFINITY;
        return logits;
      });
    },
  };
}
