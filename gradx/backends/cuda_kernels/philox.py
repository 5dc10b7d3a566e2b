"""Random bits: Philox4x64-10, the same as on the CPU (``gradx.random.philox`` has the source).

Word ``j`` is word ``j % 4`` of the block of the key at the counter
``(first + j // 4, 0, 0, domain)``. A key is two words in the device's memory, so that a
captured step that makes its next key draws fresh numbers when it is replayed.
"""

DRAW, SPLIT, FOLD = range(3)

PHILOX = """
struct Words { uint64 of[4]; };

__device__ __forceinline__ Words philox(const uint64* key, uint64 low, uint64 high, uint64 domain) {
    const uint64 first = 0xd2e7470ee14c6c93ull, second = 0xca5a826395121157ull;
    uint64 key0 = key[0], key1 = key[1];
    Words words = {{low, high, 0, domain}};
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        const uint64 x = words.of[0], y = words.of[2];
        words = {{__umul64hi(second, y) ^ words.of[1] ^ key0, second * y,
                  __umul64hi(first, x) ^ words.of[3] ^ key1, first * x}};
        key0 += 0x9e3779b97f4a7c15ull;
        key1 += 0xbb67ae8584caa73bull;
    }
    return words;
}

// Half i of a block: two to a word, the low one first.
__device__ __forceinline__ uint32 half_of(const Words& words, int i) {
    return (uint32)(words.of[i / 2] >> (32 * (i % 2)));
}
"""
