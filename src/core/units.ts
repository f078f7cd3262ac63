/** Names for quantities. They document what a number counts; the compiler does not check them. */
declare const unit: unique symbol;
type Quantity<Name extends string> = number & { readonly [unit]?: Name };

export type Bytes = Quantity<"bytes">;
export type Elements = Quantity<"elements">;
export type Neurons = Quantity<"neurons">;
export type Tokens = Quantity<"tokens">;
export type Milliseconds = Quantity<"milliseconds">;
export type BytesPerSecond = Quantity<"bytes/s">;

export const KiB = 1024;
export const MiB: number = 1024 * KiB;
export const GiB: number = 1024 * MiB;

/** "8.0 GiB", "512 B": for people. */
export function formatBytes(bytes: Bytes): string {
  const scale = [
    { size: GiB, name: "GiB" },
    { size: MiB, name: "MiB" },
    { size: KiB, name: "KiB" },
  ].find((candidate) => Math.abs(bytes) >= candidate.size);
  return scale === undefined ? `${bytes} B` : `${(bytes / scale.size).toFixed(1)} ${scale.name}`;
}
