// The kernels as XLA's foreign functions, which JAX calls: qdllm_forward_* and qdllm_backward_*.
//
// A call may be of several students, each with a batch and angles of its own.  A batch is cut into blocks of `lanes`
// samples, which threads share.  Every block sums its own derivatives, and the blocks' sums are added in order, so that
// no number depends on the threads.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "call_frame.h"
#include "instruction_set.h"
#include "kernel_table.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

constexpr int MOST_QUBITS = 24;
constexpr long KEPT_BYTES = 16L << 20;  // a thread's room up to this size is kept from call to call

// Memory from an address that 64 divides.
class Room {
 public:
  char *take(long bytes) {
    if (bytes + 64 > size_) {
      place_.reset(new char[bytes + 64]);
      size_ = bytes + 64;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(place_.get());
    return place_.get() + (64 - address % 64) % 64;
  }

 private:
  std::unique_ptr<char[]> place_;
  long size_ = 0;
};

// Of a thread: what all blocks of its call share, and what one block needs.
thread_local Room layers_room, block_room;

template <typename WORK>
void with_room(Room &room, long bytes, WORK work) {
  if (bytes <= KEPT_BYTES) return work(room.take(bytes));
  Room large;
  work(large.take(bytes));
}

template <typename REAL>
struct Arguments {
  Matrices<REAL> z, ry, rzz, rz;
  Shape shape;
  long students, batch, blocks;  // samples and blocks of a student

