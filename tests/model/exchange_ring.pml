/* The exchange ring of docs/design/exchange-ring.md: one CAS per operation swaps the chunk in the ring slot for one in the hand.
 *
 * MODELLED
 *   NS senders (M0, M1 messages), NR receivers, JS and JR processes that join later, in any participant slot whose lock is free (one
 *   that was left, or whose owner was killed; so a receiver may follow a sender and the other way round, with the evidence never
 *   reset), REAPERS bystanders that reap. LANES lanes of N ring slots (LANES=2: order=sender, sender x uses lane x mod LANES). Every
 *   hand has H chunks: a receiver may keep a message and take another one. DROP: the senders drop the oldest when the ring is full.
 *   Lock bytes are kernel objects: the holder's death gives them back, an adopter's two locks one after the other in any order.
 *   Every process (sender, receiver, joiner, reaper, adopter) may be killed before each of its stores and each of its CASes,
 *   CRASHES times in all. The intent is two words: position; kind, lane, hand, chunk. A repairer reads the slot word and then the
 *   evidence as two steps. A receiver that takes a dead one's lock adopts its hand. ONCE: at_most_once, a repairer counts each message
 *   in the hand as lost and makes it spare. A drop is counted before its intent, and uncounted if its CAS fails.
 *   STOP: one process is stopped at any moment and goes on when nobody else can do anything.
 * REDUCTION
 *   What only the lock holder of x touches (intent, hand, state of x, the inside of a chunk in its hand) commutes with the steps of
 *   all others; such steps run in one atomic block with the one shared access before or after them. Each has its own crash point.
 *   (A stop inside such a block is for all others the same as one before it.)
 *   Without WALK a process attempts the position a walk would have led it to (the ghosts tail, head); with WALK it walks from 0.
 * NOT MODELLED
 *   weak memory (seq_cst is assumed), waiting and waking (event.pml), blocks (block_pool.pml), wrap of turn, the budget of a walk.
 * CHECKED
 *   - nothing is delivered before it is committed, or after it was dropped; no message is delivered twice without the flag
 *   - the messages of one sender are taken in the order of their commits (FIFO)
 *   - what repair decides about the last CAS of the dead one is what happened (ghost did[]); and, no word names the reaped: once an
 *     owner of a slot has announced an exchange and not done it, neither the slot word nor the evidence says that it happened, whatever
 *     former owners of the slot left; and a slot that is given up or taken over has no intent
 *   - at the end: every chunk in exactly one place; each committed message is delivered, or delivered flagged, or dropped, or in the
 *     ring or in a hand, and if a receiver lives it is one of the first three (ONCE: or lost). Every dropped or lost message is
 *     counted, and for each process killed at most one too many
 *   - STOP, when only the stopped one could go on: nothing in the slots whose locks it holds has changed; if another receiver lives, no
 *     sender waits, and what was committed is delivered, dropped or lost, but for what is in those slots
 *   - no invalid end state (nobody waits for ever; senders wait only for a full ring without receivers)
 * RUN     tests/model/run exchange_ring            (all settings, with states and times), or one by hand:
 *   spin -a -DN=2 -DCRASHES=2 exchange_ring.pml && gcc -O2 -DSAFETY -DCOLLAPSE -DNOREDUCE -o pan pan.c && ./pan -m1000000
 * F_… switches break the protocol, one at a time; SPIN has to find each. O_NO_CLEAR_BY_REPAIR holds, too:
 * a stale intent of the last exchange finds its chunk in the hand already, and the next exchange overwrites it before its CAS.
 */
#ifndef N
#define N 1
#endif
#ifndef H
#define H 2
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef NS
#define NS 2
#endif
#ifndef NR
#define NR 2
#endif
#ifndef M0
#define M0 1
#endif
#ifndef M1
#define M1 1
#endif
#ifndef JS
#define JS 0
#endif
#ifndef MJ
#define MJ 1
#endif
#ifndef JR
#define JR 0
#endif
#ifndef REAPERS
#define REAPERS 1
#endif
#ifdef WALK
#define WALKS 1
#else
#define WALKS 0
#endif
#ifdef O_NO_CLEAR_BY_REPAIR
#define CLEARS 0
#else
#define CLEARS 1
#endif
#ifdef DROP
#define DROPS 1
#else
#define DROPS 0
#endif

