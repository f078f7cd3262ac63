/** The command `npm run program-records`: writes the C++ header of the table in src/backends/cpu/program-records.ts. */
import { writeFileSync } from "node:fs";
import { headerPath, programRecordsHeader } from "./program-records/header.ts";

writeFileSync(headerPath, programRecordsHeader());
console.log(`wrote ${headerPath}`);
