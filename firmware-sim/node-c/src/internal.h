/* What the parts of the library know of each other. Not for applications. */
#ifndef HSK_INTERNAL_H
#define HSK_INTERNAL_H

#include <stddef.h>
#include <string.h>

#include "hashike.h"

#ifdef __AVR__
#define flash_byte(at) pgm_read_byte(at)
#define flash_long(at) pgm_read_dword(at)
#define flash_pointer(at) ((const void *)pgm_read_word(at))
#else
#define flash_byte(at) (*(const uint8_t *)(at))
#define flash_long(at) (*(const uint32_t *)(at))
#define flash_pointer(at) ((const void *)*(at))
#endif

/* Milliseconds that so many bytes take on the line; without a multiplication, so up to twice as much where the rate is no power of two times 9600. */
#if HSK_BAUD > 78000
#define LINE_MS(bytes) ((bytes) >> 3)
#elif HSK_BAUD > 38000
#define LINE_MS(bytes) ((bytes) >> 2)
#elif HSK_BAUD > 10000
#define LINE_MS(bytes) (((bytes) >> 1) + ((bytes) >> 5))
#else
#define LINE_MS(bytes) ((uint16_t)((bytes) * (uint32_t)(10240000L / HSK_BAUD) >> 10))
#endif

/* What a reading costs in a batch besides its content, at most: age and length as varints. */
#define READING_OVERHEAD 7
/* Short frames are put together in one half of the buffer. What a batch has for its readings there: it begins with 4 bytes, and framing takes 5. It must fit the MTU too. */
#define HALF (HSK_FRAME / 2)
#define HALF_ROOM (HALF - 5 - HALF / 254)
#define GROUP_ROOM ((HSK_MTU < HALF_ROOM ? HSK_MTU : HALF_ROOM) - 4)
#if HSK_CONTENT + READING_OVERHEAD > GROUP_ROOM
#error "HSK_FRAME or HSK_MTU is too small for HSK_CONTENT"
#endif

/* hsk_node.flags */
enum {
    ASLEEP = 1,
    ACK_DUE = 2,
    TIMING = 4,       /* the round trip of the oldest message is measured */
    HANDLING = 8,     /* the buffer holds a frame that is being read */
    SUBSCRIBING = 16, /* SUBSCRIBE, always the first message of a session, is not acknowledged */
    SKIPPING = 32     /* the rest of the frame that comes is thrown away */
};

/* hsk_reading.flags, next to HSK_RELIABLE */
enum { REJECTED = 2 };

/* Older than so many ms, a reading says its age, clause 6.1.6. */
#define OLD 1000

#ifdef __GNUC__
#define SELDOM_INLINE __attribute__((noinline))
#else
#define SELDOM_INLINE
#endif

/* Message types, clause 3.3; all are below 256 */
enum {
    CONNECT_TOKEN = 0x01,
    CONNECT_RESUME = 0x02,
    CONNACK_SUCCESS = 0x03,
    CONNACK_RESUMED = 0x04,
    CONNACK_FAILED = 0x10,
    CONNACK_FAILED_SESSION_EXPIRED = 0x12,
    CONNACK_FAILED_VERSION = 0x14,
    SUBSCRIBE = 0x20,
    PUBLISH = 0x22,
    REJECTED_MESSAGE = 0x24,
    PRESENCE_JOINED = 0x32,
    PRESENCE_LEFT = 0x33,
    ALIAS = 0x60,
    DISCONNECT = 0x7F
};

/* Low bytes of section types, clause 4.1; the high byte is 1, or has its top bit set for content */
enum {
    TOKEN = 0x01,
    KEEP_ALIVE = 0x02,
    SESSION_ID = 0x04,
    MESSAGE_ID = 0x05,
    TOPIC = 0x06,
    REASON = 0x07,
    RESUME_KEY = 0x08,
    CLIENT_NAME = 0x0D,
    RETRY_AFTER = 0x0F,
    EXPIRY = 0x12,
    ALIAS_ID = 0x16,
    LAYOUT = 0x17,
    ALIAS_ENTRY = 0x1C
};

