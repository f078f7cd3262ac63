/** How a template fails. The kinds follow Python's exceptions, as far as a caller can use them. */
import { HearthError } from "../../core/errors.ts";

type TemplateErrorKind =
  /** The source is no template. */
  | "syntax"
  | "undefined"
  | "type"
  | "value"
  | "lookup"
  /** What the sandbox of transformers forbids. */
  | "security"
  /** A limit of limits.ts. */
  | "limit"
  /** What Python does and this engine does not: never a silently different text. */
  | "unsupported"
  /** The template's own `raise_exception`. */
  | "raised";

/** `detail` comes from the template where the kind is "raised", and may quote it in the other kinds. */
export class TemplateError extends HearthError {
  override readonly name = "TemplateError";
  readonly kind: TemplateErrorKind;
  readonly detail: string;
  constructor(kind: TemplateErrorKind, detail: string, message: string = detail) {
    super(message);
    this.kind = kind;
    this.detail = detail;
  }
}

export function fail(kind: TemplateErrorKind, detail: string): never {
  throw new TemplateError(kind, detail);
}
