// Read first: RFC 1071 section 2 (B): the sum does not depend on byte order, so words are added as they lie in memory.
//
// A register is added to two sums of 64-bit lanes: one of the low halves of its lanes, one of the high halves. A lane
// would overflow after 2^32 steps, which no buffer has.

#include "CCopyKernels.h"

#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

int ccopy_width(void) {
    // -1: not asked yet. Threads that ask at the same time get the same answer.
    static int known = -1;
    int width = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (width < 0) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) width = 512;
        else width = __builtin_cpu_supports("avx2") ? 256 : 0;
        __atomic_store_n(&known, width, __ATOMIC_RELAXED);
    }
    return width;
}

static uint32_t fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

__attribute__((target("avx512f,avx512bw"))) static uint32_t copy_512(const uint8_t *from, uint8_t *to, size_t count) {
    const __m512i half = _mm512_set1_epi64(0xffffffff);
    __m512i low = _mm512_setzero_si512(), high = low, low2 = low, high2 = low;
    size_t at = 0;
    for (; count - at >= 128; at += 128) {
        const __m512i first = _mm512_loadu_si512(from + at), second = _mm512_loadu_si512(from + at + 64);
        _mm512_storeu_si512(to + at, first);
        _mm512_storeu_si512(to + at + 64, second);
        low = _mm512_add_epi64(low, _mm512_and_si512(first, half));
        high = _mm512_add_epi64(high, _mm512_srli_epi64(first, 32));
        low2 = _mm512_add_epi64(low2, _mm512_and_si512(second, half));
        high2 = _mm512_add_epi64(high2, _mm512_srli_epi64(second, 32));
    }
    while (at < count) {
        const size_t now = count - at < 64 ? count - at : 64;
        const __mmask64 mask = ~(__mmask64)0 >> (64 - now);
        const __m512i bytes = _mm512_maskz_loadu_epi8(mask, from + at);
        _mm512_mask_storeu_epi8(to + at, mask, bytes);
        low = _mm512_add_epi64(low, _mm512_and_si512(bytes, half));
        high = _mm512_add_epi64(high, _mm512_srli_epi64(bytes, 32));
        at += now;
    }
    low = _mm512_add_epi64(_mm512_add_epi64(low, low2), _mm512_add_epi64(high, high2));
    return fold((uint64_t)_mm512_reduce_add_epi64(low));
}

__attribute__((target("avx2"))) static uint32_t copy_256(const uint8_t *from, uint8_t *to, size_t count) {
    const __m256i half = _mm256_set1_epi64x(0xffffffff);
    __m256i low = _mm256_setzero_si256(), high = low, low2 = low, high2 = low;
    size_t at = 0;
    for (; count - at >= 64; at += 64) {
        const __m256i first = _mm256_loadu_si256((const __m256i *)(from + at));
        const __m256i second = _mm256_loadu_si256((const __m256i *)(from + at + 32));
        _mm256_storeu_si256((__m256i *)(to + at), first);
        _mm256_storeu_si256((__m256i *)(to + at + 32), second);
        low = _mm256_add_epi64(low, _mm256_and_si256(first, half));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(first, 32));
        low2 = _mm256_add_epi64(low2, _mm256_and_si256(second, half));
        high2 = _mm256_add_epi64(high2, _mm256_srli_epi64(second, 32));
    }
    uint64_t lanes[4];
    _mm256_storeu_si256(
        (__m256i *)lanes, _mm256_add_epi64(_mm256_add_epi64(low, low2), _mm256_add_epi64(high, high2)));
    uint64_t sum = lanes[0] + lanes[1] + lanes[2] + lanes[3];
    while (at < count) {
        const size_t now = count - at < 8 ? count - at : 8;
        uint64_t word = 0;
        memcpy(&word, from + at, now);
        memcpy(to + at, &word, now);
        sum += (word & 0xffffffff) + (word >> 32);
        at += now;
    }
    return fold(sum);
}

uint32_t ccopy_and_sum(int width, const void *from, void *to, size_t count) {
    return width == 512 ? copy_512(from, to, count) : copy_256(from, to, count);
}

#else

int ccopy_width(void) { return 0; }

// Not called: there is no width.
uint32_t ccopy_and_sum(int width, const void *from, void *to, size_t count) {
    (void)width;
    memcpy(to, from, count);
    return 0;
}

#endif
