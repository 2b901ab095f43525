/*
 * Sizes of the node, fixed when it is compiled. Each can be given on the command line of the compiler instead (-DHSK_QUEUE=16); the
 * defaults fit an ATmega328P with room for an application.
 */
#ifndef HASHIKE_CONFIG_H
#define HASHIKE_CONFIG_H

/** Readings that are kept until they are acknowledged; 1-127, with a store 1-64. */
#ifndef HSK_QUEUE
#define HSK_QUEUE 4
#endif

/** Bytes of a reading's content, at most. */
#ifndef HSK_CONTENT
#define HSK_CONTENT 8
#endif

/** 1: the node can declare its aliases and SUBSCRIBE; 0: the profile in the gateway's configuration does that for it. */
#ifndef HSK_DECLARE
#define HSK_DECLARE 1
#endif

/**
 * The buffer for one frame, received or sent. CONNACK_SUCCESS needs 74 bytes and the client's name, rounded up to a multiple of 4; CONNECT_TOKEN needs 29
 * bytes, the token, and 40 or so for each declared alias. Longer frames are dropped and counted.
 */
#ifndef HSK_FRAME
#if HSK_DECLARE
#define HSK_FRAME 192
#else
#define HSK_FRAME 96
#endif
#endif
#if HSK_FRAME > 244 && HSK_FRAME < 256
#error "HSK_FRAME: at most 244, or at least 256"
#endif

/**
 * The link's MTU (clause 7.2). Below HSK_FRAME - 2 the node joins what the gateway sends in FRAGMENT (clause 6.6); what the node sends has to fit.
 */
#ifndef HSK_MTU
#define HSK_MTU 1024
#endif
#define HSK_FRAGMENTS (HSK_MTU < HSK_FRAME - 2)

/** Bits a second on the line: what is in flight takes its time (clause 6.3.2). */
#ifndef HSK_BAUD
#define HSK_BAUD 38400
#endif

/** Bytes of the non-volatile block that keeps the context over a reset; 0: there is none. */
#ifndef HSK_STORE
#define HSK_STORE 0
#endif

/** 1: several nodes in one program, see hsk_current. */
#ifndef HSK_MANY
#define HSK_MANY 0
#endif

/** 1: checks each message of the server against all of clauses 3 and 4; 0: only what the node uses. */
#ifndef HSK_STRICT
#define HSK_STRICT 0
#endif

#endif
