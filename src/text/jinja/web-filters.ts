/** Built-in filters for HTML and addresses. A prompt hardly needs them; a template may use them all the same. */
import type { Arguments } from "./arguments.ts";
import { countCodePoints, sliceCodePoints } from "./code-points.ts";
import { fail } from "./errors.ts";
import { type Filter, filter } from "./filter.ts";
import { escapeText, escapeValue } from "./html.ts";
import { isIterable, iterate, listItems } from "./iterate.ts";
import { toText } from "./represent.ts";
import { Dict, defined, type Run, textOf, typeName, Undefined, type Value } from "./values.ts";
import { notSpaceClass, spaceClass, trimEnd, trimStart } from "./white-space.ts";

export const webFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["striptags", filter("striptags", "", (input, _, run) => stripTags(toText(input, run), run))],
  ["urlencode", filter("urlencode", "", (input, _, run) => urlEncode(input, run))],
  ["urlize", filter("urlize", "trim_url_limit?, nofollow?, target?, rel?, extra_schemes?", urlize)],
  ["xmlattr", filter("xmlattr", "autospace?", xmlAttributes)],
]);

function stripTags(html: string, run: Run): string {
  const text = removeAll(removeAll(html, "<!--", "-->", run), "<", ">", run);
  const words = trimStart(trimEnd(text)).split(new RegExp(`${spaceClass}+`));
  return unescapeHtml(words.join(" "));
}

/** What a removal puts together may be removed again, so it starts over each time. */
function removeAll(text: string, open: string, close: string, run: Run): string {
  let result = text;
  for (;;) {
    run.budget.make(result.length);
    const start = result.indexOf(open);
    const end = start < 0 ? -1 : result.indexOf(close, start);
    if (end < 0) return result;
    result = result.slice(0, start) + result.slice(end + close.length);
  }
}

const named: Readonly<Record<string, string>> = {
  "amp;": "&",
  "lt;": "<",
  "gt;": ">",
  "quot;": '"',
  "apos;": "'",
};

/** html.unescape for the entities that an escape makes, and for numbers. */
function unescapeHtml(text: string): string {
  return text.replace(/&(#\d+;?|#[xX][\da-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/g, (whole, entity) => {
    const known = named[entity];
    if (known !== undefined) return known;
    const isHex = /^#[xX]/.test(entity);
    const code = Number.parseInt(entity.slice(isHex ? 2 : 1), isHex ? 16 : 10);
    const isPlain = (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0xd800);
    if (!entity.startsWith("#") || !isPlain) {
      fail("unsupported", `the HTML entity ${whole} is not supported`);
    }
    return String.fromCodePoint(code);
  });
}

function urlEncode(input: Value, run: Run): string {
  if (textOf(input) !== undefined || !isIterable(input)) return quoteUrl(input, "/", run);
  const pairs = input instanceof Dict ? [...input.entries.values()] : pairsOf(input, run);
  const parts = pairs.map((pair) =>
    pair.map((part) => quoteUrl(part, "", run).replaceAll("%20", "+")).join("="),
  );
  return parts.join("&");
}

function pairsOf(input: Value, run: Run): readonly (readonly Value[])[] {
  return [...iterate(input, run)].map((item) => {
    const pair = listItems(item, run);
    return pair.length === 2 ? pair : fail("value", "urlencode wants pairs");
  });
}

