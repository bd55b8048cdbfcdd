/* libpq of the machine where a program runs, loaded when it is first wanted: a program starts without it. Where its header lies
   differs (Debian: libpq-dev). Read first: https://www.postgresql.org/docs/current/libpq.html, dlopen(3). */
#ifndef CZEROTIER_POSTGRESQL_H
#define CZEROTIER_POSTGRESQL_H

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif

/* What is used of it. */
#define CPOSTGRESQL_FUNCTIONS(F)                                                                                          \
    F(PQconninfoParse)                                                                                                    \
    F(PQconninfoFree)                                                                                                     \
    F(PQfreemem)                                                                                                          \
    F(PQconnectdbParams)                                                                                                  \
    F(PQfinish)                                                                                                           \
    F(PQstatus)                                                                                                           \
    F(PQerrorMessage)                                                                                                     \
    F(PQsocket)                                                                                                           \
    F(PQsetnonblocking)                                                                                                   \
    F(PQsendQueryParams)                                                                                                  \
    F(PQflush)                                                                                                            \
    F(PQconsumeInput)                                                                                                     \
    F(PQisBusy)                                                                                                           \
    F(PQgetResult)                                                                                                        \
    F(PQclear)                                                                                                            \
    F(PQnotifies)                                                                                                         \
    F(PQresultStatus)                                                                                                     \
    F(PQresultErrorMessage)                                                                                               \
    F(PQresultErrorField)                                                                                                 \
    F(PQntuples)                                                                                                          \
    F(PQnfields)                                                                                                          \
    F(PQgetvalue)                                                                                                         \
    F(PQgetlength)

/* The functions, by their own names. */
struct cpostgresql {
#define CPOSTGRESQL_FIELD(name) __typeof__(name) *_Nonnull name;
    CPOSTGRESQL_FUNCTIONS(CPOSTGRESQL_FIELD)
#undef CPOSTGRESQL_FIELD
};

/* The library, for ever; null if this machine has none. Any thread. */
const struct cpostgresql *_Nullable cpostgresql_library(void);

#endif
