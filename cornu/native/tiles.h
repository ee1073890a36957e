// The kernels, included once for each instruction set, in a namespace of its own, with these macros:
// VECTOR floats in a vector, and a tile of ROWS rows by two vectors, or of ROWS_OF_ONE by one, that fills the registers.

typedef float Vector __attribute__((vector_size(4 * VECTOR)));

inline Vector load(const float* from) { Vector v; std::memcpy(&v, from, sizeof v); return v; }
inline void store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }

// c[m, n] = sum over i < outer, k < inner of a[m row + k step + i outer_step] * b[k width + i outer_width + n], or added
struct Product {
  const float* a; long row, step, outer_step;
  const float* b; long width, outer_width;
  long outer, inner;
  float* c; long c_width; bool added;
};

// A tile of M rows by N vectors. Addresses of three rows each come from one pointer, as processors add up to two strides.
template <int M, int N>
void tile(const Product& p, const float* a, const float* b, float* c) {
  Vector sums[M][N];
  for (int m = 0; m < M; m++)
    for (int n = 0; n < N; n++) sums[m][n] = p.added ? load(c + m * p.c_width + n * VECTOR) : Vector{};
  for (long i = 0; i < p.outer; i++) {
    const float* rows[(M + 2) / 3];
    for (int m = 0; m < M; m += 3) rows[m / 3] = a + i * p.outer_step + m * p.row;
    const float* weights = b + i * p.outer_width;
    for (long k = 0; k < p.inner; k++, weights += p.width) {
      Vector v[N];
#pragma GCC unroll 2
      for (int n = 0; n < N; n++) v[n] = load(weights + n * VECTOR);
#pragma GCC unroll 24
      for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int n = 0; n < N; n++) sums[m][n] += (rows[m / 3][m % 3 * p.row] - Vector{}) * v[n];
#pragma GCC unroll 8
      for (int m = 0; m < M; m += 3) rows[m / 3] += p.step;
    }
  }
  for (int m = 0; m < M; m++)
    for (int n = 0; n < N; n++) store(c + m * p.c_width + n * VECTOR, sums[m][n]);
}

using Tile = void (*)(const Product&, const float*, const float*, float*);

template <int N, size_t... I>
Tile tile_of(long rows, std::index_sequence<I...>) {
  static constexpr Tile table[] = {tile<I + 1, N>...};
  return table[rows - 1];
}

// All rows of c; columns are a multiple of VECTOR. Tiles are of nearly the same size.
inline void multiply(const Product& p, long rows, long columns) {
  for (long n = 0, width; n < columns; n += width) {
    width = n + 2 * VECTOR <= columns ? 2 * VECTOR : VECTOR;
    const bool two = width > VECTOR;
    const long most = two ? ROWS : ROWS_OF_ONE, tiles = (rows + most - 1) / most;
    for (long i = 0; i < tiles; i++) {
      const long first = rows * i / tiles, count = rows * (i + 1) / tiles - first;
      const Tile chosen = two ? tile_of<2>(count, std::make_index_sequence<ROWS>{})
                              : tile_of<1>(count, std::make_index_sequence<ROWS_OF_ONE>{});
      chosen(p, p.a + first * p.row, p.b + n, p.c + first * p.c_width + n);
    }
  }
}

// Rows of an image from `top` on, with zeros around, the columns that the window meets.
inline void pad(const Window& w, const float* image, long top, long rows, float* to) {
  const long width = w.row_width(), before = std::max(0L, w.left) * w.inputs, cut = std::max(0L, -w.left) * w.inputs;
  const long seen = std::max(0L, std::min(w.width * w.inputs - cut, width - before)), row = w.width * w.inputs;
  for (long r = top; r < top + rows; r++, to += width) {
    const bool inside = r >= 0 && r < w.height;
    const long n = inside ? seen : 0, lead = inside ? std::min(before, width) : 0;
    std::fill_n(to, lead, 0.0f);
    if (n) std::memcpy(to + lead, image + r * row + cut, 4 * n);
    std::fill_n(to + lead + n, width - lead - n, 0.0f);
  }
}

// Runs `visit(n, top, rows, padded)` over the output rows [first, last) of all images, a few at a time.
template <class Visit>
void slide(const Window& w, const float* x, long first, long last, Visit&& visit) {
  std::vector<float> padded(((w.rows - 1) * w.down + w.tall) * w.row_width());
  for (long at = first, rows; at < last; at += rows) {
    const long image = at / w.places_down, place = at % w.places_down;
    rows = std::min({w.rows, w.places_down - place, last - at});
    pad(w, x + image * w.height * w.width * w.inputs, place * w.down - w.top, (rows - 1) * w.down + w.tall, padded.data());
    visit(at, rows, padded.data());
  }
}

// y[place, o] = sum over the window's rows, columns and inputs of x * kernel; the columns and inputs that a place meets
// lie side by side in memory.
inline void correlate(const Window& w, const float* x, const float* kernel, float* y, long first, long last) {
  const long met = w.wide * w.inputs;
  slide(w, x, first, last, [&](long at, long rows, const float* padded) {
    for (long r = 0; r < rows; r++) {
      const float* from = padded + r * w.down * w.row_width();
      multiply({from, w.across * w.inputs, 1, w.row_width(), kernel, w.outputs, met * w.outputs, w.tall, met,
                y + (at + r) * w.places_across * w.outputs, w.outputs, false}, w.places_across, w.outputs);
    }
  });
}

// kernel[window's row, column, input, o] += sum over places of x * y
inline void weigh(const Window& w, const float* x, const float* y, float* kernel, long first, long last) {
  const long met = w.wide * w.inputs, row = w.places_across * w.outputs;
  slide(w, x, first, last, [&](long at, long rows, const float* padded) {
    for (long k = 0; k < w.tall; k++)
      multiply({padded + k * w.row_width(), 1, w.across * w.inputs, w.down * w.row_width(), y + at * row, w.outputs, row,
                rows, w.places_across, kernel + k * met * w.outputs, w.outputs, true}, met, w.outputs);
  });
}
