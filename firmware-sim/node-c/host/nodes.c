/*
 * Many nodes in one process, each on a pseudo-terminal of its own, in real time: a sensor and an actuator like those of firmware-sim/node, with the
 * contents of the profile in firmware-sim/site-plan.ts.
 *
 *     nodes INTERVAL_MS SEED (NAME TOKEN PATH)...
 *
 * Says on standard output what happens, a line an event: the node's index, a code, an alias, a number.
 *     M made, A acknowledged, R rejected, F refused by a full queue, X forgotten in a reset, C command
 * Does what standard input asks for, a line each: a verb, a node's index, a value.
 *     noise I PERMILLE, cut I 0|1, sleep I, wake I, reset I (power lost, store kept), forget I (store lost too), start, stop, counters I
 */
#define _GNU_SOURCE
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hashike.h"
#include "line.h"

enum { TEMPERATURE = 0, STATE = 1, SET = 2 };

struct device {
    struct hsk_node node; /* first, so that hsk_current leads here */
    struct hsk_config config;
    struct line line;
    uint8_t in[4096];
    size_t in_length, in_at;
    uint8_t store[HSK_STORE];
    uint32_t readings, states;
    int64_t due;
};

static struct device *devices;
static int count;
static int64_t interval;
static bool running = true;

static struct device *current(void) {
    return (struct device *)(void *)hsk_current;
}

static void tell(char code, uint8_t alias, uint32_t number) {
    printf("%d %c %u %u\n", (int)(current() - devices), code, alias, (unsigned)number);
}

static uint8_t *put(uint8_t *at, uint32_t value, int bytes) {
    while (bytes--) *at++ = (uint8_t)(value >> (8 * bytes));
    return at;
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

int hsk_port_read(void) {
    struct device *device = current();
    return device->in_at < device->in_length ? device->in[device->in_at++] : -1;
}

void hsk_port_write(const uint8_t *bytes, hsk_size length) {
    line_write(&current()->line, bytes, length);
}

uint32_t hsk_port_ms(void) {
    return (uint32_t)line_now();
}

void hsk_store_read(uint16_t at, void *bytes, uint8_t length) {
    memcpy(bytes, current()->store + at, length);
}

void hsk_store_write(uint16_t at, const void *bytes, uint8_t length) {
    memcpy(current()->store + at, bytes, length);
}

static void publish(uint8_t alias, const uint8_t *content, uint8_t length) {
    tell('M', alias, get32(content));
    if (!hsk_publish(alias, content, length, HSK_RELIABLE)) tell('F', alias, get32(content));
}

bool hsk_on_command(const struct hsk_command *command) {
    uint8_t content[8];
    if (command->length != 4) return true;
    tell('C', SET, get32(command->content));
    put(put(content, ++current()->states, 4), get32(command->content), 4);
    publish(STATE, content, 8);
    return true;
}

void hsk_on_settled(const struct hsk_reading *reading, bool accepted) {
    tell(accepted ? 'A' : 'R', reading->alias, get32(reading->content));
}

static void measure(void) {
    uint8_t content[6];
    uint32_t number = ++current()->readings;
    double value = floor(2000 + 1500 * sin(number / 20.0) + 0.5);
    put(put(content, number, 4), (uint16_t)(int16_t)value, 2);
    publish(TEMPERATURE, content, 6);
}

static void serve(void) {
    struct device *device = current();
    device->in_at = 0;
    device->in_length = line_read(&device->line, device->in, sizeof device->in);
    hsk_poll();
    if (!running || line_now() < device->due) return;
    device->due += interval;
    measure();
}

static void forget(void) {
    struct device *device = current();
    for (uint8_t i = 0; i < device->node.count; i++) {
        tell('X', device->node.queue[i].alias, get32(device->node.queue[i].content));
    }
    memset(device->store, 0xFF, sizeof device->store);
}

static void obey(const char *line) {
    char verb[16] = "";
    int index = 0;
    unsigned value = 0;
    if (sscanf(line, "%15s %d %u", verb, &index, &value) < 1 || index < 0 || index >= count) return;
    struct device *device = devices + index;
    hsk_current = &device->node;
    if (!strcmp(verb, "noise")) device->line.noise = value;
    else if (!strcmp(verb, "cut")) device->line.cut = value != 0;
    else if (!strcmp(verb, "sleep")) hsk_sleep();
    else if (!strcmp(verb, "wake")) hsk_wake(true);
    else if (!strcmp(verb, "start")) running = true;
    else if (!strcmp(verb, "stop")) running = false;
    else if (!strcmp(verb, "reset") || !strcmp(verb, "forget")) {
        if (verb[0] == 'f') forget();
        hsk_start(&device->config);
    } else if (!strcmp(verb, "counters")) {
        printf("%d counters", index);
        for (int i = 0; i < HSK_COUNTERS; i++) printf(" %u", device->node.counters[i]);
        printf("\n");
    }
}

int main(int argc, char **argv) {
    char input[4096];
    size_t kept = 0;
    if (argc < 6 || (argc - 3) % 3) {
        fprintf(stderr, "usage: nodes INTERVAL_MS SEED (NAME TOKEN PATH)...\n");
        return 2;
    }
    interval = atoi(argv[1]);
    count = (argc - 3) / 3;
    devices = calloc((size_t)count, sizeof *devices);
    for (int i = 0; i < count; i++) {
        struct device *device = devices + i;
        uint32_t seed = (uint32_t)atoi(argv[2]) + (uint32_t)i;
        device->config.token = argv[4 + 3 * i];
        device->config.token_length = (uint8_t)strlen(argv[4 + 3 * i]);
        device->config.keep_alive = 60000;
        memset(device->store, 0xFF, sizeof device->store);
        device->due = line_now() + i * interval / count;
        line_plug(&device->line, argv[5 + 3 * i], seed);
        hsk_current = &device->node;
        hsk_start(&device->config);
    }
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (;;) {
        struct pollfd control = {0, POLLIN, 0};
        for (int i = 0; i < count; i++) {
            hsk_current = &devices[i].node;
            serve();
        }
        fflush(stdout);
        if (poll(&control, 1, 1) <= 0) continue;
        ssize_t got = read(0, input + kept, sizeof input - 1 - kept);
        if (got <= 0) break;
        kept += (size_t)got;
        input[kept] = 0;
        char *line = input;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            obey(line);
        }
        kept = strlen(line);
        memmove(input, line, kept);
    }
    for (int i = 0; i < count; i++) line_unplug(&devices[i].line);
    free(devices);
    return 0;
}
