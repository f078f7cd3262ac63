import { describe, expect, it } from "vitest";
import { FileFormatError, OptionError } from "../core/errors.ts";
import { describedCards } from "./described-cards.ts";
import { parseHardwareProfile, readSpeed, serialiseHardwareProfile } from "./hardware.ts";

const card = describedCards.get("rtx-4090")!;

/** The card's JSON with one field replaced, by its path. */
function edited(path: string, value: unknown): string {
  const root = JSON.parse(serialiseHardwareProfile(card));
  const keys = path.split(".");
  const last = keys.pop()!;
  const holder = keys.reduce((object, key) => object[key], root);
  holder[last] = value;
  return JSON.stringify(root);
}

describe("a hardware profile", () => {
  it.each([...describedCards])(
    "of %s survives being written and read, and says that it is described",
    (_, profile) => {
      expect(parseHardwareProfile(serialiseHardwareProfile(profile), "card.json")).toEqual(profile);
      expect(profile.origin).toBe("described");
      expect(profile.name).toContain("described, not measured");
    },
  );

  it("may have no GPU, an identity and speeds per weight type", () => {
    const text = edited("gpu", null).replace(
      '"version":1',
      '"version":1,"identity":"cpu x, driver 1"',
    );
    const profile = parseHardwareProfile(text, "here.json");
    expect(profile.gpu).toBeNull();
    expect(profile.identity).toBe("cpu x, driver 1");
  });

  it.each([
    ["splitLayerSeconds", -1, "splitLayerSeconds: found -1"],
    ["gpu.memoryBytes", -5, "gpu.memoryBytes: found -5"],
    ["gpu.memoryBytes", 1.5, "a whole number"],
    ["cpu.readBytesPerSecond.Q4_0", 0, "cpu.readBytesPerSecond.Q4_0: found 0"],
    ["cpu.readBytesPerSecond.Q9_9", 1, "cpu.readBytesPerSecond.Q9_9"],
    ["cpu.readBytesPerSecond", {}, "at least one weight type"],
    ["cpu.cores", 8, "cpu.cores: found 8, expected one of the keys"],
    ["cpu.threads", 0, "at least one thread"],
    ["link.uploadBytesPerSecond", "fast", 'link.uploadBytesPerSecond: found "fast"'],
    ["link", undefined, "link: found nothing"],
    ["origin", "guessed", "one of measured, described"],
    ["version", 2, "version: found 2"],
  ])("with %s = %j is refused by name and value", (path, value, message) => {
    const parse = () => parseHardwareProfile(edited(path, value), "card.json");
    expect(parse).toThrow(FileFormatError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^card\.json: /);
  });

  it("that is not JSON is refused", () => {
    expect(() => parseHardwareProfile("{", "card.json")).toThrow(FileFormatError);
  });

  it("reads a type's own speed before the default, and names what it lacks", () => {
    const cpu = { ...card.cpu, readBytesPerSecond: { Q4_0: 5, default: 7 } };
    expect([readSpeed(cpu, "Q4_0"), readSpeed(cpu, "Q6_K"), readSpeed(cpu, "IQ4_XS")]).toEqual([
      5, 7, 7,
    ]);
    const bare = { ...cpu, readBytesPerSecond: { Q4_0: 5 } };
    expect(() => readSpeed(bare, "F16")).toThrow(OptionError);
    expect(() => readSpeed(bare, "F16")).toThrow(/F16.*it has Q4_0/);
  });
});
