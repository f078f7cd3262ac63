/** The page's settings are the server's: every field of a chat, with the defaults that hold there. */
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { settingsTable } from "../../page/src/chat/settings.ts";
import { texts } from "../../page/src/texts.ts";
import { resolveSampling } from "../../src/runtime/sampling/sampling-options.ts";
import { samplingOptions } from "../../src/server/answers/sampling-fields.ts";
import { chatFields } from "../../src/server/openai/chat-body.ts";

/** Fields that the page fills itself, or that ask for what it would not show. */
const others = new Set([
  ...["messages", "model", "stream", "stream_options", "n", "logprobs", "top_logprobs"],
  // response_format and max_tokens by other names.
  ...["json_schema", "max_completion_tokens"],
  ...["add_generation_prompt", "continue_final_message"],
  ...["post_sampling_probs", "timings_per_token", "return_progress"],
]);

describe("the table of settings", () => {
  const { shape } = chatFields.schema as unknown as { readonly shape: Record<string, z.ZodType> };
  const fields = settingsTable.map(({ field }) => field);

  it("has every field of a chat", () => {
    expect(fields.toSorted()).toEqual(
      Object.keys(shape)
        .filter((field) => !others.has(field))
        .toSorted(),
    );
    expect(fields.length).toBeGreaterThan(30);
  });

  it("has a text for each", () => {
    expect(Object.keys(texts.settings.fields).toSorted()).toEqual(fields.toSorted());
  });

  it("names the defaults that the engine has", () => {
    const usual = settingsTable.filter((setting) => setting.usual !== undefined);
    const body = Object.fromEntries(usual.map(({ field, usual: value }) => [field, value]));
    const { seed: _, ...defaults } = resolveSampling({}, 1);
    expect(usual.length).toBeGreaterThan(15);
    expect(defaults).toMatchObject(samplingOptions(body));
  });

  it("takes no number that the server refuses", () => {
    for (const { field, form } of settingsTable) {
      if (form.kind !== "number" && form.kind !== "whole") continue;
      for (const value of [form.min, form.kind === "number" ? form.max : undefined])
        if (value !== undefined)
          expect(shape[field]?.safeParse(value).success, `${field} ${value}`).toBe(true);
    }
  });
});
