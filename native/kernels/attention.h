// Attention over lanes L (lanes-*.h): tiles of 64 positions, online softmax (Milakov and Gimelshein
// 2018; the tiling is FlashAttention's, Dao 2022). One q row takes dot products with K as it lies,
// several take panel products.
// Internal to kernels/.
#pragma once

#include <algorithm>
#include <cmath>

#include "panel.h"
#include "row-kernels.h"

namespace hearth {
namespace {

constexpr size_t kPositions = 64;  // positions of a tile
constexpr size_t kQueries = 96;    // (row, head) pairs that share an unpacked tile: 8 blocks of 12

// The buffers of one thread, cut from the scratch.
struct AttentionScratch {
  float* k;      // [kPositions, k.width], or transposed [k.width, kPositions]
  float* v;      // [kPositions, width]; width: v.width rounded up to whole panel columns
  float* q;      // [kQueries, k.width], times the scale
  float* score;  // [kQueries, kPositions]
  float* sum_v;  // [kQueries, width]
  float* most;   // [kQueries]
  float* sum;    // [kQueries]
};

inline AttentionScratch attention_scratch(void* buffer) {
  AttentionScratch scratch;
  scratch.k = static_cast<float*>(buffer);
  scratch.v = scratch.k + kPositions * kMaxHeadDim;
  scratch.q = scratch.v + kPositions * kMaxHeadDim;
  scratch.score = scratch.q + kQueries * kMaxHeadDim;
  scratch.sum_v = scratch.score + kQueries * kPositions;
  scratch.most = scratch.sum_v + kQueries * kMaxHeadDim;
  scratch.sum = scratch.most + kQueries;
  return scratch;
}

constexpr size_t kAttentionScratchBytes =
    (2 * kPositions * kMaxHeadDim + 2 * kQueries * kMaxHeadDim + kQueries * kPositions +
     2 * kQueries) *
    sizeof(float);

// One cached row as f32.
template <class L>
void load_kv_row(KvType type, const uint8_t* row, size_t head_dim, float* out) {
  if (type == KvType::kF32) {
    std::memcpy(out, row, head_dim * sizeof(float));
  } else if (type == KvType::kF16) {
    f16_to_f32<L>(row, head_dim, out);
  } else {
    for (size_t i = 0; i < head_dim; i += kGroup, row += Q8_0::kBytes) {
      const typename L::V d = L::set1(load_f16(row));
      for (size_t k = 0; k < kGroup; k += L::kLanes) {
        L::store(out + i + k, L::mul(d, L::load_i8(reinterpret_cast<const int8_t*>(row) + 2 + k)));
      }
    }
  }
}

// Rows [from, end) of the tile at `begin`, `stride` floats apart; what lies outside, of the tile and
// of a row, is zero: a position that no row sees must not be read, it may hold anything.
struct TileRows {
  size_t begin;
  size_t from;
  size_t end;
};

template <class L>
void load_kv_tile(const AttentionTask& task, const KvHead& head, const TileRows& rows,
                  size_t stride, float* out) {
  const uint8_t* row =
      static_cast<const uint8_t*>(head.data) + (rows.begin % task.cells + rows.from) * head.stride;
  std::memset(out, 0, rows.from * stride * sizeof(float));
  for (size_t p = rows.from; p < rows.end; ++p, row += head.stride) {
    load_kv_row<L>(task.type, row, head.width, out + p * stride);
    for (size_t i = head.width; i < stride; ++i) out[p * stride + i] = 0;
  }
  std::memset(out + rows.end * stride, 0, (kPositions - rows.end) * stride * sizeof(float));
}

template <class L>
void transpose_tile(const float* in, size_t head_dim, float* out) {
  size_t i = 0;
  for (; i + L::kLanes <= head_dim; i += L::kLanes) {
    for (size_t p = 0; p < kPositions; p += L::kLanes) {
      L::transpose(in + p * head_dim + i, head_dim, out + i * kPositions + p, kPositions);
    }
  }
  for (; i < head_dim; ++i) {
    for (size_t p = 0; p < kPositions; ++p) out[i * kPositions + p] = in[p * head_dim + i];
  }
}

template <class L>
float dot_f32(const float* a, const float* b, size_t count) {
  typename L::V sum[2] = {L::zero(), L::zero()};
  size_t i = 0;
  for (; i + 2 * L::kLanes <= count; i += 2 * L::kLanes) {
    sum[0] = L::fma(L::load(a + i), L::load(b + i), sum[0]);
    sum[1] = L::fma(L::load(a + i + L::kLanes), L::load(b + i + L::kLanes), sum[1]);
  }
  for_lanes<L>(count - i, [&](size_t k, size_t n) {
    sum[0] = L::fma(load_some<L>(a + i + k, n), load_some<L>(b + i + k, n), sum[0]);
  });
  return L::reduce_add(L::add(sum[0], sum[1]));
}

// Dot products of a with four rows, each as dot_f32 makes it; a is loaded once.
template <class L>
void dot_four_f32(const float* a, const float* rows, size_t stride, size_t count, float* out) {
  typename L::V sum[4][2];
  for (auto& pair : sum) pair[0] = pair[1] = L::zero();
  size_t i = 0;
  for (; i + 2 * L::kLanes <= count; i += 2 * L::kLanes) {
    const typename L::V first = L::load(a + i);
    const typename L::V second = L::load(a + i + L::kLanes);
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; ++r) {
      const float* b = rows + r * stride + i;
      sum[r][0] = L::fma(first, L::load(b), sum[r][0]);
      sum[r][1] = L::fma(second, L::load(b + L::kLanes), sum[r][1]);
    }
  }
  for (size_t r = 0; r < 4; ++r) {
    for_lanes<L>(count - i, [&](size_t k, size_t n) {
      const float* b = rows + r * stride + i + k;
      sum[r][0] = L::fma(load_some<L>(a + i + k, n), load_some<L>(b, n), sum[r][0]);
    });
    out[r] = L::reduce_add(L::add(sum[r][0], sum[r][1]));
  }
}

// Scores [from, end) of one query become e^(score − max), the others 0; sum_v and sum are rescaled
// to the new max.
template <class L>
void online_softmax(const AttentionScratch& scratch, size_t query, Range seen, size_t width) {
  float* score = scratch.score + query * kPositions;
  float most = scratch.most[query];
  for (size_t p = seen.begin; p < seen.end; ++p) most = score[p] > most ? score[p] : most;
  const float factor = std::exp(scratch.most[query] - most);
  float sum = 0;
  for_lanes<L>(kPositions, [&](size_t p, size_t) {
    L::store(score + p, exp_lanes<L>(L::sub(L::load(score + p), L::set1(most))));
  });
  for (size_t p = 0; p < seen.begin; ++p) score[p] = 0;
  for (size_t p = seen.end; p < kPositions; ++p) score[p] = 0;
  for_lanes<L>(kPositions, [&](size_t p, size_t) { sum += L::reduce_add(L::load(score + p)); });
  scratch.most[query] = most;
  scratch.sum[query] = scratch.sum[query] * factor + sum;
  if (factor != 1) scale<L>(factor, width, scratch.sum_v + query * width);
}

// Which positions of the tile at `begin` a row sees, counted from there.
inline Range seen_in_tile(const AttentionTask& task, size_t row, size_t begin) {
  const auto within = [&](size_t position) {
    return position <= begin ? 0 : std::min(position - begin, kPositions);
  };
  const size_t end = std::min<size_t>(task.visible[row], task.positions.end);
  return {within(task.first ? task.first[row] : 0), within(end)};
}

// Scores and weighted values of one tile for one q row.
template <class L>
void attend_tile_direct(const AttentionTask& task, const AttentionScratch& s, Range tile,
                        Range queries, size_t width) {
  const size_t from = seen_in_tile(task, 0, tile.begin).begin;
  const size_t count = tile.end - tile.begin;
  const TileRows rows = {tile.begin, from, count};
  load_kv_tile<L>(task, task.k, rows, task.k.width, s.k);
  load_kv_tile<L>(task, task.v, rows, width, s.v);
  for (size_t i = 0; i < queries.end - queries.begin; ++i) {
    float* score = s.score + i * kPositions;
    for (size_t p = 0; p < from; ++p) score[p] = 0;
    const float* q = s.q + i * task.k.width;
    size_t p = from;
    for (; p + 4 <= count; p += 4) {
      dot_four_f32<L>(q, s.k + p * task.k.width, task.k.width, task.k.width, score + p);
    }
    for (; p < count; ++p) score[p] = dot_f32<L>(q, s.k + p * task.k.width, task.k.width);
    for (; p < kPositions; ++p) score[p] = 0;
    if (task.soft_cap != 0) soft_cap<L>(task.soft_cap, kPositions, score);
    online_softmax<L>(s, i, {from, count}, width);
  }
  // All heads together: values are loaded once, and one sum does not wait for another.
  for (size_t c = 0; c < width; c += 2 * L::kLanes) {
    panel_product<L>({s.v + c, width, s.score, kPositions, count, s.sum_v + c, width, true},
                     queries.end - queries.begin);
  }
}

// The same for several q rows that may see different parts of the tile.
template <class L>
void attend_tile_panels(const AttentionTask& task, const AttentionScratch& s, Range tile,
                        Range queries, size_t width) {
  const size_t count = queries.end - queries.begin;
  const size_t from = seen_in_tile(task, queries.begin / task.heads, tile.begin).begin;
  const TileRows rows = {tile.begin, from, tile.end - tile.begin};
  load_kv_tile<L>(task, task.k, rows, task.k.width, s.v);
  transpose_tile<L>(s.v, task.k.width, s.k);
  load_kv_tile<L>(task, task.v, rows, width, s.v);
  for (size_t p = 0; p < kPositions; p += 2 * L::kLanes) {
    panel_product<L>(
        {s.k + p, kPositions, s.q, task.k.width, task.k.width, s.score + p, kPositions, false},
        count);
  }
  if (task.soft_cap != 0) soft_cap<L>(task.soft_cap, count * kPositions, s.score);
  for (size_t i = 0; i < count; ++i) {
    const Range seen = seen_in_tile(task, (queries.begin + i) / task.heads, tile.begin);
    if (seen.begin < seen.end) {
      online_softmax<L>(s, i, seen, width);
    } else {
      std::memset(s.score + i * kPositions, 0, kPositions * sizeof(float));
    }
  }
  for (size_t c = 0; c < width; c += 2 * L::kLanes) {
    panel_product<L>({s.v + c, width, s.score, kPositions, kPositions, s.sum_v + c, width, true},
                     count);
  }
}

template <class L>
void start_queries(const AttentionTask& task, const AttentionScratch& s, Range queries,
                   size_t width) {
  for (size_t i = 0; i < queries.end - queries.begin; ++i) {
    const size_t row = (queries.begin + i) / task.heads;
    const size_t head = (queries.begin + i) % task.heads;
    float* q = s.q + i * task.k.width;
    std::memcpy(q, task.q + row * task.q_stride + head * task.k.width,
                task.k.width * sizeof(float));
    scale<L>(task.scale, task.k.width, q);
    s.most[i] = task.sinks ? task.sinks[head] : -HUGE_VALF;
    s.sum[i] = task.sinks ? 1 : 0;
    std::memset(s.sum_v + i * width, 0, width * sizeof(float));
  }
}

template <class L>
void finish_queries(const AttentionTask& task, const AttentionScratch& s, Range queries,
                    size_t width) {
  for (size_t i = 0; i < queries.end - queries.begin; ++i) {
    const size_t query = queries.begin + i;
    float* sum_v = s.sum_v + i * width;
    if (task.state) {
      task.state[query * 2] = s.most[i];
      task.state[query * 2 + 1] = s.sum[i];
    } else {
      scale<L>(1.0f / s.sum[i], task.v.width, sum_v);
    }
    float* out =
        task.out + query / task.heads * task.out_stride + query % task.heads * task.v.width;
    std::memcpy(out, sum_v, task.v.width * sizeof(float));
  }
}

template <class L>
void attention(const AttentionTask& task) {
  const AttentionScratch scratch = attention_scratch(task.scratch);
  const size_t width = round_up(task.v.width, 2 * L::kLanes);
  const size_t total = task.rows * task.heads;
  for (size_t first = 0; first < total; first += kQueries) {
    const Range queries = {first, first + kQueries < total ? first + kQueries : total};
    start_queries<L>(task, scratch, queries, width);
    size_t seen = 0;
    for (size_t row = queries.begin / task.heads; row <= (queries.end - 1) / task.heads; ++row) {
      seen = task.visible[row] > seen ? task.visible[row] : seen;
    }
    seen = seen < task.positions.end ? seen : task.positions.end;
    size_t begin = task.positions.begin;
    if (task.first) {
      const size_t from = task.first[queries.begin / task.heads] / kPositions * kPositions;
      begin = from > begin ? from : begin;
    }
    for (; begin < seen; begin += kPositions) {
      const Range tile = {begin, begin + kPositions < seen ? begin + kPositions : seen};
      if (task.rows == 1) {
        attend_tile_direct<L>(task, scratch, tile, queries, width);
      } else {
        attend_tile_panels<L>(task, scratch, tile, queries, width);
      }
    }
    finish_queries<L>(task, scratch, queries, width);
  }
}

template <class L>
void attention_merge(const AttentionMergeTask& task) {
  float most = task.states[0][0];
  for (size_t p = 1; p < task.count; ++p)
    most = task.states[p][0] > most ? task.states[p][0] : most;
  float sum = 0;
  std::memset(task.out, 0, task.head_dim * sizeof(float));
  for (size_t p = 0; p < task.count; ++p) {
    if (task.states[p][1] == 0) continue;  // a part in which the row saw nothing
    const float factor = std::exp(task.states[p][0] - most);
    sum += task.states[p][1] * factor;
    for (size_t i = 0; i < task.head_dim; ++i) task.out[i] += task.parts[p][i] * factor;
  }
  scale<L>(1.0f / sum, task.head_dim, task.out);
}

}  // namespace
}  // namespace hearth
