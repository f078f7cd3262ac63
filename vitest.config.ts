import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * From half a minute up. A clean checkout knows no durations, and a file of minutes that begins last has one worker to itself
 * while the other is idle.
 */
const longest: readonly string[] = [
  "src/backends/webgpu/conformance.test.ts",
  "src/backends/cpu/conformance.test.ts",
  "test/gpu/default-model.test.ts",
  "test/end-to-end/pull.test.ts",
  "src/backends/webgpu/features.test.ts",
  "test/states/conversations.test.ts",
  "src/commands/prepare/prepare.test.ts",
  "test/end-to-end/surface.test.ts",
  "src/engine/shared-steps.test.ts",
];

const missing = longest.filter((file) => !existsSync(join(import.meta.dirname, file)));
if (missing.length > 0)
  throw new Error(`vitest.config.ts names files that are gone: ${missing.join(", ")}`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = longest.findIndex((file) =>
        moduleId.replaceAll("\\", "/").endsWith(`/${file}`),
      );
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** Rooms of plain functions, whose tests change nothing outside of themselves: they share a process, and load modules once. */
const plainRooms = [
  "cli",
  "core",
  "forms",
  "gguf",
  "io",
  "learning",
  "model",
  "ops",
  "placement",
  "quant",
  "sparsity",
  "text",
].map((room) => `src/${room}/**/*.test.ts`);

const config: ViteUserConfig = defineConfig({
  test: {
    // Files whose tests take longer say so themselves, with vi.setConfig.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    globalSetup: ["tools/software-vulkan.mjs", "test/packaged.ts"],
    projects: [
      { extends: true, test: { name: "plain", include: plainRooms, isolate: false } },
      {
        extends: true,
        test: {
          name: "own process",
          include: [
            "src/**/*.test.ts",
            "page/**/*.test.ts",
            "test/**/*.test.ts",
            "tools/**/*.test.ts",
          ],
          exclude: ["**/node_modules/**", ...plainRooms],
        },
      },
    ],
  },
});

export default config;
