// Made by `npm run program-records` of src/backends/cpu/program-records.ts, which says what the fields
// mean: change the table there. A program's numbers are read into these structs, field by field.
#pragma once

#include <cstdint>

#include "../kernels/kernels.h"

namespace hearth {

enum class OpCode : uint32_t {
  kEmbed = 0,
  kNorm = 1,
  kMatmul = 2,
  kRope = 3,
  kStoreKv = 4,
  kAttention = 5,
  kConvolve = 6,
  kDeltaRule = 7,
  kActivate = 8,
  kFfn = 9,
  kPredict = 10,
  kMask = 11,
  kAdd = 12,
  kScale = 13,
  kCopy = 14,
  kPart = 15,
  kSelect = 16,
  kArgmax = 17,
  kPublish = 18,
  kRoute = 19,
  kExperts = 20,
};

enum class FfnMethod : uint32_t {
  kDense = 0,
  kGate = 1,
  kMlp = 2,
  kSign = 3,
  kThresholdGate = 4,
  kThresholdOutput = 5,
  kGiven = 6,
};

enum class NormForm : uint32_t {
  kRms = 0,
  kLayer = 1,
};

enum class RouterScores : uint32_t {
  kSoftmax = 0,
  kSigmoid = 1,
  kSoftmaxOfChosen = 2,
};

struct EmbedRecord {
  double out;
  double table;
  double positions;
  double offset;
  double scale;
};

struct NormRecord {
  double form;
  double x;
  double out;
  double groups;
  double weight;
  double bias;
  double epsilon;
};

struct MatmulRecord {
  double x;
  double out;
  double adds;
  double weight;
  double bias;
  double channels;
};

struct RopeRecord {
  double x;
  double heads;
  double pairing;
  double frequencies;
  double magnitude;
};

struct StoreKvRecord {
  double layer;
  double k;
  double v;
};

struct AttentionRecord {
  double layer;
  double q;
  double out;
  double heads;
  double scale;
  double window;
  double soft_cap;
  double sinks;
};

struct ConvolveRecord {
  double layer;
  double x;
  double out;
  double weight;
};

struct DeltaRuleRecord {
  double layer;
  double x;
  double decay;
  double strength;
  double out;
  double key_heads;
  double key_run;
  double rate;
  double bias;
  double epsilon;
};

struct ActivateRecord {
  double gating;
  double activation;
  double threshold;
  double gate;
  double up;
  double out;
};

struct FfnRecord {
  double x;
  double out;
  double adds;
  double layer;
  double dim;
  double neurons;
  double gating;
  double activation;
  double threshold;
  double gate;
  double gate_bias;
  double up;
  double up_bias;
  double down_rows;
  double down;
  double down_bias;
  double hidden_norm;
  double hidden_epsilon;
  double subset;
  double subset_count;
  double gate_channels;
  double up_channels;
};

struct PredictRecord {
  double x;
  double out;
  double layer;
  double neurons;
};

struct MaskRecord {
  double x;
  double out;
  double value;
  double norms;
};

struct AddRecord {
  double x;
  double out;
  double factor;
};

struct ScaleRecord {
  double x;
  double out;
  double factor;
  double cap;
  double length;
  double factors;
  double factor_count;
};

struct CopyRecord {
  double x;
  double out;
};

struct PartRecord {
  double x;
  double out;
  double groups;
  double first;
};

struct SelectRecord {
  double x;
  double out;
};

struct ArgmaxRecord {
  double x;
  double out;
};

struct PublishRecord {
  double slot;
};

struct RouteRecord {
  double x;
  double out;
  double scores;
  double bias;
  double groups;
  double groups_used;
  double normalise;
  double scale;
  double factors;
};

struct ExpertsRecord {
  double x;
  double routes;
  double out;
  double adds;
  double layer;
  double count;
  double neurons;
  double subset;
  double subset_count;
  double gating;
  double activation;
  double threshold;
  double gate;
  double gate_first;
  double gate_stride;
  double gate_apart;
  double gate_bias;
  double gate_bias_first;
  double gate_bias_stride;
  double up;
  double up_first;
  double up_stride;
  double up_apart;
  double up_bias;
  double up_bias_first;
  double up_bias_stride;
  double down;
  double down_first;
  double down_stride;
  double down_apart;
  double down_bias;
  double down_bias_first;
  double down_bias_stride;
};

struct MlpMethodRecord {
  double input;
  double fc1;
  double fc2;
  double threshold;
};

struct SignMethodRecord {
  double signs;
  double margin;
  double margins;
  double centre;
};

struct ThresholdGateMethodRecord {
  double value;
};

struct ThresholdOutputMethodRecord {
  double value;
  double norms;
};

struct GivenMethodRecord {
  double active;
  double predictor_bytes;
};

struct SlotRecord {
  double width;
  double outputs;
  double host;
  double published;
};

struct WeightRecord {
  double type;
  double rows;
  double columns;
  double source;
  double offset;
};

struct KvRecord {
  double type;
};

struct KvLayerRecord {
  double kv_heads;
  double key_width;
  double value_width;
  double cells;
  double places;
};

struct StateLayerRecord {
  double states;
  double positions;
  double channels;
  double heads;
  double rows;
  double columns;
};

// The codes of choices whose enums belong to the kernels.
static_assert(static_cast<uint32_t>(RopePairing::kAdjacent) == 0);
static_assert(static_cast<uint32_t>(RopePairing::kHalves) == 1);
static_assert(static_cast<uint32_t>(Gating::kUngated) == 0);
static_assert(static_cast<uint32_t>(Gating::kGated) == 1);
static_assert(static_cast<uint32_t>(Gating::kBoth) == 2);
static_assert(static_cast<uint32_t>(Gating::kClamped) == 3);
static_assert(static_cast<uint32_t>(Activation::kSilu) == 0);
static_assert(static_cast<uint32_t>(Activation::kGelu) == 1);
static_assert(static_cast<uint32_t>(Activation::kGeluTanh) == 2);
static_assert(static_cast<uint32_t>(Activation::kRelu) == 3);
static_assert(static_cast<uint32_t>(Activation::kRelu2) == 4);
static_assert(static_cast<uint32_t>(Activation::kFatRelu) == 5);
static_assert(static_cast<uint32_t>(Activation::kSigmoid) == 6);
static_assert(static_cast<uint32_t>(Activation::kClampedSwish) == 7);
static_assert(static_cast<uint32_t>(KvType::kF32) == 0);
static_assert(static_cast<uint32_t>(KvType::kF16) == 1);
static_assert(static_cast<uint32_t>(KvType::kQ8_0) == 8);
static_assert(static_cast<uint32_t>(WeightType::kF32) == 0);
static_assert(static_cast<uint32_t>(WeightType::kF16) == 1);
static_assert(static_cast<uint32_t>(WeightType::kBF16) == 30);
static_assert(static_cast<uint32_t>(WeightType::kQ8_0) == 8);
static_assert(static_cast<uint32_t>(WeightType::kQ4_0) == 2);
static_assert(static_cast<uint32_t>(WeightType::kQ4_1) == 3);
static_assert(static_cast<uint32_t>(WeightType::kQ5_0) == 6);
static_assert(static_cast<uint32_t>(WeightType::kQ5_1) == 7);
static_assert(static_cast<uint32_t>(WeightType::kQ4_K) == 12);
static_assert(static_cast<uint32_t>(WeightType::kQ5_K) == 13);
static_assert(static_cast<uint32_t>(WeightType::kQ6_K) == 14);
static_assert(static_cast<uint32_t>(WeightType::kQ2_K) == 10);
static_assert(static_cast<uint32_t>(WeightType::kQ3_K) == 11);
static_assert(static_cast<uint32_t>(WeightType::kIQ4_NL) == 20);
static_assert(static_cast<uint32_t>(WeightType::kIQ4_XS) == 23);
static_assert(static_cast<uint32_t>(WeightType::kMXFP4) == 39);
static_assert(static_cast<uint32_t>(WeightType::kIQ3_XXS) == 18);
static_assert(static_cast<uint32_t>(WeightType::kIQ3_S) == 21);
static_assert(static_cast<uint32_t>(WeightType::kIQ2_XXS) == 16);
static_assert(static_cast<uint32_t>(WeightType::kIQ2_XS) == 17);
static_assert(static_cast<uint32_t>(WeightType::kIQ2_S) == 22);
static_assert(static_cast<uint32_t>(WeightType::kIQ1_S) == 19);
static_assert(static_cast<uint32_t>(WeightType::kIQ1_M) == 29);
static_assert(static_cast<uint32_t>(WeightType::kTQ1_0) == 34);
static_assert(static_cast<uint32_t>(WeightType::kTQ2_0) == 35);
static_assert(static_cast<uint32_t>(WeightType::kNVFP4) == 40);

}  // namespace hearth
