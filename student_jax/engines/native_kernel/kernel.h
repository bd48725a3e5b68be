// The circuit's value and gradient, gate by gate, for LANES samples side by side in one vector register.
//
// In: VECTOR_BYTES, the size of a register, and NAME, a suffix, from the file that includes this one.
// Out: the Kernel<float> and Kernel<double> of that file's instruction set, by way of kernel_table.h.
// Includes nothing of the standard library, whose inline functions must not be compiled for this instruction set alone.
//
// Basis states are numbered with qubit 0 as the highest bit.  A state is 2^n vectors of real and 2^n of imaginary parts.
//
// What makes it fast:
// - The state after the first layer's RY is a product of one-qubit states: built by doubling, and differentiated by
//   contracting its cotangent with the products' prefixes, without a pass over the state for each qubit.
// - RZZ and RZ are one phase a basis state, the same for all samples; phase and CNOTs are one pass to another buffer.
// - RY(theta) = cos(theta/2) (1, -t; t, 1) with t = tan(theta/2): two fused multiply-adds a pair of amplitudes.  The
//   cosines of a layer are multiplied into its phases.  Angles beyond +-pi/2 are brought there by RY(pi), a bit flip with
//   a sign, which goes into the same pass; so |t| <= 1 and nothing overflows.
// - The backward pass keeps no states: it undoes the state S and its cotangent G together.  The generator of a rotation
//   commutes with the rotations of its layer, so that its angle's derivative is one inner product while both are in
//   registers.
// - The last layer's RZ and RZZ cancel, and its CNOTs only change which product of Z is read.

namespace {

template <typename REAL>
struct Vector {
  typedef REAL type __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES)));
  static constexpr int lanes = VECTOR_BYTES / sizeof(REAL);
};

template <typename REAL>
inline REAL sum_lanes(const typename Vector<REAL>::type &v) {
  REAL total[Vector<REAL>::lanes];
  __builtin_memcpy(total, &v, sizeof total);
  for (int width = Vector<REAL>::lanes / 2; width > 0; width /= 2)
    for (int k = 0; k < width; ++k) total[k] += total[k + width];
  return total[0];
}

// What all samples of a call share.
template <typename REAL>
struct Layer {
  REAL *cosine, *sine;  // (2^n) of the phase between this layer's RY and the next one's, times the next one's cosines
  int *source;          // (2^n) where a basis state comes from: CNOTs, then bit flips of the next layer's RY
  REAL *tangent;        // (n) of half of the next layer's reduced angles, by bit: qubit n - 1 first
  double scale;         // product of the next layer's cosines
};

// Multiplies `count` phases by c + is; `to` may be the same place as `from`.
template <typename REAL>
inline void multiply(const REAL *cosine, const REAL *sine, long count, REAL c, REAL s, REAL *to_cosine, REAL *to_sine) {
  for (long x = 0; x < count; ++x) {
    const REAL re = cosine[x], im = sine[x];
    to_cosine[x] = re * c - im * s;
    to_sine[x] = re * s + im * c;
  }
}

// The phase of every basis state: -(sum of rz_i s_i + rzz_ij s_i s_j) / 2 with s = 1 - 2 bit, times `scale`.  Built from
// the last qubit to the first: a qubit doubles what is there, and its RZZ with the next one sees that one's bit as the
// highest so far.
template <typename REAL>
void prepare_phases(const Shape &shape, const REAL *rzz, const REAL *rz, const Layer<REAL> &layer) {
  const int n = shape.qubits;
  REAL *cosine = layer.cosine, *sine = layer.sine;
  cosine[0] = static_cast<REAL>(layer.scale), sine[0] = 0;
  for (int q = n - 1; q >= 0; --q) {
    const long half = 1L << (n - 1 - q), part = q + 1 < n ? half / 2 : half;
    for (int value = 1; value >= 0; --value)
      for (long first = 0; first < half; first += part) {
        const double pair = q + 1 == n ? 0 : first ? -rzz[q] : rzz[q], angle = (rz[q] + pair) * (1 - 2 * value) / 2;
        multiply(cosine + first, sine + first, part, static_cast<REAL>(std::cos(angle)),
                 static_cast<REAL>(-std::sin(angle)), cosine + value * half + first, sine + value * half + first);
      }
  }
  if (!shape.ring) return;
  const double angle = rzz[n - 1] / 2.0;
  const REAL c = static_cast<REAL>(std::cos(angle)), s = static_cast<REAL>(std::sin(angle));
  for (long x = 0; x < shape.states(); ++x) {
    const REAL re = cosine[x], im = sine[x], sign = ((x >> (n - 1)) ^ x) & 1 ? s : -s;
    cosine[x] = re * c - im * sign, sine[x] = re * sign + im * c;
  }
}

