/*
 * Puts the library's parts to the test from outside: a request a line on standard input, an answer a line on standard output. Bytes are hex, `-` is none.
 *
 *     crc BYTES                         the CRC
 *     stuff BYTES, unstuff BYTES        COBS without delimiter; `error`
 *     line BYTES                        the line bytes of one frame
 *     receive BYTES                     what comes of line bytes: one word a frame, `frame` or `dropped`
 *     short EXPECTED SIZED FRAME        a node that expects that MESSAGE_ID gets a short-form frame; SIZED: the alias has no layout
 *     long FRAME                        a node gets a message
 *     publish QUALITY ALIAS ID8 CONTENT the frame of a reading
 *     batch ALIAS ID8 SIZED (AGE:CONTENT)...
 *     token TOKEN NAME KEEP_ALIVE (ALIAS:TOPIC:LAYOUT)...   TOKEN, NAME and TOPIC as text
 *     resume MESSAGE_ID SESSION_ID RESUME_KEY
 *     subscribe FILTER...
 *
 * With the argument `session` one node that lives on between requests, on a clock that stands still between them. Each answer is a result, what was told, `sent` and the line bytes.
 *
 *     start [FILTER...]       with an empty store and the token `t`
 *     reset                   the power was lost, the store was not
 *     at MS                   the clock goes there, and the node looks
 *     in LINE_BYTES
 *     take QUALITY ALIAS CONTENT
 *     sleep, wake RESUME, busy, ready, state, corrupt AT (one byte of the store)
 *     tear BYTES   after so many more bytes for the store the power is lost in the middle of a write, and comes back: the result is `cut`
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static struct hsk_node node;
static struct hsk_alias aliases[64];
static const char *filters[16];
static struct hsk_config config;
static uint8_t written[4096];
static size_t written_length;
static uint32_t clock_ms;
static char heard[8192];
static uint8_t store[HSK_STORE];
static bool busy;
/* Bytes that the store takes until the power is lost; negative: it is not. */
static int until_cut = -1;
static jmp_buf power_lost;
/* Of a session: what is told since the last request. */
static char events[65536];
static bool in_session;

int hsk_port_read(void) {
    return -1;
}

void hsk_port_write(const uint8_t *bytes, hsk_size length) {
    memcpy(written + written_length, bytes, length);
    written_length += length;
}

uint32_t hsk_port_ms(void) {
    return clock_ms;
}

static char *put_hex(char *to, const uint8_t *bytes, size_t length) {
    if (length == 0) to += sprintf(to, "-");
    for (size_t i = 0; i < length; i++) to += sprintf(to, "%02x", bytes[i]);
    return to;
}

bool hsk_on_command(const struct hsk_command *command) {
    char *to = in_session ? events + strlen(events) : heard;
    if (in_session) to += sprintf(to, busy ? " busy" : " command");
    if (command->topic) to += sprintf(to, " topic %.*s", (int)command->topic_length, (const char *)command->topic);
    else to += sprintf(to, " alias %u", command->alias);
    to += sprintf(to, " content ");
    put_hex(to, command->content, command->length);
    return !busy;
}

void hsk_on_settled(const struct hsk_reading *reading, bool accepted) {
    char *to = events + strlen(events);
    to += sprintf(to, accepted ? " acknowledged " : " rejected ");
    put_hex(to, reading->content, reading->length);
}

void hsk_store_read(uint16_t at, void *bytes, uint8_t length) {
    memcpy(bytes, store + at, length);
}

void hsk_store_write(uint16_t at, const void *bytes, uint8_t length) {
    const uint8_t *from = bytes;
    for (uint8_t i = 0; i < length; i++) {
        if (until_cut == 0) {
            /* The byte that is being written is neither the old one nor the new one. */
            store[at + i] ^= 0x5A;
            longjmp(power_lost, 1);
        }
        if (until_cut > 0) until_cut--;
        store[at + i] = from[i];
    }
}

static size_t get_hex(const char *hex, uint8_t *bytes) {
    size_t count = 0;
    unsigned value;
    for (; sscanf(hex, "%2x", &value) == 1; hex += 2) bytes[count++] = (uint8_t)value;
    return count;
}

