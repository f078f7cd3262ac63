/** The description of a graphics adapter. Public: no type of WebGPU here, which users of the package do not have. */
import type { Bytes } from "../../core/units.ts";
import type { BindingLimits } from "./recording-buffers.ts";

export type AdapterKind = "discrete" | "integrated" | "software";

/** Who said so of a card: "Vulkan", "nvidia-smi", "its name" … */
export interface FactSources {
  readonly kind: string;
  readonly memory?: string;
  readonly free?: string;
}

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
  /** What of it nobody used when the adapters were listed; undefined likewise. */
  readonly free?: Bytes;
  /** "NVIDIA 550.54.14", as Vulkan reports it. */
  readonly driver?: string;
  /** How many cards have this name: of several none can be chosen. */
  readonly cards: number;
  readonly found: FactSources;
}

/** What decides how a program's weights are cut into buffers on this adapter. */
export function bindingLimits(adapter: AdapterDescription): BindingLimits {
  return { maxBinding: adapter.maxBindingBytes, maxBuffer: adapter.maxBufferBytes };
}
