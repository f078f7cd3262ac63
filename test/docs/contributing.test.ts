/** CONTRIBUTING.md names files that exist. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

it("names only files that are there", () => {
  const text = readFileSync(resolve(root, "CONTRIBUTING.md"), "utf8");
  const quoted = [...text.matchAll(/`((?:src|native|test|tools|docs)\/[^`]+)`/g)].map(
    (match) => match[1] ?? "",
  );
  const paths = quoted.filter((path) => !/NAME|TYPE|\*/.test(path));
  expect(paths.length).toBeGreaterThan(35);
  expect(paths.filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
});
