// prepare, streamWeights, run, write, copySequence, copyState, replaceSubset, ffnCounts, neuronCounts, activeSets,
// disposeExecutable.
#include <cstring>
#include <type_traits>
#include <utility>

#include "handles.h"

namespace hearth {

namespace {

// Numbers as one of the structs of program-records.h, over and over.
template <typename Record>
std::vector<Record> records_of(const std::vector<double>& numbers) {
  static_assert(std::is_trivially_copyable_v<Record> && sizeof(Record) % sizeof(double) == 0);
  const size_t bytes = numbers.size() * sizeof(double);
  if (bytes % sizeof(Record) != 0) throw BindingError{"hearth addon: a record ends too early"};
  std::vector<Record> records(bytes / sizeof(Record));
  if (bytes > 0) std::memcpy(records.data(), numbers.data(), bytes);
  return records;
}

std::vector<SlotSpec> slots_of(const std::vector<double>& numbers) {
  std::vector<SlotSpec> slots;
  for (const SlotRecord& from : records_of<SlotRecord>(numbers)) {
    slots.push_back(SlotSpec{static_cast<uint32_t>(from.width), from.outputs != 0, from.host != 0,
                             from.published != 0});
  }
  return slots;
}

std::vector<WeightSpec> weights_of(const std::vector<double>& numbers) {
  std::vector<WeightSpec> weights;
  for (const WeightRecord& from : records_of<WeightRecord>(numbers)) {
    weights.push_back(WeightSpec{static_cast<uint32_t>(from.type), static_cast<size_t>(from.rows),
                                 static_cast<size_t>(from.columns),
                                 static_cast<size_t>(from.source),
                                 static_cast<size_t>(from.offset)});
  }
  return weights;
}

KvShape kv_of(const std::vector<double>& numbers, const std::vector<double>& layers) {
  const std::vector<KvRecord> records = records_of<KvRecord>(numbers);
  if (records.size() != 1) throw BindingError{"hearth addon: a bad KV shape"};
  const KvRecord& from = records[0];
  KvShape shape;
  shape.type = static_cast<KvType>(static_cast<uint32_t>(from.type));
  for (const KvLayerRecord& layer : records_of<KvLayerRecord>(layers)) {
    shape.layers.push_back(
        KvLayerShape{static_cast<uint32_t>(layer.kv_heads), static_cast<uint32_t>(layer.key_width),
                     static_cast<uint32_t>(layer.value_width), static_cast<uint32_t>(layer.cells),
                     static_cast<uint32_t>(layer.places)});
  }
  return shape;
}

std::vector<RecurrentShape> states_of(const std::vector<double>& numbers) {
  std::vector<RecurrentShape> layers;
  for (const StateLayerRecord& from : records_of<StateLayerRecord>(numbers)) {
    layers.push_back(
        RecurrentShape{static_cast<size_t>(from.states), static_cast<uint32_t>(from.positions),
                       static_cast<uint32_t>(from.channels), static_cast<uint32_t>(from.heads),
                       static_cast<uint32_t>(from.rows), static_cast<uint32_t>(from.columns)});
  }
  return layers;
}

ProgramSpec spec_of(napi_env env, napi_value object, Pins& pins) {
  ProgramSpec spec;
  spec.max_rows = index_of(env, property(env, object, "maxRows"));
  spec.max_outputs = index_of(env, property(env, object, "maxOutputs"));
  spec.kv = kv_of(numbers_of(env, property(env, object, "kv")),
                  numbers_of(env, property(env, object, "kvLayers")));
  spec.states = states_of(numbers_of(env, property(env, object, "stateLayers")));
  spec.slots = slots_of(numbers_of(env, property(env, object, "slots")));
  spec.weights = weights_of(numbers_of(env, property(env, object, "weights")));
  for (napi_value source : elements_of(env, property(env, object, "sources"))) {
    spec.sources.push_back(source_of(env, source, pins));
  }
  for (napi_value array : elements_of(env, property(env, object, "arrays"))) {
    const View view = view_of(env, array);
    spec.arrays.push_back(ArraySpec{view.data, view.bytes});
  }
  for (napi_value segment : elements_of(env, property(env, object, "segments"))) {
    spec.segments.push_back(numbers_of(env, segment));
  }
  return spec;
}

// For each slot: the array that the host reads, or undefined.
napi_value outputs_of(napi_env env, const Executable& executable) {
  napi_value outputs = nullptr;
  check(env, napi_create_array(env, &outputs), "an array");
  for (size_t i = 0; i < executable.host_slots.size(); i++) {
    const HostSlot& slot = executable.host_slots[i];
    if (slot.floats == 0) continue;
    const napi_value array =
        make_typed_array(env, napi_float32_array, slot.floats,
                         OwnedMemory{slot.data, slot.floats * sizeof(float), slot.memory});
    check(env, napi_set_element(env, outputs, static_cast<uint32_t>(i), array), "an element");
  }
  return outputs;
}

std::vector<uint32_t> rows_of(napi_env env, napi_value int32_array, uint32_t count) {
  const View view = view_of(env, int32_array);
  if (view.length < count) throw BindingError{"hearth addon: a step array is too short"};
  const auto* first = static_cast<const uint32_t*>(view.data);
  return std::vector<uint32_t>(first, first + count);
}

}  // namespace

const std::shared_ptr<Prepared>& prepared_of(napi_env env, napi_value handle) {
  const std::shared_ptr<Prepared>& prepared = external_of<ExecutableHandle>(env, handle).prepared;
  if (prepared == nullptr) throw BindingError{"the executable is disposed"};
  return prepared;
}

// prepare(pool, program) → { handle, outputs, kvBytes, scratchBytes, copiedBytes }
napi_value prepare(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 2);
  auto prepared = std::make_shared<Prepared>();
  prepared->pool = pool_of(env, values[0]);
  prepared->pins = std::make_unique<Pins>(*prepared->pool);
  prepared->executable = build(prepared->pool->kernels, prepared->pool->threads.threads(),
                               spec_of(env, values[1], *prepared->pins));
  const Executable& executable = *prepared->executable;
  napi_value result = nullptr;
  check(env, napi_create_object(env, &result), "an object");
  set_property(env, result, "outputs", outputs_of(env, executable));
  const auto bytes = [&](size_t count) { return make_number(env, static_cast<double>(count)); };
  set_property(env, result, "kvBytes", bytes(executable.cache.bytes() + executable.states.bytes()));
  set_property(env, result, "scratchBytes",
               bytes(executable.scratch_bytes() - executable.copied_bytes));
  set_property(env, result, "copiedBytes", bytes(executable.copied_bytes));
  auto handle = std::make_unique<ExecutableHandle>();
  handle->prepared = std::move(prepared);
  set_property(env, result, "handle", make_external(env, std::move(handle)));
  return result;
}

