/*
 * The context in non-volatile memory, so that a reset loses neither the session nor a reading that was accepted and is not acknowledged.
 *
 *   session  x2   generation, base, keep-alive, SESSION_ID, RESUME_KEY, CRC   written in turn, once a session
 *   received x8   two low bytes of SESSION_ID, MESSAGE_ID, CRC                written in turn, once a command
 *   reading  xN   record, span, next, generation, alias, length, taken, content, CRC   written in turn, once a reading
 *                 number, check                                               when it is sent for the first time
 *
 * Nothing is written when a reading is acknowledged: after a reset it is sent again under the same number, and the gateway, which has it, only acknowledges it
 * again (clause 5.1.3). Each record is written to another place than the one before, so the wear is spread over the block.
 */
#include "internal.h"

#if HSK_STORE

#define SESSION_BYTES 30
#define RECEIVED_BYTES 8
#define RECEIVED_SLOTS 8
#define READING_HEAD 11
#define READING_BODY (READING_HEAD + HSK_CONTENT)
#define READING_BYTES (READING_BODY + 4)
#define RECEIVED_AT (2 * SESSION_BYTES)
#define READINGS_AT (RECEIVED_AT + RECEIVED_SLOTS * RECEIVED_BYTES)
#define PLACES ((HSK_STORE - READINGS_AT) / READING_BYTES)
/* A power of 2, so that places follow one another where the records wrap; below 256, so that a number's check tells it from the one that an earlier reading left in its place. */
#define SLOTS (PLACES > 127 ? 128 : PLACES > 63 ? 64 : PLACES > 31 ? 32 : PLACES > 15 ? 16 : 8)

/* Readings of best effort that grew old are stored after those that stand behind them, so twice as many as the queue holds may lie between its oldest record and its newest. */
#if HSK_STORE < READINGS_AT + 8 * READING_BYTES || SLOTS < 2 * HSK_QUEUE - 1
#error "HSK_STORE is too small for HSK_QUEUE"
#endif

static uint16_t crc(const uint8_t *bytes, uint8_t length) {
    uint16_t sum = 0xFFFF;
    while (length--) sum = hsk_crc_of(sum, *bytes++);
    return sum;
}

/* `bytes` has room for the CRC. */
static void write(uint16_t at, uint8_t *bytes, uint8_t length) {
    uint16_t sum = crc(bytes, length);
    bytes[length] = (uint8_t)(sum >> 8);
    bytes[length + 1] = (uint8_t)sum;
    hsk_store_write(at, bytes, (uint8_t)(length + 2));
}

static bool read(uint16_t at, uint8_t *bytes, uint8_t length) {
    hsk_store_read(at, bytes, (uint8_t)(length + 2));
    return crc(bytes, (uint8_t)(length + 2)) == 0;
}

static void set32(uint8_t *bytes, uint32_t value) {
    for (uint8_t i = 4; i--; value >>= 8) bytes[i] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *bytes) {
    uint32_t value = 0;
    for (uint8_t i = 0; i < 4; i++) value = value << 8 | bytes[i];
    return value;
}

static uint16_t reading_at(uint16_t record) {
    return (uint16_t)(READINGS_AT + record % SLOTS * READING_BYTES);
}

static uint8_t check_of(uint8_t number, uint16_t record) {
    return (uint8_t)(number ^ record ^ 0xFF);
}

void hsk_store_session(void) {
    uint8_t bytes[SESSION_BYTES];
    hsk.generation++;
    bytes[0] = hsk.generation;
    bytes[1] = hsk.base;
    bytes[2] = (uint8_t)(hsk.keep_alive >> 8);
    bytes[3] = (uint8_t)hsk.keep_alive;
    memcpy(bytes + 4, hsk.session_id, 8);
    memcpy(bytes + 12, hsk.resume_key, 16);
    write((uint16_t)((hsk.generation & 1) * SESSION_BYTES), bytes, SESSION_BYTES - 2);
}

void hsk_store_received(void) {
    uint8_t bytes[RECEIVED_BYTES];
    memcpy(bytes, hsk.session_id + 6, 2);
    set32(bytes + 2, hsk.received);
    write((uint16_t)(RECEIVED_AT + hsk.received % RECEIVED_SLOTS * RECEIVED_BYTES), bytes, RECEIVED_BYTES - 2);
}

void hsk_store_reading(uint8_t index) {
    struct hsk_reading *reading = hsk.queue + index;
    uint8_t bytes[READING_BODY + 2];
    uint8_t span = 0;
    reading->record = ++hsk.record;
    for (uint8_t i = 0; i < hsk.count; i++) {
        uint8_t back = (uint8_t)(hsk.record - hsk.queue[i].record);
        if (hsk.queue[i].flags & HSK_RELIABLE && back > span) span = back;
    }
    memset(bytes, 0, sizeof bytes);
    bytes[0] = (uint8_t)(hsk.record >> 8);
    bytes[1] = (uint8_t)hsk.record;
    bytes[2] = span;
    bytes[3] = hsk.next;
    bytes[4] = hsk.generation;
    bytes[5] = reading->alias;
    bytes[6] = reading->length;
    set32(bytes + 7, reading->taken);
    memcpy(bytes + READING_HEAD, reading->content, reading->length);
    write(reading_at(hsk.record), bytes, READING_BODY);
}

