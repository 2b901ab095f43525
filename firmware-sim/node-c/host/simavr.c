/*
 * An emulated ATmega328P at 16 MHz in real time, its UART 0 on a pseudo-terminal, by libsimavr.
 *
 *     simavr FIRMWARE.elf PATH SEED
 *
 * Says on standard output, a line each: what the firmware tells through GPIOR0 (see firmware/board.h) as `0 CODE ALIAS NUMBER`, and `pin 0|1` when pin 13 (PB5) changes.
 * Does what standard input asks for:
 *     adc MILLIVOLTS, noise PERMILLE, cut 0|1, hang (the firmware stops in the middle of its next frame, until its watchdog bites), reset (a reset at once)
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <simavr/sim_cycle_timers.h>
#include <simavr/sim_io.h>

#include "chip.h"
#include "line.h"

#define GPIOR0_AT 0x3E
#define GPIOR2_AT 0x4B
#define STEP_CYCLES 1600

static avr_t *avr;
static struct line line;
static int told_bytes;
static void (*reset_core)(avr_t *);

static void sent(uint8_t byte) {
    line_write(&line, &byte, 1);
}

static void pin(avr_irq_t *irq, uint32_t value, void *param) {
    (void)irq, (void)param;
    printf("pin %u\n", (unsigned)value);
}

static void told(avr_t *of, avr_io_addr_t at, uint8_t value, void *param) {
    static uint8_t record[6];
    (void)at, (void)param;
    of->data[GPIOR0_AT] = value;
    record[told_bytes++] = value;
    if (told_bytes < 6) return;
    told_bytes = 0;
    printf("0 %c %u %u\n", record[0], record[1], (unsigned)record[2] << 24 | (unsigned)record[3] << 16 | (unsigned)record[4] << 8 | record[5]);
}

/* What was being told is cut. */
static void reset(avr_t *of) {
    told_bytes = 0;
    if (reset_core) reset_core(of);
}

/* A sleeping core jumps to its next timer: so it never jumps further than this. */
static avr_cycle_count_t step(avr_t *of, avr_cycle_count_t when, void *param) {
    (void)of, (void)param;
    return when + STEP_CYCLES;
}

static void obey(const char *text) {
    char verb[16] = "";
    unsigned value = 0;
    if (sscanf(text, "%15s %u", verb, &value) < 1) return;
    if (!strcmp(verb, "adc")) avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0), value);
    else if (!strcmp(verb, "noise")) line.noise = value;
    else if (!strcmp(verb, "cut")) line.cut = value != 0;
    else if (!strcmp(verb, "hang")) avr->data[GPIOR2_AT] = 1;
    else if (!strcmp(verb, "reset")) avr_reset(avr);
}

static void listen(void) {
    static char text[1024];
    static size_t kept;
    struct pollfd control = {0, POLLIN, 0};
    if (poll(&control, 1, 0) <= 0) return;
    ssize_t got = read(0, text + kept, sizeof text - 1 - kept);
    if (got <= 0) {
        line_unplug(&line);
        exit(0);
    }
    kept += (size_t)got;
    text[kept] = 0;
    char *begin = text;
    for (char *end; (end = strchr(begin, '\n')); begin = end + 1) {
        *end = 0;
        obey(begin);
    }
    kept = strlen(begin);
    memmove(text, begin, kept);
}

static void attach(void) {
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('B'), 5), pin, NULL);
    reset_core = avr->reset;
    avr->reset = reset;
    avr_register_io_write(avr, GPIOR0_AT, told, NULL);
    avr_cycle_timer_register(avr, STEP_CYCLES, step, NULL);
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0), 750);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: simavr FIRMWARE.elf PATH SEED\n");
        return 2;
    }
    avr = chip_make(argv[1], sent);
    if (!avr) return 1;
    line_plug(&line, argv[2], (uint32_t)atoi(argv[3]));
    attach();
    int64_t begun = line_now();
    for (int64_t slice = 1;; slice++) {
        uint8_t bytes[256];
        size_t room = chip_room();
        if (!chip_run(avr, CYCLES_PER_MS)) {
            fprintf(stderr, "the processor stopped\n");
            return 1;
        }
        chip_receive(bytes, line_read(&line, bytes, room < sizeof bytes ? room : sizeof bytes));
        listen();
        fflush(stdout);
        int64_t ahead = begun + slice - line_now();
        if (ahead > 0) {
            struct timespec pause = {0, (long)(ahead * 1000000)};
            nanosleep(&pause, NULL);
        }
    }
}
