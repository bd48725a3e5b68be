// The circuit's value and gradient, gate by gate, for LANES samples side by side in one vector register.
//
// In: VECTOR_BYTES, the size of a register, and NAME, a suffix, from the file that includes this one.
// Out: the Kernel<float> and Kernel<double> of that file's instruction set, by way of kernel_table.h.
// Includes nothing of the standard library, whose inline functions must not be compiled for this instruction set alone.
//
// Basis states are numbered with qubit 0 as the highest bit.  A state is 2^n vectors of real parts, then 2^n of
// imaginary ones, each at the place that at() says.
//
// What makes it fast:
// - The state after the first layer's RY is a product of one-qubit states: built by doubling, and differentiated by
//   contracting its cotangent with the products' prefixes, without a pass over the state for each qubit.
// - RZZ and RZ are one phase a basis state, the same for all samples; phase and CNOTs are one pass to another buffer.
// - RY(theta) = cos(theta/2) (1, -t; t, 1) with t = tan(theta/2): two fused multiply-adds a pair of amplitudes.  The
//   cosines of a layer are multiplied into its phases.  Angles beyond +-pi/2 are brought there by RY(pi), a bit flip
//   with a sign, which goes into the same pass; so |t| <= 1 and nothing overflows.
// - A layer goes through the second cache twice, once for the high bits and once for the low ones and the phases.
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

// Bits below LOW are turned chunk by chunk, while a chunk of 2^LOW basis states is in the first cache; those above, of
// RUN neighbours in every chunk at a time.
constexpr int LOW = 6, RUN = 4;

// Where the amplitude of a basis state stands.  Every chunk is followed by an empty vector: amplitudes that differ in
// high bits alone would else fall into one set of the cache and drive each other out.
ALWAYS_INLINE long at(long x) { return x + (x >> LOW); }
ALWAYS_INLINE long count_places(const Shape &shape) { return at(shape.states()); }

// The lane of two vectors side by side that the first half of a pair of WIDTH lanes each comes from.
constexpr int spread(int lane, int width) { return lane / width * 2 * width + lane % width; }

// Of every 2 * WIDTH lanes of `a`, then of `b`: the sum of the first and the second half.
template <int WIDTH, typename V, std::size_t... LANE>
ALWAYS_INLINE V add_halves(const V &a, const V &b, std::index_sequence<LANE...>) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, spread(LANE, WIDTH)...) +
         __builtin_shufflevector(a, b, (spread(LANE, WIDTH) + WIDTH)...);
#else
  constexpr int lanes = sizeof...(LANE);
  const auto pick = [&](int lane) { return lane < lanes ? a[lane] : b[lane - lanes]; };
  return V{(pick(spread(LANE, WIDTH)) + pick(spread(LANE, WIDTH) + WIDTH))...};
#endif
}

// COUNT vectors -> one, in which each has an equal share of the lanes; they are used up.  WIDTH is half of the lanes
// that each has to begin with.
template <typename V, int COUNT, int WIDTH>
ALWAYS_INLINE V merge(V *v) {
  if constexpr (COUNT == 1) {
    return v[0];
  } else {
    constexpr int lanes = sizeof(V) / sizeof(v[0][0]);
#pragma GCC unroll 16
    for (int k = 0; k < COUNT / 2; ++k)
      v[k] = add_halves<WIDTH>(v[2 * k], v[2 * k + 1], std::make_index_sequence<lanes>());
    return merge<V, COUNT / 2, WIDTH / 2>(v);
  }
}

// What all samples of a call share: the phases between this layer's RY and the next one's, the CNOTs, the next RY.
template <typename REAL>
struct Layer {
  REAL *cosine, *sine;  // (2^n) of the phase of a basis state, times the next layer's cosines, by where it goes
  int *source;          // (2^n) the place that a basis state comes from: CNOTs, then bit flips of the next layer's RY
  REAL *tangent;        // (n) of half of the next layer's reduced angles, by bit: qubit n - 1 first
  long flips;           // the bits that are flipped
  double scale;         // product of the next layer's cosines
};

// The basis state that comes to `to`.  CNOTs send bits to the parities of those before them, whose inverse is Gray's
// code; a ring's last CNOT comes after the others.
template <typename REAL>
ALWAYS_INLINE long find_source(long to, const Shape &shape, const Layer<REAL> &layer) {
  long y = to ^ layer.flips;
  if (shape.ring) y ^= (y & 1) << (shape.qubits - 1);
  return y ^ (y >> 1);
}

