/** What `hearth bench --against` and the child process that runs node-llama-cpp say to each other. */

export interface AgainstSettings {
  readonly model: string;
  readonly threads: number;
  readonly contextLength: number;
  readonly gpu: "none" | "auto";
}

export type AgainstTest = {
  /** In the cache when the test begins. */
  readonly before: readonly number[];
} & (
  | { readonly kind: "prompt"; readonly ids: readonly number[] }
  | { readonly kind: "decode"; readonly first: number; readonly tokens: number }
);

export type AgainstRequest =
  | { readonly kind: "open"; readonly library: string; readonly settings: AgainstSettings }
  | { readonly kind: "measure"; readonly test: AgainstTest };

export type AgainstReply =
  | { readonly kind: "opened" }
  | { readonly kind: "measured"; readonly tokensPerSecond: number }
  | { readonly kind: "failed"; readonly message: string };
