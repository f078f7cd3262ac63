/** The sections in their order: what is worth most when time runs out stands first. */
import type { Section } from "./section.ts";
import { adapterSection } from "./section-adapter.ts";
import { answersSection } from "./section-answers.ts";
import { budgetsSection } from "./section-budgets.ts";
import { conformanceSection } from "./section-conformance.ts";
import { copySection } from "./section-copy.ts";
import { endingsSection } from "./section-endings.ts";
import { gridsSection } from "./section-grids.ts";
import { linkSection } from "./section-link.ts";
import { productsSection, rowsSection } from "./section-products.ts";
import { sparseSection } from "./section-sparse.ts";
import { standInSection } from "./section-stand-in.ts";

export const sections: readonly Section[] = [
  adapterSection,
  conformanceSection,
  gridsSection,
  copySection,
  productsSection,
  linkSection,
  sparseSection,
  rowsSection,
  budgetsSection,
  standInSection,
  answersSection,
  endingsSection,
];
