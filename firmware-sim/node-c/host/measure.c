/*
 * Runs the minimal firmware in an emulated ATmega328P against a small gateway of its own, as fast as it goes, and prints how deep the stack went and how long a reading
 * took: `stack=BYTES cycles=CYCLES`.
 *
 * The stack is painted before the start. The gateway does what makes a node go deep: it accepts, acknowledges, commands in both forms, repeats, loses, rejects, resets and resumes.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simavr/sim_io.h>

#include "chip.h"

#define GPIOR1_AT 0x4A
#define PAINT 0xC5
#define MOST_MS 60000
#define ENOUGH_READINGS 40

static uint8_t frame[512];
static size_t length;
static avr_cycle_count_t began;
static unsigned long longest;
static int readings;
static uint8_t commands;

static uint16_t crc_of(const uint8_t *bytes, size_t count) {
    uint16_t crc = 0xFFFF;
    while (count--) {
        crc ^= (uint16_t)(*bytes++ << 8);
        for (int i = 0; i < 8; i++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

static void answer(const char *hex) {
    uint8_t bytes[256];
    size_t count = 0;
    unsigned value;
    for (; sscanf(hex, "%2x", &value) == 1; hex += 2) bytes[count++] = (uint8_t)value;
    uint16_t crc = crc_of(bytes, count);
    bytes[count++] = (uint8_t)(crc >> 8);
    bytes[count++] = (uint8_t)crc;
    uint8_t stuffed[sizeof bytes + 3];
    size_t code = 0;
    size_t end = 1;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i]) {
            stuffed[end++] = bytes[i];
        } else {
            stuffed[code] = (uint8_t)(end - code);
            code = end++;
        }
    }
    stuffed[code] = (uint8_t)(end - code);
    stuffed[end++] = 0;
    chip_receive(stuffed, end);
}

/* CONNACK_SUCCESS with a CLIENT_ID of 20 bytes, the longest for which HSK_FRAME is made. */
#define WELCOME \
    "0003005400000001" "010300146e6f64652d303132333435363738396162636465" "010400080102030405060708" "01080010000102030405060708090a0b0c0d0e0f" \
    "010200040000ea60" "010900040000ea60" "010a00080000019b77ef4c00"

static void acknowledge(uint8_t id8) {
    char hex[8];
    snprintf(hex, sizeof hex, "b1%02x7f", id8);
    answer(hex);
}

static void published(uint8_t id8) {
    char hex[128];
    readings++;
    switch (readings % 8) {
        case 1: /* lost: the node sends it again, and as a batch */
            return;
        case 2:
            acknowledge(id8);
            commands++;
            snprintf(hex, sizeof hex, "92%02x0%d", commands, commands & 1);
            answer(hex);
            return;
        case 3: /* in the long form, with options */
            snprintf(hex, sizeof hex, "0022002000000000" "01050004000000%02x" "0106000473657421" "01120004000003e8" "8001000101000000", ++commands);
            answer(hex);
            acknowledge(id8);
            return;
        case 4: /* a repetition and a refusal */
            snprintf(hex, sizeof hex, "92%02x01", commands);
            answer(hex);
            snprintf(hex, sizeof hex, "0024001000000000" "01050004000000%02x" "0107000200060000", id8);
            answer(hex);
            acknowledge(id8);
            return;
        case 5:
            answer("d0");
            return;
        case 6:
            answer("e0070800");
            acknowledge(id8);
            answer("c055");
            return;
        default:
            acknowledge(id8);
    }
}

static void take(void) {
    if (frame[0] == 0 && frame[1] == 1) {
        commands = 0;
        answer(WELCOME);
    } else if (frame[0] == 0 && frame[1] == 2) {
        char hex[64];
        snprintf(hex, sizeof hex, "0004001400000001" "01050004000000%02x" "010a00080000019b77ef4c00", 0);
        answer(hex);
    } else if ((frame[0] & 0xE0) == 0x80) {
        published(frame[0] & 0x10 ? frame[1] : 0);
    } else if ((frame[0] & 0xF0) == 0xA0) {
        published(frame[1]);
    }
}

static void sent(uint8_t byte) {
    static uint8_t left, code;
    if (byte == 0) {
        if (length > 2 && crc_of(frame, length) == 0) take();
        length = 0;
        left = code = 0;
    } else if (left) {
        left--;
        if (length < sizeof frame) frame[length++] = byte;
    } else {
        if (code && code != 255 && length < sizeof frame) frame[length++] = 0;
        code = byte;
        left = (uint8_t)(byte - 1);
    }
}

static void marked(avr_t *of, avr_io_addr_t at, uint8_t value, void *param) {
    (void)at, (void)param;
    if (value == 1) began = of->cycle;
    else if (of->cycle - began > longest) longest = (unsigned long)(of->cycle - began);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    /* The loader has things to say. */
    FILE *report = fdopen(dup(1), "w");
    if (!report || !freopen("/dev/null", "w", stdout)) return 1;
    avr_t *avr = chip_make(argv[1], sent);
    if (!avr) return 1;
    avr_register_io_write(avr, GPIOR1_AT, marked, NULL);
    uint32_t bottom = 0x100 + chip_static_ram();
    memset(avr->data + bottom, PAINT, avr->ramend + 1 - bottom);
    for (int ms = 0; readings < ENOUGH_READINGS && ms < MOST_MS; ms++) {
        if (!chip_run(avr, CYCLES_PER_MS)) return 1;
    }
    if (readings < ENOUGH_READINGS) {
        fprintf(stderr, "only %d readings came\n", readings);
        return 1;
    }
    uint32_t touched = bottom;
    while (touched <= avr->ramend && avr->data[touched] == PAINT) touched++;
    fprintf(report, "stack=%u cycles=%lu\n", (unsigned)(avr->ramend + 1 - touched), longest);
    return 0;
}
