// The addon's exports. Safe to load in several contexts (worker threads) of one process: it has no
// state of its own.
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "handles.h"

namespace hearth {

namespace {

template <Function function>
napi_value entry(napi_env env, napi_callback_info info) {
  return guarded(env, info, function);
}

template <Function function>
void add(napi_env env, napi_value exports, const char* name) {
  napi_value value = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, entry<function>, nullptr, &value) ==
      napi_ok) {
    napi_set_named_property(env, exports, name, value);
  }
}

// Keeps the addon in memory: a file is unmapped on a detached thread, which may still run when the
// last worker thread has unloaded the addon.
void stay_loaded() {
  const void* inside = reinterpret_cast<const void*>(&stay_loaded);
#if defined(_WIN32)
  HMODULE self = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     static_cast<LPCWSTR>(inside), &self);
#else
  Dl_info self;
  if (dladdr(inside, &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
#endif
}

}  // namespace

}  // namespace hearth

NAPI_MODULE_INIT() {
  using namespace hearth;
  stay_loaded();
  add<create_pool>(env, exports, "createPool");
  add<dispose_pool>(env, exports, "disposePool");
  add<open_file>(env, exports, "openFile");
  add<move_to_huge_pages>(env, exports, "moveToHugePages");
  add<bytes_to_move>(env, exports, "bytesToMove");
  add<close_file>(env, exports, "closeFile");
  add<prepare>(env, exports, "prepare");
  add<stream_weights>(env, exports, "streamWeights");
  add<dispose_executable>(env, exports, "disposeExecutable");
  add<run>(env, exports, "run");
  add<write_slot>(env, exports, "write");
  add<copy_sequence>(env, exports, "copySequence");
  add<copy_state>(env, exports, "copyState");
  add<move_state>(env, exports, "moveState");
  add<replace_subset>(env, exports, "replaceSubset");
  add<ffn_counts>(env, exports, "ffnCounts");
  add<channel_counts>(env, exports, "channelCounts");
  add<neuron_counts>(env, exports, "neuronCounts");
  add<active_sets>(env, exports, "activeSets");
  add<machine>(env, exports, "machine");
  add<measure_read>(env, exports, "measureRead");
  add<transpose_weight>(env, exports, "transposeWeight");
  add<sgemm>(env, exports, "sgemm");
  add<pack_rows>(env, exports, "packRows");
  add<quantise>(env, exports, "quantise");
  add<list_graphics_cards>(env, exports, "graphicsCards");
  add<quietly>(env, exports, "quietly");
  return exports;
}
