/** What people give in the place of a GGUF file: an address, a repository's name, another format. Words for errors. */
import { byteStringOfBytes } from "../core/bytes.ts";

/** Advice on a path without a file; empty if there is none to give. Begins with a comma or semicolon. */
export function adviseOnMissing(path: string): string {
  if (/^(ollama|docker):/i.test(path) || /^[\w.-]+:[\w.-]+$/.test(path)) {
    return "; this is the name of a model elsewhere: hearth list shows those that are here, hearth pull fetches those of Hugging Face";
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    return "; this is an address: hearth pull fetches models of Hugging Face, curl -L -O any other file";
  }
  if (/^[\w][\w.-]*\/[\w.-]+(?<!\.gguf)$/i.test(path)) {
    return `; if this is a repository on Hugging Face: hf:${path} is its model, fetched where it is not here yet`;
  }
  return "";
}

/** How other files begin, byte for byte. */
const beginnings: readonly (readonly [string, string])[] = [
  ["version https://git-lfs", "a pointer of Git LFS (git lfs pull fetches the file)"],
  ["PK\x03\x04", "a ZIP archive, as PyTorch's are (convert_hf_to_gguf.py converts them)"],
  ["lmgg", "a ggml file from before GGUF (download a newer one)"],
  ["tjgg", "a ggml file from before GGUF (download a newer one)"],
  ["fmgg", "a ggml file from before GGUF (download a newer one)"],
  ["\x1f\x8b", "a gzip file (unpack it first)"],
  ["BZh", "a bzip2 file (unpack it first)"],
  ["\xfd7zXZ", "an xz file (unpack it first)"],
  ["\x28\xb5\x2f\xfd", "a zstd file (unpack it first)"],
];

/** What a file that is no GGUF seems to be, from its first bytes; "" where nobody knows. */
export function guessFormat(start: Uint8Array): string {
  const text = byteStringOfBytes(start);
  const known = beginnings.find(([beginning]) => text.startsWith(beginning));
  if (known !== undefined) return known[1];
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) return "a web page (the download went wrong)";
  if (/^.{8}\{"/s.test(text)) return "a safetensors file (convert_hf_to_gguf.py converts it)";
  if (/^\s*[{[]/.test(text)) return "JSON";
  return start.every((byte) => byte === 0) ? "zeros (an interrupted download)" : "";
}
