/* Every rule of clauses 3 and 4 for what a server sends. The node itself needs less: it reads past what it does not use. */
#include "internal.h"

#if HSK_STRICT

#define BIT(section) (1UL << ((section)-1))

enum { CLIENT_ID = 0x03, RESUME_WINDOW = 0x09, SERVER_TIME = 0x0A, REQUEST_ID = 0x0B, ECHO = 0x0C, VERSION = 0x0E };
enum { RETAIN = 0x11, RESPONSE_TOPIC = 0x13, CORRELATION = 0x14, CONNECTION_ID = 0x18, KEY = 0x19, PORT = 0x1A };

struct rule {
    uint8_t type;
    uint32_t needed;
    uint32_t allowed; /* besides */
};

/* Clause 3.3: those that a server sends. */
static const struct rule rules[] = {
    {0x03, BIT(CLIENT_ID) | BIT(SESSION_ID) | BIT(RESUME_KEY) | BIT(KEEP_ALIVE) | BIT(RESUME_WINDOW) | BIT(SERVER_TIME), 0},
    {0x04, BIT(MESSAGE_ID) | BIT(SERVER_TIME), 0},
    {0x10, 0, BIT(REASON)},
    {0x11, 0, BIT(REASON)},
    {0x12, 0, BIT(MESSAGE_ID) | BIT(REASON)},
    {0x13, 0, BIT(REASON) | BIT(RETRY_AFTER)},
    {0x14, BIT(VERSION), 0},
    {0x22, 0, BIT(MESSAGE_ID) | BIT(TOPIC) | BIT(ALIAS_ID) | BIT(RETAIN) | BIT(EXPIRY) | BIT(RESPONSE_TOPIC) | BIT(CORRELATION) | BIT(CLIENT_ID)},
    {0x23, BIT(MESSAGE_ID), 0},
    {0x24, BIT(MESSAGE_ID) | BIT(REASON), 0},
    {0x25, BIT(MESSAGE_ID), 0},
    {0x32, BIT(MESSAGE_ID) | BIT(TOPIC) | BIT(CLIENT_ID), 0},
    {0x33, BIT(MESSAGE_ID) | BIT(TOPIC) | BIT(CLIENT_ID), BIT(REASON)},
    {0x35, BIT(REQUEST_ID) | BIT(TOPIC), BIT(CLIENT_ID)},
    {0x41, BIT(REQUEST_ID) | BIT(SERVER_TIME) | BIT(ECHO), 0},
    {0x42, 0, BIT(ECHO)},
    {0x43, BIT(ECHO), 0},
    {0x51, BIT(REQUEST_ID) | BIT(CONNECTION_ID) | BIT(KEY) | BIT(PORT), 0},
    {0x53, BIT(CONNECTION_ID), 0},
    {0x60, BIT(MESSAGE_ID) | BIT(ALIAS_ENTRY), 0},
    {0x7F, 0, BIT(REASON)},
};

/* What may stand in ALIAS_ENTRY. */
static const struct rule entry_rule = {0, BIT(ALIAS_ID) | BIT(TOPIC), BIT(LAYOUT)};

/* Clause 4.1: bytes of a value, least and most; 0xFFFF: any number. */
static const struct {
    uint8_t section;
    uint8_t least;
    uint16_t most;
} sizes[] = {
    {KEEP_ALIVE, 4, 4}, {SESSION_ID, 8, 8}, {MESSAGE_ID, 4, 4}, {REASON, 2, 0xFFFF}, {RESUME_KEY, 16, 16},
    {RESUME_WINDOW, 4, 4}, {SERVER_TIME, 8, 8}, {REQUEST_ID, 4, 4}, {ECHO, 4, 4}, {VERSION, 2, 2},
    {RETRY_AFTER, 4, 4}, {RETAIN, 0, 0}, {EXPIRY, 4, 4}, {ALIAS_ID, 1, 1}, {CONNECTION_ID, 2, 8},
    {KEY, 24, 24}, {PORT, 2, 2},
};