template <typename REAL>
void prepare_layer(const Shape &shape, const REAL *rzz, const REAL *rz, const REAL *next_ry, Layer<REAL> &layer) {
  const int n = shape.qubits;
  const long states = shape.states();
  long flips = 0;
  layer.scale = 1;
  for (int q = 0; q < n; ++q) {
    const double turns = std::nearbyint(next_ry[q] / M_PI), rest = next_ry[q] - turns * M_PI;
    if (std::fmod(turns, 2.0) != 0.0) flips |= 1L << (n - 1 - q);
    layer.tangent[n - 1 - q] = static_cast<REAL>(std::tan(rest / 2));
    layer.scale *= std::cos(rest / 2);
  }
  prepare_phases(shape, rzz, rz, layer);
  // The CNOTs send bits to the parities of those before them, whose inverse is Gray's code; a ring's last CNOT comes after.
  for (long to = 0; to < states; ++to) {
    long y = to ^ flips;
    if (shape.ring) y ^= (y & 1) << (n - 1);
    layer.source[to] = static_cast<int>(y ^ (y >> 1));
  }
  if (!flips) return;
  for (long to = 0; to < states; ++to)
    if (__builtin_popcountl((to ^ flips) & flips) & 1) {
      const long x = layer.source[to];
      layer.cosine[x] = -layer.cosine[x], layer.sine[x] = -layer.sine[x];
    }
}

// ---- Rotations ------------------------------------------------------------------------------------------------------

// Turns K neighbouring bits of 2^K amplitudes; `direction` 1 or -1.
template <typename V, typename REAL, int K>
inline __attribute__((always_inline)) void turn(V *v, const REAL *tangent, REAL direction) {
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j) {
    const REAL t = direction * tangent[j];
#pragma GCC unroll 16
    for (int k = 0; k < 1 << K; ++k)
      if (!(k >> j & 1)) {
        const V zero = v[k], one = v[k | 1 << j];
        v[k] = zero - t * one;
        v[k | 1 << j] = one + t * zero;
      }
  }
}

// RY on bits `bit` to `bit` + K - 1, without its cosines.
template <typename V, typename REAL, int K>
void rotate(V *state, long states, int bit, const REAL *tangent) {
  const long stride = 1L << bit;
  for (long high = 0; high < states; high += stride << K)
    for (long low = 0; low < stride; ++low) {
      V *place = state + high + low, v[1 << K];
#pragma GCC unroll 16
      for (int k = 0; k < 1 << K; ++k) v[k] = place[k * stride];
      turn<V, REAL, K>(v, tangent + bit, 1);
#pragma GCC unroll 16
      for (int k = 0; k < 1 << K; ++k) place[k * stride] = v[k];
    }
}

// A layer's phases and CNOTs, and the next layer's RY on the lowest K bits.
template <typename V, typename REAL, int K>
void enter(const V *from, V *to, long states, const Layer<REAL> &layer) {
  for (long first = 0; first < states; first += 1 << K) {
    V re[1 << K], im[1 << K];
#pragma GCC unroll 8
    for (int k = 0; k < 1 << K; ++k) {
      const long x = layer.source[first + k];
      const REAL c = layer.cosine[x], s = layer.sine[x];
      re[k] = from[x] * c - from[states + x] * s;
      im[k] = from[x] * s + from[states + x] * c;
    }
    turn<V, REAL, K>(re, layer.tangent, 1);
    turn<V, REAL, K>(im, layer.tangent, 1);
#pragma GCC unroll 8
    for (int k = 0; k < 1 << K; ++k) to[first + k] = re[k], to[states + first + k] = im[k];
  }
}

