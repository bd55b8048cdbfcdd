/* Who may answer, and when: several controllers, one database, one lease.
   Read first: Docs/decisions/0037-the-lease.md. It models Sources/ZeroTierController/ControllerLease.swift and the statements of
   Sources/ZeroTierStorePostgres for the lease; what is written under it is in writes.pml. Tests/Models/controller-lease/run
   explores both.

   A lease lasts LEASE ticks. The database's lease and each controller's own view of it are counted down by one clock, of which
   a controller may miss DRIFT ticks in the life of a view. Statements and answers take any time. A statement that its sender
   gave up may still arrive: a stray.

   CONTROLLERS  how many: 2 or 3
   TIMELY       what is not cut off arrives within its tick; GAP ticks after a failure there is an answer
   FROM_ANSWER, MARGIN=0   faults; each must be found */

#ifndef CONTROLLERS
#define CONTROLLERS 2
#endif
#ifndef LEASE
#define LEASE 4
#endif
#ifndef MARGIN
#define MARGIN 1
#endif
#ifndef DRIFT
#define DRIFT 1
#endif
/* The search ends behind so many epochs and failures. */
#ifndef EPOCHS
#define EPOCHS 4
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef CUTS
#define CUTS 2
#endif
#define GAP (LEASE + 1)

/* What a statement does. */
#define NONE 0
#define TAKE 1
#define RENEW 2

typedef Controller {
    bit up;              /* its process runs */
    bit cut;             /* the database does not hear it, nor it the database */
    bit holds;           /* it believes in its lease, and answers while `view` lasts */
    byte epoch;
    byte view;           /* ticks until it is silent */
    byte viewMisses;     /* ticks of these that its clock may still miss */
    bit tried;           /* it asks about the lease once in a tick */

    byte asks;           /* the statement that is under way */
    bit isAnswered;
    bit isGranted;
    byte answeredEpoch;
    byte pending;        /* the view that the answer will give */
    byte pendingMisses;
    byte stray;          /* one that it gave up */
    byte strayEpoch;
}

Controller c[CONTROLLERS];

/* The row of the database. */
byte holder = CONTROLLERS;
byte epoch = 0;
byte left = 0;

byte owner[EPOCHS + 1];  /* whose an epoch is: 1 + its number */
byte crashes = 0;
byte cuts = 0;
byte gap = 0;            /* ticks since the last failure in which nobody answered and somebody could have */

#define ANSWERS(i) (c[i].up && c[i].holds && c[i].view > 0)
#define ABLE(i) (c[i].up && !c[i].cut)
#define UNDER_WAY(i) (c[i].up && !c[i].cut && c[i].asks)
#define IDLE(i) (!c[i].up || c[i].tried)
#if CONTROLLERS == 2
#define ALL(P) (P(0) && P(1))
#define ANY(P) (P(0) || P(1))
#else
#define ALL(P) (P(0) && P(1) && P(2))
#define ANY(P) (P(0) || P(1) || P(2))
#endif

/* ---- The database. Each of these is one statement, and so one transaction. ---- */

inline take(WHO) {
    if
    :: left == 0 && epoch < EPOCHS ->
        epoch++;
        holder = WHO;
        left = LEASE;
        assert(owner[epoch] == 0);              /* one holder for each epoch */
        owner[epoch] = WHO + 1
    :: else
    fi
}

inline renew(WHO, AT) {
    if
    :: holder == WHO && epoch == AT -> left = LEASE
    :: else
    fi
}

/* What the database does for one controller: what it sent, and what is left of what it gave up. */
proctype Backend(byte i) {
end:
    do
    :: atomic {
        c[i].asks == TAKE && !c[i].isAnswered && !c[i].cut ->
        take(i);
        /* The row says whose the lease is and how long it lasts: it may be its own by a statement that it gave up. */
        c[i].isGranted = (holder == i && left > MARGIN);
        c[i].answeredEpoch = epoch;
        if
        :: c[i].isGranted && c[i].pending > left - MARGIN -> c[i].pending = left - MARGIN
        :: else
        fi;
        c[i].isAnswered = 1
    }
    :: atomic {
        c[i].asks == RENEW && !c[i].isAnswered && !c[i].cut ->
        renew(i, c[i].epoch);
        c[i].isGranted = (holder == i && epoch == c[i].epoch);
        c[i].answeredEpoch = epoch;
        c[i].isAnswered = 1
    }
    :: atomic { c[i].stray == TAKE -> take(i); c[i].stray = NONE; c[i].strayEpoch = 0 }
    :: atomic { c[i].stray == RENEW -> renew(i, c[i].strayEpoch); c[i].stray = NONE; c[i].strayEpoch = 0 }
    od
}

/* ---- A controller. ---- */

