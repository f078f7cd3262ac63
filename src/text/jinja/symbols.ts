/**
 * Which scope a name belongs to, decided before the template runs: jinja2/idtracking.py. Python's Jinja compiles
 * a template to functions, so a name that is set anywhere in a scope belongs to it from the scope's start.
 */

/** How a name of a scope gets its value when the scope is entered. */
export type Load =
  /** Given by the loop, the call or the `with`. */
  | { readonly kind: "parameter" }
  /** From the variables of the template. */
  | { readonly kind: "context" }
  /** A copy of the name of an outer scope. */
  | { readonly kind: "outer" }
  /** It has none until it is set. */
  | { readonly kind: "unset" };

export class Symbols {
  readonly parent: Symbols | undefined;
  readonly loads: Map<string, Load>;
  readonly stores: Set<string>;

  constructor(parent: Symbols | undefined, copied?: Symbols) {
    this.parent = parent;
    this.loads = new Map(copied?.loads);
    this.stores = new Set(copied?.stores);
  }

  copy(): Symbols {
    return new Symbols(this.parent, this);
  }

  knows(name: string): boolean {
    for (let scope: Symbols | undefined = this; scope !== undefined; scope = scope.parent) {
      if (scope.loads.has(name)) return true;
    }
    return false;
  }

  /** The name is read. */
  load(name: string): void {
    if (!this.knows(name)) this.loads.set(name, { kind: "context" });
  }

  /** The name is set. */
  store(name: string): void {
    this.stores.add(name);
    if (this.loads.has(name)) return;
    this.loads.set(name, { kind: this.#isOuter(name) ? "outer" : "unset" });
  }

  declareParameter(name: string): void {
    this.stores.add(name);
    this.loads.set(name, { kind: "parameter" });
  }

  /** Takes over what the branches of an `if` found: a name that only one of them sets must have a value after all. */
  mergeBranches(branches: readonly Symbols[]): void {
    const isNew = new Set(branches.flatMap((branch) => [...branch.stores]));
    for (const name of this.stores) isNew.delete(name);
    for (const branch of branches) {
      for (const [name, load] of branch.loads) this.loads.set(name, load);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const name of isNew) {
      this.loads.set(name, { kind: this.#isOuter(name) ? "outer" : "context" });
    }
  }

  #isOuter(name: string): boolean {
    return this.parent?.knows(name) ?? false;
  }
}
