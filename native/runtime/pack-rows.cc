// See pack-rows.h.
#include "pack-rows.h"

#include <algorithm>
#include <cstring>

namespace hearth {

namespace {

// A chunk: 30 us of copying, large against the 1 us in which a thread takes one.
constexpr size_t kChunkBytes = 256 << 10;
// Units of four bytes of codes that a group has of each of its blocks.
constexpr size_t kUnits = 8;
constexpr uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0f;

size_t ceil_divide(size_t value, size_t by) { return (value + by - 1) / by; }

// With the count known to the compiler a field is one move.
template <size_t kBytes>
void copy_fields(const uint8_t* from, size_t stride, size_t blocks, uint8_t* to) {
  for (size_t block = 0; block < blocks; block++) {
    std::memcpy(to + block * kBytes, from + block * stride, kBytes);
  }
}

void copy_plane(const Plane& plane, const uint8_t* row, size_t stride, size_t blocks, uint8_t* to) {
  const uint8_t* from = row + plane.at;
  if (plane.bytes == stride) {
    std::memcpy(to, from, stride * blocks);
    return;
  }
  switch (plane.bytes) {
    case 1:
      return copy_fields<1>(from, stride, blocks, to);
    case 2:
      return copy_fields<2>(from, stride, blocks, to);
    case 4:
      return copy_fields<4>(from, stride, blocks, to);
    case 16:
      return copy_fields<16>(from, stride, blocks, to);
    case 32:
      return copy_fields<32>(from, stride, blocks, to);
    default:
      break;
  }
  for (size_t block = 0; block < blocks; block++) {
    std::memcpy(to + block * plane.bytes, from + block * stride, plane.bytes);
  }
}

template <typename Word>
Word load(const uint8_t* from) {
  Word word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

void store(uint8_t* to, uint32_t word) { std::memcpy(to, &word, sizeof(word)); }

// Q8_0: unit i of a group of four blocks holds quad i of each.
void group_bytes(const uint8_t* codes, size_t stride, size_t blocks, uint8_t* to) {
  constexpr size_t kBlocks = 4;
  for (size_t group = 0; group < blocks; group += kBlocks) {
    for (size_t unit = 0; unit < kUnits; unit++) {
      for (size_t block = group; block < group + kBlocks; block++) {
        store(to, load<uint32_t>(codes + block * stride + 4 * unit));
        to += sizeof(uint32_t);
      }
    }
  }
}

// Q4_0: unit i of a group of eight blocks holds quad i of blocks 0–3 in the low nibbles, and of
// blocks 4–7 in the high ones. The low nibbles of a block's 16 bytes are quads 0–3, the high ones
// quads 4–7; eight bytes, so two quads, are done at once.
void group_nibbles(const uint8_t* codes, size_t stride, size_t blocks, uint8_t* to) {
  constexpr size_t kBlocks = 8;
  constexpr size_t kUnitBytes = 16;
  for (size_t group = 0; group < blocks; group += kBlocks, to += kUnits * kUnitBytes) {
    for (size_t j = 0; j < kBlocks / 2; j++) {
      const uint8_t* low = codes + (group + j) * stride;
      const uint8_t* high = low + kBlocks / 2 * stride;
      for (size_t pair = 0; pair < 2; pair++) {
        const auto a = load<uint64_t>(low + 8 * pair);
        const auto b = load<uint64_t>(high + 8 * pair);
        const uint64_t first = (a & kLowNibbles) | (b & kLowNibbles) << 4;
        const uint64_t second = (a >> 4 & kLowNibbles) | (b & ~kLowNibbles);
        uint8_t* out = to + 2 * pair * kUnitBytes + 4 * j;
        store(out, static_cast<uint32_t>(first));
        store(out + kUnitBytes, static_cast<uint32_t>(first >> 32));
        store(out + 4 * kUnitBytes, static_cast<uint32_t>(second));
        store(out + 5 * kUnitBytes, static_cast<uint32_t>(second >> 32));
      }
    }
  }
}

}  // namespace

void pack_row(const PackJob& job, const uint8_t* source, uint8_t* target) {
  const size_t stride = job.file_bytes / job.blocks;
  size_t end = 0;
  bool is_first = true;
  for (const Plane& plane : job.planes) {
    std::memset(target + end, 0, plane.start - end);
    uint8_t* to = target + plane.start;
    if (!is_first || job.grouping == Grouping::kNone) {
      copy_plane(plane, source, stride, job.blocks, to);
    } else if (job.grouping == Grouping::kBytes) {
      group_bytes(source + plane.at, stride, job.blocks, to);
    } else {
      group_nibbles(source + plane.at, stride, job.blocks, to);
    }
    is_first = false;
    end = plane.start + plane.bytes * job.blocks;
  }
  std::memset(target + end, 0, job.gpu_bytes - end);
}

PackRows::PackRows(PackJob job)
    : job_(std::move(job)),
      rows_per_chunk_(std::max<size_t>(1, kChunkBytes / std::max<size_t>(1, job_.gpu_bytes))) {}

Phase PackRows::next_phase() {
  if (started_) return Phase{0, false};
  started_ = true;
  const size_t chunks = ceil_divide(job_.rows, rows_per_chunk_);
  return Phase{static_cast<uint32_t>(chunks), chunks > 1};
}

void PackRows::run_chunk(uint32_t chunk, uint32_t) {
  const size_t begin = chunk * rows_per_chunk_;
  const size_t end = std::min(begin + rows_per_chunk_, job_.rows);
  for (size_t row = begin; row < end; row++) {
    pack_row(job_, job_.source + job_.places[row] * job_.file_bytes,
             job_.target + row * job_.gpu_bytes);
  }
}

}  // namespace hearth
