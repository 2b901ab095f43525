/*
 * Hashike node: publishes readings to a gateway over a serial line and takes commands from it. Speaks Hashike TLV, version 1, as docs/protocol.md
 * of the gateway says; the clauses in the comments are those of that page.
 *
 * C99, without a heap, recursion, floating point or any other library. One thread of control: call everything from the main loop, nothing from interrupts.
 */
#ifndef HASHIKE_H
#define HASHIKE_H

#include <stdbool.h>
#include <stdint.h>

#include "hashike_config.h"

#ifdef __AVR__
#include <avr/pgmspace.h>
/** Marks constants that stay in flash: everything that a struct hsk_config leads to, and that struct itself. */
#define HSK_FLASH PROGMEM
#else
#define HSK_FLASH
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What the application says once ---- */

/** One topic of the node. In flash (HSK_FLASH). */
struct hsk_alias {
    /** NUL-terminated; NULL when the profile in the gateway's configuration declares the alias, and only its layout is of interest here. */
    const char *topic;
    /** Triples of u16 content section type and u8 length, big-endian, as in LAYOUT (clause 4.1); NULL: none. */
    const uint8_t *layout;
    uint8_t layout_length;
    uint8_t alias;
};

/** In flash (HSK_FLASH). */
struct hsk_config {
    /** `token_length` bytes. */
    const char *token;
    /** CLIENT_NAME, NUL-terminated; NULL: none. */
    const char *name;
    /** Silence after which the node sends PING, in ms; 0: never. A wish, see clause 5.3.2. */
    uint32_t keep_alive;
    /** Aliases to be declared in CONNECT_TOKEN; also those of the gateway's profile whose layout has no fixed length. */
    const struct hsk_alias *aliases;
    /** Filters of SUBSCRIBE; none when the gateway's profile names the node's commands. */
    const char *const *filters;
    uint8_t token_length;
    uint8_t alias_count;
    uint8_t filter_count;
};

/* ---- The node ---- */

enum hsk_state {
    HSK_CONNECTING, /**< CONNECT_TOKEN waits for its answer, and is repeated every second. */
    HSK_REJOINING,  /**< CONNECT_RESUME waits for its answer. */
    HSK_RESUMING,   /**< RESUME waits for its answer. */
    HSK_UP,
    HSK_ASLEEP
};

enum { HSK_BEST_EFFORT = 0, HSK_RELIABLE = 1 };

/** Indices of hsk.counters, which wrap. */
enum hsk_counter {
    HSK_ACKNOWLEDGED, /**< readings of which the gateway has taken custody */
    HSK_REJECTED,     /**< readings that the gateway refused */
    HSK_GAVE_WAY,     /**< best-effort readings that a full queue dropped */
    HSK_REFUSED,      /**< readings that a full queue did not take */
    HSK_RESENT,       /**< messages sent again */
    HSK_CONNECTS,     /**< how often a session came into force: opened or resumed */
    HSK_RESETS,       /**< RESET, or a RESUME of another session, or an end by DISCONNECT */
    HSK_BAD_FRAMES,   /**< frames that break a rule: CRC, stuffing, form */
    HSK_LONG_FRAMES,  /**< frames that did not fit HSK_FRAME, or made room for one to send */
    HSK_COUNTERS
};

struct hsk_reading {
    uint32_t taken; /**< node's time, ms */
    uint8_t number; /**< low byte of its number once it was sent */
    uint8_t alias;
    uint8_t flags;
    uint8_t length;
#if HSK_STORE
    uint16_t record;
#endif
    uint8_t content[HSK_CONTENT];
};

#if HSK_FRAME > 255
typedef uint16_t hsk_size;
#else
typedef uint8_t hsk_size;
#endif

/** A message for the node. Its bytes are good until the callback returns. */
struct hsk_command {
    /** The topic, not terminated; NULL when it came by alias. */
    const uint8_t *topic;
    /** The values of the content, without types and lengths. */
    const uint8_t *content;
    hsk_size topic_length;
    hsk_size length;
    uint8_t alias;
    bool reliable;
};

