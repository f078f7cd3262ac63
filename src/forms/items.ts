/** The items of a program as columns of numbers that grow: a schema of 1000 properties has some 60,000. */
import { FormError } from "../core/errors.ts";

/** 42 MB of memory. A schema of a megabyte has a tenth. */
const maxItems = 1 << 22;
const firstCapacity = 1 << 12;

export class Items {
  #kinds: Uint8Array = new Uint8Array(firstCapacity);
  #a: Int32Array = new Int32Array(firstCapacity);
  #b: Int32Array = new Int32Array(firstCapacity);
  #nullable: Uint8Array = new Uint8Array(firstCapacity);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** What an item does (itemKind). */
  kind(item: number): number {
    return this.#kinds[item] ?? 0;
  }

  a(item: number): number {
    return this.#a[item] ?? 0;
  }

  b(item: number): number {
    return this.#b[item] ?? 0;
  }

  /** Whether its body may end without another byte. */
  isNullable(item: number): boolean {
    return this.#nullable[item] === 1;
  }

  /** @throws FormError for too many items */
  add(kind: number, a: number, b: number, isNullable: boolean): number {
    const item = this.#count;
    if (item === this.#kinds.length) this.#grow();
    this.#kinds[item] = kind;
    this.#a[item] = a;
    this.#b[item] = b;
    this.#nullable[item] = isNullable ? 1 : 0;
    this.#count = item + 1;
    return item;
  }

  /** One item for each byte, each of a set of its own, from the last to the first. The first one of them. */
  addText(kind: number, bytes: Uint8Array, setOf: Int32Array, next: number): number {
    let item = next;
    while (this.#count + bytes.length > this.#kinds.length) this.#grow();
    for (let at = bytes.length - 1; at >= 0; at--) {
      const made = this.#count++;
      this.#kinds[made] = kind;
      this.#a[made] = setOf[bytes[at] ?? 0] ?? 0;
      this.#b[made] = item;
      item = made;
    }
    return item;
  }

  #grow(): void {
    const capacity = 2 * this.#kinds.length;
    if (capacity > maxItems) throw tooLarge();
    this.#kinds = larger(this.#kinds, new Uint8Array(capacity));
    this.#a = larger(this.#a, new Int32Array(capacity));
    this.#b = larger(this.#b, new Int32Array(capacity));
    this.#nullable = larger(this.#nullable, new Uint8Array(capacity));
  }
}

function larger<Column extends Uint8Array | Int32Array>(from: Column, into: Column): Column {
  into.set(from);
  return into;
}

function tooLarge(): FormError {
  return new FormError(
    "form",
    `has more than ${maxItems.toLocaleString("en")} items`,
    "give a smaller one",
  );
}