// d(loss)/d(angle) of K bits, not yet halved: <G| generator |S>.
template <typename V, int K>
inline __attribute__((always_inline)) void tally(const V *state, const V *cotangent, V *total) {
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j)
#pragma GCC unroll 16
    for (int k = 0; k < 1 << K; ++k)
      if (!(k >> j & 1)) total[j] += cotangent[k | 1 << j] * state[k] - cotangent[k] * state[k | 1 << j];
}

// Takes RY of K bits from the state and from its cotangent; `gradient[bit + j]` gets the derivatives of half the angles.
template <typename V, typename REAL, int K>
void unrotate(V *state, V *cotangent, long states, int bit, const REAL *tangent, double factor, double *gradient) {
  const long stride = 1L << bit;
  V total[K] = {};
  for (long high = 0; high < 2 * states; high += stride << K)  // real parts, then imaginary ones
    for (long low = 0; low < stride; ++low) {
      V *a = state + high + low, *b = cotangent + high + low, s[1 << K], g[1 << K];
#pragma GCC unroll 8
      for (int k = 0; k < 1 << K; ++k) s[k] = a[k * stride], g[k] = b[k * stride];
      tally<V, K>(s, g, total);
      turn<V, REAL, K>(s, tangent + bit, -1);
      turn<V, REAL, K>(g, tangent + bit, -1);
#pragma GCC unroll 8
      for (int k = 0; k < 1 << K; ++k) a[k * stride] = s[k], b[k * stride] = g[k];
    }
  for (int j = 0; j < K; ++j) gradient[bit + j] += factor * sum_lanes<REAL>(total[j]);
}

// The reverse of `enter`; `phases[x]` gets the derivative of the phase of x, summed over the samples.
template <typename V, typename REAL, int K>
void leave(const V *state, const V *cotangent, V *to_state, V *to_cotangent, long states, const Layer<REAL> &layer,
           double factor, double *gradient, REAL *phases) {
  V total[K] = {};
  for (long first = 0; first < states; first += 1 << K) {
    V s[2][1 << K], g[2][1 << K];
#pragma GCC unroll 2
    for (int part = 0; part < 2; ++part) {
#pragma GCC unroll 4
      for (int k = 0; k < 1 << K; ++k) {
        s[part][k] = state[part * states + first + k];
        g[part][k] = cotangent[part * states + first + k];
      }
      tally<V, K>(s[part], g[part], total);
      turn<V, REAL, K>(s[part], layer.tangent, -1);
      turn<V, REAL, K>(g[part], layer.tangent, -1);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 1 << K; ++k) {
      const long x = layer.source[first + k];
      const REAL c = layer.cosine[x], s_ = layer.sine[x];
      const V sr = s[0][k] * c + s[1][k] * s_, si = s[1][k] * c - s[0][k] * s_;
      const V gr = g[0][k] * c + g[1][k] * s_, gi = g[1][k] * c - g[0][k] * s_;
      to_state[x] = sr, to_state[states + x] = si;
      to_cotangent[x] = gr, to_cotangent[states + x] = gi;
      phases[x] = sum_lanes<REAL>(gi * sr - gr * si);
    }
  }
  for (int j = 0; j < K; ++j) gradient[j] += factor * sum_lanes<REAL>(total[j]);
}

// How many bits fit into the registers: of one part; of both; of state and cotangent; of both parts of both.
#if VECTOR_BYTES == 64
constexpr int ROTATED = 4, ENTERED = 3, UNROTATED = 3, LEFT = 2;
#else
constexpr int ROTATED = 3, ENTERED = 2, UNROTATED = 2, LEFT = 1;
#endif

