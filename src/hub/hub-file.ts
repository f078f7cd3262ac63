/** What a repository of the hub holds: files at one commit, and the models that they make up. */
import type { Bytes } from "../core/units.ts";

export interface HubFile {
  /** "owner/name". */
  readonly repository: string;
  /** A commit: 40 hexadecimal digits. */
  readonly revision: string;
  /** Within the repository, with slashes. It never leads out of it. */
  readonly path: string;
  readonly size: Bytes;
  /** Of its content: sha256 (64 hexadecimal digits), or of a small file outside LFS git's blob sha1 (40). Names it in a cache. */
  readonly digest: string;
}

/** One quantisation of a model: a GGUF file, or all parts of a split one. */
export interface ModelFiles<File> {
  /** "Q4_K_M", "UD-Q4_K_XL", "BF16"; where the file's name has none, the name without `.gguf`. */
  readonly quant: string;
  /** In the order of the parts; never empty. */
  readonly files: readonly File[];
  readonly bytes: Bytes;
}

export type HubModel = ModelFiles<HubFile>;

export interface HubRepository {
  /** "owner/name" as it was asked for: one that was renamed is found under its old name too. */
  readonly name: string;
  /** What was asked for: "main", a branch, a tag or a commit. */
  readonly asked: string;
  /** The commit it stands for now. */
  readonly revision: string;
  /** As its card says; undefined where it says none. */
  readonly licence: string | undefined;
  /** Its owner asks for terms to be accepted before files are served. */
  readonly isGated: boolean;
  /** The smallest first. */
  readonly models: readonly HubModel[];
}
