/** Neurons by activation frequency, most active first, and the activation mass of their groups. */
import { OptionError } from "../core/errors.ts";
import type { Neurons } from "../core/units.ts";
import type { Activity } from "./placeable-model.ts";

/**
 * Neuron ids, most active first; equal ones by index.
 * Values are sorted without a comparator (native, 80 layers of 28 672 in a tenth of the time), then each id is
 * dealt to the next free place of its value, which keeps the order stable.
 * @throws OptionError for a frequency outside [0, 1] or a profile of another length.
 */
export function neuronsByActivity(activity: Activity, neuronCount: Neurons): Uint32Array {
  checkActivity(activity, neuronCount);
  const order = new Uint32Array(neuronCount);
  if (activity.kind === "uniform") return order.map((_, id) => id);
  const { frequencies } = activity;
  const ascending = Float64Array.from(frequencies).sort();
  const taken = new Uint32Array(neuronCount);
  for (let id = 0; id < neuronCount; id++) {
    const end = upperBound(ascending, frequencies[id] ?? 0);
    const place = neuronCount - end;
    order[place + (taken[place] ?? 0)] = id;
    taken[place] = (taken[place] ?? 0) + 1;
  }
  return order;
}

/** mass[n]: sum of the frequencies of the first n groups. [groups + 1] */
export function activityMass(
  activity: Activity,
  order: Uint32Array,
  groupSize: Neurons,
): Float64Array {
  const groups = Math.ceil(order.length / groupSize);
  const mass = new Float64Array(groups + 1);
  for (let group = 0; group < groups; group++) {
    const end = Math.min((group + 1) * groupSize, order.length);
    if (activity.kind === "uniform") {
      mass[group + 1] = end * activity.frequency;
      continue;
    }
    let sum = mass[group] ?? 0;
    for (let i = group * groupSize; i < end; i++) sum += activity.frequencies[order[i] ?? 0] ?? 0;
    mass[group + 1] = sum;
  }
  return mass;
}

function checkActivity(activity: Activity, neuronCount: Neurons): void {
  if (activity.kind === "uniform") {
    if (isFrequency(activity.frequency)) return;
    throw frequencyError(activity.frequency, "for all neurons");
  }
  if (activity.frequencies.length !== neuronCount) {
    const found = `${activity.frequencies.length} frequencies for ${neuronCount} neurons`;
    throw new OptionError(
      "activation profile",
      found,
      "one for each; the profile is of another model",
    );
  }
  const wrong = activity.frequencies.findIndex((frequency) => !isFrequency(frequency));
  if (wrong >= 0)
    throw frequencyError(activity.frequencies[wrong] ?? Number.NaN, `at neuron ${wrong}`);
}

function isFrequency(value: number): boolean {
  return value >= 0 && value <= 1;
}

function frequencyError(frequency: number, where: string): OptionError {
  return new OptionError("activation profile", `${frequency} ${where}`, "a frequency from 0 to 1");
}

/** How many values of a sorted array are <= `value`. */
function upperBound(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