#define P       (NS + NR)
#define SLOTS   (LANES * N)
#define CHUNKS  (SLOTS + P * H)
#define MSGS    (M0 + M1 + JS * MJ)
#define NOBODY  255
#define FREE    0
#define LIVE    1
#define ORPHANED 2
#define SPARE   0
#define MESSAGE 1
#define K_NONE  0
#define K_SEND  1
#define K_RECV  2
#define K_DROP  3
#define COMMITTED 1
#define DELIVERED 2
#define FLAGGED   4
#define DROPPED   8
#define LOST      16

/* the segment */
byte w_turn[SLOTS], w_chunk[SLOTS], w_own[SLOTS]; bit w_full[SLOTS];
byte hand_c[P * H]; bit hand_k[P * H];
byte i_kind[P], i_pos[P], i_lane[P], i_hand[P], i_get[P];
byte com[LANES * P], tak[LANES * P];                    /* the evidence */
byte dropped[P], lost[P];                                /* the counters */
byte pst[6];
byte content[CHUNKS];
#ifdef F_EPOCH_ONLY
byte epoch;
#endif
/* the kernel: who holds the lock byte */
byte lock[6];
byte crashes = CRASHES;
#ifdef STOP
byte stopped, stops = 1;                                /* the process under SIGSTOP, by its number */
short kept;                                             /* what it holds, as a sum */
bit sending[8], receiving[8];                           /* who has messages left to send; who is there to receive */
#define RUNS          provided (stopped != _pid)
#define SENDING(v)    sending[_pid] = v
#define RECEIVING(v)  receiving[_pid] = v
#else
#define RUNS
#define SENDING(v)    skip
#define RECEIVING(v)  skip
#endif
#define me            _pid
/* ghosts */
bit did[P]; byte ms[MSGS + 1]; byte tail[LANES], head[LANES]; byte last_taken[3]; byte receivers;

#define W(l, p)       ((l) * N + (p) % N)
#define TURN(p)       ((p) / N)
#define OPEN(l, p)    (w_turn[W(l, p)] == TURN(p) && !w_full[W(l, p)])
#define THERE(l, p)   (w_turn[W(l, p)] == TURN(p) && w_full[W(l, p)])
#define FILLED(l, p)  (w_turn[W(l, p)] > TURN(p) || THERE(l, p))
#define TAKEN(l, p)   (w_turn[W(l, p)] > TURN(p))
#define ISFULL(l, p)  ((p) >= N && w_turn[W(l, p)] == TURN(p) - 1 && w_full[W(l, p)])
#ifdef F_EVIDENCE_SHARED
#define E(l, x)       (x)
#else
#define E(l, x)       ((l) * P + (x))
#endif
#define HC(x, i)      hand_c[(x) * H + (i)]
#define HK(x, i)      hand_k[(x) * H + (i)]
#if H == 1
#define HASMSG(x)     (HK(x, 0) == MESSAGE)
#define HASSPARE(x)   (HK(x, 0) == SPARE)
#else
#define HASMSG(x)     (HK(x, 0) == MESSAGE || HK(x, 1) == MESSAGE)
#define HASSPARE(x)   (HK(x, 0) == SPARE || HK(x, 1) == SPARE)
#endif
#define SENDER_OF(m)  (m <= M0 -> 0 : (m <= M0 + M1 -> 1 : 2))

/* a step, or death instead of it */
#define S(step)  if :: step :: crashes > 0 -> crashes--; goto dead fi

#ifdef F_STORE
inline raise(a, v) { a = v }
#else
inline raise(a, v) { if :: (a < v) -> a = v :: else fi }
#endif

