/** The systems that hearth has a package for. */
import { oldestSystem, platforms, scope } from "../packages/platforms.ts";
import { table } from "./table.ts";

/** A row for each. */
export function platformTable(): string {
  return table(
    ["package", "wants", "how far it was run"],
    platforms.map((one) => [`\`${scope}/${one.name}\``, oldestSystem(one), one.proof]),
  );
}

/** A column for each: README's lines are few. */
export function platformRow(): string {
  return table(
    [`\`${scope}/…\``, ...platforms.map(({ name }) => `\`${name}\``)],
    [
      ["wants", ...platforms.map(oldestSystem)],
      ["how far it was run", ...platforms.map(({ proof }) => proof)],
    ],
  );
}
