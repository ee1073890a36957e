// The kernels; included once per instruction set, each time in its own namespace, with these macros: VECTOR, the number of
// floats in a vector; ROWS and ROWS_OF_ONE, the rows of a register tile that is two vectors or one vector wide.

typedef float Vector __attribute__((vector_size(4 * VECTOR)));

inline Vector load(const float* from) { Vector v; std::memcpy(&v, from, sizeof v); return v; }
inline void store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }

// c[m, n] = sum over i < outer, k < inner of a[m row + k step + i outer_step] * b[k width + i outer_width + n]; added to c if
// `added`
struct Product {
  const float* a; long row, step, outer_step;
  const float* b; long width, outer_width;
  long outer, inner;
  float* c; long c_width; bool added;
};

// A tile of M rows by N vectors. One pointer serves three rows: an address can add a multiple of a stride for free.
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

// Computes all rows of c, in tiles of nearly equal size. `columns` is a multiple of VECTOR.
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

// Copies `rows` rows of an image from `top` on, as wide as the window needs, padded with zeros.
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

// y[place, o] = sum over the window's rows, columns and inputs of x * kernel. For one window row, the columns and inputs
// are contiguous in memory.
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

typedef int Integers __attribute__((vector_size(4 * VECTOR)));

// tanh(x) = e / (e + 2), where e = exp(2 x) - 1 = 2^n p + 2^n - 1, of 2 x = n log 2 + r and p = exp(r) - 1.
inline Vector tanh_of(Vector x) {
  const Vector most = Vector{} + 30.0f, doubled = x + x;
  Vector z = doubled > most ? most : doubled;
  z = z < -most ? -most : z;
  const Vector n = (z * 1.44269504f + 12582912.0f) - 12582912.0f;  // rounded to the nearest integer
  const Vector r = (z - n * 0.693145751953125f) - n * 1.42860682e-6f;
  Vector p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r * r + r;
  const Integers bits = (__builtin_convertvector(n, Integers) + 127) << 23;
  Vector power;
  std::memcpy(&power, &bits, sizeof power);
  const Vector e = power * p + (power - 1.0f);
  return e / (e + 2.0f);
}

inline Vector sigmoid_of(Vector x) { return tanh_of(x * 0.5f) * 0.5f + 0.5f; }

// The loops of recurrent layers over the rows [first, last) of a batch; see `Cell` for the arrays. A masked step keeps the
// states and passes their gradients on unchanged.

// gates: i, f, g, o
inline void lstm(const Cell& q, long first, long last) {
  const long U = q.units, G = 4 * U, rows = last - first;
  for (long t = 0; t < q.steps; t++) {
    const long at = t * q.batch + first, next = at + q.batch;
    for (long i = 0; i < rows; i++)
      for (long u = 0; u < G; u += VECTOR)
        store(q.gates + (at + i) * G + u, load(q.inputs + (at + i) * G + u) + load(q.input_bias + u) + load(q.bias + u));
    multiply({q.hidden + at * U, U, 1, 0, q.kernel, G, 0, 1, U, q.gates + at * G, G, true}, rows, G);
    for (long i = 0; i < rows; i++) {
      float* gates = q.gates + (at + i) * G;
      const float *h = q.hidden + (at + i) * U, *c = q.cell + (at + i) * U;
      float *new_h = q.hidden + (next + i) * U, *new_c = q.cell + (next + i) * U;
      const bool held = q.holds(at + i);
      for (long u = 0; u < U; u += VECTOR) {
        const Vector in = sigmoid_of(load(gates + u)), forget = sigmoid_of(load(gates + U + u));
        const Vector g = tanh_of(load(gates + 2 * U + u)), out = sigmoid_of(load(gates + 3 * U + u));
        const Vector sum = forget * load(c + u) + in * g;
        store(gates + u, in);
        store(gates + U + u, forget);
        store(gates + 2 * U + u, g);
        store(gates + 3 * U + u, out);
        store(new_c + u, held ? load(c + u) : sum);
        store(new_h + u, held ? load(h + u) : out * tanh_of(sum));
      }
    }
  }
}

