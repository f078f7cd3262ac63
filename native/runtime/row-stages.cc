// See row-stages.h.
#include "row-stages.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "independent.h"

namespace hearth {

namespace {

class EmbedStage final : public RowStage {
 public:
  EmbedStage(const Kernels& kernels, EmbedOp op)
      : RowStage(op.out, op.out.width), vector_(kernels.vector), op_(op) {}

 protected:
  void run_rows(const Step& step, uint32_t begin, uint32_t end) override {
    const size_t width = op_.out.width;
    for (uint32_t row = begin; row < end; row++) {
      float* out = op_.out.row(row);
      op_.table.kernels->dequantise_row(op_.table.row(step.token[row]), width, out);
      if (op_.scale != 1.0f) vector_.scale(op_.scale, width, out);
      const Weight& positions = op_.positions;
      if (positions.kernels == nullptr) continue;
      const uint32_t index = step.position[row] + op_.position_offset;
      const float one = 1;
      positions.kernels->axpy(positions.matrix, RowList{&index, 1}, &one, Range{0, width}, out);
    }
  }

 private:
  const VectorKernels& vector_;
  EmbedOp op_;
};

class NormStage final : public RowStage {
 public:
  NormStage(const Kernels& kernels, NormOp op)
      : RowStage(op.x, op.x.width),
        norm_(op.rms ? kernels.vector.rms_norm : kernels.vector.layer_norm),
        op_(op) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    const size_t width = op_.x.width / op_.groups;
    for (size_t part = static_cast<size_t>(begin) * op_.groups;
         part < static_cast<size_t>(end) * op_.groups; part++) {
      norm_(NormTask{op_.x.data + part * width, op_.weight, op_.bias, op_.epsilon,
                     op_.out.data + part * width, width});
    }
  }

 private:
  void (*norm_)(const NormTask&);
  NormOp op_;
};

class RopeAnglesStage final : public RowStage {
 public:
  // A sine costs about as much as 16 floats of an elementwise pass.
  RopeAnglesStage(const Slot& x, const RopeTable* table)
      : RowStage(x, table->frequencies.size() * 16), table_(table) {}

 protected:
  void run_rows(const Step& step, uint32_t begin, uint32_t end) override {
    const size_t pairs = table_->frequencies.size();
    for (uint32_t row = begin; row < end; row++) {
      rope_angles(
          RopeAngles{step.position[row], table_->frequencies.data(), pairs, table_->magnitude},
          table_->cosine + row * pairs, table_->sine + row * pairs);
    }
  }

 private:
  const RopeTable* table_;
};

class RopeStage final : public RowStage {
 public:
  RopeStage(const Kernels& kernels, RopeOp op)
      : RowStage(op.x, op.x.width), vector_(kernels.vector), op_(op) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    const size_t pairs = op_.table->frequencies.size();
    for (uint32_t row = begin; row < end; row++) {
      vector_.rope(RopeTask{op_.x.row(row), op_.heads, op_.x.width / op_.heads, pairs,
                            op_.table->cosine + row * pairs, op_.table->sine + row * pairs,
                            op_.pairing});
    }
  }

 private:
  const VectorKernels& vector_;
  RopeOp op_;
};

class StoreKvStage final : public RowStage {
 public:
  StoreKvStage(const KvLayer& layer, Slot k, Slot v)
      : RowStage(k, k.width + v.width), layer_(layer), k_(k), v_(v) {}

 protected:
  void run_rows(const Step& step, uint32_t begin, uint32_t end) override {
    for (uint32_t row = begin; row < end; row++) {
      layer_.store(KvPlace{step.sequence[row], step.position[row]}, k_.row(row), v_.row(row));
    }
  }

 private:
  const KvLayer& layer_;
  Slot k_;
  Slot v_;
};

class ActivateStage final : public RowStage {
 public:
  ActivateStage(const Kernels& kernels, ActivateOp op)
      : RowStage(op.up, op.up.width), vector_(kernels.vector), op_(op) {
    if (op.gate != nullptr) gate_ = *op.gate;
  }

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    const size_t width = op_.up.width;
    vector_.activate(ActivateTask{op_.gating, op_.activation, op_.threshold,
                                  op_.gate == nullptr ? nullptr : gate_.row(begin),
                                  op_.up.row(begin), op_.out.row(begin), (end - begin) * width});
  }

 private:
  const VectorKernels& vector_;
  ActivateOp op_;
  Slot gate_;
};

// Base of the stages that read x and write out, with nothing else to them.
class MoveStage : public RowStage {
 protected:
  MoveStage(Slot x, Slot out, const Slot& rows_of)
      : RowStage(rows_of, rows_of.width), x_(x), out_(out) {}

  Slot x_;
  Slot out_;
};

class AddStage final : public MoveStage {
 public:
  AddStage(const Kernels& kernels, Slot x, Slot out, float factor)
      : MoveStage(x, out, x), add_(kernels.vector.add), factor_(factor) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    const size_t count = static_cast<size_t>(end - begin) * x_.width;
    const float* x = x_.row(begin);
    float* out = out_.row(begin);
    if (factor_ == 1) return add_(x, count, out);
    HEARTH_INDEPENDENT_STEPS
    for (size_t i = 0; i < count; i++) out[i] += factor_ * x[i];
  }

 private:
  void (*add_)(const float*, size_t, float*);
  float factor_;
};

class ScaleStage final : public RowStage {
 public:
  ScaleStage(const Kernels& kernels, ScaleOp op)
      : RowStage(op.x, op.x.width), vector_(kernels.vector), op_(op) {}

