/** The model that comes with hearth: small, for trying things out, and announced as such. */
import { packagePath } from "../core/package-root.ts";
import type { Engine } from "../index.ts";

export const bundledModel: string = packagePath("models/default.gguf");

/** What to type for another model, after `command`; npm passes on what stands behind two dashes. */
function withOwnModel(command: "run" | "chat"): string {
  const isStart = process.env["npm_lifecycle_event"] === "start";
  return isStart ? "npm start -- -m model.gguf" : `hearth ${command} -m model.gguf`;
}

/** One sentence for an answer of the bundled model, so that nobody takes it for what hearth can do; else undefined. */
export function bundledRemark(
  path: string,
  { model }: Pick<Engine, "model">,
  command: "run" | "chat",
): string | undefined {
  if (path !== bundledModel) return undefined;
  const millions = (model.parameters / 1e6).toFixed(0);
  return (
    `this is the bundled model of ${millions} M parameters, which only shows that everything works; ` +
    `${withOwnModel(command)} runs a real one, a GGUF file of your own`
  );
}
