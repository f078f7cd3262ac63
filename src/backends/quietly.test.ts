/** What Dawn and drivers write to stderr is kept from it, and for who wants to know why there is no adapter. */
import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
// @ts-expect-error: a script for Node, without types
import { softwareVulkan } from "../../tools/software-vulkan.mjs";
import { loadAddon } from "./addon.ts";
import { quietly, warningsOf } from "./quietly.ts";

const addon = loadAddon();
const withoutAddon = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const project = resolve(import.meta.dirname, "../..");

describe("Dawn's lines", () => {
  it("lose the places of its source", () => {
    const written =
      "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open\n" +
      "    at operator() (/home/runner/work/dawn/src/dawn/native/vulkan/BackendVk.cpp:368)\n\n";
    expect(warningsOf(written)).toBe("Couldn't load Vulkan: libvulkan.so.1: cannot open");
    expect(warningsOf("")).toBe("");
  });

  it("never reach the user, who hears the reason from doctor", () => {
    const software = softwareVulkan({});
    const folders = [{}, { VK_ICD_FILENAMES: "/no-such-driver.json" }];
    const environments = [
      ...folders,
      ...(software.kind === "unpacked"
        ? [{ ...software.env, VK_ICD_FILENAMES: "/no-such-driver.json" }, software.env]
        : []),
    ];
    for (const environment of environments) {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(project, "dist/cli/main.js"), "doctor"],
        {
          encoding: "utf8",
          env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
        },
      );
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^gpu +none: no graphics adapter was found|^gpu 0/m);
    }
  });
});

describe.skipIf(addon.kind === "missing")(`work that runs quietly${withoutAddon}`, () => {
  it("gives its result, and its words to who listens", () => {
    const heard: string[] = [];
    const result = quietly(
      () => {
        writeSync(2, "Warning: this is for nobody\n");
        return 42;
      },
      (text) => heard.push(text),
    );
    expect(result).toBe(42);
    expect(heard).toEqual(["this is for nobody"]);
    expect(quietly(() => undefined)).toBeUndefined();
  });

  it("throws what it throws, and stderr is back afterwards, also where one stands in another", () => {
    const fault = new Error("of the work");
    const script = `
      import { writeSync } from "node:fs";
      import { quietly } from ${JSON.stringify(join(project, "dist/backends/quietly.js"))};
      const say = (text) => writeSync(2, text + "\\n");
      for (let i = 0; i < 500; i++) quietly(() => { say("lost"); quietly(() => say("lost too")); say("lost"); });
      try { quietly(() => { say("lost"); throw new Error("thrown"); }); } catch (error) { say(error.message); }
      say("kept");`;
    expect(() =>
      quietly(() => {
        throw fault;
      }),
    ).toThrow(fault);
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    expect(stderr).toBe("thrown\nkept\n");
  });
});