/* what the slot word says of z's announced operation, and what the evidence says */
#define SHOWN(z)      (w_own[W(i_lane[z], i_pos[z])] == z && \
                       (i_kind[z] == K_SEND -> THERE(i_lane[z], i_pos[z]) \
                          : w_turn[W(i_lane[z], i_pos[z])] == TURN(i_pos[z]) + 1 && !w_full[W(i_lane[z], i_pos[z])]))
#define NOTED(z)      (i_kind[z] == K_SEND -> com[E(i_lane[z], z)] > i_pos[z] : tak[E(i_lane[z], z)] > i_pos[z])

/* the two words of the intent, which is none until now */
inline intent(x, kind, l, p, i, get) {
  assert(i_kind[x] == K_NONE || CLEARS == 0);
#ifdef O_NO_CLEAR_BY_REPAIR
  S(i_kind[x] = K_NONE);
#endif
#ifdef F_KIND_FIRST
  S(d_step { did[x] = 0; i_kind[x] = kind; i_lane[x] = l; i_hand[x] = i; i_get[x] = get });
  S(i_pos[x] = p)
#else
  S(d_step { did[x] = 0; i_pos[x] = p });
  S(d_step { i_kind[x] = kind; i_lane[x] = l; i_hand[x] = i; i_get[x] = get });
  assert(!SHOWN(x) && !NOTED(x))                        /* no word of an earlier owner of the slot decides about this one */
#endif
}
inline clear(x) {
  S(d_step { i_kind[x] = K_NONE; did[x] = 0 })
}
#ifdef F_LATE_COUNT
#define COUNT_FIRST(step) skip
#define COUNT_LAST(step)  S(step)
#else
#define COUNT_FIRST(step) S(step)
#define COUNT_LAST(step)  skip
#endif

/* the CAS of a receive or a drop at position p by x, giving hand[i]; expects {turn, c, y, full} */
inline cas_take(x, l, p, i) {
  if
  :: (w_turn[W(l, p)] == TURN(p) && w_chunk[W(l, p)] == c && w_own[W(l, p)] == y && w_full[W(l, p)]) ->
     assert(p == head[l] && HK(x, i) == SPARE && !SHOWN(x) && !NOTED(x));
     w_turn[W(l, p)] = TURN(p) + 1; w_chunk[W(l, p)] = HC(x, i); w_own[W(l, p)] = x; w_full[W(l, p)] = 0;
     head[l]++; did[x] = 1; ok = 1;
     assert(ms[content[c]] == COMMITTED);                /* committed, not delivered, not dropped */
     assert(last_taken[SENDER_OF(content[c])] < content[c]); last_taken[SENDER_OF(content[c])] = content[c]
  :: else -> ok = 0
  fi
}

/* repair the slot z, whose lock we hold. First half: read the intent and then the slot word.
 */
inline repair_read(z) {
  kk = i_kind[z];                                       /* STEP(repair.intent) */
  if
  :: kk != K_NONE ->
#ifdef F_EVIDENCE_FIRST
     S(ok = NOTED(z))
#else
     S(ok = SHOWN(z))                                   /* STEP(verdict.slot) */
#endif
  :: else
  fi
}
/* Second half: the evidence, the decision, the hand, the intent; with ONCE, the messages are lost, and counted. */
inline repair_write(z) {
  if
  :: kk != K_NONE ->
#ifdef F_EVIDENCE_FIRST
     S(ok = ok || SHOWN(z));
#else
     S(ok = ok || NOTED(z));                            /* STEP(verdict.evidence) */
#endif
#ifndef F_NO_LOCK
     assert(ok == did[z]);
#endif
     if
     :: (ok && HC(z, i_hand[z]) != i_get[z]) ->         /* STEP(repair.keep) */
        S(d_step { HC(z, i_hand[z]) = i_get[z]; HK(z, i_hand[z]) = (kk == K_RECV -> MESSAGE : SPARE) })
     :: else
     fi;
#ifndef O_NO_CLEAR_BY_REPAIR
     S(d_step { i_kind[z] = K_NONE; did[z] = 0 })       /* STEP(repair.clear) */
#endif
  :: else
  fi;
  ok = 0; kk = 0;
#ifdef ONCE
  i = 0;
  do
  :: i < H ->
     if
     :: HK(z, i) == MESSAGE ->
        COUNT_FIRST(lost[z]++);                         /* STEP(settle.count) */
        S(d_step { HK(z, i) = SPARE; ms[content[HC(z, i)]] = ms[content[HC(z, i)]] | LOST });  /* STEP(settle.spare) */
        COUNT_LAST(lost[z]++)
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = 0
#endif
}

