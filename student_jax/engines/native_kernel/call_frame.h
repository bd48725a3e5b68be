// XLA's foreign function interface in C, as far as the kernels use it: arguments, attributes, refusals, threads.
//
// The header is jaxlib's.  What is used of it is the same in every version that has the major number 0, so that one
// library, built with the oldest, serves all of them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <thread>

#include "xla/ffi/api/c_api.h"

namespace {

inline XLA_FFI_Error *refuse(const XLA_FFI_CallFrame *frame, const char *message, XLA_FFI_Error_Code code) {
  XLA_FFI_Error_Create_Args given = {XLA_FFI_Error_Create_Args_STRUCT_SIZE, nullptr, message, code};
  return frame->api->XLA_FFI_Error_Create(&given);
}

// XLA asks a function what it is before it calls it; jaxlib 0.8 does not say then which version it has.
inline bool answer_metadata(const XLA_FFI_CallFrame *frame) {
  const XLA_FFI_Extension_Base *asked = frame->extension_start;
  if (!asked || asked->type != XLA_FFI_Extension_Metadata) return false;
  XLA_FFI_Metadata *metadata = reinterpret_cast<const XLA_FFI_Metadata_Extension *>(asked)->metadata;
  metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  metadata->api_version.minor_version = frame->api ? frame->api->api_version.minor_version : XLA_FFI_API_MINOR;
  metadata->traits = 0;
  metadata->state_type_id = XLA_FFI_UNKNOWN_TYPE_ID;
  return true;
}

// Matrices of one shape, one behind the other; a vector is a matrix of one row.
template <typename REAL>
struct Matrices {
  REAL *numbers;
  std::int64_t count, rows, columns;  // count -1: not a buffer of REAL
  std::int64_t each() const { return rows * columns; }
  std::int64_t size() const { return count * each(); }
  REAL *at(std::int64_t matrix, std::int64_t row = 0) const { return numbers + matrix * each() + row * columns; }
};

template <typename REAL>
Matrices<REAL> read_buffer(const void *place) {
  constexpr auto dtype = sizeof(REAL) == 4 ? XLA_FFI_DataType_F32 : XLA_FFI_DataType_F64;
  const auto *buffer = static_cast<const XLA_FFI_Buffer *>(place);
  const auto rank = buffer->rank;
  if (buffer->dtype != dtype || rank < 1) return {nullptr, -1, 1, 1};
  std::int64_t count = 1;
  for (std::int64_t axis = 0; axis + 2 < rank; ++axis) count *= buffer->dims[axis];
  return {static_cast<REAL *>(buffer->data), count, rank == 1 ? 1 : buffer->dims[rank - 2], buffer->dims[rank - 1]};
}

// An attribute's value; `missing` where there is none of that name and type.
template <typename T>
T read_attribute(const XLA_FFI_CallFrame *frame, const char *name, XLA_FFI_DataType dtype, T missing) {
  for (std::int64_t k = 0; k < frame->attrs.size; ++k) {
    const XLA_FFI_ByteSpan *found = frame->attrs.names[k];
    if (found->len != std::strlen(name) || std::memcmp(found->ptr, name, found->len) != 0) continue;
    const auto *scalar = static_cast<const XLA_FFI_Scalar *>(frame->attrs.attrs[k]);
    if (frame->attrs.types[k] == XLA_FFI_AttrType_SCALAR && scalar->dtype == dtype)
      return *static_cast<const T *>(scalar->value);
  }
  return missing;
}

// ---- Threads --------------------------------------------------------------------------------------------------------

struct Blocks {
  std::function<void(long)> work;
  long count;
  std::atomic<long> next{0}, done{0};
  std::atomic<bool> failed{false};

  void run() {
    for (long k = next.fetch_add(1); k < count; k = next.fetch_add(1)) {
      try {
        work(k);
      } catch (const std::bad_alloc &) {
        failed = true;
      }
      done.fetch_add(1, std::memory_order_release);
    }
  }
};

// How many threads XLA lends, this one not among them; none where it has none.
inline long count_helpers(const XLA_FFI_CallFrame *frame) {
  std::int64_t threads = 0;
  XLA_FFI_ThreadPool_NumThreads_Args given = {XLA_FFI_ThreadPool_NumThreads_Args_STRUCT_SIZE, nullptr, frame->ctx,
                                              &threads};
  XLA_FFI_Error *error = frame->api->XLA_FFI_ThreadPool_NumThreads(&given);
  if (!error) return threads - 1;
  XLA_FFI_Error_Destroy_Args gone = {XLA_FFI_Error_Destroy_Args_STRUCT_SIZE, nullptr, error};
  frame->api->XLA_FFI_Error_Destroy(&gone);
  return 0;
}

// Does work(0) to work(count - 1), each once, on this thread and on those of XLA's that come in time; false: no memory.
// A thread that comes late finds nothing to do, and touches nothing of the caller's.
inline bool share_blocks(const XLA_FFI_CallFrame *frame, long count, std::function<void(long)> work) {
  auto blocks = std::make_shared<Blocks>();
  blocks->work = std::move(work), blocks->count = count;
  const long helpers = count < 2 ? 0 : std::min(count_helpers(frame), count - 1);
  for (long helper = 0; helper < helpers; ++helper) {
    auto *held = new std::shared_ptr<Blocks>(blocks);
    const auto help = [](void *given) {
      std::unique_ptr<std::shared_ptr<Blocks>> mine(static_cast<std::shared_ptr<Blocks> *>(given));
      (*mine)->run();
    };
    XLA_FFI_ThreadPool_Schedule_Args given = {XLA_FFI_ThreadPool_Schedule_Args_STRUCT_SIZE, nullptr, frame->ctx, help,
                                              held};
    if (XLA_FFI_Error *error = frame->api->XLA_FFI_ThreadPool_Schedule(&given)) {
      delete held;
      XLA_FFI_Error_Destroy_Args gone = {XLA_FFI_Error_Destroy_Args_STRUCT_SIZE, nullptr, error};
      frame->api->XLA_FFI_Error_Destroy(&gone);
      break;
    }
  }
  blocks->run();
  // Whoever still has a block is at work on it.
  for (long turn = 0; blocks->done.load(std::memory_order_acquire) < count; ++turn)
    if (turn > 1000) std::this_thread::yield();
  return !blocks->failed;
}

}  // namespace