void hsk_store_number(uint8_t index) {
    const struct hsk_reading *reading = hsk.queue + index;
    uint8_t bytes[2];
    bytes[0] = reading->number;
    bytes[1] = check_of(reading->number, reading->record);
    hsk_store_write((uint16_t)(reading_at(reading->record) + READING_BODY + 2), bytes, 2);
}

static bool restore_session(void) {
    uint8_t bytes[SESSION_BYTES];
    bool found = false;
    for (uint8_t i = 0; i < 2; i++) {
        if (!read((uint16_t)(i * SESSION_BYTES), bytes, SESSION_BYTES - 2)) continue;
        if (found && (int8_t)(bytes[0] - hsk.generation) < 0) continue;
        found = true;
        hsk.generation = bytes[0];
        hsk.base = bytes[1];
        hsk.keep_alive = (uint16_t)(bytes[2] << 8 | bytes[3]);
        memcpy(hsk.session_id, bytes + 4, 8);
        memcpy(hsk.resume_key, bytes + 12, 16);
    }
    for (uint8_t i = 0; i < RECEIVED_SLOTS; i++) {
        if (!read((uint16_t)(RECEIVED_AT + i * RECEIVED_BYTES), bytes, RECEIVED_BYTES - 2)) continue;
        uint32_t id = get32(bytes + 2);
        if (found && memcmp(bytes, hsk.session_id + 6, 2) == 0 && id > hsk.received) hsk.received = id;
    }
    return found;
}

/* Those with a number come first, in the order of their numbers; the others stay in the order of their records. */
static void insert(const struct hsk_reading *reading, bool numbered) {
    if (hsk.count == HSK_QUEUE) {
        /* One that grew old as best effort was stored late, sent before the others and acknowledged: it has the lowest number. */
        if (!hsk.numbered || (numbered && (int8_t)(hsk.queue->number - reading->number) > 0)) return;
        hsk_remove(0);
    }
    uint8_t index = hsk.count++;
    if (numbered) {
        index = hsk.numbered++;
        while (index && (int8_t)(hsk.queue[index - 1].number - reading->number) > 0) index--;
    }
    for (uint8_t i = (uint8_t)(hsk.count - 1); i > index; i--) hsk.queue[i] = hsk.queue[i - 1];
    hsk.queue[index] = *reading;
}

static void restore_reading(uint16_t record, bool session, uint8_t first) {
    uint8_t bytes[READING_BODY + 2];
    uint8_t sent[2];
    struct hsk_reading reading;
    if (!read(reading_at(record), bytes, READING_BODY) || (uint16_t)(bytes[0] << 8 | bytes[1]) != record) return;
    if (bytes[6] > HSK_CONTENT) return;
    hsk_store_read((uint16_t)(reading_at(record) + READING_BODY + 2), sent, 2);
    bool numbered = session && sent[1] == check_of(sent[0], record);
    /* Acknowledged before this session began. One that was taken since then was not, and of a long session the numbers have gone round. */
    if (numbered && bytes[4] != hsk.generation && (int8_t)(sent[0] - first) < 0) return;
    memset(&reading, 0, sizeof reading);
    reading.record = record;
    reading.number = sent[0];
    reading.flags = HSK_RELIABLE;
    reading.alias = bytes[5];
    reading.length = bytes[6];
    reading.taken = get32(bytes + 7);
    memcpy(reading.content, bytes + READING_HEAD, reading.length);
    if (numbered && (int8_t)(sent[0] + 1 - hsk.next) > 0) hsk.next = (uint8_t)(sent[0] + 1);
    insert(&reading, numbered);
}

bool hsk_restore(void) {
    uint8_t bytes[READING_BODY + 2];
    uint8_t span = 0;
    uint8_t next = 1;
    uint8_t generation = 0;
    bool any = false;
    bool session = restore_session();
    uint8_t first = (uint8_t)(hsk.base + 1);
#if HSK_DECLARE
    if (flash_byte(&hsk.config->filter_count)) {
        /* The gateway ignores a SUBSCRIBE that it has had, but for an ACK. */
        first++;
        if (session) hsk.flags |= SUBSCRIBING;
    }
#endif
    for (uint16_t i = 0; i < SLOTS; i++) {
        if (!read(reading_at(i), bytes, READING_BODY)) continue;
        uint16_t record = (uint16_t)(bytes[0] << 8 | bytes[1]);
        if (any && (int16_t)(record - hsk.record) < 0) continue;
        any = true;
        hsk.record = record;
        span = bytes[2];
        next = bytes[3];
        generation = bytes[4];
        /* The clock goes on from the newest reading: of the time since then nothing is known. */
        hsk.clock_offset = get32(bytes + 7) - hsk_port_ms();
    }
    hsk.next = session && generation != hsk.generation && (int8_t)(first - next) > 0 ? first : next;
    if (any) {
        for (uint16_t back = span; back != 0xFFFF; back--) restore_reading((uint16_t)(hsk.record - back), session, first);
    }
    hsk.acknowledged = (uint8_t)((hsk.numbered ? hsk.queue->number : hsk.next) - 1);
    return session;
}

#else
/* ISO C wants something here. */
typedef int hsk_store_is_off;
#endif
