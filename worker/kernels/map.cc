#include "worker/kernels/map.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace curia {
namespace {

// Elements computed at a time: operands that have to be spread out first, and results on their way
// round the cache, stay in the first-level cache.
constexpr std::int64_t kBlock = 2048;
// Less where the result goes round the cache, to alternate between loading and storing more often.
constexpr std::int64_t kStreamBlock = 256;

// Outputs from here on are written round the cache: a line that is stored is not read before, and
// what is in the cache stays. Half the last level, since others share it, but at most 32 MiB: the
// last level of a large machine is shared by dozens of cores.
std::int64_t stream_from() {
  static const std::int64_t bytes = [] {
    const std::int64_t last = sysconf(_SC_LEVEL3_CACHE_SIZE);
    const std::int64_t most = std::int64_t{32} << 20;
    return last > 0 ? std::clamp(last / 2, std::int64_t{4} << 20, most) : most;
  }();
  return bytes;
}

// One operand's view of the result's elements, in their order. Dimensions that behave alike are
// merged, so that most operands come out as one of the first three.
class Reader {
 public:
  Reader(const Tensor& tensor, const Shape& result, std::int64_t elements)
      : data_(tensor.data.data), width_(dtype_bytes(tensor.dtype)) {
    merge(tensor.shape, result);
    if (dims_.empty() || (dims_.size() == 1 && dims_[0].varies)) {
      direct_ = !dims_.empty();
      if (!direct_) tile(1, elements);
    } else if (dims_.size() == 1) {
      tile(1, elements);
    } else if (dims_.size() == 2 && !dims_[0].varies && dims_[1].extent <= kBlock) {
      tile(dims_[1].extent, elements);
    }
  }

  bool needs_scratch() const { return !direct_ && tile_ == nullptr; }

  // Elements begin..begin+n of the result as this operand has them; `scratch` holds kBlock.
  const std::uint8_t* at(std::int64_t begin, std::int64_t n, std::uint8_t* scratch) const {
    if (direct_) return data_ + begin * width_;
    if (tile_ != nullptr) return tile_->data() + begin % period_ * width_;
    switch (width_) {
      case 1:
        spread<std::uint8_t>(begin, n, scratch);
        break;
      case 2:
        spread<std::uint16_t>(begin, n, scratch);
        break;
      case 4:
        spread<std::uint32_t>(begin, n, scratch);
        break;
      default:
        spread<std::uint64_t>(begin, n, scratch);
        break;
    }
    return scratch;
  }

 private:
  struct Dim {
    std::int64_t extent;
    bool varies;          // false: the operand has 1 here and is repeated
    std::int64_t stride;  // in elements; 0 where it does not vary
  };

  void merge(const Shape& own, const Shape& result) {
    const std::size_t lead = result.size() - own.size();
    for (std::size_t i = 0; i < result.size(); ++i) {
      if (result[i] == 1) continue;
      const bool varies = i >= lead && own[i - lead] != 1;
      if (!dims_.empty() && dims_.back().varies == varies) {
        dims_.back().extent *= result[i];
      } else {
        dims_.push_back({result[i], varies, 0});
      }
    }
    std::int64_t stride = 1;
    for (std::size_t i = dims_.size(); i-- > 0;) {
      if (!dims_[i].varies) continue;
      dims_[i].stride = stride;
      stride *= dims_[i].extent;
    }
  }

  // Repeats the first `period` elements until any kBlock of them in a row can be pointed at.
  void tile(std::int64_t period, std::int64_t elements) {
    period_ = period;
    const std::int64_t length = std::min(period + kBlock, elements);
    tile_ = Buffer::allocate(length * width_);
    std::uint8_t* out = tile_->data();
    for (std::int64_t done = 0; done < length;) {
      const std::int64_t piece = std::min(done == 0 ? period : done, length - done);
      std::memcpy(out + done * width_, done == 0 ? data_ : out,
                  static_cast<std::size_t>(piece * width_));
      done += piece;
    }
  }

