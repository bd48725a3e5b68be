// RY on amplitudes that never leave the registers: what a core could do if memory cost nothing.
//
// turn(rounds) turns 2^BITS vectors by BITS small angles and back, `rounds` times; count_flops() says how many floating
// point operations a round has, a fused multiply-add being two.

#if defined(__AVX512F__)
constexpr int BYTES = 64, BITS = 4;
#elif defined(__AVX2__)
constexpr int BYTES = 32, BITS = 3;
#else
constexpr int BYTES = 16, BITS = 3;
#endif

typedef float V __attribute__((vector_size(BYTES)));

extern "C" long count_flops() { return 2L * BITS * (1 << (BITS - 1)) * 2 * 2 * (BYTES / 4); }

extern "C" float turn(long rounds) {
  V v[1 << BITS];
  for (int k = 0; k < 1 << BITS; ++k) v[k] = V{} + 1.0f / (k + 1);
  for (long round = 0; round < rounds; ++round)
    for (int direction = 0; direction < 2; ++direction)
#pragma GCC unroll 4
      for (int j = 0; j < BITS; ++j) {
        const V t = V{} + (direction ? -1e-4f : 1e-4f);
#pragma GCC unroll 16
        for (int k = 0; k < 1 << BITS; ++k)
          if (!(k >> j & 1)) {
            const V zero = v[k], one = v[k | 1 << j];
            v[k] = zero - t * one;
            v[k | 1 << j] = one + t * zero;
          }
      }
  float total = 0;
  for (int k = 0; k < 1 << BITS; ++k) total += v[k][0];
  return total;
}