template <typename V, typename REAL>
void apply_layer(const V *from, V *to, const Shape &shape, const Layer<REAL> &layer) {
  const long states = shape.states();
  int bit = shape.qubits < ENTERED ? shape.qubits : ENTERED;
  switch (bit) {
    case 2: enter<V, REAL, 2>(from, to, states, layer); break;
    default: enter<V, REAL, ENTERED>(from, to, states, layer);
  }
  while (bit < shape.qubits) {
    const int left = shape.qubits - bit, count = left < ROTATED ? left : ROTATED;
    switch (count) {  // real parts, then imaginary ones
      case 1: rotate<V, REAL, 1>(to, 2 * states, bit, layer.tangent); break;
      case 2: rotate<V, REAL, 2>(to, 2 * states, bit, layer.tangent); break;
      case 3: rotate<V, REAL, 3>(to, 2 * states, bit, layer.tangent); break;
      default: rotate<V, REAL, ROTATED>(to, 2 * states, bit, layer.tangent);
    }
    bit += count;
  }
}

template <typename V, typename REAL>
void undo_layer(V *state, V *cotangent, V *to_state, V *to_cotangent, const Shape &shape, const Layer<REAL> &layer,
                double *gradient, REAL *phases) {
  const long states = shape.states();
  double factor = 1;
  int bit = LEFT;
  while (bit < shape.qubits) {
    const int left = shape.qubits - bit, count = left < UNROTATED ? left : UNROTATED;
    switch (count) {
      case 1: unrotate<V, REAL, 1>(state, cotangent, states, bit, layer.tangent, factor, gradient); break;
      case 2: unrotate<V, REAL, 2>(state, cotangent, states, bit, layer.tangent, factor, gradient); break;
      default: unrotate<V, REAL, UNROTATED>(state, cotangent, states, bit, layer.tangent, factor, gradient);
    }
    // What was undone without its cosines has grown by them, state and cotangent alike.
    for (int j = bit; j < bit + count; ++j) factor /= 1 + static_cast<double>(layer.tangent[j]) * layer.tangent[j];
    bit += count;
  }
  leave<V, REAL, LEFT>(state, cotangent, to_state, to_cotangent, states, layer, factor, gradient, phases);
}

// ---- Product state --------------------------------------------------------------------------------------------------

// RY(theta) RX(z) |0> of one qubit, sample by sample, and its derivatives by z and by theta.
template <typename V>
struct Qubit {
  V re[2], im[2], by_z_re[2], by_z_im[2], by_theta_re[2], by_theta_im[2];
};

template <typename V, typename REAL>
void prepare_qubits(const REAL *z, long rows, const Shape &shape, const REAL *theta, Qubit<V> *qubits) {
  constexpr int lanes = Vector<REAL>::lanes;
  for (int q = 0; q < shape.qubits; ++q) {
    const REAL C = std::cos(theta[q] / 2), S = std::sin(theta[q] / 2);
    REAL c[lanes], s[lanes];
    for (int k = 0; k < lanes; ++k) {
      const REAL half = k < rows ? z[k * shape.qubits + q] / 2 : 0;
      c[k] = std::cos(half), s[k] = std::sin(half);
    }
    V cosine, sine;
    __builtin_memcpy(&cosine, c, sizeof c);
    __builtin_memcpy(&sine, s, sizeof s);
    Qubit<V> &one = qubits[q];
    one.re[0] = C * cosine, one.im[0] = S * sine;
    one.re[1] = S * cosine, one.im[1] = -C * sine;
    const REAL half = 0.5;
    one.by_z_re[0] = -half * C * sine, one.by_z_im[0] = half * S * cosine;
    one.by_z_re[1] = -half * S * sine, one.by_z_im[1] = -half * C * cosine;
    one.by_theta_re[0] = -half * S * cosine, one.by_theta_im[0] = half * C * sine;
    one.by_theta_re[1] = half * C * cosine, one.by_theta_im[1] = half * S * sine;
  }
}