 protected:
  void run_rows(const Step& step, uint32_t begin, uint32_t end) override {
    const size_t width = op_.x.width;
    for (uint32_t row = begin; row < end; row++) {
      const float* x = op_.x.row(row);
      float* out = op_.out.row(row);
      if (out != x) std::memcpy(out, x, width * sizeof(float));
      const float place = op_.factors == nullptr ? 1 : op_.factors[step.position[row] / op_.length];
      vector_.scale(op_.factor * place, width, out);
      if (op_.cap != 0) vector_.soft_cap(op_.cap, width, out);
    }
  }

 private:
  const VectorKernels& vector_;
  ScaleOp op_;
};

class CopyStage final : public MoveStage {
 public:
  CopyStage(Slot x, Slot out) : MoveStage(x, out, x) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    const size_t floats = static_cast<size_t>(end - begin) * x_.width;
    std::memcpy(out_.row(begin), x_.row(begin), floats * sizeof(float));
  }
};

class PartStage final : public RowStage {
 public:
  explicit PartStage(PartOp op) : RowStage(op.out, op.out.width), op_(op) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    const size_t from = op_.x.width / op_.groups;
    const size_t size = op_.out.width / op_.groups;
    for (size_t group = static_cast<size_t>(begin) * op_.groups;
         group < static_cast<size_t>(end) * op_.groups; group++) {
      std::memcpy(op_.out.data + group * size, op_.x.data + group * from + op_.first,
                  size * sizeof(float));
    }
  }

 private:
  PartOp op_;
};

class SelectStage final : public MoveStage {
 public:
  SelectStage(Slot x, Slot out) : MoveStage(x, out, out) {}

 protected:
  void run_rows(const Step& step, uint32_t begin, uint32_t end) override {
    for (uint32_t row = begin; row < end; row++) {
      std::memcpy(out_.row(row), x_.row(step.output_row[row]), out_.width * sizeof(float));
    }
  }
};

class ArgmaxStage final : public MoveStage {
 public:
  ArgmaxStage(const Kernels& kernels, Slot x, Slot out)
      : MoveStage(x, out, x), argmax_(kernels.vector.argmax) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    for (uint32_t row = begin; row < end; row++) {
      *out_.row(row) = best_of(x_.row(row));
    }
  }

 private:
  // -1 if a value is NaN or the largest is infinite: a model that computes these has no best token.
  float best_of(const float* x) const {
    uint32_t nans = 0;
    for (uint32_t i = 0; i < x_.width; ++i) nans |= static_cast<uint32_t>(x[i] != x[i]);
    if (nans != 0) return -1;
    const uint32_t best = argmax_(x, x_.width);
    return std::isfinite(x[best]) ? static_cast<float>(best) : -1;
  }

  uint32_t (*argmax_)(const float*, size_t);
};

class PrepareStage final : public RowStage {
 public:
  PrepareStage(const Weight& reader, PreparedX prepared)
      : RowStage(prepared.slot, prepared.slot.width),
        prepare_x_(reader.kernels->prepare_x),
        prepared_(prepared) {}

 protected:
  void run_rows(const Step&, uint32_t begin, uint32_t end) override {
    for (uint32_t row = begin; row < end; row++) {
      prepare_x_(prepared_.slot.row(row), prepared_.slot.width,
                 prepared_.data + row * prepared_.row_bytes);
    }
  }

 private:
  void (*prepare_x_)(const float*, size_t, void*);
  PreparedX prepared_;
};

}  // namespace

std::unique_ptr<Stage> make_embed(const Kernels& kernels, EmbedOp op) {
  return std::make_unique<EmbedStage>(kernels, op);
}
std::unique_ptr<Stage> make_norm(const Kernels& kernels, NormOp op) {
  return std::make_unique<NormStage>(kernels, op);
}
std::unique_ptr<Stage> make_rope_angles(const Slot& x, const RopeTable* table) {
  return std::make_unique<RopeAnglesStage>(x, table);
}
std::unique_ptr<Stage> make_rope(const Kernels& kernels, RopeOp op) {
  return std::make_unique<RopeStage>(kernels, op);
}
std::unique_ptr<Stage> make_store_kv(const KvLayer& layer, Slot k, Slot v) {
  return std::make_unique<StoreKvStage>(layer, k, v);
}
std::unique_ptr<Stage> make_activate(const Kernels& kernels, ActivateOp op) {
  return std::make_unique<ActivateStage>(kernels, op);
}
std::unique_ptr<Stage> make_add(const Kernels& kernels, Slot x, Slot out, float factor) {
  return std::make_unique<AddStage>(kernels, x, out, factor);
}
std::unique_ptr<Stage> make_scale(const Kernels& kernels, ScaleOp op) {
  return std::make_unique<ScaleStage>(kernels, op);
}
std::unique_ptr<Stage> make_copy(Slot x, Slot out) { return std::make_unique<CopyStage>(x, out); }
std::unique_ptr<Stage> make_part(PartOp op) { return std::make_unique<PartStage>(op); }
std::unique_ptr<Stage> make_select(Slot x, Slot out) {
  return std::make_unique<SelectStage>(x, out);
}
std::unique_ptr<Stage> make_argmax(const Kernels& kernels, Slot x, Slot out) {
  return std::make_unique<ArgmaxStage>(kernels, x, out);
}
std::unique_ptr<Stage> make_prepare(const Weight& reader, PreparedX prepared) {
  return std::make_unique<PrepareStage>(reader, prepared);
}

}  // namespace hearth