/** One node. All fields are the library's own; `counters` may be read. */
struct hsk_node {
    const struct hsk_config *config;
    uint32_t now;
    uint32_t received;   /* MESSAGE_ID of the last numbered message received in order */
    uint16_t deadline;   /* of what the state waits for */
    uint16_t line_free;  /* when the last byte sent has left */
    uint16_t round_trip; /* smoothed, in eighths of a ms */
    uint16_t variation;  /* four times the mean deviation, ms */
    uint16_t timed_at;
    uint16_t spoke_at;   /* when something was sent last, in 256 ms */
    uint16_t keep_alive; /* in 256 ms; 0: none */
    uint16_t crc;        /* of the frame that is being written */
    uint8_t state;
    uint8_t flags;
    uint8_t next;         /* number of the next new message; numbers here run on from session to session */
    uint8_t acknowledged; /* the last number that the gateway has acknowledged */
    uint8_t base;         /* MESSAGE_ID = number - base */
    uint8_t credit;       /* granted by the gateway */
    uint8_t granted;      /* to the gateway, plus 1; 0: nothing was ever said */
    uint8_t recover;      /* up to this number each ACK sends the next message again */
    uint8_t doublings;
    uint8_t repeats;
    uint8_t count;    /* readings in the queue */
    uint8_t numbered; /* the first so many of them have their numbers */
    uint8_t sent;     /* the first so many of them were sent on this link */
    uint8_t code;  /* of the group that is being unstuffed; 0: none */
    uint8_t left;  /* bytes of that group still to come */
    hsk_size length; /* of what came */
    hsk_size out;    /* where the next byte to send is put */
    hsk_size group;  /* where the code of its group stands */
#if HSK_FRAGMENTS
    hsk_size joined; /* bytes of the pieces that stand before the frame that comes */
    uint8_t piece_id;
    uint8_t piece_index;
#endif
#if HSK_STORE
    uint32_t clock_offset;
    uint16_t record;
    uint8_t generation;
#endif
    struct hsk_command command;
    uint8_t session_id[8];
    uint8_t resume_key[16];
    uint16_t counters[HSK_COUNTERS];
    struct hsk_reading queue[HSK_QUEUE];
    uint8_t frame[HSK_FRAME + 2];
};

#if HSK_MANY
/** Several nodes in one program: the calls that follow mean `*hsk_current`. */
extern struct hsk_node *hsk_current;
#define hsk (*hsk_current)
#else
/** The node. One under a fixed address makes the smallest code. */
extern struct hsk_node hsk;
#endif

/**
 * Begins; once after each reset. Where the store keeps a context, the node says RESUME, else CONNECT_TOKEN, at the next hsk_poll.
 */
void hsk_start(const struct hsk_config *config);

/** Reads what came, answers, sends what is due. Call it again and again while awake, at least every few milliseconds while something waits. */
void hsk_poll(void);

/**
 * Gives a reading: `length` bytes of content in the layout of `alias`. HSK_RELIABLE: kept until the gateway has acknowledged it, and where there is a
 * store, there before this returns. HSK_BEST_EFFORT: sent once; while the node sleeps or has no session it waits, and gives way when room is
 * needed; when it is sent more than a second late it travels as a batch, and then reliably (clause 6.1.6).
 * @return false when the queue is full of readings that may not give way, or `length` is above HSK_CONTENT
 */
bool hsk_publish(uint8_t alias, const void *content, uint8_t length, uint8_t quality);

/** Nothing is sent until hsk_wake, and what comes is not heard. The gateway keeps the context. */
void hsk_sleep(void);

/** Back from sleep. With `resume` the node says RESUME first, and so gets at once the commands that waited for it; without, its readings go at once. */
void hsk_wake(bool resume);

/** After hsk_on_command gave false: takes commands again. */
void hsk_ready(void);

enum hsk_state hsk_state(void);

/** Whether nothing waits for an answer, so that the node may sleep. */
bool hsk_idle(void);

/** Readings in the queue. */
uint8_t hsk_waiting(void);

/* ---- What the application supplies ---- */

/** The next byte that came, or -1. */
int hsk_port_read(void);

/** Sends `length` bytes, or keeps them to be sent; takes all of them. */
void hsk_port_write(const uint8_t *bytes, hsk_size length);

/** Milliseconds since any moment; goes on during sleep; wraps at 2^32. */
uint32_t hsk_port_ms(void);

/**
 * A message for the node, exactly once if it is reliable. May call hsk_publish.
 * @return false when the node cannot take it now: it stays with the gateway until hsk_ready
 */
bool hsk_on_command(const struct hsk_command *command);

/** A reliable reading leaves the queue: the gateway has taken custody, or refused it. */
void hsk_on_settled(const struct hsk_reading *reading, bool accepted);

#if HSK_STORE
/** Non-volatile memory of HSK_STORE bytes. A write that is cut by a reset may leave any bytes in its place, and none elsewhere. */
void hsk_store_read(uint16_t at, void *bytes, uint8_t length);
void hsk_store_write(uint16_t at, const void *bytes, uint8_t length);
#endif

#ifdef __cplusplus
}
#endif

#endif
