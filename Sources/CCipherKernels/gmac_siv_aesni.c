// AES-GMAC-SIV with AES-NI and PCLMULQDQ, eight blocks wide.
// Read first: ghash_portable.c for the form of GHASH; S. Gueron, "AES-GCM-SIV" on reduction by two multiplications.
// Products are summed unreduced over up to 32 blocks with key powers 34 to 1; one reduction per 512 bytes.

#include "kernels.h"

#if CK_X86

#include <immintrin.h>

#define TARGET __attribute__((target("aes,pclmul,avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum { WIDTH = 8, STEP = 32, STEP_BYTES = 16 * STEP };

typedef struct {
    __m128i low, middle, high;
} sums;

INLINE __m128i reversed(__m128i block) {
    return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

INLINE __m128i power(const struct ck_context *context, size_t exponent) {
    return _mm_load_si128((const __m128i *)context->power[CK_HIGHEST_POWER - exponent]);
}

INLINE void accumulate(sums *s, __m128i block, __m128i key) {
    s->low = _mm_xor_si128(s->low, _mm_clmulepi64_si128(block, key, 0x00));
    s->high = _mm_xor_si128(s->high, _mm_clmulepi64_si128(block, key, 0x11));
    s->middle = _mm_xor_si128(
        s->middle, _mm_xor_si128(_mm_clmulepi64_si128(block, key, 0x01), _mm_clmulepi64_si128(block, key, 0x10)));
}

INLINE __m128i reduced(const sums *s) {
    const __m128i polynomial = _mm_set_epi64x(0, (long long)0xc200000000000000);
    __m128i low = _mm_xor_si128(s->low, _mm_slli_si128(s->middle, 8));
    __m128i high = _mm_xor_si128(s->high, _mm_srli_si128(s->middle, 8));
    low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x00));
    low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x00));
    return _mm_xor_si128(high, low);
}

INLINE __m128i load_partial(const uint8_t *text, size_t length) {
    _Alignas(16) uint8_t block[16] = {0};
    memcpy(block, text, length);
    return _mm_load_si128((const __m128i *)block);
}

INLINE sums leading_sums(const struct ck_context *context, const ck_siv_job *job) {
    // The leading block stands before everything its first step multiplies: a full step, or all the rest and the
    // length block.
    const size_t exponent = job->length >= STEP_BYTES ? STEP + 1 : (job->length + 15) / 16 + 2;
    const __m128i leading = reversed(_mm_loadu_si128((const __m128i *)job->leading));
    sums s = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
    accumulate(&s, leading, power(context, exponent));
    return s;
}

// The last step: fewer than 512 bytes of text, then the length block.
INLINE __m128i finish_hash(
    const struct ck_context *context, const ck_siv_job *job, sums s, __m128i state, const uint8_t *text,
    size_t length) {
    size_t exponent = (length + 15) / 16 + 1;
    for (; length >= 16; text += 16, length -= 16) {
        const __m128i block = reversed(_mm_loadu_si128((const __m128i *)text));
        accumulate(&s, _mm_xor_si128(block, state), power(context, exponent--));
        state = _mm_setzero_si128();
    }
    if (length > 0) {
        accumulate(&s, _mm_xor_si128(reversed(load_partial(text, length)), state), power(context, exponent));
        state = _mm_setzero_si128();
    }
    const __m128i lengths = _mm_set_epi64x((long long)job->bits, 0);
    accumulate(&s, _mm_xor_si128(lengths, state), power(context, 1));
    return reduced(&s);
}

INLINE __m128i hash(const struct ck_context *context, const ck_siv_job *job) {
    const uint8_t *text = job->text;
    size_t length = job->length;
    sums s = leading_sums(context, job);
    __m128i state = _mm_setzero_si128();
    for (; length >= STEP_BYTES; text += STEP_BYTES, length -= STEP_BYTES) {
        const __m128i first = reversed(_mm_loadu_si128((const __m128i *)text));
        accumulate(&s, _mm_xor_si128(first, state), power(context, STEP));
#pragma clang loop unroll_count(4)
        for (size_t i = 1; i < STEP; i++) {
            const __m128i block = reversed(_mm_loadu_si128((const __m128i *)(text + 16 * i)));
            accumulate(&s, block, power(context, STEP - i));
        }
        state = reduced(&s);
        s.low = s.middle = s.high = _mm_setzero_si128();
    }
    return finish_hash(context, job, s, state, text, length);
}

INLINE __m128i round_key(const uint8_t keys[CK_AES_ROUNDS + 1][16], int i) {
    return _mm_loadu_si128((const __m128i *)keys[i]);
}

INLINE __m128i encrypt(const uint8_t keys[CK_AES_ROUNDS + 1][16], __m128i block) {
    block = _mm_xor_si128(block, round_key(keys, 0));
    for (int i = 1; i < CK_AES_ROUNDS; i++) block = _mm_aesenc_si128(block, round_key(keys, i));
    return _mm_aesenclast_si128(block, round_key(keys, CK_AES_ROUNDS));
}