// The product of the first `count` qubits' states; `re` and `im` may be the same places as `from`.
template <typename V>
void extend(const V *from_re, const V *from_im, V *re, V *im, long size, const Qubit<V> &next) {
  for (long x = size - 1; x >= 0; --x) {
    const V a = from_re[x], b = from_im[x];
    for (int value = 1; value >= 0; --value) {
      re[2 * x + value] = a * next.re[value] - b * next.im[value];
      im[2 * x + value] = a * next.im[value] + b * next.re[value];
    }
  }
}

// The cotangent of a product state -> d(loss)/dz, a vector a qubit, and the first layer's RY derivatives.
// `prefix` has room for 2 * 2^n vectors: the product of the first j qubits stands at 2^j.  `cotangent` is used up.
template <typename V, typename REAL>
void contract(V *cotangent, V *prefix, const Shape &shape, const Qubit<V> *qubits, V *by_z, double *by_theta) {
  const int n = shape.qubits;
  const long states = shape.states();
  V *pre_re = prefix, *pre_im = prefix + states, *re = cotangent, *im = cotangent + states;
  pre_re[1] = V{} + 1, pre_im[1] = V{};
  for (int q = 0; q + 1 < n; ++q) {
    const long size = 1L << q;
    extend(pre_re + size, pre_im + size, pre_re + 2 * size, pre_im + 2 * size, size, qubits[q]);
  }
  for (int q = n - 1; q >= 0; --q) {
    const Qubit<V> &one = qubits[q];
    const long size = 1L << q;
    V sum_re[2] = {}, sum_im[2] = {};
    for (long x = 0; x < size; ++x) {
      const V a = pre_re[size + x], b = pre_im[size + x];
      V next_re = {}, next_im = {};
      for (int value = 0; value < 2; ++value) {
        // The conjugate of the cotangent, so that all that follows are products.
        const V gr = re[2 * x + value], gi = q + 1 == n ? -im[2 * x + value] : im[2 * x + value];
        sum_re[value] += a * gr - b * gi;
        sum_im[value] += a * gi + b * gr;
        next_re += gr * one.re[value] - gi * one.im[value];
        next_im += gr * one.im[value] + gi * one.re[value];
      }
      re[x] = next_re, im[x] = next_im;
    }
    by_z[q] = sum_re[0] * one.by_z_re[0] - sum_im[0] * one.by_z_im[0] + sum_re[1] * one.by_z_re[1] -
              sum_im[1] * one.by_z_im[1];
    by_theta[q] = sum_lanes<REAL>(sum_re[0] * one.by_theta_re[0] - sum_im[0] * one.by_theta_im[0] +
                                  sum_re[1] * one.by_theta_re[1] - sum_im[1] * one.by_theta_im[1]);
  }
}

// ---- Measurement ----------------------------------------------------------------------------------------------------

// Output k is <Z_0 ... Z_k>; a ring's output 0 is <Z_1 ... Z_(n-1)>.  `room` holds 2^n vectors, and half as many for a ring.
template <typename V>
void measure(const V *state, const Shape &shape, V *room, V *outputs) {
  const long states = shape.states();
  for (long x = 0; x < states; ++x) room[x] = state[x] * state[x] + state[states + x] * state[states + x];
  long half = states / 2;
  if (shape.ring) {
    V *rest = room + states;
    for (long x = 0; x < half; ++x) rest[x] = room[x] + room[half + x];
    for (long size = half / 2; size > 0; size /= 2)
      for (long x = 0; x < size; ++x) rest[x] = rest[x] - rest[size + x];
  }
  for (int k = 0; k < shape.outputs; ++k, half /= 2) {
    V total = {};
    for (long x = 0; x < half; ++x) total += room[x] = room[x] - room[half + x];
    outputs[k] = total;
  }
  if (shape.ring) outputs[0] = room[states];
}

