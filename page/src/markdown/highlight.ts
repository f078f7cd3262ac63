/** Colours of code: highlight.js by way of lowlight, which gives a tree and no HTML. A language comes when it is first seen. */
import type { LanguageFn } from "highlight.js";

/** Pieces of the code in their order; kind: of the innermost scope. */
export type Coloured = readonly { readonly kind: string | undefined; readonly text: string }[];

type Loader = () => Promise<{ readonly default: LanguageFn }>;

const languages: Readonly<Record<string, Loader>> = {
  bash: () => import("highlight.js/lib/languages/bash"),
  c: () => import("highlight.js/lib/languages/c"),
  cpp: () => import("highlight.js/lib/languages/cpp"),
  csharp: () => import("highlight.js/lib/languages/csharp"),
  css: () => import("highlight.js/lib/languages/css"),
  diff: () => import("highlight.js/lib/languages/diff"),
  dockerfile: () => import("highlight.js/lib/languages/dockerfile"),
  go: () => import("highlight.js/lib/languages/go"),
  haskell: () => import("highlight.js/lib/languages/haskell"),
  ini: () => import("highlight.js/lib/languages/ini"),
  java: () => import("highlight.js/lib/languages/java"),
  javascript: () => import("highlight.js/lib/languages/javascript"),
  json: () => import("highlight.js/lib/languages/json"),
  kotlin: () => import("highlight.js/lib/languages/kotlin"),
  latex: () => import("highlight.js/lib/languages/latex"),
  lua: () => import("highlight.js/lib/languages/lua"),
  makefile: () => import("highlight.js/lib/languages/makefile"),
  markdown: () => import("highlight.js/lib/languages/markdown"),
  php: () => import("highlight.js/lib/languages/php"),
  python: () => import("highlight.js/lib/languages/python"),
  r: () => import("highlight.js/lib/languages/r"),
  ruby: () => import("highlight.js/lib/languages/ruby"),
  rust: () => import("highlight.js/lib/languages/rust"),
  sql: () => import("highlight.js/lib/languages/sql"),
  swift: () => import("highlight.js/lib/languages/swift"),
  typescript: () => import("highlight.js/lib/languages/typescript"),
  xml: () => import("highlight.js/lib/languages/xml"),
  yaml: () => import("highlight.js/lib/languages/yaml"),
};

/** Other names that models give to code. */
const otherNames: Readonly<Record<string, string>> = {
  "c#": "csharp",
  "c++": "cpp",
  cc: "cpp",
  console: "bash",
  cs: "csharp",
  docker: "dockerfile",
  golang: "go",
  h: "c",
  hpp: "cpp",
  hs: "haskell",
  html: "xml",
  js: "javascript",
  json5: "json",
  jsonc: "json",
  jsx: "javascript",
  kt: "kotlin",
  make: "makefile",
  md: "markdown",
  mjs: "javascript",
  patch: "diff",
  py: "python",
  python3: "python",
  rb: "ruby",
  rs: "rust",
  sh: "bash",
  shell: "bash",
  svg: "xml",
  tex: "latex",
  toml: "ini",
  ts: "typescript",
  tsx: "typescript",
  yml: "yaml",
  zsh: "bash",
};

/** Undefined where the language is not known, or its file cannot be had. */
export async function highlight(language: string, code: string): Promise<Coloured | undefined> {
  const given = language.toLowerCase();
  const name = Object.hasOwn(otherNames, given) ? (otherNames[given] ?? given) : given;
  const load = Object.hasOwn(languages, name) ? languages[name] : undefined;
  if (load === undefined) return undefined;
  try {
    const [{ lowlight }, { default: grammar }] = await Promise.all([
      import("./lowlight.ts"),
      load(),
    ]);
    if (!lowlight.registered(name)) lowlight.register(name, grammar);
    return flattened(lowlight.highlight(name, code).children, undefined);
  } catch {
    return undefined;
  }
}

interface TreeNode {
  readonly type: string;
  readonly value?: string;
  readonly properties?: { readonly className?: unknown };
  readonly children?: readonly TreeNode[];
}

function flattened(nodes: readonly TreeNode[], kind: string | undefined): Coloured {
  return nodes.flatMap(({ type, value = "", properties, children = [] }) => {
    if (type === "text") return [{ kind, text: value }];
    const names = Array.isArray(properties?.className) ? properties.className : [];
    return flattened(children, names.length > 0 ? String(names[0]).replace("hljs-", "") : kind);
  });
}
