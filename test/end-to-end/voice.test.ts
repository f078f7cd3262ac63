/** What a command says beside its result, and to a Node that is too old. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../fixtures/packaged.ts";

const project = resolve(import.meta.dirname, "../..");
const model = join(project, "models/default.gguf");
const short = ["--temp", "0", "-n", "4", "Once upon a time"];

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function node(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Ran {
  const env = { ...process.env, npm_lifecycle_event: "", ...environment };
  return spawnSync(process.execPath, args, { encoding: "utf8", input: "", timeout: 250_000, env });
}

const run = (flags: readonly string[], environment: NodeJS.ProcessEnv = {}): Ran =>
  node([command, "run", ...flags, ...short], environment);

describe("hearth run", () => {
  it("says of the bundled model that it only shows that everything works, and how a real one runs", () => {
    const { stderr } = run([]);
    expect(stderr).toMatch(
      /bundled model of 5 M parameters, which only shows that everything works/,
    );
    expect(stderr).toContain("hearth run -m model.gguf");
    const started = run([], { npm_lifecycle_event: "start" }).stderr;
    expect(started).toContain("npm start -- -m model.gguf");
  });

  it("shows figures and no jargon; --verbose and --stats say how the model runs", () => {
    const jargon = /sparsity gate: |transposed at load/g;
    const plain = run([]);
    expect(plain.stderr).toContain("tok/s");
    expect(plain.stderr).not.toMatch(jargon);
    for (const flag of ["--verbose", "-v", "--stats"]) {
      const { stdout, stderr } = run([flag]);
      expect(stderr.match(jargon), flag).toHaveLength(2);
      expect(stdout).toBe(plain.stdout);
    }
  });

  it("with --quiet shows the answer alone, errors too", () => {
    const plain = run([]);
    for (const flags of [["-q"], ["--quiet", "--verbose"], ["--quiet", "-c", "300"]]) {
      const { status, stdout, stderr } = run(flags);
      expect([status, stderr, stdout.trimEnd()]).toEqual([0, "", plain.stdout.trimEnd()]);
      expect(stdout).toMatch(/[^\n]\n$/);
    }
    expect(run(["--quiet", "-m", "no-such.gguf"]).stderr).toContain("no-such.gguf");
  });

  it("says what the user should know without being asked", () => {
    expect(run(["-c", "300"]).stderr).toMatch(/^hearth: the context of 300 tokens is longer/m);
    expect(run(["--device", "reference", "-m", model]).stderr).not.toMatch(/sparsity|transposed/);
  });
});

describe("hearth chat", () => {
  it("with --quiet shows the answers alone", () => {
    const args = [command, "chat", "--temp", "0", "-n", "4"];
    const chat = (flags: readonly string[]): Ran =>
      spawnSync(process.execPath, [...args, ...flags], { encoding: "utf8", input: "Hello\n" });
    const quiet = chat(["--quiet"]);
    expect(quiet.stderr).toBe("");
    const plain = chat([]);
    expect(plain.stdout).toBe(quiet.stdout);
    expect(plain.stderr).toMatch(/bundled model of 5 M.*hearth chat -m model.gguf/);
  });
});

describe("a Node that is too old", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-old-node-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The program, started by this Node, which says that it is another. */
  const onNode = (version: string, program: string): Ran => {
    const fake = join(folder, "fake.cjs");
    const versions = `{ ...process.versions, node: ${JSON.stringify(version)} }`;
    writeFileSync(fake, `Object.defineProperty(process, "versions", { value: ${versions} });`);
    return node(["-r", fake, join(project, program), "--version"]);
  };

  it.each(["0.12.18", "14.21.3", "18.20.8", "20.0.0", "20.18.3"])(
    "is told so in one line: %s",
    (version) => {
      for (const program of ["bin/hearth.cjs", "dist/cli/main.js"]) {
        const { status, stdout, stderr } = onNode(version, program);
        expect([status, stdout], program).toEqual([1, ""]);
        expect(stderr).toMatch(/^hearth: hearth needs Node 20\.19 or newer and this is Node .*\n$/);
        expect(stderr).toContain(`Node ${version} (`);
      }
    },
  );

  it.each(["20.19.0", "22.1.0", "30.0.0"])("is not this one: %s", (version) => {
    expect(onNode(version, "bin/hearth.cjs")).toMatchObject({ status: 0, stderr: "" });
  });

  it("could read the file that tells it: words of ES5 alone", () => {
    for (const name of ["hearth.cjs", "check-node.cjs"]) {
      const code = readFileSync(join(project, "bin", name), "utf8").replaceAll(
        /^#!.*|\/\/.*|\/\*.*\*\//gm,
        "",
      );
      expect(code, name).not.toMatch(
        /=>|`|\?\.|\?\?|\.\.\.|,\s*[)\]}]|\b(const|let|class|async|await|import)\b/,
      );
    }
    const { engines } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
    const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(engines.node) ?? [];
    const check = readFileSync(join(project, "bin/check-node.cjs"), "utf8");
    expect(check).toContain(`[${major}, ${minor}]`);
  });
});
