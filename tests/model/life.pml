/* Life of the segment (docs/design/segment-life.md): create, open, join, leave, remove, gc; the door; names and files.
 *
 * MODELLED
 *   One name; FILES files (a file is used again once it has no name and nobody has it open); SLOTS lock bytes and one more, the door,
 *   which is taken shared or exclusive. USERS processes, each ROUNDS times: open the name or create it, use it, leave, remove or not.
 *   create: an unnamed file, the lock of slot 0, LIVE, linkat (EEXIST: start again). open: open the name, door shared (waits), does
 *   the file still have a name, lock of a slot (repair of a dead one delivers what is in its hand), LIVE, give the door back.
 *   use: send, take into the hand, release. leave: FREE, give back the lock. remove: open the name, door exclusive (waits; a gc only
 *   tries), no slot is locked (one system call each), nothing is queued or in a hand, the name leads to this file, unlink.
 *   FORCE: a remover that takes the door but does not care for participants; after the unlink it tells them. A user waits for others to
 *   come as long as the name leads to its file or nobody has told it; its census looks at the link count. STOP: one process is stopped
 *   at any moment and goes on when nobody else can do anything; only a door that the stopped one may hold is given up on. Everybody may be killed before each step (CRASHES);
 *   the kernel gives the locks of the dead back one at a time, in any order.
 * NOT MODELLED
 *   the inside of repair (exchange_ring.pml); rm by hand (unlink without the door: F_FORCE_NO_DOOR shows what it costs).
 * CHECKED
 *   - nobody completes a join on a file that the name does not lead to, and nobody's file loses its name (but by FORCE)
 *   - what is unlinked is the file that was checked; no participant is in it, nothing is queued, nothing is in a hand
 *   - at the end, after one more gc: no name, unless messages are waiting; all left with remove and nobody was killed: no gc needed
 *   - no invalid end state: nobody waits for the door for ever, or for newcomers who can't come
 *   - STOP, when only the stopped one could go on: all others have come to their end
 * RUN     tests/model/run life, or
 *   spin -a -DCRASHES=2 life.pml && gcc -O2 -DSAFETY -DCOLLAPSE -DNOREDUCE -o pan pan.c && ./pan -m100000
 */
#ifndef USERS
#define USERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef GCS
#define GCS 1
#endif
#define SLOTS 2
#define FILES 4                   /* 1 … FILES-1, 0 is none */
#define X(f, s) ((f) * SLOTS + (s))
#ifdef STOP
byte stopped, stops = 1;                              /* the process under SIGSTOP, by its number */
byte ended;                                           /* how many have come to their end */
#define RUNS    provided (stopped != _pid)
#define ENDED   ended++
#define LATE(f) (stopped && (shared[f] > 0 || excl[f] > 0))  /* only a stopped process keeps the door for longer than patience lasts */
#else
#define RUNS
#define ENDED   skip
#define LATE(f) false
#endif
#define me      _pid

byte name;                                            /* where the name leads to */
bit linked[FILES]; byte refs[FILES];                  /* st_nlink, open descriptors */
byte lock[FILES * SLOTS]; bit live[FILES * SLOTS], hand[FILES * SLOTS];
byte queued[FILES];
byte shared[FILES], excl[FILES];                      /* the door */
byte crashes = CRASHES;
/* ghosts */
bit in[FILES * SLOTS]; bit forced[FILES]; bit kept;
#ifdef FORCE
bit told[FILES];                                      /* not a ghost: `life` says that the mailbox was removed */
#define UNTOLD(f)  told[f] = 0
#else
#define UNTOLD(f)  skip
#endif

#define S(step)  if :: step :: crashes > 0 -> crashes--; kept = 1; goto dead fi

inline close(f) {
  refs[f]--;
  if :: refs[f] == 0 && !linked[f] ->                 /* the file is gone */
        queued[f] = 0; forced[f] = 0; UNTOLD(f);
        live[X(f, 0)] = 0; live[X(f, 1)] = 0; hand[X(f, 0)] = 0; hand[X(f, 1)] = 0
     :: else fi;
  f = 0
}
#define NEWFILE(k) (refs[k] == 0 && !linked[k])

#ifdef F_TIMEOUT                                      /* who has not moved for long is taken for dead */
#define GIVEN_BACK(k) (lock[k] == 0 || stopped && lock[k] == stopped)
#else
#define GIVEN_BACK(k) (lock[k] == 0)
#endif