// streamWeights(executable, kept, window) → how many bytes of weights do not stay in memory
napi_value stream_weights(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  Executable& executable = *prepared_of(env, values[0])->executable;
  const auto kept = static_cast<size_t>(number_of(env, values[1]));
  const auto window = static_cast<size_t>(number_of(env, values[2]));
  return make_number(env, static_cast<double>(stream_weights(executable, kept, window)));
}

napi_value dispose_executable(napi_env env, napi_callback_info info) {
  external_of<ExecutableHandle>(env, arguments(env, info, 1)[0]).prepared.reset();
  return nullptr;
}

// run(executable, segment, rowCount, sequence, position, token, outputCount, outputRow,
//     watchedRows, shownRow, shownOutput) → Promise<void>; kNoRow: nobody looks
napi_value run(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 11);
  const std::shared_ptr<Prepared> prepared = prepared_of(env, values[0]);
  const uint32_t segment = index_of(env, values[1]);
  if (segment >= prepared->executable->segments.size()) throw BindingError{"no such segment"};
  Step step;
  step.rows = index_of(env, values[2]);
  step.sequence = rows_of(env, values[3], step.rows);
  step.position = rows_of(env, values[4], step.rows);
  step.token = rows_of(env, values[5], step.rows);
  step.outputs = index_of(env, values[6]);
  step.output_row = rows_of(env, values[7], step.outputs);
  step.watched = index_of(env, values[8]);
  step.shown_row = index_of(env, values[9]);
  step.shown_output = index_of(env, values[10]);
  Courier& courier = prepared->pool->courier;
  const Courier::Started started = courier.start(env, prepared);
  prepared->pool->threads.submit(run_task(prepared->executable, segment, std::move(step),
                                          Courier::finisher(courier, started.delivery)));
  return started.promise;
}

// write(executable, slot, data)
napi_value write_slot(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const std::shared_ptr<Prepared>& prepared = prepared_of(env, values[0]);
  const uint32_t slot = index_of(env, values[1]);
  const View view = view_of(env, values[2]);
  const auto* first = static_cast<const float*>(view.data);
  prepared->pool->threads.submit(write_task(
      prepared->executable, slot, std::vector<float>(first, first + view.length), [](Outcome) {}));
  return nullptr;
}

// copySequence(executable, from, to, length) → Promise<void>
napi_value copy_sequence(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 4);
  const std::shared_ptr<Prepared> prepared = prepared_of(env, values[0]);
  const uint32_t from = index_of(env, values[1]);
  const uint32_t to = index_of(env, values[2]);
  const uint32_t length = index_of(env, values[3]);
  Courier& courier = prepared->pool->courier;
  const Courier::Started started = courier.start(env, prepared);
  prepared->pool->threads.submit(copy_sequence_task(prepared->executable, from, to, length,
                                                    Courier::finisher(courier, started.delivery)));
  return started.promise;
}

// copyState(executable, from, to) → Promise<void>
napi_value copy_state(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const std::shared_ptr<Prepared> prepared = prepared_of(env, values[0]);
  const uint32_t from = index_of(env, values[1]);
  const uint32_t to = index_of(env, values[2]);
  Courier& courier = prepared->pool->courier;
  const Courier::Started started = courier.start(env, prepared);
  prepared->pool->threads.submit(copy_state_task(prepared->executable, from, to,
                                                 Courier::finisher(courier, started.delivery)));
  return started.promise;
}

