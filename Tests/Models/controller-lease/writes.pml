/* Who may write: several controllers, one database, one fence.
   Read first: Docs/decisions/0037-the-lease.md. It models the statements of Sources/ZeroTierStorePostgres for records, and what a
   controller does when it does not know what became of one. Time is not in it: a lease may be taken at any moment, whatever its
   holder believes. So what holds here holds with any clock.

   The record is a number that a holder reads when it begins and counts up: each number is an address that is given to somebody,
   and none may be given twice. A statement that its sender gave up may still arrive: a stray. There are two of them for each
   controller, as of two connections that broke.

   CONTROLLERS  how many: 2 or 3
   WITHOUT_EPOCH, WITHOUT_SESSION, WITHOUT_LANDING   faults; each must be found */

#ifndef CONTROLLERS
#define CONTROLLERS 2
#endif
/* The search ends behind so many epochs, connections of one holder, numbers. */
#ifndef EPOCHS
#define EPOCHS 3
#endif
#ifndef SESSIONS
#define SESSIONS 3
#endif
#ifndef NUMBERS
#define NUMBERS 3
#endif

#define NONE 0
#define RESUME 1
#define COMMIT 2

typedef Controller {
    bit holds;           /* it believes in its lease */
    byte epoch;
    byte session;        /* of its connection for writing */
    byte number;         /* what it knows of the record */
    bit isUnsure;        /* it has no connection, or does not know what became of its commit */
    bit hasCommitted;    /* it is a commit that it does not know of */

    byte asks;           /* the statement that is under way */
    bit isAnswered;
    bit isTaken;
    bit hasLanded;       /* the database has the commit that it did not know of */
    byte newSession;
}

typedef Stray {
    bit isThere;
    byte epoch;
    byte session;
    byte number;
}

Controller c[CONTROLLERS];
Stray stray[CONTROLLERS];

/* The database: the row of the fence, and the record. */
byte epoch = 0;
byte session = 0;
byte record = 0;

/* What was promised. */
byte given = 0;          /* a bit for each number that somebody was told */
byte highest = 0;        /* the highest of them */

/* ---- The database. Each of these is one statement, and so one transaction. ---- */

#if defined(WITHOUT_EPOCH)
#define FITS(AT, BY) (BY == session)
#elif defined(WITHOUT_SESSION)
#define FITS(AT, BY) (AT == epoch)
#else
#define FITS(AT, BY) (AT == epoch && BY == session)
#endif

inline commit(AT, BY, VALUE) {
    assert(AT == epoch);                        /* no commit of an old epoch */
    assert(VALUE == record + 1);                /* who writes knows all that is stored */
    record = VALUE;
    assert(record >= highest)                   /* nothing that somebody was told is lost */
}

inline clear(WHO) {
    stray[WHO].isThere = 0; stray[WHO].epoch = 0; stray[WHO].session = 0; stray[WHO].number = 0
}

proctype Backend(byte i) {
end:
    do
    :: atomic {
        c[i].asks == COMMIT && !c[i].isAnswered ->
        if
        :: FITS(c[i].epoch, c[i].session) -> commit(c[i].epoch, c[i].session, c[i].number + 1); c[i].isTaken = 1
        :: else
        fi;
        c[i].isAnswered = 1
    }
    /* A connection for writing begins: what the one before it has sent and was not done is void. */
    :: atomic {
        c[i].asks == RESUME && !c[i].isAnswered && session < SESSIONS ->
        if
        :: c[i].epoch == epoch ->
            session++;
            c[i].newSession = session;
            c[i].hasLanded = (c[i].hasCommitted && record == c[i].number + 1);
            c[i].isTaken = 1
        :: else
        fi;
        c[i].isAnswered = 1
    }
    :: atomic {
        stray[i].isThere ->
        if
        :: FITS(stray[i].epoch, stray[i].session) -> commit(stray[i].epoch, stray[i].session, stray[i].number)
        :: else
        fi;
        clear(i)
    }
    od
}

/* ---- A controller. ---- */

/* Somebody is told a number that is stored. */
inline tell(VALUE) {
    assert(!(given & (1 << VALUE)));            /* no address is given twice */
    given = given | (1 << VALUE);
    if
    :: VALUE > highest -> highest = VALUE
    :: else
    fi;
    assert(record >= highest)
}

inline forget(WHO) {
    c[WHO].asks = NONE; c[WHO].isAnswered = 0; c[WHO].isTaken = 0; c[WHO].hasLanded = 0; c[WHO].newSession = 0
}

/* The connection broke. What was sent by it may still arrive. */
inline giveUp(WHO) {
    if
    :: c[WHO].asks == COMMIT ->
        c[WHO].hasCommitted = 1;
        if
        :: !c[WHO].isAnswered ->
            stray[WHO].isThere = 1;
            stray[WHO].epoch = c[WHO].epoch;
            stray[WHO].session = c[WHO].session;
            stray[WHO].number = c[WHO].number + 1
        :: true
        fi
    :: else
    fi;
    c[WHO].isUnsure = 1;
    forget(WHO)
}

/* It stops, or dies: what it was is forgotten. */
inline beginAnew(WHO) {
    giveUp(WHO);
    c[WHO].holds = 0; c[WHO].epoch = 0; c[WHO].session = 0; c[WHO].number = 0; c[WHO].isUnsure = 0;
    c[WHO].hasCommitted = 0
}

proctype Life(byte i) {
end:
    do
    /* It takes the lease, from whomever, and reads what is committed. */
    :: atomic {
        !c[i].holds && epoch < EPOCHS ->
        epoch++;
        session = 0;
        c[i].epoch = epoch;
        c[i].number = record;
        c[i].isUnsure = 1;
        c[i].holds = 1
    }
    :: atomic { c[i].holds && !c[i].asks && c[i].isUnsure -> c[i].asks = RESUME }
    :: atomic { c[i].holds && !c[i].asks && !c[i].isUnsure && c[i].number < NUMBERS -> c[i].asks = COMMIT }
    :: atomic {
        c[i].isAnswered && c[i].isTaken && c[i].asks == COMMIT -> c[i].number++; tell(c[i].number); forget(i)
    }
    :: atomic {
        c[i].isAnswered && c[i].isTaken && c[i].asks == RESUME ->
        c[i].session = c[i].newSession;
        c[i].isUnsure = 0;
#ifdef WITHOUT_LANDING
        c[i].hasLanded = 0;
#endif
        if
        :: c[i].hasLanded -> c[i].number++; tell(c[i].number)
        :: else
        fi;
        c[i].hasCommitted = 0;
        forget(i)
    }
    /* The fence has another epoch. */
    :: atomic { c[i].isAnswered && !c[i].isTaken -> beginAnew(i) }
    :: atomic { c[i].asks -> giveUp(i) }
    :: atomic { c[i].holds -> beginAnew(i) }
    od
}

init {
    atomic {
        byte i = 0;
        do
        :: i < CONTROLLERS -> run Backend(i); run Life(i); i++
        :: else -> break
        od
    }
}