// Multiplies `count` phases by c + is; `to` may be the same place as `from`.
template <typename REAL>
inline void multiply(const REAL *cosine, const REAL *sine, long count, REAL c, REAL s, REAL *to_cosine, REAL *to_sine) {
  for (long x = 0; x < count; ++x) {
    const REAL re = cosine[x], im = sine[x];
    to_cosine[x] = re * c - im * s;
    to_sine[x] = re * s + im * c;
  }
}

// The phase of every basis state: -(sum of rz_i s_i + rzz_ij s_i s_j) / 2 with s = 1 - 2 bit, times `scale`.  Built
// from the last qubit to the first: a qubit doubles what is there, and its RZZ with the next one sees that one's bit as
// the highest so far.
template <typename REAL>
void prepare_phases(const Shape &shape, const REAL *rzz, const REAL *rz, double scale, REAL *cosine, REAL *sine) {
  const int n = shape.qubits;
  cosine[0] = static_cast<REAL>(scale), sine[0] = 0;
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

// `room` is for 2 * 2^n numbers.
template <typename REAL>
void prepare_layer(const Shape &shape, const REAL *rzz, const REAL *rz, const REAL *next_ry, Layer<REAL> &layer,
                   REAL *room) {
  const int n = shape.qubits;
  const long states = shape.states();
  layer.flips = 0, layer.scale = 1;
  for (int q = 0; q < n; ++q) {
    const double turns = std::nearbyint(next_ry[q] / M_PI), rest = next_ry[q] - turns * M_PI;
    if (std::fmod(turns, 2.0) != 0.0) layer.flips |= 1L << (n - 1 - q);
    layer.tangent[n - 1 - q] = static_cast<REAL>(std::tan(rest / 2));
    layer.scale *= std::cos(rest / 2);
  }
  prepare_phases(shape, rzz, rz, layer.scale, room, room + states);
  for (long to = 0; to < states; ++to) {
    const long x = find_source(to, shape, layer);
    layer.source[to] = static_cast<int>(at(x));
    layer.cosine[to] = room[x], layer.sine[to] = room[states + x];
  }
  if (!layer.flips) return;
  for (long to = 0; to < states; ++to)
    if (__builtin_popcountl(~to & layer.flips) & 1)
      layer.cosine[to] = -layer.cosine[to], layer.sine[to] = -layer.sine[to];
}

// ---- Rotations ------------------------------------------------------------------------------------------------------

// How many bits fit into the registers: of one part; of both; of state and cotangent; of both parts of both.
#if VECTOR_BYTES == 64
constexpr int ROTATED = 4, ENTERED = 3, UNROTATED = 3, LEFT = 2;
#else
constexpr int ROTATED = 3, ENTERED = 2, UNROTATED = 2, LEFT = 1;
#endif

// Where bits `bit` to `bit` + `count` - 1 of 2^`top` amplitudes are turned: of `run` neighbours in every chunk, or,
// where `run` is 0, of all that are in one chunk.
struct Grid {
  long blocks, leap, chunks, run, stride;

  Grid(int bit, int count, int top, long run)
      : blocks(1L << (top - bit - count)),
        leap(at(1L << (bit + count))),
        chunks(run ? 1L << (bit - LOW) : 1),
        run(run ? run : 1L << bit),
        stride(at(1L << bit)) {}

  // Calls work(place) for every amplitude whose turned bits are 0.
  template <typename WORK>
  ALWAYS_INLINE void visit(WORK work) const {
    for (long block = 0; block < blocks; ++block)
      for (long chunk = 0; chunk < chunks; ++chunk)
        for (long low = 0; low < run; ++low) work(block * leap + chunk * at(1L << LOW) + low);
  }
};

// How many of `left` bits are taken at once, where `most` fit into the registers: in equal shares.
ALWAYS_INLINE int take_bits(int left, int most) {
  const int groups = (left + most - 1) / most;
  return (left + groups - 1) / groups;
}

// The tangents of K bits in registers; `direction` 1 or -1.
template <typename V, typename REAL, int K>
struct Turn {
  V tangent[K];

  ALWAYS_INLINE Turn(const REAL *given, REAL direction) {
#pragma GCC unroll 4
    for (int j = 0; j < K; ++j) tangent[j] = V{} + direction * given[j];
  }

  // Turns K neighbouring bits of 2^K amplitudes.
  ALWAYS_INLINE void operator()(V *v) const {
#pragma GCC unroll 4
    for (int j = 0; j < K; ++j)
#pragma GCC unroll 16
      for (int k = 0; k < 1 << K; ++k)
        if (!(k >> j & 1)) {
          const V zero = v[k], one = v[k | 1 << j];
          v[k] = zero - tangent[j] * one;
          v[k | 1 << j] = one + tangent[j] * zero;
        }
  }
};

// RY on K bits, without its cosines.
template <typename V, typename REAL, int K>
void rotate(V *state, const Grid &grid, const REAL *tangent) {
  const Turn<V, REAL, K> turn(tangent, 1);
  grid.visit([&](long first) {
    V *place = state + first, v[1 << K];
#pragma GCC unroll 16
    for (int k = 0; k < 1 << K; ++k) v[k] = place[k * grid.stride];
    turn(v);
#pragma GCC unroll 16
    for (int k = 0; k < 1 << K; ++k) place[k * grid.stride] = v[k];
  });
}

// RY on bits `bit` to `end` - 1.
template <typename V, typename REAL>
void rotate_bits(V *state, int bit, int end, int top, long run, const REAL *tangent) {
  while (bit < end) {
    const int count = take_bits(end - bit, ROTATED);
    const Grid grid(bit, count, top, run);
    switch (count) {
      case 1: rotate<V, REAL, 1>(state, grid, tangent + bit); break;
      case 2: rotate<V, REAL, 2>(state, grid, tangent + bit); break;
      case 3: rotate<V, REAL, 3>(state, grid, tangent + bit); break;
      default: rotate<V, REAL, ROTATED>(state, grid, tangent + bit);
    }
    bit += count;
  }
}

// A layer's phases and CNOTs, and the next layer's RY on the lowest K bits, of basis states `first` to `last` - 1.
template <typename V, typename REAL, int K>
void enter(const V *from, V *to, long first, long last, long places, const Layer<REAL> &layer) {
  const Turn<V, REAL, K> turn(layer.tangent, 1);
  for (; first < last; first += 1 << K) {
    V re[1 << K], im[1 << K];
#pragma GCC unroll 8
    for (int k = 0; k < 1 << K; ++k) {
      const V *source = from + layer.source[first + k];
      const REAL c = layer.cosine[first + k], s = layer.sine[first + k];
      re[k] = source[0] * c - source[places] * s;
      im[k] = source[0] * s + source[places] * c;
    }
    turn(re), turn(im);
    V *place = to + at(first);
#pragma GCC unroll 8
    for (int k = 0; k < 1 << K; ++k) place[k] = re[k], place[places + k] = im[k];
  }
}

template <typename V, typename REAL>
void apply_layer(const V *from, V *to, const Shape &shape, const Layer<REAL> &layer) {
  const int n = shape.qubits, low = n < LOW ? n : LOW, entered = n < ENTERED ? n : ENTERED;
  const long places = count_places(shape);
  for (long first = 0; first < shape.states(); first += 1L << low) {
    if (entered == 2)
      enter<V, REAL, 2>(from, to, first, first + (1L << low), places, layer);
    else
      enter<V, REAL, ENTERED>(from, to, first, first + (1L << low), places, layer);
    for (V *part : {to, to + places}) rotate_bits(part + at(first), entered, low, low, 0, layer.tangent);
  }
  if (n == low) return;
  for (V *part : {to, to + places})
    for (long run = 0; run < 1L << LOW; run += RUN) rotate_bits(part + run, LOW, n, n, RUN, layer.tangent);
}

// ---- Rotations undone -----------------------------------------------------------------------------------------------

// d(loss)/d(angle) of K bits, not yet halved: <G| generator |S>.
template <typename V, int K>
ALWAYS_INLINE void tally(const V *state, const V *cotangent, V *total) {
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j) {
    V sum = cotangent[1 << j] * state[0] - cotangent[0] * state[1 << j];
#pragma GCC unroll 16
    for (int k = 1; k < 1 << K; ++k)
      if (!(k >> j & 1)) sum += cotangent[k | 1 << j] * state[k] - cotangent[k] * state[k | 1 << j];
    total[j] += sum;
  }
}

