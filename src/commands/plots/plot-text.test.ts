import { describe, expect, it } from "vitest";
import { plotProfile } from "./plot-profile.ts";

describe("a drawing", () => {
  it("shows a hostile file name as text: no markup, no control that XML forbids", () => {
    const model = "\u001b[2J<script>\u0000&\u202e.gguf";
    const svg = plotProfile([], { model, tokens: 1, rule: "active when not zero" });
    expect(svg).toContain("\\x1b[2J&lt;script&gt;\\x00&amp;\\u202e.gguf");
    expect(svg).not.toMatch(/(?![\n\t])\p{Cc}|\u202e|<script/u);
  });
});
