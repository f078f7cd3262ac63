// Sign predictor and selection of active neurons in plain C++. Equations: kernels.h.
// Internal to kernels/.
#pragma once

#include "blocks.h"

namespace hearth {
namespace {

inline void sign_pack(const float* x, size_t count, uint64_t* out) {
  for (size_t word = 0; word * 64 < count; ++word) {
    const size_t bits = count - word * 64 < 64 ? count - word * 64 : 64;
    uint64_t packed = 0;
    for (size_t i = 0; i < bits; ++i) {
      packed |= static_cast<uint64_t>(bits_of_float(x[word * 64 + i]) >> 31) << i;
    }
    out[word] = packed;
  }
}

inline void sign_scores(const uint64_t* signs, size_t columns, const uint64_t* x, Range rows,
                        int32_t* score) {
  const size_t words = (columns + 63) / 64;
  for (size_t r = rows.begin; r < rows.end; ++r) {
    const uint64_t* row = signs + r * words;
    int32_t differing = 0;
    for (size_t i = 0; i < words; ++i) differing += __builtin_popcountll(row[i] ^ x[i]);
    score[r] = static_cast<int32_t>(columns) - 2 * differing;
  }
}

// Writes every index and keeps it by advancing: there is no branch to mispredict.
template <class Value, class IsKept>
inline size_t select_where(const Value* x, size_t count, uint32_t base, uint32_t* index,
                           IsKept is_kept) {
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    index[kept] = base + static_cast<uint32_t>(i);
    kept += is_kept(x[i]) ? 1 : 0;
  }
  return kept;
}

inline size_t select_at_least(const float* x, size_t count, float least, uint32_t base,
                              uint32_t* index) {
  return select_where(x, count, base, index, [least](float v) { return v >= least; });
}

inline size_t select_magnitude(const float* x, size_t count, float least, uint32_t base,
                               uint32_t* index) {
  return select_where(x, count, base, index,
                      [least](float v) { return (v < 0 ? -v : v) >= least; });
}

inline size_t select_scores(const int32_t* x, size_t count, int32_t least, uint32_t base,
                            uint32_t* index) {
  return select_where(x, count, base, index, [least](int32_t v) { return v >= least; });
}

// Four adjacent pages at once, the next four prefetched into the second level of cache: the fastest
// pattern found over 4 KB pages (24 GB/s per Zen 4 core; one stream 19, with prefetch 22).
constexpr size_t kReadStreams = 4;
constexpr size_t kReadPiece = 4096;

inline uint64_t sum_of_line(const uint8_t* line) {
  uint64_t word[8];
  std::memcpy(word, line, sizeof word);
  return (word[0] ^ word[4]) + (word[1] ^ word[5]) + (word[2] ^ word[6]) + (word[3] ^ word[7]);
}

inline uint64_t read_stream(const void* data, size_t bytes) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  uint64_t sum = 0;
  size_t i = 0;
  for (; i + kReadStreams * kReadPiece <= bytes; i += kReadStreams * kReadPiece) {
    for (size_t at = 0; at < kReadPiece; at += 64) {
      for (size_t k = 0; k < kReadStreams; ++k) {
        const uint8_t* line = p + i + k * kReadPiece + at;
        __builtin_prefetch(line + kReadStreams * kReadPiece, 0, 2);
        sum += sum_of_line(line);
      }
    }
  }
  for (; i + 64 <= bytes; i += 64) sum += sum_of_line(p + i);
  return sum;
}

}  // namespace
}  // namespace hearth
