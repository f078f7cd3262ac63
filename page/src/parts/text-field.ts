/** How fields for longer texts behave everywhere on the page. */

/** As high as its text, up to what its style allows. */
export function fitHeight(field: HTMLTextAreaElement): void {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

/** Enter, but not while characters are composed, and not on a phone, whose Enter is all it has for a new line. */
export function isSendKey(event: KeyboardEvent): boolean {
  const isPlain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  return isPlain && !matchMedia("(pointer: coarse) and (max-width: 700px)").matches;
}
