// Choice of tier, life of a key context, and the packet forms of the ciphers.

#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif

#include <stdatomic.h>
#include <stdlib.h>

#include "kernels.h"

static int detect_tier(void) {
#if CK_X86
    if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("avx2"))
        return CK_TIER_PORTABLE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("vaes")
        && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("bmi2"))
        return CK_TIER_VAES;
    return CK_TIER_AESNI;
#else
    return CK_TIER_PORTABLE;
#endif
}

int ck_best_tier(void) {
    // The answer plus one; zero while unknown. Threads that race write the same.
    static _Atomic int known;
    int tier = atomic_load_explicit(&known, memory_order_relaxed) - 1;
    if (tier < 0) {
        tier = detect_tier();
        atomic_store_explicit(&known, tier + 1, memory_order_relaxed);
    }
    return tier;
}

void ck_wipe(void *bytes, size_t length) {
    memset(bytes, 0, length);
    // The compiler must assume that these bytes are read here.
    __asm__ __volatile__("" : : "r"(bytes) : "memory");
}

int ck_equal(const uint8_t *left, const uint8_t *right, size_t length) {
    uint8_t difference = 0;
    for (size_t i = 0; i < length; i++) difference |= left[i] ^ right[i];
    // Hidden from the optimiser so that it cannot turn the loop into an early exit.
    __asm__ __volatile__("" : "+r"(difference));
    return difference == 0;
}

ck_context *ck_context_create(const uint8_t *classic_key, const uint8_t *gmac_key, const uint8_t *siv_key, int tier) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(ck_context)) != 0) return NULL;
    ck_context *context = memory;
    memset(context, 0, sizeof *context);
    const int best = ck_best_tier();
    context->tier = tier < best ? tier : best;
    memcpy(context->classic_key, classic_key, 32);
    ck_aes256_expand(context->gmac_round, gmac_key);
    ck_aes256_expand(context->siv_round, siv_key);
    ck_ghash_powers(context);
#if CK_X86
    if (context->tier >= CK_TIER_AESNI) ck_siv_invert_keys_aesni(context);
#endif
    return context;
}

void ck_context_destroy(ck_context *context) {
    if (context == NULL) return;
    ck_wipe(context, sizeof *context);
    free(context);
}

int ck_context_tier(const ck_context *context) { return context->tier; }

static void siv_seal(const ck_context *context, const ck_siv_job *job, uint8_t *tag) {
#if CK_X86
    if (context->tier == CK_TIER_VAES) return ck_siv_seal_vaes(context, job, tag);
    if (context->tier == CK_TIER_AESNI) return ck_siv_seal_aesni(context, job, tag);
#endif
    ck_siv_seal_portable(context, job, tag);
}

static int siv_open(const ck_context *context, ck_siv_job *job, const uint8_t *tag) {
#if CK_X86
    if (context->tier == CK_TIER_VAES) return ck_siv_open_vaes(context, job, tag);
    if (context->tier == CK_TIER_AESNI) return ck_siv_open_aesni(context, job, tag);
#endif
    return ck_siv_open_portable(context, job, tag);
}

// Additional data of a packet: destination, source and flags without the hop count, padded to a block.
static ck_siv_job packet_job(uint8_t *packet, size_t length) {
    ck_siv_job job;
    memcpy(job.iv, packet, 8);
    memcpy(job.leading, packet + 8, 11);
    memset(job.leading + 11, 0, 5);
    job.leading[10] &= CK_FLAGS_MASK;
    job.text = packet + CK_HEADER_SIZE;
    job.length = length - CK_HEADER_SIZE;
    job.bits = 8 * (uint64_t)(16 + job.length);
    return job;
}

void ck_gmac_siv_seal(const ck_context *context, uint8_t *packet, size_t length) {
    const ck_siv_job job = packet_job(packet, length);
    uint8_t tag[16];
    siv_seal(context, &job, tag);
    memcpy(packet, tag, 8);
    memcpy(packet + CK_MAC_OFFSET, tag + 8, 8);
}

