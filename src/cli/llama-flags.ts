/** Flags of llama.cpp's programs: those that mean what one of ours means, and what to say of the others. */

/** Read as our flag, by commands that have it. */
export const aliases: Readonly<Record<string, string>> = {
  "-t": "--threads",
  "-s": "--seed",
  "--ctx-size": "--context",
  "--n-predict": "--predict",
  "-ctxcp": "--checkpoints",
  "--ctx-checkpoints": "--checkpoints",
  "--swa-checkpoints": "--checkpoints",
  "-b": "--batch",
  "--batch-size": "--batch",
  "--temperature": "--temp",
  "--typical-p": "--typical",
  "--top-nsigma": "--top-n-sigma",
  "-l": "--logit-bias",
  "-sys": "--system",
  "--system-prompt": "--system",
  "-r": "--stop",
  "--reverse-prompt": "--stop",
  "--prompt-cache": "--session",
  "--log-disable": "--quiet",
};

const placement =
  "hearth places neurons, not layers: --device gpu, hybrid or cpu says where, --vram-budget 8GiB how much of the card";
const oneCard = "one card is used, and --gpu says which";
const cacheType = "--cache-type f16, f32 or q8_0 is for keys and values alike";
const downloads = "hearth takes -m hf:OWNER/NAME:QUANT, or what hearth pull has fetched";
const chat = "hearth chat talks with a model, hearth run answers once";
const always = "hearth has no flag for it, nothing needs to be switched";
const absent = "hearth does not have it";

/** By flag: one sentence that names ours. */
export const hints: Readonly<Record<string, string>> = {
  "-ngl": placement,
  "--gpu-layers": placement,
  "--n-gpu-layers": placement,
  "-ncmoe": placement,
  "--n-cpu-moe": placement,
  "-ot": placement,
  "--override-tensor": placement,
  "-ts": oneCard,
  "--tensor-split": oneCard,
  "-sm": oneCard,
  "--split-mode": oneCard,
  "-mg": oneCard,
  "--main-gpu": oneCard,
  "-dev": placement,
  "-ctk": cacheType,
  "--cache-type-k": cacheType,
  "-ctv": cacheType,
  "--cache-type-v": cacheType,
  "-tb": "--threads counts for prompts and answers alike",
  "--threads-batch": "--threads counts for prompts and answers alike",
  "-ub": "--batch says how many tokens of a prompt are computed at once",
  "--ubatch-size": "--batch says how many tokens of a prompt are computed at once",
  "-hf": downloads,
  "-hfr": downloads,
  "--hf-repo": downloads,
  "-mu": downloads,
  "--model-url": downloads,
  "-cnv": chat,
  "--conversation": chat,
  "-i": chat,
  "--interactive": chat,
  "-no-cnv": chat,
  "--no-conversation": chat,
  "-st": chat,
  "--single-turn": chat,
  "-fa": always,
  "--flash-attn": always,
  "--color": always,
  "-co": always,
  "--no-warmup": always,
  "--simple-io": always,
  "--jinja": "hearth chat always uses the model's own chat template",
  "--chat-template": "hearth chat always uses the model's own chat template",
  "-e": "a prompt is taken as it is; a file (-f) or a pipe brings line breaks",
  "--escape": "a prompt is taken as it is; a file (-f) or a pipe brings line breaks",
  "-np": "answers at the same time are an option of the API: sequences",
  "--rope-scaling": "the file's own rope settings are used",
  "--rope-freq-base": "the file's own rope settings are used",
  "--rope-freq-scale": "the file's own rope settings are used",
  "--lora": absent,
  "--grammar": absent,
  "--grammar-file": absent,
  "--json-schema": absent,
  "-j": absent,
  "-md": absent,
  "--model-draft": absent,
  "--mmproj": absent,
};
