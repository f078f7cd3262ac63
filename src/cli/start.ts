/** Where bin/hearth.cjs begins: a question for the version alone is answered without loading the commands. */
import { versionText } from "./version.ts";

const [first, ...others] = process.argv.slice(2);
if (others.length === 0 && (first === "--version" || first === "-V")) console.log(versionText());
else await import("./main.ts");