int ck_gmac_siv_open(const ck_context *context, uint8_t *packet, size_t length, uint8_t *vector) {
    ck_siv_job job = packet_job(packet, length);
    uint8_t tag[16];
    memcpy(tag, packet, 8);
    memcpy(tag + 8, packet + CK_MAC_OFFSET, 8);
    const int is_authentic = siv_open(context, &job, tag);
    memcpy(vector, job.iv, 8);
    return is_authentic;
}

void ck_gmac_siv_seal_text(
    const ck_context *context, const uint8_t *iv, const uint8_t *additional, size_t additional_length, uint8_t *text,
    size_t length, uint8_t *tag) {
    ck_siv_job job = {{0}, {0}, 0, text, length};
    memcpy(job.iv, iv, 8);
    const size_t padded = (additional_length + 15) / 16 * 16;
    job.bits = 8 * (uint64_t)(padded + length);
    if (padded > 0) {
        // All but the last block is hashed here; the kernel takes the state xor the last block as its leading block.
        uint64_t state[2] = {0, 0};
        ck_ghash_portable(context, state, additional, padded - 16);
        ck_store64(job.leading, __builtin_bswap64(state[1]));
        ck_store64(job.leading + 8, __builtin_bswap64(state[0]));
        for (size_t i = padded - 16; i < additional_length; i++) job.leading[i - (padded - 16)] ^= additional[i];
    }
    siv_seal(context, &job, tag);
}

// The classic suites' key of one packet: the pair's key mixed with the header and the size.
static void start_packet(const ck_context *context, const uint8_t *packet, size_t length, ck_salsa20 *salsa) {
    uint8_t key[32];
    memcpy(key, context->classic_key, 32);
    for (int i = 0; i < CK_FLAGS_OFFSET; i++) key[i] ^= packet[i];
    key[CK_FLAGS_OFFSET] ^= packet[CK_FLAGS_OFFSET] & CK_FLAGS_MASK;
    key[19] ^= (uint8_t)length;
    key[20] ^= (uint8_t)(length >> 8);
    ck_salsa20_start(salsa, key, packet, 12, context->tier);
    ck_wipe(key, sizeof key);
}

void ck_classic_seal(const ck_context *context, uint8_t *packet, size_t length, int encrypt) {
    ck_salsa20 salsa;
    uint8_t first[64], tag[16];
    start_packet(context, packet, length, &salsa);
    uint8_t *text = packet + CK_HEADER_SIZE;
    const size_t size = length - CK_HEADER_SIZE;
    ck_salsa20_run(&salsa, 0, first, text, encrypt ? size : 0);
    ck_poly1305(tag, text, size, first);
    memcpy(packet + CK_MAC_OFFSET, tag, 8);
    ck_wipe(&salsa, sizeof salsa);
    ck_wipe(first, sizeof first);
}

int ck_classic_open(const ck_context *context, uint8_t *packet, size_t length, int decrypt) {
    ck_salsa20 salsa;
    uint8_t first[64], tag[16];
    start_packet(context, packet, length, &salsa);
    uint8_t *text = packet + CK_HEADER_SIZE;
    const size_t size = length - CK_HEADER_SIZE;
    ck_salsa20_run(&salsa, 0, first, text, 0);
    ck_poly1305(tag, text, size, first);
    const int authentic = ck_equal(tag, packet + CK_MAC_OFFSET, 8);
    if (authentic && decrypt) ck_salsa20_run(&salsa, 1, NULL, text, size);
    ck_wipe(&salsa, sizeof salsa);
    ck_wipe(first, sizeof first);
    return authentic;
}

void ck_hello_section(const ck_context *context, uint8_t *packet, size_t start, size_t end) {
    ck_salsa20 salsa;
    uint8_t nonce[8];
    memcpy(nonce, packet, 8);
    nonce[7] &= CK_FLAGS_MASK;
    ck_salsa20_start(&salsa, context->classic_key, nonce, 12, context->tier);
    ck_salsa20_run(&salsa, 0, NULL, packet + start, end - start);
    ck_wipe(&salsa, sizeof salsa);
}
