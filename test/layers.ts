/** Which layer may import which (docs/ARCHITECTURE.md, "Layers"). A layer may always import itself. */
export const layers: Readonly<Record<string, readonly string[]>> = {
  core: [],
  io: ["core"],
  quant: ["core"],
  text: ["core"],
  gguf: ["core", "io", "quant"],
  ops: ["core", "quant"],
  backends: ["core", "io", "quant", "ops"],
  model: ["core", "quant", "gguf", "ops"],
  sparsity: ["core", "io", "ops", "gguf"],
  placement: ["core", "sparsity"],
  runtime: [
    "core",
    "io",
    "quant",
    "text",
    "gguf",
    "ops",
    "backends",
    "model",
    "sparsity",
    "placement",
  ],
  engine: [
    "core",
    "io",
    "quant",
    "text",
    "gguf",
    "ops",
    "backends",
    "model",
    "sparsity",
    "placement",
    "runtime",
  ],
  cli: ["index"],
};

/** Folders of backends/ that must not know each other. */
export const backendFolders: readonly string[] = ["reference", "cpu", "webgpu"];
