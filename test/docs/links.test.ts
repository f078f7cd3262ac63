/**
 * Every relative link of the project's Markdown leads to a file that exists, and to a heading of it where the link names
 * one; every source file that a document names is there, and every document that a comment names. Links to other hosts
 * are not followed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const project = resolve(import.meta.dirname, "../..");
const foldersWithoutSources = new Set(["node_modules", "dist", "build", ".git", "prebuilds"]);
/** [text](target) and ![text](target "title"). */
const linkPattern = /\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g;
const documentPattern = /\bdocs\/[\w./-]+\.md\b/g;

interface Link {
  /** Path of the page, from the project's root. */
  readonly page: string;
  readonly target: string;
}

function filesBelow(folder: string, extension: RegExp): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return foldersWithoutSources.has(entry.name) ? [] : filesBelow(path, extension);
    }
    return extension.test(entry.name) ? [path] : [];
  });
}

/** Code shows what a link looks like; it links to nothing. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");
}

function relativeLinks(page: string, text: string): readonly Link[] {
  return [...withoutCode(text).matchAll(linkPattern)]
    .map(([, target = ""]) => ({ page, target }))
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

/** GitHub's name of a heading: lower case, punctuation dropped, spaces as hyphens. */
function anchorOf(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").trim();
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

function isBroken({ page, target }: Link): boolean {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? join(project, page) : resolve(project, dirname(page), path);
  if (!existsSync(file)) return true;
  if (anchor === undefined) return false;
  const headings = [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)];
  return !headings.some(([, heading = ""]) => anchorOf(heading) === anchor);
}

describe("the links of the documents", () => {
  const pages = filesBelow(project, /\.md$/).map((path) => relative(project, path));
  const links = pages.flatMap((page) =>
    relativeLinks(page, readFileSync(join(project, page), "utf8")),
  );

  it("are found, in README and in docs", () => {
    expect(pages).toContain("README.md");
    expect(pages).toContain(join("docs", "ARCHITECTURE.md"));
    expect(links.length).toBeGreaterThan(20);
  });

  it("lead to files and headings that exist", () => {
    expect(links.filter(isBroken)).toEqual([]);
  });

  it("are judged: a planted link to nothing is broken, one to a heading is not", () => {
    const planted = "[a](nowhere.md) [b](PAPER.md#no-such-heading) [c](ARCHITECTURE.md#words)";
    const code = "`[d](nowhere.md)` [e](https://example.org/nowhere.md)";
    const found = relativeLinks("docs/planted.md", `${planted} ${code}`);
    expect(found.map(({ target }) => target)).toHaveLength(3);
    expect(found.filter(isBroken).map(({ target }) => target)).toEqual([
      "nowhere.md",
      "PAPER.md#no-such-heading",
    ]);
  });
});

describe("the source files that documents name", () => {
  const sourcePattern = /`((?:[\w.-]+\/)*[\w.-]+\.(?:tsx?|mjs|cc|h))`/g;
  const folders = ["src", "page", "native", "tools", "test", "bench"];
  const sources = folders.flatMap((folder) =>
    filesBelow(join(project, folder), /\.(tsx?|mjs|cc|h)$/).map(
      (path) => `/${relative(project, path)}`,
    ),
  );
  /** A name or the end of a path: folders in front may be left out. */
  const isMissing = (name: string): boolean => !sources.some((path) => path.endsWith(`/${name}`));
  const names = filesBelow(join(project, "docs"), /\.md$/).flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(sourcePattern)].map(([, name = ""]) => ({
      page: relative(project, path),
      name,
    })),
  );

  it("exist", () => {
    expect(names.length).toBeGreaterThan(40);
    // Node's own header.
    const own = names.filter(({ name }) => name !== "node_api.h");
    expect(own.filter(({ name }) => isMissing(name))).toEqual([]);
  });

  it("are judged: a planted name is missing, a part of a name too", () => {
    expect(["nowhere.ts", "cheduler.ts"].every(isMissing)).toBe(true);
  });
});

describe("the documents that comments name", () => {
  const folders = ["src", "page", "native", "tools", "test", "bench"];
  const mentions = folders.flatMap((folder) =>
    filesBelow(join(project, folder), /\.(ts|mjs|cc|h|wgsl)$/).flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(documentPattern)]
        // ggml has a docs folder of its own, cited beside its name.
        .filter(([name]) => name !== "docs/gguf.md" && name !== "docs/planted.md")
        .map(([name]) => ({ file: relative(project, file), name })),
    ),
  );

  it("exist", () => {
    expect(mentions.length).toBeGreaterThan(10);
    expect(mentions.filter(({ name }) => !existsSync(join(project, name)))).toEqual([]);
  });
});

describe("the decisions", () => {
  const folder = join(project, "docs/decisions");
  const names = readdirSync(folder).filter((name) => name.endsWith(".md"));

  it("are numbered without gaps", () => {
    expect(names.length).toBeGreaterThanOrEqual(13);
    const numbers = names.map((name) => Number(name.slice(0, 4)));
    expect(numbers).toEqual(names.map((_, i) => i + 1));
  });

  it.each(names)("%s has its date, its status and the decision in at most 20 lines", (name) => {
    const lines = readFileSync(join(folder, name), "utf8").split("\n");
    expect(lines[0]).toMatch(new RegExp(`^# ${name.slice(0, 4)}: `));
    expect(lines[2]).toMatch(/^Date: \d{4}-\d\d-\d\d\. Status: /);
    const begin = lines.indexOf("## Decision");
    expect(begin).toBeGreaterThan(0);
    const end = lines.findIndex((line, i) => i > begin && line.startsWith("## "));
    expect(end).toBeGreaterThan(begin);
    const decision = lines.slice(begin + 1, end).filter((line) => line !== "");
    expect(decision.length).toBeLessThanOrEqual(20);
    expect(lines).toContain("## What would reverse it");
  });
});
