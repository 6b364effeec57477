/* The event word of docs/design/waiting.md, {generation, bell, sleepers}: waiters sleep on it, pollers have a bell, notifiers look at it
 * after each commit.
 *
 * MODELLED
 *   WAITERS waiters: look at the condition; arm: load v, CAS v -> {g+1, sleepers}; look once more; futex_wait on exactly that value.
 *   POLLERS pollers, who sleep in a poll of fd(): try; be quiet (take back what rang); arm: CAS v -> {g+1, bell}; look once more and, if
 *   there is something after all, ring themselves. NOTIFIERS notifiers, each commits MSGS times (BATCH messages each) and notifies after
 *   each: load, no flag: nothing; else raise the generation; with the bell flag, ring every poller (one system call); with the sleepers
 *   flag, wake WAKE; then one CAS, comparing with the value that it raised, that clears bell if it rang and sleepers if nobody slept.
 *   futex_wait compares and goes to sleep in one step; futex_wake picks any sleepers (the kernel's order is not relied on).
 *   A waiter takes one message and then is busy for ever (ONESHOT, the hardest case for wake-one) or comes back for more. A receiver that
 *   takes a message has it in its hand for a step; killed then, it leaves an orphan.
 *   GIVEUP: a waiter's own deadline may end its sleep at any time; it then looks once more before it leaves.
 *   CRASHES: everybody may be killed before each step, also after having been woken or rung. The kernel then rings every poller (the file
 *   was closed), and gives the lock back *after* that. REAPERS of those who may not deliver: lock, unlock as orphaned, tell, notify all.
 *   A poller that hears of a departure takes a census, and another when its timer reminds it, after the lock is back.
 *   SLICE: the time-out of a waiter's slice, a step that is possible once somebody was killed or stopped. It includes a census.
 *   STOP: one process is stopped at any moment and goes on when nobody else can do anything.
 *   The generation is unbounded by default: the comparison of a remembered value with the word holds iff the word did not change in
 *   between (ghost same[]). GENS=k: a real counter modulo k instead, to see what wrapping does.
 * NOT MODELLED
 *   spurious wake-ups (they lead to the loop's head, as EAGAIN does), weak memory, an inotify queue that overflows (it rings, too).
 * ASSUMED  the kernel gives the locks of a dead process back within the 2 ms of the reminder.
 * CHECKED, when nobody can do anything any more (no notifier between commit and wake, no waiter awake):
 *   - without a crash: no waiter sleeps while a message is there: min(messages, sleepers) = 0
 *   - with crashes: min(messages, sleepers) <= number of crashes (STRICT: = 0, which is wrong without SLICE and right with it)
 *   So what wake-one guarantees: with one notify per message (or BATCH messages and WAKE >= BATCH), every message that is there has a
 *   waiter of its own awake or a wake under way, or nobody sleeps; each killed process can cost one wake; nothing else costs any.
 *   - no poller's descriptor is quiet while a message or an orphan is there, crashes or not
 *   - while one is stopped: the others sleep past no message (with SLICE), and a descriptor is quiet with a message there only if the
 *     stopped one is a notifier between its commit and its ring, and only with the one message of that commit
 *   UNEQUAL: waiter 0 needs two units, the others one (the memory word): wake-one is wrong there, WAKEALL is right.
 * RUN     tests/model/run event, or
 *   spin -a event.pml && gcc -O2 -DSAFETY -DCOLLAPSE -DNOREDUCE -o pan pan.c && ./pan -m100000
 */
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef POLLERS
#define POLLERS 0
#endif
#ifndef NOTIFIERS
#define NOTIFIERS 2
#endif
#ifndef REAPERS
#define REAPERS 0
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
#define ALL (WAITERS + POLLERS + NOTIFIERS + REAPERS)
bit killed[8];                    /* and the kernel is not done with it */
#ifdef STOP
byte stopped, stops = 1;                                /* the process under SIGSTOP, by its number */
#define RUNS        provided (stopped != _pid || killed[_pid])
#define SLICES      (crashed || stopped)
#define MOVES(i)    (stopped != i)
#else
#define RUNS
#define SLICES      crashed
#define MOVES(i)    true
#endif

