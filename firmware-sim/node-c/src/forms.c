/* The long form, clauses 3 and 4, and the readings of the short form, clause 6.1. */
#include "internal.h"

/* ---- Writing ---- */

static void put16(uint16_t value) {
    hsk_put((uint8_t)(value >> 8));
    hsk_put((uint8_t)value);
}

static void put32(uint32_t value) {
    put16((uint16_t)(value >> 16));
    put16((uint16_t)value);
}

/* The Timestamp is 0: the node does not keep the server's clock. */
static void put_header(uint8_t type, hsk_size sections) {
    hsk_begin(0);
    hsk_put(type);
    put16(sections);
    put32(0);
}

static void put_section(uint8_t type, hsk_size length) {
    hsk_put(1);
    hsk_put(type);
    put16(length);
}

static void SELDOM_INLINE put_long_section(uint8_t type, uint32_t value) {
    put_section(type, 4);
    put32(value);
}

/* The bytes of a section whose value has so many. */
static hsk_size with_header(hsk_size length) {
    return (hsk_size)(((length + 3u) & ~3u) + 4u);
}

/* A section whose value stands in flash. */
static void put_flash_section(uint8_t type, const void *value, hsk_size length) {
    const uint8_t *at = value;
    put_section(type, length);
    for (hsk_size i = 0; i < length; i++) hsk_put(flash_byte(at++));
    while (length++ & 3) hsk_put(0);
}

#if HSK_DECLARE

static hsk_size text_length(const char *text) {
    hsk_size length = 0;
    while (flash_byte(text++)) length++;
    return length;
}

static hsk_size text_section_length(const char *const *in_flash) {
    return with_header(text_length(flash_pointer(in_flash)));
}

static void put_text_section(uint8_t type, const char *const *in_flash) {
    const char *text = flash_pointer(in_flash);
    put_flash_section(type, text, text_length(text));
}

static const struct hsk_alias *alias_at(uint8_t index) {
    return (const struct hsk_alias *)flash_pointer(&hsk.config->aliases) + index;
}

static hsk_size entry_length(const struct hsk_alias *alias) {
    hsk_size layout = flash_byte(&alias->layout_length);
    return (hsk_size)(8 + text_section_length(&alias->topic) + (layout ? with_header(layout) : 0));
}

static bool is_declared(const struct hsk_alias *alias) {
    return flash_pointer(&alias->topic) != NULL;
}

static void put_entry(const struct hsk_alias *alias) {
    hsk_size layout = flash_byte(&alias->layout_length);
    put_section(ALIAS_ENTRY, entry_length(alias));
    put_flash_section(ALIAS_ID, &alias->alias, 1);
    put_text_section(TOPIC, &alias->topic);
    if (layout) put_flash_section(LAYOUT, flash_pointer(&alias->layout), layout);
}

bool hsk_sized(uint8_t alias) {
    for (uint8_t i = flash_byte(&hsk.config->alias_count); i--;) {
        const struct hsk_alias *entry = alias_at(i);
        if (flash_byte(&entry->alias) != alias) continue;
        uint8_t length = flash_byte(&entry->layout_length);
        const uint8_t *layout = flash_pointer(&entry->layout);
        return length == 0 || flash_byte(layout + length - 1) == 0;
    }
    return false;
}

void hsk_put_subscribe(void) {
    const char *const *filters = flash_pointer(&hsk.config->filters);
    uint8_t count = flash_byte(&hsk.config->filter_count);
    hsk_size sections = 8;
    for (uint8_t i = 0; i < count; i++) sections = (hsk_size)(sections + text_section_length(filters + i));
    put_header(SUBSCRIBE, sections);
    put_long_section(MESSAGE_ID, 1);
    for (uint8_t i = 0; i < count; i++) put_text_section(TOPIC, filters + i);
    hsk_end();
}

#endif

void hsk_put_token(void) {
    const struct hsk_config *config = hsk.config;
    const char *token = flash_pointer(&config->token);
    hsk_size length = flash_byte(&config->token_length);
    hsk_size sections = (hsk_size)(8 + with_header(length));
#if HSK_DECLARE
    bool named = flash_pointer(&config->name) != NULL;
    uint8_t aliases = flash_byte(&config->alias_count);
    if (named) sections = (hsk_size)(sections + text_section_length(&config->name));
    for (uint8_t i = 0; i < aliases; i++) {
        if (is_declared(alias_at(i))) sections = (hsk_size)(sections + 4 + entry_length(alias_at(i)));
    }
#endif
    put_header(CONNECT_TOKEN, sections);
    put_flash_section(TOKEN, token, length);
#if HSK_DECLARE
    if (named) put_text_section(CLIENT_NAME, &config->name);
#endif
    put_long_section(KEEP_ALIVE, flash_long(&config->keep_alive));
#if HSK_DECLARE
    for (uint8_t i = 0; i < aliases; i++) {
        if (is_declared(alias_at(i))) put_entry(alias_at(i));
    }
#endif
    hsk_end();
}

