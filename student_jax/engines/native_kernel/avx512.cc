// The kernel for processors with AVX-512.
#include "kernel_table.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")
#endif

#define VECTOR_BYTES 64
#define NAME avx512

#include "kernel.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
