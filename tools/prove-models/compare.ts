/** One made model, computed by native llama.cpp, and by hearth beside it. */
import { exactCache, nativeCompletion, nativePerplexity } from "../native-llama.ts";
import {
  answerTokens,
  banned,
  chunks,
  contextLength,
  type Device,
  type Measured,
  measure,
} from "./measure.ts";
import { provedPrompts } from "./text.ts";

export interface Oracle {
  /** Starts the tool of this name. */
  readonly command: (tool: string) => readonly string[];
  /** A file that holds provedText. */
  readonly textFile: string;
}

export interface ModelResult {
  readonly native: { readonly perplexity: number; readonly answers?: readonly string[] };
  readonly devices: Readonly<Partial<Record<Device, Measured>>>;
}

export async function compareModel(
  model: string,
  oracle: Oracle,
  wanted: { readonly devices: readonly Device[]; readonly answers: boolean; readonly tie: number },
): Promise<ModelResult> {
  const perplexity = nativePerplexity({
    command: oracle.command("llama-perplexity"),
    model,
    text: oracle.textFile,
    contextLength,
    chunks,
    flags: exactCache,
  });
  const answer = (prompt: string): string => {
    const command = oracle.command("llama-completion");
    const size = { tokens: answerTokens, contextLength };
    return nativeCompletion({ command, model, prompt, banned, ...size });
  };
  const native = { perplexity, ...(wanted.answers && { answers: provedPrompts.map(answer) }) };
  const devices: Partial<Record<Device, Measured>> = {};
  for (const device of wanted.devices) {
    devices[device] = await measure(model, device, { ...native, tie: wanted.tie });
  }
  return { native, devices };
}
