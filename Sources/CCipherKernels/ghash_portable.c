// GHASH with integer multiplications only, and the portable AES-GMAC-SIV kernel.
// Read first: NIST SP 800-38D section 6; RFC 8452 appendix A for the bit-reflected form used here: blocks are read as
// big-endian numbers, the key is multiplied by x once, and products are reduced from below.

#include "kernels.h"

// Carry-less 64 x 64 -> 128 bit product. Bits are spread over four classes so that carries fall into holes. Sixteen
// terms would overflow a hole of four bits, so the top four bits of `a` are multiplied on their own.
static inline void multiply64(uint64_t a, uint64_t b, uint64_t *high, uint64_t *low) {
#if defined(__SIZEOF_INT128__)
    const uint64_t mask = 0x1111111111111111;
    uint64_t x[4], y[4];
    for (int i = 0; i < 4; i++) {
        x[i] = a & (mask << i) & 0x0fffffffffffffff;
        y[i] = b & (mask << i);
    }
    unsigned __int128 result = 0;
    const unsigned __int128 wide = ((unsigned __int128)mask << 64) | mask;
    for (int i = 0; i < 4; i++) {
        unsigned __int128 sum = 0;
        for (int j = 0; j < 4; j++) sum ^= (unsigned __int128)x[j] * y[(i - j) & 3];
        result ^= sum & (wide << i);
    }
    for (int i = 60; i < 64; i++) {
        const uint64_t all = 0 - ((a >> i) & 1);
        result ^= (unsigned __int128)(b & all) << i;
    }
    *high = (uint64_t)(result >> 64);
    *low = (uint64_t)result;
#else
    uint64_t h = 0, l = 0;
    for (int i = 63; i >= 0; i--) {
        const uint64_t all = 0 - ((a >> i) & 1);
        h = (h << 1) | (l >> 63);
        l = (l << 1) ^ (b & all);
    }
    *high = h;
    *low = l;
#endif
}

// state = state * key / x^128; both as {low, high}.
static void multiply(uint64_t state[2], const uint64_t key[2]) {
    uint64_t low[2], high[2], middle[2];
    multiply64(state[0], key[0], &low[1], &low[0]);
    multiply64(state[1], key[1], &high[1], &high[0]);
    multiply64(state[0] ^ state[1], key[0] ^ key[1], &middle[1], &middle[0]);
    middle[0] ^= low[0] ^ high[0];
    middle[1] ^= low[1] ^ high[1];
    const uint64_t t0 = low[0], t1 = low[1] ^ middle[0];
    uint64_t t2 = high[0] ^ middle[1], t3 = high[1];
    // Fold the lower words with x^128 = 1 + x^121 + x^126 + x^127.
    const uint64_t f1 = t1 ^ (t0 << 63) ^ (t0 << 62) ^ (t0 << 57);
    t2 ^= t0 ^ (t0 >> 1) ^ (t0 >> 2) ^ (t0 >> 7);
    t2 ^= (f1 << 63) ^ (f1 << 62) ^ (f1 << 57);
    t3 ^= f1 ^ (f1 >> 1) ^ (f1 >> 2) ^ (f1 >> 7);
    state[0] = t2;
    state[1] = t3;
}

void ck_ghash_powers(struct ck_context *context) {
    uint8_t block[16] = {0};
    ck_aes256_encrypt(context->gmac_round, block);
    const uint64_t h1 = __builtin_bswap64(ck_load64(block)), h0 = __builtin_bswap64(ck_load64(block + 8));
    const uint64_t carry = 0 - (h1 >> 63);
    const uint64_t key[2] = {(h0 << 1) ^ (carry & 1), (h1 << 1 | h0 >> 63) ^ (carry & 0xc200000000000000)};
    uint64_t power[2] = {key[0], key[1]};
    for (int i = 1; i <= CK_HIGHEST_POWER; i++) {
        ck_store64(context->power[CK_HIGHEST_POWER - i], power[0]);
        ck_store64(context->power[CK_HIGHEST_POWER - i] + 8, power[1]);
        multiply(power, key);
    }
    ck_wipe(block, sizeof block);
}

void ck_ghash_portable(const struct ck_context *context, uint64_t state[2], const uint8_t *data, size_t length) {
    const uint8_t *slot = context->power[CK_HIGHEST_POWER - 1];
    const uint64_t key[2] = {ck_load64(slot), ck_load64(slot + 8)};
    while (length > 0) {
        uint8_t block[16] = {0};
        const size_t now = length < 16 ? length : 16;
        memcpy(block, data, now);
        state[1] ^= __builtin_bswap64(ck_load64(block));
        state[0] ^= __builtin_bswap64(ck_load64(block + 8));
        multiply(state, key);
        data += now;
        length -= now;
    }
}

// The 8 bytes m of the construction: GMAC folded in half.
static uint64_t folded_mac(const struct ck_context *context, const ck_siv_job *job, const uint8_t *iv) {
    uint64_t state[2] = {0, 0};
    uint8_t block[16];
    ck_ghash_portable(context, state, job->leading, 16);
    ck_ghash_portable(context, state, job->text, job->length);
    ck_store64(block, __builtin_bswap64(job->bits));
    ck_store64(block + 8, 0);
    ck_ghash_portable(context, state, block, 16);
    memcpy(block, iv, 8);
    ck_store64(block + 8, (uint64_t)1 << 56);
    ck_aes256_encrypt(context->gmac_round, block);
    return __builtin_bswap64(state[0] ^ state[1]) ^ ck_load64(block) ^ ck_load64(block + 8);
}

void ck_siv_seal_portable(const struct ck_context *context, const ck_siv_job *job, uint8_t *tag) {
    memcpy(tag, job->iv, 8);
    ck_store64(tag + 8, folded_mac(context, job, job->iv));
    ck_aes256_encrypt(context->siv_round, tag);
    uint8_t counter[16];
    memcpy(counter, tag, 16);
    counter[12] &= 0x7f;
    ck_aes256_ctr_portable(context->siv_round, counter, job->text, job->length);
}

int ck_siv_open_portable(const struct ck_context *context, ck_siv_job *job, const uint8_t *tag) {
    uint8_t counter[16], inner[16];
    memcpy(counter, tag, 16);
    counter[12] &= 0x7f;
    ck_aes256_ctr_portable(context->siv_round, counter, job->text, job->length);
    memcpy(inner, tag, 16);
    ck_aes256_decrypt(context->siv_round, inner);
    memcpy(job->iv, inner, 8);
    const uint64_t expected = folded_mac(context, job, inner);
    return ck_equal((const uint8_t *)&expected, inner + 8, 8);
}
