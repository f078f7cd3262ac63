/** Walks a trie of tokens along the states of a form, and notes the tokens that are wholly read. */
import type { TokenTrie } from "../text/token-trie.ts";
import type { State, States } from "./states.ts";
import { deadRow, unknownWay, WayTable } from "./way-table.ts";

/** Nodes by the class of their byte; a class may come several times. */
export type NodesByClass = Iterable<readonly [byteClass: number, nodes: readonly number[]]>;

export interface Reached {
  /** Tokens that are wholly read. */
  readonly bits: Uint32Array;
  /** Nodes whose byte may begin what comes after the body; undefined where nothing can. */
  readonly exits: NodesByClass | undefined;
  /** Only good where what comes after the body begins with no byte that begins this. */
  readonly unlike?: State;
}

interface Notes {
  readonly bits: Uint32Array;
  /** Where a body was left; undefined where nothing may come after it. */
  readonly exits?: Map<number, number[]> | undefined;
}

export class TrieWalker {
  readonly words: number;
  readonly ways: WayTable;
  readonly #states: States;
  readonly #trie: TokenTrie;
  /** Per node the class of its byte. */
  readonly #classes: Uint8Array;
  /** Per depth the row of the state after so many bytes. */
  readonly #path: Int32Array;

  constructor(states: States, trie: TokenTrie) {
    this.#states = states;
    this.#trie = trie;
    this.words = Math.ceil(trie.vocabularySize / 32);
    this.#classes = classesOf(trie.bytes, states.classOf);
    this.ways = new WayTable(states);
    this.#path = new Int32Array(trie.maxDepth + 1);
  }

  /** The class of the byte that leads to a node. */
  classOfNode(node: number): number {
    return this.#classes[node] ?? 0;
  }

  /** All tokens, from the beginning of what is left of the item's body. `hasAfter`: something may come after it. */
  walk(item: number, hasAfter: boolean): Reached {
    const exits = hasAfter ? new Map<number, number[]>() : undefined;
    const notes = { bits: new Uint32Array(this.words), exits };
    const before = this.#states.before(item);
    this.#walkNodes({ from: 0, to: this.#trie.bytes.length, depth: 0 }, before, notes);
    return notes;
  }

  /** The tokens that leave a body by its exits and go on in `state`. */
  walkExits(exits: NodesByClass, state: State, notes: Notes): void {
    for (const [byteClass, nodes] of exits) {
      const after = this.#states.after(state, byteClass);
      if (after === this.#states.dead) continue;
      for (const node of nodes) this.walkAt(node, after, notes);
    }
  }

  /** The tokens below a node, in whose state `state` they go on. */
  walkBelow(node: number, state: State, notes: Notes): void {
    const { ends, depths } = this.#trie;
    const depth = depths[node] ?? 0;
    this.#walkNodes({ from: node + 1, to: ends[node] ?? 0, depth }, state, notes);
  }

  /** A node and the tokens below it; `state` has already read the node's byte. */
  walkAt(node: number, state: State, notes: Notes): void {
    this.#noteTokens(node, notes.bits);
    if (notes.exits !== undefined && state.isComplete) this.#noteExits(node, notes.exits);
    this.walkBelow(node, state, notes);
  }

  /** All tokens; one that begins with a space is read without it. */
  walkDroppingSpace(state: State, notes: Notes): void {
    const { bytes, ends } = this.#trie;
    for (let node = 0; node < bytes.length; node = ends[node] ?? bytes.length) {
      const isSpace = bytes[node] === 0x20;
      const after = isSpace ? state : this.#states.after(state, this.classOfNode(node));
      if (after === this.#states.dead) continue;
      // A token that is but a space says nothing: an answer of such would never end.
      if (isSpace) this.walkBelow(node, after, notes);
      else this.walkAt(node, after, notes);
    }
  }

  /** Whether a token begins with these bytes and goes on in `state`. */
  goesOn(bytes: Uint8Array, state: State): boolean {
    const { ends, depths, firstTokens } = this.#trie;
    const top = this.#nodeOf(bytes);
    if (top === undefined) return false;
    const path = [state];
    const end = ends[top] ?? 0;
    for (let node = top + 1; node < end; ) {
      const depth = (depths[node] ?? 0) - bytes.length;
      const after = this.#states.after(path[depth - 1] ?? state, this.classOfNode(node));
      if (after === this.#states.dead) {
        node = ends[node] ?? end;
        continue;
      }
      if ((firstTokens[node + 1] ?? 0) > (firstTokens[node] ?? 0)) return true;
      path[depth] = after;
      node++;
    }
    return false;
  }

  #nodeOf(bytes: Uint8Array): number | undefined {
    const nodes = this.#trie;
    let node = -1;
    let end = nodes.bytes.length;
    for (const byte of bytes) {
      let child = node + 1;
      while (child < end && nodes.bytes[child] !== byte) child = nodes.ends[child] ?? end;
      if (child >= end) return undefined;
      node = child;
      end = nodes.ends[child] ?? end;
    }
    return node;
  }

  #walkNodes(
    stretch: { readonly from: number; readonly to: number; readonly depth: number },
    state: State,
    notes: Notes,
  ): void {
    const { depths, ends } = this.#trie;
    const classes = this.#classes;
    const path = this.#path;
    const { ways } = this;
    path[stretch.depth] = ways.rowOf(state);
    let { next } = ways;
    let node = stretch.from;
    while (node < stretch.to) {
      const depth = depths[node] ?? 0;
      const before = path[depth - 1] ?? deadRow;
      const byteClass = classes[node] ?? 0;
      let after = next[before + byteClass] ?? deadRow;
      if (after === unknownWay) {
        after = ways.find(before, byteClass);
        next = ways.next;
      }
      if (after === deadRow) {
        node = ends[node] ?? stretch.to;
        continue;
      }
      path[depth] = after;
      this.#noteTokens(node, notes.bits);
      if (notes.exits !== undefined && ways.isComplete(after)) {
        this.#noteExits(node, notes.exits);
      }
      node++;
    }
  }

  #noteTokens(node: number, bits: Uint32Array): void {
    const { firstTokens, tokens } = this.#trie;
    const last = firstTokens[node + 1] ?? 0;
    for (let at = firstTokens[node] ?? 0; at < last; at++) {
      const token = tokens[at] ?? 0;
      bits[token >> 5] = (bits[token >> 5] ?? 0) | (1 << (token & 31));
    }
  }

  #noteExits(node: number, exits: Map<number, number[]>): void {
    const { ends } = this.#trie;
    const end = ends[node] ?? 0;
    for (let child = node + 1; child < end; child = ends[child] ?? end) {
      const byteClass = this.classOfNode(child);
      const nodes = exits.get(byteClass);
      if (nodes === undefined) exits.set(byteClass, [child]);
      else nodes.push(child);
    }
  }
}

/** In a loop of its own: a call for each of 300,000 nodes takes 20 ms. */
function classesOf(bytes: Uint8Array, classOf: Uint8Array): Uint8Array {
  const classes = new Uint8Array(bytes.length);
  for (let node = 0; node < bytes.length; node++) classes[node] = classOf[bytes[node] ?? 0] ?? 0;
  return classes;
}