static bool is_utf8(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        uint8_t first = *at++;
        uint8_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || end - at < more) return false;
        /* Neither more bytes than needed, nor surrogates, nor beyond U+10FFFF. */
        if (first == 0xE0 && *at < 0xA0) return false;
        if (first == 0xED && *at > 0x9F) return false;
        if (first == 0xF0 && *at < 0x90) return false;
        if (first == 0xF4 && *at > 0x8F) return false;
        for (; more; more--) {
            if ((*at++ & 0xC0) != 0x80) return false;
        }
    }
    return true;
}

static bool is_layout(const uint8_t *value, uint16_t size) {
    if (size % 3) return false;
    for (; size; size = (uint16_t)(size - 3), value += 3) {
        if (!(value[0] & 0x80) || (value[2] == 0 && size > 3)) return false;
    }
    return true;
}

static bool is_value(uint8_t section, const uint8_t *value, uint16_t size) {
    for (uint8_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i].section == section && (size < sizes[i].least || size > sizes[i].most)) return false;
    }
    switch (section) {
        case TOPIC:
        case CLIENT_ID:
        case RESPONSE_TOPIC:
            return is_utf8(value, value + size);
        case REASON:
            return is_utf8(value + 2, value + size);
        case SERVER_TIME:
            return value[0] == 0 && value[1] < 0x20;
        case LAYOUT:
            return is_layout(value, size);
        default:
            return true;
    }
}

static uint16_t get16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The bytes of the section that begins here with its padding; 0 when it does not end before `end`, or the padding is not zero. */
static uint16_t measure(const uint8_t *at, const uint8_t *end) {
    if (end - at < 4) return 0;
    uint32_t size = 4 + (uint32_t)get16(at + 2);
    uint32_t padded = (size + 3) & ~(uint32_t)3;
    if (padded > (uint32_t)(end - at)) return 0;
    for (; size < padded; size++) {
        if (at[size]) return 0;
    }
    return (uint16_t)padded;
}

static bool are_sections(const uint8_t *at, const uint8_t *end, const struct rule *rule) {
    uint32_t seen = 0;
    bool content = false;
    bool first = true;
    while (at < end) {
        uint16_t whole = measure(at, end);
        uint16_t type = get16(at);
        uint8_t section = at[1];
        if (whole == 0 || type < 0x0100) return false;
        if (type & 0x8000) {
            if (rule->type != PUBLISH) return false;
            content = true;
        } else if (content) {
            return false;
        } else if (type < 0x0120 && section && (rule->needed | rule->allowed) & BIT(section)) {
            bool repeated = (seen & BIT(section)) != 0;
            bool repeatable = section == ALIAS_ENTRY || (section == VERSION && rule->type == CONNACK_FAILED_VERSION) || (section == CLIENT_ID && rule->type == 0x35);
            if ((repeated && !repeatable) || (section == MESSAGE_ID && !first)) return false;
            if (!is_value(section, at + 4, get16(at + 2))) return false;
            seen |= BIT(section);
        }
        first = false;
        at += whole;
    }
    return (seen & rule->needed) == rule->needed && (rule->type != PUBLISH || !(seen & BIT(TOPIC)) != !(seen & BIT(ALIAS_ID)));
}

static bool are_entries(const uint8_t *at, const uint8_t *end) {
    for (; at < end; at += measure(at, end)) {
        if (get16(at) == (0x0100 | ALIAS_ENTRY) && !are_sections(at + 4, at + 4 + get16(at + 2), &entry_rule)) return false;
    }
    return true;
}

bool hsk_strict(const uint8_t *message, hsk_size length) {
    const uint8_t *end = message + length;
    if (message[0] || get16(message + 2) != length - 8) return false;
    for (uint8_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].type == message[1]) return are_sections(message + 8, end, &rules[i]) && are_entries(message + 8, end);
    }
    return false;
}

#else
/* ISO C wants something here. */
typedef int hsk_strict_is_off;
#endif
