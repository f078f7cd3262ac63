// What JavaScript holds: pools, mapped files and executables. All are made and destroyed on its
// thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "../runtime/executable.h"
#include "../system/mapped-file.h"
#include "../system/thread-pool.h"
#include "courier.h"

namespace hearth {

// Whether an environment can still be asked for anything: not once its end has begun. Read and
// written on its JavaScript thread.
struct EnvironmentState {
  bool open = true;
};

// Threads, the kernels that they run, and the way back to JavaScript. Lives while a handle or a
// delivery needs it.
struct Pool {
  // @throws std::system_error when not even one thread can be made.
  Pool(napi_env env, uint32_t threads, const Kernels& kernels);
  ~Pool();

  napi_env env;
  std::shared_ptr<EnvironmentState> environment;
  const Kernels& kernels;
  Courier courier;
  ThreadPool threads;
};

// Typed arrays of JavaScript whose memory we read. Their memory is JavaScript's own: the heap goes
// after the environment's clean-up hooks, one of which joins our threads. An array over memory of
// ours would go before that, so such memory comes as a BufferHandle.
struct Pins {
  explicit Pins(const Pool& pool) : env(pool.env), environment(pool.environment) {}
  ~Pins() {
    // At the end of an environment a delivery may arrive late; its references are gone by then.
    if (environment == nullptr || !environment->open) return;
    for (napi_ref reference : references) napi_delete_reference(env, reference);
  }
  Pins(Pins&& other) noexcept
      : env(other.env),
        environment(std::move(other.environment)),
        references(std::move(other.references)) {
    other.references.clear();
  }
  void add(napi_value array) {
    napi_ref reference = nullptr;
    check(env, napi_create_reference(env, array, 1, &reference), "a reference");
    references.push_back(reference);
  }

  napi_env env;
  std::shared_ptr<EnvironmentState> environment;
  std::vector<napi_ref> references;
};

// An executable, with the pool that runs it and the arrays that it reads.
struct Prepared {
  std::shared_ptr<Pool> pool;
  std::shared_ptr<Executable> executable;
  std::unique_ptr<Pins> pins;
};

struct PoolHandle {
  static constexpr napi_type_tag kTag{0x68656172746800aa, 0x706f6f6c00000001};
  std::shared_ptr<Pool> pool;
};

struct FileHandle {
  static constexpr napi_type_tag kTag{0x68656172746800ab, 0x66696c6500000001};
  std::shared_ptr<MappedFile> file;
};

// Memory of ours that JavaScript sees as an array. Whoever reads it on a thread holds it by this
// handle: Node frees the array's share of it before the threads have stopped.
struct BufferHandle {
  static constexpr napi_type_tag kTag{0x68656172746800ad, 0x6275666600000001};
  std::shared_ptr<Buffer> buffer;
};

struct ExecutableHandle {
  static constexpr napi_type_tag kTag{0x68656172746800ac, 0x6578656300000001};
  std::shared_ptr<Prepared> prepared;
};

// @throws BindingError when it was disposed.
const std::shared_ptr<Pool>& pool_of(napi_env env, napi_value handle);
const std::shared_ptr<Prepared>& prepared_of(napi_env env, napi_value handle);
// The bytes of weights: a mapped file, memory of ours, or a typed array, which is pinned.
Source source_of(napi_env env, napi_value value, Pins& pins);

// The functions of the addon, by file.
napi_value create_pool(napi_env env, napi_callback_info info);
napi_value dispose_pool(napi_env env, napi_callback_info info);
napi_value open_file(napi_env env, napi_callback_info info);
napi_value move_to_huge_pages(napi_env env, napi_callback_info info);
napi_value bytes_to_move(napi_env env, napi_callback_info info);
napi_value close_file(napi_env env, napi_callback_info info);
napi_value prepare(napi_env env, napi_callback_info info);
napi_value stream_weights(napi_env env, napi_callback_info info);
napi_value dispose_executable(napi_env env, napi_callback_info info);
napi_value run(napi_env env, napi_callback_info info);
napi_value write_slot(napi_env env, napi_callback_info info);
napi_value copy_sequence(napi_env env, napi_callback_info info);
napi_value copy_state(napi_env env, napi_callback_info info);
napi_value move_state(napi_env env, napi_callback_info info);
napi_value replace_subset(napi_env env, napi_callback_info info);
napi_value ffn_counts(napi_env env, napi_callback_info info);
napi_value channel_counts(napi_env env, napi_callback_info info);
napi_value neuron_counts(napi_env env, napi_callback_info info);
napi_value active_sets(napi_env env, napi_callback_info info);
napi_value machine(napi_env env, napi_callback_info info);
napi_value measure_read(napi_env env, napi_callback_info info);
napi_value transpose_weight(napi_env env, napi_callback_info info);
napi_value sgemm(napi_env env, napi_callback_info info);
napi_value pack_rows(napi_env env, napi_callback_info info);
napi_value quantise(napi_env env, napi_callback_info info);
napi_value list_graphics_cards(napi_env env, napi_callback_info info);
napi_value quietly(napi_env env, napi_callback_info info);

}  // namespace hearth
