/** What opening a model has to say to people, by weight. */

/** One sentence each. */
export interface Remarks {
  /** What the user should know and may want to change: a slower path that was taken, something odd in the file. */
  readonly notices: readonly string[];
  /** How it runs where nobody dictated it, and what was made at load: of interest to who asks. */
  readonly details: readonly string[];
}

export const noRemarks: Remarks = { notices: [], details: [] };
