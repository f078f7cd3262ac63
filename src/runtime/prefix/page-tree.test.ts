/** The book of remembered conversations: what is found, what gives way, and that every byte is accounted. */
import { describe, expect, it } from "vitest";
import { type Mark, mostBookBytes, type Page, PageTree, pageTokens } from "./page-tree.ts";

const pageBytes = 10_000;
/** Of a whole page with its book. */
const whole = pageBytes + mostBookBytes;

function tokens(count: number, seed: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (i * 7 + seed * 13) % 251);
}

/** Adds a conversation, page by page, as of now; those that did not fit are missing. */
function add(tree: PageTree, conversation: Int32Array): readonly Page[] {
  const since = tree.tick();
  const pages: Page[] = [];
  let parent: Page | undefined = tree.root;
  for (let first = 0; parent !== undefined && first < conversation.length; first += pageTokens) {
    const wanted = conversation.slice(first, first + pageTokens);
    const { page, shared } = tree.nearest(parent, wanted);
    const parts = [new Uint8Array((pageBytes * wanted.length) / pageTokens)];
    const own: Page | undefined =
      shared === wanted.length
        ? page
        : tree.addPage(parent, { tokens: wanted, parts, usedAt: since }, since);
    if (own === undefined) return pages;
    own.usedAt = since;
    pages.push(own);
    parent = own;
  }
  return pages;
}

function addMark(tree: PageTree, page: Page, length: number): Mark {
  const mark: Mark = { page, length, parts: [new Uint8Array(500)], usedAt: page.usedAt };
  expect(tree.addMark(mark, page.usedAt)).toBe(true);
  return mark;
}

describe("what is found of a prompt", () => {
  it("is what it has in common with any conversation, within pages too", () => {
    const tree = new PageTree(100 * whole, false);
    const one = tokens(300, 1);
    const two = Int32Array.from([...one.slice(0, 200), ...tokens(100, 2)]);
    for (const conversation of [one, two]) add(tree, conversation);
    expect(tree.find(one, 299)).toMatchObject({ common: 299, length: 299 });
    expect(tree.find(two, 1000).pages.map(({ first }) => first)).toEqual([0, 128, 256]);
    expect(tree.find([...one.slice(0, 210), 999], 1000).length).toBe(210);
    expect(tree.find([...one.slice(0, 50), 999], 1000).length).toBe(50);
    expect(tree.find([999], 1000)).toEqual({ common: 0, length: 0, pages: [] });
    // The first page is there once.
    expect(tree.root.children).toHaveLength(1);
  });

  it("ends at a mark where layers forget: the last one that it reaches", () => {
    const tree = new PageTree(100 * whole, true);
    const one = tokens(300, 1);
    const [first, second] = add(tree, one);
    if (first === undefined || second === undefined) throw new RangeError("two pages");
    for (const length of [20, 100]) addMark(tree, first, length);
    const mark = addMark(tree, second, 140);
    expect(tree.find(one, 299)).toMatchObject({ common: 299, length: 140, mark });
    expect(tree.find(one, 139)).toMatchObject({ common: 139, length: 100, pages: [first] });
    expect(tree.find([...one.slice(0, 30), 999], 31)).toMatchObject({ common: 30, length: 20 });
    expect(tree.find(one.slice(0, 10), 9).length).toBe(0);
  });
});

describe("where memory ends", () => {
  it("the conversation that was used longest ago gives way, from its end", () => {
    const tree = new PageTree(5 * whole, false);
    const [one, two, three] = [1, 2, 3].map((seed) => tokens(2 * pageTokens, seed));
    if (one === undefined || two === undefined || three === undefined) throw new RangeError();
    for (const conversation of [one, two]) add(tree, conversation);
    // Used again: the other one is the oldest now.
    add(tree, one);
    expect(add(tree, three)).toHaveLength(2);
    expect(tree.find(one, 1000).length).toBe(2 * pageTokens);
    expect(tree.find(two, 1000).length).toBe(pageTokens);
    expect(tree.find(three, 1000).length).toBe(2 * pageTokens);
    expect(tree.bytes).toBeLessThanOrEqual(5 * whole);
  });

  it("one that does not fit alone keeps its beginning", () => {
    const tree = new PageTree(3 * whole, false);
    add(tree, tokens(2 * pageTokens, 1));
    expect(add(tree, tokens(6 * pageTokens, 2))).toHaveLength(3);
    expect(tree.find(tokens(2 * pageTokens, 1), 1000).length).toBe(0);
  });

  it("what is on the disk too gives its memory, and stays in the book", () => {
    const room = 3 * whole + mostBookBytes;
    const tree = new PageTree(room, false);
    const one = tokens(2 * pageTokens, 1);
    for (const page of add(tree, one)) page.file = "a file";
    add(tree, tokens(2 * pageTokens, 2));
    const { length, pages } = tree.find(one, 1000);
    expect(length).toBe(2 * pageTokens);
    expect(pages.map(({ parts }) => parts === undefined)).toEqual([false, true]);
    expect(tree.bytes).toBeLessThanOrEqual(room);
  });
});

it("a page that gives way to a longer one leaves its marks to it; all is free when all is forgotten", () => {
  const tree = new PageTree(100 * whole, true);
  const [short] = add(tree, tokens(50, 1));
  if (short === undefined) throw new RangeError("a page");
  addMark(tree, short, 40);
  const [longer] = add(tree, tokens(90, 1));
  if (longer === undefined) throw new RangeError("a page");
  tree.replace(short, longer);
  expect(tree.root.children).toEqual([longer]);
  expect(tree.find(tokens(90, 1), 90)).toMatchObject({ length: 40, pages: [longer] });
  tree.forget(longer);
  // Twice is once.
  tree.forget(longer);
  expect([tree.bytes, tree.root.children.length]).toEqual([0, 0]);
});
