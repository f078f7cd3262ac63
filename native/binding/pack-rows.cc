// packRows: weights brought into the form that a graphics card reads, on the pool's threads.
#include "../runtime/pack-rows.h"

#include <algorithm>
#include <utility>

#include "handles.h"

namespace hearth {

namespace {

// What a packing needs until its promise is settled.
struct Packing {
  std::shared_ptr<Pool> pool;
  Pins pins;
};

constexpr size_t kFixedNumbers = 5;
constexpr size_t kPlaneNumbers = 3;

PackJob job_of(const std::vector<double>& numbers) {
  if (numbers.size() < kFixedNumbers || (numbers.size() - kFixedNumbers) % kPlaneNumbers != 0) {
    throw BindingError{"hearth addon: a bad row layout"};
  }
  PackJob job;
  job.rows = static_cast<size_t>(numbers[0]);
  job.file_bytes = static_cast<size_t>(numbers[1]);
  job.gpu_bytes = static_cast<size_t>(numbers[2]);
  job.blocks = static_cast<size_t>(numbers[3]);
  job.grouping = static_cast<Grouping>(static_cast<int>(numbers[4]));
  for (size_t i = kFixedNumbers; i < numbers.size(); i += kPlaneNumbers) {
    job.planes.push_back(Plane{static_cast<size_t>(numbers[i]), static_cast<size_t>(numbers[i + 1]),
                               static_cast<size_t>(numbers[i + 2])});
  }
  return job;
}

// Whether every byte that the job reads and writes lies in its arrays.
bool fits(const PackJob& job, const View& source, const View& places, const View& target) {
  if (job.blocks == 0 || places.length < job.rows || target.bytes < job.rows * job.gpu_bytes) {
    return false;
  }
  size_t end = 0;
  for (const Plane& plane : job.planes) {
    if (plane.start < end || plane.at + plane.bytes > job.file_bytes / job.blocks) return false;
    end = plane.start + plane.bytes * job.blocks;
  }
  if (end > job.gpu_bytes) return false;
  const auto* first = static_cast<const uint32_t*>(places.data);
  return std::all_of(first, first + job.rows, [&](uint32_t place) {
    return (size_t{place} + 1) * job.file_bytes <= source.bytes;
  });
}

}  // namespace

// packRows(pool, [rows, file bytes, gpu bytes, blocks, grouping, (at, bytes, start)…], source,
// places, target) → Promise<void>
napi_value pack_rows(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 5);
  auto keeps =
      std::make_shared<Packing>(Packing{pool_of(env, values[0]), Pins(*pool_of(env, values[0]))});
  PackJob job = job_of(numbers_of(env, values[1]));
  const View source = view_of(env, values[2]);
  const View places = view_of(env, values[3]);
  const View target = view_of(env, values[4]);
  if (!fits(job, source, places, target)) {
    throw BindingError{"hearth addon: rows and their layout do not fit together"};
  }
  for (size_t i = 2; i < values.size(); i++) keeps->pins.add(values[i]);
  job.source = static_cast<const uint8_t*>(source.data);
  job.places = static_cast<const uint32_t*>(places.data);
  job.target = static_cast<uint8_t*>(target.data);
  Pool& pool = *keeps->pool;
  auto task = std::make_shared<PackRows>(std::move(job));
  const Courier::Started started = pool.courier.start(env, keeps);
  task->on_finished(Courier::finisher(pool.courier, started.delivery));
  pool.threads.submit(task);
  return started.promise;
}

}  // namespace hearth
