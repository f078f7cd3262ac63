/** Elements of an SVG drawing, in pixels with two decimals. */
import { visibleText } from "../../core/visible-text.ts";

/** `attributes` are written as they are; `content` is shown as visible text. */
export function text(x: number, y: number, content: string, attributes = ""): string {
  const escaped = visibleText(content)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`;
}

export function round(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}
