/** The architectures that hearth has, one line each. */
import { UnsupportedError } from "../core/errors.ts";
import { arcee } from "./arcee.ts";
import type { Architecture } from "./architecture.ts";
import { bailingmoe } from "./bailingmoe.ts";
import { bamboo } from "./bamboo.ts";
import { bitnet, bitnet158 } from "./bitnet.ts";
import { cohere2 } from "./cohere2.ts";
import { exaone4 } from "./exaone4.ts";
import { falcon } from "./falcon.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { gemma4 } from "./gemma4.ts";
import { glm4 } from "./glm4.ts";
import { glm4moe } from "./glm4moe.ts";
import { gptOss } from "./gpt-oss.ts";
import { granite } from "./granite.ts";
import { granitemoe } from "./granitemoe.ts";
import { llamaShaped } from "./llama-shaped.ts";
import { minicpm } from "./minicpm.ts";
import { mistral3 } from "./mistral3.ts";
import { mixtral } from "./mixtral.ts";
import { nemotron } from "./nemotron.ts";
import { olmo2 } from "./olmo2.ts";
import { olmoe } from "./olmoe.ts";
import { opt } from "./opt.ts";
import { phi3 } from "./phi3.ts";
import { phimoe } from "./phimoe.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen2moe } from "./qwen2moe.ts";
import { qwen3 } from "./qwen3.ts";
import { qwen3moe } from "./qwen3moe.ts";
import { qwen3next } from "./qwen3next.ts";
import { qwen35 } from "./qwen35.ts";
import { qwen35moe } from "./qwen35moe.ts";
import { smallthinker } from "./smallthinker.ts";
import { smollm3 } from "./smollm3.ts";
import { starcoder2 } from "./starcoder2.ts";

const architectures: ReadonlyMap<string, Architecture> = new Map(
  [
    mixtral,
    arcee,
    falcon,
    opt,
    bamboo,
    nemotron,
    qwen2,
    qwen3,
    granite,
    smollm3,
    olmo2,
    phi3,
    glm4,
    mistral3,
    qwen35,
    bitnet,
    bitnet158,
    minicpm,
    gemma,
    gemma2,
    gemma3,
    gemma4,
    exaone4,
    cohere2,
    starcoder2,
    qwen3moe,
    qwen35moe,
    gptOss,
    glm4moe,
    olmoe,
    granitemoe,
    smallthinker,
    qwen2moe,
    qwen3next,
    bailingmoe,
    phimoe,
    ...llamaShaped,
  ].map((one) => [one.name, one]),
);

export const architectureNames: readonly string[] = [...architectures.keys()];

/** `name` is a file's general.architecture. @throws UnsupportedError with the list of those there are. */
export function architectureOf(name: string): Architecture {
  const architecture = architectures.get(name);
  if (architecture !== undefined) return architecture;
  // Not by the sidecar's own constant: what is learnt about models knows this layer, not the other way round.
  const hint = name.startsWith("hearth-")
    ? "This file is what hearth learnt about a model: give the model, the file beside it is found"
    : "";
  throw new UnsupportedError(`architecture "${name}"`, architectureNames, hint);
}
