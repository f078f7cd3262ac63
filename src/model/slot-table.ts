/** The activation buffers of a program while it is built. */
import { ShapeError } from "../core/errors.ts";
import type { Slot } from "../ops/op.ts";

/** Activation buffers by name: the same name is the same buffer. */
export class SlotTable {
  readonly #slots: Slot[] = [];

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** @throws ShapeError when the name is taken by a slot of another shape. */
  slot(name: string, width: number, rows: Slot["rows"] = "step"): Slot {
    const known = this.#slots.find((slot) => slot.name === name);
    if (known !== undefined) {
      if (known.width === width && known.rows === rows) return known;
      throw new ShapeError(`slot ${name}`, `${known.rows} × ${known.width}`, `${rows} × ${width}`);
    }
    const slot: Slot = { id: this.#slots.length, name, width, rows };
    this.#slots.push(slot);
    return slot;
  }

  /** As slot, for what may have another width in another layer: slots of further widths are named after them. */
  ofWidth(name: string, width: number, rows: Slot["rows"] = "step"): Slot {
    const known = this.#slots.find((slot) => slot.name === name);
    const isOther = known !== undefined && known.width !== width;
    return this.slot(isOther ? `${name} of ${width}` : name, width, rows);
  }
}

/** Buffers of output rows have names of their own. */
export function nameFor(x: Slot, name: string): string {
  return x.rows === "outputs" ? `${name} of outputs` : name;
}
