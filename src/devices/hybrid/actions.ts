/** A partitioned program: what each device compiles, and what a step does with it. */
import type { PromptPath } from "../../backends/executable-report.ts";
import type { Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import type { DeviceId } from "../../placement/plan.ts";

/** What a step does, in order. `label` is for the timeline: "attention 3", "ffn 3". */
export type Action =
  | {
      readonly kind: "run";
      readonly device: DeviceId;
      readonly segment: number;
      readonly label: string;
      /** What a transfer behind it waits for: a run without outputs may resolve at once. */
      readonly hasOutputs: boolean;
      /** The paths of a step that it has a part in. Absent: all. */
      readonly paths?: readonly PromptPath[];
      /** Those on which nobody reads its outputs. Absent: none. */
      readonly unreadOn?: readonly PromptPath[];
    }
  /** Waits for the device's last segment with outputs and copies them over. */
  | {
      readonly kind: "transfer";
      readonly from: DeviceId;
      readonly to: DeviceId;
      readonly slots: readonly { readonly from: Slot; readonly to: Slot }[];
      /** As of a run. */
      readonly paths?: readonly PromptPath[];
      /** Of a layer whose experts are on several devices: what its router chose, among the slots that cross. */
      readonly routes?: { readonly layer: number; readonly slot: Slot };
    };

export interface Partition {
  /** Of the devices that have anything to do. */
  readonly programs: ReadonlyMap<DeviceId, Program>;
  /** By segment of the whole program. */
  readonly actions: readonly (readonly Action[])[];
  /** Where the host finds an output of the whole program. */
  readonly outputs: ReadonlyMap<Slot, { readonly device: DeviceId; readonly slot: Slot }>;
  /** The devices that remember a layer of the cache, and which of their layers it is. */
  readonly cacheLayers: (
    layer: number,
  ) => readonly { readonly device: DeviceId; readonly layer: number }[];
  /** Every slot of the whole program on the devices that have it. */
  readonly copies: (slot: Slot) => readonly { readonly device: DeviceId; readonly slot: Slot }[];
}

type Transfer = Extract<Action, { readonly kind: "transfer" }>;

/** Those with the transfer of the routes named as such; where they crossed to another side before, it was shown then. */
export function showingRoutes(
  actions: readonly Action[],
  routes: Required<Transfer>["routes"],
): readonly Action[] {
  return actions.map((action) => {
    const isOfRoutes =
      action.kind === "transfer" && action.slots.some(({ from }) => from === routes.slot);
    return isOfRoutes ? { ...action, routes } : action;
  });
}
