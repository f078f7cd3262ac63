// Converts between JavaScript values and C++ ones. TypeScript passes clean values: a failure here
// is a bug of ours and throws an Error that names the argument. Only native/binding includes
// node_api.h.
#pragma once

#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#include <node_api.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hearth {

// Ends the C++ call: a JavaScript exception is pending already, or `message` becomes one.
struct BindingError {
  std::string message;
};

// @throws BindingError when the status is not ok.
void check(napi_env env, napi_status status, const char* what);

// The arguments of a call; missing ones are undefined.
std::vector<napi_value> arguments(napi_env env, napi_callback_info info, size_t count);

// Bytes of a typed array where they lie.
struct View {
  void* data = nullptr;
  size_t bytes = 0;
  size_t length = 0;
};
View view_of(napi_env env, napi_value typed_array);

double number_of(napi_env env, napi_value value);
uint32_t index_of(napi_env env, napi_value value);
std::string string_of(napi_env env, napi_value value);
std::vector<double> numbers_of(napi_env env, napi_value float64_array);
std::vector<napi_value> elements_of(napi_env env, napi_value array);
napi_value property(napi_env env, napi_value object, const char* name);
napi_valuetype type_of(napi_env env, napi_value value);

napi_value make_number(napi_env env, double value);
napi_value make_string(napi_env env, const std::string& value);
napi_value make_numbers(napi_env env, const std::vector<double>& values);
void set_property(napi_env env, napi_value object, const char* name, napi_value value);

// A typed array over memory that `owner` keeps alive until JavaScript has collected the array. The
// same memory must not be passed twice.
struct OwnedMemory {
  void* data;
  size_t bytes;
  std::shared_ptr<const void> owner;
};
napi_value make_typed_array(napi_env env, napi_typedarray_type type, size_t length,
                            OwnedMemory memory);

using Function = napi_value (*)(napi_env, napi_callback_info);
// Turns C++ exceptions into JavaScript ones.
napi_value guarded(napi_env env, napi_callback_info info, Function function);

// An external that owns a T; T::kTag distinguishes externals of different types.
template <typename T>
napi_value make_external(napi_env env, std::unique_ptr<T> value) {
  napi_value external = nullptr;
  T* raw = value.release();
  const napi_status status = napi_create_external(
      env, raw, [](napi_env, void* data, void*) { delete static_cast<T*>(data); }, nullptr,
      &external);
  if (status != napi_ok) delete raw;
  check(env, status, "an external");
  check(env, napi_type_tag_object(env, external, &T::kTag), "a type tag");
  return external;
}

template <typename T>
bool is_external_of(napi_env env, napi_value value) {
  bool matches = false;
  return type_of(env, value) == napi_external &&
         napi_check_object_type_tag(env, value, &T::kTag, &matches) == napi_ok && matches;
}

template <typename T>
T& external_of(napi_env env, napi_value value) {
  bool matches = false;
  check(env, napi_check_object_type_tag(env, value, &T::kTag, &matches), "a handle");
  if (!matches) throw BindingError{"a handle of another kind"};
  void* data = nullptr;
  check(env, napi_get_value_external(env, value, &data), "a handle");
  return *static_cast<T*>(data);
}

}  // namespace hearth
