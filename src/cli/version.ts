/** `hearth --version`: the version, and the addon in use. Needs few modules: the answer must come at once. */
import { loadNative } from "../core/native-addon.ts";
import { ownVersion } from "../core/version.ts";

export function versionText(): string {
  const native = loadNative();
  const addon =
    native.kind === "loaded"
      ? `native addon: ${native.origin}`
      : `no native addon, many times slower: ${native.reason}`;
  return `${ownVersion()} (${addon})`;
}
