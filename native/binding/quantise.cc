// quantise: blocks of one weight type into blocks of another, on the pool's threads.
#include "../runtime/quantise.h"

#include "handles.h"

namespace hearth {

namespace {

// What a conversion needs until its promise is settled.
struct Quantising {
  std::shared_ptr<Pool> pool;
  Pins pins;
};

}  // namespace

// quantise(pool, source, target, importance or undefined, [type, target type, elements, columns,
// first column, limit]) → Promise<the first element whose magnitude reaches the limit; elements without one>
napi_value quantise(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 5);
  auto keeps = std::make_shared<Quantising>(
      Quantising{pool_of(env, values[0]), Pins(*pool_of(env, values[0]))});
  const std::vector<double> numbers = numbers_of(env, values[4]);
  if (numbers.size() != 6) throw BindingError{"hearth addon: quantise takes six numbers"};
  const View source = view_of(env, values[1]);
  const View target = view_of(env, values[2]);
  QuantiseJob job;
  job.type = static_cast<WeightType>(static_cast<uint32_t>(numbers[0]));
  job.target = static_cast<WeightType>(static_cast<uint32_t>(numbers[1]));
  job.elements = static_cast<size_t>(numbers[2]);
  job.columns = static_cast<size_t>(numbers[3]);
  job.first_column = static_cast<size_t>(numbers[4]);
  job.limit = static_cast<float>(numbers[5]);
  Pool& pool = *keeps->pool;
  const WeightKernels* to = weight_kernels(&pool.kernels, static_cast<uint32_t>(job.target));
  if (weight_kernels(&pool.kernels, static_cast<uint32_t>(job.type)) == nullptr || to == nullptr ||
      to->quantise_row == nullptr) {
    throw BindingError{"hearth addon: a type that cannot be read or written"};
  }
  if (row_bytes(job.type, job.elements) > source.bytes ||
      row_bytes(job.target, job.elements) > target.bytes) {
    throw BindingError{"hearth addon: an array is too short for its elements"};
  }
  if (type_of(env, values[3]) != napi_undefined) {
    const View importance = view_of(env, values[3]);
    if (job.columns == 0 || importance.length < job.columns) {
      throw BindingError{"hearth addon: an importance is missing for some columns"};
    }
    job.importance = static_cast<const float*>(importance.data);
    keeps->pins.add(values[3]);
  }
  keeps->pins.add(values[1]);
  keeps->pins.add(values[2]);
  job.source = static_cast<const uint8_t*>(source.data);
  job.out = static_cast<uint8_t*>(target.data);
  auto task = std::make_shared<Quantisation>(pool.kernels, pool.threads.threads(), job);
  const Courier::Started started = pool.courier.start(env, keeps);
  started.delivery->result = [task](napi_env at) {
    return make_number(at, static_cast<double>(task->first_refused()));
  };
  task->on_finished(Courier::finisher(pool.courier, started.delivery));
  pool.threads.submit(task);
  return started.promise;
}

}  // namespace hearth
