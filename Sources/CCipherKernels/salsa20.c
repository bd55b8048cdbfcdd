// Salsa20 over 4, 8 or 16 blocks at a time. Read first: D. J. Bernstein, "Salsa20 specification". Each vector holds the
// same word of several blocks; the lanes are put back in order 128 bits at a time.

#include "kernels.h"

static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

void ck_salsa20_start(ck_salsa20 *salsa, const uint8_t *key, const uint8_t *nonce, int rounds, int tier) {
    uint32_t *word = salsa->word;
    for (int i = 0; i < 4; i++) {
        word[5 * i] = constants[i];
        word[1 + i] = ck_load32(key + 4 * i);
        word[11 + i] = ck_load32(key + 16 + 4 * i);
    }
    word[6] = ck_load32(nonce);
    word[7] = ck_load32(nonce + 4);
    word[8] = word[9] = 0;
    salsa->rounds = rounds;
    salsa->tier = tier;
}

#define LANES 4
#define TARGET
#define NAME(x) x##_4
#define SHUFFLE_LOW_32(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define SHUFFLE_HIGH_32(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define SHUFFLE_LOW_64(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define SHUFFLE_HIGH_64(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#include "salsa20_lanes.h"

#if CK_X86
#define LANES 8
#define TARGET __attribute__((target("avx2")))
#define NAME(x) x##_8
#define SHUFFLE_LOW_32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define SHUFFLE_HIGH_32(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define SHUFFLE_LOW_64(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define SHUFFLE_HIGH_64(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#include "salsa20_lanes.h"

#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define NAME(x) x##_16
#define SHUFFLE_LOW_32(a, b)                                                                                           \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define SHUFFLE_HIGH_32(a, b)                                                                                          \
    __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define SHUFFLE_LOW_64(a, b)                                                                                           \
    __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define SHUFFLE_HIGH_64(a, b)                                                                                          \
    __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#include "salsa20_lanes.h"
#endif

// How many blocks one call gives when `needed` are left: the narrowest form that gives them all, else the widest.
static size_t give(const ck_salsa20 *salsa, uint64_t block, uint8_t *stream, size_t needed) {
#if CK_X86
    if (salsa->tier >= CK_TIER_VAES && needed > 8) {
        blocks_16(salsa, block, stream);
        return 16;
    }
    if (salsa->tier >= CK_TIER_AESNI && needed > 4) {
        blocks_8(salsa, block, stream);
        return 8;
    }
#else
    (void)needed;
#endif
    blocks_4(salsa, block, stream);
    return 4;
}

void ck_salsa20_run(const ck_salsa20 *salsa, uint64_t block, uint8_t *first, uint8_t *data, size_t length) {
    _Alignas(64) uint8_t stream[16 * 64];
    size_t skip = first != NULL ? 64 : 0;
    while (length > 0 || skip > 0) {
        const size_t blocks = give(salsa, block, stream, (length + skip + 63) / 64);
        size_t now = 64 * blocks - skip;
        if (now > length) now = length;
        if (skip > 0) memcpy(first, stream, 64);
        const uint8_t *from = stream + skip;
        for (size_t i = 0; i < now; i++) data[i] ^= from[i];
        data += now;
        length -= now;
        block += blocks;
        skip = 0;
    }
    ck_wipe(stream, sizeof stream);
}

void ck_salsa20_stream(const ck_salsa20 *salsa, uint64_t block, uint8_t *stream, size_t count) {
    while (count > 0) {
        const size_t blocks = give(salsa, block, stream, count);
        stream += 64 * blocks;
        block += blocks;
        count -= blocks;
    }
}

void ck_salsa20_xor(
    uint8_t *data, size_t length, const uint8_t *key, const uint8_t *nonce, uint64_t block, int rounds, int tier) {
    ck_salsa20 salsa;
    const int best = ck_best_tier();
    ck_salsa20_start(&salsa, key, nonce, rounds, tier < best ? tier : best);
    ck_salsa20_run(&salsa, block, NULL, data, length);
    ck_wipe(&salsa, sizeof salsa);
}
