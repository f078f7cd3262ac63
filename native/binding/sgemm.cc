// sgemm: the matrix product of training, on the pool's threads.
#include "../runtime/sgemm.h"

#include "handles.h"

namespace hearth {

namespace {

// What a product needs until its promise is settled.
struct Multiplying {
  std::shared_ptr<Pool> pool;
  Pins pins;
};

float* floats_of(napi_env env, napi_value array, size_t count, Pins& pins) {
  const View view = view_of(env, array);
  if (view.length < count || view.bytes < count * sizeof(float)) {
    throw BindingError{"hearth addon: a matrix is too short for its shape"};
  }
  pins.add(array);
  return static_cast<float*>(view.data);
}

}  // namespace

// sgemm(pool, a, a is transposed, b, b is transposed, c, [rows, columns, depth, alpha, beta]) →
// Promise<void>
napi_value sgemm(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 7);
  auto keeps = std::make_shared<Multiplying>(
      Multiplying{pool_of(env, values[0]), Pins(*pool_of(env, values[0]))});
  const std::vector<double> numbers = numbers_of(env, values[6]);
  if (numbers.size() != 5) throw BindingError{"hearth addon: sgemm takes five numbers"};
  SgemmJob job;
  job.rows = static_cast<size_t>(numbers[0]);
  job.columns = static_cast<size_t>(numbers[1]);
  job.depth = static_cast<size_t>(numbers[2]);
  job.alpha = static_cast<float>(numbers[3]);
  job.beta = static_cast<float>(numbers[4]);
  job.a = {floats_of(env, values[1], job.rows * job.depth, keeps->pins),
           number_of(env, values[2]) != 0};
  job.b = {floats_of(env, values[3], job.depth * job.columns, keeps->pins),
           number_of(env, values[4]) != 0};
  job.c = floats_of(env, values[5], job.rows * job.columns, keeps->pins);
  Pool& pool = *keeps->pool;
  auto task = std::make_shared<Sgemm>(pool.kernels, pool.threads.threads(), job);
  const Courier::Started started = pool.courier.start(env, keeps);
  task->on_finished(Courier::finisher(pool.courier, started.delivery));
  pool.threads.submit(task);
  return started.promise;
}

}  // namespace hearth
