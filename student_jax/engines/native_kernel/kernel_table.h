// What every instruction set's kernel offers: one block of samples side by side, forward and backward.
#pragma once

#include <cmath>
#include <initializer_list>
#include <utility>

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct Shape {
  int qubits, layers, outputs;
  bool ring;
  ALWAYS_INLINE int pairs() const { return ring ? qubits : qubits - 1; }
  ALWAYS_INLINE long states() const { return 1L << qubits; }
  // The gradients of RY, RZZ and RZ of every layer.
  ALWAYS_INLINE long angles() const { return static_cast<long>(layers) * (2 * qubits + pairs()); }
};

// ry, rz: (layers, qubits).  rzz: (layers, pairs).
template <typename REAL>
struct Angles {
  const REAL *ry, *rzz, *rz;
};

// `layers` is what all blocks of a call share, written by `prepare`; `room` is a thread's own.  Both begin at an
// address that 64 divides.
template <typename REAL>
struct Kernel {
  int lanes;  // how many samples a block has at most
  long (*count_layers_bytes)(const Shape &);
  long (*count_room_bytes)(const Shape &);
  long (*count_kept)(const Shape &);  // numbers that `forward` keeps of a block for `backward`
  void (*prepare)(const Shape &, const Angles<REAL> &, char *layers);
  // z: (rows, qubits).  values: (rows, outputs).  kept: null where nothing comes after.
  void (*forward)(const Shape &, long rows, const REAL *z, const Angles<REAL> &, const char *layers, REAL *values,
                  REAL *kept, char *room);
  // cotangents: (rows, outputs).  by_z: (rows, qubits).  by_angles: RY, RZZ, RZ of every layer, summed over the rows.
  void (*backward)(const Shape &, long rows, const REAL *z, const Angles<REAL> &, const char *layers, const REAL *kept,
                   const REAL *cotangents, REAL *by_z, double *by_angles, char *room);
};

extern const Kernel<float> float_kernel_baseline;
extern const Kernel<double> double_kernel_baseline;
#if defined(__x86_64__)
extern const Kernel<float> float_kernel_avx2, float_kernel_avx512;
extern const Kernel<double> double_kernel_avx2, double_kernel_avx512;
#endif