// d(loss)/d(probability) of every basis state.
template <typename V>
void weigh(const V *outputs, const Shape &shape, V *weights) {
  const long states = shape.states();
  const int last = shape.outputs - 1;
  long size = states >> shape.outputs;
  for (long x = 0; x < size; ++x) weights[x] = shape.ring && last == 0 ? V{} : outputs[last];
  for (int k = last; k >= 0; --k, size *= 2) {
    const V before = k == 0 || (shape.ring && k == 1) ? V{} : outputs[k - 1];
    for (long x = 0; x < size; ++x) weights[size + x] = before - weights[x], weights[x] = before + weights[x];
  }
  if (shape.ring)
    for (long x = 0; x < states; ++x) {
      const V &given = outputs[0];
      weights[x] = __builtin_popcountl(x & (states / 2 - 1)) & 1 ? weights[x] - given : weights[x] + given;
    }
}

// ---- Whole calls ----------------------------------------------------------------------------------------------------

// The derivatives of all phases -> those of a layer's RZZ and RZ.
template <typename REAL>
void fold_phases(const Shape &shape, REAL *phases, REAL *room, double *by_rzz, double *by_rz) {
  const int n = shape.qubits;
  if (shape.ring) {
    double total = 0;
    for (long x = 0; x < shape.states(); ++x) total += (((x >> (n - 1)) ^ x) & 1) ? -phases[x] : phases[x];
    by_rzz[n - 1] -= total / 2;
  }
  for (int q = 0; q < n; ++q) {
    const long half = 1L << (n - 1 - q);
    double alone = 0, pair = 0;
    for (long x = 0; x < half; ++x) {
      room[x] = phases[x] - phases[half + x];
      phases[x] += phases[half + x];
      alone += room[x];
    }
    for (long x = 0; x < half / 2; ++x) pair += room[x] - room[half / 2 + x];
    by_rz[q] -= alone / 2;
    if (q + 1 < n) by_rzz[q] -= pair / 2;
  }
}

struct Room {
  char *place;
  template <typename T>
  T *take(long count) {
    T *taken = reinterpret_cast<T *>(place);
    place += (count * static_cast<long>(sizeof(T)) + 63) / 64 * 64;
    return taken;
  }
};

template <typename REAL>
long count_layers_bytes(const Shape &shape) {
  return shape.layers * (shape.states() * (2 * sizeof(REAL) + sizeof(int)) + 64 * sizeof(REAL) + 512);
}

template <typename REAL>
long count_room_bytes(const Shape &shape) {
  return (10 * shape.states() + 16 * shape.qubits) * VECTOR_BYTES + 4 * shape.states() * sizeof(REAL) + 4096;
}

template <typename REAL>
long count_kept(const Shape &shape) {
  return 2 * shape.states() * Vector<REAL>::lanes;
}

template <typename REAL>
void prepare(const Shape &shape, const Angles<REAL> &angles, char *place) {
  const int n = shape.qubits;
  Room room{place};
  Layer<REAL> *layers = room.take<Layer<REAL>>(shape.layers);
  for (int l = 0; l + 1 < shape.layers; ++l) {
    layers[l].cosine = room.take<REAL>(shape.states());
    layers[l].sine = room.take<REAL>(shape.states());
    layers[l].source = room.take<int>(shape.states());
    layers[l].tangent = room.take<REAL>(n);
    prepare_layer(shape, angles.rzz + l * shape.pairs(), angles.rz + l * n, angles.ry + (l + 1) * n, layers[l]);
  }
}

template <typename REAL>
void run_forward(const Shape &shape, long rows, const REAL *z, const Angles<REAL> &angles, const char *given,
                 REAL *values, REAL *kept, char *scratch) {
  typedef typename Vector<REAL>::type V;
  const int n = shape.qubits;
  const long states = shape.states();
  const auto *layers = reinterpret_cast<const Layer<REAL> *>(given);
  Room room{scratch};
  V *state = room.take<V>(2 * states), *other = room.take<V>(2 * states), *folded = room.take<V>(2 * states);
  V *outputs = room.take<V>(n);
  Qubit<V> *qubits = room.take<Qubit<V>>(n);
  prepare_qubits(z, rows, shape, angles.ry, qubits);
  state[0] = V{} + 1, state[states] = V{};
  for (int q = 0; q < n; ++q) extend(state, state + states, state, state + states, 1L << q, qubits[q]);
  for (int l = 0; l + 1 < shape.layers; ++l) {
    apply_layer(state, other, shape, layers[l]);
    V *swapped = state;
    state = other, other = swapped;
  }
  measure(state, shape, folded, outputs);
  for (int k = 0; k < shape.outputs; ++k)
    for (long row = 0; row < rows; ++row)
      values[row * shape.outputs + k] = reinterpret_cast<const REAL *>(outputs + k)[row];
  if (kept) __builtin_memcpy(kept, state, 2 * states * sizeof(V));
}