// Takes RY of K bits from the state and from its cotangent, and adds what the angles' derivatives get to `total`.
template <typename V, typename REAL, int K>
void unrotate(V *state, V *cotangent, const Grid &grid, const REAL *tangent, V *total) {
  V sum[K];
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j) sum[j] = total[j];
  const Turn<V, REAL, K> turn(tangent, -1);
  grid.visit([&](long first) {
    V *a = state + first, *b = cotangent + first, s[1 << K], g[1 << K];
#pragma GCC unroll 8
    for (int k = 0; k < 1 << K; ++k) s[k] = a[k * grid.stride], g[k] = b[k * grid.stride];
    tally<V, K>(s, g, sum);
    turn(s), turn(g);
#pragma GCC unroll 8
    for (int k = 0; k < 1 << K; ++k) a[k * grid.stride] = s[k], b[k * grid.stride] = g[k];
  });
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j) total[j] = sum[j];
}

template <typename V, typename REAL>
void unrotate_bits(V *state, V *cotangent, int bit, int end, int top, long run, const REAL *tangent, V *total) {
  while (bit < end) {
    const int count = take_bits(end - bit, UNROTATED);
    const Grid grid(bit, count, top, run);
    switch (count) {
      case 1: unrotate<V, REAL, 1>(state, cotangent, grid, tangent + bit, total + bit); break;
      case 2: unrotate<V, REAL, 2>(state, cotangent, grid, tangent + bit, total + bit); break;
      default: unrotate<V, REAL, UNROTATED>(state, cotangent, grid, tangent + bit, total + bit);
    }
    bit += count;
  }
}

