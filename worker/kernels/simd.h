// Loops compiled for several instruction sets, the best one chosen at run time, and stores that go
// round the cache. Plain C++ loops: the compiler vectorises them three times over.
//
// Results do not depend on the choice: fused multiply-add is off in this folder's build.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace curia {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CURIA_SIMD_LEVELS 1
#else
#define CURIA_SIMD_LEVELS 0
#endif

#define CURIA_INLINE __attribute__((always_inline))

#if CURIA_SIMD_LEVELS
// 2: AVX-512 (F, BW, CD, DQ, VL), 1: AVX2, 0: what every x86-64 has.
inline int simd_level() {
  static const int level = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2")) {
      return 2;
    }
    return __builtin_cpu_supports("avx2") ? 1 : 0;
  }();
  return level;
}

namespace simd {
template <class Body>
[[gnu::target("avx2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,prefer-vector-width=512"),
  gnu::flatten, gnu::noinline]] void
run_avx512(const Body& body) {
  body();
}
template <class Body>
[[gnu::target("avx2"), gnu::flatten, gnu::noinline]] void run_avx2(const Body& body) {
  body();
}
}  // namespace simd

// Runs body(), a lambda marked CURIA_INLINE, compiled for AVX2 or not.
template <class Body>
void with_simd(const Body& body) {
  if (simd_level() >= 1) return simd::run_avx2(body);
  body();
}

// Likewise with AVX-512, for loops that compute more than they load.
template <class Body>
void with_wide_simd(const Body& body) {
  if (simd_level() == 2) return simd::run_avx512(body);
  with_simd(body);
}
#else
template <class Body>
void with_simd(const Body& body) {
  body();
}
template <class Body>
void with_wide_simd(const Body& body) {
  body();
}
#endif

// Copies without reading `to` into the cache first and without leaving it there.
// REQUIRES: `to` is 64-byte aligned. Call stream_end() before another thread reads it.
inline void stream_copy(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
#if defined(__x86_64__)
  const std::int64_t lines = bytes / 64;
  for (std::int64_t i = 0; i < lines; ++i, to += 64, from += 64) {
    auto* out = reinterpret_cast<__m128i*>(to);
    const auto* in = reinterpret_cast<const __m128i*>(from);
    const __m128i a = _mm_loadu_si128(in), b = _mm_loadu_si128(in + 1);
    const __m128i c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);
    _mm_stream_si128(out, a);
    _mm_stream_si128(out + 1, b);
    _mm_stream_si128(out + 2, c);
    _mm_stream_si128(out + 3, d);
  }
  bytes -= lines * 64;
#endif
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

inline void stream_end() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace curia
