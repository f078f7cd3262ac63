/** What every command that reads corpora through a model checks alike: profiles of neurons and of experts, importance matrices. */
import { threadsRule } from "../backends/machine-rules.ts";
import {
  choiceRule,
  countRule,
  functionRule,
  type OptionRules,
  signalRule,
  textListRule,
} from "../core/check-options.ts";
import type { Tokens } from "../core/units.ts";
import { hostDevices } from "../engine/host-backend.ts";
import type { ProfileOptions } from "./profile.ts";

/** Names as in ProfileOptions, ExpertProfileOptions and ImportanceOptions. */
type CorpusOptions = Pick<
  ProfileOptions,
  "corpora" | "tokens" | "window" | "device" | "threads" | "onTokens" | "signal"
>;

export const corpusRules: OptionRules<CorpusOptions> = {
  corpora: textListRule,
  tokens: countRule(1),
  window: countRule(1),
  device: choiceRule(hostDevices),
  threads: threadsRule,
  onTokens: functionRule,
  signal: signalRule,
};

/** Of each corpus. */
export const defaultTokens: Tokens = 100_000;
