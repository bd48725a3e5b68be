// Which kernel this processor runs, chosen once, when the library is loaded.
#pragma once

#include <cstdint>
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

// A batch that half of the widest vectors hold is computed in narrower ones: as many operations, on half the memory.
template <typename REAL>
const Kernel<REAL> &pick(std::int64_t batch, std::initializer_list<const Kernel<REAL> *> kernels) {
  const int kernel = CHOSEN == 2 && batch <= kernels.begin()[1]->lanes ? 1 : CHOSEN;
  return *kernels.begin()[kernel];
}

template <typename REAL>
const Kernel<REAL> &find_kernel(std::int64_t batch);

#if defined(__x86_64__)
template <>
const Kernel<float> &find_kernel(std::int64_t batch) {
  return pick(batch, {&float_kernel_baseline, &float_kernel_avx2, &float_kernel_avx512});
}
template <>
const Kernel<double> &find_kernel(std::int64_t batch) {
  return pick(batch, {&double_kernel_baseline, &double_kernel_avx2, &double_kernel_avx512});
}
#else
template <>
const Kernel<float> &find_kernel(std::int64_t) {
  return float_kernel_baseline;
}
template <>
const Kernel<double> &find_kernel(std::int64_t) {
  return double_kernel_baseline;
}
#endif

}  // namespace