bit sleepers, bell;
#ifdef GENS
byte gen; byte snap[ALL];
#define WORD          (gen * 4 + bell * 2 + sleepers)
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
byte orphans; bit told;           /* messages in hands of the dead whose lock is back; and whether the orphan epoch says so */
bit untended;                     /* a lock is back that no reaper has looked at */
byte dying;                       /* killed, but the kernel has not given the lock back yet */
bit asleep[WAITERS + 1];          /* in the kernel */
bit rung[POLLERS + 1], self[POLLERS + 1], departed[POLLERS + 1], timer[POLLERS + 1], polling[POLLERS + 1];
bit between[ALL];                 /* ghost: committed, and not yet rung */
byte crashes = CRASHES, crashed;

#define S(step)  if :: step :: atomic { crashes > 0 -> crashes--; crashed++; killed[_pid] = 1 }; goto dead fi
#ifdef UNEQUAL
#define NEED(w)  (w == 0 -> 2 : 1)
#else
#define NEED(w)  1
#endif

/* one look at the condition: takes what was left and told of first */
inline attempt(need) {
  if
  :: told && orphans > 0 -> orphans--; ok = 1; if :: orphans == 0 -> told = 0 :: else fi
  :: else -> if :: avail >= need -> avail = avail - need; ok = 1 :: else -> ok = 0 fi
  fi
}
/* the kernel's part of a death: the closed file rings, then the lock is free */
inline farewell(left) {
  atomic {
    if
    :: killed[_pid] ->
#ifndef F_NO_DEPARTURE
       d_step { q = 0; do :: q < POLLERS -> departed[q] = 1; q++ :: else -> break od; q = 0 };
#endif
       dying++
    :: else
    fi
  };
  atomic {
    if :: killed[_pid] -> dying--; untended = 1; if :: left > 0 -> orphans = orphans + left; told = 0 :: else fi; left = 0; killed[_pid] = 0 :: else fi
  }
}

