/** Whether there may be an adapter, by variables and folders of Vulkan's loader. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { driverFolders, mayHaveAdapter } from "./card-presence.ts";

describe("an adapter", () => {
  it.each(["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"])(
    "may be there where %s names a driver, whatever the others hold",
    (name) => {
      const empty = { VK_DRIVER_FILES: "", VK_ICD_FILENAMES: "" };
      expect(mayHaveAdapter({ ...empty, [name]: "/opt/driver.json" })).toBe(true);
    },
  );

  it.each([
    ["XDG_DATA_HOME", "vulkan/icd.d"],
    ["XDG_CONFIG_HOME", "vulkan/icd.d"],
    ["HOME", ".local/share/vulkan/icd.d"],
    ["HOME", ".config/vulkan/icd.d"],
  ])("may be there where a driver lies in the folder of %s, %s", (name, below) => {
    const home = mkdtempSync(join(tmpdir(), "hearth-drivers-"));
    try {
      mkdirSync(join(home, below), { recursive: true });
      writeFileSync(join(home, below, "driver.json"), "{}");
      expect(driverFolders({ [name]: home })).toContain(join(home, below));
      expect(mayHaveAdapter({ [name]: home })).toBe(true);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe("the folders of drivers", () => {
  it("are the loader's defaults below home and the system's folders", () => {
    expect(driverFolders({ HOME: "/home/me" })).toEqual([
      "/home/me/.config/vulkan/icd.d",
      "/etc/xdg/vulkan/icd.d",
      "/usr/local/etc/vulkan/icd.d",
      "/etc/vulkan/icd.d",
      "/home/me/.local/share/vulkan/icd.d",
      "/usr/local/share/vulkan/icd.d",
      "/usr/share/vulkan/icd.d",
    ]);
  });

  it("may be missing, or be no folders", () => {
    const environment = { HOME: "/nowhere", XDG_DATA_HOME: process.execPath };
    expect(() => mayHaveAdapter(environment)).not.toThrow();
  });

  it("are those that the variables list, an empty one standing for its default", () => {
    const folders = driverFolders({
      HOME: "/home/me",
      XDG_DATA_DIRS: "/a:/b",
      XDG_CONFIG_DIRS: "",
    });
    expect(folders).toEqual(
      expect.arrayContaining(["/a/vulkan/icd.d", "/b/vulkan/icd.d", "/etc/xdg/vulkan/icd.d"]),
    );
    expect(folders).not.toContain("/usr/share/vulkan/icd.d");
  });
});