  template <class T>
  void spread(std::int64_t begin, std::int64_t n, std::uint8_t* scratch) const {
    std::array<std::int64_t, kMaxRank> at{};
    std::int64_t rest = begin;
    std::int64_t source = 0;
    for (std::size_t i = dims_.size(); i-- > 0;) {
      at[i] = rest % dims_[i].extent;
      rest /= dims_[i].extent;
      source += at[i] * dims_[i].stride;
    }
    const std::size_t last = dims_.size() - 1;
    const T* from = reinterpret_cast<const T*>(data_);
    T* to = reinterpret_cast<T*>(scratch);
    while (n > 0) {
      const std::int64_t run = std::min(dims_[last].extent - at[last], n);
      if (dims_[last].varies) {
        std::copy_n(from + source, run, to);
        source += run;
      } else {
        std::fill_n(to, run, from[source]);
      }
      to += run;
      n -= run;
      at[last] += run;
      for (std::size_t i = last; i > 0 && at[i] == dims_[i].extent; --i) {
        source -= at[i] * dims_[i].stride;
        at[i] = 0;
        ++at[i - 1];
        source += dims_[i - 1].stride;
      }
    }
  }

  const std::uint8_t* data_;
  std::int64_t width_;
  std::vector<Dim> dims_;
  bool direct_ = false;
  std::shared_ptr<Buffer> tile_;
  std::int64_t period_ = 1;
};

std::string mismatch(const Shape& a, const Shape& b) {
  return "expected shapes that broadcast, found " +
         type_text(TensorType{DType::kF64, a}).substr(3) + " and " +
         type_text(TensorType{DType::kF64, b}).substr(3);
}

}  // namespace

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const std::size_t lead = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& extent = result[lead + i];
    if (extent == shorter[i] || shorter[i] == 1) continue;
    if (extent != 1) throw Error(Code::kInvalid, mismatch(a, b));
    extent = shorter[i];
  }
  return result;
}

Tensor map(const KernelContext& ctx, std::initializer_list<const Tensor*> operands, DType result,
           Loop loop, std::int64_t cost) {
  expect(operands.size() >= 1 && operands.size() <= kMaxMapOperands, "too many operands for a map");
  Shape shape = (*operands.begin())->shape;
  for (const Tensor* operand : operands) shape = broadcast_shapes(shape, operand->shape);
  Output out(result, std::move(shape));
  if (out.elements == 0) return std::move(out).finish();

  std::array<std::optional<Reader>, kMaxMapOperands> readers;
  std::size_t count = 0;
  bool spread = false;
  for (const Tensor* operand : operands) {
    readers[count].emplace(*operand, out.shape, out.elements);
    spread = spread || readers[count]->needs_scratch();
    ++count;
  }
  const std::int64_t width = dtype_bytes(result);
  const bool stream = out.elements * width >= stream_from();
  const std::int64_t grain =
      std::max<std::int64_t>(kBlock, (std::int64_t{1} << 18) / width / cost / kBlock * kBlock);
  // A tile or scratch holds kBlock; without them the loop may take a whole chunk at once.
  const std::int64_t block = stream ? kStreamBlock : spread || count > 1 ? kBlock : grain;

  ctx.for_chunks(out.elements, grain, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) std::array<std::array<std::uint8_t, kBlock * 8>, kMaxMapOperands> scratch;
    alignas(4096) std::array<std::uint8_t, kStreamBlock * 8> staged;
    for (std::int64_t i = begin; i < end; i += block) {
      const std::int64_t n = std::min(block, end - i);
      std::array<const std::uint8_t*, kMaxMapOperands> in{};
      for (std::size_t k = 0; k < count; ++k) in[k] = readers[k]->at(i, n, scratch[k].data());
      std::uint8_t* to = out.bytes() + i * width;
      loop(in.data(), stream ? staged.data() : to, n);
      if (stream) stream_copy(to, staged.data(), n * width);
    }
    if (stream) stream_end();
  });
  return std::move(out).finish();
}

Tensor broadcast_to(const KernelContext& ctx, const Tensor& x, const Shape& shape) {
  if (broadcast_shapes(x.shape, shape) != shape) {
    throw Error(Code::kInvalid, mismatch(x.shape, shape));
  }
  if (x.shape == shape) return x;
  Output out(x.dtype, shape);
  if (out.elements == 0) return std::move(out).finish();
  if (x.elements() == out.elements) return {x.dtype, shape, x.data};
  const Reader reader(x, out.shape, out.elements);
  const std::int64_t width = dtype_bytes(x.dtype);
  ctx.for_chunks(out.elements, std::int64_t{1} << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += kBlock) {
      const std::int64_t n = std::min(kBlock, end - i);
      std::uint8_t* to = out.bytes() + i * width;
      const std::uint8_t* from = reader.at(i, n, to);
      if (from != to) std::memcpy(to, from, static_cast<std::size_t>(n * width));
    }
  });
  return std::move(out).finish();
}

}  // namespace curia
