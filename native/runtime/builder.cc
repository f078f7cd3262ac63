// See build.h.
#include <algorithm>
#include <cstring>

#include "build.h"

namespace hearth {

Builder::Builder(Executable& executable, const ProgramSpec& spec, uint32_t threads)
    : executable_(executable), spec_(spec) {
  needs_.max_rows = spec.max_rows;
  needs_.threads = threads;
  add_slots(spec);
  add_weights(spec);
  vectors_.resize(weights_.size());
}

void Builder::add_slots(const ProgramSpec& spec) {
  for (const SlotSpec& slot : spec.slots) {
    const size_t floats = size_t{slot.outputs ? spec.max_outputs : spec.max_rows} * slot.width;
    HostSlot host;
    if (slot.host) {
      host.memory = std::make_shared<Arena>();
      host.floats = floats;
      host.data = host.memory->array<float>(floats);
    }
    float* data = slot.host && !slot.published ? host.data : executable_.arena.array<float>(floats);
    executable_.slots.push_back(Slot{data, slot.width, slot.outputs});
    executable_.host_slots.push_back(std::move(host));
  }
}

void Builder::add_weights(const ProgramSpec& spec) {
  for (const WeightSpec& from : spec.weights) {
    const Source& source = spec.sources.at(from.source);
    Weight weight;
    weight.type = static_cast<WeightType>(from.type);
    weight.kernels = weight_kernels(&kernels(), from.type);
    if (weight.kernels == nullptr) throw std::runtime_error("program: unknown weight type");
    weight.rows = from.rows;
    weight.matrix = Matrix{nullptr, from.columns, row_bytes(weight.type, from.columns)};
    if (from.offset > source.bytes || weight.bytes() > source.bytes - from.offset) {
      throw std::runtime_error("program: a weight lies beyond its source");
    }
    weight.matrix.data = source.data + from.offset;
    weights_.push_back(weight);
  }
}

Slot Builder::slot(double field) const { return executable_.slots.at(whole(field)); }

const Slot* Builder::optional_slot(double field) const {
  return field == -1 ? nullptr : &executable_.slots.at(whole(field));
}

Weight Builder::weight(double field) const { return weights_.at(whole(field)); }

Weight Builder::optional_weight(double field) const {
  return field == -1 ? Weight{} : weight(field);
}

const float* Builder::optional_vector(double field) {
  if (field == -1) return nullptr;
  const uint32_t index = whole(field);
  const Weight& weight = weights_.at(index);
  if (vectors_[index] == nullptr) {
    const size_t columns = weight.matrix.columns;
    float* vector = executable_.constants.array<float>(columns);
    weight.kernels->dequantise_row(weight.matrix.data, columns, vector);
    vectors_[index] = vector;
  }
  return vectors_[index];
}

const float* Builder::widened(double field) {
  const float*& known = widened_[whole(field)];
  if (known != nullptr) return known;
  const Weight from = weight(field);
  const size_t columns = from.matrix.columns;
  float* to = executable_.constants.array<float>(columns * from.rows);
  for (size_t row = 0; row < from.rows; row++) {
    from.kernels->dequantise_row(from.row(row), columns, to + row * columns);
  }
  known = to;
  return to;
}

const float* Builder::transposed(double field) {
  const Weight from = weight(field);
  const size_t columns = from.matrix.columns;
  std::vector<float> row(columns);
  float* to = executable_.constants.array<float>(columns * from.rows);
  for (size_t r = 0; r < from.rows; r++) {
    from.kernels->dequantise_row(from.row(r), columns, row.data());
    for (size_t c = 0; c < columns; c++) to[c * from.rows + r] = row[c];
  }
  return to;
}

ArraySpec Builder::array(double field) const { return spec_.arrays.at(whole(field)); }

const uint8_t* Builder::copy_array(const ArraySpec& array, size_t bytes) {
  if (array.bytes < bytes) throw std::runtime_error("program: an array is too short");
  uint8_t* copy = executable_.constants.take(bytes);
  std::memcpy(copy, array.data, bytes);
  executable_.copied_bytes += bytes;
  return copy;
}

const RopeTable* Builder::rope_table(const Slot& x, const ArraySpec& frequencies, float magnitude) {
  const auto* first = static_cast<const float*>(frequencies.data);
  const std::vector<float> wanted(first, first + frequencies.bytes / sizeof(float));
  const RopeTable* table = nullptr;
  for (const RopeTable& known : executable_.rope_tables) {
    if (known.magnitude == magnitude && known.frequencies == wanted) table = &known;
  }
  if (table == nullptr) {
    const size_t angles = needs_.max_rows * wanted.size();
    Arena& arena = executable_.arena;
    executable_.rope_tables.push_back(
        RopeTable{wanted, magnitude, arena.array<float>(angles), arena.array<float>(angles)});
    table = &executable_.rope_tables.back();
  }
  if (std::find(angles_ready_.begin(), angles_ready_.end(), table) == angles_ready_.end()) {
    angles_ready_.push_back(table);
    add(make_rope_angles(x, table));
  }
  return table;
}

void Builder::begin_segment() {
  executable_.segments.emplace_back();
  prepared_.clear();
  channels_listed_.clear();
  angles_ready_.clear();
}

void Builder::end_segment() { flush(); }

void Builder::add(std::unique_ptr<Stage> stage) {
  flush();
  executable_.segments.back().push_back(std::move(stage));
}

void Builder::reads(const Weight& weight) {
  const auto* data = static_cast<const uint8_t*>(weight.matrix.data);
  for (const Source& source : spec_.sources) {
    if (source.file == nullptr || data < source.data || data >= source.data + source.bytes)
      continue;
    const auto begin = static_cast<size_t>(data - source.data);
    executable_.reads.push_back(
        WeightRead{executable_.segments.size() - 1, executable_.segments.back().size() - 1,
                   FileRead{source.file, Stretch{begin, begin + weight.bytes()}}});
    return;
  }
}

void Builder::writes(const Slot& slot) {
  for (auto entry = prepared_.begin(); entry != prepared_.end();) {
    entry = entry->first.first == slot.data ? prepared_.erase(entry) : std::next(entry);
  }
  channels_listed_.erase(std::remove(channels_listed_.begin(), channels_listed_.end(), slot.data),
                         channels_listed_.end());
}

PreparedX Builder::prepare(const Slot& slot, const Weight& reader) {
  if (pending_x_ != slot.data) flush();
  const XFormat format = x_format(reader.type);
  const std::pair<const float*, XFormat> key{slot.data, format};
  const auto ready = prepared_.find(key);
  if (ready != prepared_.end()) return ready->second;
  PreparedX prepared{slot, reader.type, x_bytes(reader.type, slot.width), nullptr};
  if (format == XFormat::kF32 && prepared.row_bytes == slot.width * sizeof(float)) {
    // The form of the slot itself.
    prepared.data = reinterpret_cast<uint8_t*>(slot.data);
    return prepared;
  }
  uint8_t*& memory = prepared_memory_[key];
  if (memory == nullptr) memory = executable_.arena.take(prepared.row_bytes * needs_.max_rows);
  prepared.data = memory;
  prepared_[key] = prepared;
  // Before the matmuls that wait: they read the same slot and do not write it.
  executable_.segments.back().push_back(make_prepare(reader, prepared));
  return prepared;
}

const ChannelLists* Builder::channel_lists(const Slot& slot) {
  ChannelState& state = executable_.channels;
  ChannelLists*& lists = lists_memory_[slot.data];
  if (lists == nullptr) {
    state.lists.emplace_back();
    lists = &state.lists.back();
    lists->slot = slot;
    const size_t rows = std::min<size_t>(kMaxSparseRows, needs_.max_rows);
    lists->index = executable_.arena.array<uint32_t>(rows * lists->stride());
    lists->value = executable_.arena.array<float>(rows * lists->stride());
  }
  auto& listed = channels_listed_;
  if (std::find(listed.begin(), listed.end(), slot.data) == listed.end()) {
    listed.push_back(slot.data);
    executable_.segments.back().push_back(make_channel_lists(lists));
  }
  return lists;
}

std::shared_ptr<ChannelProducts> Builder::channel_products(const ChannelLists* lists) const {
  return std::make_shared<ChannelProducts>(kernels(), lists, &executable_.channels.sums);
}

void Builder::add_channel_sums(std::shared_ptr<ChannelProducts> products) {
  sum_floats_ = std::max(sum_floats_, products->sum_floats(needs_.max_rows));
  executable_.segments.back().push_back(make_channel_sums(std::move(products)));
}

void Builder::matmul(const Slot& x, MatmulPart part) {
  const bool writes_again =
      std::any_of(pending_.begin(), pending_.end(),
                  [&](const MatmulPart& other) { return other.out.data == part.out.data; });
  if (writes_again || pending_x_ != x.data) flush();
  part.x = prepare(x, part.weight);
  if (part.channels.kernels != nullptr) {
    part.lists = channel_lists(x);
    executable_.channels.meters.emplace_back();
    part.meter = &executable_.channels.meters.back();
  }
  writes(part.out);
  pending_x_ = x.data;
  pending_.push_back(std::move(part));
}

void Builder::flush() {
  pending_x_ = nullptr;
  if (pending_.empty()) return;
  std::vector<MatmulPart> parts;
  parts.swap(pending_);
  add_channels(parts);
  Segment& segment = executable_.segments.back();
  segment.push_back(make_matmul(parts, needs_));
  for (const MatmulPart& part : parts) {
    if (part.products == nullptr) reads(part.weight);
  }
  for (MatmulPart& part : parts) {
    if (part.products != nullptr) segment.push_back(make_matmul_join(std::move(part)));
  }
}

void Builder::add_channels(std::vector<MatmulPart>& parts) {
  std::shared_ptr<ChannelProducts> products;
  for (MatmulPart& part : parts) {
    if (part.channels.kernels == nullptr) continue;
    if (products == nullptr) products = channel_products(part.lists);
    part.product = products->add(part.weight, part.channels, part.meter);
    part.products = products;
  }
  if (products != nullptr) add_channel_sums(std::move(products));
}

void Builder::attention(const AttentionOp& op) {
  attention_heads_ = std::max(attention_heads_, size_t{op.heads});
  attention_floats_ = std::max(attention_floats_, size_t{op.out.width});
  writes(op.out);
  for (auto& stage : make_attention(kernels(), &executable_.partials, op, needs_)) {
    add(std::move(stage));
  }
}

void Builder::publish(uint32_t index) {
  const Slot slot = executable_.slots.at(index);
  add(make_copy(slot, Slot{executable_.host_slots.at(index).data, slot.width, slot.outputs}));
}

Slot Builder::shared_rows(SharedRows name, uint32_t width, bool outputs) {
  return Slot{shared(name, needs_.max_rows * width), width, outputs};
}

float* Builder::shared(SharedRows name, size_t floats) {
  float*& memory = shared_[{name, floats}];
  if (memory == nullptr) memory = executable_.arena.array<float>(floats);
  return memory;
}

void Builder::need_ffn(const FfnRun& run) {
  const FfnOp& op = run.op;
  if (run.selection->scores() != Scores::kNone) {
    ffn_tiles_ = std::max<size_t>(ffn_tiles_, run.tiles());
  }
  ffn_neurons_ = std::max<size_t>(ffn_neurons_, op.neurons);
  const size_t rows = std::min<size_t>(kMaxSparseRows, needs_.max_rows);
  sum_floats_ = std::max(sum_floats_, rows * kMaxGroups * op.dim);
  ffn_selection_ = std::max(ffn_selection_, run.piece_room);
}

void Builder::finish() {
  Arena& arena = executable_.arena;
  FfnScratch& ffn = executable_.ffn_scratch;
  const size_t sparse_rows = std::min<size_t>(kMaxSparseRows, needs_.max_rows);
  ffn.scores = arena.array<float>(sparse_rows * ffn_neurons_);
  ffn.selection_stride = ffn_selection_;
  ffn.selected = arena.array<uint32_t>(sparse_rows * ffn_selection_);
  ffn.active = arena.array<uint32_t>(sparse_rows * (ffn_neurons_ + 16));
  ffn.tiles.place = arena.array<uint8_t>(ffn_tiles_ * kTileNeurons * needs_.max_rows);
  ffn.tiles.offset = arena.array<uint32_t>(ffn_tiles_ * (needs_.max_rows + 1));
  constexpr size_t kCutParts = size_t{kMaxCutRows} * kMaxCuts;
  executable_.partials.out = arena.array<float>(kCutParts * attention_floats_);
  executable_.partials.state = arena.array<float>(kCutParts * attention_heads_ * 2);
  executable_.channels.sums.data = arena.array<float>(sum_floats_);
  for (size_t thread = 0; thread < needs_.threads; thread++) {
    Scratch scratch;
    if (needs_.gemm_columns > 0) scratch.gemm = arena.take(gemm_scratch_bytes(needs_.gemm_columns));
    if (needs_.attention) scratch.attention = arena.take(attention_scratch_bytes());
    scratch.floats = arena.array<float>(needs_.floats + 16);
    scratch.indices = arena.array<uint32_t>(needs_.indices + 16);
    executable_.scratch.push_back(scratch);
  }
}

}  // namespace hearth
