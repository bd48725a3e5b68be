// Which kernel this processor runs, chosen once, when the library is loaded.
#pragma once

#include <cstdlib>
#include <cstring>

#include "kernel_table.h"

namespace {

const char *const NAMES[] = {"baseline", "avx2", "avx512"};

// Asks the processor, and the operating system too whether it keeps the wide registers.
int find_widest() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return 2;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
  return 0;
}

// The widest, or a narrower one that the environment variable QDLLM_NATIVE names, which is how the others are tested.
int choose() {
  const int widest = find_widest();
  const char *wanted = std::getenv("QDLLM_NATIVE");
  for (int k = 0; wanted && k < widest; ++k)
    if (std::strcmp(wanted, NAMES[k]) == 0) return k;
  return widest;
}

const int CHOSEN = choose();

template <typename REAL>
const Kernel<REAL> &find_kernel();

#if defined(__x86_64__)
template <>
const Kernel<float> &find_kernel() {
  return CHOSEN == 2 ? float_kernel_avx512 : CHOSEN == 1 ? float_kernel_avx2 : float_kernel_baseline;
}
template <>
const Kernel<double> &find_kernel() {
  return CHOSEN == 2 ? double_kernel_avx512 : CHOSEN == 1 ? double_kernel_avx2 : double_kernel_baseline;
}
#else
template <>
const Kernel<float> &find_kernel() {
  return float_kernel_baseline;
}
template <>
const Kernel<double> &find_kernel() {
  return double_kernel_baseline;
}
#endif

}  // namespace
