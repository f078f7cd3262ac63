/** The systems that hearth has a package for. */
import { oldestSystem, platforms, scope } from "../packages/platforms.ts";
import { table } from "./table.ts";

export function platformTable(): string {
  return table(
    ["package", "wants", "how far it was run"],
    platforms.map((one) => [`\`${scope}/${one.name}\``, oldestSystem(one), one.proof]),
  );
}
