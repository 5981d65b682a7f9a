// Loops compiled for several instruction sets, the best one chosen at run time, and stores that go
// round the cache. Plain C++ loops: the compiler vectorises them three times over.
//
// Results of floats do not depend on the choice where the file is compiled without fused
// multiply-add (-ffp-contract=off, as worker/kernels is).
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

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

// Every AVX2 processor but one of VIA has it.
inline bool simd_fma() {
  static const bool known = simd_level() >= 1 && __builtin_cpu_supports("fma");
  return known;
}

namespace simd {
template <class Body, class... Args>
[[gnu::target("avx2,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,prefer-vector-width=512"),
  gnu::flatten, gnu::noinline]] void
run_avx512(Body body, Args... args) {
  body(args...);
}
template <class Body, class... Args>
[[gnu::target("avx2"), gnu::flatten, gnu::noinline]] void run_avx2(Body body, Args... args) {
  body(args...);
}
template <class Body, class... Args>
[[gnu::target("avx2,fma"), gnu::flatten, gnu::noinline]] void run_fma(Body body, Args... args) {
  body(args...);
}
}  // namespace simd

// Runs body(args...) compiled for AVX2 or not. `body` is a lambda marked CURIA_INLINE that captures
// nothing: what is captured lies in memory, where the compiler must expect stores to change it.
template <class Body, class... Args>
void with_simd(Body body, Args... args) {
  static_assert(std::is_empty_v<Body>);
  if (simd_level() >= 1) return simd::run_avx2(body, args...);
  body(args...);
}

// Likewise with AVX-512, for loops that compute more than they load.
template <class Body, class... Args>
void with_wide_simd(Body body, Args... args) {
  if (simd_level() == 2) return simd::run_avx512(body, args...);
  with_simd(body, args...);
}

// Likewise with fused multiply-add, where the file is compiled to use it: for matmul, whose last
// digits depend on the machine anyway.
template <class Body, class... Args>
void with_fma_simd(Body body, Args... args) {
  if (simd_level() == 2) return simd::run_avx512(body, args...);
  if (simd_fma()) return simd::run_fma(body, args...);
  body(args...);
}
#else
inline int simd_level() { return 0; }
inline bool simd_fma() { return false; }
template <class Body, class... Args>
void with_simd(Body body, Args... args) {
  body(args...);
}
template <class Body, class... Args>
void with_wide_simd(Body body, Args... args) {
  body(args...);
}
template <class Body, class... Args>
void with_fma_simd(Body body, Args... args) {
  body(args...);
}
#endif

#if CURIA_SIMD_LEVELS
namespace simd {
[[gnu::target("avx512f")]] inline void stream_lines_avx512(std::uint8_t* to,
                                                           const std::uint8_t* from,
                                                           std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_loadu_si512(from + i));
  }
}
}  // namespace simd
#endif

// Copies without reading `to` into the cache first and without leaving it there.
// REQUIRES: `to` is 64-byte aligned. Call stream_end() before another thread reads it.
inline void stream_copy(std::uint8_t* to, const std::uint8_t* from, std::int64_t bytes) {
  std::int64_t done = 0;
#if defined(__x86_64__)
  const std::int64_t lines = bytes / 64 * 64;
#if CURIA_SIMD_LEVELS
  if (simd_level() == 2) {  // a line a store
    simd::stream_lines_avx512(to, from, lines);
    done = lines;
  }
#endif
  for (; done < lines; done += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + done),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + done)));
  }
#endif
  std::memcpy(to + done, from + done, static_cast<std::size_t>(bytes - done));
}

inline void stream_end() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace curia
