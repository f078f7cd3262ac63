/** The highlighter without any language: apart, so that it comes with the first code. */
import { createLowlight } from "lowlight";

export const lowlight: ReturnType<typeof createLowlight> = createLowlight();
