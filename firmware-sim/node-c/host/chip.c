#define _GNU_SOURCE
#include "chip.h"

#include <string.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_io.h>

static avr_irq_t *input;
static void (*on_sent)(uint8_t byte);
static uint8_t waiting[4096];
static size_t count_waiting;
static bool ready = true;
static uint32_t static_ram;

/* The emulated UART says when it takes a byte. */
static void feed(void) {
    while (ready && count_waiting) {
        uint8_t byte = waiting[0];
        memmove(waiting, waiting + 1, --count_waiting);
        avr_raise_irq(input, byte);
    }
}

static void sent(avr_irq_t *irq, uint32_t value, void *param) {
    (void)irq, (void)param;
    on_sent((uint8_t)value);
}

static void on(avr_irq_t *irq, uint32_t value, void *param) {
    (void)irq, (void)value, (void)param;
    ready = true;
    feed();
}

static void off(avr_irq_t *irq, uint32_t value, void *param) {
    (void)irq, (void)value, (void)param;
    ready = false;
}

/* Time is kept by whoever runs the chip. */
static void stay_awake(avr_t *chip, avr_cycle_count_t cycles) {
    (void)chip, (void)cycles;
}

avr_t *chip_make(const char *path, void (*sent_by_it)(uint8_t byte)) {
    elf_firmware_t firmware;
    uint32_t flags = 0;
    memset(&firmware, 0, sizeof firmware);
    if (elf_read_firmware(path, &firmware) != 0) return NULL;
    strcpy(firmware.mmcu, "atmega328p");
    firmware.frequency = 1000 * CYCLES_PER_MS;
    avr_t *chip = avr_make_mcu_by_name(firmware.mmcu);
    avr_init(chip);
    avr_load_firmware(chip, &firmware);
    chip->vcc = chip->avcc = chip->aref = 5000;
    chip->sleep = stay_awake;
    chip->log = LOG_ERROR;
    avr_ioctl(chip, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
    avr_ioctl(chip, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    static_ram = firmware.datasize + firmware.bsssize;
    on_sent = sent_by_it;
    input = avr_io_getirq(chip, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(chip, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), sent, NULL);
    avr_irq_register_notify(avr_io_getirq(chip, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on, NULL);
    avr_irq_register_notify(avr_io_getirq(chip, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), off, NULL);
    return chip;
}

uint32_t chip_static_ram(void) {
    return static_ram;
}

size_t chip_room(void) {
    return sizeof waiting - count_waiting;
}

void chip_receive(const uint8_t *bytes, size_t count) {
    if (count > chip_room()) count = chip_room();
    memcpy(waiting + count_waiting, bytes, count);
    count_waiting += count;
    feed();
}

bool chip_run(avr_t *chip, avr_cycle_count_t cycles) {
    avr_cycle_count_t end = chip->cycle + cycles;
    while (chip->cycle < end) {
        int state = avr_run(chip);
        if (state == cpu_Done || state == cpu_Crashed) return false;
    }
    return true;
}
