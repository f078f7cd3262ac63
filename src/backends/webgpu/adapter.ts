/**
 * Lists the graphics adapters of this machine and chooses one.
 * Dawn's node binding hands out one adapter per request; the list of all comes from the answer to a name that no
 * adapter has. Two cards of the same name cannot be distinguished there: the first is used.
 */
import { DeviceError, OptionError } from "../../core/errors.ts";
import { missingVulkan, quietly } from "../quietly.ts";
import type { AdapterDescription, AdapterKind } from "./adapter-description.ts";
import { adapterMemory } from "./adapter-memory.ts";
import { mayHaveAdapter, mayHaveGraphicsCard } from "./card-presence.ts";
import { type HeldGpu, takeGpu } from "./gpu.ts";

/** An index in the list, part of a name, or "auto": the first that is not software. */
export type AdapterChoice = number | string;

/** A name that no driver has. */
const nobody = "adapter=no-adapter-has-this-name";

/**
 * Toggles of Dawn. Without the first, NVIDIA cards on Vulkan hide shader-f16 (gpuweb #5290). The second leaves
 * workgroup memory uninitialised: no kernel here reads what it has not written, and the clearing of 12 KiB is 3 s
 * of compile time on SwiftShader.
 */
const toggles = "enable-dawn-features=vulkan_enable_f16_on_nvidia,disable_workgroup_init";

const kindOrder: readonly AdapterKind[] = ["discrete", "integrated", "software"];

/** All adapters, discrete before integrated before software. Empty when there is no driver. */
export async function listAdapters(): Promise<readonly AdapterDescription[]> {
  return (await searchAdapters()).adapters;
}

/** As listAdapters; `warnings` are what Dawn and drivers said of the search, "" where they said nothing. */
export async function searchAdapters(): Promise<{
  readonly adapters: readonly AdapterDescription[];
  readonly warnings: string;
}> {
  const found: AdapterDescription[] = [];
  const { names, warnings } = await adapterNames();
  for (const { name, backend } of names) {
    const taken = await takeAdapter({ name, backend });
    if (taken === undefined) continue;
    found.push(await describe(taken.adapter, { name, backend }));
    taken.held.release();
  }
  const adapters = found
    .sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind))
    .map((adapter, index) => ({ ...adapter, index }));
  return { adapters, warnings };
}

/** @throws DeviceError when there is none; OptionError when the choice names none, or more than a name's part. */
export function chooseAdapter(
  adapters: readonly AdapterDescription[],
  choice: AdapterChoice,
): AdapterDescription {
  if (adapters.length === 0) {
    throw new DeviceError(
      "no graphics adapter was found. Install a Vulkan driver (Linux), or use device cpu",
    );
  }
  const listed = adapters.map(({ index, name }) => `${index} (${name})`).join(", ");
  if (choice === "auto") {
    const hardware = adapters.find(({ kind }) => kind !== "software");
    if (hardware !== undefined) return hardware;
    throw new DeviceError(
      `only software adapters were found: ${listed}. They are slower than the CPU backend; name one to use it all the same`,
    );
  }
  const isIndex = /^\d+$/.test(String(choice));
  const chosen = adapters.find(({ index, name }) =>
    isIndex ? index === Number(choice) : name.toLowerCase().includes(String(choice).toLowerCase()),
  );
  if (chosen === undefined) throw new OptionError("gpu", String(choice), `one of ${listed}`);
  return chosen;
}

/** "hardware": software adapters, by which the processor imitates a card, are left out. */
export type AdapterKinds = "hardware" | "any";

/**
 * The adapter that was chosen, else the first there is. Undefined where there is none, or no working driver, and none
 * was chosen. @throws as chooseAdapter for a choice that there is not.
 */
