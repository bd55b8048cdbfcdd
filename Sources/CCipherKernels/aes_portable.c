// AES-256 without tables: eight blocks at a time as bit planes, so that neither time nor addresses depend on secrets.
// Read first: FIPS 197. The S-box is computed as an inversion in GF((2^4)^2) between two linear maps; with
// GF(16) = GF(2)[z]/(z^4+z+1) and GF(256) = GF(16)[y]/(y^2+y+z^3+z), the maps are those of the root of AES's
// polynomial that costs fewest xors.

#include "kernels.h"

// A plane holds one bit of 8 x 16 bytes: byte j of the plane is byte j of the state, its bit b belongs to block b.
typedef uint8_t plane __attribute__((vector_size(16)));
typedef uint64_t plane_words __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))

#define SWAP_BITS(a, b, shift, mask)                                                                                   \
    do {                                                                                                               \
        plane_words lower = (plane_words)(a), upper = (plane_words)(b);                                                \
        plane_words difference = ((lower >> (shift)) ^ upper) & (mask);                                                \
        (b) = (plane)(upper ^ difference);                                                                             \
        (a) = (plane)(lower ^ (difference << (shift)));                                                                \
    } while (0)

// Blocks to planes and back: an 8 x 8 bit transposition at each byte position, its own inverse.
INLINE void transpose(plane *x) {
    const plane_words ones = {0x5555555555555555, 0x5555555555555555};
    const plane_words twos = {0x3333333333333333, 0x3333333333333333};
    const plane_words fours = {0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f};
    for (int i = 0; i < 8; i += 2) SWAP_BITS(x[i], x[i + 1], 1, ones);
    for (int i = 0; i < 8; i++)
        if (!(i & 2)) SWAP_BITS(x[i], x[i + 2], 2, twos);
    for (int i = 0; i < 4; i++) SWAP_BITS(x[i], x[i + 4], 4, fours);
}

INLINE void multiply16(plane *c, const plane *a, const plane *b) {
    plane d3 = (a[0] & b[3]) ^ (a[1] & b[2]) ^ (a[2] & b[1]) ^ (a[3] & b[0]);
    plane d4 = (a[1] & b[3]) ^ (a[2] & b[2]) ^ (a[3] & b[1]);
    plane d5 = (a[2] & b[3]) ^ (a[3] & b[2]);
    plane d6 = a[3] & b[3];
    plane c0 = (a[0] & b[0]) ^ d4;
    plane c1 = (a[0] & b[1]) ^ (a[1] & b[0]) ^ d4 ^ d5;
    plane c2 = (a[0] & b[2]) ^ (a[1] & b[1]) ^ (a[2] & b[0]) ^ d5 ^ d6;
    c[0] = c0;
    c[1] = c1;
    c[2] = c2;
    c[3] = d3 ^ d6;
}

// Inverse in the tower field of t = (t[4..7]) y + (t[0..3]); zero stays zero.
INLINE void invert_tower(plane *t) {
    plane *low = t, *high = t + 4;
    plane sum[4], delta[4], inverse[4];
    for (int i = 0; i < 4; i++) sum[i] = low[i] ^ high[i];
    // delta = lambda high^2 + low (low + high)
    multiply16(delta, low, sum);
    delta[0] ^= high[2] ^ high[3];
    delta[1] ^= high[0] ^ high[1];
    delta[2] ^= high[1] ^ high[2];
    delta[3] ^= high[0] ^ high[1] ^ high[2];
    // The inverse in GF(16) as a polynomial in the four bits.
    plane d0 = delta[0], d1 = delta[1], d2 = delta[2], d3 = delta[3];
    plane d01 = d0 & d1, d02 = d0 & d2, d03 = d0 & d3, d12 = d1 & d2, d13 = d1 & d3, d23 = d2 & d3;
    plane d123 = d12 & d3;
    inverse[0] = d0 ^ d1 ^ d2 ^ d02 ^ d12 ^ (d01 & d2) ^ d3 ^ d123;
    inverse[1] = d01 ^ d02 ^ d12 ^ d3 ^ d13 ^ (d01 & d3);
    inverse[2] = d01 ^ d2 ^ d02 ^ d3 ^ d03 ^ (d02 & d3);
    inverse[3] = d1 ^ d2 ^ d3 ^ d03 ^ d13 ^ d23 ^ d123;
    multiply16(high, high, inverse);
    multiply16(low, sum, inverse);
}

