/** Which addresses of a model's text may be followed: those of the web and of mail, and only where a person clicks on them. */

const schemes: ReadonlySet<string> = new Set(["http:", "https:", "mailto:"]);

/** As the browser would read it; undefined for scripts, data, files, and for what would lead to this server. */
export function safeLink(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  return schemes.has(url.protocol) ? url.href : undefined;
}
