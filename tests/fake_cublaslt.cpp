// A cuBLASLt that computes on the CPU, for the calls that gradx makes, by the words of cublasLt.h:
// matrices by columns, leading dimensions, stacks by strides, epilogues. What the library would
// refuse it refuses. Sums are float64's; TF32 and bfloat16 round what is multiplied.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 7 };
enum { FLOAT32 = 0, FLOAT64 = 1, FLOAT16 = 2, BFLOAT16 = 14 };
enum { RELU = 2, BIAS = 4, GELU = 32, BACKWARD = 8, DGELU = 64, BGRAD = 16, AUX = 128,
       BGRADA = 256, BGRADB = 512 };

struct Layout { int type; int64_t rows, columns, leading, stride; int32_t batch; };
struct Description {
    int compute, scale;
    int32_t transpose_a, transpose_b, epilogue;
    void *bias, *auxiliary;
    int64_t auxiliary_leading;
};
struct Preference { uint32_t alignments[2]; };
struct Heuristic { uint64_t algorithm[8]; size_t workspace; int state; float waves; int rest[4]; };

static int alive = 0, refused_epilogue = 0;
static double most_workspace = 0;

static float from_bits(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
static uint32_t bits_of(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }
static float rounded_to(float x, int kept) {  // so many bits after the point
    const uint32_t unit = 1u << (23 - kept), bits = bits_of(x);
    return from_bits((bits + unit / 2 - 1 + (bits / unit & 1)) / unit * unit);
}
static double read(const void* base, int type, int64_t i) {
    if (type == FLOAT64) return ((const double*)base)[i];
    if (type == FLOAT32) return ((const float*)base)[i];
    if (type == FLOAT16) return (double)((const _Float16*)base)[i];
    return from_bits((uint32_t)((const uint16_t*)base)[i] << 16);
}
static void write(void* base, int type, int64_t i, double x) {
    if (type == FLOAT64) ((double*)base)[i] = x;
    else if (type == FLOAT32) ((float*)base)[i] = (float)x;
    else if (type == FLOAT16) ((_Float16*)base)[i] = (_Float16)x;
    else ((uint16_t*)base)[i] = bits_of(rounded_to((float)x, 7)) >> 16;
}
static double element(const void* base, const Layout* l, bool transposed, int64_t b, int64_t i,
                      int64_t j, int compute) {
    if (transposed) { const int64_t k = i; i = j, j = k; }
    const double x = read(base, l->type, b * l->stride + j * l->leading + i);
    return compute == 77 ? rounded_to((float)x, 10) : compute == 75 ? rounded_to((float)x, 7) : x;
}
static double gelu(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double gelu_slope(double x) {
    const double t = tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}

extern "C" {
int fake_alive() { return alive; }
void fake_refuse(int epilogue) { refused_epilogue = epilogue; }

int cublasLtCreate(void** handle) { *handle = malloc(1); return SUCCESS; }
int cublasLtMatmulDescCreate(Description** d, int compute, int scale) {
    *d = new Description{compute, scale, 0, 0, 1, 0, 0, 0};
    ++alive;
    return SUCCESS;
}
int cublasLtMatmulDescDestroy(Description* d) { delete d; --alive; return SUCCESS; }
int cublasLtMatmulDescSetAttribute(Description* d, int which, const void* value, size_t size) {
    if (which == 3 && size == 4) memcpy(&d->transpose_a, value, 4);
    else if (which == 4 && size == 4) memcpy(&d->transpose_b, value, 4);
    else if (which == 7 && size == 4) memcpy(&d->epilogue, value, 4);
    else if (which == 8 && size == 8) memcpy(&d->bias, value, 8);
    else if (which == 11 && size == 8) memcpy(&d->auxiliary, value, 8);
    else if (which == 12 && size == 8) memcpy(&d->auxiliary_leading, value, 8);
    else return INVALID;
    return SUCCESS;
}
int cublasLtMatrixLayoutCreate(Layout** l, int type, uint64_t rows, uint64_t columns, int64_t ld) {
    if (ld < (int64_t)rows) return INVALID;
    *l = new Layout{type, (int64_t)rows, (int64_t)columns, ld, 0, 1};
    ++alive;
    return SUCCESS;
}
int cublasLtMatrixLayoutDestroy(Layout* l) { delete l; --alive; return SUCCESS; }
int cublasLtMatrixLayoutSetAttribute(Layout* l, int which, const void* value, size_t size) {
    if (which == 5 && size == 4) memcpy(&l->batch, value, 4);
    else if (which == 6 && size == 8) memcpy(&l->stride, value, 8);
    else return INVALID;
    return SUCCESS;
}
int cublasLtMatmulPreferenceCreate(Preference** p) {
    *p = new Preference{{256, 256}};
    ++alive;
    return SUCCESS;
}
int cublasLtMatmulPreferenceDestroy(Preference* p) { delete p; --alive; return SUCCESS; }
int cublasLtMatmulPreferenceSetAttribute(Preference* p, int which, const void* value, size_t size) {
    if (which == 1 && size == 8) most_workspace = *(const uint64_t*)value;
    else if ((which == 5 || which == 6) && size == 4) memcpy(p->alignments + which - 5, value, 4);
    else return INVALID;
    return SUCCESS;
}
int cublasLtMatmulAlgoGetHeuristic(void*, Description* d, Layout*, Layout*, Layout*, Layout*,
                                   Preference* p, int, Heuristic* found, int* count) {
    *count = d->epilogue != refused_epilogue;
    found[0].state = 0;
    found[0].workspace = 64;
    found[0].algorithm[0] = 42;
    found[0].algorithm[1] = p->alignments[0];
    found[0].algorithm[2] = p->alignments[1];
    return SUCCESS;
}
int cublasLtMatmul(void*, Description* d, const void* alpha, const void* a, Layout* la,
                   const void* b, Layout* lb, const void* beta, const void*, Layout*, void* out,
                   Layout* lo, const uint64_t* algorithm, void* workspace, size_t size, void*) {
    const int64_t m = lo->rows, n = lo->columns, k = d->transpose_a ? la->rows : la->columns;
    const int e = d->epilogue, type = d->scale == FLOAT64 ? FLOAT64 : FLOAT32;
    const bool fits = (d->transpose_a ? la->columns : la->rows) == m &&
                      (d->transpose_b ? lb->rows : lb->columns) == n &&
                      (d->transpose_b ? lb->columns : lb->rows) == k;
    if (!fits || algorithm[0] != 42 || size > most_workspace || !workspace) return INVALID;
    // The algorithm reads as many bytes at a time as it was told that it may.
    if ((uint64_t)a % algorithm[1] || (uint64_t)b % algorithm[2]) return INVALID;
    if (la->batch != lo->batch || lb->batch != lo->batch) return INVALID;
    const int64_t step = e & (GELU | DGELU) ? 8 : 128;
    const bool auxiliary = e & AUX && e != 1;
    if (auxiliary && (d->auxiliary_leading % step || d->auxiliary_leading < m)) return INVALID;
    const double scale = read(alpha, type, 0);
    if (read(beta, type, 0) != 0) return INVALID;
    uint8_t* mask = (uint8_t*)d->auxiliary;
    double* sums = (double*)calloc(m + n, sizeof(double));
    for (int64_t s = 0; s < lo->batch; ++s)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t i = 0; i < m; ++i) {
                double x = 0;
                for (int64_t l = 0; l < k; ++l)
                    x += element(a, la, d->transpose_a, s, i, l, d->compute) *
                         element(b, lb, d->transpose_b, s, l, j, d->compute);
                x *= scale;
                const int64_t bit = j * d->auxiliary_leading + i;
                if (e & BIAS) x += read(d->bias, lo->type, i);
                if (e == 136 || e == 152) x *= mask[bit / 8] >> bit % 8 & 1;
                if (e == 192 || e == 208) x *= gelu_slope(read(d->auxiliary, lo->type, bit));
                if (e == 130 || e == 134) {
                    mask[bit / 8] &= ~(1 << bit % 8);
                    mask[bit / 8] |= (x > 0) << bit % 8;
                }
                if (e == 160 || e == 164) write(d->auxiliary, lo->type, bit, x);
                if (e == 2 || e == 6 || e == 130 || e == 134) x = x > 0 ? x : 0;
                if (e == 32 || e == 36 || e == 160 || e == 164) x = gelu(x);
                sums[i] += x;
                write(out, lo->type, s * lo->stride + j * lo->leading + i, x);
            }
    if (e == 152 || e == 208)
        for (int64_t i = 0; i < m; ++i) write(d->bias, lo->type, i, sums[i]);
    if (e == BGRADA)
        for (int64_t i = 0; i < m; ++i) {
            double x = 0;
            for (int64_t l = 0; l < k; ++l) x += element(a, la, d->transpose_a, 0, i, l, 0);
            write(d->bias, lo->type, i, x);
        }
    if (e == BGRADB)
        for (int64_t j = 0; j < n; ++j) {
            double x = 0;
            for (int64_t l = 0; l < k; ++l) x += element(b, lb, d->transpose_b, 0, l, j, 0);
            write(d->bias, lo->type, j, x);
        }
    free(sums);
    return SUCCESS;
}
}
