// A built program: its memory, its stages, and the tasks that run them on the pool.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "../system/memory.h"
#include "../system/thread-pool.h"
#include "attention.h"
#include "channels.h"
#include "expert-meter.h"
#include "ffn.h"
#include "kv-cache.h"
#include "program.h"
#include "stage.h"
#include "weight-stream.h"

namespace hearth {

using Segment = std::vector<std::unique_ptr<Stage>>;

// Where the host reads a slot; its memory lives as long as anyone holds it.
struct HostSlot {
  float* data = nullptr;
  size_t floats = 0;
  std::shared_ptr<Arena> memory;
};

// The neurons that a block computes, or the experts of a layer. They are in the arena, so that its stages see a replacement at
// once.
struct Subset {
  uint32_t* ids = nullptr;
  uint32_t count = 0;
};

// Everything a running program touches. Filled by build(), fixed afterwards.
struct Executable {
  Executable(const Kernels& kernels, const KvShape& kv,
             const std::vector<RecurrentShape>& state_layers)
      : kernels(kernels), cache(kernels, kv), states(state_layers) {}

  const Kernels& kernels;
  KvCache cache;
  RecurrentStates states;
  Arena arena;
  // Copied weights. Apart from scratch, whose pages are first touched, and cleared by the system,
  // in the first run on the pool's threads; these are filled on the host's thread.
  Arena constants;
  std::vector<Source> sources;
  std::vector<Slot> slots;
  std::vector<HostSlot> host_slots;  // by slot; those that the host does not read have no data
  std::vector<Segment> segments;
  std::deque<RopeTable> rope_tables;
  std::deque<FfnMeter> meters;
  std::deque<ExpertMeter> expert_meters;
  std::vector<Subset> subsets;  // by block, as the meters; empty where a block computes all neurons
  std::vector<Subset> expert_subsets;  // the same, by op of experts
  ChannelState channels;
  FfnScratch ffn_scratch;
  AttentionPartials partials;
  std::vector<Scratch> scratch;   // by pool thread
  size_t copied_bytes = 0;        // of signs and other data of ops
  std::vector<WeightRead> reads;  // in the order of the stages
  // Whether weights are read from the disk again and again; set before the first run.
  bool is_memory_scarce = false;
  std::unique_ptr<WeightStream> stream;  // null: all stay in memory

  // By block; behind them by op of experts. Null: there are no more.
  const Subset* subset(size_t index) const;

  size_t scratch_bytes() const;
};

// @throws std::runtime_error if a record cannot be read, std::bad_alloc.
std::shared_ptr<Executable> build(const Kernels& kernels, uint32_t threads, ProgramSpec spec);

// What is to be done before the first run where memory is scarce: of the weights that every step reads
// whole, `kept` bytes stay in memory, the others are read ahead, up to `window` bytes, and dropped
// after use; of experts, those that were chosen are read ahead. Returns how many bytes do not stay.
size_t stream_weights(Executable& executable, size_t kept, size_t window);

// Called on a pool thread when the task is over.
using Finished = std::function<void(Outcome)>;

std::shared_ptr<Task> run_task(std::shared_ptr<Executable> executable, size_t segment, Step step,
                               Finished finished);
std::shared_ptr<Task> write_task(std::shared_ptr<Executable> executable, size_t slot,
                                 std::vector<float> data, Finished finished);
std::shared_ptr<Task> copy_sequence_task(std::shared_ptr<Executable> executable, uint32_t from,
                                         uint32_t to, uint32_t length, Finished finished);
// Of the layers that keep checkpoints, by their places: those of the sequences, then those.
std::shared_ptr<Task> copy_state_task(std::shared_ptr<Executable> executable, uint32_t from,
                                      uint32_t to, Finished finished);
// Keys or values of a layer to the host's bytes, or from there.
std::shared_ptr<Task> move_cells_task(std::shared_ptr<Executable> executable, uint32_t layer,
                                      const KvMove& move, Finished finished);
// One state of a recurrent layer to the host's bytes, or from there: its inputs, then its matrices.
std::shared_ptr<Task> move_state_task(std::shared_ptr<Executable> executable, uint32_t layer,
                                      const KvMove& move, Finished finished);
// The block computes these neurons from the next run on. Their number stays the same.
std::shared_ptr<Task> replace_subset_task(std::shared_ptr<Executable> executable, size_t block,
                                          std::vector<uint32_t> neurons, Finished finished);

}  // namespace hearth