/* deliver what is in the hand of z, flagged, and mark each SPARE: adoption, in one piece */
inline deliver_orphans(z) {
  i = 0;
  do
  :: i < H ->
     if
     :: HK(z, i) == MESSAGE ->
#ifdef F_UNFLAGGED
        S(d_step { assert(ms[content[HC(z, i)]] == COMMITTED); ms[content[HC(z, i)]] = COMMITTED | DELIVERED });
#else
        S(d_step { assert(ms[content[HC(z, i)]] & COMMITTED); assert(!(ms[content[HC(z, i)]] & DROPPED));
                   ms[content[HC(z, i)]] = ms[content[HC(z, i)]] | FLAGGED });
#endif
        S(HK(z, i) = SPARE)
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = 0
}

#ifdef F_NO_LOCK
#define TRYLOCK(z) skip
#define UNLOCK(z)  skip
#else
#define TRYLOCK(z) lock[z] = me
#define UNLOCK(z)  lock[z] = 0
#endif
#ifdef F_TIMEOUT                                        /* who has not moved for long is taken for dead */
#define GIVEN_BACK(k) (lock[k] == 0 || stopped && lock[k] == stopped)
#else
#define GIVEN_BACK(k) (lock[k] == 0)
#endif

/* join: the lock of a slot that nobody holds. k: its number */
#define JOINABLE_S(k) (k < P && GIVEN_BACK(k) && pst[k] != ORPHANED)
#define JOINABLE_R(k) (k < P && GIVEN_BACK(k))

