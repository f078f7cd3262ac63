/** Imported first by main.ts: whoever starts that file itself, as a checkout may, hears of too old a Node as well. */
import { createRequire } from "node:module";

const { checkNode }: { checkNode(): void } = createRequire(import.meta.url)(
  "../../bin/check-node.cjs",
);

checkNode();
