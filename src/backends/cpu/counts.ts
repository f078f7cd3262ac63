/** The addon's counts, plain numbers, as a backend reports them: of blocks, of their neurons, of matmuls over channels. */
import type { Program } from "../../ops/program.ts";
import { candidatesOf, opsOfKind } from "../../ops/program-ops.ts";
import type { Addon } from "../addon.ts";
import type { ActiveSet, ChannelCounts, FfnCounts, NeuronCounts } from "../backend.ts";

export function ffnCounts(numbers: readonly number[]): readonly FfnCounts[] {
  const counts: FfnCounts[] = [];
  for (let at = 0; at + 8 <= numbers.length; at += 8) {
    const [
      layer = 0,
      active = 0,
      rows = 0,
      neurons = 0,
      bytesTouched = 0,
      predictorTime = 0,
      time = 0,
      ofExperts = 0,
    ] = numbers.slice(at, at + 8);
    const sums = { layer, active, rows, neurons, bytesTouched };
    if (ofExperts === 1) counts.push({ ...sums, ofExperts: true, time });
    else counts.push({ ...sums, predictorTime, time });
  }
  return counts.sort((a, b) => a.layer - b.layer);
}

export function neuronCounts(
  program: Program,
  counted: ReturnType<Addon["neuronCounts"]>,
): readonly NeuronCounts[] {
  const ffns = opsOfKind(program, "ffn");
  return ffns.flatMap(({ block }, at) => {
    const { rows = 0, active } = counted[at] ?? {};
    if (active === undefined || rows === 0) return [];
    return [{ layer: block.layer, rows, neurons: candidatesOf(block), active }];
  });
}

export function activeSets(shown: ReturnType<Addon["activeSets"]>): readonly ActiveSet[] {
  return shown
    .map(
      ({ layer, ofExperts, ids }): ActiveSet =>
        ofExperts === 1 ? { layer, ofExperts: true, ids } : { layer, ids },
    )
    .sort((a, b) => a.layer - b.layer);
}

export function channelCounts(numbers: readonly number[]): readonly ChannelCounts[] {
  const counts: ChannelCounts[] = [];
  for (let at = 0; at + 4 <= numbers.length; at += 4) {
    const [rows = 0, channels = 0, bytesTouched = 0, bytesDense = 0] = numbers.slice(at, at + 4);
    counts.push({ rows, channels, bytesTouched, bytesDense });
  }
  return counts;
}
