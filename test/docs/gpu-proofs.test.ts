/** docs/gpu.md lists every proof of bench/results/gpu, and README says of cards what those proofs show. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const project = resolve(import.meta.dirname, "../..");
const folder = join(project, "bench/results/gpu");
const page = readFileSync(join(project, "docs/gpu.md"), "utf8");
const readme = readFileSync(join(project, "README.md"), "utf8");

interface Proof {
  readonly hearth_prove_gpu: number;
  readonly state: string;
  readonly adapter: { readonly name: string; readonly kind: string };
}

const names = readdirSync(folder).filter((file) => file.endsWith(".json"));
const proofs = names.map((file): readonly [string, Proof] => [
  file.replace(/\.json$/, ""),
  JSON.parse(readFileSync(join(folder, file), "utf8")),
]);

describe("proofs on cards", () => {
  it.each(proofs)("%s is a row of docs/gpu.md, with its page", (name, proof) => {
    expect(proof.hearth_prove_gpu).toBe(1);
    expect(page).toContain(`| [${name}](../bench/results/gpu/${name}.md) |`);
    const text = readFileSync(join(folder, `${name}.md`), "utf8");
    expect(text).toContain(`# Proof on ${proof.adapter.name} (${proof.adapter.kind}`);
    expect(text.split("\n")[0]).toContain(proof.state);
  });

  it("are what README and docs/gpu.md say of physical cards", () => {
    expect(proofs.length).toBeGreaterThanOrEqual(2);
    const isNone = proofs.every(([, { adapter }]) => adapter.kind === "software");
    expect(page.includes("No physical card has run hearth")).toBe(isNone);
    expect(readme.includes("never on a physical card")).toBe(isNone);
  });
});