static void print_hex(const uint8_t *bytes, size_t length) {
    char text[16384];
    put_hex(text, bytes, length);
    printf("%s\n", text);
}

static void begin(uint8_t state) {
    memset(store, 0xFF, sizeof store);
    hsk_start(&config);
    node.state = state;
    node.session_id[6] = 0x07;
    node.session_id[7] = 0x08;
    written_length = 0;
    heard[0] = 0;
}

static void print_sent(void) {
    print_hex(written, written_length);
}

static uint8_t number(const char *text) {
    return (uint8_t)strtoul(text, NULL, 0);
}

static void stuff(const char *hex) {
    uint8_t bytes[2048];
    size_t length = get_hex(hex, bytes);
    begin(HSK_UP);
    hsk.group = 0;
    hsk.out = 1;
    for (size_t i = 0; i < length; i++) hsk_stuff(bytes[i]);
    hsk.frame[hsk.group] = (uint8_t)(hsk.out - hsk.group);
    print_hex(hsk.frame, hsk.out);
}

static void unstuff(const char *hex) {
    uint8_t bytes[2048];
    size_t length = get_hex(hex, bytes);
    begin(HSK_UP);
    for (size_t i = 0; i < length; i++) {
        hsk_unstuff(bytes[i]);
        if (bytes[i] == 0) {
            printf("error\n");
            return;
        }
    }
    if (hsk.left) printf("error\n");
    else print_hex(hsk.frame, hsk.length);
}

static void line(const char *hex) {
    uint8_t bytes[2048];
    size_t length = get_hex(hex, bytes);
    begin(HSK_UP);
    hsk_begin(bytes[0]);
    for (size_t i = 1; i < length; i++) hsk_put(bytes[i]);
    hsk_end();
    print_sent();
}

/* Frames are told by whether the library counts them as bad or too long. */
static void receive(const char *hex) {
    static uint8_t bytes[32768];
    size_t length = get_hex(hex, bytes);
    begin(HSK_CONNECTING);
    unsigned before = 0;
    for (size_t i = 0; i < length; i++) {
        bool any = node.code != 0;
        hsk_unstuff(bytes[i]);
        if (bytes[i] || !any) continue;
        unsigned wrong = (unsigned)node.counters[HSK_BAD_FRAMES] + node.counters[HSK_LONG_FRAMES];
        printf(wrong == before ? "frame " : "dropped ");
        before = wrong;
    }
    printf("\n");
}

static void short_form(const char *expected, bool sized, const char *hex) {
    static const char *const states[] = {"connecting", "rejoining", "resuming", "up"};
    /* Two bytes more stand behind a frame and its CRC. */
    uint8_t *bytes = node.frame;
    begin(HSK_UP);
    memset(aliases, 0, sizeof aliases);
    aliases[0].alias = 1;
    config.aliases = aliases;
    config.alias_count = sized ? 1 : 0;
    node.received = (uint32_t)strtoul(expected, NULL, 0) - 1;
    /* Everything that an ACK may name is in flight. */
    uint8_t id8 = 0;
    size_t length = get_hex(hex, bytes);
    if (length > 1) id8 = bytes[bytes[0] == KIND_RESUME ? length - 1 : 1];
    node.acknowledged = (uint8_t)(id8 - 1);
    node.next = (uint8_t)(id8 + 1);
    node.recover = id8;
    node.credit = 0xEE;
    uint32_t before = node.received;
    node.length = (hsk_size)length;
    node.flags |= HANDLING;
    bool good = length > 0 && bytes[0] & 0x80 && hsk_frame(bytes, (hsk_size)length);
    printf("%s state %s", good ? "ok" : "refused", states[node.state]);
    if (good && heard[0]) printf("%s%s", heard, node.received == before + 1 ? " numbered" : "");
    if (node.acknowledged == id8) printf(" acknowledged");
    if (node.credit != 0xEE) printf(" credit %u", node.credit);
    printf(" sent ");
    print_sent();
    config.alias_count = 0;
}