function quoteUrl(value: Value, safe: string, run: Run): string {
  const text = toText(value, run);
  run.budget.make(text.length * 3);
  if (/\p{Surrogate}/u.test(text)) fail("value", "a lone surrogate cannot be encoded");
  const quoted = encodeURIComponent(text).replace(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return safe === "/" ? quoted.replaceAll("%2F", "/") : quoted;
}

function xmlAttributes(input: Value, args: Arguments, run: Run): string {
  const dict = defined(input);
  if (!(dict instanceof Dict)) return fail("type", `a ${typeName(dict)} has no attributes`);
  const parts: string[] = [];
  for (const [key, value] of dict.entries.values()) {
    if (value === null || value instanceof Undefined) continue;
    const name = textOf(key) ?? fail("type", `a ${typeName(key)} is no name of an attribute`);
    if (/[\t-\r />=]/.test(name)) fail("value", "invalid character in the name of an attribute");
    parts.push(`${escapeValue(key, run)}="${escapeValue(value, run)}"`);
  }
  const text = parts.join(" ");
  return (args.isTrueUnlessAbsent(0) && text !== "" ? " " : "") + text;
}

/** The patterns below could take long for longer words. */
const maxWordLength = 1000;

const w = "[\\p{L}\\p{N}_]";
const webAddress = new RegExp(
  `^((https?://|www\\.)((?:${w}|[%-])+\\.)*(?:[a-z\\u0130\\u0131\\u017f\\u212a]{2,63}|xn--(?:${w}|%){2,59})` +
    `|((?:${w}|[%-]){2,63}\\.)+(com|net|int|edu|gov|org|info|mil)` +
    `|(https?://)((\\d{1,3})(\\.\\d{1,3}){3}|(\\[([\\da-f]{0,4}:){2}([\\da-f]{0,4}:?){1,6}\\])))` +
    `(?::\\d{1,5})?(?:[/?#]${notSpaceClass}*)?$`,
  "iu",
);
const mailAddress = new RegExp(`^${notSpaceClass}+@${w}(?:${w}|[.-])*\\.${w}+$`, "u");
const scheme = new RegExp(`^(?:${w}|[.+-]){2,}:/{0,2}$`, "u");

interface LinkForm {
  readonly limit: number | undefined;
  readonly attributes: string;
  readonly schemes: readonly string[];
}

function urlize(input: Value, args: Arguments, run: Run): string {
  const limit = args.countOrNone(0);
  const rel = new Set((args.textOrNone(3) ?? "").split(new RegExp(`${spaceClass}+`)));
  if (args.isTrue(1)) rel.add("nofollow");
  rel.add("noopener").delete("");
  const relText = escapeText([...rel].sort().join(" "), run);
  const target = args.given(2);
  const targetText =
    target === undefined || target === "" ? "" : ` target="${escapeValue(target, run)}"`;
  const schemes = args.given(4) === undefined ? [] : schemesOf(args.at(4), run);
  const form = { limit, attributes: ` rel="${relText}"${targetText}`, schemes };
  const text = escapeValue(input, run);
  const words = text.split(new RegExp(`(${spaceClass}+)`));
  const linked = words.map((word, index) => (index % 2 === 1 ? word : link(word, form, run)));
  const result = linked.join("");
  run.budget.make(result.length);
  return result;
}

function schemesOf(value: Value, run: Run): readonly string[] {
  return [...iterate(value, run)].map((item) => {
    const text = textOf(item) ?? fail("type", "a scheme is a text");
    return scheme.test(text) ? text : fail("value", `"${text}" is no scheme of an address`);
  });
}

function link(word: string, form: LinkForm, run: Run): string {
  if (word.length > maxWordLength) {
    fail("limit", `urlize takes words of at most ${maxWordLength} characters`);
  }
  run.budget.step(word.length);
  const head = /^(?:[(<]|&lt;)+/.exec(word)?.[0] ?? "";
  const rest = word.slice(head.length);
  const ending = /(?:[)>.,\n]|&gt;)+$/.exec(rest)?.[0] ?? "";
  const [middle, tail] = balance(rest.slice(0, rest.length - ending.length), ending);
  return head + linkAddress(middle, form, run) + tail;
}

/** A closing bracket belongs to the address if its opening one does. */
function balance(address: string, ending: string): readonly [string, string] {
  let middle = address;
  let tail = ending;
  for (const [open, close] of [
    ["(", ")"],
    ["<", ">"],
    ["&lt;", "&gt;"],
  ] as const) {
    const opened = middle.split(open).length - 1;
    if (opened <= middle.split(close).length - 1) continue;
    for (let count = Math.min(opened, tail.split(close).length - 1); count > 0; count--) {
      const end = tail.indexOf(close) + close.length;
      middle += tail.slice(0, end);
      tail = tail.slice(end);
    }
  }
  return [middle, tail];
}

function linkAddress(address: string, { limit, attributes, schemes }: LinkForm, run: Run): string {
  if (webAddress.test(address)) {
    const isWhole = address.startsWith("https://") || address.startsWith("http://");
    const shown = trimmed(address, limit, run);
    return `<a href="${isWhole ? "" : "https://"}${address}"${attributes}>${shown}</a>`;
  }
  if (address.startsWith("mailto:") && mailAddress.test(address.slice(7))) {
    return `<a href="${address}">${address.slice(7)}</a>`;
  }
  const isMail = address.includes("@") && !/^(?:www\.|@)/.test(address) && !address.includes(":");
  if (isMail && mailAddress.test(address)) return `<a href="mailto:${address}">${address}</a>`;
  let result = address;
  for (const known of schemes) {
    if (result === known || !result.startsWith(known)) continue;
    result = `<a href="${result}"${attributes}>${result}</a>`;
  }
  return result;
}

function trimmed(address: string, limit: number | undefined, run: Run): string {
  if (limit === undefined || countCodePoints(address, run.budget) <= limit) return address;
  if (limit < 0) fail("unsupported", "a negative limit of urlize is not supported");
  return `${sliceCodePoints(address, 0, limit, run.budget)}...`;
}
