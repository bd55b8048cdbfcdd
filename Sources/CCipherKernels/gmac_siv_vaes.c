// AES-GMAC-SIV with VAES and VPCLMULQDQ on 512-bit registers: four blocks an instruction, 32 blocks a step.
// Read first: gmac_siv_aesni.c, of which this is the wide form; masked loads and stores take the place of its tails.

#include "kernels.h"

#if CK_X86

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,avx2,bmi2")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum { STEP = 32, VECTORS = 8, STEP_BYTES = 16 * STEP };

typedef struct {
    __m512i low, middle, high;
} sums;

INLINE __m512i xor3(__m512i a, __m512i b, __m512i c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }

INLINE __m512i everywhere(const uint8_t *block) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)block));
}

INLINE __m512i reversal(void) {
    return _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

// Four consecutive powers, the highest in the first lane.
INLINE __m512i powers(const struct ck_context *context, size_t exponent) {
    return _mm512_loadu_si512(context->power[CK_HIGHEST_POWER - exponent]);
}

// The one power, in the first lane only, so that it multiplies what stands alone.
INLINE __m512i lone_power(const struct ck_context *context, size_t exponent) {
    return _mm512_zextsi128_si512(_mm_loadu_si128((const __m128i *)context->power[CK_HIGHEST_POWER - exponent]));
}

INLINE void accumulate(sums *s, __m512i blocks, __m512i keys) {
    s->low = _mm512_xor_si512(s->low, _mm512_clmulepi64_epi128(blocks, keys, 0x00));
    s->high = _mm512_xor_si512(s->high, _mm512_clmulepi64_epi128(blocks, keys, 0x11));
    s->middle = xor3(
        s->middle, _mm512_clmulepi64_epi128(blocks, keys, 0x01), _mm512_clmulepi64_epi128(blocks, keys, 0x10));
}

INLINE __m128i folded_lanes(__m512i v) {
    const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// The reduced sum of all lanes, in the first lane of an otherwise empty register.
INLINE __m512i reduced(const sums *s) {
    const __m128i polynomial = _mm_set_epi64x(0, (long long)0xc200000000000000);
    const __m128i middle = folded_lanes(s->middle);
    __m128i low = _mm_xor_si128(folded_lanes(s->low), _mm_slli_si128(middle, 8));
    __m128i high = _mm_xor_si128(folded_lanes(s->high), _mm_srli_si128(middle, 8));
    low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x00));
    low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x00));
    return _mm512_zextsi128_si512(_mm_xor_si128(high, low));
}

INLINE sums no_sums(void) {
    const sums s = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    return s;
}

INLINE sums leading_sums(const struct ck_context *context, const ck_siv_job *job) {
    const size_t exponent = job->length >= STEP_BYTES ? STEP + 1 : (job->length + 15) / 16 + 2;
    const __m512i leading = _mm512_shuffle_epi8(
        _mm512_zextsi128_si512(_mm_loadu_si128((const __m128i *)job->leading)), reversal());
    sums s = no_sums();
    accumulate(&s, leading, lone_power(context, exponent));
    return s;
}

INLINE __m512i finish_sums(const struct ck_context *context, const ck_siv_job *job, sums s, __m512i state) {
    const __m512i lengths = _mm512_zextsi128_si512(_mm_set_epi64x((long long)job->bits, 0));
    accumulate(&s, _mm512_xor_si512(lengths, state), lone_power(context, 1));
    return reduced(&s);
}

INLINE __mmask64 byte_mask(size_t length) { return length >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << length) - 1; }

