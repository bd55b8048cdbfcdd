// Copies that sum as they go, with the widest registers that this processor has. Read first: RFC 1071.
#ifndef CCOPYKERNELS_H
#define CCOPYKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Bits of the widest kernel that this processor can run: 512 (AVX-512 with byte masks), 256 (AVX2), or 0: there is none, and
// portable code has to do.
int ccopy_width(void);

// Copies `count` bytes between areas that do not overlap, by the kernel of `width` bits, which must not be 0 nor more than
// `ccopy_width()`. Returns the one's complement sum of the 16-bit words in little-endian order, folded to 16 bits. A last odd
// byte counts as the low half of a word.
uint32_t ccopy_and_sum(int width, const void *from, void *to, size_t count);

#endif
