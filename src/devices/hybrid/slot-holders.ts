/** Which devices hold a slot's present value while a program is cut, and which norm made it. */
import type { OpOf, Slot } from "../../ops/op.ts";
import type { DeviceProgram } from "./device-program.ts";

export class SlotHolders {
  /** The one that made the value first. */
  readonly #holders: Map<Slot, readonly DeviceProgram[]> = new Map();
  /** How often a slot was written; a norm can be done again while its input has the same version. */
  readonly #versions: Map<Slot, number> = new Map();
  readonly #norms: Map<Slot, { readonly op: OpOf<"norm">; version: number }> = new Map();

  of(slot: Slot): readonly DeviceProgram[] {
    return this.#holders.get(slot) ?? [];
  }

  has(device: DeviceProgram, slot: Slot): boolean {
    return this.of(slot).includes(device);
  }

  /** Only this device has it now. */
  made(slot: Slot, device: DeviceProgram): void {
    this.#holders.set(slot, [device]);
  }

  copied(slot: Slot, to: DeviceProgram): void {
    this.#holders.set(slot, [...this.of(slot), to]);
  }

  wrote(slot: Slot, device: DeviceProgram, norm?: OpOf<"norm">): void {
    this.made(slot, device);
    this.#versions.set(slot, this.#version(slot) + 1);
    if (norm === undefined) this.#norms.delete(slot);
    else this.#norms.set(slot, { op: norm, version: this.#version(norm.x) });
  }

  /** The norm that made the slot, while its own input is unchanged: another device can do it again. */
  normOf(slot: Slot): OpOf<"norm"> | undefined {
    const norm = this.#norms.get(slot);
    if (norm === undefined) return undefined;
    return this.#version(norm.op.x) === norm.version ? norm.op : undefined;
  }

  #version(slot: Slot): number {
    return this.#versions.get(slot) ?? 0;
  }
}
