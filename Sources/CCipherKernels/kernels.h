// What the kernel files share: the key context, the job of the SIV kernels, unaligned little helpers.

#ifndef CK_KERNELS_H
#define CK_KERNELS_H

#include <stdint.h>
#include <string.h>

#include "CCipherKernels.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels assume a little-endian processor"
#endif

#if defined(__x86_64__) && !defined(CK_NO_X86)
#define CK_X86 1
#else
#define CK_X86 0
#endif

enum {
    CK_HEADER_SIZE = 27,
    CK_MAC_OFFSET = 19,
    CK_FLAGS_OFFSET = 18,
    CK_FLAGS_MASK = 0xf8, // all but the hop count
    CK_AES_ROUNDS = 14,
    CK_HIGHEST_POWER = 34, // a step of 32 blocks, the leading block and the length block
    CK_POWER_SLOTS = 36,   // vector loads run over the last power by up to two
};

struct ck_context {
    // GHASH key times x, in powers: slot i holds power 34 - i, as a little-endian number of the bit-reflected field.
    _Alignas(64) uint8_t power[CK_POWER_SLOTS][16];
    // Round keys in the standard's byte order.
    uint8_t gmac_round[CK_AES_ROUNDS + 1][16];
    uint8_t siv_round[CK_AES_ROUNDS + 1][16];
    // Round keys of the equivalent inverse cipher, in order of use; only filled for tiers with AES instructions.
    uint8_t siv_inverse_round[CK_AES_ROUNDS + 1][16];
    uint8_t classic_key[32];
    int tier;
};

// One packet for the SIV kernels. The leading block is GHASHed before the text: the padded additional data.
typedef struct {
    uint8_t iv[8];
    uint8_t leading[16];
    uint64_t bits; // of padded additional data and text
    uint8_t *text;
    size_t length;
} ck_siv_job;

static inline uint32_t ck_load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t ck_load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline void ck_store32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void ck_store64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

// aes_portable.c
void ck_aes256_expand(uint8_t round[CK_AES_ROUNDS + 1][16], const uint8_t *key);
void ck_aes256_encrypt(const uint8_t round[CK_AES_ROUNDS + 1][16], uint8_t *block);
void ck_aes256_decrypt(const uint8_t round[CK_AES_ROUNDS + 1][16], uint8_t *block);
void ck_aes256_ctr_portable(
    const uint8_t round[CK_AES_ROUNDS + 1][16], const uint8_t *counter, uint8_t *text, size_t length);

// ghash_portable.c
void ck_ghash_powers(struct ck_context *context);
void ck_ghash_portable(
    const struct ck_context *context, uint64_t state[2], const uint8_t *data, size_t length);

// The SIV kernels, one pair per tier. `open` leaves plaintext, writes the sealed initialisation vector to the job, and returns 1
// when all is authentic.
void ck_siv_seal_portable(const struct ck_context *context, const ck_siv_job *job, uint8_t *tag);
int ck_siv_open_portable(const struct ck_context *context, ck_siv_job *job, const uint8_t *tag);
#if CK_X86
void ck_siv_invert_keys_aesni(struct ck_context *context);
void ck_siv_seal_aesni(const struct ck_context *context, const ck_siv_job *job, uint8_t *tag);
int ck_siv_open_aesni(const struct ck_context *context, ck_siv_job *job, const uint8_t *tag);
void ck_siv_seal_vaes(const struct ck_context *context, const ck_siv_job *job, uint8_t *tag);
int ck_siv_open_vaes(const struct ck_context *context, ck_siv_job *job, const uint8_t *tag);
#endif

// salsa20.c: one key and nonce, ready to give blocks.
typedef struct {
    uint32_t word[16];
    int rounds;
    int tier;
} ck_salsa20;

void ck_salsa20_start(ck_salsa20 *salsa, const uint8_t *key, const uint8_t *nonce, int rounds, int tier);
// Xors the stream from `block` on into `data`. When `first` is given, the first block goes there and `data` begins
// with the second.
void ck_salsa20_run(const ck_salsa20 *salsa, uint64_t block, uint8_t *first, uint8_t *data, size_t length);
// Writes `count` blocks of key stream; `count` is a multiple of 16.
void ck_salsa20_stream(const ck_salsa20 *salsa, uint64_t block, uint8_t *stream, size_t count);

#endif
