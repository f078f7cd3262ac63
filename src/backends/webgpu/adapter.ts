/**
 * Lists the graphics adapters of this machine and chooses one.
 * Dawn's node binding hands out one adapter per request; the list of all comes from the answer to a name that no
 * adapter has. Two cards of the same name cannot be distinguished there, so neither is chosen.
 */
import { DeviceError, OptionError } from "../../core/errors.ts";
import { missingVulkan, quietly } from "../quietly.ts";
import type { AdapterDescription, AdapterKind } from "./adapter-description.ts";
import { cardFacts, type FactTools, systemFacts } from "./card-facts.ts";
import { mayHaveAdapter, mayHaveGraphicsCard } from "./card-presence.ts";
import { type HeldGpu, takeGpu } from "./gpu.ts";

/**
 * An index in the list, part of a name, "auto": the first that is not software, or "low-power": the first integrated one,
 * else as auto.
 */
export type AdapterChoice = number | string;

/** A name that no driver has. */
const nobody = "adapter=no-adapter-has-this-name";

/**
 * Toggles of Dawn. Without the first, NVIDIA cards on Vulkan hide shader-f16 (gpuweb #5290). The second leaves
 * workgroup memory uninitialised: no kernel here reads what it has not written, and the clearing of 12 KiB is 3 s
 * of compile time on SwiftShader.
 */
const toggles = "enable-dawn-features=vulkan_enable_f16_on_nvidia,disable_workgroup_init";

/** A laptop's card wakes for it, and stays at its clock. */
const fast: GPURequestAdapterOptions = { powerPreference: "high-performance" };

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
  const tools = names.length === 0 ? undefined : quietly(systemFacts);
  for (const { name, backend, cards } of names) {
    const taken = await takeAdapter({ name, backend });
    if (taken === undefined || tools === undefined) continue;
    found.push(await describe(taken.adapter, { name, backend, cards }, tools));
    taken.held.release();
  }
  const adapters = found
    .sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind))
    .map((adapter, index) => ({ ...adapter, index }));
  return { adapters, warnings };
}

/** @throws DeviceError when there is none, or another of its name; OptionError when the choice names none. */
export function chooseAdapter(
  adapters: readonly AdapterDescription[],
  choice: AdapterChoice,
): AdapterDescription {
  if (adapters.length === 0) {
    throw new DeviceError(
      "no graphics adapter was found. Install a Vulkan driver (Linux), or use device cpu",
    );
  }
  const chosen = matching(adapters, choice);
  if (chosen.cards > 1) throw new DeviceError(sameName(chosen));
  return chosen;
}

/** Why a card is not taken that has the name of another. */
export function sameName({ name, cards }: AdapterDescription): string {
  return (
    `${cards} cards are called "${name}", and WebGPU's binding cannot tell them apart. Let this process see one of ` +
    "them (a container with one card), choose another adapter, or use device cpu"
  );
}

function matching(
  adapters: readonly AdapterDescription[],
  choice: AdapterChoice,
): AdapterDescription {
  const listed = adapters.map(({ index, name }) => `${index} (${name})`).join(", ");
  if (choice === "auto" || choice === "low-power") {
    const hardware = adapters.filter(({ kind }) => kind !== "software");
    const integrated = hardware.find(({ kind }) => kind === "integrated");
    const first = (choice === "low-power" ? integrated : undefined) ?? hardware[0];
    if (first !== undefined) return first;
    throw new DeviceError(
      `only software adapters were found: ${listed}. They are slower than the CPU backend; name one to use it all the same`,
    );
  }
  // Three digits and more are part of a name, such as "4090".
  const isIndex = /^\d{1,2}$/.test(String(choice));
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
  const adapter = await quietly(() => held.gpu.requestAdapter(fast)).catch(() => null);
  if (adapter !== null) return { adapter, held };
  held.release();
  return undefined;
}

/** Reads Dawn's answer: " * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'". */
export function parseAdapterNames(answer: string): readonly NamedCards[] {
  const listed = [...answer.matchAll(/backend: '([^']*)', name: '([^']*)'/g)];
  const names = listed.map(([, backend = "", name = ""]) => ({ backend, name }));
  // OpenGL and the null backend show the same cards again, or none.
  const usable = names.filter(({ backend }) => !/^(null|opengl|opengles)$/.test(backend));
  return usable.flatMap(({ backend, name }, i) => {
    if (usable.findIndex((other) => other.name === name) < i) return [];
    const same = usable.filter((other) => other.name === name && other.backend === backend);
    return [{ backend, name, cards: same.length }];
  });
}

interface NamedCards {
  readonly backend: string;
  readonly name: string;
  /** How many cards have this name. */
  readonly cards: number;
}

interface AdapterNames {
  readonly names: readonly NamedCards[];
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
    const names =
      none === null ? [] : [{ backend: "vulkan", name: none.info.description, cards: 1 }];
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
  { name, backend, cards }: NamedCards,
  tools: FactTools,
): Promise<AdapterDescription> {
  const { vendor, isFallbackAdapter } = adapter.info;
  const facts = await cardFacts({ vendor, name, isFallback: isFallbackAdapter }, tools);
  return {
    index: 0,
    name,
    vendor,
    backend,
    features: [...adapter.features].sort(),
    maxBufferBytes: adapter.limits.maxBufferSize,
    maxBindingBytes: adapter.limits.maxStorageBufferBindingSize,
    ...facts,
    cards: Math.max(cards, facts.cards),
  };
}