void hsk_put_disconnect(void) {
    put_header(DISCONNECT, 8);
    put_section(REASON, 2);
    put32((uint32_t)STATE_LOST << 16);
    hsk_end();
}

void hsk_put_resume(void) {
    put_header(CONNECT_RESUME, 40);
    put_long_section(MESSAGE_ID, hsk.received);
    put_section(SESSION_ID, 8);
    hsk_put_bytes(hsk.session_id, 8);
    put_section(RESUME_KEY, 16);
    hsk_put_bytes(hsk.resume_key, 16);
    hsk_end();
}

/* ---- Readings ---- */

static void put_age(const struct hsk_reading *reading) {
    uint32_t age = hsk_age(reading);
    for (; age > 127; age >>= 7) hsk_put((uint8_t)(age | 0x80));
    hsk_put((uint8_t)age);
}

uint8_t hsk_put_readings(uint8_t index) {
    const struct hsk_reading *reading = hsk.queue + index;
    uint8_t alias = reading->alias;
    uint8_t kind = KIND_PUBLISH;
    uint8_t group = 1;
    if (reading->flags & HSK_RELIABLE) {
        while (++index < hsk.numbered && hsk.queue[index].number == reading->number) group++;
        kind = group > 1 || hsk_age(reading) > OLD ? KIND_BATCH : KIND_RELIABLE;
    }
    hsk_begin((uint8_t)(kind | (alias < 15 ? alias : 15)));
    if (alias >= 15) hsk_put(alias);
    if (kind != KIND_PUBLISH) hsk_put((uint8_t)(reading->number - hsk.base));
    if (kind == KIND_BATCH) hsk_put(group);
    for (uint8_t left = group; left; left--, reading++) {
        if (kind == KIND_BATCH) {
            put_age(reading);
            if (hsk_sized(alias)) {
#if HSK_CONTENT > 127
                if (reading->length > 127) {
                    hsk_put((uint8_t)(reading->length | 0x80));
                    hsk_put(1);
                } else
#endif
                    hsk_put(reading->length);
            }
        }
        hsk_put_bytes(reading->content, reading->length);
    }
    hsk_end();
    return group;
}

/* ---- Reading ---- */

/* About 10 s, where a refusal does not say RETRY_AFTER. */
#define REFUSED_PAUSE 39

bool hsk_read_message(struct hsk_message *message, uint8_t *frame, hsk_size length) {
    hsk_size left = (hsk_size)(length - 8);
    if (length < 8) return false;
#if HSK_STRICT
    if (!hsk_strict(frame, length)) return false;
#endif
    message->numbered = false;
    message->id8 = 0;
    hsk.command.topic = NULL;
    hsk.command.length = 0;
    message->type = frame[1];
    message->pause = REFUSED_PAUSE;
    bool success = message->type == CONNACK_SUCCESS;
    uint8_t *at = frame + 8;
    uint8_t *content = NULL;
    while (left) {
        uint8_t high = at[0];
        uint8_t low = at[1];
        /* Where less than a header is left, the CRC and two bytes more stand behind it. */
#if HSK_FRAME > 255
        hsk_size size = (hsk_size)(at[2] << 8 | at[3]);
#else
        hsk_size size = at[3];
        if (at[2]) return false;
#endif
        hsk_size whole = with_header(size);
        if (size > left || whole > left) return false;
        left = (hsk_size)(left - whole);
        at += 4;
        if (high & 0x80) {
            if (!content) hsk.command.content = content = at;
            hsk_copy(content, at, size);
            content += size;
        } else if (high != 1) {
            /* Of a later version: skipped, clause 3.2.3. */
        } else if (low == TOPIC) {
            hsk.command.topic = at;
            hsk.command.topic_length = size;
        } else if (low == ALIAS_ID) {
            hsk.command.alias = *at;
        } else if (low == SESSION_ID && size == 8 && success) {
            hsk_copy(hsk.session_id, at, 8);
        } else if (low == RESUME_KEY && size == 16 && success) {
            hsk_copy(hsk.resume_key, at, 16);
        } else if (size == 4) {
            if (low == MESSAGE_ID) {
                message->numbered = true;
                message->id8 = at[3];
            }
            /* In 256 ms; of more than 4 hours the rest, and so never too long. */
            uint16_t time = (uint16_t)(at[1] << 8 | at[2]);
            /* What expired on its way is a number and nothing else, clause 5.5.6. */
            if (low == EXPIRY && time == 0 && !(at[0] | at[3])) message->type = ALIAS;
            if (low == KEEP_ALIVE && success) hsk.keep_alive = time;
            if (low == RETRY_AFTER) message->pause = time > 126 ? 127 : (uint8_t)(time + 1);
        }
        at += whole - 4;
    }
    if (content) hsk.command.length = (hsk_size)(content - hsk.command.content);
    return true;
}