INLINE __m128i decrypt(const uint8_t keys[CK_AES_ROUNDS + 1][16], __m128i block) {
    block = _mm_xor_si128(block, round_key(keys, 0));
    for (int i = 1; i < CK_AES_ROUNDS; i++) block = _mm_aesdec_si128(block, round_key(keys, i));
    return _mm_aesdeclast_si128(block, round_key(keys, CK_AES_ROUNDS));
}

// The GMAC's final mask: the block of iv || 0 0 0 1, encrypted under the other key.
INLINE __m128i mask_block(const struct ck_context *context, uint64_t iv) {
    return encrypt(context->gmac_round, _mm_set_epi64x((long long)((uint64_t)1 << 56), (long long)iv));
}

INLINE uint64_t folded(__m128i state, __m128i mask) {
    const __m128i mac = _mm_xor_si128(reversed(state), mask);
    return (uint64_t)_mm_cvtsi128_si64(mac) ^ (uint64_t)_mm_extract_epi64(mac, 1);
}

// Counter blocks have their last word byte-swapped while they are counted.
INLINE __m128i counter_order(__m128i block) {
    return _mm_shuffle_epi8(block, _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}

INLINE __m128i first_counter(__m128i tag) {
    return counter_order(_mm_and_si128(tag, _mm_set_epi32((int)0xffffff7f, -1, -1, -1)));
}

INLINE __m128i counter_plus(__m128i counter, int count) {
    return counter_order(_mm_add_epi32(counter, _mm_set_epi32(count, 0, 0, 0)));
}

#define EACH(i) for (int i = 0; i < WIDTH; i++)

INLINE void start_counters(const struct ck_context *context, __m128i *counter, __m128i *x) {
    const __m128i key = round_key(context->siv_round, 0);
    EACH(k) x[k] = _mm_xor_si128(counter_plus(*counter, k), key);
    *counter = _mm_add_epi32(*counter, _mm_set_epi32(WIDTH, 0, 0, 0));
}

INLINE void apply_stream(const struct ck_context *context, uint8_t *text, __m128i *x) {
    const __m128i key = round_key(context->siv_round, CK_AES_ROUNDS);
    EACH(k) {
        __m128i *place = (__m128i *)(text + 16 * k);
        x[k] = _mm_aesenclast_si128(x[k], _mm_xor_si128(key, _mm_loadu_si128(place)));
        _mm_storeu_si128(place, x[k]);
    }
}

INLINE void crypt_wide(const struct ck_context *context, __m128i *counter, uint8_t *text) {
    __m128i x[WIDTH];
    start_counters(context, counter, x);
#pragma clang loop unroll(full)
    for (int i = 1; i < CK_AES_ROUNDS; i++) {
        const __m128i key = round_key(context->siv_round, i);
        EACH(k) x[k] = _mm_aesenc_si128(x[k], key);
    }
    apply_stream(context, text, x);
}

// Decrypts eight blocks while hashing the eight plaintext blocks before them; `exponent` is the power of the first.
INLINE void crypt_and_hash(
    const struct ck_context *context, __m128i *counter, uint8_t *text, sums *s, __m128i state, size_t exponent) {
    __m128i x[WIDTH];
    start_counters(context, counter, x);
    const uint8_t *before = text - 16 * WIDTH;
#pragma clang loop unroll(full)
    for (int i = 1; i < CK_AES_ROUNDS; i++) {
        const __m128i key = round_key(context->siv_round, i);
        EACH(k) x[k] = _mm_aesenc_si128(x[k], key);
        if (i <= WIDTH) {
            __m128i block = reversed(_mm_loadu_si128((const __m128i *)(before + 16 * (i - 1))));
            if (i == 1) block = _mm_xor_si128(block, state);
            accumulate(s, block, power(context, exponent - (size_t)(i - 1)));
        }
    }
    apply_stream(context, text, x);
}

INLINE void hash_wide(const struct ck_context *context, const uint8_t *text, sums *s, __m128i state, size_t exponent) {
    EACH(k) {
        __m128i block = reversed(_mm_loadu_si128((const __m128i *)(text + 16 * k)));
        if (k == 0) block = _mm_xor_si128(block, state);
        accumulate(s, block, power(context, exponent - (size_t)k));
    }
}

// Fewer than eight blocks.
INLINE void crypt_rest(const struct ck_context *context, __m128i counter, uint8_t *text, size_t length) {
    if (length == 0) return;
    __m128i x[WIDTH];
    const size_t blocks = (length + 15) / 16;
    if (blocks > 4) {
        start_counters(context, &counter, x);
        for (int i = 1; i < CK_AES_ROUNDS; i++) {
            const __m128i key = round_key(context->siv_round, i);
            EACH(k) x[k] = _mm_aesenc_si128(x[k], key);
        }
    } else {
        const __m128i key0 = round_key(context->siv_round, 0);
        for (int k = 0; k < 4; k++) x[k] = _mm_xor_si128(counter_plus(counter, k), key0);
        for (int i = 1; i < CK_AES_ROUNDS; i++) {
            const __m128i key = round_key(context->siv_round, i);
            for (int k = 0; k < 4; k++) x[k] = _mm_aesenc_si128(x[k], key);
        }
    }
    const __m128i last = round_key(context->siv_round, CK_AES_ROUNDS);
    size_t k = 0;
    for (; length >= 16; k++, text += 16, length -= 16) {
        const __m128i block = _mm_loadu_si128((const __m128i *)text);
        _mm_storeu_si128((__m128i *)text, _mm_aesenclast_si128(x[k], _mm_xor_si128(last, block)));
    }
    if (length > 0) {
        _Alignas(16) uint8_t block[16];
        const __m128i plain = load_partial(text, length);
        _mm_store_si128((__m128i *)block, _mm_aesenclast_si128(x[k], _mm_xor_si128(last, plain)));
        memcpy(text, block, length);
    }
}

TARGET void ck_siv_seal_aesni(const struct ck_context *context, const ck_siv_job *job, uint8_t *tag) {
    const uint64_t iv = ck_load64(job->iv);
    const __m128i mask = mask_block(context, iv);
    const uint64_t mac = folded(hash(context, job), mask);
    const __m128i sealed = encrypt(context->siv_round, _mm_set_epi64x((long long)mac, (long long)iv));
    _mm_storeu_si128((__m128i *)tag, sealed);
    __m128i counter = first_counter(sealed);
    uint8_t *text = job->text;
    size_t length = job->length;
    for (; length >= 16 * WIDTH; text += 16 * WIDTH, length -= 16 * WIDTH) crypt_wide(context, &counter, text);
    crypt_rest(context, counter, text, length);
}

TARGET int ck_siv_open_aesni(const struct ck_context *context, ck_siv_job *job, const uint8_t *tag) {
    const __m128i sealed = _mm_loadu_si128((const __m128i *)tag);
    const __m128i inner = decrypt(context->siv_inverse_round, sealed);
    const uint64_t iv = (uint64_t)_mm_cvtsi128_si64(inner);
    ck_store64(job->iv, iv);
    const __m128i mask = mask_block(context, iv);
    __m128i counter = first_counter(sealed);
    uint8_t *text = job->text;
    size_t length = job->length;
    sums s = leading_sums(context, job);
    __m128i state = _mm_setzero_si128();
    for (; length >= STEP_BYTES; text += STEP_BYTES, length -= STEP_BYTES) {
        crypt_wide(context, &counter, text);
        size_t exponent = STEP;
        for (size_t i = 1; i < STEP / WIDTH; i++, exponent -= WIDTH) {
            crypt_and_hash(context, &counter, text + 16 * WIDTH * i, &s, state, exponent);
            state = _mm_setzero_si128();
        }
        hash_wide(context, text + STEP_BYTES - 16 * WIDTH, &s, state, exponent);
        state = reduced(&s);
        s.low = s.middle = s.high = _mm_setzero_si128();
    }
    // Less than a step: the last eight whole blocks and the rest are hashed after the stream is done.
    uint8_t *rest = text;
    size_t left = length;
    if (left >= 16 * WIDTH) {
        size_t exponent = (length + 15) / 16 + 1;
        crypt_wide(context, &counter, rest);
        for (rest += 16 * WIDTH, left -= 16 * WIDTH; left >= 16 * WIDTH; rest += 16 * WIDTH, left -= 16 * WIDTH) {
            crypt_and_hash(context, &counter, rest, &s, state, exponent);
            state = _mm_setzero_si128();
            exponent -= WIDTH;
            text += 16 * WIDTH;
        }
    }
    crypt_rest(context, counter, rest, left);
    length = left + (size_t)(rest - text);
    const uint64_t mac = folded(finish_hash(context, job, s, state, text, length), mask);
    const uint64_t claimed = (uint64_t)_mm_extract_epi64(inner, 1);
    return ck_equal((const uint8_t *)&mac, (const uint8_t *)&claimed, 8);
}

TARGET void ck_siv_invert_keys_aesni(struct ck_context *context) {
    for (int i = 0; i <= CK_AES_ROUNDS; i++) {
        __m128i key = round_key(context->siv_round, CK_AES_ROUNDS - i);
        if (i != 0 && i != CK_AES_ROUNDS) key = _mm_aesimc_si128(key);
        _mm_storeu_si128((__m128i *)context->siv_inverse_round[i], key);
    }
}

#endif