static void long_form(const char *hex) {
    struct hsk_message message;
    char *to = heard;
    begin(HSK_CONNECTING);
    size_t length = get_hex(hex, node.frame);
    if (length == 0 || node.frame[0] & 0x80 || !hsk_read_message(&message, node.frame, (hsk_size)length)) {
        printf("refused\n");
        return;
    }
    to += sprintf(to, "ok type %u", message.type);
    if (message.numbered) to += sprintf(to, " id8 %u", message.id8);
    if (message.type == CONNACK_SUCCESS) {
        to += sprintf(to, " session ");
        to = put_hex(to, node.session_id, 8);
        to += sprintf(to, " key ");
        to = put_hex(to, node.resume_key, 16);
        to += sprintf(to, " silence %u", node.keep_alive);
    }
    if (message.type == PUBLISH) {
        if (node.command.topic) to += sprintf(to, " topic %.*s", (int)node.command.topic_length, (const char *)node.command.topic);
        else to += sprintf(to, " alias %u", node.command.alias);
        to += sprintf(to, " content ");
        put_hex(to, node.command.content, node.command.length);
    }
    printf("%s\n", heard);
}

static void put_reading(uint8_t alias, uint8_t id8, uint8_t quality, uint32_t age, const char *content) {
    struct hsk_reading *reading = node.queue + node.count++;
    memset(reading, 0, sizeof *reading);
    reading->alias = alias;
    reading->number = id8;
    reading->flags = quality;
    reading->taken = clock_ms - age;
    reading->length = (uint8_t)get_hex(content, reading->content);
    node.numbered++;
}

static void batch(char **words, int count) {
    uint8_t alias = number(words[0]);
    begin(HSK_UP);
    memset(aliases, 0, sizeof aliases);
    /* One that the profile declares, without a layout. */
    aliases[0].alias = alias;
    config.aliases = aliases;
    config.alias_count = number(words[2]) ? 1 : 0;
    for (int i = 3; i < count && node.count < HSK_QUEUE; i++) {
        char *content = strchr(words[i], ':');
        put_reading(alias, number(words[1]), HSK_RELIABLE, (uint32_t)strtoul(words[i], NULL, 0), content + 1);
    }
    hsk_put_readings(0);
    print_sent();
    config.alias_count = 0;
}

static void token(char **words, int count) {
    static uint8_t layouts[64][256];
    begin(HSK_CONNECTING);
    config.token = words[0];
    config.token_length = (uint8_t)strlen(words[0]);
    config.name = words[1][0] == '-' ? NULL : words[1];
    config.keep_alive = (uint32_t)strtoul(words[2], NULL, 0);
    config.aliases = aliases;
    config.alias_count = 0;
    for (int i = 3; i < count; i++) {
        struct hsk_alias *alias = aliases + config.alias_count;
        alias->alias = number(strtok(words[i], ":"));
        alias->topic = strtok(NULL, ":");
        alias->layout = layouts[config.alias_count];
        alias->layout_length = (uint8_t)get_hex(strtok(NULL, ":"), layouts[config.alias_count]);
        config.alias_count++;
    }
    hsk_put_token();
    print_sent();
    config.alias_count = 0;
    config.name = NULL;
}

static void restart(void) {
    config.token = "t";
    config.token_length = 1;
    config.keep_alive = 0;
    hsk_start(&config);
}

