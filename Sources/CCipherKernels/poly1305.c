// Poly1305. Read first: RFC 8439 section 2.5. Wide form: three limbs of 44, 44 and 42 bits, four blocks at a time with
// powers of r so that the multiplications of a step do not wait for each other. Narrow form: five limbs of 26 bits.

#include "kernels.h"

void ck_poly1305_narrow(uint8_t *tag, const uint8_t *data, size_t length, const uint8_t *key) {
    const uint32_t mask = 0x3ffffff;
    const uint32_t r0 = ck_load32(key) & mask, r1 = (ck_load32(key + 3) >> 2) & 0x3ffff03;
    const uint32_t r2 = (ck_load32(key + 6) >> 4) & 0x3ffc0ff, r3 = (ck_load32(key + 9) >> 6) & 0x3f03fff;
    const uint32_t r4 = (ck_load32(key + 12) >> 8) & 0x00fffff;
    const uint64_t s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
    uint32_t h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0;
    while (length > 0) {
        uint8_t block[17] = {0};
        const size_t now = length < 16 ? length : 16;
        memcpy(block, data, now);
        block[now] = 1;
        h0 += ck_load32(block) & mask;
        h1 += (ck_load32(block + 3) >> 2) & mask;
        h2 += (ck_load32(block + 6) >> 4) & mask;
        h3 += (ck_load32(block + 9) >> 6) & mask;
        h4 += (ck_load32(block + 12) >> 8) | (uint32_t)block[16] << 24;
        uint64_t d0 = (uint64_t)h0 * r0 + h1 * s4 + h2 * s3 + h3 * s2 + h4 * s1;
        uint64_t d1 = (uint64_t)h0 * r1 + (uint64_t)h1 * r0 + h2 * s4 + h3 * s3 + h4 * s2;
        uint64_t d2 = (uint64_t)h0 * r2 + (uint64_t)h1 * r1 + (uint64_t)h2 * r0 + h3 * s4 + h4 * s3;
        uint64_t d3 = (uint64_t)h0 * r3 + (uint64_t)h1 * r2 + (uint64_t)h2 * r1 + (uint64_t)h3 * r0 + h4 * s4;
        uint64_t d4 =
            (uint64_t)h0 * r4 + (uint64_t)h1 * r3 + (uint64_t)h2 * r2 + (uint64_t)h3 * r1 + (uint64_t)h4 * r0;
        d1 += d0 >> 26;
        d2 += d1 >> 26;
        d3 += d2 >> 26;
        d4 += d3 >> 26;
        const uint64_t low = (d0 & mask) + (d4 >> 26) * 5;
        h0 = (uint32_t)(low & mask);
        h1 = (uint32_t)((d1 & mask) + (low >> 26));
        h2 = (uint32_t)(d2 & mask);
        h3 = (uint32_t)(d3 & mask);
        h4 = (uint32_t)(d4 & mask);
        data += now;
        length -= now;
    }
    // Full carry, then subtract p when that does not borrow.
    h2 += h1 >> 26, h1 &= mask;
    h3 += h2 >> 26, h2 &= mask;
    h4 += h3 >> 26, h3 &= mask;
    h0 += (h4 >> 26) * 5, h4 &= mask;
    h1 += h0 >> 26, h0 &= mask;
    uint32_t g0 = h0 + 5, g1 = h1 + (g0 >> 26), g2 = h2 + (g1 >> 26), g3 = h3 + (g2 >> 26);
    uint32_t g4 = h4 + (g3 >> 26);
    const uint32_t over = 0 - (g4 >> 26);
    h0 = (h0 & ~over) | (g0 & mask & over);
    h1 = (h1 & ~over) | (g1 & mask & over);
    h2 = (h2 & ~over) | (g2 & mask & over);
    h3 = (h3 & ~over) | (g3 & mask & over);
    h4 = (h4 & ~over) | (g4 & mask & over);
    uint64_t f = (uint64_t)(h0 | h1 << 26) + ck_load32(key + 16);
    ck_store32(tag, (uint32_t)f);
    f = (uint64_t)(h1 >> 6 | h2 << 20) + ck_load32(key + 20) + (f >> 32);
    ck_store32(tag + 4, (uint32_t)f);
    f = (uint64_t)(h2 >> 12 | h3 << 14) + ck_load32(key + 24) + (f >> 32);
    ck_store32(tag + 8, (uint32_t)f);
    f = (uint64_t)(h3 >> 18 | h4 << 8) + ck_load32(key + 28) + (f >> 32);
    ck_store32(tag + 12, (uint32_t)f);
}

#if defined(__SIZEOF_INT128__)

typedef unsigned __int128 wide;

#define MASK44 0xfffffffffffULL
#define MASK42 0x3ffffffffffULL