export async function findAdapter(
  choice: AdapterChoice | undefined,
  kinds: AdapterKinds,
): Promise<AdapterDescription | undefined> {
  const mayExist = kinds === "hardware" ? mayHaveGraphicsCard() : mayHaveAdapter();
  if (choice === undefined && !mayExist) return undefined;
  try {
    const all = await listAdapters();
    const adapters = kinds === "any" ? all : all.filter(({ kind }) => kind !== "software");
    return choice === undefined ? adapters[0] : chooseAdapter(adapters, choice);
  } catch (error) {
    if (error instanceof DeviceError && choice === undefined) return undefined;
    throw error;
  }
}

export interface TakenAdapter {
  readonly adapter: GPUAdapter;
  readonly held: HeldGpu;
}

/** The adapter of that name; its Dawn instance is held until released. */
export async function takeAdapter(wanted: {
  readonly name: string;
  readonly backend: string;
}): Promise<TakenAdapter | undefined> {
  const held = await takeGpu([`backend=${wanted.backend}`, `adapter=${wanted.name}`, toggles]);
  const adapter = await quietly(() => held.gpu.requestAdapter()).catch(() => null);
  if (adapter !== null) return { adapter, held };
  held.release();
  return undefined;
}

/** Reads Dawn's answer: " * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'". */
export function parseAdapterNames(
  answer: string,
): readonly { readonly backend: string; readonly name: string }[] {
  const listed = [...answer.matchAll(/backend: '([^']*)', name: '([^']*)'/g)];
  const names = listed.map(([, backend = "", name = ""]) => ({ backend, name }));
  // OpenGL and the null backend show the same cards again, or none.
  const usable = names.filter(({ backend }) => !/^(null|opengl|opengles)$/.test(backend));
  return usable.filter(({ name }, i) => usable.findIndex((other) => other.name === name) === i);
}

interface AdapterNames {
  readonly names: readonly { readonly backend: string; readonly name: string }[];
  readonly warnings: string;
}

async function adapterNames(): Promise<AdapterNames> {
  const missing = missingVulkan();
  if (missing !== undefined) return { names: [], warnings: missing };
  const held = await takeGpu([nobody]);
  let warnings = "";
  const request = (): Promise<GPUAdapter | null> => held.gpu.requestAdapter();
  try {
    const none = await quietly(request, (text) => {
      warnings = text;
    });
    const names = none === null ? [] : [{ backend: "vulkan", name: none.info.description }];
    return { names, warnings };
  } catch (error) {
    const answer = error instanceof Error ? error.message : String(error);
    return { names: parseAdapterNames(answer), warnings };
  } finally {
    held.release();
  }
}

async function describe(
  adapter: GPUAdapter,
  { name, backend }: { readonly name: string; readonly backend: string },
): Promise<AdapterDescription> {
  const { vendor, isFallbackAdapter } = adapter.info;
  const kind = adapterKind({ vendor, name, isFallback: isFallbackAdapter });
  const memory = kind === "software" ? undefined : await adapterMemory({ vendor, name });
  return {
    index: 0,
    name,
    vendor,
    backend,
    kind,
    features: [...adapter.features].sort(),
    maxBufferBytes: adapter.limits.maxBufferSize,
    maxBindingBytes: adapter.limits.maxStorageBufferBindingSize,
    ...(memory === undefined ? {} : { memory }),
  };
}

/** WebGPU does not say whether a card is integrated; its name does, by the vendors' own naming. */
export function adapterKind(card: {
  readonly vendor: string;
  readonly name: string;
  readonly isFallback: boolean;
}): AdapterKind {
  if (card.isFallback || /llvmpipe|swiftshader|basic render/i.test(card.name)) return "software";
  const name = card.name.toLowerCase();
  const isIntelIntegrated = /intel/.test(card.vendor + name) && !/\barc\b.*\b[ab]\d{3}/.test(name);
  const isAmdIntegrated = /radeon(\(tm\))? (vega \d+ )?graphics|radeon \d{3}m\b/.test(name);
  const isApple = /apple/.test(card.vendor + name);
  return isIntelIntegrated || isAmdIntegrated || isApple ? "integrated" : "discrete";
}