INLINE void substitute(plane *x) {
    plane t[8];
    t[7] = x[5] ^ x[7];
    t[2] = x[2];
    t[1] = x[2] ^ x[6] ^ t[7];
    t[0] = x[0] ^ x[2] ^ t[7];
    t[3] = x[3] ^ x[4];
    t[4] = x[1] ^ t[7];
    t[5] = x[2] ^ x[3];
    t[6] = x[1] ^ x[4] ^ x[6] ^ x[7];
    invert_tower(t);
    plane t123 = t[1] ^ t[2] ^ t[3];
    plane t01 = t[0] ^ t[1];
    plane t56 = t[5] ^ t[6];
    x[0] = ~(t[0] ^ t123 ^ t[5] ^ t[7]);
    x[1] = ~(t01 ^ t[4]);
    x[2] = t[0] ^ t[2] ^ t[3] ^ t56 ^ t[7];
    x[3] = t[0] ^ t123 ^ t[6];
    x[4] = t[0] ^ t[3] ^ t[4];
    x[5] = ~(t[1] ^ t[2] ^ t56);
    x[6] = ~(t[4] ^ t56);
    x[7] = t123;
}

INLINE void substitute_back(plane *x) {
    plane t[8];
    plane x456 = x[4] ^ x[5] ^ x[6];
    plane x012 = x[0] ^ x[1] ^ x[2];
    t[0] = x456 ^ x[7];
    t[1] = ~(x[0] ^ x[2] ^ x[3] ^ x456);
    t[2] = ~(x[1] ^ x[4] ^ x[7]);
    t[3] = x012 ^ x[3] ^ x[5] ^ x[6];
    t[4] = x012 ^ x[3] ^ x[7];
    t[5] = ~(x012 ^ x[4] ^ x[5] ^ x[7]);
    t[6] = x[3] ^ x456;
    t[7] = x[1] ^ x[2] ^ x[6] ^ x[7];
    invert_tower(t);
    plane t1345 = t[1] ^ t[3] ^ t[4] ^ t[5];
    x[0] = t[0] ^ t[2] ^ t[7];
    x[1] = t[4] ^ t[7];
    x[2] = t[2];
    x[3] = t[2] ^ t[5];
    x[4] = t[2] ^ t[3] ^ t[5];
    x[5] = t1345 ^ t[6] ^ t[7];
    x[6] = t[1] ^ t[2] ^ t[7];
    x[7] = t1345 ^ t[6];
}

#define ROTATE_ROWS_1(v) __builtin_shufflevector(v, v, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)
#define ROTATE_ROWS_2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SHIFT_ROWS(v) __builtin_shufflevector(v, v, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11)
#define UNSHIFT_ROWS(v) __builtin_shufflevector(v, v, 0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3)

INLINE void mix_columns(plane *x) {
    plane next[8], t[8];
    for (int i = 0; i < 8; i++) {
        next[i] = ROTATE_ROWS_1(x[i]);
        t[i] = x[i] ^ next[i];
        next[i] ^= ROTATE_ROWS_2(t[i]);
    }
    // 2 t + next row + the two rows opposite
    x[0] = next[0] ^ t[7];
    x[1] = next[1] ^ t[0] ^ t[7];
    x[2] = next[2] ^ t[1];
    x[3] = next[3] ^ t[2] ^ t[7];
    x[4] = next[4] ^ t[3] ^ t[7];
    x[5] = next[5] ^ t[4];
    x[6] = next[6] ^ t[5];
    x[7] = next[7] ^ t[6];
}

INLINE void add_round_key(plane *x, const uint8_t *round_key) {
    plane key;
    memcpy(&key, round_key, 16);
    for (int i = 0; i < 8; i++) {
        const uint8_t bit = (uint8_t)(1u << i);
        const plane mask = {bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit};
        x[i] ^= (plane)((key & mask) == mask);
    }
}

