// The CUDA C that gradx's kernels are written in, on a CPU: for g++, in one thread.
//
// Blocks run one after another. The threads of a block are coroutines that take turns and give
// them away at barriers and shuffles only, so that a run is the same every time. Odd blocks run
// their threads from the last to the first: what holds only in one order, because a barrier is
// missing, shows. A barrier that some thread never reaches is found and reported.
//
// It cannot show races between blocks, wrong alignment, the memory model, or speed.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
const int MOST_THREADS = 1024;
const size_t STACK = 32 * 1024;

struct Barrier { int arrived, generation; };
struct Thread { ucontext_t context; dim3 index; bool done; };

static Thread threads[MOST_THREADS];
static char* stacks;
static ucontext_t scheduler;
static Barrier of_block, of_warp[MOST_THREADS / 32];
static uint64_t exchanged[MOST_THREADS];
static int count, current, alive, moved;
static void (*body)(void*);
static void* arguments;

static inline void pause() { swapcontext(&threads[current].context, &scheduler); }

// Wait for so many threads, those that have returned among them: CUDA leaves that undefined.
static void wait(Barrier& barrier, int expected) {
    const int generation = barrier.generation;
    ++barrier.arrived;
    ++moved;
    while (barrier.generation == generation) {
        if (barrier.arrived < expected) { pause(); continue; }
        barrier.arrived = 0;
        ++barrier.generation;
        ++moved;
    }
}

static void run_thread() {
    body(arguments);
    threads[current].done = true;
    --alive;
    ++moved;
    pause();
}

static void start(int i) {
    Thread& thread = threads[i];
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = stacks + i * STACK;
    thread.context.uc_stack.ss_size = STACK;
    thread.context.uc_link = &scheduler;
    thread.done = false;
    thread.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
    makecontext(&thread.context, run_thread, 0);
}

static bool run_block(bool backwards) {
    for (int i = 0; i < count; ++i) start(i);
    of_block = Barrier{};
    memset(of_warp, 0, sizeof of_warp);
    alive = count;
    while (alive) {
        moved = 0;
        for (int k = 0; k < count; ++k) {
            current = backwards ? count - 1 - k : k;
            if (threads[current].done) continue;
            threadIdx = threads[current].index;
            swapcontext(&scheduler, &threads[current].context);
        }
        if (alive && !moved) return false;
    }
    return true;
}

// 0: all threads returned; 1: some wait at a barrier that others never reach.
static int run(const unsigned* grid, const unsigned* block, void (*function)(void*), void* values) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    count = blockDim.x * blockDim.y * blockDim.z;
    body = function, arguments = values;
    if (!stacks) stacks = (char*)malloc(MOST_THREADS * STACK);
    int number = 0;
    for (unsigned z = 0; z < gridDim.z; ++z)
        for (unsigned y = 0; y < gridDim.y; ++y)
            for (unsigned x = 0; x < gridDim.x; ++x) {
                blockIdx = {x, y, z};
                if (!run_block(number++ % 2)) return 1;
            }
    return 0;
}
}  // namespace emulation

static inline void __syncthreads() {
    const dim3 mine = threadIdx;
    emulation::wait(emulation::of_block, emulation::count);
    threadIdx = mine;
}
static inline void __syncwarp(unsigned = 0xffffffffu) {
    const dim3 mine = threadIdx;
    const int warp = emulation::current / 32, rest = emulation::count - 32 * warp;
    emulation::wait(emulation::of_warp[warp], rest < 32 ? rest : 32);
    threadIdx = mine;
}
template <class T> static T __shfl_sync(unsigned, T value, int lane) {
    const int me = emulation::current, first = me & ~31;
    memcpy(&emulation::exchanged[me], &value, sizeof value);
    __syncwarp();
    T read;
    memcpy(&read, &emulation::exchanged[first + (lane & 31)], sizeof read);
    __syncwarp();
    return read;
}
template <class T> static T __shfl_xor_sync(unsigned mask, T value, int distance) {
    return __shfl_sync(mask, value, (emulation::current & 31) ^ distance);
}
template <class T> static T atomicAdd(T* place, T value) {
    const T before = *place;
    *place = before + value;
    return before;
}

static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)(((unsigned __int128)x * y) >> 64);
}
template <class To, class From> static inline To same_bits(From from) {
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
static inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
static inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
static inline float half_to_float(unsigned short bits) { return (float)same_bits<_Float16>(bits); }
static inline unsigned short float_to_half(float x) {
    return same_bits<unsigned short>((_Float16)x);
}

#define ONE(name) \
    static inline double name(double x) { return __builtin_##name(x); } \
    static inline float name(float x) { return __builtin_##name##f(x); }
#define TWO(name) \
    static inline double name(double x, double y) { return __builtin_##name(x, y); } \
    static inline float name(float x, float y) { return __builtin_##name##f(x, y); }
ONE(acos) ONE(acosh) ONE(asin) ONE(asinh) ONE(atan) ONE(atanh) ONE(ceil) ONE(cos) ONE(cosh)
ONE(erf) ONE(erfc) ONE(exp) ONE(expm1) ONE(fabs) ONE(floor) ONE(log) ONE(log10) ONE(log1p)
ONE(log2) ONE(rint) ONE(sin) ONE(sinh) ONE(sqrt) ONE(tan) ONE(tanh) ONE(trunc)
TWO(atan2) TWO(copysign) TWO(fmod) TWO(hypot) TWO(nextafter) TWO(pow)
#undef ONE
#undef TWO
static inline double rsqrt(double x) { return 1 / sqrt(x); }
static inline float rsqrt(float x) { return 1 / sqrt(x); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
