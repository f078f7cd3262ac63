// machine, measureRead, transposeWeight: facts about the machine, and work of the pool besides
// running programs.
#include <utility>

#include "../runtime/transpose.h"
#include "../system/bandwidth.h"
#include "../system/topology.h"
#include "handles.h"

namespace hearth {

namespace {

// What a transposition needs until its promise is settled.
struct Transposing {
  std::shared_ptr<Pool> pool;
  Pins pins;
  Source source;
};

}  // namespace

// machine() → { cpu, features, physicalCores, performanceCores, usableCores, memoryBytes, availableBytes, caches,
// kernels }
napi_value machine(napi_env env, napi_callback_info) {
  const Topology topology = read_topology();
  napi_value result = nullptr;
  check(env, napi_create_object(env, &result), "an object");
  const auto number = [&](const char* name, double value) {
    set_property(env, result, name, make_number(env, value));
  };
  set_property(env, result, "cpu", make_string(env, topology.cpu));
  set_property(env, result, "features", make_string(env, topology.features));
  number("physicalCores", topology.physical_cores);
  number("performanceCores", topology.performance_cores);
  number("usableCores", topology.usable_cores);
  number("memoryBytes", static_cast<double>(topology.memory_bytes));
  number("availableBytes", static_cast<double>(topology.available_bytes));
  set_property(env, result, "cacheBytes", make_numbers(env, topology.cache_bytes));
  std::string kernels;
  for (const char* const* name = available_kernels(); *name != nullptr; name++) {
    kernels += (kernels.empty() ? "" : " ") + std::string(*name);
  }
  set_property(env, result, "kernels", make_string(env, kernels));
  return result;
}

// measureRead(pool, bytes) → Promise<bytes per second>, the best of eight passes over memory that
// no cache holds
napi_value measure_read(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 2);
  const std::shared_ptr<Pool> pool = pool_of(env, values[0]);
  const auto bytes = static_cast<size_t>(number_of(env, values[1]));
  auto task = std::make_shared<ReadMeasurement>(pool->kernels, bytes);
  const Courier::Started started = pool->courier.start(env, pool);
  started.delivery->result = [task](napi_env called) {
    return make_number(called, task->bytes_per_second());
  };
  task->on_finished(Courier::finisher(pool->courier, started.delivery));
  pool->threads.submit(task);
  return started.promise;
}

// transposeWeight(pool, source, type, rows, columns, offset, target type) → Promise<{ data, handle }>:
// the bytes as JavaScript reads them, and what threads hold them by
napi_value transpose_weight(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 7);
  auto keeps = std::make_shared<Transposing>(
      Transposing{pool_of(env, values[0]), Pins(*pool_of(env, values[0])), {}});
  keeps->source = source_of(env, values[1], keeps->pins);
  TransposeJob job;
  job.type = static_cast<WeightType>(index_of(env, values[2]));
  job.rows = index_of(env, values[3]);
  job.columns = index_of(env, values[4]);
  const auto offset = static_cast<size_t>(number_of(env, values[5]));
  job.target = static_cast<WeightType>(index_of(env, values[6]));
  const size_t bytes = job.rows * row_bytes(job.type, job.columns);
  if (offset > keeps->source.bytes || bytes > keeps->source.bytes - offset) {
    throw BindingError{"hearth addon: a weight lies beyond its source"};
  }
  job.data = keeps->source.data + offset;
  Pool& pool = *keeps->pool;
  auto task = std::make_shared<Transposition>(pool.kernels, pool.threads.threads(), job);
  const Courier::Started started = pool.courier.start(env, keeps);
  started.delivery->result = [task](napi_env called) {
    const std::shared_ptr<Buffer> out = task->result();
    napi_value result = nullptr;
    check(called, napi_create_object(called, &result), "an object");
    set_property(called, result, "data",
                 make_typed_array(called, napi_uint8_array, out->bytes(),
                                  OwnedMemory{out->data(), out->bytes(), out}));
    set_property(called, result, "handle",
                 make_external(called, std::make_unique<BufferHandle>(BufferHandle{out})));
    return result;
  };
  task->on_finished(Courier::finisher(pool.courier, started.delivery));
  pool.threads.submit(task);
  return started.promise;
}

}  // namespace hearth
