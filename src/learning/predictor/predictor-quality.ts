/**
 * How well scores separate active neurons from inactive ones, and the cut that reaches a target: for learned predictors
 * and for sign bits alike. A neuron is selected where its score ≥ the cut.
 */
import { type LayerRows, maskBytes } from "./train-rows.ts";

export interface SelectionQuality {
  /** Of active neurons, the share that is selected. */
  readonly recall: number;
  /** Of Σ|h|, the share that lies in selected neurons; NaN for rows without magnitudes. */
  readonly massRecall: number;
  /** Of selected neurons, the share that is active. */
  readonly precision: number;
  readonly activeShare: number;
  readonly selectedShare: number;
  /** Selected over active. */
  readonly ratio: number;
}

export interface SelectionTarget {
  /** Share of active neurons to be selected. */
  readonly recall: number;
  /** Share of Σ|h| to be selected. */
  readonly massRecall: number;
}

/** PowerInfer §5.1 asks for 95 %; the half per cent more is for text that calibration has not seen. */
export const defaultTarget: SelectionTarget = { recall: 0.955, massRecall: 0.991 };

/** scores [rows.count, neurons] */
export function measureSelection(
  scores: Float32Array,
  rows: LayerRows,
  cut: number,
): SelectionQuality {
  const { count, neurons, active: masks, magnitude } = rows;
  const bytes = maskBytes(neurons);
  let active = 0;
  let selected = 0;
  let both = 0;
  let mass = 0;
  let selectedMass = 0;
  for (let row = 0; row < count; row++) {
    for (let neuron = 0; neuron < neurons; neuron++) {
      const at = row * neurons + neuron;
      const isSelected = (scores[at] ?? 0) >= cut ? 1 : 0;
      selected += isSelected;
      if ((((masks[row * bytes + (neuron >> 3)] ?? 0) >> (neuron & 7)) & 1) === 0) continue;
      const ofMass = magnitude?.[at] ?? Number.NaN;
      active++;
      mass += ofMass;
      both += isSelected;
      selectedMass += isSelected * ofMass;
    }
  }
  const pairs = Math.max(1, rows.count * rows.neurons);
  return {
    recall: active === 0 ? 1 : both / active,
    massRecall: active === 0 ? 1 : selectedMass / mass,
    precision: selected === 0 ? 1 : both / selected,
    activeShare: active / pairs,
    selectedShare: selected / pairs,
    ratio: active === 0 ? Number.NaN : selected / active,
  };
}

/** Between the lowest and the highest score of an active neuron; a cut is a border of a bucket. */
const cutBuckets = 1 << 16;

/**
 * The highest cut at which the rows reach both targets (the mass one where there are magnitudes), at most a bucket
 * too low. Without active neurons nothing needs to be selected: infinity.
 */
export function chooseCut(scores: Float32Array, rows: LayerRows, target: SelectionTarget): number {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  visitActive(rows, (at) => {
    const score = scores[at] ?? 0;
    if (score < lowest) lowest = score;
    if (score > highest) highest = score;
  });
  if (lowest >= highest) return lowest;
  const counts = new Float64Array(cutBuckets);
  const masses = new Float64Array(cutBuckets);
  const perBucket = (highest - lowest) / cutBuckets;
  visitActive(rows, (at) => {
    const place = Math.floor(((scores[at] ?? 0) - lowest) / perBucket);
    const bucket = Math.min(cutBuckets - 1, place);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    masses[bucket] = (masses[bucket] ?? 0) + (rows.magnitude?.[at] ?? 0);
  });
  const wantedCount = target.recall * total(counts);
  const wantedMass = target.massRecall * total(masses);
  let count = 0;
  let mass = 0;
  let bucket = cutBuckets;
  while (bucket > 0 && (count < wantedCount || mass < wantedMass)) {
    bucket--;
    count += counts[bucket] ?? 0;
    mass += masses[bucket] ?? 0;
  }
  return lowest + bucket * perBucket;
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Calls `visit` for each active neuron of each row with its index in [rows.count, neurons]; eight at rest cost one look. */
function visitActive(rows: LayerRows, visit: (at: number) => void): void {
  const { count, neurons, active } = rows;
  const bytes = maskBytes(neurons);
  for (let row = 0; row < count; row++) {
    for (let byte = 0; byte < bytes; byte++) {
      let left = active[row * bytes + byte] ?? 0;
      while (left !== 0) {
        visit(row * neurons + 8 * byte + 31 - Math.clz32(left & -left));
        left &= left - 1;
      }
    }
  }
}
