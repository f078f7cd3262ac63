/** Choosing an adapter, without a driver. */
import { describe, expect, it } from "vitest";
import { DeviceError, OptionError } from "../../core/errors.ts";
import { chooseAdapter, parseAdapterNames } from "./adapter.ts";
import type { AdapterDescription, AdapterKind } from "./adapter-description.ts";

function adapter(index: number, name: string, kind: AdapterKind): AdapterDescription {
  const limits = { maxBufferBytes: 1 << 30, maxBindingBytes: 1 << 27 };
  const found = { kind: "its name" };
  return {
    index,
    name,
    vendor: "",
    backend: "vulkan",
    kind,
    features: [],
    cards: 1,
    found,
    ...limits,
  };
}

const cards = [
  adapter(0, "NVIDIA GeForce RTX 4090", "discrete"),
  adapter(1, "Intel(R) UHD Graphics 770", "integrated"),
  adapter(2, "llvmpipe (LLVM 15.0.6, 256 bits)", "software"),
];

describe("choosing an adapter", () => {
  it("takes the first that is not software by itself", () => {
    expect(chooseAdapter(cards, "auto").index).toBe(0);
  });

  it("never takes a software adapter unasked, and says how to ask", () => {
    expect(() => chooseAdapter(cards.slice(2), "auto")).toThrow(/only software.*name one/);
    expect(chooseAdapter(cards.slice(2), "llvmpipe").kind).toBe("software");
  });

  it("takes an index or a part of the name in any case", () => {
    expect(chooseAdapter(cards, 1).name).toContain("Intel");
    expect(chooseAdapter(cards, "2").name).toContain("llvmpipe");
    expect(chooseAdapter(cards, "rtx").index).toBe(0);
  });

  it("takes the integrated one for low-power, and the first of others where there is none", () => {
    expect(chooseAdapter(cards, "low-power").name).toContain("Intel");
    expect(chooseAdapter(cards.slice(0, 1), "low-power").name).toContain("4090");
    expect(() => chooseAdapter(cards.slice(2), "low-power")).toThrow(/only software/);
  });

  it("refuses a card that has the name of another, however it is chosen", () => {
    const twins = cards.map((card) => ({ ...card, cards: card.index === 0 ? 2 : 1 }));
    for (const choice of ["auto", 0, "4090"]) {
      expect(() => chooseAdapter(twins, choice)).toThrow(
        /2 cards are called "NVIDIA GeForce RTX 4090".*cannot tell them apart/,
      );
    }
    expect(chooseAdapter(twins, "intel").index).toBe(1);
  });

  it("lists what there is when the choice names none", () => {
    expect(() => chooseAdapter(cards, "radeon")).toThrow(OptionError);
    expect(() => chooseAdapter(cards, 7)).toThrow(/1 \(Intel/);
    expect(() => chooseAdapter([], "auto")).toThrow(DeviceError);
  });
});

describe("describing an adapter", () => {
  it("reads the names out of Dawn's answer, without the OpenGL doubles", () => {
    const answer = `no suitable backends found
Available adapters:
 * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'
 * backend: 'opengl', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'
 * backend: 'vulkan', name: 'AMD Radeon RX 7900 XTX'
 * backend: 'null', name: 'Null backend'`;
    expect(parseAdapterNames(answer)).toEqual([
      { backend: "vulkan", name: "llvmpipe (LLVM 15.0.6, 256 bits)", cards: 1 },
      { backend: "vulkan", name: "AMD Radeon RX 7900 XTX", cards: 1 },
    ]);
  });

  it("counts cards of one name, and one card that two backends show once", () => {
    const line = (backend: string, name: string): string =>
      ` * backend: '${backend}', name: '${name}'`;
    const answer = [
      line("d3d12", "A"),
      line("d3d12", "B"),
      line("vulkan", "B"),
      line("d3d12", "A"),
    ].join("\n");
    expect(parseAdapterNames(answer)).toEqual([
      { backend: "d3d12", name: "A", cards: 2 },
      { backend: "d3d12", name: "B", cards: 1 },
    ]);
  });
});
