// A program as the binding passes it: plain numbers that TypeScript has checked. The numbers of a
// segment are the records of program-records.h, one after another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "../system/mapped-file.h"
#include "kv-cache.h"
#include "program-records.h"
#include "recurrent.h"

namespace hearth {

struct SlotSpec {
  uint32_t width;
  bool outputs;
  // The host reads the slot: its memory may outlive the executable.
  bool host;
  // More than one segment writes the slot: it has host memory besides, which kPublish fills.
  bool published;
};

// Bytes that hold weights; `owner` keeps them alive. `file` is the owner where that is a file.
struct Source {
  const uint8_t* data;
  size_t bytes;
  std::shared_ptr<const void> owner;
  std::shared_ptr<MappedFile> file;
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
  std::vector<RecurrentShape> states;  // by layer of the cache
  std::vector<SlotSpec> slots;
  std::vector<Source> sources;
  std::vector<WeightSpec> weights;
  std::vector<ArraySpec> arrays;
  std::vector<std::vector<double>> segments;
};

}  // namespace hearth
