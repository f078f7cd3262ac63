// createPool, disposePool, openFile, moveToHugePages, bytesToMove, closeFile: the pools and files that
// executables use.
#include <utility>

#include "handles.h"

namespace hearth {

namespace {

// After this hook Node destroys the threadsafe function, and then JavaScript's memory: no pool
// thread may be left to use them.
void end_environment(void* context) {
  Pool& pool = *static_cast<Pool*>(context);
  pool.threads.stop();
  pool.environment->open = false;
}

}  // namespace

Pool::Pool(napi_env env, uint32_t thread_count, const Kernels& kernels)
    : env(env),
      environment(std::make_shared<EnvironmentState>()),
      kernels(kernels),
      courier(env),
      threads(thread_count) {
  napi_add_env_cleanup_hook(env, end_environment, this);
}

Pool::~Pool() {
  if (environment->open) napi_remove_env_cleanup_hook(env, end_environment, this);
  threads.stop();
}

const std::shared_ptr<Pool>& pool_of(napi_env env, napi_value handle) {
  const std::shared_ptr<Pool>& pool = external_of<PoolHandle>(env, handle).pool;
  if (pool == nullptr) throw BindingError{"the CPU backend is closed"};
  return pool;
}

Source source_of(napi_env env, napi_value value, Pins& pins) {
  if (is_external_of<BufferHandle>(env, value)) {
    const std::shared_ptr<Buffer>& buffer = external_of<BufferHandle>(env, value).buffer;
    return Source{buffer->data(), buffer->bytes(), buffer, nullptr};
  }
  if (type_of(env, value) == napi_external) {
    const std::shared_ptr<MappedFile>& file = external_of<FileHandle>(env, value).file;
    if (file == nullptr) throw BindingError{"hearth addon: a closed file"};
    return Source{file->data(), file->bytes(), file, file};
  }
  const View view = view_of(env, value);
  pins.add(value);
  return Source{static_cast<const uint8_t*>(view.data), view.bytes, nullptr, nullptr};
}

// createPool(threads, instruction set or undefined, are inputs exact) → { handle, kernels, threads }, or undefined
// for an unknown set. There are fewer threads than asked for where the system gives no more.
napi_value create_pool(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const uint32_t threads = index_of(env, values[0]);
  if (threads == 0 || threads > 1024) throw BindingError{"hearth addon: a bad number of threads"};
  const bool forced = type_of(env, values[1]) == napi_string;
  const Inputs inputs = number_of(env, values[2]) != 0 ? Inputs::kExact : Inputs::kRounded;
  const std::string name = forced ? string_of(env, values[1]) : std::string();
  const Kernels* kernels = select_kernels(forced ? name.c_str() : nullptr, inputs);
  if (kernels == nullptr) return nullptr;
  auto handle = std::make_unique<PoolHandle>();
  handle->pool = std::make_shared<Pool>(env, threads, *kernels);
  const uint32_t handle_threads = handle->pool->threads.threads();
  napi_value result = nullptr;
  check(env, napi_create_object(env, &result), "an object");
  set_property(env, result, "handle", make_external(env, std::move(handle)));
  set_property(env, result, "kernels", make_string(env, kernels->name));
  set_property(env, result, "threads", make_number(env, handle_threads));
  return result;
}

napi_value dispose_pool(napi_env env, napi_callback_info info) {
  external_of<PoolHandle>(env, arguments(env, info, 1)[0]).pool.reset();
  return nullptr;
}

// openFile(path, is mapped, is locked) → { handle, bytes, lockError? }, or a string with the reason
// of the failure. A file whose pages the system does not lock is opened all the same.
napi_value open_file(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const FileAccess access = number_of(env, values[1]) != 0 ? FileAccess::kMap : FileAccess::kRead;
  std::string error;
  auto handle = std::make_unique<FileHandle>();
  handle->file = MappedFile::open(string_of(env, values[0]), access, error);
  if (handle->file == nullptr) return make_string(env, error);
  napi_value result = nullptr;
  check(env, napi_create_object(env, &result), "an object");
  const double bytes = static_cast<double>(handle->file->bytes());
  if (number_of(env, values[2]) != 0 && !handle->file->lock(error)) {
    set_property(env, result, "lockError", make_string(env, error));
  }
  set_property(env, result, "handle", make_external(env, std::move(handle)));
  set_property(env, result, "bytes", make_number(env, bytes));
  return result;
}

// moveToHugePages(file, begin and end of each stretch, is at once) → how many bytes will be moved
napi_value move_to_huge_pages(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const std::shared_ptr<MappedFile>& file = external_of<FileHandle>(env, values[0]).file;
  if (file == nullptr) throw BindingError{"hearth addon: a closed file"};
  const std::vector<double> ends = numbers_of(env, values[1]);
  std::vector<Stretch> stretches;
  for (size_t i = 0; i + 1 < ends.size(); i += 2) {
    const auto begin = static_cast<size_t>(ends[i]);
    const auto end = static_cast<size_t>(ends[i + 1]);
    if (begin > end || end > file->bytes()) throw BindingError{"hearth addon: a bad stretch"};
    stretches.push_back(Stretch{begin, end});
  }
  const MovePace pace = number_of(env, values[2]) != 0 ? MovePace::kAtOnce : MovePace::kBackground;
  return make_number(env,
                     static_cast<double>(file->move_to_huge_pages(std::move(stretches), pace)));
}

// bytesToMove(file) → how many of them are left
napi_value bytes_to_move(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 1);
  const std::shared_ptr<MappedFile>& file = external_of<FileHandle>(env, values[0]).file;
  return make_number(env, file == nullptr ? 0 : static_cast<double>(file->bytes_to_move()));
}

napi_value close_file(napi_env env, napi_callback_info info) {
  external_of<FileHandle>(env, arguments(env, info, 1)[0]).file.reset();
  return nullptr;
}

}  // namespace hearth
