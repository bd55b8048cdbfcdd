// The memory-hard digest that ties an address to its keys. Its key stream depends on a counter only, so it is made many
// blocks at a time; the mixing is a chain of swaps between a 2 MiB table and the digest.

// MAP_ANONYMOUS is not of standard C.
#define _DEFAULT_SOURCE
#include <sys/mman.h>

#include "kernels.h"

enum {
    TABLE_BLOCKS = 32768,
    TABLE_WORDS = TABLE_BLOCKS * 8,
    STREAM_BLOCKS = 64,
};

// Turns `STREAM_BLOCKS` blocks into their running xor, continued from `sum`.
static void accumulate(uint64_t *sum, uint64_t *blocks) {
    for (size_t i = 0; i < STREAM_BLOCKS; i++)
        for (size_t k = 0; k < 8; k++) blocks[8 * i + k] = sum[k] ^= blocks[8 * i + k];
}

int ck_identity_digest(uint8_t *digest, int tier) {
    // A mapping of its own: what comes from the heap may stay with the process for ever after.
    const size_t size = TABLE_WORDS * sizeof(uint64_t);
    uint64_t *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) return 0;
    const int best = ck_best_tier();
    ck_salsa20 salsa;
    ck_salsa20_start(&salsa, digest, digest + 32, 20, tier < best ? tier : best);
    uint64_t sum[8] = {0};
    uint64_t block = 0;
    for (; block < TABLE_BLOCKS; block += STREAM_BLOCKS) {
        uint64_t *blocks = table + 8 * block;
        ck_salsa20_stream(&salsa, block, (uint8_t *)blocks, STREAM_BLOCKS);
        accumulate(sum, blocks);
    }
    // The digest is kept as `own ^ sum`, where `sum` is the running xor of the key stream since the mixing began: so a
    // step touches one word of the digest and not all eight.
    uint64_t own[8];
    memcpy(own, digest, 64);
    memset(sum, 0, sizeof sum);
    _Alignas(64) uint64_t sums[8 * (STREAM_BLOCKS + 1)];
    memset(sums, 0, 64);
    for (size_t i = 0; i < TABLE_WORDS; block += STREAM_BLOCKS) {
        ck_salsa20_stream(&salsa, block, (uint8_t *)(sums + 8), STREAM_BLOCKS);
        accumulate(sum, sums + 8);
        for (size_t step = 0; step < STREAM_BLOCKS; step++, i += 2) {
            const uint64_t a = (table[i] >> 56) & 7;
            const uint64_t b = __builtin_bswap64(table[i + 1]) & (TABLE_WORDS - 1);
            const uint64_t mask = sums[8 * step + a];
            const uint64_t taken = table[b];
            table[b] = own[a] ^ mask;
            own[a] = taken ^ mask;
        }
        memcpy(sums, sums + 8 * STREAM_BLOCKS, 64);
    }
    for (int k = 0; k < 8; k++) own[k] ^= sum[k];
    memcpy(digest, own, 64);
    munmap(table, size);
    return 1;
}