// The reverse of `enter`; `phases[i]` gets the derivatives of 2^K phases, each in its share of the lanes.
template <typename V, typename REAL, int K>
void leave(const V *state, const V *cotangent, V *to_state, V *to_cotangent, long first, long last, long places,
           const Layer<REAL> &layer, V *total, V *phases) {
  V sum[K];
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j) sum[j] = total[j];
  const Turn<V, REAL, K> turn(layer.tangent, -1);
  for (; first < last; first += 1 << K) {
    V s[2][1 << K], g[2][1 << K], by_phase[1 << K];
#pragma GCC unroll 2
    for (int part = 0; part < 2; ++part) {
      const V *a = state + part * places + at(first), *b = cotangent + part * places + at(first);
#pragma GCC unroll 4
      for (int k = 0; k < 1 << K; ++k) s[part][k] = a[k], g[part][k] = b[k];
      tally<V, K>(s[part], g[part], sum);
      turn(s[part]), turn(g[part]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 1 << K; ++k) {
      const long source = layer.source[first + k];
      const REAL cosine = layer.cosine[first + k], sine = layer.sine[first + k];
      const V sr = s[0][k] * cosine + s[1][k] * sine, si = s[1][k] * cosine - s[0][k] * sine;
      const V gr = g[0][k] * cosine + g[1][k] * sine, gi = g[1][k] * cosine - g[0][k] * sine;
      to_state[source] = sr, to_state[places + source] = si;
      to_cotangent[source] = gr, to_cotangent[places + source] = gi;
      by_phase[k] = gi * sr - gr * si;
    }
    phases[first >> K] = merge<V, 1 << K, Vector<REAL>::lanes / 2>(by_phase);
  }
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j) total[j] = sum[j];
}

