/** Choosing an adapter, without a driver. */
import { describe, expect, it } from "vitest";
import { DeviceError, OptionError } from "../../core/errors.ts";
import { MiB } from "../../core/units.ts";
import { adapterKind, chooseAdapter, parseAdapterNames } from "./adapter.ts";
import type { AdapterDescription, AdapterKind } from "./adapter-description.ts";
import { parseNvidia, parseSysctl } from "./adapter-memory.ts";

function adapter(index: number, name: string, kind: AdapterKind): AdapterDescription {
  const limits = { maxBufferBytes: 1 << 30, maxBindingBytes: 1 << 27 };
  return { index, name, vendor: "", backend: "vulkan", kind, features: [], ...limits };
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
      { backend: "vulkan", name: "llvmpipe (LLVM 15.0.6, 256 bits)" },
      { backend: "vulkan", name: "AMD Radeon RX 7900 XTX" },
    ]);
  });

  it.each([
    ["nvidia", "NVIDIA GeForce GTX 1660 Ti", "discrete"],
    ["amd", "AMD Radeon RX 7900 XTX (RADV NAVI31)", "discrete"],
    ["amd", "AMD Radeon 780M (RADV PHOENIX)", "integrated"],
    ["amd", "AMD Radeon(TM) Graphics", "integrated"],
    ["intel", "Intel(R) Iris(R) Xe Graphics (TGL GT2)", "integrated"],
    ["intel", "Intel(R) Arc(TM) A770 Graphics (DG2)", "discrete"],
    ["apple", "Apple M3 Pro", "integrated"],
    ["google", "SwiftShader Device (Subzero)", "software"],
  ])("takes %s %s to be %s", (vendor, name, kind) => {
    expect(adapterKind({ vendor, name, isFallback: false })).toBe(kind);
  });

  it("reads a card's memory from nvidia-smi, and leaves it unknown when the name fits none of several", () => {
    const text = "NVIDIA GeForce RTX 4090, 24564\nNVIDIA GeForce RTX 3060, 12288\n";
    expect(parseNvidia(text, "NVIDIA GeForce RTX 3060")).toBe(12288 * MiB);
    expect(parseNvidia(text, "NVIDIA T4")).toBeUndefined();
    expect(parseNvidia("", "NVIDIA T4")).toBeUndefined();
  });

  it("reads unified memory from sysctl", () => {
    expect(parseSysctl("17179869184\n")).toBe(0.75 * 17179869184);
    expect(parseSysctl("")).toBeUndefined();
  });
});
