import { describe, expect, it } from "vitest";
import type { ActivationProfile } from "./activation-profile.ts";
import { mergeProfiles } from "./merge-profiles.ts";

type Read = Readonly<Record<string, number>>;

/** Each token of corpus a makes neuron 0 fire, of b neuron 1, of c neuron 2. */
function profileOf(read: Read, complete: readonly string[] = []): ActivationProfile {
  const names = ["a", "b", "c"];
  return {
    rule: { kind: "nonzero" },
    tokens: Object.values(read).reduce((sum, tokens) => sum + tokens, 0),
    counts: [Float64Array.from(names, (name) => read[name] ?? 0)],
    corpora: Object.entries(read).map(([name, tokens]) => ({
      name,
      hash: name,
      tokens,
      isComplete: complete.includes(name),
    })),
  };
}

/** Corpora in one order, so that profiles compare. */
function sorted(profile: ActivationProfile): ActivationProfile {
  return { ...profile, corpora: [...profile.corpora].sort((a, b) => (a.hash < b.hash ? -1 : 1)) };
}

describe("profiles that two processes counted at once", () => {
  const cases: readonly (readonly [string, Read, Read, Read | undefined, Read])[] = [
    ["nobody else", { a: 5 }, {}, undefined, { a: 5 }],
    ["nothing since", { a: 5 }, { a: 2 }, { a: 2 }, { a: 5 }],
    ["another corpus", { a: 5 }, {}, { b: 7 }, { a: 5, b: 7 }],
    [
      "another corpus, going on",
      { a: 5, c: 1 },
      { a: 2, c: 1 },
      { a: 2, c: 1, b: 7 },
      { a: 5, b: 7, c: 1 },
    ],
    ["one that both knew, continued there", { a: 5, b: 1 }, { b: 1 }, { b: 9 }, { a: 5, b: 9 }],
    ["nothing here", { b: 1 }, { b: 1 }, { b: 9 }, { b: 9 }],
    ["the same corpus, further here", { a: 9 }, {}, { a: 5 }, { a: 9 }],
    ["the same corpus, further there", { a: 5 }, {}, { a: 9 }, { a: 9 }],
    ["the same corpus and one more there", { a: 5 }, {}, { a: 5, b: 2 }, { a: 5, b: 2 }],
    ["the same corpus and one more here", { a: 5, b: 2 }, {}, { a: 4 }, { a: 5, b: 2 }],
  ];

  it.each(cases)("are one: %s", (_, mine, base, file, expected) => {
    const there = file === undefined ? undefined : profileOf(file);
    const { profile } = mergeProfiles(profileOf(mine), profileOf(base), there);
    expect(sorted(profile)).toEqual(sorted(profileOf(expected)));
  });

  it("know whether what was counted here is in the file", () => {
    const included = (mine: Read, file: Read): boolean =>
      mergeProfiles(profileOf(mine), profileOf({}), profileOf(file)).isIncluded;
    expect(included({ a: 5 }, { b: 5 })).toBe(true);
    expect(included({ a: 5 }, { a: 4 })).toBe(true);
    expect(included({ a: 5 }, { a: 5 })).toBe(false);
  });

  it("keep that a corpus was read to its end", () => {
    const mine = profileOf({ a: 5 }, ["a"]);
    const { profile } = mergeProfiles(mine, profileOf({ a: 5 }), profileOf({ a: 5, b: 1 }));
    expect(profile.corpora.find(({ hash }) => hash === "a")?.isComplete).toBe(true);
    expect(profile.tokens).toBe(6);
  });

  it("are refused where the same tokens would count twice, naming the corpus", () => {
    const clash = (): unknown =>
      mergeProfiles(profileOf({ a: 5, b: 1 }), profileOf({}), profileOf({ a: 5, c: 1 }));
    expect(clash).toThrow(/counted the corpus a into the same sidecar.*run this one again/);
  });
});
