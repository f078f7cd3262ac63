/** The commands of `hearth`, one file each, in the order of its help. */
import type { Command } from "commander";
import { addBenchCommand } from "./bench.ts";
import { addBuildCommand } from "./build.ts";
import { addChatCommand } from "./chat.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addEvalCommand } from "./eval.ts";
import { addInspectCommand } from "./inspect.ts";
import { addListCommand } from "./list.ts";
import { addPerplexityCommand } from "./perplexity.ts";
import { addPlanCommand } from "./plan.ts";
import { addPrepareCommand } from "./prepare.ts";
import { addProfileCommand } from "./profile.ts";
import { addPullCommand } from "./pull.ts";
import { addQuantizeCommand } from "./quantize.ts";
import { addRmCommand } from "./rm.ts";
import { addRunCommand } from "./run.ts";
import { addServeCommand } from "./serve.ts";
import { addShowCommand } from "./show.ts";
import { addTokenizeCommand } from "./tokenize.ts";
import { addTrainPredictorCommand } from "./train-predictor.ts";

/** Each adds its command to the program. */
export const commands: readonly ((program: Command) => void)[] = [
  addRunCommand,
  addChatCommand,
  addServeCommand,
  addPullCommand,
  addShowCommand,
  addRmCommand,
  addListCommand,
  addDoctorCommand,
  addInspectCommand,
  addTokenizeCommand,
  addPerplexityCommand,
  addEvalCommand,
  addBenchCommand,
  addPlanCommand,
  addProfileCommand,
  addTrainPredictorCommand,
  addPrepareCommand,
  addQuantizeCommand,
  addBuildCommand,
];
