// moveState: what a layer remembers, between its memory and the host's bytes.
#include <utility>

#include "handles.h"

namespace hearth {

namespace {

// What a move needs until its promise is settled.
struct Moving {
  std::shared_ptr<Prepared> prepared;
  Pins pins;
};

constexpr double kOfState = 2;

}  // namespace

// moveState(executable, [0 keys, 1 values, 2 a state; layer, place, first, count, 1 to the host],
// bytes) → Promise<void>
napi_value move_state(napi_env env, napi_callback_info info) {
  const auto values = arguments(env, info, 3);
  const std::shared_ptr<Prepared> prepared = prepared_of(env, values[0]);
  const std::vector<double> numbers = numbers_of(env, values[1]);
  if (numbers.size() != 6) throw BindingError{"hearth addon: moveState takes six numbers"};
  const View view = view_of(env, values[2]);
  const auto layer = static_cast<uint32_t>(numbers[1]);
  const bool is_state = numbers[0] == kOfState;
  KvMove move;
  move.are_values = numbers[0] == 1;
  move.place = static_cast<uint32_t>(numbers[2]);
  move.first = static_cast<uint32_t>(numbers[3]);
  move.count = static_cast<uint32_t>(numbers[4]);
  move.to_host = numbers[5] == 1;
  move.bytes = static_cast<uint8_t*>(view.data);
  const Executable& executable = *prepared->executable;
  const KvLayer& own = executable.cache.layer(layer);
  const RecurrentShape& state = executable.states.shape(layer);
  const size_t places = is_state ? state.states : own.shape().places;
  const size_t bytes = is_state ? state.floats() * sizeof(float) : own.move_bytes(move);
  if (move.place >= places || view.bytes != bytes) {
    throw BindingError{"hearth addon: a state of another size"};
  }
  auto keeps = std::make_shared<Moving>(Moving{prepared, Pins(*prepared->pool)});
  keeps->pins.add(values[2]);
  Courier& courier = prepared->pool->courier;
  const Courier::Started started = courier.start(env, keeps);
  auto finished = Courier::finisher(courier, started.delivery);
  auto task = is_state ? move_state_task(prepared->executable, layer, move, std::move(finished))
                       : move_cells_task(prepared->executable, layer, move, std::move(finished));
  prepared->pool->threads.submit(std::move(task));
  return started.promise;
}

}  // namespace hearth