// Takes a layer from the state and from its cotangent.  `total` is room for n vectors, `shares` for 2^n; `by_bit` gets
// the derivatives of half the angles of RY, `phases` those of the basis states' phases, summed over the samples.
template <typename V, typename REAL>
void undo_layer(V *state, V *cotangent, V *to_state, V *to_cotangent, const Shape &shape, const Layer<REAL> &layer,
                V *total, V *shares, double *by_bit, REAL *phases) {
  constexpr int lanes = Vector<REAL>::lanes, shared = lanes >> LEFT;
  const int n = shape.qubits, low = n < LOW ? n : LOW;
  const long states = shape.states(), places = count_places(shape);
  for (int bit = 0; bit < n; ++bit) total[bit] = V{};
  for (long part = 0; part <= places && n > low; part += places)
    for (long run = 0; run < 1L << LOW; run += RUN)
      unrotate_bits(state + part + run, cotangent + part + run, LOW, n, n, RUN, layer.tangent, total);
  for (long first = 0; first < states; first += 1L << low) {
    for (long place = at(first); place < 2 * places; place += places)
      unrotate_bits(state + place, cotangent + place, LEFT, low, low, 0, layer.tangent, total);
    leave<V, REAL, LEFT>(state, cotangent, to_state, to_cotangent, first, first + (1L << low), places, layer, total,
                         shares);
  }
  // What was undone without its cosines has grown by them, state and cotangent alike.
  double factor = 1;
  const auto settle = [&](int bit, int end, int most) {
    while (bit < end) {
      const double before = factor;
      for (int count = take_bits(end - bit, most); count > 0; --count, ++bit) {
        by_bit[bit] = before * sum_lanes<REAL>(total[bit]);
        factor /= 1 + static_cast<double>(layer.tangent[bit]) * layer.tangent[bit];
      }
    }
  };
  settle(low, n, UNROTATED), settle(LEFT, low, UNROTATED), settle(0, LEFT, LEFT);
  for (long k = states >> LEFT; k % shared; ++k) shares[k] = V{};
  for (long first = 0; first < states; first += lanes) {
    const V sums = merge<V, shared, shared / 2>(shares + (first >> LEFT));
    for (long k = 0; k < lanes && first + k < states; ++k) phases[find_source(first + k, shape, layer)] = sums[k];
  }
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

// A product of `size` amplitudes times the next qubit's state.
template <typename V>
void extend(const V *from_re, const V *from_im, V *re, V *im, long size, const Qubit<V> &next) {
  for (long x = 0; x < size; ++x) {
    const V a = from_re[x], b = from_im[x];
#pragma GCC unroll 2
    for (int value = 0; value < 2; ++value) {
      re[2 * x + value] = a * next.re[value] - b * next.im[value];
      im[2 * x + value] = a * next.im[value] + b * next.re[value];
    }
  }
}

// The products of the first 0 to n - 1 qubits' states, that of j qubits from 2^j on, real parts and then imaginary
// ones; `prefix` has room for 2 * 2^n vectors.
template <typename V>
void extend_all(const Shape &shape, const Qubit<V> *qubits, V *prefix) {
  V *re = prefix, *im = prefix + shape.states();
  re[1] = V{} + 1, im[1] = V{};
  for (int q = 0; q + 1 < shape.qubits; ++q) {
    const long size = 1L << q;
    extend(re + size, im + size, re + 2 * size, im + 2 * size, size, qubits[q]);
  }
}

// The product of all qubits' states.
template <typename V>
void build_product(const Shape &shape, const Qubit<V> *qubits, V *prefix, V *state) {
  const long half = shape.states() / 2, places = count_places(shape), most = 1L << (LOW - 1);
  const long chunk = half < most ? half : most;
  extend_all(shape, qubits, prefix);
  for (long x = 0; x < half; x += chunk) {
    const V *re = prefix + half + x;
    V *place = state + at(2 * x);
    extend(re, re + shape.states(), place, place + places, chunk, qubits[shape.qubits - 1]);
  }
}

// The cotangent of a product state -> d(loss)/dz, a vector a qubit, and the first layer's RY derivatives.
// `prefix` has room for 2 * 2^n vectors; `cotangent` is used up.
template <typename V, typename REAL>
void contract(V *cotangent, V *prefix, const Shape &shape, const Qubit<V> *qubits, V *by_z, double *by_theta) {
  const int n = shape.qubits;
  V *pre_re = prefix, *pre_im = prefix + shape.states(), *re = cotangent, *im = cotangent + count_places(shape);
  extend_all(shape, qubits, prefix);
  for (int q = n - 1; q >= 0; --q) {
    const Qubit<V> &one = qubits[q];
    const long size = 1L << q;
    V sum_re[2] = {}, sum_im[2] = {};
    for (long x = 0; x < size; ++x) {
      const V a = pre_re[size + x], b = pre_im[size + x];
      V next_re = {}, next_im = {};
      for (int value = 0; value < 2; ++value) {
        // The conjugate of the cotangent, so that all that follows are products.
        const long place = q + 1 == n ? at(2 * x) + value : 2 * x + value;
        const V gr = re[place], gi = q + 1 == n ? -im[place] : im[place];
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

// Output k is <Z_0 ... Z_k>; a ring's output 0 is <Z_1 ... Z_(n-1)>.  `room` holds 2^n vectors, and half as many for a
// ring.
template <typename V>
void measure(const V *state, const Shape &shape, V *room, V *outputs) {
  const long states = shape.states();
  for (long x = 0; x < states; ++x) {
    const V re = state[at(x)], im = state[count_places(shape) + at(x)];
    room[x] = re * re + im * im;
  }
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

// A state's vectors, and some empty ones, so that the next state begins in other sets of the cache.
ALWAYS_INLINE long count_state(const Shape &shape) { return 2 * count_places(shape) + 36; }

template <typename REAL>
long count_layers_bytes(const Shape &shape) {
  const long states = shape.states() + 16;
  return (shape.layers + 1) * (states * (2 * sizeof(REAL) + sizeof(int)) + 64 * sizeof(REAL) + 512);
}

template <typename REAL>
long count_room_bytes(const Shape &shape) {
  const long vectors = 5 * count_state(shape) + 32 * shape.qubits + 64;
  return vectors * VECTOR_BYTES + (2 * shape.states() + 64) * sizeof(REAL) + 4096;
}

template <typename REAL>
long count_kept(const Shape &shape) {
  return 2 * count_places(shape) * Vector<REAL>::lanes;
}

template <typename REAL>
void prepare(const Shape &shape, const Angles<REAL> &angles, char *place) {
  const int n = shape.qubits;
  Room room{place};
  Layer<REAL> *layers = room.take<Layer<REAL>>(shape.layers);
  REAL *phases = room.take<REAL>(2 * shape.states());
  for (int l = 0; l + 1 < shape.layers; ++l) {
    layers[l].cosine = room.take<REAL>(shape.states());
    layers[l].sine = room.take<REAL>(shape.states());
    layers[l].source = room.take<int>(shape.states());
    layers[l].tangent = room.take<REAL>(n);
    prepare_layer(shape, angles.rzz + l * shape.pairs(), angles.rz + l * n, angles.ry + (l + 1) * n, layers[l], phases);
  }
}

template <typename REAL>
void run_forward(const Shape &shape, long rows, const REAL *z, const Angles<REAL> &angles, const char *given,
                 REAL *values, REAL *kept, char *scratch) {
  typedef typename Vector<REAL>::type V;
  const int n = shape.qubits;
  const auto *layers = reinterpret_cast<const Layer<REAL> *>(given);
  Room room{scratch};
  V *state = room.take<V>(count_state(shape)), *other = room.take<V>(count_state(shape));
  V *folded = room.take<V>(count_state(shape)), *outputs = room.take<V>(n);
  Qubit<V> *qubits = room.take<Qubit<V>>(n);
  prepare_qubits(z, rows, shape, angles.ry, qubits);
  build_product(shape, qubits, folded, state);
  for (int l = 0; l + 1 < shape.layers; ++l) {
    apply_layer(state, other, shape, layers[l]);
    V *swapped = state;
    state = other, other = swapped;
  }
  measure(state, shape, folded, outputs);
  for (int k = 0; k < shape.outputs; ++k)
    for (long row = 0; row < rows; ++row)
      values[row * shape.outputs + k] = reinterpret_cast<const REAL *>(outputs + k)[row];
  // XLA's buffers need not begin where a vector may.
  if (kept) __builtin_memcpy(kept, state, 2 * count_places(shape) * sizeof(V));
}

template <typename REAL>
void run_backward(const Shape &shape, long rows, const REAL *z, const Angles<REAL> &angles, const char *given,
                  const REAL *kept, const REAL *cotangents, REAL *by_z, double *by_angles, char *scratch) {
  typedef typename Vector<REAL>::type V;
  constexpr int lanes = Vector<REAL>::lanes;
  const int n = shape.qubits, pairs = shape.pairs();
  const long states = shape.states(), places = count_places(shape);
  const auto *layers = reinterpret_cast<const Layer<REAL> *>(given);
  Room room{scratch};
  V *state = room.take<V>(count_state(shape)), *cotangent = room.take<V>(count_state(shape));
  V *other_state = room.take<V>(count_state(shape)), *other_cotangent = room.take<V>(count_state(shape));
  V *shares = room.take<V>(states + lanes);
  V *outputs = room.take<V>(n), *gradient_z = room.take<V>(n), *total = room.take<V>(n);
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
  __builtin_memcpy(state, kept, 2 * places * sizeof(V));
  for (long x = 0; x < states; ++x) {
    const V twice = weights[x] + weights[x];
    for (long place = at(x); place < 2 * places; place += places) cotangent[place] = twice * state[place];
  }
  for (int l = shape.layers - 2; l >= 0; --l) {
    undo_layer(state, cotangent, other_state, other_cotangent, shape, layers[l], total, shares, by_bit, phases);
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
