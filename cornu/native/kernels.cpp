// CPU kernels called by XLA, for operations that XLA itself computes at less than half the rate of a large matrix product.
// Builds for x86-64 with any compiler that supports GCC's vector extensions. Everything is compiled twice, for AVX2 and
// for AVX-512; which version runs is decided at run time.
//
// Work is split over the threads of XLA's own pool: the caller takes part, and waits only for tasks already started.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "xla.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

// A window sliding over images; fields in the order of the attribute `sizes`. `rows` output rows are computed at a time.
struct Window {
  long images, height, width, inputs, places_down, places_across, outputs, tall, wide, down, across, top, left, rows;
  long row_width() const { return ((places_across - 1) * across + wide) * inputs; }
  long all_rows() const { return images * places_down; }
};

// The arrays of a recurrent layer: (steps, batch, units or gates). States have one more step, the initial one. In the
// backward loop `kernel` is transposed, and `d_hidden` and `d_cell` start as the gradients of the final states.
struct Cell {
  long steps, batch, units;
  const float *mask, *inputs, *kernel, *bias, *input_bias, *d_outputs;
  float *gates, *kept, *hidden, *cell, *d_products, *d_inputs, *d_hidden, *d_cell;
  bool holds(long row) const { return mask && mask[row] == 0; }
};

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx2,fma")
#endif
namespace avx512 {
#define VECTOR 16
#define ROWS 12
#define ROWS_OF_ONE 24
#include "tiles.h"
#undef VECTOR
#undef ROWS
#undef ROWS_OF_ONE
}  // namespace avx512
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
#define VECTOR 8
#define ROWS 6
#define ROWS_OF_ONE 12
#include "tiles.h"
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool wide = has_avx512();

// The arguments and results of a call, and XLA's threads.
class Work {
 public:
  explicit Work(xla::Call* call) : call_(call) {
    xla::CountThreads ask{sizeof ask, nullptr, call->context, &threads_};
    if (xla::Error* error = call->api->count_threads(&ask)) {  // there is no pool
      xla::OldError old{sizeof old, nullptr, error};
      call->api->destroy_error(&old);
    }
    threads_ = std::max<int64_t>(1, threads_);
  }

  long threads() const { return threads_; }
  const float* argument(int i) const { return static_cast<float*>(call_->arguments.of[i]->data); }
  float* result(int i) const { return static_cast<float*>(call_->results.of[i]->data); }
  float* read(int i) const { return const_cast<float*>(argument(i)); }  // an argument in a field that other calls write to

  template <class Sizes> Sizes sizes() const {
    const xla::Array* array = call_->attributes.of[0];
    if (call_->attributes.count != 1 || array->size * sizeof(long) != sizeof(Sizes)) throw std::bad_alloc();
    Sizes sizes;
    std::memcpy(&sizes, array->data, sizeof sizes);
    return sizes;
  }

  // Calls task(i) for all i < count, on several threads; a thread that starts late finds nothing left to do.
  void each(long count, std::function<void(long)> task) const {
    struct Shared {
      std::function<void(long)> task;
      long count;
      std::atomic<long> next{0}, done{0};
      std::atomic<bool> failed{false};
    };
    auto shared = std::make_shared<Shared>();
    shared->task = std::move(task);
    shared->count = count;
    std::function<void()> help = [shared] {
      for (long i; (i = shared->next++) < shared->count; shared->done++) {
        try {
          shared->task(i);
        } catch (const std::bad_alloc&) {
          shared->failed = true;
        }
      }
    };
    for (long helpers = std::min<long>(threads_, count) - 1; helpers > 0; helpers--) schedule(help);
    help();
    while (shared->done < count) std::this_thread::yield();
    if (shared->failed) throw std::bad_alloc();
  }

 private:
  void schedule(const std::function<void()>& help) const {
    auto run = [](void* data) {
      std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(data));
      (*owned)();
    };
    auto* data = new std::function<void()>(help);
    xla::Schedule ask{sizeof ask, nullptr, call_->context, run, data};
    if (xla::Error* error = call_->api->schedule(&ask)) {
      xla::OldError old{sizeof old, nullptr, error};
      call_->api->destroy_error(&old);
      delete data;
    }
  }

  xla::Call* call_;
  int64_t threads_ = 1;
};

void correlate(const Work& work) {
  const Window w = work.sizes<Window>();
  const float *x = work.argument(0), *kernel = work.argument(1);
  float* y = work.result(0);
  const long rows = w.all_rows(), parts = std::min(rows, 4 * work.threads());
  work.each(parts, [&](long i) {
    (wide ? avx512::correlate : avx2::correlate)(w, x, kernel, y, rows * i / parts, rows * (i + 1) / parts);
  });
}