proctype Sender(byte x; byte m; byte last) RUNS {
  byte pos, c, y, i, kk, l; bit ok;
  if
  :: x != NOBODY
  :: else ->
end_j:
     atomic {
       if
       :: JOINABLE_S(0) -> x = 0
       :: JOINABLE_S(1) -> x = 1
       :: JOINABLE_S(2) -> x = 2
       :: JOINABLE_S(3) -> x = 3
       fi;
       lock[x] = me;                                    /* STEP(join.lock) */
       kk = K_NONE;
       if :: pst[x] == LIVE -> repair_read(x) :: else fi
     };
     atomic {
       if :: pst[x] == LIVE -> repair_write(x) :: else fi;              /* STEP(join.repair) */
       if :: HASMSG(x) -> S(pst[x] = ORPHANED); goto dead :: else fi;   /* STEP(join.orphan): not ours to deliver */
       /* STEP(join.hand): from here on our own copy counts */
       assert(i_kind[x] == K_NONE || CLEARS == 0);
       S(pst[x] = LIVE)                                                 /* STEP(join.live) */
     }
  fi;
  atomic { l = x % LANES; SENDING(1) };
  do
  :: m < last ->
end_full:
     if
     :: atomic { OPEN(l, (WALKS -> pos : tail[l])) ->
          if :: !WALKS -> pos = tail[l] :: else fi;
          c = w_chunk[W(l, pos)]; y = w_own[W(l, pos)];                 /* STEP(walk.look) */
          assert(HK(x, 0) == SPARE);
          content[HC(x, 0)] = m;
          intent(x, K_SEND, l, pos, 0, c)               /* STEP(ring.position) STEP(ring.intent) */
        };
#ifndef F_NO_NOTE_S
        atomic { if :: pos >= N && y != x -> S(d_step { raise(tak[E(l, y)], pos - N + 1) }) :: else fi };   /* STEP(ring.note) */
#endif
        atomic {
          S(d_step {                                    /* STEP(ring.commit) */
            assert(!SHOWN(x) && !NOTED(x));
            if
            :: (w_turn[W(l, pos)] == TURN(pos) && w_chunk[W(l, pos)] == c && w_own[W(l, pos)] == y && !w_full[W(l, pos)]) ->
               assert(pos == tail[l]);
               w_chunk[W(l, pos)] = HC(x, 0); w_own[W(l, pos)] = x; w_full[W(l, pos)] = 1;
               tail[l]++; did[x] = 1; ms[m] = ms[m] | COMMITTED; ok = 1
            :: else -> ok = 0
            fi });
          if
          :: ok -> S(d_step { HC(x, 0) = c; HK(x, 0) = SPARE }); m++    /* STEP(ring.keep) */
          :: else
          fi;
          clear(x);                                     /* STEP(ring.clear) */
          ok = 0; c = 0; y = 0;
          if :: !WALKS -> pos = 0 :: else fi
        }
     :: atomic { WALKS && FILLED(l, pos) -> pos++ }
#ifdef DROP
     :: atomic { ISFULL(l, (WALKS -> pos : tail[l])) ->
          if :: !WALKS -> pos = tail[l] :: else fi;
          i = 1; assert(HK(x, 1) == SPARE);
          c = w_chunk[W(l, pos)]; y = w_own[W(l, pos)];                 /* STEP(walk.look) */
          COUNT_FIRST(dropped[x]++);                    /* STEP(drop.count) */
          intent(x, K_DROP, l, pos - N, 1, c)           /* STEP(ring.position) STEP(ring.intent) */
        };
        atomic { if :: y != x -> S(d_step { raise(com[E(l, y)], pos - N + 1) }) :: else fi };           /* STEP(ring.note) */
        atomic {
          /* STEP(ring.commit) */
          S(d_step { cas_take(x, l, (pos - N), 1); if :: ok -> ms[content[c]] = COMMITTED | DROPPED :: else fi });
          if
          :: ok -> S(d_step { HC(x, 1) = c; HK(x, 1) = SPARE }); clear(x); COUNT_LAST(dropped[x]++)     /* STEP(ring.keep) STEP(ring.clear) */
          :: else -> clear(x); COUNT_FIRST(dropped[x]--)                /* STEP(drop.uncount) */
          fi;
          ok = 0; c = 0; y = 0; i = 0;
          if :: !WALKS -> pos = 0 :: else fi
        }
#endif
     fi
  :: else -> break
  od;
  atomic { S(pst[x] = FREE) };                          /* STEP(leave.free) STEP(leave.unlock) */
dead:
  atomic { SENDING(0); lock[x] = 0; pos = 0; c = 0; y = 0; i = 0; kk = 0; ok = 0; l = 0; x = 0; m = 0 }
}

#ifdef F_EPOCH_ONLY
#define LOOK(k)  (k < P && k != x && GIVEN_BACK(k) && pst[k] == LIVE)
#else
#define LOOK(k)  (k < P && k != x && GIVEN_BACK(k) && pst[k] != FREE)
#endif
#define POSR(L)  (WALKS -> pos[L] : head[L])

