/** The changelog at a release: its newest section, "(unreleased)" until then, gets the day. */

export interface DatedChangelog {
  /** The whole file. */
  readonly text: string;
  /** The section of this version alone. */
  readonly section: string;
}

/** @throws Error unless the newest section is that of the version, and is not released. */
export function datedChangelog(text: string, version: string, day: Date): DatedChangelog {
  const headings = [...text.matchAll(/^## .*$/gm)];
  const [newest, next] = headings;
  const wanted = `## ${version} (unreleased)`;
  if (newest === undefined || newest[0] !== wanted) {
    throw new Error(`CHANGELOG.md begins with "${newest?.[0]}", expected "${wanted}"`);
  }
  const dated = `## ${version} (${day.toISOString().slice(0, 10)})`;
  const start = newest.index;
  const body = text.slice(start + wanted.length, next?.index ?? text.length);
  if (body.trim() === "") throw new Error(`CHANGELOG.md says nothing of ${version}`);
  return {
    text: text.slice(0, start) + dated + text.slice(start + wanted.length),
    section: `${dated}${body.trimEnd()}\n`,
  };
}
