import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TemplateError } from "./errors.ts";
import type { Input } from "./input.ts";
import { compileTemplate } from "./template.ts";

type Variables = Record<string, Input>;

interface Fixture {
  readonly variables: Variables;
  readonly cases: readonly { readonly template: string; readonly renders?: string }[];
}

/** The time that the fixture was made with. */
const now = new Date(2026, 2, 4, 5, 6, 7);

function readFixture(name: string): string {
  const folder = new URL("../../../test/fixtures/templates/", import.meta.url);
  return readFileSync(new URL(name, folder), "utf8");
}

/** The text, or "ERROR" where Python fails too, or what this engine does not do; other errors are faults of it. */
function outcome(template: string, variables: Variables): string {
  try {
    return compileTemplate(template).render(variables, { now });
  } catch (error) {
    if (error instanceof TemplateError)
      return error.kind === "unsupported" ? "UNSUPPORTED" : "ERROR";
    throw error;
  }
}

describe("snippets of chat templates", () => {
  const { context, cases } = JSON.parse(readFixture("faults.json")) as {
    context: Variables;
    cases: { template: string; renders: string }[];
  };

  it("are 174", () => {
    expect(cases).toHaveLength(174);
  });

  it.each(cases)("$template renders as in Python", ({ template, renders }) => {
    const own = outcome(template, context);
    if (renders.startsWith("ERROR ")) expect(["ERROR", "UNSUPPORTED"]).toContain(own);
    else expect(own).toBe(renders);
  });
});

describe("generated snippets (npm run prove:templates)", () => {
  const { variables, cases } = JSON.parse(readFixture("generated.json")) as Fixture;

  it("are many, and most of them render", () => {
    expect(cases.length).toBeGreaterThan(1000);
    expect(cases.filter(({ renders }) => renders !== undefined).length).toBeGreaterThan(800);
  });

  it("render as in Python, or fail as there, or are refused by name: never another text", () => {
    const refused: string[] = [];
    const different = cases.filter(({ template, renders }) => {
      const own = outcome(template, variables);
      if (own === "UNSUPPORTED") refused.push(template);
      return own !== "UNSUPPORTED" && own !== (renders ?? "ERROR");
    });
    expect(different).toEqual([]);
    expect(refused.length).toBeLessThan(cases.length * 0.04);
  });
});
