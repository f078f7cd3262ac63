/** Text files that a person picks, drops or pastes. */
import type { Attachment } from "./conversation.ts";

/** Two million bytes are some 500 000 tokens of English. */
const mostBytes = 2_000_000;

export type Attached =
  | { readonly kind: "text"; readonly attachment: Attachment }
  | { readonly kind: "no text"; readonly name: string }
  | { readonly kind: "too large"; readonly name: string };

export async function attach(file: File): Promise<Attached> {
  const { name } = file;
  if (file.size > mostBytes) return { kind: "too large", name };
  const text = textIn(new Uint8Array(await file.arrayBuffer()));
  return text === undefined
    ? { kind: "no text", name }
    : { kind: "text", attachment: { name, text } };
}

/** Undefined for bytes that are no UTF-8, or that hold a zero as programs and pictures do. */
function textIn(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
