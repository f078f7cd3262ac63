/** The two sides of the border between TypeScript and C++ are of one table. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { methodRecords, opRecords } from "../../src/backends/cpu/program-records.ts";
import { headerPath, programRecordsHeader } from "./header.ts";

describe("native/runtime/program-records.h", () => {
  const header = programRecordsHeader();

  it("is what the table gives: if not, run npm run program-records", () => {
    expect(readFileSync(resolve(import.meta.dirname, "../..", headerPath), "utf8")).toBe(header);
  });

  it("has a code for every record, in the table's order", () => {
    const codes = (name: string): readonly string[] => {
      const body = new RegExp(`enum class ${name} : uint32_t \\{([^}]*)\\}`).exec(header)?.[1];
      return [...(body ?? "").matchAll(/k\w+ = (\d+),/g)].map((match) => match[1] ?? "");
    };
    const places = (table: object): readonly string[] =>
      Object.keys(table).map((_, place) => `${place}`);
    expect(codes("OpCode")).toEqual(places(opRecords));
    expect(codes("FfnMethod")).toEqual(places(methodRecords));
  });

  it("has the fields of a record in the order in which they are written", () => {
    expect(header).toContain(
      "struct StoreKvRecord {\n  double layer;\n  double k;\n  double v;\n};",
    );
  });
});
