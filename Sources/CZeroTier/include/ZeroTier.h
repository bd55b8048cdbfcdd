/* The C interface of the ZeroTier SDK. */
#ifndef ZEROTIER_H
#define ZEROTIER_H
#endif
