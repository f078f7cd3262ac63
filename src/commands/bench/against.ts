/** The other side of `hearth bench --against`: node-llama-cpp, where it is installed, in a child process of its own. */

import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DeviceError } from "../../core/errors.ts";
import { builtModule } from "../../core/package-root.ts";
import { manifestVersion } from "../../core/version.ts";
import type {
  AgainstReply,
  AgainstRequest,
  AgainstSettings,
  AgainstTest,
} from "./against-protocol.ts";
import type { Opponent } from "./opponent.ts";

export interface AgainstProgram {
  /** "node-llama-cpp 3.22.1" */
  readonly name: string;
  /** Its entry file. */
  readonly library: string;
}

/** Looks in `folder` and the folders above it. @throws DeviceError saying how to install it. */
export function findNodeLlamaCpp(folder: string): AgainstProgram {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const home = join(at, "node_modules", "node-llama-cpp");
    if (existsSync(join(home, "package.json"))) {
      const version = manifestVersion(join(home, "package.json"));
      return { name: `node-llama-cpp ${version}`, library: join(home, "dist", "index.js") };
    }
    if (dirname(at) === at) break;
  }
  throw new DeviceError(
    `node-llama-cpp is not installed in ${resolve(folder)} or above; npm install node-llama-cpp there, or name another folder`,
  );
}

export class NodeLlamaCpp implements Opponent {
  readonly name: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
  }

  /** Opens the model there; the process waits, parked, until `measure`. @throws DeviceError when it cannot. */
  static async open(program: AgainstProgram, settings: AgainstSettings): Promise<NodeLlamaCpp> {
    const worker = builtModule("commands/bench/against-worker.js");
    if (worker === undefined) {
      throw new DeviceError(
        "node-llama-cpp is measured from the built program only: npm run build",
      );
    }
    const child = fork(worker, {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const opponent = new NodeLlamaCpp(program.name, child);
    try {
      await opponent.#ask({ kind: "open", library: program.library, settings });
      return opponent;
    } catch (error) {
      opponent[Symbol.dispose]();
      throw error;
    }
  }

  /** Tokens per second. */
  async measure(test: AgainstTest): Promise<number> {
    const reply = await this.#ask({ kind: "measure", test });
    return reply.kind === "measured" ? reply.tokensPerSecond : Number.NaN;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }

  #ask(request: AgainstRequest): Promise<AgainstReply> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        child.off("message", onReply);
        reject(new DeviceError(`${this.name} ended with code ${code}`));
      };
      const onReply = (reply: AgainstReply): void => {
        child.off("exit", onExit);
        if (reply.kind === "failed") reject(new DeviceError(`${this.name}: ${reply.message}`));
        else resolve(reply);
      };
      child.once("exit", onExit);
      child.once("message", onReply);
      child.send(request);
    });
  }
}