void weigh(const Work& work) {
  const Window w = work.sizes<Window>();
  const float *x = work.argument(0), *y = work.argument(1);
  float* kernel = work.result(0);
  const long size = w.tall * w.wide * w.inputs * w.outputs, rows = w.all_rows(), parts = std::min(rows, work.threads());
  std::vector<float> others(size * (parts - 1));
  std::fill_n(kernel, size, 0.0f);
  work.each(parts, [&](long i) {
    float* own = i ? others.data() + (i - 1) * size : kernel;
    (wide ? avx512::weigh : avx2::weigh)(w, x, y, own, rows * i / parts, rows * (i + 1) / parts);
  });
  for (long part = 0; part < parts - 1; part++)
    for (long i = 0; i < size; i++) kernel[i] += others[part * size + i];
}

struct CellSizes {
  long steps, batch, units, masked, has_outputs;
};

// The sizes of a loop and its first argument, the mask.
Cell cell_of(const Work& work) {
  const CellSizes sizes = work.sizes<CellSizes>();
  Cell q{};
  q.steps = sizes.steps;
  q.batch = sizes.batch;
  q.units = sizes.units;
  q.mask = sizes.masked ? work.argument(0) : nullptr;
  q.d_outputs = sizes.has_outputs ? work.argument(1) : nullptr;
  return q;
}

float* begun(const Cell& q, const float* state, float* result) {
  std::memcpy(result, state, 4 * q.batch * q.units);
  return result;
}

void over_rows(const Work& work, const Cell& q, void (*loop)(const Cell&, long, long)) {
  const long parts = std::min(q.batch, work.threads());
  work.each(parts, [&](long i) { loop(q, q.batch * i / parts, q.batch * (i + 1) / parts); });
}

void lstm(const Work& work) {
  Cell q = cell_of(work);
  q.inputs = work.argument(1);
  q.kernel = work.argument(4);
  q.input_bias = work.argument(5);
  q.bias = work.argument(6);
  q.gates = work.result(0);
  q.hidden = begun(q, work.argument(2), work.result(1));
  q.cell = begun(q, work.argument(3), work.result(2));
  over_rows(work, q, wide ? avx512::lstm : avx2::lstm);
}

void lstm_back(const Work& work) {
  Cell q = cell_of(work);
  q.gates = work.read(2);
  q.cell = work.read(4);
  q.kernel = work.argument(5);
  q.d_products = work.result(0);
  q.d_hidden = begun(q, work.argument(6), work.result(1));
  q.d_cell = begun(q, work.argument(7), work.result(2));
  over_rows(work, q, wide ? avx512::lstm_back : avx2::lstm_back);
}

void gru(const Work& work) {
  Cell q = cell_of(work);
  q.inputs = work.argument(1);
  q.kernel = work.argument(3);
  q.input_bias = work.argument(4);
  q.bias = work.argument(5);
  q.gates = work.result(0);
  q.kept = work.result(1);
  q.hidden = begun(q, work.argument(2), work.result(2));
  over_rows(work, q, wide ? avx512::gru : avx2::gru);
}

void gru_back(const Work& work) {
  Cell q = cell_of(work);
  q.gates = work.read(2);
  q.kept = work.read(3);
  q.hidden = work.read(4);
  q.kernel = work.argument(5);
  q.d_products = work.result(0);
  q.d_inputs = work.result(1);
  q.d_hidden = begun(q, work.argument(6), work.result(2));
  over_rows(work, q, wide ? avx512::gru_back : avx2::gru_back);
}

xla::Error* run(xla::Call* call, void (*kernel)(const Work&)) {
  if (call->extension && call->extension->kind == 1) {  // XLA asks for the interface version
    auto* asked = reinterpret_cast<xla::MetadataExtension*>(call->extension)->metadata;
    asked->version.major = xla::kMajor;
    asked->version.minor = xla::kMinor;
    return nullptr;
  }
  try {
    kernel(Work(call));
    return nullptr;
  } catch (const std::exception& error) {
    xla::NewError created{sizeof created, nullptr, error.what(), 8};
    return call->api->create_error(&created);
  }
}

}  // namespace

EXPORTED int cornu_supported() { return has_avx2(); }
EXPORTED int cornu_uses_avx512() { return wide; }
EXPORTED void cornu_use_avx512(int use) { wide = use && has_avx512(); }
EXPORTED xla::Error* cornu_correlate(xla::Call* call) { return run(call, correlate); }
EXPORTED xla::Error* cornu_weigh(xla::Call* call) { return run(call, weigh); }
EXPORTED xla::Error* cornu_lstm(xla::Call* call) { return run(call, lstm); }
EXPORTED xla::Error* cornu_lstm_back(xla::Call* call) { return run(call, lstm_back); }
EXPORTED xla::Error* cornu_gru(xla::Call* call) { return run(call, gru); }
EXPORTED xla::Error* cornu_gru_back(xla::Call* call) { return run(call, gru_back); }
