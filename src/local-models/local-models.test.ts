/** Models in folders of other programs: whole ones, broken ones and folders that somebody made to do harm. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  addOllamaBlob,
  addOllamaManifest,
  type MadeUpHome,
  makeHome,
  ollamaManifest,
} from "../../test/fixtures/model-folders.ts";
import { findModels } from "./find-models.ts";
import { findLlamaCppModels } from "./llama-cpp.ts";
import { findLmStudioModels } from "./lm-studio.ts";
import { fullName, type LocalModel } from "./local-model.ts";
import { modelNamed, nearNames } from "./model-name.ts";
import { findOllamaModels } from "./ollama.ts";
import { llamaCppFolder, ollamaFolders, type Surroundings } from "./places.ts";
import { FolderSearch } from "./search.ts";

let home: MadeUpHome;
beforeEach(() => {
  home = makeHome();
});
afterEach(() => home[Symbol.dispose]());

/** "darwin": without the folder of a service that this machine may have. */
const surroundings = (env: Surroundings["env"] = {}, platform = "darwin"): Surroundings => ({
  env,
  home: home.path,
  platform,
});
const library = "registry.ollama.ai/library";

describe("models of Ollama", () => {
  const find = () => findOllamaModels(surroundings());
  const only = (): LocalModel => {
    const { models, notices } = find();
    expect(notices).toEqual([]);
    expect(models).toHaveLength(1);
    return models[0] as LocalModel;
  };

  it("are blobs that manifests name, under the names that ollama list shows", () => {
    const digest = addOllamaBlob(home, "weights");
    const manifest = ollamaManifest([{ kind: "model", digest }]);
    addOllamaManifest(home, `${library}/llama3.2/1b`, manifest);
    addOllamaManifest(home, "registry.ollama.ai/someone/tuned/latest", manifest);
    addOllamaManifest(home, "hf.co/bartowski/Llama-GGUF/Q4_K_M", manifest);
    const { models, notices } = find();
    expect(notices).toEqual([]);
    expect(models.map(({ name }) => name)).toEqual([
      "hf.co/bartowski/Llama-GGUF:Q4_K_M",
      "llama3.2:1b",
      "someone/tuned:latest",
    ]);
    const blob = join(home.path, ".ollama/models/blobs", digest.replace(":", "-"));
    expect(models.map(({ path }) => path)).toEqual([blob, blob, blob]);
  });

  it("are found where OLLAMA_MODELS says, and in the home of the service on Linux", () => {
    const chosen = surroundings({ OLLAMA_MODELS: "/disk/ollama" }, "linux");
    expect(ollamaFolders(chosen)).toEqual(["/disk/ollama", "/usr/share/ollama/.ollama/models"]);
    const unset = surroundings({ OLLAMA_MODELS: "" }, "win32");
    expect(ollamaFolders(unset)).toEqual([join(home.path, ".ollama/models")]);
  });

  it("say which of Ollama's own settings are not used", () => {
    const digest = addOllamaBlob(home, "weights");
    const layers = ["model", "template", "license", "params"].map((kind) => ({ kind, digest }));
    addOllamaManifest(home, `${library}/a/latest`, ollamaManifest(layers));
    expect(only().notice).toMatch(/\(template, params\) are not used: [^;]*$/);
  });

  it("with a projector say that they read no images here", () => {
    const digest = addOllamaBlob(home, "weights");
    const layers = ["model", "projector", "messages"].map((kind) => ({ kind, digest }));
    addOllamaManifest(home, `${library}/a/latest`, ollamaManifest(layers));
    const expected = /\(messages\) are not used.*; its projector is not used: it reads no images/;
    expect(only()).toMatchObject({ notice: expect.stringMatching(expected) });
    expect(only().problem).toBeUndefined();
  });

  it("of newer versions are links to a blob, or lists of one manifest for each runner", () => {
    const digest = addOllamaBlob(home, "weights");
    const manifest = ollamaManifest([{ kind: "model", digest }]);
    const child = addOllamaBlob(home, manifest);
    const list = JSON.stringify({
      mediaType: "application/vnd.ollama.manifest.list.v2+json",
      manifests: [
        { runner: "mlx", format: "safetensors", digest: addOllamaBlob(home, "{}") },
        { runner: "ollama", format: "gguf", digest: child },
      ],
    });
    const listBlob = addOllamaBlob(home, list).replace(":", "-");
    home.link(
      `.ollama/models/manifests-v2/${library}/a/latest`,
      join(home.path, ".ollama/models/blobs", listBlob),
    );
    // The older manifest of the same name is not looked at.
    addOllamaManifest(home, `${library}/a/latest`, "{}");
    expect(only().path).toContain(digest.replace(":", "-"));
    expect(only().problem).toBeUndefined();
  });

  it.each([
    ["that is no JSON", "{", /cannot be read/],
    ["that is empty", "", /cannot be read/],
    ["without layers", "[]", /no list of layers/],
    ["of null layers", '{"layers":[null,1,"x"]}', /names no weights/],
    ["of a model elsewhere", '{"layers":[]}', /names no weights/],
    ["of safetensors", ollamaManifest([{ kind: "tensor", digest: "sha256:1" }]), /safetensors/],
    [
      "whose blob is a path",
      ollamaManifest([{ kind: "model", digest: "sha256:../../../../etc/passwd" }]),
      /no sha256/,
    ],
    [
      "whose blob is missing",
      ollamaManifest([{ kind: "model", digest: `sha256:${"0".repeat(64)}` }]),
      /not there/,
    ],
    [
      "with an adapter",
      ollamaManifest([
        { kind: "model", digest: `sha256:${"0".repeat(64)}` },
        { kind: "adapter", digest: `sha256:${"1".repeat(64)}` },
      ]),
      /adapter/,
    ],
    [
      "that is an endless list",
      `{"mediaType":"application/vnd.ollama.manifest.list.v2+json","manifests":[]}`,
      /no list/,
    ],
    ["that is too large", " ".repeat((4 << 20) + 1), /cannot be read/],
  ])("with a manifest %s are named with what is wrong", (_, manifest, problem) => {
    addOllamaManifest(home, `${library}/broken/latest`, manifest);
    expect(only().problem).toMatch(problem);
  });

  it("never throw, whatever a manifest says", () => {
    const value = fc.jsonValue();
    fc.assert(
      fc.property(
        fc.oneof(
          value.map((one) => JSON.stringify(one)),
          fc.string(),
        ),
        (manifest) => {
          addOllamaManifest(home, `${library}/any/latest`, manifest);
          expect(only().problem).toBeDefined();
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });
});

describe("models of LM Studio", () => {
  const find = () => findLmStudioModels(surroundings());

  it("lie in its folder, of today and of before, by publisher and model", () => {
    home.write(".lmstudio/models/maker/Tiny-GGUF/tiny-q4.gguf", "");
    home.write(".lmstudio/models/maker/Tiny-GGUF/mmproj-tiny.gguf", "");
    home.write(".lmstudio/models/maker/Tiny-GGUF/tiny-q4.sparsity.gguf", "");
    home.write(".lmstudio/models/maker/Big/big-00001-of-00002.gguf", "");
    home.write(".lmstudio/models/maker/Big/big-00002-of-00002.gguf", "");
    home.write(".cache/lm-studio/models/old/model/file.gguf", "");
    const { models, notices } = find();
    expect(notices).toEqual([]);
    expect(models.map(({ name }) => name)).toEqual([
      "maker/Big/big",
      "maker/Tiny-GGUF/tiny-q4",
      "old/model/file",
    ]);
    expect(models[1]?.aliases).toEqual(["tiny-q4", "maker/Tiny-GGUF", "Tiny-GGUF"]);
  });

  it("are looked for where its settings and its pointer say", () => {
    const elsewhere = join(home.path, "disk");
    home.write(".lmstudio/settings.json", JSON.stringify({ downloadsFolder: elsewhere }));
    home.write("disk/maker/model/a.gguf", "");
    home.write(".lmstudio-home-pointer", `${join(home.path, "moved")}\n`);
    home.write("moved/models/maker/model/b.gguf", "");
    expect(find().models.map(({ name }) => name)).toEqual(["maker/model/b", "maker/model/a"]);
  });

  it("are found with broken settings, which are named", () => {
    home.write(".lmstudio/settings.json", "{");
    home.write(".lmstudio/models/maker/model/a.gguf", "");
    const { models, notices } = find();
    expect(models).toHaveLength(1);
    expect(notices).toEqual([expect.stringContaining("settings.json is not JSON")]);
  });

  it("are each found once, however links lead round", () => {
    home.write(".lmstudio/models/maker/model/a.gguf", "");
    home.link(".lmstudio/models/maker/loop", "..");
    home.link(".lmstudio/models/maker/self", "self");
    home.link(".lmstudio/models/maker/model/gone.gguf", "nowhere");
    home.link(".lmstudio/models/other", join(home.path, ".lmstudio/models/maker"));
    const names = find().models.map(({ name }) => name);
    expect(names).toEqual(["maker/model/a", "maker/model/gone"]);
  });

  it("are left out with a notice where their folder is a link to itself", () => {
    home.link(".lmstudio/models", "models");
    const { models, notices } = find();
    expect(models).toEqual([]);
    expect(notices).toEqual([expect.stringMatching(/models was not looked through: .*circle/)]);
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(isRoot || process.platform === "win32")(
    `are left out with a notice where a folder may not be read${isRoot ? " (skipped: root may read everything)" : ""}`,
    () => {
      home.write(".lmstudio/models/maker/model/a.gguf", "");
      const folder = join(home.path, ".lmstudio/models/maker");
      chmodSync(folder, 0);
      const { models, notices } = find();
      chmodSync(folder, 0o700);
      expect(models).toEqual([]);
      expect(notices).toEqual([`${folder} was not looked through: no permission`]);
    },
  );
});

describe("models of llama.cpp", () => {
  const find = () => findLlamaCppModels(surroundings());
  const cache = "Library/Caches/llama.cpp";

  it("have the names of their manifests, else those of their files", () => {
    const manifest = JSON.stringify({ ggufFile: { rfilename: "sub/m-Q4_K_M.gguf", size: 1 } });
    home.write(`${cache}/manifest=ggml-org=m-GGUF=latest.json`, manifest);
    home.write(`${cache}/ggml-org_m-GGUF_sub_m-Q4_K_M.gguf`, "");
    home.write(`${cache}/ggml-org_m-GGUF_sub_m-Q4_K_M.gguf.etag`, "");
    home.write(`${cache}/half.gguf.downloadInProgress`, "");
    home.write(`${cache}/manifest=a=b=c.json`, "broken");
    home.write(`${cache}/plain.gguf`, "");
    const { models, notices } = find();
    expect(notices).toEqual([]);
    expect(models.map(({ name }) => name)).toEqual(["ggml-org/m-GGUF:latest", "plain"]);
  });

  it.each([
    ["linux", {}, ".cache/llama.cpp"],
    ["linux", { XDG_CACHE_HOME: "/x" }, "/x/llama.cpp"],
    ["win32", { LOCALAPPDATA: "/local" }, "/local/llama.cpp"],
    ["darwin", { XDG_CACHE_HOME: "/x" }, "Library/Caches/llama.cpp"],
    ["linux", { LLAMA_CACHE: "/disk" }, "/disk"],
  ])("on %s with %o lie in %s", (platform, env, folder) => {
    const expected = folder.startsWith("/") ? folder : join(home.path, folder);
    expect(llamaCppFolder(surroundings(env, platform))).toBe(expected);
  });
});

describe("models in Hugging Face's cache", () => {
  const commit = (digit: string): string => digit.repeat(40);
  const env = (): Surroundings["env"] => ({
    HF_HUB_CACHE: join(home.path, "hub"),
    LLAMA_CACHE: join(home.path, "llama"),
  });
  const find = () => findModels(surroundings(env()));
  const put = (folder: string, revision: string, file: string): void => {
    const blob = home.write(`${folder}/blobs/${"d".repeat(64)}`, "weights");
    home.link(`${folder}/snapshots/${revision}/${file}`, blob);
  };

  it("have the names of repository and quantisation, and those of main go first", () => {
    const folder = "hub/models--maker--Tiny-GGUF";
    home.write(`${folder}/refs/main`, commit("a"));
    put(folder, commit("b"), "Tiny-Q4_K_M.gguf");
    put(folder, commit("a"), "Tiny-Q4_K_M.gguf");
    put(folder, commit("b"), "Tiny-Q8_0.gguf");
    home.write("hub/models--maker--Python/snapshots/x/model.safetensors", "");
    put("llama/models--maker--Other", commit("c"), "Other-F16.gguf");
    const found = find();
    expect(found.notices).toEqual([]);
    expect(found.models.map(fullName)).toEqual([
      "hearth:bundled",
      "hf:maker/Tiny-GGUF:Q4_K_M",
      "hf:maker/Tiny-GGUF:Q8_0",
      "llama.cpp:maker/Other:F16",
    ]);
    expect(found.models[1]?.path).toContain(commit("a"));
    expect(modelNamed("Tiny-GGUF:Q8_0", found.models)?.path).toContain(commit("b"));
  });

  it("are left out with a notice where HF_ENDPOINT is no address", () => {
    const { notices } = findModels(surroundings({ ...env(), HF_ENDPOINT: "nonsense" }));
    expect(notices).toEqual([expect.stringContaining("HF_ENDPOINT")]);
  });
});

describe("a search", () => {
  it("ends after so many files and says where", () => {
    for (let i = 0; i < 30; i++) home.write(`many/${i}.gguf`, "");
    const search = new FolderSearch(20);
    expect(search.files(join(home.path, "many"), () => true)).toHaveLength(20);
    expect(search.notices).toEqual([expect.stringMatching(/ended in .*many after 20 files/)]);
  });

  it("does not go deeper than models lie", () => {
    home.write(`${"deep/".repeat(30)}a.gguf`, "");
    expect(new FolderSearch().files(join(home.path, "deep"), () => true)).toEqual([]);
  });
});

describe("a name", () => {
  const model = (id: string, ...aliases: readonly string[]): LocalModel => {
    const [, origin = "", name = ""] = /^([^:]+):(.*)$/.exec(id) ?? [];
    return { origin: origin as LocalModel["origin"], name, aliases, path: `/${id}` };
  };
  const models = [
    model("ollama:llama3.2:1b", "llama3.2"),
    model("ollama:llama3.2:latest", "llama3.2"),
    model("ollama:qwen3:8b", "qwen3"),
    model("lmstudio:maker/Tiny-GGUF/tiny-q4", "tiny-q4", "maker/Tiny-GGUF", "Tiny-GGUF"),
    model("llama.cpp:maker/Tiny-GGUF:Q4_0", "maker/Tiny-GGUF", "maker_Tiny"),
  ];
  const named = (word: string): string | undefined => {
    const found = modelNamed(word, models);
    return found && fullName(found);
  };

  it.each([
    ["ollama:llama3.2:1b", "ollama:llama3.2:1b"],
    ["llama3.2:1b", "ollama:llama3.2:1b"],
    ["LLAMA3.2:1B", "ollama:llama3.2:1b"],
    // Ollama's own meaning of a name without a tag.
    ["llama3.2", "ollama:llama3.2:latest"],
    ["qwen3", "ollama:qwen3:8b"],
    ["tiny-q4", "lmstudio:maker/Tiny-GGUF/tiny-q4"],
    ["lmstudio:maker/Tiny-GGUF", "lmstudio:maker/Tiny-GGUF/tiny-q4"],
    ["qwen", undefined],
    ["", undefined],
  ])("%j means %s", (word, meant) => expect(named(word)).toBe(meant));

  it("that several models have is an error that lists them", () => {
    expect(() => named("maker/Tiny-GGUF")).toThrow(
      /give lmstudio:maker\/Tiny-GGUF\/tiny-q4 or llama\.cpp:maker\/Tiny-GGUF:Q4_0/,
    );
  });

  it("that nobody has is near to others", () => {
    expect(nearNames("lama3.2:1b", models)[0]).toBe("ollama:llama3.2:1b");
    expect(nearNames("qwen", models)).toEqual(["ollama:qwen3:8b"]);
    expect(nearNames("something else entirely", models)).toEqual([]);
  });

  it("of two tags of one file means that file", () => {
    const digest = addOllamaBlob(home, "weights");
    const manifest = ollamaManifest([{ kind: "model", digest }]);
    addOllamaManifest(home, `${library}/a/1b`, manifest);
    addOllamaManifest(home, `${library}/a/1b-instruct`, manifest);
    const found = findModels(surroundings({ HF_HUB_CACHE: home.path })).models;
    expect(found.map(fullName)).toContain("hearth:bundled");
    expect(modelNamed("a", found)?.path).toContain(digest.replace(":", "-"));
  });
});
