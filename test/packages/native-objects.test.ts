/** Which objects tools/native-objects.mjs compiles again: those of which something changed, and no others. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
// @ts-expect-error: a script for Node, without types
import { compileObjects } from "../../tools/native-objects.mjs";

let base: string;
let root: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "hearth-objects-"));
  root = join(base, "checkout/");
  mkdirSync(join(root, "native/kernels"), { recursive: true });
  write("native/kernels/one.cc", '#include "own.h"\n#include <vector>\n');
  write("native/kernels/two.cc", '#include "isa.h"\n');
  write("native/kernels/own.h", '#if 0\n#  include "kernels/deep.h"\n#endif\n');
  write("native/kernels/deep.h", "int deep;\n");
  write("native/kernels/isa.h", "int isa;\n");
  write("native/kernels/unused.h", "int unused;\n");
  // Writes the object that it is told to, and a line of what it compiled. A source that says
  // "fault" is refused, and one that says "edited" finds a header changed.
  writeFileSync(
    join(base, "compiler.mjs"),
    `import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
const [source, , object] = process.argv.slice(-3);
writeFileSync(object, "half");
const text = readFileSync(source, "utf8");
if (text.includes("fault")) process.exit(1);
if (text.includes("edited")) writeFileSync(new URL("checkout/native/kernels/deep.h", import.meta.url), "int late;\\n");
writeFileSync(object, "whole");
appendFileSync(${JSON.stringify(join(base, "compiled"))}, source.replace(/^.*\\W(\\w+)\\.cc$/, "$1\\n"));
`,
  );
});
afterEach(() => rmSync(base, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(join(root, name), text);
}

interface Changed {
  readonly version?: string;
  readonly flags?: readonly string[];
  readonly ofTwo?: readonly string[];
}

/** The names of the sources that were compiled, sorted. */
async function compiled({ version = "1", flags = [], ofTwo = [] }: Changed = {}): Promise<string> {
  writeFileSync(join(base, "compiled"), "");
  const compiler = { command: process.execPath, first: [join(base, "compiler.mjs")], version };
  const sources = ["one", "two"].map((name) => join(root, `native/kernels/${name}.cc`));
  const objects: readonly string[] = await compileObjects(sources, {
    compiler,
    flags: [`-I${root}native`, ...flags],
    flagsFor: (source: string) => (source.endsWith("two.cc") ? ofTwo : []),
    include: [join(root, "native")],
    objectDir: join(root, "build/objects"),
    root,
  });
  expect(objects.map((object) => readFileSync(object, "utf8"))).toEqual(["whole", "whole"]);
  return readFileSync(join(base, "compiled"), "utf8").trim().split("\n").sort().join(" ");
}

describe("an object", () => {
  it("is made once, and again when its own source changes", async () => {
    expect(await compiled()).toBe("one two");
    expect(await compiled()).toBe("");
    write("native/kernels/two.cc", '#include "isa.h"\nint two;\n');
    expect(await compiled()).toBe("two");
  });

  it("is made again for a header that its source reaches, under conditions too, and for no other", async () => {
    await compiled();
    write("native/kernels/deep.h", "int deeper;\n");
    expect(await compiled()).toBe("one");
    write("native/kernels/isa.h", "int isas;\n");
    expect(await compiled()).toBe("two");
    write("native/kernels/unused.h", "int more;\n");
    expect(await compiled()).toBe("");
  });

  it("is made again for a header that now comes first where two have the name", async () => {
    await compiled();
    mkdirSync(join(root, "native/kernels/kernels"));
    write("native/kernels/kernels/deep.h", "int nearer;\n");
    expect(await compiled()).toBe("one");
  });

  it("is made again for another compiler, other flags and flags of its own", async () => {
    await compiled();
    expect(await compiled({ version: "2" })).toBe("one two");
    expect(await compiled({ version: "2", flags: ["-O1"] })).toBe("one two");
    expect(await compiled({ version: "2", flags: ["-O1"], ofTwo: ["-mavx2"] })).toBe("two");
  });

  it("is kept when the checkout moves to another folder", async () => {
    await compiled();
    const moved = join(base, "elsewhere/");
    renameSync(root, moved);
    root = moved;
    expect(await compiled()).toBe("");
  });

  it("that was begun and refused is not taken for the one before", async () => {
    await compiled();
    write("native/kernels/one.cc", '#include "own.h"\nfault\n');
    await expect(compiled()).rejects.toThrow(/ended with 1/);
    write("native/kernels/one.cc", '#include "own.h"\n#include <vector>\n');
    expect(await compiled()).toBe("one");
  });

  it("whose header changes while it is compiled is an error, and made again", async () => {
    write("native/kernels/one.cc", '#include "own.h"\nedited\n');
    await expect(compiled()).rejects.toThrow(
      /native.kernels.one\.cc, or a header of it, changed while it was compiled; build again/,
    );
    expect(await compiled()).toMatch(/^one\b/);
    expect(await compiled()).toBe("");
  });
});
