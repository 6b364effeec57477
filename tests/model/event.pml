/* The event word of docs/design/mailbox-protocol.md: {generation, sleepers} on which waiters sleep and which notifiers load after a commit.
 *
 * MODELLED
 *   WAITERS waiters: look at the condition; arm: load v, CAS v -> {g+1, sleepers}; look once more; futex_wait on exactly that value.
 *   NOTIFIERS notifiers, each commits MSGS times (BATCH messages each) and notifies after each: load, no flag: nothing; else raise the
 *   generation, wake WAKE, and if nobody was asleep CAS sleepers away, comparing with the value that it raised.
 *   futex_wait compares and goes to sleep in one step; futex_wake picks any sleepers (the kernel's order is not relied on).
 *   A waiter takes one message and then is busy for ever (ONESHOT, the hardest case for wake-one) or comes back for more.
 *   GIVEUP: a waiter's own deadline may end its sleep at any time; it then looks once more before it leaves.
 *   CRASHES: notifiers and waiters may be killed before each step, also after they were woken. SLICE: the time-out of the slice, a
 *   step that is possible once somebody was killed.
 *   The generation is unbounded by default: the comparison of a remembered value with the word holds iff the word did not change in
 *   between (ghost same[]). GENS=k: a real counter modulo k instead, to see what wrapping does.
 * NOT MODELLED
 *   the bell bit (an fd armed instead of a sleeper), spurious wake-ups (they lead to the loop's head, as EAGAIN does), weak memory.
 * CHECKED, when nobody can do anything any more (no notifier between commit and wake, no waiter awake):
 *   - without a crash: no waiter sleeps while a message is there: min(messages, sleepers) = 0
 *   - with crashes: min(messages, sleepers) <= number of crashes (STRICT: = 0, which is wrong without SLICE and right with it)
 *   So what wake-one guarantees: with one notify per message (or BATCH messages and WAKE >= BATCH), every message that is there has a
 *   waiter of its own awake or a wake under way, or nobody sleeps; each killed process can cost one wake; nothing else costs any.
 *   UNEQUAL: waiter 0 needs two units, the others one (the memory word): wake-one is wrong there, WAKEALL is right.
 * RUN     tests/model/run event, or
 *   spin -a event.pml && gcc -O2 -DSAFETY -DCOLLAPSE -DNOREDUCE -o pan pan.c && ./pan -m100000
 */
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef NOTIFIERS
#define NOTIFIERS 2
#endif
#ifndef MSGS
#define MSGS 2
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef WAKE
#define WAKE 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#define ALL (WAITERS + NOTIFIERS)

bit sleepers;
#ifdef GENS
byte gen; byte snap[ALL];
#define WORD          (gen * 2 + sleepers)
#define REMEMBER(i)   snap[i] = WORD
#define SAME(i)       (snap[i] == WORD)
#define BUMP          gen = (gen + 1) % GENS
#define FORGET(i)     snap[i] = 0
inline changed() { skip }
#else
bit same[ALL];
#define REMEMBER(i)   same[i] = 1
#define SAME(i)       (same[i])
#define BUMP          skip
#define FORGET(i)     same[i] = 0
inline changed() { q = 0; do :: q < ALL -> same[q] = 0; q++ :: else -> break od; q = 0 }
#endif

byte avail;                       /* the condition: how many messages are there */
bit asleep[WAITERS];              /* in the kernel */
byte crashes = CRASHES, crashed;
bit gone[WAITERS];

#define S(step)  if :: step :: atomic { crashes > 0 -> crashes--; crashed++ }; goto dead fi
#ifdef UNEQUAL
#define NEED(w)  (w == 0 -> 2 : 1)
#else
#define NEED(w)  1
#endif