inline void lstm_back(const Cell& q, long first, long last) {
  const long U = q.units, G = 4 * U, rows = last - first;
  const Vector one = Vector{} + 1.0f;
  for (long t = q.steps - 1; t >= 0; t--) {
    const long at = t * q.batch + first, next = at + q.batch;
    for (long i = 0; i < rows; i++) {
      const float *gates = q.gates + (at + i) * G, *c = q.cell + (at + i) * U, *new_c = q.cell + (next + i) * U;
      float *dp = q.d_products + (at + i) * G, *dh = q.d_hidden + (first + i) * U, *dc = q.d_cell + (first + i) * U;
      const float* dy = q.d_outputs ? q.d_outputs + (at + i) * U : nullptr;
      const bool held = q.holds(at + i);
      for (long u = 0; u < U; u += VECTOR) {
        const Vector in = load(gates + u), forget = load(gates + U + u), g = load(gates + 2 * U + u);
        const Vector out = load(gates + 3 * U + u), y = tanh_of(load(new_c + u));
        const Vector d = dy ? load(dh + u) + load(dy + u) : load(dh + u);
        const Vector e = load(dc + u) + d * out * (one - y * y);
        const Vector none{};
        store(dp + u, held ? none : e * g * in * (one - in));
        store(dp + U + u, held ? none : e * load(c + u) * forget * (one - forget));
        store(dp + 2 * U + u, held ? none : e * in * (one - g * g));
        store(dp + 3 * U + u, held ? none : d * y * out * (one - out));
        store(dh + u, held ? d : none);
        if (!held) store(dc + u, e * forget);
      }
    }
    multiply({q.d_products + at * G, G, 1, 0, q.kernel, U, 0, 1, G, q.d_hidden + first * U, U, true}, rows, U);
  }
}

// gates: z, r, g; `kept` is the product's part for g
inline void gru(const Cell& q, long first, long last) {
  const long U = q.units, G = 3 * U, rows = last - first;
  std::vector<float> products(rows * G);
  for (long t = 0; t < q.steps; t++) {
    const long at = t * q.batch + first, next = at + q.batch;
    for (long i = 0; i < rows; i++) std::memcpy(products.data() + i * G, q.bias, 4 * G);
    multiply({q.hidden + at * U, U, 1, 0, q.kernel, G, 0, 1, U, products.data(), G, true}, rows, G);
    for (long i = 0; i < rows; i++) {
      const float *x = q.inputs + (at + i) * G, *p = products.data() + i * G, *h = q.hidden + (at + i) * U;
      float *gates = q.gates + (at + i) * G, *kept = q.kept + (at + i) * U, *new_h = q.hidden + (next + i) * U;
      const bool held = q.holds(at + i);
      for (long u = 0; u < U; u += VECTOR) {
        const Vector z = sigmoid_of(load(x + u) + load(q.input_bias + u) + load(p + u));
        const Vector r = sigmoid_of(load(x + U + u) + load(q.input_bias + U + u) + load(p + U + u));
        const Vector pg = load(p + 2 * U + u), g = tanh_of(load(x + 2 * U + u) + load(q.input_bias + 2 * U + u) + r * pg);
        store(gates + u, z);
        store(gates + U + u, r);
        store(gates + 2 * U + u, g);
        store(kept + u, pg);
        store(new_h + u, held ? load(h + u) : g + z * (load(h + u) - g));
      }
    }
  }
}

inline void gru_back(const Cell& q, long first, long last) {
  const long U = q.units, G = 3 * U, rows = last - first;
  const Vector one = Vector{} + 1.0f, none{};
  for (long t = q.steps - 1; t >= 0; t--) {
    const long at = t * q.batch + first;
    for (long i = 0; i < rows; i++) {
      const float *gates = q.gates + (at + i) * G, *kept = q.kept + (at + i) * U, *h = q.hidden + (at + i) * U;
      float *dp = q.d_products + (at + i) * G, *dx = q.d_inputs + (at + i) * G, *dh = q.d_hidden + (first + i) * U;
      const float* dy = q.d_outputs ? q.d_outputs + (at + i) * U : nullptr;
      const bool held = q.holds(at + i);
      for (long u = 0; u < U; u += VECTOR) {
        const Vector z = load(gates + u), r = load(gates + U + u), g = load(gates + 2 * U + u);
        const Vector d = dy ? load(dh + u) + load(dy + u) : load(dh + u);
        const Vector dz = held ? none : d * (load(h + u) - g) * z * (one - z);
        const Vector dg = held ? none : d * (one - z) * (one - g * g);
        const Vector dr = dg * load(kept + u) * r * (one - r);
        store(dp + u, dz);
        store(dx + u, dz);
        store(dp + U + u, dr);
        store(dx + U + u, dr);
        store(dp + 2 * U + u, dg * r);
        store(dx + 2 * U + u, dg);
        store(dh + u, held ? d : d * z);
      }
    }
    multiply({q.d_products + at * G, G, 1, 0, q.kernel, U, 0, 1, G, q.d_hidden + first * U, U, true}, rows, U);
  }
}
