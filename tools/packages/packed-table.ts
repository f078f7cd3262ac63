/** What a release has packed and tried, as tables for a person. */
import { table } from "../features/table.ts";
import type { PackedPackage } from "./stage.ts";
import type { Trial } from "./try-install.ts";

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

export function packedTable(packed: readonly PackedPackage[]): string {
  return table(
    ["package", "version", "packed, MB", "unpacked, MB", "licence"],
    packed.map(({ manifest, packedBytes, unpackedBytes }) => [
      manifest.name,
      manifest.version,
      megabytes(packedBytes),
      megabytes(unpackedBytes),
      String(manifest["license"]),
    ]),
  );
}

export function trialTable(trials: readonly Trial[]): string {
  return table(
    ["by", "MB", "MB with GPU", "--version, ms", "first token, ms", "of our scope"],
    trials.map(({ manager, bytes, bytesWithGpu, milliseconds, packages }) => [
      manager,
      megabytes(bytes),
      megabytes(bytesWithGpu),
      milliseconds.version.toFixed(0),
      milliseconds.firstToken.toFixed(0),
      packages.join(", "),
    ]),
  );
}
