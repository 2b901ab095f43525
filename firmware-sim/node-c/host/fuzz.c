/*
 * A fuzzer for each entry that takes bytes from outside; the Makefile says which.
 *
 *     line     any bytes as they come from the line, in any state, among calls of the application
 *     frame    frames whose CRC is right
 *     pieces   the same, with FRAGMENT
 *     store    any bytes as the non-volatile block
 */
#include "internal.h"

static const char token[] = "token";
static const char topic[] = "a/b";
static const char *const filters[] = {topic};
static const uint8_t layout[] = {0x80, 1, 4, 0x80, 2, 0};
static const struct hsk_alias aliases[] = {{topic, layout, sizeof layout, 1}, {NULL, NULL, 0, 2}};
static const struct hsk_config config = {token, "name", 1000, aliases, filters, 5, 2, 1};
static uint32_t clock_ms;
static uint8_t sum;

int hsk_port_read(void) {
    return -1;
}

/* Everything that is handed out is read, so that the sanitizers see whether it may be. */
static void touch(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    while (length--) sum = (uint8_t)(sum + *at++);
}

void hsk_port_write(const uint8_t *bytes, hsk_size length) {
    touch(bytes, length);
}

uint32_t hsk_port_ms(void) {
    return clock_ms;
}

bool hsk_on_command(const struct hsk_command *command) {
    touch(command->content, command->length);
    if (command->topic) touch(command->topic, command->topic_length);
    if (sum & 1) hsk_publish(1, "abcd", 4, HSK_RELIABLE);
    return sum & 2;
}

void hsk_on_settled(const struct hsk_reading *reading, bool accepted) {
    (void)accepted;
    touch(reading->content, reading->length);
}

#if HSK_STORE
static uint8_t store[HSK_STORE];

void hsk_store_read(uint16_t at, void *bytes, uint8_t length) {
    memcpy(bytes, store + at, length);
}

void hsk_store_write(uint16_t at, const void *bytes, uint8_t length) {
    memcpy(store + at, bytes, length);
}
#endif

static void act(uint8_t what) {
    clock_ms += (uint32_t)what * what;
    switch (what & 7) {
        case 0:
            hsk_publish(what >> 3, "12345678", what >> 4 & 7, what & 8 ? HSK_RELIABLE : HSK_BEST_EFFORT);
            break;
        case 1:
            hsk_sleep();
            break;
        case 2:
            hsk_wake(what & 8);
            break;
        case 3:
            hsk_ready();
            break;
        default:
            break;
    }
    hsk_poll();
}

/* One frame with the CRC that it needs, through the line. */
static void frame(const uint8_t *bytes, size_t length) {
    uint16_t crc = 0xFFFF;
    uint8_t all[512];
    size_t count = 0;
    if (length > sizeof all - 2) length = sizeof all - 2;
    for (; count < length; count++) crc = hsk_crc_of(crc, all[count] = bytes[count]);
    all[count++] = (uint8_t)(crc >> 8);
    all[count++] = (uint8_t)crc;
    for (size_t at = 0;;) {
        uint8_t run = 0;
        while (at + run < count && run < 254 && all[at + run]) run++;
        hsk_unstuff((uint8_t)(run + 1));
        for (uint8_t i = 0; i < run; i++) hsk_unstuff(all[at + i]);
        at += run;
        if (at == count) break;
        if (run < 254) at++;
    }
    hsk_unstuff(0);
}

static void start(uint8_t state) {
    memset(&hsk, 0, sizeof hsk);
    clock_ms = 0;
    hsk_start(&config);
    if (state & 4) hsk.state = state & 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
#if HSK_STORE
    memset(store, 0xFF, sizeof store);
#endif
#ifdef FUZZ_store
    memcpy(store, data, size < sizeof store ? size : sizeof store);
    start(0);
    for (size_t i = 0; i < 8; i++) act(data[i % size]);
    return 0;
#endif
    start(data[0]);
    data++;
    size--;
#ifdef FUZZ_line
    for (; size > 1; data += 2, size -= 2) {
        hsk_unstuff(data[0]);
        if (data[1] >= 0xC0) act(data[1] & 0x3F);
        else hsk_unstuff(data[1]);
    }
#else
    /* A byte for the length of the frame, and one for what the application does after it. */
    while (size > 2) {
        size_t length = data[0] < size - 2 ? data[0] : size - 2;
        frame(data + 2, length);
        act(data[1]);
        data += length + 2;
        size -= length + 2;
    }
#endif
    return 0;
}
