/**
 * What an architecture declares. Shared code reads these properties and never asks for a name:
 * a new architecture is one file and one line of the registry.
 */
import type { Activation, Gating, Slot } from "../ops/op.ts";
import type { LayerGraph } from "./graph.ts";
import type { Hyperparameters, KeyReader, RopeParameters } from "./hyperparameters.ts";
import type { LayerFinder } from "./layer-finder.ts";
import type { MixtureTraits } from "./mixture.ts";
import type { LayerWeights } from "./weights.ts";

export interface Architecture {
  /** `general.architecture` of its files. */
  readonly name: string;
  readonly norm: "rms" | "layer";
  readonly positions:
    | {
        readonly kind: "rope";
        readonly pairing: "adjacent" | "halves";
        /** Its files have longrope's factors, whether or not a key names that scaling. */
        readonly hasLongFactors?: true;
        /** Of a layer, where they differ; undefined: it rotates nothing. Equal ones are one object. */
        readonly of?: (layer: number, shape: Hyperparameters) => RopeParameters | undefined;
      }
    /** Position p is row p + offset of position_embd. */
    | { readonly kind: "learned"; readonly offset: number };
  /** Its layers have experts in place of blocks; absent: a file with experts is refused. */
  readonly mixture?: MixtureTraits;
  readonly gating: Gating;
  /** Of the stock model; a file may say otherwise, see `activationOf`. */
  readonly activation: Activation;
  /** Another that its files may state as `hidden_activation`. */
  readonly otherActivation?: Activation;
  /** Attention and FFN read the same residual. */
  readonly parallelResidual: boolean;
  /** Norms have biases though they are RMSNorms; a LayerNorm has them without this. */
  readonly hasNormBiases?: true;
  /** Whether the last norm may be without its bias; default: a LayerNorm has one. */
  readonly outputNormBias?: "optional";
  /** Where the output matrix is: output.weight, or token_embd.weight in a file without one. */
  readonly output: "own" | "own or tied";
  /** Arrangements of the weights, as `tensor_data_layout` names them, that this architecture's files have. */
  readonly dataLayouts: readonly string[];
  /** What keys of its own change of the common numbers. A key that is read here is accepted. */
  readonly numbers?: (shape: Hyperparameters, keys: KeyReader) => Hyperparameters;
  readonly layerWeights: (find: LayerFinder) => LayerWeights;
  /** Emits one layer over the residual x and returns where the residual stands then. */
  readonly layer: (graph: LayerGraph, x: Slot, weights: LayerWeights) => Slot;
}