static void encrypt_planes(const uint8_t round[CK_AES_ROUNDS + 1][16], plane *x) {
    add_round_key(x, round[0]);
    for (int i = 1;; i++) {
        substitute(x);
        for (int k = 0; k < 8; k++) x[k] = SHIFT_ROWS(x[k]);
        if (i == CK_AES_ROUNDS) break;
        mix_columns(x);
        add_round_key(x, round[i]);
    }
    add_round_key(x, round[CK_AES_ROUNDS]);
}

static void decrypt_planes(const uint8_t round[CK_AES_ROUNDS + 1][16], plane *x) {
    add_round_key(x, round[CK_AES_ROUNDS]);
    for (int i = CK_AES_ROUNDS - 1;; i--) {
        for (int k = 0; k < 8; k++) x[k] = UNSHIFT_ROWS(x[k]);
        substitute_back(x);
        add_round_key(x, round[i]);
        if (i == 0) break;
        // The matrix of MixColumns has order four: three times forward is once back.
        mix_columns(x);
        mix_columns(x);
        mix_columns(x);
    }
}

void ck_aes256_encrypt(const uint8_t round[CK_AES_ROUNDS + 1][16], uint8_t *block) {
    plane x[8] = {{0}};
    memcpy(x, block, 16);
    transpose(x);
    encrypt_planes(round, x);
    transpose(x);
    memcpy(block, x, 16);
    ck_wipe(x, sizeof x);
}

void ck_aes256_decrypt(const uint8_t round[CK_AES_ROUNDS + 1][16], uint8_t *block) {
    plane x[8] = {{0}};
    memcpy(x, block, 16);
    transpose(x);
    decrypt_planes(round, x);
    transpose(x);
    memcpy(block, x, 16);
    ck_wipe(x, sizeof x);
}

void ck_aes256_expand(uint8_t round[CK_AES_ROUNDS + 1][16], const uint8_t *key) {
    uint8_t *words = round[0];
    memcpy(words, key, 32);
    uint8_t constant = 1;
    for (int i = 8; i < 4 * (CK_AES_ROUNDS + 1); i++) {
        uint8_t word[16] = {0};
        memcpy(word, words + 4 * (i - 1), 4);
        if (i % 4 == 0) {
            plane x[8] = {{0}};
            if (i % 8 == 0) {
                const uint8_t first = word[0];
                memmove(word, word + 1, 3);
                word[3] = first;
            }
            memcpy(x, word, 16);
            transpose(x);
            substitute(x);
            transpose(x);
            memcpy(word, x, 4);
            ck_wipe(x, sizeof x);
            if (i % 8 == 0) {
                word[0] ^= constant;
                constant = (uint8_t)(constant << 1);
            }
        }
        ck_store32(words + 4 * i, ck_load32(words + 4 * (i - 8)) ^ ck_load32(word));
        ck_wipe(word, sizeof word);
    }
}

void ck_aes256_ctr_portable(
    const uint8_t round[CK_AES_ROUNDS + 1][16], const uint8_t *counter, uint8_t *text, size_t length) {
    plane x[8];
    uint8_t block[16];
    memcpy(block, counter, 16);
    uint32_t number = __builtin_bswap32(ck_load32(block + 12));
    while (length > 0) {
        for (int i = 0; i < 8; i++) {
            ck_store32(block + 12, __builtin_bswap32(number++));
            memcpy(&x[i], block, 16);
        }
        transpose(x);
        encrypt_planes(round, x);
        transpose(x);
        const size_t now = length < 128 ? length : 128;
        const uint8_t *stream = (const uint8_t *)x;
        for (size_t i = 0; i < now; i++) text[i] ^= stream[i];
        text += now;
        length -= now;
    }
    ck_wipe(x, sizeof x);
}

void ck_aes256_block(const uint8_t *key, uint8_t *block, int decrypt) {
    uint8_t round[CK_AES_ROUNDS + 1][16];
    ck_aes256_expand(round, key);
    if (decrypt)
        ck_aes256_decrypt(round, block);
    else
        ck_aes256_encrypt(round, block);
    ck_wipe(round, sizeof round);
}