/* Reason of a DISCONNECT by a node whose gateway has lost state, clauses 4.3 and 6.5.6 */
#define STATE_LOST 13

/* Kinds of the short form with their bit 7 and an empty low nibble, clause 6.1 */
enum {
    KIND_PUBLISH = 0x80,
    KIND_RELIABLE = 0x90,
    KIND_BATCH = 0xA0,
    KIND_ACK = 0xB0,
    KIND_PING = 0xC0,
    KIND_RESET = 0xD0,
    KIND_RESUME = 0xE0,
    KIND_FRAGMENT = 0xF0
};

/* framing.c: clause 7 */

/* CRC-16/CCITT-FALSE, begun with 0xFFFF. */
uint16_t hsk_crc_of(uint16_t crc, uint8_t byte);
/* Takes one byte from the line; at the end of a good frame calls hsk_frame. */
void hsk_unstuff(uint8_t byte);
/*
 * A frame is begun with its first byte, put together and sent. It is stuffed in the buffer, behind what has come of a frame from the line if there is
 * room for both.
 */
void hsk_begin(uint8_t first);
/* Puts one byte without counting it in the CRC. */
void hsk_stuff(uint8_t byte);
void hsk_put(uint8_t byte);
void hsk_put_bytes(const uint8_t *bytes, uint8_t length);
void hsk_end(void);

/* forms.c: clauses 3, 4 and 6.1 */

void hsk_put_token(void);
void hsk_put_resume(void);
void hsk_put_disconnect(void);
#if HSK_DECLARE
void hsk_put_subscribe(void);
#endif
/* Sends the readings from hsk.queue[index] on that share a number; gives how many they are. */
uint8_t hsk_put_readings(uint8_t index);
/* Whether readings of this alias carry their length in a batch, clause 6.1.4. */
#if HSK_DECLARE
bool hsk_sized(uint8_t alias);
#else
#define hsk_sized(alias) false
#endif

/* What a message of the server says, as far as a node reads it. */
struct hsk_message {
    uint8_t type;
    bool numbered;
    uint8_t id8;
    uint8_t pause; /* before the next CONNECT after a refusal, in 256 ms; at most 127 */
};
/* Reads a message; topic, alias and content go to hsk.command, what CONNACK_SUCCESS gives into hsk. Closes content up in place. False when it breaks a rule. */
bool hsk_read_message(struct hsk_message *message, uint8_t *frame, hsk_size length);
#if HSK_STRICT
bool hsk_strict(const uint8_t *message, hsk_size length);
#endif

/* queue.c */

void hsk_count(uint8_t counter);
/* The two may overlap if `to` comes first. */
void hsk_copy(void *to, const void *from, uint16_t length) SELDOM_INLINE;
/* In 256 ms. */
#define hsk_slow_clock() ((uint16_t)(hsk.now >> 8))
/* Milliseconds since it was taken. Called from several places, and longer than a call. */
uint32_t hsk_age(const struct hsk_reading *reading) SELDOM_INLINE;
void hsk_remove(uint8_t index);
/* Gives the readings from `index` on, as many as fit one message, the next number. */
void hsk_number(uint8_t index) SELDOM_INLINE;
bool hsk_append(uint8_t alias, const void *content, uint8_t length, uint8_t quality);

/* node.c */

/* One frame that came, without its CRC; false when it breaks a rule. */
bool hsk_frame(uint8_t *frame, hsk_size length);

/* store.c */

#if HSK_STORE
/* Whether a context was found. */
bool hsk_restore(void);
void hsk_store_session(void);
void hsk_store_received(void);
void hsk_store_reading(uint8_t index);
void hsk_store_number(uint8_t index);
#endif

#endif
