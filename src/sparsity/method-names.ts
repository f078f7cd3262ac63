/** The methods of sparsity by name: how the neurons of a block that are computed are chosen. */

/** What `--sparsity` can be once it is settled. */
export type MethodName = "dense" | "gate" | "mlp" | "sign" | "threshold";

export const methodNames: readonly MethodName[] = ["dense", "gate", "mlp", "sign", "threshold"];
