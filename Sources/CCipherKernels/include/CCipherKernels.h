// Cipher kernels of ZeroTier's transport: bytes in, bytes out, picked at run time by what the processor can do.
//
// Three tiers: portable (bitsliced, no secret-dependent branch or index), AES-NI (AES, PCLMULQDQ, AVX2) and VAES
// (512-bit AES and carry-less multiply). All tiers give the same bytes. Pointers are never kept beyond a call,
// except that a key context lives from ck_context_create to ck_context_destroy and is read-only in between, so that
// any number of threads may use it.

#ifndef CCIPHERKERNELS_H
#define CCIPHERKERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Processor tiers, weakest first.
enum {
    CK_TIER_PORTABLE = 0,
    CK_TIER_AESNI = 1,
    CK_TIER_VAES = 2,
};

/// The strongest tier this processor can run.
int ck_best_tier(void);

/// Key schedules of one pair of nodes; opaque.
typedef struct ck_context ck_context;

/// Expands the keys of one pair of nodes. All three keys are 32 bytes. `tier` is lowered to what the processor can
/// run. NULL when there is no memory.
ck_context *ck_context_create(const uint8_t *classic_key, const uint8_t *gmac_key, const uint8_t *siv_key, int tier);

/// Wipes and frees a context. NULL is allowed.
void ck_context_destroy(ck_context *context);

/// The tier a context runs on.
int ck_context_tier(const ck_context *context);

// Packet ciphers. `packet` begins with the 27-byte header (packet ID 0..8, destination 8..13, source 13..18, flags 18,
// MAC 19..27) and has `length` >= 27 bytes. Flags must be final.

/// AES-GMAC-SIV: replaces bytes 0..8 and 19..27 and encrypts from 27 on, in place.
void ck_gmac_siv_seal(const ck_context *context, uint8_t *packet, size_t length);

/// AES-GMAC-SIV: decrypts from 27 on in place and writes the 8 bytes that the sealer took as initialisation vector. 1 when
/// authentic; else 0, and text and vector are undefined.
int ck_gmac_siv_open(const ck_context *context, uint8_t *packet, size_t length, uint8_t *vector);

/// Salsa20/12 (when `encrypt`) and Poly1305: writes the MAC to 19..27.
void ck_classic_seal(const ck_context *context, uint8_t *packet, size_t length, int encrypt);

/// Checks the MAC, then decrypts (when `decrypt`). 1 when authentic; else 0 and the packet is untouched.
int ck_classic_open(const ck_context *context, uint8_t *packet, size_t length, int decrypt);

/// The stream cipher over a HELLO's inner section `start..length`; its own inverse.
void ck_hello_section(const ck_context *context, uint8_t *packet, size_t start, size_t end);

// Building blocks, with explicit arguments.

/// AES-GMAC-SIV with any additional data. Encrypts `length` bytes at `text` in place, writes 16 bytes of tag. `iv` is
/// 8 bytes. `additional` is padded with zeros to a multiple of 16 and counts so padded.
void ck_gmac_siv_seal_text(
    const ck_context *context, const uint8_t *iv, const uint8_t *additional, size_t additional_length, uint8_t *text,
    size_t length, uint8_t *tag);

/// Salsa20 with `rounds` (even) rounds: xors the key stream from `block` on into `data`. `key` is 32, `nonce` 8 bytes.
void ck_salsa20_xor(
    uint8_t *data, size_t length, const uint8_t *key, const uint8_t *nonce, uint64_t block, int rounds, int tier);

/// Poly1305: 16 bytes of tag over `length` bytes under the 32-byte one-time key.
void ck_poly1305(uint8_t *tag, const uint8_t *data, size_t length, const uint8_t *key);

/// The same with 32-bit arithmetic, for machines without a 128-bit product.
void ck_poly1305_narrow(uint8_t *tag, const uint8_t *data, size_t length, const uint8_t *key);

/// One AES-256 block through the portable cipher (for tests). `key` is 32, `block` 16 bytes.
void ck_aes256_block(const uint8_t *key, uint8_t *block, int decrypt);

/// The memory-hard identity digest. `digest` holds the SHA-512 of the public keys and becomes the final 64 bytes.
/// Uses 2 MiB while it runs. 0 when there is no memory, else 1.
int ck_identity_digest(uint8_t *digest, int tier);

/// 1 when `length` bytes are equal; time does not depend on the bytes.
int ck_equal(const uint8_t *left, const uint8_t *right, size_t length);

/// Overwrites with zeros in a way the compiler may not drop.
void ck_wipe(void *bytes, size_t length);

#ifdef __cplusplus
}
#endif

#endif
