/** The environment variables of huggingface_hub mean here what they mean there. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hubSettings } from "./settings.ts";

describe("the settings of the hub", () => {
  it("have the places of huggingface_hub without any variable", () => {
    const { endpoint, cacheFolder, isOffline } = hubSettings({ HF_TOKEN_PATH: "/none" });
    expect({ endpoint, cacheFolder, isOffline }).toEqual({
      endpoint: "https://huggingface.co",
      cacheFolder: join(homedir(), ".cache/huggingface/hub"),
      isOffline: false,
    });
  });

  it.each([
    [{ HF_HOME: "/a" }, "/a/hub"],
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ HF_HOME: "/a", HF_HUB_CACHE: "/b" }, "/b"],
    [{ HUGGINGFACE_HUB_CACHE: "/c" }, "/c"],
    [{ HF_HUB_CACHE: "~/c" }, join(homedir(), "c")],
    [{ HF_HUB_CACHE: `$DISK/\${NAME}`, DISK: "/d", NAME: "n" }, "/d/n"],
  ])("%o keep files in %s", (environment, expected) => {
    expect(hubSettings(environment).cacheFolder).toBe(expected);
  });

  it("take the token of the environment, else of the file", () => {
    const home = mkdtempSync(join(tmpdir(), "hearth-home-"));
    writeFileSync(join(home, "token"), "hf_file\n");
    expect(hubSettings({ HF_HOME: home }).token).toBe("hf_file");
    expect(hubSettings({ HF_HOME: home, HF_TOKEN: " hf_env " }).token).toBe("hf_env");
    expect(hubSettings({ HF_HOME: join(home, "none") }).token).toBeUndefined();
  });

  it("refuse an endpoint that is no address, and drop its last slash", () => {
    expect(hubSettings({ HF_ENDPOINT: "http://mirror.local/hub/" }).endpoint).toBe(
      "http://mirror.local/hub",
    );
    expect(() => hubSettings({ HF_ENDPOINT: "mirror.local" })).toThrow(/HF_ENDPOINT.*mirror.local/);
    expect(hubSettings({ HF_HUB_OFFLINE: "1" }).isOffline).toBe(true);
    expect(hubSettings({ HF_HUB_OFFLINE: "0" }).isOffline).toBe(false);
  });
});
