/** Another program that `hearth bench` measures in turn with hearth: the same file, threads and tests. */
import type { AgainstTest } from "./against-protocol.ts";

export interface Opponent extends Disposable {
  /** With its version: "node-llama-cpp 3.22.1". */
  readonly name: string;
  /** Tokens per second of one run. @throws DeviceError when the program fails or reports something else. */
  measure(test: AgainstTest): Promise<number>;
}
