// The kernel for processors with AVX2 and FMA.
#include "kernel_table.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define VECTOR_BYTES 32
#define NAME avx2

#include "kernel.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