/* remove: f is open. try: do not wait for the door. Goes on at its end with f closed. */
inline remove(try, force) {
#ifndef F_NO_DOOR_REMOVE
  if
  :: atomic { shared[f] == 0 && excl[f] == 0 -> S(excl[f] = me); door = 2 }          /* STEP(remove.door) */
  :: atomic { try && (shared[f] > 0 || excl[f] > 0) -> close(f); goto removed }
#ifndef F_NO_PATIENCE
  :: atomic { LATE(f) -> close(f); kept = 1; goto removed }
#endif
  fi;
#endif
  if
  :: force
  :: else ->
     atomic { S(ok = GIVEN_BACK(X(f, 0))) };          /* STEP(remove.locks) */
     atomic { S(ok = (ok && GIVEN_BACK(X(f, 1)))) };
     atomic { S(ok = (ok                              /* STEP(remove.queue) STEP(remove.slots) */
#ifndef F_IGNORE_QUEUE
                      && queued[f] == 0
#endif
#ifndef F_IGNORE_HANDS
                      && !hand[X(f, 0)] && !hand[X(f, 1)]
#endif
                      )) };
     if :: ok -> ok = 0 :: else -> goto shut fi
  fi;
#ifndef F_NO_NAME_CHECK_REMOVE
  /* STEP(remove.name) */
  atomic { S(ok = (name == f)); if :: ok -> ok = 0 :: else -> goto shut fi };
#endif
  atomic {
    S(d_step {
      /* STEP(remove.unlink) STEP(force.unlink): whatever the name leads to now */
      if
      :: name != 0 ->
         assert(name == f);
         if
         :: force -> forced[f] = 1
         :: else -> assert(!in[X(f, 0)] && !in[X(f, 1)] && queued[f] == 0 && !hand[X(f, 0)] && !hand[X(f, 1)])
         fi;
         linked[name] = 0; name = 0
      :: else
      fi })
  };
#ifdef FORCE
  atomic { if :: force && ok == 0 -> S(told[f] = 1) :: else fi };       /* STEP(force.tell) */
#endif
shut:
  atomic {
    S(skip);                                          /* STEP(remove.leave) */
    if :: door == 2 -> excl[f] = 0; door = 0 :: else fi;
    close(f); ok = 0
  };
removed: skip
}

proctype User(byte rounds) RUNS {
  byte f, s; byte door; bit locked, ok;
  do
  :: rounds > 0 ->
again:
     if
     :: atomic { name == 0 ->                         /* ENOENT: create it */
          if :: NEWFILE(1) -> f = 1 :: NEWFILE(2) -> f = 2 :: NEWFILE(3) -> f = 3 fi;
          refs[f]++ };                                /* STEP(create.file) */
#ifndef F_LINK_BEFORE_LOCK
        atomic { S(d_step { lock[X(f, 0)] = me; live[X(f, 0)] = 1 }); s = 0; locked = 1 };     /* STEP(enter.slot) */
#endif
        atomic {                                      /* STEP(enter.publish) */
          S(d_step { ok = (name == 0); if :: ok -> name = f; linked[f] = 1 :: else fi });
          if
          :: ok -> ok = 0; in[X(f, 0)] = 1
          :: else -> lock[X(f, 0)] = 0; live[X(f, 0)] = 0; locked = 0; close(f); goto again
          fi
        };
#ifdef F_LINK_BEFORE_LOCK
        atomic { S(d_step { lock[X(f, 0)] = me; live[X(f, 0)] = 1 }); s = 0; locked = 1 };
#endif
     :: atomic { name != 0 -> f = name; refs[f]++ };  /* STEP(open.file) */
#ifndef F_NO_DOOR_JOIN
        if
        :: atomic { excl[f] == 0 -> S(shared[f]++); door = 1 }          /* STEP(open.door) */
#ifndef F_NO_PATIENCE
        :: atomic { excl[f] != 0 && LATE(f) -> close(f); goto over }     /* timed_out */
#endif
        fi;
#endif
#ifndef F_NO_NAME_CHECK_JOIN
        atomic { S(ok = linked[f]);                   /* STEP(open.linked) */
          if :: ok -> ok = 0
             :: else -> if :: door -> shared[f]--; door = 0 :: else fi; close(f); goto again
          fi };
#endif
#ifdef F_DOOR_TOO_SHORT
        atomic { S(shared[f]--); door = 0 };
#endif
        if
        :: atomic { GIVEN_BACK(X(f, 0)) -> S(lock[X(f, 0)] = me); s = 0; locked = 1 }  /* STEP(join.lock) */
        :: atomic { GIVEN_BACK(X(f, 1)) -> S(lock[X(f, 1)] = me); s = 1; locked = 1 }
        :: atomic { lock[X(f, 0)] != 0 && lock[X(f, 1)] != 0 -> if :: door -> shared[f]--; door = 0 :: else fi; close(f); goto over }
        fi;
        atomic { S(hand[X(f, s)] = 0) };              /* STEP(join.repair) */
        atomic { S(live[X(f, s)] = 1);                /* STEP(join.live) */
                 assert(name == f || forced[f]); in[X(f, s)] = 1 };
        atomic { S(skip); if :: door -> shared[f]--; door = 0 :: else fi }               /* STEP(enter.leave) */
     fi;
     /* use it */
     do
     :: atomic { queued[f] == 0 -> S(queued[f]++) }
     :: atomic { queued[f] > 0 -> S(d_step { queued[f]--; hand[X(f, s)] = 1 }); S(hand[X(f, s)] = 0) }
     :: break
     od;
#ifdef FORCE
     /* waits for somebody to come, until it has waited enough or is told that nobody will */
     if
#ifndef F_NO_LOOK_AT_NAME
     :: atomic { !linked[f] && !told[f] -> S(told[f] = 1) }             /* STEP(census.name) */
#endif
     :: linked[f] || told[f]
     fi;
#endif
     assert((name == f || forced[f]) && lock[X(f, s)] == me);
     /* leave */
     atomic { S(live[X(f, s)] = 0); in[X(f, s)] = 0 };                                  /* STEP(leave.free) */
     atomic { S(lock[X(f, s)] = 0); locked = 0; s = 0 };                                /* STEP(leave.unlock) */
     if
     :: remove(0, 0)
#ifdef FORCE
     :: remove(0, 1)
#endif
#ifndef ALWAYS_REMOVE
     :: atomic { S(skip); close(f); kept = 1 }
#endif
     fi;
over:
     rounds--
  :: else -> break
  od;
dead:
  atomic { if :: f != 0 -> in[X(f, s)] = 0 :: else fi };
  /* the kernel: two locks and the descriptor, in any order */
  do
  :: atomic { locked -> lock[X(f, s)] = 0; locked = 0 }
  :: atomic { door == 1 -> shared[f]--; door = 0 }
  :: atomic { door == 2 -> excl[f] = 0; door = 0 }
  :: atomic { !locked && !door -> if :: f != 0 -> close(f) :: else fi; ok = 0; s = 0; rounds = 0; ENDED; break }
  od
}

