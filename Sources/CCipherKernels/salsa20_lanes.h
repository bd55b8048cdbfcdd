// The body of one width of Salsa20, included by salsa20.c once per width. No guard, on purpose.

typedef uint32_t NAME(lanes) __attribute__((vector_size(4 * LANES)));

#define ROTATE(v, n) (((v) << (n)) | ((v) >> (32 - (n))))
#define QUARTER(a, b, c, d)                                                                                            \
    do {                                                                                                               \
        NAME(lanes) t;                                                                                                 \
        t = x[a] + x[d];                                                                                               \
        x[b] ^= ROTATE(t, 7);                                                                                          \
        t = x[b] + x[a];                                                                                               \
        x[c] ^= ROTATE(t, 9);                                                                                          \
        t = x[c] + x[b];                                                                                               \
        x[d] ^= ROTATE(t, 13);                                                                                         \
        t = x[d] + x[c];                                                                                               \
        x[a] ^= ROTATE(t, 18);                                                                                         \
    } while (0)

// Writes LANES blocks of key stream.
TARGET static void NAME(blocks)(const ck_salsa20 *salsa, uint64_t block, uint8_t *stream) {
    NAME(lanes) x[16], start[16];
    for (int i = 0; i < 16; i++) start[i] = salsa->word[i] - (NAME(lanes)){0};
    for (int i = 0; i < LANES; i++) {
        start[8][i] = (uint32_t)(block + (uint64_t)i);
        start[9][i] = (uint32_t)((block + (uint64_t)i) >> 32);
    }
    for (int i = 0; i < 16; i++) x[i] = start[i];
    for (int round = 0; round < salsa->rounds; round += 2) {
        QUARTER(0, 4, 8, 12);
        QUARTER(5, 9, 13, 1);
        QUARTER(10, 14, 2, 6);
        QUARTER(15, 3, 7, 11);
        QUARTER(0, 1, 2, 3);
        QUARTER(5, 6, 7, 4);
        QUARTER(10, 11, 8, 9);
        QUARTER(15, 12, 13, 14);
    }
    for (int i = 0; i < 16; i++) x[i] += start[i];
    // Within each 128 bits, transpose 4 x 4 words: then 128-bit lane k of row r is a quarter of block 4 k + r.
    for (int quarter = 0; quarter < 4; quarter++) {
        NAME(lanes) *q = x + 4 * quarter;
        NAME(lanes) a = SHUFFLE_LOW_32(q[0], q[1]), b = SHUFFLE_LOW_32(q[2], q[3]);
        NAME(lanes) c = SHUFFLE_HIGH_32(q[0], q[1]), d = SHUFFLE_HIGH_32(q[2], q[3]);
        NAME(lanes) row[4] = {SHUFFLE_LOW_64(a, b), SHUFFLE_HIGH_64(a, b), SHUFFLE_LOW_64(c, d), SHUFFLE_HIGH_64(c, d)};
        for (int r = 0; r < 4; r++)
            for (int k = 0; k < LANES / 4; k++)
                memcpy(stream + 64 * (4 * k + r) + 16 * quarter, (const uint8_t *)&row[r] + 16 * k, 16);
    }
}

#undef ROTATE
#undef QUARTER
#undef LANES
#undef TARGET
#undef NAME
#undef SHUFFLE_LOW_32
#undef SHUFFLE_HIGH_32
#undef SHUFFLE_LOW_64
#undef SHUFFLE_HIGH_64
