/** Which models are in memory: leases, room for further models, time without requests. Engines here only know whether they are closed. */
import { setMaxListeners } from "node:events";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../index.ts";
import { ModelLoadError, RequestError } from "../errors.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { ModelHost, type ModelHostOptions } from "./host.ts";

interface FakeEngine {
  failure?: Error;
  isClosed: boolean;
  close(): void;
}

const entries = ["a", "b", "c"].map((name): CatalogueEntry => ({ name, path: `${name}.gguf` }));
const { signal } = new AbortController();
setMaxListeners(0, signal);

function hostOf(options: Partial<ModelHostOptions> = {}) {
  const opened: string[] = [];
  const host = new ModelHost(
    { only: undefined, list: async () => entries },
    {
      maxLoaded: 2,
      keepAlive: Number.POSITIVE_INFINITY,
      open: async ({ name }) => {
        opened.push(name);
        await sleep(5);
        return fakeEngine();
      },
      fits: () => true,
      ...options,
    },
  );
  return { host, opened };
}

function fakeEngine(): Engine {
  const engine: FakeEngine = {
    isClosed: false,
    close() {
      this.isClosed = true;
    },
  };
  return engine as unknown as Engine;
}

/** Whatever could run now has run. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

const fail = (engine: Engine): void => {
  (engine as unknown as FakeEngine).failure = new Error("the device is lost");
};
const isClosed = (engine: Engine): boolean => (engine as unknown as FakeEngine).isClosed;

describe("the host of models", () => {
  it("says how far a model is that is being opened, and of no other", async () => {
    const seen: unknown[] = [];
    const { host } = hostOf({
      open: async (_, __, onProgress) => {
        seen.push(host.opening("a"));
        onProgress({ done: 3, total: 8 });
        seen.push(host.opening("a"), host.opening("b"));
        throw new Error("cut short");
      },
    });
    await expect(host.acquire("a", { signal })).rejects.toThrow(ModelLoadError);
    expect(seen).toEqual([{ done: 0, total: 0 }, { done: 3, total: 8 }, undefined]);
    expect(host.opening("a")).toBeUndefined();
  });

  it("opens a model once for all who ask at the same time", async () => {
    const { host, opened } = hostOf();
    const leases = await Promise.all([1, 2, 3].map(() => host.acquire("a", { signal })));
    expect(opened).toEqual(["a"]);
    expect(new Set(leases.map(({ engine }) => engine)).size).toBe(1);
    expect(host.loaded()[0]?.leases).toBe(3);
    for (const lease of leases) lease[Symbol.dispose]();
    leases[0]?.[Symbol.dispose]();
    expect(host.loaded()[0]?.leases).toBe(0);
  });

  it("sends the idle model away that was used longest ago", async () => {
    const { host } = hostOf();
    const a = await host.acquire("a", { signal });
    const b = await host.acquire("b", { signal });
    b[Symbol.dispose]();
    await sleep(2);
    a[Symbol.dispose]();
    const c = await host.acquire("c", { signal });
    expect([isClosed(a.engine), isClosed(b.engine), isClosed(c.engine)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(host.loaded().map(({ name }) => name)).toEqual(["a", "c"]);
  });

  it("closes a model that must go after its last lease, and loads it again for who asks meanwhile", async () => {
    const { host, opened } = hostOf({ maxLoaded: 1 });
    const first = await host.acquire("a", { signal });
    const other = host.acquire("b", { signal });
    await sleep(10);
    const later = host.acquire("a", { signal });
    await sleep(10);
    expect([isClosed(first.engine), opened]).toEqual([false, ["a"]]);
    first[Symbol.dispose]();
    const b = await other;
    expect(isClosed(first.engine)).toBe(true);
    b[Symbol.dispose]();
    const again = await later;
    expect(again.engine).not.toBe(first.engine);
    expect([isClosed(again.engine), opened]).toEqual([false, ["a", "b", "a"]]);
  });

  it("never gives out a closed engine, whoever asks for what", async () => {
    const { host } = hostOf({ maxLoaded: 1, keepAlive: 1 });
    const ask = async (i: number): Promise<void> => {
      const lease = await host.acquire(entries[i % 3]?.name, { signal });
      expect(isClosed(lease.engine)).toBe(false);
      await sleep(i % 4);
      expect(isClosed(lease.engine)).toBe(false);
      lease[Symbol.dispose]();
    };
    await Promise.all(Array.from({ length: 60 }, (_, i) => sleep(i).then(() => ask(i))));
    await host.close();
    expect(host.loaded()).toEqual([]);
  });

  it("makes room where memory lacks, not only where models are counted", async () => {
    const { host } = hostOf({ fits: (_, loaded) => loaded.length === 0 });
    const a = await host.acquire("a", { signal });
    a[Symbol.dispose]();
    await host.acquire("b", { signal });
    expect(isClosed(a.engine)).toBe(true);
  });

  it("keeps a model as long as the last request wished", async () => {
    const { host } = hostOf();
    const a = await host.acquire("a", { signal, keepAlive: 0 });
    const b = await host.acquire("b", { signal });
    a[Symbol.dispose]();
    b[Symbol.dispose]();
    await sleep(20);
    expect([isClosed(a.engine), isClosed(b.engine)]).toEqual([true, false]);
    expect([await host.unload("b"), await host.unload("b")]).toEqual([true, false]);
  });

  it("takes the only one there is where none is named, and no other where several are", async () => {
    const { host } = hostOf();
    await expect(host.find(undefined)).rejects.toThrow(RequestError);
    const [a] = entries;
    const one = new ModelHost(
      { only: undefined, list: async () => entries.slice(0, 1) },
      { maxLoaded: 1, keepAlive: 0, open: () => Promise.reject(), fits: () => true },
    );
    expect(await one.find(undefined)).toBe(a);
    await expect(one.find("b")).rejects.toThrow(RequestError);
  });

  it("says which model there is not, and tries again to load one that failed", async () => {
    let tries = 0;
    const { host } = hostOf({
      open: async () => {
        if (tries++ === 0) throw new Error("no memory");
        return { close: () => undefined } as unknown as Engine;
      },
    });
    await expect(host.acquire("d", { signal })).rejects.toThrow('no model "d"; there are a, b, c');
    await expect(host.acquire(undefined, { signal })).rejects.toThrow(RequestError);
    await expect(host.acquire("a", { signal })).rejects.toThrow(ModelLoadError);
    expect((await host.acquire("a", { signal })).name).toBe("a");
  });

  it("sends a model away whose engine has failed, and loads it once for all who ask then", async () => {
    const { host, opened } = hostOf();
    const lost = await host.acquire("a", { signal });
    fail(lost.engine);
    const asking = [1, 2].map(() => host.acquire("a", { signal }));
    await sleep(10);
    // Its answers have not heard of it yet.
    expect(isClosed(lost.engine)).toBe(false);
    lost[Symbol.dispose]();
    const leases = await Promise.all(asking);
    expect([isClosed(lost.engine), opened]).toEqual([true, ["a", "a"]]);
    expect(new Set(leases.map(({ engine }) => engine)).size).toBe(1);
    expect(leases[0]?.engine).not.toBe(lost.engine);
    for (const lease of leases) lease[Symbol.dispose]();
  });

  it("tries once for each request where an engine fails again and again", async () => {
    let tries = 0;
    const { host } = hostOf({
      open: async () => {
        if (++tries === 2) throw new Error("the card is gone");
        return { failure: new Error("lost"), close: () => undefined } as unknown as Engine;
      },
    });
    const ask = async (): Promise<void> => {
      const lease = await host.acquire("a", { signal });
      lease[Symbol.dispose]();
    };
    await ask();
    await expect(ask()).rejects.toThrow("the card is gone");
    expect(tries).toBe(2);
    await ask();
    await ask();
    expect(tries).toBe(4);
  });

  it("lets a request go that waits for a model no more", async () => {
    const { host } = hostOf();
    const gone = new AbortController();
    const waiting = host.acquire("a", { signal: gone.signal });
    gone.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    await sleep(20);
    expect(host.loaded()[0]?.leases).toBe(0);
  });

  it("opens a model otherwise after its last lease, for who asks meanwhile too", async () => {
    const opened: unknown[] = [];
    const { host } = hostOf({
      open: async ({ settings }) => {
        opened.push(settings);
        return fakeEngine();
      },
    });
    const before = await host.acquire("a", { signal });
    const reloaded = host.reload("a", { contextLength: 64 });
    await expect(host.reload("a", {})).rejects.toThrow("already");
    const meanwhile = host.acquire("a", { signal });
    await turns();
    expect([opened, isClosed(before.engine)]).toEqual([[{}], false]);
    before[Symbol.dispose]();
    await reloaded;
    expect(isClosed(before.engine)).toBe(true);
    expect([opened.length, opened.at(-1)]).toEqual([2, { contextLength: 64 }]);
    expect((await meanwhile).engine).toBe(host.loaded()[0]?.engine);
    expect(host.settings("a")).toEqual({ contextLength: 64 });
  });

  it("opens a model as it was where it cannot be opened otherwise, and says why", async () => {
    const { host } = hostOf({
      open: async ({ settings }) => {
        if (settings.contextLength === 64) throw new Error("no room");
        return fakeEngine();
      },
    });
    await host.reload("a", { contextLength: 32 });
    await expect(host.reload("a", { contextLength: 64 })).rejects.toThrow("no room");
    expect(host.settings("a")).toEqual({ contextLength: 32 });
    expect(host.loaded()).toHaveLength(1);
    await expect(host.reload("b", { contextLength: 64 })).rejects.toThrow("no room");
    expect(host.loaded()).toHaveLength(1);
    using lease = await host.acquire("b", { signal });
    expect(isClosed(lease.engine)).toBe(false);
  });

  it("closes when the last lease has ended, and gives nothing out before that", async () => {
    const { host } = hostOf();
    const a = await host.acquire("a", { signal });
    let isDone = false;
    const closing = host.close().then(() => {
      isDone = true;
    });
    await sleep(10);
    expect([isDone, isClosed(a.engine)]).toEqual([false, false]);
    await expect(host.acquire("a", { signal })).rejects.toThrow("ending");
    a[Symbol.dispose]();
    await closing;
    expect(isClosed(a.engine)).toBe(true);
  });
});