inline forget(WHO) {
    c[WHO].asks = NONE; c[WHO].isAnswered = 0; c[WHO].isGranted = 0; c[WHO].answeredEpoch = 0;
    c[WHO].pending = 0; c[WHO].pendingMisses = 0
}

/* An answer is not waited for any longer. The statement may still arrive. */
inline giveUp(WHO) {
#ifndef TIMELY
    if
    :: c[WHO].asks && !c[WHO].isAnswered ->
        c[WHO].stray = c[WHO].asks;
        if
        :: c[WHO].asks == RENEW -> c[WHO].strayEpoch = c[WHO].epoch
        :: else -> c[WHO].strayEpoch = 0
        fi
    :: true
    fi;
#endif
    forget(WHO)
}

inline beginAnew(WHO) { c[WHO].holds = 0; c[WHO].epoch = 0; c[WHO].view = 0; c[WHO].viewMisses = 0 }

inline ask(WHO, WHAT) {
    c[WHO].asks = WHAT;
    c[WHO].tried = 1;
    /* From the moment before it is sent. */
    c[WHO].pending = LEASE - MARGIN;
    c[WHO].pendingMisses = DRIFT
}

inline see(WHO) {
#ifdef FROM_ANSWER
    c[WHO].view = LEASE - MARGIN;
    c[WHO].viewMisses = DRIFT;
#else
    c[WHO].view = c[WHO].pending;
    c[WHO].viewMisses = c[WHO].pendingMisses;
#endif
    forget(WHO)
}

proctype Life(byte i) {
    byte j;
end:
    do
    /* A standby tries to take the lease; a holder renews it. */
    :: atomic { c[i].up && !c[i].holds && !c[i].asks && !c[i].tried -> ask(i, TAKE) }
    :: atomic { c[i].up && c[i].holds && c[i].view > 0 && !c[i].asks && !c[i].tried -> ask(i, RENEW) }
    :: atomic {
        c[i].up && !c[i].cut && c[i].isAnswered ->
        if
        :: c[i].isGranted && !c[i].holds && c[i].pending > 0 ->
            c[i].epoch = c[i].answeredEpoch;
            see(i);
            c[i].holds = 1;
            j = 0;
            do
            :: j < CONTROLLERS ->
                assert(j == i || !ANSWERS(j));  /* no two answer at once */
                j++
            :: else -> break
            od;
            j = 0
        :: c[i].isGranted && c[i].holds && c[i].answeredEpoch == c[i].epoch -> see(i)
        :: else -> forget(i); c[i].view = 0; c[i].viewMisses = 0
        fi
    }
    /* Its lease has ended: its node stops. */
    :: atomic { c[i].up && c[i].holds && c[i].view == 0 -> giveUp(i); beginAnew(i) }
    /* Patience ends. */
#ifdef TIMELY
    :: atomic { c[i].up && c[i].cut && c[i].asks -> giveUp(i) }
#else
    :: atomic { c[i].up && c[i].asks -> giveUp(i) }
#endif
    /* It dies, and comes back. */
    :: atomic { c[i].up && crashes < CRASHES -> crashes++; gap = 0; giveUp(i); beginAnew(i); c[i].up = 0 }
    :: atomic { !c[i].up -> c[i].up = 1 }
    /* The way to the database is cut, and is there again. */
    :: atomic { c[i].up && !c[i].cut && cuts < CUTS -> cuts++; gap = 0; c[i].cut = 1 }
    :: atomic { c[i].cut -> c[i].cut = 0 }
    od
}

/* ---- Time. ---- */

inline countDown(WHO) {
    if
    :: c[WHO].view > 0 ->
        if
        :: c[WHO].view--
        :: c[WHO].viewMisses > 0 -> c[WHO].viewMisses--
        fi
    :: else
    fi;
    if
    :: c[WHO].pending > 0 ->
        if
        :: c[WHO].pending--
        :: c[WHO].pendingMisses > 0 -> c[WHO].pendingMisses--
        fi
    :: else
    fi;
    c[WHO].tried = 0
}

proctype Clock() {
    byte i;
    do
    :: atomic {
#ifdef TIMELY
        ALL(IDLE) && !ANY(UNDER_WAY) ->
#endif
        if
        :: left > 0 -> left--
        :: else
        fi;
        i = 0;
        do
        :: i < CONTROLLERS -> countDown(i); i++
        :: else -> break
        od;
        i = 0;
#ifdef TIMELY
        if
        :: ANY(ANSWERS) || !ANY(ABLE) || epoch == EPOCHS -> gap = 0
        :: else -> gap++
        fi;
        assert(gap <= GAP)                      /* another takes over */
#endif
    }
    /* Without this step the clock would not show as something that goes on. */
progress:
    skip
    od
}

init {
    atomic {
        byte i = 0;
        do
        :: i < CONTROLLERS -> c[i].up = 1; run Backend(i); run Life(i); i++
        :: else -> break
        od;
        run Clock()
    }
}