INLINE __m512i hash(const struct ck_context *context, const ck_siv_job *job) {
    const uint8_t *text = job->text;
    size_t length = job->length;
    const __m512i order = reversal();
    sums s = leading_sums(context, job);
    __m512i state = _mm512_setzero_si512();
    for (; length >= STEP_BYTES; text += STEP_BYTES, length -= STEP_BYTES) {
#pragma clang loop unroll(full)
        for (size_t i = 0; i < VECTORS; i++) {
            __m512i blocks = _mm512_shuffle_epi8(_mm512_loadu_si512(text + 64 * i), order);
            if (i == 0) blocks = _mm512_xor_si512(blocks, state);
            accumulate(&s, blocks, powers(context, STEP - 4 * i));
        }
        state = reduced(&s);
        s = no_sums();
    }
    size_t exponent = (length + 15) / 16 + 1;
    while (length > 0) {
        const size_t now = length < 64 ? length : 64;
        __m512i blocks = _mm512_shuffle_epi8(_mm512_maskz_loadu_epi8(byte_mask(now), text), order);
        accumulate(&s, _mm512_xor_si512(blocks, state), powers(context, exponent));
        state = _mm512_setzero_si512();
        text += now;
        length -= now;
        exponent -= 4;
    }
    return finish_sums(context, job, s, state);
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

INLINE __m128i mask_block(const struct ck_context *context, uint64_t iv) {
    return encrypt(context->gmac_round, _mm_set_epi64x((long long)((uint64_t)1 << 56), (long long)iv));
}

INLINE uint64_t folded(__m512i state, __m128i mask) {
    const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i mac = _mm_xor_si128(_mm_shuffle_epi8(_mm512_castsi512_si128(state), order), mask);
    return (uint64_t)_mm_cvtsi128_si64(mac) ^ (uint64_t)_mm_extract_epi64(mac, 1);
}

// The key stream: four counters a register, last words byte-swapped while counted.
typedef struct {
    __m512i counter, order, keys[CK_AES_ROUNDS + 1];
} stream;

INLINE stream start_stream(const struct ck_context *context, __m128i tag) {
    stream st;
    st.order = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    const __m128i base = _mm_and_si128(tag, _mm_set_epi32((int)0xffffff7f, -1, -1, -1));
    st.counter = _mm512_add_epi32(
        _mm512_shuffle_epi8(_mm512_broadcast_i32x4(base), st.order),
        _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
#pragma clang loop unroll(full)
    for (int i = 0; i <= CK_AES_ROUNDS; i++) st.keys[i] = everywhere(context->siv_round[i]);
    return st;
}

// The state before the last round of `count` registers of stream.
INLINE void next_stream(stream *st, __m512i *x, int count) {
    const __m512i four = _mm512_broadcast_i32x4(_mm_set_epi32(4, 0, 0, 0));
#pragma clang loop unroll(full)
    for (int k = 0; k < count; k++) {
        x[k] = _mm512_xor_si512(_mm512_shuffle_epi8(st->counter, st->order), st->keys[0]);
        st->counter = _mm512_add_epi32(st->counter, four);
    }
#pragma clang loop unroll(full)
    for (int i = 1; i < CK_AES_ROUNDS; i++) {
#pragma clang loop unroll(full)
        for (int k = 0; k < count; k++) x[k] = _mm512_aesenc_epi128(x[k], st->keys[i]);
    }
}

INLINE __m512i crypt_full(const stream *st, __m512i x, uint8_t *text) {
    const __m512i key = _mm512_xor_si512(st->keys[CK_AES_ROUNDS], _mm512_loadu_si512(text));
    const __m512i result = _mm512_aesenclast_epi128(x, key);
    _mm512_storeu_si512(text, result);
    return result;
}

// The same for `length` <= 64 bytes; bytes past the end come out zero.
INLINE __m512i crypt_masked(const stream *st, __m512i x, uint8_t *text, size_t length) {
    const __mmask64 mask = byte_mask(length);
    const __m512i key = _mm512_xor_si512(st->keys[CK_AES_ROUNDS], _mm512_maskz_loadu_epi8(mask, text));
    const __m512i result = _mm512_maskz_mov_epi8(mask, _mm512_aesenclast_epi128(x, key));
    _mm512_mask_storeu_epi8(text, mask, result);
    return result;
}

TARGET void ck_siv_seal_vaes(const struct ck_context *context, const ck_siv_job *job, uint8_t *tag) {
    const uint64_t iv = ck_load64(job->iv);
    const __m128i mask = mask_block(context, iv);
    const uint64_t mac = folded(hash(context, job), mask);
    const __m128i sealed = encrypt(context->siv_round, _mm_set_epi64x((long long)mac, (long long)iv));
    _mm_storeu_si128((__m128i *)tag, sealed);
    uint8_t *text = job->text;
    size_t length = job->length;
    stream st = start_stream(context, sealed);
    __m512i x[VECTORS];
    for (; length >= STEP_BYTES; text += STEP_BYTES, length -= STEP_BYTES) {
        next_stream(&st, x, VECTORS);
#pragma clang loop unroll(full)
        for (int k = 0; k < VECTORS; k++) crypt_full(&st, x[k], text + 64 * k);
    }
    for (; length >= 256; text += 256, length -= 256) {
        next_stream(&st, x, 4);
#pragma clang loop unroll(full)
        for (int k = 0; k < 4; k++) crypt_full(&st, x[k], text + 64 * k);
    }
    if (length > 64) {
        next_stream(&st, x, 4);
#pragma clang loop unroll(full)
        for (int k = 0; k < 4; k++) {
            if (length == 0) break;
            const size_t now = length < 64 ? length : 64;
            crypt_masked(&st, x[k], text, now);
            text += now;
            length -= now;
        }
    } else if (length > 0) {
        next_stream(&st, x, 1);
        crypt_masked(&st, x[0], text, length);
    }
}

// Decrypts up to 256 bytes and sums the hash of the plaintext.
INLINE void open_rest(
    const struct ck_context *context, stream *st, uint8_t *text, size_t length, sums *s, __m512i state,
    size_t exponent) {
    const __m512i order = reversal();
    __m512i x[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    if (length > 64)
        next_stream(st, x, 4);
    else
        next_stream(st, x, 1);
#pragma clang loop unroll(full)
    for (int k = 0; k < 4; k++) {
        if (length == 0) break;
        const size_t now = length < 64 ? length : 64;
        const __m512i blocks = _mm512_shuffle_epi8(crypt_masked(st, x[k], text, now), order);
        accumulate(s, _mm512_xor_si512(blocks, state), powers(context, exponent));
        state = _mm512_setzero_si512();
        text += now;
        length -= now;
        exponent -= 4;
    }
}

// Decrypts 256 bytes and sums the hash of the plaintext.
INLINE void open_quarter(
    const struct ck_context *context, stream *st, uint8_t *text, sums *s, __m512i state, size_t exponent) {
    const __m512i order = reversal();
    __m512i x[4];
    next_stream(st, x, 4);
#pragma clang loop unroll(full)
    for (size_t k = 0; k < 4; k++) {
        __m512i blocks = _mm512_shuffle_epi8(crypt_full(st, x[k], text + 64 * k), order);
        if (k == 0) blocks = _mm512_xor_si512(blocks, state);
        accumulate(s, blocks, powers(context, exponent - 4 * k));
    }
}

TARGET int ck_siv_open_vaes(const struct ck_context *context, ck_siv_job *job, const uint8_t *tag) {
    const __m128i sealed = _mm_loadu_si128((const __m128i *)tag);
    const __m128i inner = decrypt(context->siv_inverse_round, sealed);
    const uint64_t iv = (uint64_t)_mm_cvtsi128_si64(inner);
    ck_store64(job->iv, iv);
    const __m128i mask = mask_block(context, iv);
    stream st = start_stream(context, sealed);
    uint8_t *text = job->text;
    size_t length = job->length;
    sums s = leading_sums(context, job);
    __m512i state = _mm512_setzero_si512();
    for (; length >= STEP_BYTES; text += STEP_BYTES, length -= STEP_BYTES) {
        open_quarter(context, &st, text, &s, state, STEP);
        open_quarter(context, &st, text + 256, &s, _mm512_setzero_si512(), STEP - 16);
        state = reduced(&s);
        s = no_sums();
    }
    size_t exponent = (length + 15) / 16 + 1;
    if (length >= 256) {
        open_quarter(context, &st, text, &s, state, exponent);
        state = _mm512_setzero_si512();
        text += 256;
        length -= 256;
        exponent -= 16;
    }
    if (length > 0) {
        open_rest(context, &st, text, length, &s, state, exponent);
        state = _mm512_setzero_si512();
    }
    const uint64_t mac = folded(finish_sums(context, job, s, state), mask);
    const uint64_t claimed = (uint64_t)_mm_extract_epi64(inner, 1);
    return ck_equal((const uint8_t *)&mac, (const uint8_t *)&claimed, 8);
}

#endif
