/**
 * Which arrays lie in memory that the addon owns. Threads must hold such memory by its handle: when an environment ends
 * (a terminated worker, process.exit), Node gives up the array's share of it before the threads have stopped.
 */
import type { Handle, NativeMemory } from "../addon.ts";

/** By the array's buffer. It holds what can be looked up of an object, never state of a run. */
const handles = new WeakMap<ArrayBufferLike, Handle>();

/** The bytes of `memory`; `nativePlace` finds its handle again. */
export function rememberNative({ data, handle }: NativeMemory): Uint8Array {
  handles.set(data.buffer, handle);
  return data;
}

/** Where native code reads `data`: in its own memory, or in JavaScript's, which gets pinned. */
export function nativePlace(data: Uint8Array): {
  readonly source: Handle | Uint8Array;
  /** Of `data` in the source. */
  readonly offset: number;
} {
  const handle = handles.get(data.buffer);
  return handle === undefined
    ? { source: data, offset: 0 }
    : { source: handle, offset: data.byteOffset };
}
