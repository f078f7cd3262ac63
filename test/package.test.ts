/** What a user gets from npm: the files that its scripts and its code need, and no more. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, normalize, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const manifest: { scripts: Record<string, string>; bin: Record<string, string> } = JSON.parse(
  readFileSync(`${root}/package.json`, "utf8"),
);

function packedPaths(): readonly string[] {
  const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout } = spawnSync("npm", pack, { cwd: root, encoding: "utf8", shell: true });
  const [packed]: { files: { path: string }[] }[] = JSON.parse(stdout);
  return (packed?.files ?? []).map(({ path }) => path);
}

/** Relative links of a document, and paths in backticks that the repository has. */
function namedFiles(document: string): readonly string[] {
  const text = readFileSync(`${root}/${document}`, "utf8");
  const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link = ""]) => link);
  const relative = links.filter((link) => !/^\w+:/.test(link));
  const quoted = [...text.matchAll(/`([^`\s]+)`/g)].map(([, code = ""]) =>
    code.replace(/[:#].*$/, ""),
  );
  return [
    ...relative.map((link) => normalize(`${dirname(document)}/${link}`)),
    ...quoted.filter((path) => path.includes("/") && existsSync(`${root}/${path}`)).map(normalize),
  ];
}

describe("the package", () => {
  const paths = packedPaths();

  it("has the command, the API, the model and the licence", () => {
    const wanted = [manifest.bin["hearth"], "dist/index.js", "dist/index.d.ts", "LICENSE"];
    expect(paths).toEqual(expect.arrayContaining([...wanted, "models/default.gguf"]));
  });

  it("has every tool that npm runs where it is installed", () => {
    const scripts = ["preinstall", "install", "postinstall", "prepare"];
    const tools = scripts.flatMap((name) => manifest.scripts[name]?.match(/tools\/\S+/) ?? []);
    expect(tools).toContain("tools/build-native.mjs");
    const imported = tools.flatMap((tool) => {
      const text = readFileSync(`${root}/${tool}`, "utf8");
      const names = [...text.matchAll(/^(?:import|export) .*from "(\.[^"]+)";$/gm)];
      return names.map(([, name = ""]) => normalize(`${dirname(tool)}/${name}`));
    });
    expect(imported).toContain("tools/native-objects.mjs");
    expect(paths).toEqual(expect.arrayContaining([...tools, ...imported]));
  });

  it("has types that need no other package's: every file that the entries reach is read", () => {
    const seen = new Set<string>();
    const reach = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const text = readFileSync(path, "utf8");
      expect(text, path).not.toMatch(/\bGPU[A-Z][a-z]\w+|^(?:import|export) .*from "(?!\.|node:)/m);
      for (const [, name = ""] of text.matchAll(/from "(\.[^"]+)\.[jt]s"/g)) {
        reach(resolve(dirname(path), `${name}.d.ts`));
      }
    };
    for (const entry of ["index", "server/server", "browser/tokenizer", "browser/gguf"]) {
      reach(resolve(root, "dist", `${entry}.d.ts`));
    }
    expect(seen.has(resolve(root, "dist/server/options.d.ts"))).toBe(true);
    expect(seen.size).toBeGreaterThan(30);
  });

  it("has what its documents link to and what files of the repository they name", () => {
    const holds = (path: string): boolean =>
      paths.includes(path) || paths.some((one) => one.startsWith(`${path.replace(/\/$/, "")}/`));
    const documents = paths.filter((path) => path.endsWith(".md"));
    expect(documents).toContain("docs/PAPER.md");
    const named = documents.flatMap((document) =>
      namedFiles(document).map((path) => `${document}: ${path}`),
    );
    expect(named).toContain("docs/RESULTS.md: bench/results/kernels.svg");
    expect(named.length).toBeGreaterThan(50);
    // Sources, tests, the page before it is built, what is for contributors and what makes packages stay in the repository.
    const missing = named.filter((one) => !holds(one.replace(/^.*: /, "")));
    const staysThere = (one: string): boolean =>
      /: (src|test|page|tools\/packages)\/|\.test\.ts$|: CONTRIBUTING/.test(one);
    expect(missing.filter((one) => !staysThere(one))).toEqual([]);
  });

  it("has nothing that a build left, and says where it comes from", () => {
    expect(paths.filter((path) => /^build|\.o$|\.node$/.test(path))).toEqual([]);
    const { repository, homepage, bugs, keywords } = JSON.parse(
      readFileSync(`${root}/package.json`, "utf8"),
    );
    for (const address of [repository.url, homepage, bugs.url]) {
      expect(new URL(address.replace(/^git\+/, "")).protocol).toBe("https:");
    }
    expect(keywords).toEqual(expect.arrayContaining(["llm", "gguf", "powerinfer"]));
  });

  it("has no TypeScript sources and no tests", () => {
    expect(paths.length).toBeGreaterThan(100);
    const foreign = /^src\/|(^|\/)test\/|[._]test\./;
    expect(paths.filter((path) => foreign.test(path))).toEqual([]);
  });
});