template <typename REAL>
void run_backward(const Shape &shape, long rows, const REAL *z, const Angles<REAL> &angles, const char *given,
                  const REAL *kept, const REAL *cotangents, REAL *by_z, double *by_angles, char *scratch) {
  typedef typename Vector<REAL>::type V;
  constexpr int lanes = Vector<REAL>::lanes;
  const int n = shape.qubits, pairs = shape.pairs();
  const long states = shape.states();
  const auto *layers = reinterpret_cast<const Layer<REAL> *>(given);
  Room room{scratch};
  V *state = room.take<V>(2 * states), *cotangent = room.take<V>(2 * states);
  V *other_state = room.take<V>(2 * states), *other_cotangent = room.take<V>(2 * states);
  V *outputs = room.take<V>(n), *gradient_z = room.take<V>(n);
  Qubit<V> *qubits = room.take<Qubit<V>>(n);
  REAL *phases = room.take<REAL>(states), *folded = room.take<REAL>(states);
  double *by_bit = room.take<double>(n);
  double *by_ry = by_angles, *by_rzz = by_ry + shape.layers * n, *by_rz = by_rzz + shape.layers * pairs;
  for (long k = 0; k < shape.angles(); ++k) by_angles[k] = 0;
  prepare_qubits(z, rows, shape, angles.ry, qubits);
  for (int k = 0; k < shape.outputs; ++k) {
    REAL found[lanes] = {};
    for (long row = 0; row < rows; ++row) found[row] = cotangents[row * shape.outputs + k];
    __builtin_memcpy(outputs + k, found, sizeof found);
  }
  V *weights = other_state;
  weigh(outputs, shape, weights);
  // XLA's buffers need not begin where a vector may.
  __builtin_memcpy(state, kept, 2 * states * sizeof(V));
  for (long x = 0; x < states; ++x) {
    const V twice = weights[x] + weights[x];
    cotangent[x] = twice * state[x], cotangent[states + x] = twice * state[states + x];
  }
  for (int l = shape.layers - 2; l >= 0; --l) {
    for (int q = 0; q < n; ++q) by_bit[q] = 0;
    undo_layer(state, cotangent, other_state, other_cotangent, shape, layers[l], by_bit, phases);
    for (int q = 0; q < n; ++q) by_ry[(l + 1) * n + q] += by_bit[n - 1 - q] / 2;
    fold_phases(shape, phases, folded, by_rzz + l * pairs, by_rz + l * n);
    V *swapped = state;
    state = other_state, other_state = swapped;
    swapped = cotangent, cotangent = other_cotangent, other_cotangent = swapped;
  }
  contract<V, REAL>(cotangent, other_state, shape, qubits, gradient_z, by_bit);
  for (int q = 0; q < n; ++q) {
    by_ry[q] += by_bit[q];
    for (long row = 0; row < rows; ++row) by_z[row * n + q] = reinterpret_cast<const REAL *>(gradient_z + q)[row];
  }
}

}  // namespace

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

const Kernel<float> JOIN(float_kernel_, NAME) = {Vector<float>::lanes,    count_layers_bytes<float>,
                                                 count_room_bytes<float>, count_kept<float>,
                                                 prepare<float>,          run_forward<float>,
                                                 run_backward<float>};
const Kernel<double> JOIN(double_kernel_, NAME) = {Vector<double>::lanes,    count_layers_bytes<double>,
                                                   count_room_bytes<double>, count_kept<double>,
                                                   prepare<double>,          run_forward<double>,
                                                   run_backward<double>};
