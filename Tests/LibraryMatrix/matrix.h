/* A table of what every function of the C library returns in every state of the node's life, and the events of that
 * life in order. One process per state. Rows are in generation1.c and generation2.c, in the order of the headers. */
#ifndef LIBRARY_MATRIX_H
#define LIBRARY_MATRIX_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- States ---- */

enum state {
    NEVER, /* never started */
    OFFLINE, /* started; the root is silent */
    ONLINE, /* a root answers; no network is joined */
    READY, /* a network has an address */
    STOPPED, /* the last event has come */
    FREED, /* for the rest of the process */
    STATES
};

/* ---- Expectations: a value, or one of these ---- */

/* -1, and this is the error number. */
#define FAILS(number) (LLONG_MIN + 16 + (number))
/* More than 0, as a number; not NULL, as a pointer. */
#define SOME LLONG_MIN
/* 0 or more. */
#define COUNT (LLONG_MIN + 1)
/* 0 or more, and it is closed at once. */
#define DESCRIPTOR (LLONG_MIN + 2)
/* The call is not made in this state. */
#define SKIP (LLONG_MIN + 3)

/* ---- Columns: NEVER, OFFLINE, ONLINE, READY, STOPPED, FREED. SERVICE is the generation's ZTS_ERR_SERVICE. ---- */

#define ALWAYS(value) value, value, value, value, value, value
/* While it runs. */
#define RUN(value) SERVICE, value, value, value, SERVICE, SERVICE
#define RUN3(offline, online, ready) SERVICE, offline, online, ready, SERVICE, SERVICE
/* While it is online. */
#define ON(online, ready) SERVICE, SERVICE, online, ready, SERVICE, SERVICE
/* While it does not run: settings. */
#define OFF(value) value, SERVICE, SERVICE, SERVICE, value, value

/* The call `function arguments`, and what is expected of it in the six states. The name counts as covered. */
#define ROW(function, arguments, ...)                                                                                  \
    do {                                                                                                               \
        const long long expected[] = { __VA_ARGS__ };                                                                  \
        _Static_assert(sizeof expected == STATES * sizeof *expected, "one expectation per state");                     \
        if (row_begins(GENERATION, __FILE__, #function, #arguments, expected))                                         \
            row_ends((long long)(intptr_t)(function arguments), IS_POINTER(function arguments), expected, __LINE__);   \
    } while (0)

/* NULL is a failure then. The expression is not evaluated. */
#define IS_POINTER(expression) (__builtin_classify_type(expression) == 5)

/* If the row before gave this failure, the library's message has the word. That each row's failure has a message, and not
 * that of a failure before, is checked for all of them. */
#define SAYS(code, word) row_says(code, word, __LINE__)

/* The same for a function without a result: that it returns. */
#define ROW_VOID(function, arguments)                                                                                  \
    do {                                                                                                               \
        const long long expected[] = { ALWAYS(0) };                                                                    \
        if (row_begins(GENERATION, __FILE__, #function, #arguments, expected)) {                                       \
            function arguments;                                                                                        \
            row_ends(0, false, expected, __LINE__);                                                                    \
        }                                                                                                              \
    } while (0)

/* What the call before has left behind. */
#define VALUE(expression, ...)                                                                                         \
    do {                                                                                                               \
        const long long expected[] = { __VA_ARGS__ };                                                                  \
        if (row_begins(GENERATION, __FILE__, NULL, #expression, expected))                                             \
            row_ends((long long)(expression), false, expected, __LINE__);                                              \
    } while (0)

bool row_begins(
    int generation, const char *file, const char *function, const char *arguments, const long long *expected);
void row_ends(long long result, bool is_pointer, const long long *expected, int line);
void row_says(long long code, const char *word, int line);

/* ---- A single expectation, outside of the table ---- */

#define EXPECT(condition) expect(condition, #condition, __FILE__, __LINE__)
bool expect(bool is_met, const char *text, const char *file, int line);

/* Ends the part: without this nothing that follows makes sense. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!EXPECT(condition))                                                                                        \
            part_ends();                                                                                               \
    } while (0)
_Noreturn void part_ends(void);

/* ---- Events, as they came ---- */

/* Appends; called on the library's thread. */
void event_came(int code);
/* Waits until the code has come this often. */
bool event_comes(int code, int times);
void events_forget(void);
/* Compares what came, less the codes that `is_left_out` names, with a list that ends with END. */
#define END INT_MAX
void events_are(const char *what, const int *expected, bool (*is_left_out)(int));
#define EVENTS_ARE(what, is_left_out, ...) events_are(what, (const int[]) { __VA_ARGS__, END }, is_left_out)

/* ---- What a part has to work with ---- */

extern enum state state;
extern char directory[512]; /* the node's own, with a planet */
extern char other_directory[512]; /* for an instance */
extern unsigned char planet[4096]; /* the same planet */
extern unsigned planet_length;
/* An identity with its secret in a buffer of 384 bytes, made for tests alone, and its public part. */
extern char identity[384];
extern char public_identity[384];

extern int leaving_root; /* its process */

/* A network of the controller that the planet names; Tests/TestController/Script.swift says what each of them has. */
uint64_t network_of(int number);
/* Puts a member of it at a step of the script: the controller pushes what it has for it then. */
void put_member(uint64_t network, uint64_t member, int step);
/* An identity that the controller says is another's: that of `identity`. */
#define COLLIDING 0xe579b42b36
/* Writes a file in the node's directory, or in a folder there; whether one has this text, but for the ends of lines. */
void write_file(const char *name, const char *text);
bool file_is(const char *name, const char *text);
/* Makes a question of one name into its answer, 10.1.2.3. The new length; 0 if it is no question. */
size_t answer_question(unsigned char *message, size_t size);

double now(void);
bool waits(bool (*is_so)(void));

/* An ad-hoc network, one that nobody joins, and one whose controller does not exist. */
#define NETWORK 0xff0001ffff000000
#define UNKNOWN 0xff0002ffff000000
#define NOWHERE 0x1234567890000001
#define STRANGER 0x1234567890
#define MOON 0x1234567891
#define NO_DESCRIPTOR 12345

/* In-out arguments: fresh memory with this value, that VALUE can look at. */
extern int number;
extern unsigned length;
extern size_t room;
int *number_of(int value);
unsigned *length_of(unsigned value);
size_t *room_of(size_t value);

/* ---- The generations ---- */

void enter_state_1(void);
void rows_1(void);
void enter_state_2(void);
void rows_2(void);

enum root {
    ANSWERING,
    SILENT, /* it does not run */
    LEAVING, /* the generation's own: it may be stopped and continued */
    CONTROLLER /* it is also a controller, of networks that others may join */
};

struct sequence {
    const char *name;
    enum root root;
    void (*run)(void);
};
extern const struct sequence sequences_1[], controlled_1[];
extern const struct sequence sequences_2[], controlled_2[];

/* What the two files of a generation share: until an event comes; the end; a message, told before its event. */
void start_1(int until);
void stop_1(void);
void note_1(const void *message);
void start_2(int until);
void set_up_2(int until);
void set_handler_2(void);
void stop_2(void);
void note_2(const void *message);
void join_1(void);
/* In files of their own: several nodes, and descriptors of the host that follow sockets. */
void rows_of_instances_1(void);
void instances_1(void);
void epoll_1(void);
/* An instance on the network, which only the first generation's header knows: a listener of it, and its address. */
int listener_of_instance_1(int port, char text[46]);
void free_instance_1(void);

#endif
