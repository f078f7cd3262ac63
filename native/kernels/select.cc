// Chooses the table for this machine, and has the facts about types that are the same in all
// tables.
#include <cmath>

#include "attention.h"
#include "codecs.h"
#include "generic-weights.h"
#include "isa.h"
#include "panel-gemm.h"
#include "rounding.h"
#include "vnni-layout.h"
#include "x64-features.h"

namespace hearth {
namespace {

struct TypeInfo {
  WeightType type;
  size_t block;
  size_t bytes;
  XFormat format;
};

// Of every weight type, in the order of kWeightTypes.
struct TypeTable {
  TypeInfo info[kWeightTypeCount] = {};

  constexpr TypeTable() {
    size_t i = 0;
    for_each_codec([&](auto codec) {
      using Codec = decltype(codec);
      info[i++] = {Codec::kType, Codec::kBlock, Codec::kBytes, Codec::kX};
    });
  }
};

constexpr TypeTable kTypes;

size_t type_index(uint32_t id) {
  size_t i = 0;
  while (i < kWeightTypeCount && static_cast<uint32_t>(kTypes.info[i].type) != id) ++i;
  return i;
}

const TypeInfo& type_info(WeightType type) {
  return kTypes.info[type_index(static_cast<uint32_t>(type))];
}

// Tables that can run here, best first.
struct Available {
  const Kernels& (*table[3])(Inputs);
  const char* name[4];
};

Available find_available() {
  Available found = {};
  size_t count = 0;
  const auto add = [&](const Kernels& (*table)(Inputs)) {
    found.table[count] = table;
    found.name[count++] = table(Inputs::kRounded).name;
  };
#if defined(__x86_64__)
  const X64Features has = read_x64_features();
  const bool avx2 = has.avx2 && has.fma && has.f16c;
  if (avx2 && has.avx512f && has.avx512bw && has.avx512vl && has.avx512dq && has.avx512vnni &&
      has.avx512vbmi && has.avx512vpopcntdq) {
    add(avx512_kernels);
  }
  if (avx2) add(avx2_kernels);
#elif defined(__aarch64__)
  add(neon_kernels);
#endif
  add(scalar_kernels);
  return found;
}

const Available& available() {
  static const Available found = find_available();
  return found;
}

}  // namespace

const Kernels* select_kernels(const char* forced_or_null, Inputs inputs) {
  const Available& found = available();
  if (forced_or_null == nullptr) return &found.table[0](inputs);
  for (size_t i = 0; found.name[i] != nullptr; ++i) {
    if (std::strcmp(found.name[i], forced_or_null) == 0) return &found.table[i](inputs);
  }
  return nullptr;
}

const char* const* available_kernels() { return available().name; }

const WeightKernels* weight_kernels(const Kernels* kernels, uint32_t type_id) {
  const size_t i = type_index(type_id);
  return i < kWeightTypeCount ? &kernels->weights[i] : nullptr;
}

WeightKernels& weights_of(Kernels& kernels, WeightType type) {
  return kernels.weights[type_index(static_cast<uint32_t>(type))];
}

const char* weight_type_name(WeightType type) {
  switch (type) {
#define HEARTH_CASE(name, id) \
  case WeightType::k##name:   \
    return #name;
    HEARTH_WEIGHT_TYPES(HEARTH_CASE)
#undef HEARTH_CASE
  }
  return "unknown";
}

XFormat x_format(WeightType type) { return type_info(type).format; }

size_t x_bytes(WeightType type, size_t columns) {
  return x_format(type) == XFormat::kQ8 ? q8_row_bytes(columns) : f32_row_bytes(columns);
}

size_t row_bytes(WeightType type, size_t columns) {
  return columns / type_info(type).block * type_info(type).bytes;
}

size_t block_elements(WeightType type) { return type_info(type).block; }

size_t kv_row_bytes(KvType type, size_t head_dim) {
  if (type == KvType::kQ8_0) return head_dim / kGroup * Q8_0::kBytes;
  return head_dim * (type == KvType::kF16 ? F16::kBytes : F32::kBytes);
}

size_t gemm_scratch_bytes(size_t columns) {
  const size_t integer = vnni_scratch_bytes(columns);
  return round_up(integer > kPanelScratchBytes ? integer : kPanelScratchBytes, 64);
}

size_t attention_scratch_bytes() { return round_up(kAttentionScratchBytes, 64); }

size_t sign_words(size_t columns) { return ceil_divide(columns, 64); }

void rope_angles(const RopeAngles& angles, float* cosine, float* sine) {
  for (size_t i = 0; i < angles.pairs; ++i) {
    const double angle = static_cast<double>(angles.position) * angles.frequencies[i];
    cosine[i] = static_cast<float>(std::cos(angle) * angles.magnitude);
    sine[i] = static_cast<float>(std::sin(angle) * angles.magnitude);
  }
}

}  // namespace hearth
