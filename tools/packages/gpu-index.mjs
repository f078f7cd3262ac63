/** @hearth-llm/gpu: WebGPU's globals and create() of the part for this system, an optional dependency. */
const system =
  process.platform === "darwin" ? "darwin-universal" : `${process.platform}-${process.arch}`;

export const { create, globals } = await import(`@hearth-llm/gpu-${system}`);