// Three limbs; the second and third also times 20, for what wraps around 2^130 (2^132 = 20 in the field).
typedef struct {
    uint64_t r0, r1, r2, s1, s2;
} multiplier;

typedef struct {
    wide d0, d1, d2;
} product;

typedef struct {
    uint64_t h0, h1, h2;
} element;

static inline multiplier make_multiplier(element e) {
    const multiplier m = {e.h0, e.h1, e.h2, e.h1 * 20, e.h2 * 20};
    return m;
}

static inline void multiply_add(product *p, element e, const multiplier *m) {
    p->d0 += (wide)e.h0 * m->r0 + (wide)e.h1 * m->s2 + (wide)e.h2 * m->s1;
    p->d1 += (wide)e.h0 * m->r1 + (wide)e.h1 * m->r0 + (wide)e.h2 * m->s2;
    p->d2 += (wide)e.h0 * m->r2 + (wide)e.h1 * m->r1 + (wide)e.h2 * m->r0;
}

static inline element carried(product p) {
    element e;
    p.d1 += (uint64_t)(p.d0 >> 44);
    p.d2 += (uint64_t)(p.d1 >> 44);
    e.h0 = ((uint64_t)p.d0 & MASK44) + (uint64_t)(p.d2 >> 42) * 5;
    e.h1 = ((uint64_t)p.d1 & MASK44) + (e.h0 >> 44);
    e.h0 &= MASK44;
    e.h2 = (uint64_t)p.d2 & MASK42;
    return e;
}

static inline element load_block(const uint8_t *block, uint64_t top) {
    const uint64_t low = ck_load64(block), high = ck_load64(block + 8);
    const element e = {low & MASK44, (low >> 44 | high << 20) & MASK44, (high >> 24) | top << 40};
    return e;
}

static inline element sum(element a, element b) {
    const element e = {a.h0 + b.h0, a.h1 + b.h1, a.h2 + b.h2};
    return e;
}

static inline element multiplied(element e, const multiplier *m) {
    product p = {0, 0, 0};
    multiply_add(&p, e, m);
    return carried(p);
}

void ck_poly1305(uint8_t *tag, const uint8_t *data, size_t length, const uint8_t *key) {
    const uint64_t low = ck_load64(key) & 0x0ffffffc0fffffff, high = ck_load64(key + 8) & 0x0ffffffc0ffffffc;
    const element r = {low & MASK44, (low >> 44 | high << 20) & MASK44, high >> 24};
    const multiplier m1 = make_multiplier(r);
    element h = {0, 0, 0};
    if (length >= 64) {
        const element r2 = multiplied(r, &m1);
        const multiplier m2 = make_multiplier(r2);
        const multiplier m3 = make_multiplier(multiplied(r2, &m1));
        const multiplier m4 = make_multiplier(multiplied(r2, &m2));
        for (; length >= 64; data += 64, length -= 64) {
            product p = {0, 0, 0};
            multiply_add(&p, load_block(data + 48, 1), &m1);
            multiply_add(&p, load_block(data + 32, 1), &m2);
            multiply_add(&p, load_block(data + 16, 1), &m3);
            multiply_add(&p, sum(h, load_block(data, 1)), &m4);
            h = carried(p);
        }
    }
    for (; length >= 16; data += 16, length -= 16) h = multiplied(sum(h, load_block(data, 1)), &m1);
    if (length > 0) {
        uint8_t block[16] = {0};
        memcpy(block, data, length);
        block[length] = 1;
        h = multiplied(sum(h, load_block(block, 0)), &m1);
    }
    // Full carry, then subtract p when that does not borrow.
    h.h2 += h.h1 >> 44, h.h1 &= MASK44;
    h.h0 += (h.h2 >> 42) * 5, h.h2 &= MASK42;
    h.h1 += h.h0 >> 44, h.h0 &= MASK44;
    h.h2 += h.h1 >> 44, h.h1 &= MASK44;
    uint64_t g0 = h.h0 + 5, g1 = h.h1 + (g0 >> 44), g2 = h.h2 + (g1 >> 44);
    const uint64_t over = 0 - (g2 >> 42);
    h.h0 = (h.h0 & ~over) | (g0 & MASK44 & over);
    h.h1 = (h.h1 & ~over) | (g1 & MASK44 & over);
    h.h2 = (h.h2 & ~over) | (g2 & MASK42 & over);
    const wide total = (wide)(h.h0 | h.h1 << 44) + ck_load64(key + 16);
    ck_store64(tag, (uint64_t)total);
    ck_store64(tag + 8, (h.h1 >> 20 | h.h2 << 24) + ck_load64(key + 24) + (uint64_t)(total >> 64));
}

#else

void ck_poly1305(uint8_t *tag, const uint8_t *data, size_t length, const uint8_t *key) {
    ck_poly1305_narrow(tag, data, length, key);
}

#endif
