/** Runs a program while this process goes on: a registry that the program asks may live here. */
import { spawn } from "node:child_process";

export interface RunOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A descriptor that gets both outputs in place of the caller. */
  readonly output?: number;
}

/** Both outputs together. @throws Error with them unless the program ends with 0 within an hour: qemu takes long. */
export async function run(
  command: string,
  list: readonly string[],
  { cwd, env, output = -1 }: RunOptions,
): Promise<string> {
  const to = output < 0 ? "pipe" : output;
  const child = spawn(command, [...list], {
    cwd,
    ...(env && { env }),
    stdio: ["ignore", to, to],
    timeout: 3_600_000,
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => said.push(text));
  }
  const ending = await new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? "" : String(code ?? signal)));
  });
  if (ending === "") return said.join("");
  throw new Error(`${command} ${list.join(" ")} ended with ${ending}:\n${said.join("")}`);
}
