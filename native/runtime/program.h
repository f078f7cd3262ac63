// A program as the binding hands it over: plain numbers that TypeScript has judged
// (src/backends/cpu/lower.ts writes them, build.cc reads them; the two lists of codes and fields
// must stay the same).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kv-cache.h"

namespace hearth {

enum class OpCode : uint32_t {
  kEmbed = 0,      // out table positions|-1 offset scale
  kNorm = 1,       // form(0 rms, 1 layer) x out groups weight|-1 bias|-1 epsilon
  kMatmul = 2,     // x out adds weight bias|-1 channels|-1
  kRope = 3,       // x heads pairing(0 adjacent, 1 halves) frequencies magnitude
  kStoreKv = 4,    // layer k v
  kAttention = 5,  // layer q out heads scale
  kActivate = 6,   // gating activation threshold gate|-1 up out
  kFfn = 7,        // see below
  kAdd = 8,        // x out
  kCopy = 9,       // x out
  kSelect = 10,    // x out
  kArgmax = 11,    // x out
  kPublish = 12,   // slot: copied to its host memory
  kMask = 13,      // x out value norms|-1
};

// Fields of kFfn:
//   x out adds layer dim neurons gating activation threshold
//   gate|-1 up upBias|-1 downRows down downBias|-1
//   subset(count array)|-1 gateChannels|-1 upChannels|-1 method
// then by method:
//   dense, gate        nothing
//   mlp                input fc1 fc2 threshold
//   sign               signs margin margins|-1 centre|-1
//   threshold-gate     value
//   threshold-output   value norms

// `method` of kFfn.
enum class FfnMethod : uint32_t { kDense, kGate, kMlp, kSign, kThresholdGate, kThresholdOutput };

struct SlotSpec {
  uint32_t width;
  bool outputs;
  // The host reads it: it lies in memory that may outlive the executable.
  bool host;
  // Host memory of its own, filled by kPublish, because more than one segment writes the slot.
  bool published;
};

// Bytes that weights lie in; `owner` keeps them.
struct Source {
  const uint8_t* data;
  size_t bytes;
  std::shared_ptr<const void> owner;
};

struct WeightSpec {
  uint32_t type;
  size_t rows;
  size_t columns;
  size_t source;
  size_t offset;
};

// Small data of ops: frequencies, signs, subsets, norms of weights. Copied when the program is
// built.
struct ArraySpec {
  const void* data;
  size_t bytes;
};

struct ProgramSpec {
  uint32_t max_rows = 0;
  uint32_t max_outputs = 0;
  KvShape kv;
  std::vector<SlotSpec> slots;
  std::vector<Source> sources;
  std::vector<WeightSpec> weights;
  std::vector<ArraySpec> arrays;
  std::vector<std::vector<double>> segments;
};

}  // namespace hearth
