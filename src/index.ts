/// <reference lib="esnext.disposable" preserve="true" />
/** The public names, one by one. What is not here is not part of the API. */

export type { LoadProgress } from "./backends/backend.ts";
export { type HugePageUse, hugePageUses } from "./backends/machine-rules.ts";
export { type ModelAbility, modelAbilities } from "./commands/abilities.ts";
export { type BenchOptions, bench } from "./commands/bench/bench.ts";
export type {
  AgainstResult,
  BenchReport,
  BenchResult,
  MachineDescription,
} from "./commands/bench/report.ts";
export { benchServer, type ServerBenchOptions } from "./commands/bench/server/bench-server.ts";
export type {
  Percentiles,
  ServerBenchReport,
  ServerBenchResult,
} from "./commands/bench/server/report.ts";
export type { Spread } from "./commands/bench/statistics.ts";
export { type ComparisonResult, compareWithDense } from "./commands/compare.ts";
export { type Diagnosis, diagnose } from "./commands/doctor.ts";
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type MetricEvaluation,
  type TaskEvaluation,
} from "./commands/eval.ts";
export type { Comparison, Estimate } from "./commands/evaluation/compare.ts";
export type { Perplexity } from "./commands/evaluation/perplexity.ts";
export type { Metric, TaskName } from "./commands/evaluation/tasks/question.ts";
export type { Accuracy, PairedDifference } from "./commands/evaluation/tasks/score.ts";
export { taskNames as evalTasks } from "./commands/evaluation/tasks/tasks.ts";
export type { ExpertUse } from "./commands/expert-use.ts";
export {
  type InspectedTensor,
  type Inspection,
  inspectModel,
  openTokenizer,
} from "./commands/inspect.ts";
export {
  type ListedHeader,
  type ListedModel,
  type ListOptions,
  listModels,
  type ModelList,
} from "./commands/list.ts";
export {
  type PerplexityOptions,
  type PerplexityResult,
  type PerplexitySource,
  perplexity,
} from "./commands/perplexity.ts";
export { type PlacementOptions, type PlacementResult, planPlacement } from "./commands/plan.ts";
export { type BudgetPlans, type BudgetPlansOptions, planBudgets } from "./commands/plan-budgets.ts";
export {
  type PlannableMachine,
  type PlannableOptions,
  plannableMachines,
} from "./commands/plan-machines.ts";
export {
  type PredictedMemory,
  type PredictedWay,
  type Prediction,
  type PredictOptions,
  predictSpeed,
} from "./commands/prediction/predict.ts";
export { type MemoryNeed, predictMemory } from "./commands/prediction/predict-memory.ts";
export type { PredictedModel } from "./commands/prediction/predict-repository.ts";
export {
  type PrepareModelOptions,
  type PrepareReport,
  prepareModel,
  type TrainingReport,
  type TrainPredictorOptions,
  trainPredictors,
} from "./commands/prepare/prepare.ts";
export { type ProfileOptions, type ProfileSummary, profileModel } from "./commands/profile.ts";
export {
  type ExpertLayer,
  type ExpertProfile,
  type ExpertProfileOptions,
  profileExperts,
} from "./commands/profile-experts.ts";
export {
  type ImportanceOptions,
  type ImportanceSummary,
  profileImportance,
} from "./commands/profile-importance.ts";
export {
  type ListingOptions,
  listRepository,
  namesHubModel,
  type OfferedModel,
  type PullOptions,
  pullModel,
  type RepositoryListing,
  removeModel,
} from "./commands/pull.ts";
export { type QuantizeResult, quantizeModel } from "./commands/quantize.ts";
export { type ResolvedModel, resolveModel } from "./commands/resolve-model.ts";
export { parseByteSize } from "./core/byte-size.ts";
export {
  DeviceError,
  FileAccessError,
  FileFormatError,
  FormError,
  HearthError,
  HubError,
  LimitError,
  NotFiniteError,
  OptionError,
  PromptTooLongError,
  QueueFullError,
  ShapeError,
  UnsupportedError,
} from "./core/errors.ts";
export { formatBytes } from "./core/units.ts";
export { type MeasureOptions, measureMachine } from "./devices/hardware/measure-machine.ts";
export type { ChatChunk, ChatGeneration, ChatResult } from "./engine/chat-generation.ts";
export type { LoadedState, SavedState, SaveStateOptions } from "./engine/conversation-state.ts";
export type { Embedding, EmbedOptions } from "./engine/embed.ts";
export { Engine } from "./engine/engine.ts";
export { type HostDevice, hostDevices } from "./engine/host-backend.ts";
export type { LearnReport } from "./engine/learn.ts";
export type { NeuronFacts, NeuronLayer } from "./engine/neuron-facts.ts";
export { cacheTypes, checkGenerateOptions, devices, promptStreams } from "./engine/option-rules.ts";
export type {
  ChatOptions,
  Device,
  EngineOptions,
  GenerateOptions,
  ReopenOptions,
  ShowNeurons,
} from "./engine/options.ts";
export type { ToolChoice } from "./engine/promised-call.ts";
export type { FormOptions, FormSchema, SchemaValue } from "./engine/promised-form.ts";
export type { EngineReport, GpuReport, HybridReport, SystemMemory } from "./engine/report.ts";
export type { SparsityReport } from "./engine/sparsity-report.ts";
export type { JsonSchema, JsonSchemaType, StandardSchema } from "./forms/json-schema-type.ts";
export { type QuantisedType, quantisedTypes } from "./gguf/quantize-recipe.ts";
export type { PulledModel, PullPlan } from "./hub/pull.ts";
export type { RemovedFiles } from "./hub/remove.ts";
export type { TrainedLayer } from "./learning/train-layers.ts";
export type { Origin } from "./local-models/local-model.ts";
export type { ModelDescription } from "./model/describe.ts";
export type { KvType } from "./ops/kv-shape.ts";
export { type Objective, objectives } from "./placement/problem.ts";
export { type Solver, solvers } from "./placement/solve-placement.ts";
export type { Activity } from "./runtime/activity.ts";
export type {
  FinishReason,
  GeneratedChunk,
  GenerationProgress,
  GenerationResult,
  GenerationTimings,
} from "./runtime/generation.ts";
export type { Generation } from "./runtime/generation-stream.ts";
export type { PromptToken } from "./runtime/prompt-scores.ts";
export type { TokenLogprob } from "./runtime/sampling/logprobs.ts";
export type { LogitBias, SamplingOptions } from "./runtime/sampling/sampling-options.ts";
export type { ShownLayer, ShownToken } from "./runtime/shown-tokens.ts";
export { type ActivationCurve, neuronShareFor } from "./sparsity/activation-curve.ts";
export type { MethodReport } from "./sparsity/choose-best.ts";
export { type Sparsity, sparsities } from "./sparsity/method.ts";
export {
  type ChatMessage,
  type MessageToolCall,
  replyMessage,
  type TextPart,
} from "./text/chat-message.ts";
export type { ChatTemplateOptions } from "./text/chat-template.ts";
export { TemplateError } from "./text/jinja/errors.ts";
export type { Reply, ReplyEvent, ToolCall } from "./text/replies/reply.ts";
export type { Tool } from "./text/replies/tool.ts";
export type { AddToken, EncodeOptions, Tokenizer } from "./text/tokenizer.ts";

declare global {
  /** Of the DOM's or Node's types, where a program has them: without either, the types here must be whole all the same. */
  interface AbortSignal {}
}