  Angles<REAL> angles(long student) const { return {ry.at(student), rzz.at(student), rz.at(student)}; }
};

// The first four arguments of either function, and what follows from them; false: they do not fit each other.
// Nothing is read or written outside of a buffer, whatever a caller passes.
template <typename REAL>
bool read_arguments(const XLA_FFI_CallFrame *frame, std::int64_t outputs, Arguments<REAL> *found) {
  Matrices<REAL> *places[] = {&found->z, &found->ry, &found->rzz, &found->rz};
  for (int k = 0; k < 4; ++k) {
    *places[k] = read_buffer<REAL>(frame->args.args[k]);
    if (places[k]->count < 0 || places[k]->count != found->z.count) return false;
  }
  const bool ring = read_attribute<bool>(frame, "ring", XLA_FFI_DataType_PRED, false);
  const std::int64_t n = found->z.columns, layers = found->ry.rows;
  if (n < 2 || n > MOST_QUBITS || layers < 1 || layers > 1 << 20 || outputs < 1 || outputs > n) return false;
  found->shape = {static_cast<int>(n), static_cast<int>(layers), static_cast<int>(outputs), ring};
  found->students = found->z.count, found->batch = found->z.rows;
  const int lanes = find_kernel<REAL>(found->batch).lanes;
  found->blocks = (found->batch + lanes - 1) / lanes;
  return found->ry.each() == layers * n && found->rz.each() == layers * n &&
         found->rzz.each() == layers * found->shape.pairs();
}

XLA_FFI_Error *refuse_misfit(const XLA_FFI_CallFrame *frame) {
  return refuse(frame, "native engine: arguments do not fit", XLA_FFI_Error_Code_INVALID_ARGUMENT);
}

XLA_FFI_Error *refuse_memory(const XLA_FFI_CallFrame *frame) {
  return refuse(frame, "native engine: out of memory", XLA_FFI_Error_Code_RESOURCE_EXHAUSTED);
}

// A block of a student's samples: its number among all, its first sample among the student's, and how many.
struct Block {
  long student, number, first, rows;
};

// Calls work(block, layers, room) for every block of every student; false: no memory.
template <typename REAL, typename WORK>
bool share_students(const XLA_FFI_CallFrame *frame, const Arguments<REAL> &given, WORK work) {
  const Kernel<REAL> &kernel = find_kernel<REAL>(given.batch);
  const long each = (kernel.count_layers_bytes(given.shape) + 63) / 64 * 64;
  const long at_once = std::max<long>(1, std::min(given.students, KEPT_BYTES / each));
  bool whole = true;
  with_room(layers_room, at_once * each, [&](char *layers) {
    for (long begun = 0; whole && begun < given.students; begun += at_once) {
      const long count = std::min(at_once, given.students - begun);
      std::vector<std::atomic<int>> prepared(count);  // 0 not yet, 1 by somebody just now, 2
      whole = share_blocks(frame, count * given.blocks, [&](long k) {
        const long own = k / given.blocks, first = k % given.blocks * kernel.lanes;
        int found = 0;
        if (prepared[own].compare_exchange_strong(found, 1)) {
          kernel.prepare(given.shape, given.angles(begun + own), layers + own * each);
          prepared[own].store(2, std::memory_order_release);
        }
        while (prepared[own].load(std::memory_order_acquire) != 2) std::this_thread::yield();
        const Block block = {begun + own, begun * given.blocks + k, first,
                             std::min<long>(kernel.lanes, given.batch - first)};
        with_room(block_room, kernel.count_room_bytes(given.shape),
                  [&](char *room) { work(block, layers + own * each, room); });
      });
    }
  });
  return whole;
}

template <typename REAL>
XLA_FFI_Error *forward(XLA_FFI_CallFrame *frame) {
  if (answer_metadata(frame)) return nullptr;
  const auto outputs = read_attribute<std::int64_t>(frame, "outputs", XLA_FFI_DataType_S64, 0);
  const bool keep = read_attribute<bool>(frame, "keep", XLA_FFI_DataType_PRED, false);
  Arguments<REAL> given;
  if (frame->args.size != 4 || frame->rets.size != 2) return refuse_misfit(frame);
  if (!read_arguments<REAL>(frame, outputs, &given)) return refuse_misfit(frame);
  const Kernel<REAL> &kernel = find_kernel<REAL>(given.batch);
  const auto values = read_buffer<REAL>(frame->rets.rets[0]), kept = read_buffer<REAL>(frame->rets.rets[1]);
  const long each = kernel.count_kept(given.shape);
  if (values.count != given.students || values.rows != given.batch || values.columns != outputs ||
      (keep && kept.size() != given.students * given.blocks * each))
    return refuse_misfit(frame);
  const bool whole = share_students(frame, given, [&](const Block &block, const char *layers, char *room) {
    kernel.forward(given.shape, block.rows, given.z.at(block.student, block.first), given.angles(block.student), layers,
                   values.at(block.student, block.first), keep ? kept.numbers + block.number * each : nullptr, room);
  });
  return whole ? nullptr : refuse_memory(frame);
}

template <typename REAL>
XLA_FFI_Error *backward(XLA_FFI_CallFrame *frame) {
  if (answer_metadata(frame)) return nullptr;
  if (frame->args.size != 6 || frame->rets.size != 4) return refuse_misfit(frame);
  const auto kept = read_buffer<REAL>(frame->args.args[4]), cotangents = read_buffer<REAL>(frame->args.args[5]);
  Arguments<REAL> given;
  if (!read_arguments<REAL>(frame, cotangents.columns, &given)) return refuse_misfit(frame);
  const Kernel<REAL> &kernel = find_kernel<REAL>(given.batch);
  const long each = kernel.count_kept(given.shape), count = given.shape.angles();
  const Matrices<REAL> *like[] = {&given.z, &given.ry, &given.rzz, &given.rz};
  Matrices<REAL> results[4];
  bool fits = cotangents.count == given.students && cotangents.rows == given.batch &&
              kept.size() == given.students * given.blocks * each;
  for (int k = 0; k < 4; ++k) {
    results[k] = read_buffer<REAL>(frame->rets.rets[k]);
    fits = fits && results[k].count == given.students && results[k].rows == like[k]->rows &&
           results[k].columns == like[k]->columns;
  }
  if (!fits) return refuse_misfit(frame);
  std::vector<double> sums(given.students * given.blocks * count);
  const bool whole = share_students(frame, given, [&](const Block &block, const char *layers, char *room) {
    kernel.backward(given.shape, block.rows, given.z.at(block.student, block.first), given.angles(block.student),
                    layers, kept.numbers + block.number * each, cotangents.at(block.student, block.first),
                    results[0].at(block.student, block.first), sums.data() + block.number * count, room);
  });
  if (!whole) return refuse_memory(frame);
  for (long student = 0; student < given.students; ++student) {
    const double *own = sums.data() + student * given.blocks * count;
    for (int k = 1; k < 4; ++k)
      for (long angle = 0; angle < results[k].each(); ++angle, ++own) {
        double total = 0;
        for (long block = 0; block < given.blocks; ++block) total += own[block * count];
        results[k].at(student)[angle] = static_cast<REAL>(total);
      }
  }
  return nullptr;
}

template <typename CALL>
XLA_FFI_Error *guard(XLA_FFI_CallFrame *frame, CALL call) {
  try {
    return call(frame);
  } catch (const std::bad_alloc &) {
    return refuse_memory(frame);
  }
}

}  // namespace

EXPORTED XLA_FFI_Error *qdllm_forward_float32(XLA_FFI_CallFrame *frame) { return guard(frame, forward<float>); }
EXPORTED XLA_FFI_Error *qdllm_forward_float64(XLA_FFI_CallFrame *frame) { return guard(frame, forward<double>); }
EXPORTED XLA_FFI_Error *qdllm_backward_float32(XLA_FFI_CallFrame *frame) { return guard(frame, backward<float>); }
EXPORTED XLA_FFI_Error *qdllm_backward_float64(XLA_FFI_CallFrame *frame) { return guard(frame, backward<double>); }

EXPORTED const char *qdllm_instruction_set() { return NAMES[CHOSEN]; }

// How many numbers of `bytes` bytes a batch's states have, kept between forward and backward.
EXPORTED std::int64_t qdllm_count_kept(int bytes, int qubits, std::int64_t batch) {
  const Shape shape = {qubits, 1, 1, false};
  const auto count = [&](const auto &kernel) {
    return (batch + kernel.lanes - 1) / kernel.lanes * kernel.count_kept(shape);
  };
  return bytes == 4 ? count(find_kernel<float>(batch)) : count(find_kernel<double>(batch));
}