proctype Receiver(byte x) RUNS {
  byte pos[LANES], p, c, y, i, kk, l; bit ok; byte a = NOBODY;
#ifdef F_EPOCH_ONLY
  byte seen;
#endif
  if
  :: x != NOBODY
  :: else ->
end_j:
     atomic {
       if
       :: JOINABLE_R(0) -> x = 0
       :: JOINABLE_R(1) -> x = 1
       :: JOINABLE_R(2) -> x = 2
       :: JOINABLE_R(3) -> x = 3
       fi;
       lock[x] = me; receivers++; RECEIVING(1);         /* STEP(join.lock) */
       kk = K_NONE;
       if :: pst[x] == LIVE -> repair_read(x) :: else fi
     };
     atomic {
       if :: pst[x] == LIVE -> repair_write(x) :: else fi;              /* STEP(join.repair) */
       deliver_orphans(x);                              /* STEP(join.hand): it inherits; delivered at once here */
       assert(i_kind[x] == K_NONE || CLEARS == 0);
       S(pst[x] = LIVE)                                 /* STEP(join.live) */
     }
  fi;
end_idle:
  do
  :: atomic {
       if
       :: THERE(0, POSR(0)) && HASSPARE(x) -> l = 0
#if LANES > 1
       :: THERE(1, POSR(1)) && HASSPARE(x) -> l = 1
#endif
       fi;
       p = POSR(l);
       c = w_chunk[W(l, p)]; y = w_own[W(l, p)];        /* STEP(walk.look) */
#if H == 1
       i = 0;
#else
       i = (HK(x, 0) == SPARE -> 0 : 1);
#endif
       intent(x, K_RECV, l, p, i, c)                    /* STEP(ring.position) STEP(ring.intent) */
     };
#ifndef F_NO_NOTE_R
     atomic { if :: y != x -> S(d_step { raise(com[E(l, y)], p + 1) }) :: else fi };    /* STEP(ring.note) */
#endif
     atomic {
       S(d_step { cas_take(x, l, p, i) });              /* STEP(ring.commit) */
       if
       :: ok ->
          S(d_step { HC(x, i) = c; HK(x, i) = MESSAGE });               /* STEP(ring.keep) */
          clear(x);                                     /* STEP(ring.clear) */
          S(d_step { assert(ms[content[c]] == COMMITTED); ms[content[c]] = COMMITTED | DELIVERED })
       :: else -> clear(x)
       fi;
       ok = 0; p = 0; c = 0; y = 0; i = 0; l = 0
     }
#if WALKS
  :: atomic { TAKEN(0, pos[0]) -> pos[0]++ }
#if LANES > 1
  :: atomic { TAKEN(1, pos[1]) -> pos[1]++ }
#endif
#endif
  :: atomic { HK(x, 0) == MESSAGE -> S(HK(x, 0) = SPARE) }              /* STEP(release.spare) */
#if H > 1
  :: atomic { HK(x, 1) == MESSAGE -> S(HK(x, 1) = SPARE) }
#endif
#ifdef F_EPOCH_ONLY
  :: atomic { seen != epoch -> seen = epoch };
     i = 0;
     do
     :: i < P ->
        if
        :: atomic { (pst[i] == ORPHANED && lock[i] == 0) -> lock[i] = me; a = i };
           atomic { deliver_orphans(a); S(pst[a] = FREE); lock[a] = 0; i = a; a = NOBODY }
        :: (pst[i] != ORPHANED || lock[i] != 0)
        fi;
        i++
     :: else -> break
     od;
     i = 0
#endif
  :: atomic {
       if
       :: LOOK(0) -> a = 0
       :: LOOK(1) -> a = 1
       :: LOOK(2) -> a = 2
       :: LOOK(3) -> a = 3
       fi;
       TRYLOCK(a);                                      /* STEP(census.lock) */
       kk = K_NONE;
       if :: pst[a] == LIVE -> repair_read(a) :: else fi
     };
     atomic {
       if :: pst[a] == LIVE -> repair_write(a) :: else fi;              /* STEP(census.repair) */
       deliver_orphans(a);                              /* STEP(census.adopt) */
       assert(i_kind[a] == K_NONE || CLEARS == 0);
       S(pst[a] = FREE);
       UNLOCK(a); a = NOBODY
     }
#ifdef LEAVES
  :: atomic { receivers > 1 && !HASMSG(x) -> S(pst[x] = FREE); goto dead }
#endif
  od;
dead:
  atomic {
    receivers--; RECEIVING(0);
    if
    :: a == NOBODY -> lock[x] = 0
    :: else -> if :: lock[x] = 0; x = a :: UNLOCK(a) fi
    fi
  };
  atomic { if :: a != NOBODY -> if :: x == a -> UNLOCK(a) :: else -> lock[x] = 0 fi :: else fi;
    p = 0; c = 0; y = 0; i = 0; kk = 0; ok = 0; l = 0; x = 0; a = 0; pos[0] = 0;
#if LANES > 1
    pos[1] = 0;
#endif
#ifdef F_EPOCH_ONLY
    seen = 0;
#endif
  }
}

