/** The description of a graphics adapter. Public: no type of WebGPU here, which users of the package do not have. */
import type { Bytes } from "../../core/units.ts";
import type { BindingLimits } from "./recording-buffers.ts";

export type AdapterKind = "discrete" | "integrated" | "software";

export interface AdapterDescription {
  /** Place in the list, as --gpu takes it. */
  readonly index: number;
  readonly name: string;
  readonly vendor: string;
  /** Dawn's backend: vulkan, metal, d3d12. */
  readonly backend: string;
  readonly kind: AdapterKind;
  readonly features: readonly string[];
  readonly maxBufferBytes: Bytes;
  readonly maxBindingBytes: Bytes;
  /** Memory of the card; undefined if neither driver nor system reports it. */
  readonly memory?: Bytes;
}

/** What decides how a program's weights are cut into buffers on this adapter. */
export function bindingLimits(adapter: AdapterDescription): BindingLimits {
  return { maxBinding: adapter.maxBindingBytes, maxBuffer: adapter.maxBufferBytes };
}
