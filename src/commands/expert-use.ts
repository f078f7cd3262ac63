/** How much of a mixture of experts one token reads, from the names and sizes of its tensors. Works for any GGUF. */
import type { Bytes, Elements } from "../core/units.ts";
import type { GgufFile } from "../gguf/open.ts";

export interface ExpertUse {
  /** Experts of a layer that a router chooses from, and those of them that a token uses. */
  readonly count: number;
  readonly used: number;
  /** Of all weights, and of those that a token reads when no other is read with it. */
  readonly weightBytes: Bytes;
  readonly bytesPerToken: Bytes;
  readonly parametersPerToken: Elements;
}

type Header = Pick<GgufFile, "metadata" | "tensors">;

/** Undefined for a model without experts, and for one whose keys do not say how many there are. */
export function expertUse({ metadata, tensors }: Header): ExpertUse | undefined {
  const architecture = metadata.optionalString("general.architecture");
  const number = (name: string): number => {
    const key = `${architecture}.${name}`;
    return metadata.kindOf(key) === "number" ? metadata.number(key) : 0;
  };
  const [count, used] = [number("expert_count"), number("expert_used_count")];
  if (!(used >= 1 && used <= count)) return undefined;
  const layers = number("block_count") - number("nextn_predict_layers");
  const isTied = !tensors.has("output.weight");
  let [weightBytes, bytesPerToken, parametersPerToken] = [0, 0, 0];
  for (const { name, bytes, dimensions } of tensors.values()) {
    const share = shareOfToken(name, { dimensions, isTied, layers, expertShare: used / count });
    weightBytes += bytes;
    bytesPerToken += share * bytes;
    parametersPerToken += share * dimensions.reduce((product, length) => product * length, 1);
  }
  return { count, used, weightBytes, bytesPerToken, parametersPerToken };
}

function shareOfToken(
  name: string,
  model: {
    readonly dimensions: readonly number[];
    readonly isTied: boolean;
    readonly layers: number;
    readonly expertShare: number;
  },
): number {
  const [, block, part] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (block === undefined) return isTable(name, model.isTied) ? 1 / (model.dimensions[1] ?? 1) : 1;
  // Layers behind the last one propose further tokens: they are not computed.
  if (Number(block) >= model.layers) return 0;
  return isOfExperts(part ?? "") ? model.expertShare : 1;
}

/** One row of it is read; a tied embedding is read as a whole, as the output matrix. */
function isTable(name: string, isTied: boolean): boolean {
  return name === "per_layer_token_embd.weight" || (name === "token_embd.weight" && !isTied);
}

/** All experts in one tensor, or, in files of 2023 and early 2024, each in its own. */
function isOfExperts(part: string): boolean {
  return /^ffn_(gate|up|down|gate_up)(_exps\.|\.\d+\.)/.test(part);
}