/* Whether it is a request to the node that lives on. */
static bool live(char **words, int count) {
    const char *verb = words[0];
    const char *volatile result = "ok";
    volatile bool given = false;
    uint8_t bytes[2048];
    if (setjmp(power_lost)) {
        /* Of a reading that the library had taken by then its caller knows. */
        if (!given) result = "cut";
        until_cut = -1;
        restart();
    } else if (!strcmp(verb, "start")) {
        memset(store, 0xFF, sizeof store);
        clock_ms = 0x10000;
        busy = false;
        until_cut = -1;
        config.filters = filters;
        config.filter_count = (uint8_t)(count - 1);
        for (int i = 1; i < count; i++) filters[i - 1] = strcpy(malloc(strlen(words[i]) + 1), words[i]);
        restart();
    } else if (!strcmp(verb, "reset")) {
        restart();
    } else if (!strcmp(verb, "at")) {
        clock_ms = (uint32_t)strtoul(words[1], NULL, 0) + 0x10000;
    } else if (!strcmp(verb, "in")) {
        size_t length = get_hex(words[1], bytes);
        for (size_t i = 0; i < length; i++) hsk_unstuff(bytes[i]);
    } else if (!strcmp(verb, "take")) {
        size_t length = get_hex(words[3], bytes);
        if (!hsk_publish(number(words[2]), bytes, (uint8_t)length, number(words[1]))) result = "full";
        given = true;
    } else if (!strcmp(verb, "sleep")) {
        hsk_sleep();
    } else if (!strcmp(verb, "wake")) {
        hsk_wake(number(words[1]));
    } else if (!strcmp(verb, "busy")) {
        busy = true;
    } else if (!strcmp(verb, "ready")) {
        busy = false;
        hsk_ready();
    } else if (!strcmp(verb, "tear")) {
        until_cut = atoi(words[1]);
    } else if (!strcmp(verb, "corrupt")) {
        store[strtoul(words[1], NULL, 0)] ^= 0x5A;
    } else if (strcmp(verb, "state")) {
        return false;
    }
    hsk_poll();
    printf("%s state %d waiting %u%s sent ", result, (int)hsk_state(), hsk_waiting(), events);
    print_sent();
    written_length = 0;
    events[0] = 0;
    return true;
}

static void obey(char **words, int count) {
    const char *verb = words[0];
    if (in_session) {
        if (!live(words, count)) printf("what?\n");
    } else if (!strcmp(verb, "crc")) {
        uint8_t bytes[2048];
        size_t length = get_hex(words[1], bytes);
        uint16_t crc = 0xFFFF;
        for (size_t i = 0; i < length; i++) crc = hsk_crc_of(crc, bytes[i]);
        printf("%04x\n", crc);
    } else if (!strcmp(verb, "stuff")) {
        stuff(words[1]);
    } else if (!strcmp(verb, "unstuff")) {
        unstuff(words[1]);
    } else if (!strcmp(verb, "line")) {
        line(words[1]);
    } else if (!strcmp(verb, "receive")) {
        receive(words[1]);
    } else if (!strcmp(verb, "short")) {
        short_form(words[1], number(words[2]), words[3]);
    } else if (!strcmp(verb, "long")) {
        long_form(words[1]);
    } else if (!strcmp(verb, "publish")) {
        begin(HSK_UP);
        put_reading(number(words[2]), number(words[3]), number(words[1]), 0, words[4]);
        hsk_put_readings(0);
        print_sent();
    } else if (!strcmp(verb, "batch")) {
        batch(words + 1, count - 1);
    } else if (!strcmp(verb, "token")) {
        token(words + 1, count - 1);
    } else if (!strcmp(verb, "resume")) {
        begin(HSK_REJOINING);
        node.received = (uint32_t)strtoul(words[1], NULL, 0);
        get_hex(words[2], node.session_id);
        get_hex(words[3], node.resume_key);
        hsk_put_resume();
        print_sent();
    } else if (!strcmp(verb, "subscribe")) {
        begin(HSK_UP);
        config.filters = filters;
        config.filter_count = (uint8_t)(count - 1);
        for (int i = 1; i < count; i++) filters[i - 1] = words[i];
        hsk_put_subscribe();
        print_sent();
        config.filter_count = 0;
    } else {
        printf("what?\n");
    }
}

int main(int argc, char **argv) {
    static char request[65536];
    in_session = argc > 1 && !strcmp(argv[1], "session");
    hsk_current = &node;
    clock_ms = 0x10000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(request, sizeof request, stdin)) {
        char *words[512];
        int count = 0;
        for (char *word = strtok(request, " \n"); word && count < 512; word = strtok(NULL, " \n")) words[count++] = word;
        if (count) obey(words, count);
    }
    return 0;
}
