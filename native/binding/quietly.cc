// quietly(work): what other libraries wrote to stderr while `work` ran.
#include "../system/quiet-stderr.h"
#include "handles.h"

namespace hearth {

// quietly(work) → text. An exception of `work` passes through.
napi_value quietly(napi_env env, napi_callback_info info) {
  const std::vector<napi_value> given = arguments(env, info, 1);
  napi_value receiver = nullptr;
  check(env, napi_get_undefined(env, &receiver), "undefined");
  QuietStderr quiet;
  napi_value result = nullptr;
  const napi_status status = napi_call_function(env, receiver, given[0], 0, nullptr, &result);
  const std::string text = quiet.finish();
  check(env, status, "work that runs quietly");
  return make_string(env, text);
}

}  // namespace hearth