proctype Waiter(byte w) RUNS {
  byte q, left; bit ok, last;
again:
  atomic {
    S(d_step { attempt(NEED(w)) });
    if
    :: ok -> ok = 0;
#ifdef HOLDS
       left = 1; S(left = 0);                           /* in the hand, until it is released */
#endif
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
  atomic {                                              /* STEP(wait.arm) */
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
  atomic {                                              /* STEP(wait.look) */
    S(d_step { ok = (avail >= NEED(w) || told && orphans > 0) });
    if :: ok -> ok = 0; FORGET(w); goto again :: else fi
  };
#endif
  atomic {                                              /* STEP(wait.sleep) */
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
  :: atomic { asleep[w] && SLICES && avail >= NEED(w) -> asleep[w] = 0; goto again }
  :: atomic { asleep[w] && SLICES && orphans > 0 -> asleep[w] = 0; told = 1; goto again }       /* STEP(wait.census) */
#endif
  :: atomic { asleep[w] && crashes > 0 -> crashes--; crashed++; asleep[w] = 0; killed[_pid] = 1; goto dead }
  fi;
dead:
  atomic { ok = 0; last = 0; FORGET(w) };
  farewell(left)
}

#if POLLERS > 0
#define READABLE(p)  (rung[p] || self[p] || departed[p] || timer[p] && !dying)
proctype Poller(byte p) RUNS {
  byte q, mine; bit ok, heard;
poll:
end_poll:
  if
  :: atomic { READABLE(p) -> ok = 0 }
  :: atomic { crashes > 0 -> crashes--; crashed++; killed[_pid] = 1; goto dead }
  fi;
  /* the call: what was adopted first, then a message */
  atomic {
    S(d_step { if :: mine > 0 -> mine--; ok = 1 :: else -> attempt(1) fi });
#ifdef HOLDS
    if :: ok -> mine++; S(mine--) :: else fi;
#endif
    ok = 0
  };
  /* its end */
  atomic { S(ok = (self[p] && (avail > 0 || mine > 0 || told && orphans > 0))); if :: ok -> ok = 0; goto poll :: else fi };
#ifdef F_QUIET_AFTER_ARM
arm:
  atomic { S(REMEMBER(WAITERS + p)) };
  atomic {
    S(d_step { if :: SAME(WAITERS + p) -> changed(); BUMP; bell = 1; FORGET(WAITERS + p); ok = 1 :: else -> ok = 0 fi });
    if :: ok -> ok = 0 :: else -> goto arm fi
  };
#endif
  atomic {                                              /* STEP(bell.quiet) */
    S(d_step { heard = departed[p] || timer[p] && !dying; ok = departed[p]; if :: !dying -> timer[p] = 0 :: else fi;
               rung[p] = 0; self[p] = 0; departed[p] = 0 })
  };
  atomic {
    if :: heard -> S(d_step { mine = mine + orphans; orphans = 0; told = 0 }) :: else fi;       /* STEP(bell.census) */
#ifndef F_NO_REMINDER
    if :: ok -> S(timer[p] = 1) :: else fi;             /* STEP(bell.remind) */
#endif
    heard = 0; ok = 0
  };
#ifndef F_QUIET_AFTER_ARM
arm:
  atomic { S(REMEMBER(WAITERS + p)) };
  atomic {                                              /* STEP(bell.arm) */
    S(d_step { if :: SAME(WAITERS + p) -> changed(); BUMP; bell = 1; FORGET(WAITERS + p); ok = 1 :: else -> ok = 0 fi });
    if :: ok -> ok = 0 :: else -> goto arm fi
  };
#endif
#ifndef F_NO_LOOK_AFTER_BELL
  atomic {                                              /* STEP(bell.look) STEP(bell.self) */
    S(ok = (avail > 0 || mine > 0 || told && orphans > 0));
    if :: ok -> S(self[p] = 1) :: else fi;
    ok = 0
  };
#endif
  goto poll;
dead:
  atomic { ok = 0; heard = 0; polling[p] = 0; rung[p] = 0; self[p] = 0; departed[p] = 0; timer[p] = 0; FORGET(WAITERS + p) };
  farewell(mine)
}
#endif

/* after the flag was seen; everyone: notify_all. Goes on at its end. */
inline notify(n, everyone) {
  atomic { ok = 0; S(d_step { changed(); BUMP; REMEMBER(n); t = sleepers; b = bell }) };        /* STEP(event.raise) */
#ifdef F_CLEAR_BELL_FIRST
  atomic { if :: b -> S(d_step { if :: SAME(n) -> changed(); bell = 0; REMEMBER(n) :: else fi }) :: else fi };
#endif
  atomic { if :: b -> S(d_step { q = 0; do :: q < POLLERS -> rung[q] = polling[q]; q++ :: else -> break od; q = 0 }) :: else fi;
           between[n] = 0 };                            /* STEP(event.ring) */
  atomic {
    woken = 0;
    if
    :: t ->                                             /* STEP(event.wake) */
       if
       :: everyone -> S(d_step { q = 0; do :: q < WAITERS -> if :: asleep[q] -> asleep[q] = 0; woken++ :: else fi; q++ :: else -> break od; q = 0 })
       :: else ->
          S(atomic { skip;
            do
            :: woken < WAKE ->
               if
               :: asleep[0] -> asleep[0] = 0; woken++
#if WAITERS > 1
               :: asleep[1] -> asleep[1] = 0; woken++
#endif
#if WAITERS > 2
               :: asleep[2] -> asleep[2] = 0; woken++
#endif
               :: else -> break
               fi
            :: else -> break
            od })
       fi;
#ifdef F_CLEAR_ALWAYS
       t = 1
#else
       t = (everyone || woken == 0)
#endif
    :: else
    fi
  };
  atomic {
    if
#ifdef F_CLEAR_WITHOUT_COMPARE
    :: t || b -> S(d_step { changed(); if :: t -> sleepers = 0 :: else fi; if :: b -> bell = 0 :: else fi })
#else
    :: t || b ->                                        /* STEP(event.clear) */
       S(d_step { if :: SAME(n) -> changed(); if :: t -> sleepers = 0 :: else fi; if :: b -> bell = 0 :: else fi :: else fi })
#endif
    :: else
    fi
  }
}

proctype Notifier(byte n) RUNS {
  byte k, q, woken; bit t, b, ok;
  do
  :: k < MSGS ->
#ifdef F_NOTIFY_BEFORE_COMMIT
     atomic { S(ok = sleepers || bell) };
     atomic { S(avail = avail + BATCH) };
#else
     atomic { S(avail = avail + BATCH); between[n] = 1 };
     atomic { S(ok = sleepers || bell); if :: ok :: else -> between[n] = 0; goto next fi };     /* STEP(notify.check) */
#endif
     if
     :: ok ->
#ifdef WAKEALL
        notify(n, 1)
#else
        notify(n, 0)
#endif
     :: else
     fi;
next:
     atomic { k++; woken = 0; t = 0; b = 0; ok = 0; FORGET(n) }
  :: else -> break
  od;
dead:
  atomic { k = 0; ok = 0; woken = 0; t = 0; b = 0; between[n] = 0; FORGET(n) };
  q = 0; farewell(q)
}

#if REAPERS > 0
/* whoever takes a census and may not deliver */
proctype Reaper(byte n) RUNS {
  byte q, woken, left; bit t, b, ok;
end_r:
  do
  :: atomic { untended -> S(d_step { untended = 0; left = orphans; orphans = 0; told = 0 }); between[n] = 1 };
     atomic { S(d_step { orphans = orphans + left; left = 0 }) };      /* STEP(orphan.unlock) */
     atomic { S(if :: orphans > 0 -> told = 1 :: else fi) };            /* STEP(orphan.tell) */
     notify(n, 1);
     atomic { woken = 0; t = 0; b = 0; FORGET(n) }
  od;
dead:
  atomic { ok = 0; woken = 0; t = 0; b = 0; between[n] = 0; FORGET(n) };
  farewell(left)
}
#endif

inline check_waiters() {
  w = 0; n = 0;
  do
  :: w < WAITERS -> if :: asleep[w] && avail >= NEED(w) && MOVES(1 + w) -> n++ :: else fi; w++
  :: else -> break
  od;
  if :: n > avail -> n = avail :: else fi;
#ifdef STRICT
  assert(n == 0)
#else
  assert(n <= crashed)
#endif
}
proctype Monitor() {
  byte w, n;
#ifdef STOP
  do
  :: atomic { stops -> stops = 0;                       /* SIGSTOP to anybody, at any moment */
       if :: stopped = 1 :: stopped = 2 :: stopped = 3
#if WAITERS + POLLERS + NOTIFIERS + REAPERS > 3
       :: stopped = 4
#endif
#if WAITERS + POLLERS + NOTIFIERS + REAPERS > 4
       :: stopped = 5
#endif
       fi }
  :: atomic { timeout && stopped ->                     /* SIGCONT, at the very end */
       d_step {
#ifdef SLICE
         check_waiters();
#endif
#if POLLERS > 0
         w = 0;
         do
         :: w < POLLERS ->
            if
            :: polling[w] && !READABLE(w) && avail > 0 && stopped != 1 + WAITERS + w -> assert(between[stopped - 1] && avail == BATCH)
            :: else
            fi;
            w++
         :: else -> break
         od;
#endif
         w = 0; n = 0; stopped = 0 } }
  :: timeout && !stopped -> break
  od;
  skip;
#else
  timeout;
#endif
  d_step {
    check_waiters();
#if POLLERS > 0
    w = 0;
    do
    :: w < POLLERS -> assert(!polling[w] || READABLE(w) || avail == 0 && orphans == 0); w++
    :: else -> break
    od
#endif
  }
}

init {
  byte z;
  atomic {
    z = 0; do :: z < POLLERS -> polling[z] = 1; rung[z] = 1; z++ :: else -> break od;   /* fd() was asked for: the first poll returns at once */
    z = 0; do :: z < WAITERS -> run Waiter(z); z++ :: else -> break od;
#if POLLERS > 0
    z = 0; do :: z < POLLERS -> run Poller(z); z++ :: else -> break od;
#endif
    z = 0; do :: z < NOTIFIERS -> run Notifier(WAITERS + POLLERS + z); z++ :: else -> break od;
#if REAPERS > 0
    z = 0; do :: z < REAPERS -> run Reaper(WAITERS + POLLERS + NOTIFIERS + z); z++ :: else -> break od;
#endif
    z = 0;
    run Monitor()
  }
}