/* whoever reaps but may not deliver: a sender's census, a gc */
#define REAPABLE(k) (k < P && GIVEN_BACK(k) && pst[k] == LIVE)
proctype Reaper() RUNS {
  byte kk, i; bit ok; byte a = NOBODY;
end_r:
  do
  :: atomic {
       if
       :: REAPABLE(0) -> a = 0
       :: REAPABLE(1) -> a = 1
       :: REAPABLE(2) -> a = 2
       :: REAPABLE(3) -> a = 3
       fi;
       TRYLOCK(a);                                      /* STEP(census.lock) */
       repair_read(a)
     };
#ifdef F_EPOCH_ONLY
     atomic { repair_write(a); if :: HASMSG(a) -> S(d_step { pst[a] = ORPHANED; epoch++ }) :: else -> S(pst[a] = FREE) fi };
     atomic { S(lock[a] = 0); a = NOBODY }
#else
     atomic {
       repair_write(a);                                 /* STEP(census.repair) */
       assert(i_kind[a] == K_NONE || CLEARS == 0);
#ifdef F_NO_ORPHAN
       S(pst[a] = FREE);
#else
       if
       :: HASMSG(a) -> S(pst[a] = ORPHANED)             /* STEP(orphan.state) STEP(orphan.unlock) */
       :: else -> S(pst[a] = FREE)                      /* STEP(leave.free) STEP(leave.unlock) */
       fi;
#endif
       UNLOCK(a); a = NOBODY
     }
#endif
  od;
dead:
  atomic { if :: a != NOBODY -> UNLOCK(a) :: else fi; a = 0; kk = 0; ok = 0; i = 0 }
}

byte place[CHUNKS]; byte found[MSGS + 1];
#ifdef STOP
/* everything in the slots whose locks the stopped process holds: nobody may change any of it while it is stopped */
inline sum_up() {
  z = 0; sum = 0;
  do
  :: z < P ->
     if
     :: lock[z] == stopped ->
        sum = sum + 1 + z + 3 * pst[z] + 7 * i_kind[z] + 29 * i_pos[z] + 101 * i_get[z];
        j = 0; do :: j < H -> sum = sum + 307 * HC(z, j) + 1009 * HK(z, j); j++ :: else -> break od
     :: else
     fi;
     z++
  :: else -> break
  od;
  z = 0; j = 0
}
/* The others can do nothing more. What they wait for is no fault of the stopped one: it keeps the messages in the hands that it holds, and
 * whatever else was committed has been delivered, if another receiver lives. */
inline others_are_done() {
  sum_up(); assert(sum == kept);
  z = 0; ok = 0; do :: z < 8 -> ok = (ok || receiving[z] && z != stopped); z++ :: else -> break od;
  if
  :: ok ->
     z = 0; do :: z < 8 -> assert(!sending[z] || z == stopped); z++ :: else -> break od;
     z = 0;
     do
     :: z < P ->
        if
        :: lock[z] == stopped ->
           j = 0; do :: j < H -> if :: HK(z, j) == MESSAGE -> found[content[HC(z, j)]] = 1 :: else fi; j++ :: else -> break od;
           if :: i_kind[z] == K_RECV && did[z] -> found[content[i_get[z]]] = 1 :: else fi
        :: else
        fi;
        z++
     :: else -> break
     od;
     z = 1;
     do
     :: z <= MSGS ->
        assert(!(ms[z] & COMMITTED) || (ms[z] & (DELIVERED | FLAGGED | DROPPED | LOST)) || found[z]);
        found[z] = 0; z++
     :: else -> break
     od
  :: else
  fi;
  z = 0; j = 0; ok = 0; sum = 0
}
#endif