proctype Waiter(byte w) {
  byte q; bit ok, last;
again:
  atomic {
    S(d_step { if :: avail >= NEED(w) -> avail = avail - NEED(w); ok = 1 :: else -> ok = 0 fi });
    if
    :: ok -> ok = 0;
#ifdef ONESHOT
       goto dead
#else
       if :: last -> goto dead :: else -> goto again fi
#endif
    :: last -> goto dead
    :: else
    fi
  };
arm:
  atomic { S(REMEMBER(w)) };
  atomic {
#ifdef F_ARM_WITHOUT_BUMP
  S(d_step { if :: SAME(w) -> if :: !sleepers -> changed(); sleepers = 1 :: else fi; REMEMBER(w); ok = 1 :: else -> ok = 0 fi });
#else
#ifdef F_ARM_BY_STORE
  S(d_step { changed(); BUMP; sleepers = 1; REMEMBER(w); ok = 1 });
#else
  S(d_step { if :: SAME(w) -> changed(); BUMP; sleepers = 1; REMEMBER(w); ok = 1 :: else -> ok = 0 fi });
#endif
#endif
    if :: ok -> ok = 0 :: else -> goto arm fi
  };
#ifndef F_NO_SECOND_LOOK
  atomic {
    S(d_step { ok = (avail >= NEED(w)) });
    if :: ok -> ok = 0; FORGET(w); goto again :: else fi
  };
#endif
  atomic {
#ifdef F_WAIT_ON_CURRENT
  S(asleep[w] = 1);
#else
  S(d_step { if :: SAME(w) -> asleep[w] = 1 :: else fi });
#endif
    FORGET(w);
    if :: asleep[w] :: else -> goto again fi
  };
end_asleep:
  if
  :: atomic { !asleep[w] ->
#ifdef F_GIVEUP_BLIND
       if :: goto dead :: goto again fi    /* woken, but the deadline has passed as well: leaves without a look */
#else
       goto again
#endif
     }
#ifdef GIVEUP
  :: atomic { asleep[w] -> asleep[w] = 0; last = 1; goto again }
#endif
#ifdef SLICE
  :: atomic { asleep[w] && crashed && avail >= NEED(w) -> asleep[w] = 0; goto again }
#endif
  :: atomic { asleep[w] && crashes > 0 -> crashes--; crashed++; asleep[w] = 0; goto dead }
  fi;
dead:
  atomic { ok = 0; last = 0; FORGET(w); gone[w] = 1 }
}

proctype Notifier(byte n) {
  byte k, q, woken, t; bit ok;
  do
  :: k < MSGS ->
#ifdef F_NOTIFY_BEFORE_COMMIT
     atomic { S(ok = sleepers) };
     atomic { S(avail = avail + BATCH) };
#else
     atomic { S(avail = avail + BATCH) };
     atomic { S(ok = sleepers); if :: ok :: else -> goto next fi };
#endif
     if
     :: ok ->
        atomic { ok = 0; S(d_step { changed(); BUMP; REMEMBER(n); t = sleepers }) };
        atomic {
        woken = 0;
#ifdef WAKEALL
        S(d_step { q = 0; do :: q < WAITERS -> if :: asleep[q] -> asleep[q] = 0; woken++ :: else fi; q++ :: else -> break od; q = 0 });
#else
        S(atomic { skip;
          do
          :: woken < WAKE ->
             if
             :: asleep[0] -> asleep[0] = 0; woken++
             :: asleep[1] -> asleep[1] = 0; woken++
#if WAITERS > 2
             :: asleep[2] -> asleep[2] = 0; woken++
#endif
             :: else -> break
             fi
          :: else -> break
          od });
#endif
        if :: woken == 0 && !t -> goto next :: else fi
        };
        atomic {
        if
#ifdef F_CLEAR_WITHOUT_COMPARE
        :: woken == 0 -> S(d_step { changed(); sleepers = 0 })
#else
        :: woken == 0 && t -> S(d_step { if :: SAME(n) -> changed(); sleepers = 0 :: else fi })
#endif
#ifdef F_CLEAR_ALWAYS
        :: woken != 0 -> S(d_step { if :: SAME(n) -> changed(); sleepers = 0 :: else fi })
#endif
        :: else
        fi }
     :: else
     fi;
next:
     atomic { k++; woken = 0; t = 0; ok = 0; FORGET(n) }
  :: else -> break
  od;
dead:
  atomic { k = 0; ok = 0; woken = 0; t = 0; FORGET(n) }
}

proctype Monitor() {
  byte w, n;
  timeout;
  d_step {
    w = 0; n = 0;
    do
    :: w < WAITERS -> if :: asleep[w] && avail >= NEED(w) -> n++ :: else fi; w++
    :: else -> break
    od;
    if :: n > avail -> n = avail :: else fi;
#ifdef STRICT
    assert(n == 0)
#else
    assert(n <= crashed)
#endif
  }
}

init {
  atomic {
    run Waiter(0); run Waiter(1);
#if WAITERS > 2
    run Waiter(2);
#endif
    run Notifier(WAITERS);
#if NOTIFIERS > 1
    run Notifier(WAITERS + 1);
#endif
#if NOTIFIERS > 2
    run Notifier(WAITERS + 2);
#endif
    run Monitor()
  }
}
