/** How the weights' files come into memory. */
import { hugePageUses } from "../index.ts";
import { ApiOption } from "./api-option.ts";

export const fileOptions = (): readonly ApiOption<"mmap" | "hugePages" | "mlock">[] => [
  new ApiOption(
    "mmap",
    "--no-mmap",
    "read the weights into memory: the file may change while they are used",
  ),
  new ApiOption(
    "hugePages",
    "--huge-pages <when>",
    "copy mapped weights into huge pages where memory is ample (Linux)",
  )
    .choices([...hugePageUses])
    .default("background"),
  new ApiOption("mlock", "--mlock", "keep the weights in physical memory (default: off)"),
];