proctype Monitor() {
  byte z, j, kk; bit ok; short sum;
#ifdef STOP
  do
  :: atomic { stops ->                                  /* SIGSTOP to anybody, at any moment */
       if :: stopped = 1 :: stopped = 2 :: stopped = 3
#if NS + NR + JR + JS + REAPERS > 3
       :: stopped = 4
#endif
#if NS + NR + JR + JS + REAPERS > 4
       :: stopped = 5
#endif
       fi;
       stops = 0; sum_up(); kept = sum; sum = 0 }
  :: atomic { timeout && stopped -> others_are_done(); stopped = 0; kept = 0 }       /* SIGCONT, at the very end */
  :: timeout && !stopped -> break
  od;
  skip;
#else
  timeout;                                              /* nobody can do anything any more */
#endif
  d_step {
    z = 0;
    do
    :: z < P ->                                         /* a last reaper, so that the dead are counted even if nobody lives */
       if
       :: (lock[z] == 0 && pst[z] == LIVE && i_kind[z] != K_NONE) ->
          kk = i_kind[z];
          ok = SHOWN(z) || NOTED(z);
          assert(ok == did[z]);
          if
          :: (ok && HC(z, i_hand[z]) != i_get[z]) -> HC(z, i_hand[z]) = i_get[z]; HK(z, i_hand[z]) = (kk == K_RECV -> MESSAGE : SPARE)
          :: else
          fi
       :: else
       fi;
       j = 0;
       do
       :: j < H -> place[HC(z, j)]++; if :: HK(z, j) == MESSAGE -> found[content[HC(z, j)]]++; assert(pst[z] != FREE) :: else fi; j++
       :: else -> break
       od;
       assert(pst[z] == LIVE || i_kind[z] == K_NONE || CLEARS == 0);
       sum = sum + dropped[z] + lost[z];
       z++
    :: else -> break
    od;
    z = 0;
    do
    :: z < SLOTS -> place[w_chunk[z]]++; if :: w_full[z] -> found[content[w_chunk[z]]]++ :: else fi; z++
    :: else -> break
    od;
    z = 0; do :: z < CHUNKS -> assert(place[z] == 1); z++ :: else -> break od;
    z = 1;
    do
    :: z <= MSGS ->
       assert(found[z] <= 1);
       if
       :: ms[z] & COMMITTED ->
          if :: receivers > 0 -> assert((ms[z] & (DELIVERED | FLAGGED | DROPPED | LOST)) && !found[z])
             :: else -> assert((ms[z] & (DELIVERED | FLAGGED | DROPPED | LOST)) || found[z]) fi;
          if :: ms[z] & (DROPPED | LOST) -> sum-- :: else fi
       :: else -> assert(!found[z])
       fi;
       z++
    :: else -> break
    od;
    /* reported: every message that was dropped or lost is counted; one too much for each process killed between count and deed */
    assert(0 <= sum && sum <= CRASHES - crashes);
    assert(receivers == 0 || lock[0] != 0 || pst[0] == FREE)
  }
}

init {
  byte z;
  atomic {
    d_step {
      z = 0; do :: z < SLOTS -> w_chunk[z] = z; z++ :: else -> break od;
      z = 0; do :: z < P * H -> hand_c[z] = SLOTS + z; z++ :: else -> break od;
      z = 0; do :: z < P -> lock[z] = z + 1; pst[z] = LIVE; z++ :: else -> break od;
      receivers = NR;
#ifdef STOP
      z = NS + 1; do :: z <= NS + NR -> receiving[z] = 1; z++ :: else -> break od;
#endif
      z = 0
    }
    run Sender(0, 1, 1 + M0);
#if NS > 1
    run Sender(1, 1 + M0, 1 + M0 + M1);
#endif
    run Receiver(NS);
#if NR > 1
    run Receiver(NS + 1);
#endif
#if JR > 0
    run Receiver(NOBODY);
#endif
#if JS > 0
    run Sender(NOBODY, 1 + M0 + M1, 1 + M0 + M1 + MJ);
#endif
#if REAPERS > 0
    run Reaper();
#endif
#if REAPERS > 1
    run Reaper();
#endif
    run Monitor()
  }
}
