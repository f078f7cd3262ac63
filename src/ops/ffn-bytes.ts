/** How many weight bytes a feed-forward block reads, by its method: what the counters of all backends report. */
import { rowBytes, weightBytes } from "../core/dtype.ts";
import type { Bytes } from "../core/units.ts";
import type { FfnBlock, Predictor } from "./op.ts";

/** Neurons of a step, each counted once for all its rows. */
export interface NeuronUse {
  /** Active neurons. */
  readonly active: number;
  /** Neurons whose part of the down projection is read. */
  readonly down: number;
}

/** Neurons that the block may compute. */
export function candidateCount({ subset, neurons }: FfnBlock): number {
  return subset?.length ?? neurons;
}

/** Bytes that a predictor reads for all neurons of a block. */
export function predictorBytes(predictor: Predictor): Bytes {
  if (predictor.kind === "sign") return predictor.signs.length;
  return weightBytes(predictor.fc1) + weightBytes(predictor.fc2);
}

/** Bytes read when each weight is read once for all rows of the step, biases left out. */
export function ffnBytes(block: FfnBlock, { active, down }: NeuronUse): Bytes {
  const { method, gate, up, dim } = block;
  const all = candidateCount(block);
  const upRow = rowBytes(up.type, dim);
  const gateRow = gate === undefined ? 0 : rowBytes(gate.type, dim);
  const downBytes = (weightBytes(block.down.weight) / block.neurons) * down;
  switch (method.kind) {
    case "dense":
    case "threshold-output":
      return all * (upRow + gateRow) + downBytes;
    case "gate":
    case "threshold-gate":
      return gate === undefined
        ? all * upRow + downBytes
        : all * gateRow + active * upRow + downBytes;
    case "mlp": {
      const { fc1, fc2 } = method;
      const predictor = weightBytes(fc1) + all * rowBytes(fc2.type, fc2.columns);
      return predictor + active * (upRow + gateRow) + downBytes;
    }
    case "sign": {
      const predictor = (method.signs.length / block.neurons) * all;
      return predictor + active * (upRow + gateRow) + downBytes;
    }
    case "given":
      return method.predictorBytes + active * (upRow + gateRow) + downBytes;
    default:
      return method satisfies never;
  }
}
