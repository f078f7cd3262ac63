/**
 * What a matrix product does with each of its sums before it is stored: bias, activation, residual.
 * `fn store(r: u32, m: u32, sum: f32)` takes row r of the (stacked) weight and row m of the step.
 */
import type { Activation } from "../../../ops/op.ts";
import {
  type Binding,
  type BufferSpec,
  reads,
  type ShapeFields,
  slotStride,
  writes,
} from "../kernel.ts";
import { activationCode } from "./activation.ts";

/** Rows [first, first + rows) of the stacked weight go to columns [0, rows) of this output. */
export interface ProductOutput {
  readonly buffer: BufferSpec;
  readonly first: number;
  readonly rows: number;
  readonly stride: number;
}

export interface Epilogue {
  readonly outputs: readonly ProductOutput[];
  readonly into: "assign" | "add";
  /** f32 [stacked rows]. */
  readonly bias?: BufferSpec;
  readonly activation?: Activation;
}

export function output(buffer: BufferSpec, range: { first: number; width: number }): ProductOutput {
  return { buffer, first: range.first, rows: range.width, stride: slotStride(range.width) };
}

export function epilogueBindings(epilogue: Epilogue): Binding[] {
  const bias = epilogue.bias === undefined ? [] : [reads("bias", "array<f32>", epilogue.bias)];
  return [
    ...bias,
    ...epilogue.outputs.map((out, i) => writes(`out${i}`, "array<f32>", out.buffer)),
  ];
}

/** What the code below needs of the kernel's uniform. */
export function epilogueShape({ outputs }: Epilogue): ShapeFields {
  return Object.fromEntries(
    outputs.flatMap(({ first, rows, stride }, i) => [
      [`first${i}`, first],
      [`end${i}`, first + rows],
      [`stride${i}`, stride],
    ]),
  );
}

export function epilogueCode(epilogue: Epilogue): string {
  const act = epilogue.activation;
  const biased = epilogue.bias === undefined ? "sum" : "sum + bias[r]";
  const assign = epilogue.into === "add" ? "+=" : "=";
  const stores = epilogue.outputs.map(
    (_, i) =>
      `if (r >= shape.first${i} && r < shape.end${i}) { out${i}[m * shape.stride${i} + r - shape.first${i}] ${assign} value; }`,
  );
  return `${act === undefined ? "" : activationCode(act)}
fn store(r: u32, m: u32, sum: f32) {
  let value = ${act === undefined ? biased : `act(${biased})`};
  ${stores.join("\n  ")}
}
`;
}
