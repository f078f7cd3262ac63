// See convert.h.
#include "convert.h"

#include <exception>
#include <new>
#include <utility>

namespace hearth {

void check(napi_env env, napi_status status, const char* what) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  throw BindingError{pending ? std::string() : std::string("hearth addon: bad value for ") + what};
}

std::vector<napi_value> arguments(napi_env env, napi_callback_info info, size_t count) {
  std::vector<napi_value> values(count);
  check(env, napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr), "arguments");
  return values;
}

View view_of(napi_env env, napi_value typed_array) {
  View view;
  napi_typedarray_type type = napi_uint8_array;
  check(
      env,
      napi_get_typedarray_info(env, typed_array, &type, &view.length, &view.data, nullptr, nullptr),
      "a typed array");
  size_t element = 1;
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      break;
    case napi_int16_array:
    case napi_uint16_array:
      element = 2;
      break;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      element = 4;
      break;
    default:
      element = 8;
      break;
  }
  view.bytes = view.length * element;
  return view;
}

double number_of(napi_env env, napi_value value) {
  double number = 0;
  check(env, napi_get_value_double(env, value, &number), "a number");
  return number;
}

uint32_t index_of(napi_env env, napi_value value) {
  const double number = number_of(env, value);
  if (!(number >= 0 && number < 4294967296.0)) throw BindingError{"hearth addon: a bad index"};
  return static_cast<uint32_t>(number);
}

std::string string_of(napi_env env, napi_value value) {
  size_t length = 0;
  check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string");
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, &text[0], length + 1, &length), "a string");
  return text;
}

std::vector<double> numbers_of(napi_env env, napi_value float64_array) {
  const View view = view_of(env, float64_array);
  const auto* first = static_cast<const double*>(view.data);
  return std::vector<double>(first, first + view.bytes / sizeof(double));
}

std::vector<napi_value> elements_of(napi_env env, napi_value array) {
  uint32_t length = 0;
  check(env, napi_get_array_length(env, array, &length), "an array");
  std::vector<napi_value> values(length);
  for (uint32_t i = 0; i < length; i++) {
    check(env, napi_get_element(env, array, i, &values[i]), "an array element");
  }
  return values;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  check(env, napi_get_named_property(env, object, name, &value), name);
  return value;
}

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(env, napi_typeof(env, value, &type), "a value");
  return type;
}

napi_value make_number(napi_env env, double value) {
  napi_value result = nullptr;
  check(env, napi_create_double(env, value, &result), "a number");
  return result;
}

napi_value make_string(napi_env env, const std::string& value) {
  napi_value result = nullptr;
  check(env, napi_create_string_utf8(env, value.data(), value.size(), &result), "a string");
  return result;
}

napi_value make_numbers(napi_env env, const std::vector<double>& values) {
  napi_value result = nullptr;
  check(env, napi_create_array_with_length(env, values.size(), &result), "an array");
  for (size_t i = 0; i < values.size(); i++) {
    const napi_value element = make_number(env, values[i]);
    check(env, napi_set_element(env, result, static_cast<uint32_t>(i), element), "an element");
  }
  return result;
}

void set_property(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value), name);
}

napi_value make_typed_array(napi_env env, napi_typedarray_type type, size_t length,
                            OwnedMemory memory) {
  using Owner = std::shared_ptr<const void>;
  napi_value buffer = nullptr;
  auto* owner = new Owner(std::move(memory.owner));
  const napi_status status = napi_create_external_arraybuffer(
      env, memory.data, memory.bytes,
      [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); }, owner, &buffer);
  if (status != napi_ok) delete owner;
  check(env, status, "external memory");
  napi_value result = nullptr;
  check(env, napi_create_typedarray(env, type, length, buffer, 0, &result), "a typed array");
  return result;
}

napi_value guarded(napi_env env, napi_callback_info info, Function function) {
  try {
    return function(env, info);
  } catch (const BindingError& error) {
    if (!error.message.empty()) napi_throw_error(env, nullptr, error.message.c_str());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ENOMEM", "not enough memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

}  // namespace hearth
