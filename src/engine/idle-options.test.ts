import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Engine } from "./engine.ts";
import { idleOptionNotices } from "./idle-options.ts";
import type { EngineOptions } from "./options.ts";

const everything: EngineOptions = {
  vramBudget: 8,
  gpu: 0,
  hardware: "rtx-4090",
  objective: "paper",
  adapt: true,
  timeline: true,
};

describe("options that a device does not use", () => {
  it("are said one by one, each only where it has no effect", () => {
    const flags = (device: "host" | "gpu" | "hybrid"): readonly (string | undefined)[] =>
      idleOptionNotices(everything, device).map((notice) => /\((--[\w-]+)\)/.exec(notice)?.[1]);
    const placement = ["--hardware", "--objective", "--adapt", "--timeline"];
    expect(flags("host")).toEqual(["--vram-budget", "--gpu", ...placement]);
    expect(flags("gpu")).toEqual(placement);
    expect(flags("hybrid")).toEqual([]);
  });

  it("are nothing where nothing was asked for, or the default", () => {
    expect(idleOptionNotices({}, "host")).toEqual([]);
    const unasked = { objective: "latency", adapt: false, timeline: false } as const;
    expect(idleOptionNotices(unasked, "host")).toEqual([]);
  });

  it("are among an engine's notices", async () => {
    const model = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
    const engine = await Engine.open(model, {
      device: "reference",
      vramBudget: 8,
      contextLength: 16,
    });
    try {
      expect(engine.notices).toContain(
        "the VRAM budget (--vram-budget) has no effect: the model runs on the processor",
      );
    } finally {
      await engine.close();
    }
  });
});
