#include "bench/mpc_floor.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "bench/bare.h"
#include "bench/report.h"
#include "protocol/simd.h"
#include "worker/mpc/ring_matmul.h"

namespace curia::bench {
namespace {

using Words = std::uint64_t;

// Touched, so that what is measured does not wait for pages.
std::vector<Words> zeros(std::int64_t words) {
  return std::vector<Words>(static_cast<std::size_t>(words));
}

const Words* words_of(const BufferPtr& buffer) {
  return reinterpret_cast<const Words*>(buffer->data());
}

double median_of_three(const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int i = 0; i < 3; ++i) {
    const Clock clock;
    work();
    seconds.push_back(clock.seconds());
  }
  return median(seconds);
}

}  // namespace

double bare_products(std::int64_t words, bool logic, int times) {
  const BufferPtr a = filled(8 * words), b = filled(8 * words), c = filled(8 * words);
  const BufferPtr d = filled(8 * words);
  std::vector<Words> out = zeros(words);
  const auto body = [](const Words* x0, const Words* x1, const Words* y0, const Words* y1, Words* z,
                       std::int64_t n, bool bits) CURIA_INLINE {
    if (bits) {
      for (std::int64_t j = 0; j < n; ++j) z[j] = (x0[j] & (y0[j] ^ y1[j])) ^ (x1[j] & y0[j]);
    } else {
      for (std::int64_t j = 0; j < n; ++j) z[j] = x0[j] * (y0[j] + y1[j]) + x1[j] * y0[j];
    }
  };
  return median_of_three([&] {
    for (int i = 0; i < times; ++i) {
      with_wide_simd(body, words_of(a), words_of(b), words_of(c), words_of(d), out.data(), words,
                     logic);
    }
  });
}

double bare_ring_matmul(std::int64_t n) {
  const BufferPtr a = filled(8 * n * n), b = filled(8 * n * n);
  std::vector<Words> out = zeros(n * n);
  return median_of_three([&] {
    const mpc::PackedMatrix packed(n, n, words_of(b), nullptr);
    for (int i = 0; i < 2; ++i) {
      packed.multiply_add(words_of(a), n, out.data());
    }
  });
}

}  // namespace curia::bench
