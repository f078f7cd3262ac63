/** Imported first by main.ts: whoever starts that file itself, as a checkout may, hears of too old a Node as well. */
import { createRequire } from "node:module";
import { packagePath } from "../core/package-root.ts";

const { checkNode }: { checkNode(): void } = createRequire(packagePath("package.json"))(
  "./bin/check-node.cjs",
);

checkNode();
