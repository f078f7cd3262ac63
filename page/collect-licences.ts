/** licenses.txt beside a bundle: each library inside with its licence, as those demand. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export function collectLicences(): Plugin {
  return {
    name: "hearth-collect-licences",
    generateBundle() {
      const folders = [...this.getModuleIds()].flatMap(
        (id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0] ?? [],
      );
      const texts = [...new Set(folders)].toSorted().map((folder) => {
        const name = folder.replace(/^.*\/node_modules\//, "");
        const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
        if (file === undefined) throw new Error(`${name}, which is in the page, has no licence`);
        return `${name}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
      });
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: texts.join("\n---\n\n") });
    },
  };
}