proctype Gc() RUNS {
  byte f, door; bit ok, force;
  if
  :: atomic { name != 0 -> f = name; refs[f]++ }; 
#ifdef FORCE
     if
     :: remove(1, 0)
#ifdef F_FORCE_NO_DOOR
     :: atomic { S(d_step { if :: name != 0 -> forced[name] = 1; linked[name] = 0; name = 0 :: else fi }); close(f) }
#else
     :: remove(1, 1)
#endif
     fi
#else
     remove(1, 0)
#endif
  :: atomic { goto dead }
  fi;
dead:
  atomic { if :: door == 2 -> excl[f] = 0; door = 0 :: else fi };
  atomic { if :: f != 0 -> close(f) :: else fi; ok = 0; ENDED }
}

proctype Monitor() {
  byte k;
#ifdef STOP
  do
  :: atomic { stops -> stops = 0; select(k : 2 .. 1 + GCS + USERS); stopped = k; k = 0 }       /* SIGSTOP to anybody, at any moment */
  :: atomic { timeout && stopped -> assert(ended >= GCS + USERS - 1); stopped = 0 }    /* SIGCONT, at the very end: nobody waits any more */
  :: (_nr_pr <= 2) && !stopped -> break
  od;
  skip;
#else
  (_nr_pr <= 2);
#endif
  d_step {
    if                                                  /* all left with remove, and nobody was killed */
    :: !kept -> assert(name == 0 || queued[name] > 0)
    :: else
    fi;
    if                                                  /* the last gc */
    :: name != 0 ->
       k = name;
       assert(lock[X(k, 0)] == 0 && lock[X(k, 1)] == 0 && shared[k] == 0 && excl[k] == 0);
       if :: queued[k] == 0 && !hand[X(k, 0)] && !hand[X(k, 1)] -> name = 0; linked[k] = 0 :: else fi;
       assert(name == 0 || queued[k] + hand[X(k, 0)] + hand[X(k, 1)] > 0)
    :: else
    fi;
    k = 1;
    do :: k < FILES -> assert(refs[k] == 0 && (linked[k] -> name == k : 1)); k++ :: else -> break od
  }
}

init {
  atomic {
    run Monitor();
#if GCS > 0
    run Gc();
#endif
#if GCS > 1
    run Gc();
#endif
    run User(ROUNDS); run User(ROUNDS);
#if USERS > 2
    run User(ROUNDS);
#endif
  }
}
