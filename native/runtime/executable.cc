// The tasks of an executable. See executable.h.
#include "executable.h"

#include <cstring>
#include <utility>

namespace hearth {

namespace {

// Runs the stages of one segment over the rows of a step.
class RunTask final : public Task {
 public:
  RunTask(std::shared_ptr<Executable> executable, size_t segment, Step step, Finished finished)
      : executable_(std::move(executable)),
        segment_(segment),
        stages_(executable_->segments[segment]),
        stream_(executable_->stream.get()),
        step_(std::move(step)),
        finished_(std::move(finished)) {}

  Phase next_phase() override {
    while (next_ < stages_.size()) {
      if (stream_ != nullptr) stream_->begins(segment_, next_);
      const Phase phase = stages_[next_++]->begin(step_);
      if (phase.chunks > 0) return phase;
    }
    return Phase{0, false};
  }

  void run_chunk(uint32_t chunk, uint32_t worker) override {
    stages_[next_ - 1]->chunk(step_, chunk, executable_->scratch[worker]);
  }

  void finished(Outcome outcome) override {
    executable_.reset();
    finished_(outcome);
  }

 private:
  std::shared_ptr<Executable> executable_;
  size_t segment_;
  const Segment& stages_;
  WeightStream* stream_;
  Step step_;
  Finished finished_;
  size_t next_ = 0;
};

// Short work that must keep its place in the order of the runs.
class SerialTask final : public Task {
 public:
  SerialTask(std::function<void()> work, Finished finished)
      : work_(std::move(work)), finished_(std::move(finished)) {}

  Phase next_phase() override {
    work_();
    return Phase{0, false};
  }
  void run_chunk(uint32_t, uint32_t) override {}
  void finished(Outcome outcome) override {
    work_ = nullptr;
    finished_(outcome);
  }

 private:
  std::function<void()> work_;
  Finished finished_;
};

}  // namespace

const Subset* Executable::subset(size_t index) const {
  if (index < subsets.size()) return &subsets[index];
  const size_t expert = index - subsets.size();
  return expert < expert_subsets.size() ? &expert_subsets[expert] : nullptr;
}

size_t Executable::scratch_bytes() const {
  size_t bytes = arena.bytes() + constants.bytes();
  for (const HostSlot& slot : host_slots) bytes += slot.floats * sizeof(float);
  return bytes;
}

size_t stream_weights(Executable& executable, size_t kept, size_t window) {
  executable.is_memory_scarce = true;
  size_t total = 0;
  for (const WeightRead& read : executable.reads) {
    if (!read.of.file->begin_dropping()) return 0;
    total += read.of.bytes.end - read.of.bytes.begin;
  }
  if (total <= kept) return 0;
  std::vector<size_t> stages;
  for (const Segment& segment : executable.segments) stages.push_back(segment.size());
  executable.stream =
      std::make_unique<WeightStream>(executable.reads, stages, total - kept, window);
  return total - kept;
}

std::shared_ptr<Task> run_task(std::shared_ptr<Executable> executable, size_t segment, Step step,
                               Finished finished) {
  return std::make_shared<RunTask>(std::move(executable), segment, std::move(step),
                                   std::move(finished));
}

std::shared_ptr<Task> write_task(std::shared_ptr<Executable> executable, size_t slot,
                                 std::vector<float> data, Finished finished) {
  auto work = [executable = std::move(executable), slot, data = std::move(data)] {
    std::memcpy(executable->slots[slot].data, data.data(), data.size() * sizeof(float));
  };
  return std::make_shared<SerialTask>(std::move(work), std::move(finished));
}

std::shared_ptr<Task> copy_sequence_task(std::shared_ptr<Executable> executable, uint32_t from,
                                         uint32_t to, uint32_t length, Finished finished) {
  auto work = [executable = std::move(executable), from, to, length] {
    executable->cache.copy_sequence(from, to, length);
    executable->states.copy(from, to);
  };
  return std::make_shared<SerialTask>(std::move(work), std::move(finished));
}

std::shared_ptr<Task> copy_state_task(std::shared_ptr<Executable> executable, uint32_t from,
                                      uint32_t to, Finished finished) {
  auto work = [executable = std::move(executable), from, to] {
    executable->cache.copy_place(from, to);
    executable->states.copy(from, to);
  };
  return std::make_shared<SerialTask>(std::move(work), std::move(finished));
}

std::shared_ptr<Task> move_cells_task(std::shared_ptr<Executable> executable, uint32_t layer,
                                      const KvMove& move, Finished finished) {
  auto work = [executable = std::move(executable), layer, move] {
    executable->cache.layer(layer).move(move);
  };
  return std::make_shared<SerialTask>(std::move(work), std::move(finished));
}

std::shared_ptr<Task> move_state_task(std::shared_ptr<Executable> executable, uint32_t layer,
                                      const KvMove& move, Finished finished) {
  auto work = [executable = std::move(executable), layer, move] {
    const size_t bytes = executable->states.shape(layer).floats() * sizeof(float);
    void* own = executable->states.inputs(layer, move.place);
    std::memcpy(move.to_host ? move.bytes : own, move.to_host ? own : move.bytes, bytes);
  };
  return std::make_shared<SerialTask>(std::move(work), std::move(finished));
}

std::shared_ptr<Task> replace_subset_task(std::shared_ptr<Executable> executable, size_t block,
                                          std::vector<uint32_t> neurons, Finished finished) {
  auto work = [executable = std::move(executable), block, neurons = std::move(neurons)] {
    const Subset& subset = *executable->subset(block);
    std::memcpy(subset.ids, neurons.data(), neurons.size() * sizeof(uint32_t));
  };
  return std::make_shared<SerialTask>(std::move(work), std::move(finished));
}

}  // namespace hearth