// replaceSubset(executable, block, ids) → Promise<void>; their number stays the same. Ops of experts
// are counted behind blocks
napi_value replace_subset(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const std::shared_ptr<Prepared> prepared = prepared_of(env, values[0]);
  const uint32_t block = index_of(env, values[1]);
  const View view = view_of(env, values[2]);
  const Subset* subset = prepared->executable->subset(block);
  if (subset == nullptr || view.length != subset->count) {
    throw BindingError{"hearth addon: a subset of another size"};
  }
  const auto* first = static_cast<const uint32_t*>(view.data);
  Courier& courier = prepared->pool->courier;
  const Courier::Started started = courier.start(env, prepared);
  prepared->pool->threads.submit(replace_subset_task(
      prepared->executable, block, std::vector<uint32_t>(first, first + view.length),
      Courier::finisher(courier, started.delivery)));
  return started.promise;
}

// ffnCounts(executable) → [layer, active, rows, neurons, bytes touched, predictor ms, ms, 0] of each
// block, and the same with 1 of each layer's experts
napi_value ffn_counts(napi_env env, napi_callback_info info) {
  const std::shared_ptr<Prepared>& prepared = prepared_of(env, arguments(env, info, 1)[0]);
  std::vector<double> numbers;
  for (FfnMeter& meter : prepared->executable->meters) {
    const FfnCounts counts = meter.take();
    numbers.insert(numbers.end(), {static_cast<double>(meter.layer()), counts.active, counts.rows,
                                   static_cast<double>(meter.candidates()), counts.bytes_touched,
                                   counts.predictor_ms, counts.ms, 0});
  }
  for (ExpertMeter& meter : prepared->executable->expert_meters) {
    const FfnCounts counts = meter.take();
    numbers.insert(numbers.end(),
                   {static_cast<double>(meter.layer()), counts.active, counts.rows,
                    static_cast<double>(meter.neurons()), counts.bytes_touched, 0, counts.ms, 1});
  }
  return make_numbers(env, numbers);
}

// channelCounts(executable) → [rows, channels, bytes touched, bytes dense] of each matmul with
// channels
napi_value channel_counts(napi_env env, napi_callback_info info) {
  const std::shared_ptr<Prepared>& prepared = prepared_of(env, arguments(env, info, 1)[0]);
  std::vector<double> numbers;
  for (ChannelMeter& meter : prepared->executable->channels.meters) {
    const ChannelCounts counts = meter.take();
    numbers.insert(numbers.end(),
                   {counts.rows, counts.channels, counts.bytes_touched, counts.bytes_dense});
  }
  return make_numbers(env, numbers);
}

// neuronCounts(executable) → { rows, active } of each block in the program's order; without
// `active` if this call starts the counting
napi_value neuron_counts(napi_env env, napi_callback_info info) {
  const std::shared_ptr<Prepared>& prepared = prepared_of(env, arguments(env, info, 1)[0]);
  napi_value list = nullptr;
  check(env, napi_create_array(env, &list), "an array");
  uint32_t at = 0;
  for (FfnMeter& meter : prepared->executable->meters) {
    auto counts = std::make_shared<NeuronCounts>(meter.take_neurons());
    const size_t length = counts->active.size();
    napi_value block = nullptr;
    check(env, napi_create_object(env, &block), "an object");
    set_property(env, block, "rows", make_number(env, counts->rows));
    if (length > 0) {
      const OwnedMemory memory{counts->active.data(), length * sizeof(uint32_t), counts};
      set_property(env, block, "active", make_typed_array(env, napi_uint32_array, length, memory));
    }
    check(env, napi_set_element(env, list, at++, block), "an element");
  }
  return list;
}

// activeSets(executable) → { layer, ofExperts, ids } of the blocks and the experts that showed a row
// since the last call
napi_value active_sets(napi_env env, napi_callback_info info) {
  const std::shared_ptr<Prepared>& prepared = prepared_of(env, arguments(env, info, 1)[0]);
  napi_value list = nullptr;
  check(env, napi_create_array(env, &list), "an array");
  uint32_t at = 0;
  const auto add = [&](ShownSet& shown, uint32_t layer, double of_experts) {
    auto ids = std::make_shared<std::vector<uint32_t>>();
    if (!shown.take(ids.get())) return;
    ids->reserve(1);  // memory of an empty one, too
    napi_value set = nullptr;
    check(env, napi_create_object(env, &set), "an object");
    set_property(env, set, "layer", make_number(env, layer));
    set_property(env, set, "ofExperts", make_number(env, of_experts));
    const OwnedMemory memory{ids->data(), ids->size() * sizeof(uint32_t), ids};
    set_property(env, set, "ids", make_typed_array(env, napi_uint32_array, ids->size(), memory));
    check(env, napi_set_element(env, list, at++, set), "an element");
  };
  for (FfnMeter& meter : prepared->executable->meters) add(meter.shown, meter.layer(), 0);
  for (ExpertMeter& meter : prepared->executable->expert_meters) {
    add(meter.shown, meter.layer(), 1);
  }
  return list;
}

}  // namespace hearth
