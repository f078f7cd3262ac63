// The state of turning a program into stages. See build.cc; internal to native/runtime.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "executable.h"
#include "matmul.h"

namespace hearth {

// A field of a record as a whole number from 0 on.
inline uint32_t whole(double field) {
  if (!(field >= 0 && field < 4294967296.0)) throw std::runtime_error("program: a bad index");
  return static_cast<uint32_t>(field);
}

// Reads the records of a segment one after another.
class Reader {
 public:
  explicit Reader(const std::vector<double>& numbers) : numbers_(numbers) {}

  bool at_end() const { return at_ == numbers_.size(); }
  // The code that says which record follows: an OpCode or an FfnMethod.
  template <typename Code>
  Code code() {
    return static_cast<Code>(whole(*take(1)));
  }
  // One of the structs of program-records.h.
  template <typename Record>
  Record record() {
    static_assert(std::is_trivially_copyable_v<Record> && sizeof(Record) % sizeof(double) == 0);
    Record record;
    std::memcpy(&record, take(sizeof(Record) / sizeof(double)), sizeof(Record));
    return record;
  }

 private:
  const double* take(size_t count) {
    if (count > numbers_.size() - at_) throw std::runtime_error("program: a record ends too early");
    at_ += count;
    return numbers_.data() + at_ - count;
  }

  const std::vector<double>& numbers_;
  size_t at_ = 0;
};

enum class SharedRows {
  kHidden,     // h of a block, of this width
  kPredictor,  // relu(fc1 · input)
  // Of pairs of a row and an expert:
  kExpertInputs,
  kGateInputs,
  kExpertHidden,
  kPreparedHidden,
};

class Builder {
 public:
  Builder(Executable& executable, const ProgramSpec& spec, uint32_t threads);

  const Kernels& kernels() const { return executable_.kernels; }
  const KvCache& cache() const { return executable_.cache; }
  uint32_t max_rows() const { return static_cast<uint32_t>(needs_.max_rows); }
  ScratchNeeds& needs() { return needs_; }
  Executable& executable() { return executable_; }

  // What a field of a record names: an index, or -1 for none where it is optional.
  Slot slot(double field) const;
  const Slot* optional_slot(double field) const;
  Weight weight(double field) const;
  // Its kernels are null for none.
  Weight optional_weight(double field) const;
  // A weight of one row as f32.
  const float* optional_vector(double field);
  // A weight as f32 [rows, columns].
  const float* widened(double field);
  // A weight as f32 [columns, rows].
  const float* transposed(double field);
  ArraySpec array(double field) const;
  // A copy that lives as long as the executable; null for none.
  template <typename T>
  const T* optional_array(double field, size_t count) {
    if (field == -1) return nullptr;
    return reinterpret_cast<const T*>(copy_array(array(field), count * sizeof(T)));
  }
  // Angles of the frequencies for this segment; adds the stage that computes them when they are
  // new.
  const RopeTable* rope_table(const Slot& x, const ArraySpec& frequencies, float magnitude);

  void begin_segment();
  void end_segment();
  void add(std::unique_ptr<Stage> stage);
  // The stage that was added last, or those behind it, read the whole weight in every step.
  void reads(const Weight& weight);
  // The slot's contents change: what was prepared from it is stale.
  void writes(const Slot& slot);
  // The slot's rows in the form that the weight reads; adds the stage that makes it unless it is
  // there.
  PreparedX prepare(const Slot& slot, const Weight& reader);
  // The slot's channels that are not zero; adds the stage that lists them unless they are listed.
  const ChannelLists* channel_lists(const Slot& slot);
  std::shared_ptr<ChannelProducts> channel_products(const ChannelLists* lists) const;
  // The stage that sums them, once they are all added.
  void add_channel_sums(std::shared_ptr<ChannelProducts> products);
  // Joins the matmul with its predecessors when they read the same rows.
  void matmul(const Slot& x, MatmulPart part);
  void attention(const AttentionOp& op);
  void publish(uint32_t slot);
  // Memory that stages share which run one after another: the same for every call with this name
  // and size.
  float* shared(SharedRows name, size_t floats);
  // Rows f32 [max rows, width], the same for every call with this name and width.
  Slot shared_rows(SharedRows name, uint32_t width, bool outputs);
  // Sizes the memory that blocks share.
  void need_ffn(const FfnRun& run);
  void finish();

 private:
  void add_slots(const ProgramSpec& spec);
  void add_weights(const ProgramSpec& spec);
  const uint8_t* copy_array(const ArraySpec& array, size_t bytes);
  void flush();
  // Products over channels for those matmuls that have copies, before the stage of their rows.
  void add_channels(std::vector<MatmulPart>& parts);

  Executable& executable_;
  const ProgramSpec& spec_;
  std::vector<Weight> weights_;
  std::vector<const float*> vectors_;  // by weight, once widened
  ScratchNeeds needs_;
  std::vector<MatmulPart> pending_;
  const float* pending_x_ = nullptr;
  std::map<std::pair<const float*, XFormat>, uint8_t*> prepared_memory_;
  std::map<std::pair<const float*, XFormat>, PreparedX> prepared_;
  std::map<const float*, ChannelLists*> lists_memory_;
  std::vector<const float*> channels_listed_;
  std::map<std::pair<SharedRows, size_t>, float*> shared_;
  std::map<uint32_t, const float*> widened_;  // by weight
  std::vector<const RopeTable*> angles_ready_;
  size_t attention_heads_ = 0;   // of the layer with the most
  size_t attention_floats_ = 0;  // of all heads of a row, in the widest layer
  size_t ffn_neurons_ = 0;
  size_t ffn_selection_ = 0;
  size_t ffn_tiles_ = 0;  // of the block with the most, of those that list neurons
  size_t sum_floats_ = 0;
};

void build_ffn(Builder& builder, Reader& reader);
void build_predict(Builder& builder, Reader& reader);
void build_route(Builder& builder, const RouteRecord& from);
void build_experts(Builder& builder, const ExpertsRecord& from);

}  // namespace hearth
