/** The methods of sparsity by name: how the neurons of a block that are computed are chosen. */

/** What `--sparsity` is resolved to. */
export type MethodName = "dense" | "gate" | "mlp" | "sign" | "threshold";

export const methodNames: readonly MethodName[] = ["dense", "gate", "mlp", "sign", "threshold"];
